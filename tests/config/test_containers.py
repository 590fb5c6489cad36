"""docker-compose.yml, the image and the example of the environment name only what the project has. No engine runs here, so nothing
of this says that containers start; it says that every service, variable, file and command they name exists."""

import ast
import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest
import yaml
from celery.bin.celery import celery as celery_command
from django.conf import settings
from django.core.management import get_commands
from django.urls import resolve
from uvicorn.main import main as uvicorn_command

from config.celery import app as celery_app
from config.management.commands import up
from config.schedule import SCHEDULE

ROOT = settings.BASE_DIR
APPS = ("config", "tenants", "integrations", "chat", "analytics", "dashboards")
COMPOSE = yaml.load((ROOT / "docker-compose.yml").read_text(), Loader=yaml.CSafeLoader)
SERVICES = COMPOSE["services"]
MONGO = ("mongo", "mongo-2", "mongo-3")
OURS = {name for name, service in SERVICES.items() if service["image"] == "parley"}
INTERPOLATED = re.compile(r"\$\{(\w+)(?::[-?])?([^}]*)\}")
# Read by compose itself or by what the images bring, not by our code.
NOT_OURS = {"DATABASE_OWNER_PASSWORD", "DATABASE_APP_PASSWORD"}
# Knobs of tests and of `make run`; a deployment does not set them.
NOT_DEPLOYED = {"FAILPOINT", "FAILPOINT_FILE", "FAILPOINT_LOG", "PYTHONWARNINGS", "READY_FILE"}


@cache
def variables_read() -> frozenset[str]:
    """Every name that our code reads from the environment."""
    names: set[str] = set()
    for path in (path for app in APPS for path in (ROOT / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (found := name_read(node)):
                names.add(found)
    return frozenset(names)


def name_read(call: ast.Call) -> str:
    """The literal in `env.int("NAME")`, `checked(env.int, "NAME")`, `required_in_production("NAME")` and `os.environ.get("NAME")`."""
    said = ast.unparse(call.func)
    arguments = call.args
    if said == "checked":
        arguments = arguments[1:]
    elif not (said.startswith("env.") or said in {"required_in_production", "os.environ.get"}):
        return ""
    if arguments and isinstance(arguments[0], ast.Constant) and isinstance(arguments[0].value, str):
        return arguments[0].value
    return ""


def words_of(command: str | list[str]) -> list[str]:
    return command if isinstance(command, list) else shlex.split(command)


def test_the_scan_sees_variables():
    assert {"PORT", "DATABASE_URL", "SECRET_KEY", "METRICS_NETWORKS", "LLM", "FAILPOINT"} <= variables_read()


def test_the_example_names_every_variable_there_is_and_no_other():
    example = re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    assert len(example) == len(set(example))
    assert set(example) == (variables_read() - NOT_DEPLOYED) | NOT_OURS


def test_the_example_as_it_is_changes_nothing():
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_compose_is_the_production_shape():
    assert set(SERVICES) == {
        "proxy", "web", "worker", "maintenance", "beat", "migrate", "postgres", *MONGO, "broker", "cache"
    }  # fmt: skip
    assert "name" not in COMPOSE
    assert SERVICES["web"]["deploy"]["replicas"] >= 2
    assert "deploy" not in SERVICES["beat"]
    assert SERVICES["postgres"]["image"] == "postgres:17"
    assert "--locale-provider=builtin --locale=C.UTF-8" in SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    for name in MONGO:
        assert SERVICES[name]["image"].startswith("mongo:8")
        assert "--replSet parley" in SERVICES[name]["command"]
        assert f'"{name}"' in SERVICES["mongo"]["healthcheck"]["test"][-1]  # which makes them one replica set (S4-146)
    assert {SERVICES[name]["image"] for name in ("broker", "cache")} == {"valkey/valkey:9.1-alpine"}
    assert "noeviction --appendonly yes" in SERVICES["broker"]["command"]
    assert "volatile-ttl" in SERVICES["cache"]["command"]


def test_compose_itself_accepts_the_file():
    """Where compose is installed it is asked; it needs no engine for this. The other tests here stand for it elsewhere."""
    compose = shutil.which("docker-compose")
    if compose is None:
        return
    asked = {match[1] for match in INTERPOLATED.finditer((ROOT / "docker-compose.yml").read_text())}
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **dict.fromkeys(asked, "1")}
    result = subprocess.run([compose, "config", "-q"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_only_the_proxy_can_be_reached_from_outside():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("postgres", *MONGO, "broker", "cache", "migrate", "beat", "maintenance"):
        assert SERVICES[name]["networks"] == ["inside"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_every_service_that_stays_says_how_it_is(name):
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= check.keys()


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_who_is_waited_for_exists_and_can_fulfil_the_condition(name):
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_volume_network_and_file_is_there(name):
    service = SERVICES[name]
    assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_of_ours_is_read(name):
    assert set(SERVICES[name]["environment"]) <= variables_read()


@pytest.mark.parametrize("name", sorted(OURS))
def test_production_gets_all_it_needs_and_only_the_owner_is_the_owner(name):
    environment = SERVICES[name]["environment"]
    needed = {"SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL", "FIELD_ENCRYPTION_KEYS"}
    assert needed <= environment.keys()
    assert environment["DEBUG"] == "false"
    owns = "parley_owner" in environment["DATABASE_URL"]
    assert owns == (name in {"migrate", "maintenance"})
    assert owns or "parley_login" in environment["DATABASE_URL"]
    hosts = re.findall(r"([\w-]+):\d+", " ".join(environment[key] for key in ("MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL")))
    assert hosts == [*MONGO, "cache", "broker"]


def test_every_value_that_is_asked_for_is_in_the_example():
    asked = {match[1] for match in INTERPOLATED.finditer((ROOT / "docker-compose.yml").read_text())}
    example = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    assert asked <= example


@pytest.mark.parametrize("name", sorted(name for name in OURS if "command" in SERVICES[name]))
def test_every_command_exists_with_its_options(name):
    program, *arguments = words_of(SERVICES[name]["command"])
    if program == "python":
        assert arguments[0] == "manage.py"
        assert arguments[1] in get_commands()
    else:
        assert program == "celery"
        check_celery(arguments)


def check_celery(arguments: list[str]) -> None:
    """Click's own parser refuses an option or a subcommand that is not there. Nothing is run."""
    context = click.Context(celery_command)
    given, rest, _ = celery_command.make_parser(context).parse_args(list(arguments))
    assert importlib.import_module(given["app"]).celery_app is celery_app
    command = celery_command.get_command(context, rest[0])
    assert command is not None, rest[0]
    _, left, _ = command.make_parser(click.Context(command)).parse_args(rest[1:])
    assert left == []


@pytest.mark.parametrize("name", sorted(name for name in OURS if "healthcheck" in SERVICES[name]))
def test_every_health_check_asks_what_exists(name):
    check = SERVICES[name]["healthcheck"]["test"]
    text = " ".join(check[1:]).replace("$$", "$")
    if "celery" in text:
        check_celery(shlex.split(text.partition("celery ")[2].replace("$HOSTNAME", "worker")))
    elif "config.probe" in text:
        assert importlib.util.find_spec("config.probe") is not None
        assert resolve("/" + check[-1].split("/", 3)[3]).url_name == "readyz"
    else:
        [pid_file] = re.findall(r"\$\(cat (\S+)\)", text)
        assert pid_file in words_of(SERVICES[name]["command"])


def routed_queues() -> set[str]:
    return {route["queue"] for route in celery_app.conf.task_routes.values()}


def test_some_worker_takes_from_every_queue():
    taken = set()
    for name in ("worker", "maintenance"):
        words = words_of(SERVICES[name]["command"])
        taken |= set(words[words.index("--queues") + 1].split(","))
    assert taken == {task.queue for task in SCHEDULE} | {celery_app.conf.task_default_queue} | routed_queues()
    development = up.worker_command()
    assert set(development[development.index("--queues") + 1].split(",")) == taken


def test_the_image_starts_the_server_that_development_does():
    dockerfile = (ROOT / "Dockerfile").read_text()
    [command] = re.findall(r"^CMD (\[.*?\])$", dockerfile.replace("\\\n", ""), flags=re.MULTILINE | re.DOTALL)
    program, *arguments = ast.literal_eval(command)
    assert program == "uvicorn"
    parsed = uvicorn_command.make_context("uvicorn", arguments).params
    development = uvicorn_command.make_context("uvicorn", list(up.web_command(3)[3:])).params
    for option in ("app", "loop", "http", "ws", "ws_per_message_deflate", "ws_max_size", "access_log"):
        assert parsed[option] == development[option], option
    assert parsed["forwarded_allow_ips"] == "*"  # the proxy alone reaches it, and overwrites what browsers claim


def test_the_image_copies_what_there_is():
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) (\S+)$", dockerfile, flags=re.MULTILINE)
    sources = {source for sources, _ in copied for source in sources.split()}
    for source in sources:
        assert (ROOT / source).exists(), source
    assert set(APPS) | {"templates", "manage.py"} <= sources
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not sources & set(ignored)


def test_the_image_can_collect_its_files_without_any_store():
    dockerfile = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    [line] = re.findall(r"^RUN (SECRET_KEY=.*)$", dockerfile, flags=re.MULTILINE)
    words = shlex.split(line)
    environment = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    command = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    assert command[:2] == ["python", "manage.py"]
    result = subprocess.run(
        [sys.executable, *command[1:], "--dry-run"],
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings", **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-1000:]
    assert "static files" in result.stdout


def test_the_databases_login_may_act_as_the_role_and_owns_nothing():
    script = (ROOT / "deploy" / "postgres-roles.sh").read_text()
    assert os.access(ROOT / "deploy" / "postgres-roles.sh", os.X_OK)
    assert re.search(r"CREATE ROLE parley_login LOGIN .* NOSUPERUSER NOBYPASSRLS", script)
    assert "GRANT parley_app TO parley_login" in script
    assert SERVICES["web"]["environment"]["DATABASE_ROLE"] == "parley_app"


def test_the_proxy_passes_on_sockets_and_streams_and_hides_metrics():
    proxy = Path(ROOT / "deploy" / "proxy.conf").read_text()
    assert "server web:8000 resolve;" in proxy
    assert "proxy_buffering off;" in proxy
    assert "proxy_set_header Upgrade $http_upgrade;" in proxy
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in proxy
    assert re.search(r"location = /metrics \{\s+return 404;", proxy)
