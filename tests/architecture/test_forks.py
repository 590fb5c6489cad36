"""A fork is as good as a process that was started: see `tests/forks.py`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from config.management.commands.up import listening, web_command
from config.supervision import birth_of
from tests import forks
from tests.processes import wait_for

TOLD = {"pid", "session", "settings", "failpoints", "environment", "listens"}


@pytest.fixture(scope="module")
def server() -> Iterator[forks.Server]:
    server = forks.Server("uvicorn", os.environ)
    yield server
    server.end()


def fork(server: forks.Server, **environment: str) -> tuple[forks.Fork, dict]:
    """A fork of a web process that imports `forked.py` in place of the application, and what that says of itself."""
    reading, writing = os.pipe()
    with listening("127.0.0.1", 0) as listener, os.fdopen(reading) as said:
        command = [part.replace("config.asgi", "tests.architecture.forked") for part in web_command(listener.fileno())]
        made = server.fork(command[3:], environment={**os.environ, **environment}, output=writing, listener=listener.fileno())
        os.close(writing)
        told = json.loads(said.readline())
        assert told["listens"] == listener.getsockname()[1]
        return made, told


def test_forks_have_nothing_in_common_that_chance_made(server):
    (one, first), (other, second) = (fork(server, READY_FILE="") for _ in range(2))
    assert one.wait(10) == other.wait(10) == 7
    assert {name for name in first.keys() - TOLD if first[name] == second[name]} == set()
    assert [(told["pid"], told["session"]) for told in (first, second)] == [(made.pid, made.pid) for made in (one, other)]


def test_a_fork_has_the_environment_of_its_start_and_no_other(server):
    for number, point in (("0", "cold.gone"), ("3", "cold.back")):
        own = {"READY_FILE": "", "ANSWERS_PER_WORKER": number, "FAILPOINT": point}
        own |= {"FAILPOINT_FILE": f"/file-{number}", "FAILPOINT_LOG": f"/log-{number}"}
        made, told = fork(server, OPENAI_BASE_URL=f"http://{number}.test", **own)
        assert told["settings"] == [int(number), f"http://{number}.test"]
        assert told["failpoints"] == [point, f"/file-{number}", f"/log-{number}"]
        assert told["environment"] == {**os.environ, **own, "OPENAI_BASE_URL": f"http://{number}.test"}
        made.wait(10)
    _, told = fork(server, READY_FILE="")
    assert told["settings"] == [500, ""]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_that_fork_alone_and_is_told_as_its_end(server, number):
    one, _ = fork(server, READY_FILE="wait")
    other, _ = fork(server, READY_FILE="wait")
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.05)
    one.kill() if number == signal.SIGKILL else one.terminate()
    assert one.wait(10) == -number
    assert other.poll() is None
    other.kill()
    assert other.wait(10) == -signal.SIGKILL


def test_where_nobody_can_ask_any_more_forks_end_with_their_server():
    server = forks.Server("uvicorn", os.environ)
    made, _ = fork(server, READY_FILE="wait")
    server.end()
    wait_for(lambda: not birth_of(made.pid), seconds=10)
    assert made.wait(10) == -signal.SIGTERM


def test_what_cannot_be_started_is_said():
    server = forks.Server("uvicorn", {**os.environ, "DEBUG": "perhaps"})
    with pytest.raises(RuntimeError, match=r"uvicorn was not forked\."):
        fork(server)


def test_starts_that_differ_in_what_is_read_only_once_have_servers_of_their_own(monkeypatch):
    asked = []

    class Recording:
        def __init__(self, program, environment):
            self.program, self.environment = program, environment

        def lives(self):
            return True

        def fork(self, arguments, **kwargs):
            asked.append(self)

    monkeypatch.setattr(forks, "Server", Recording)
    monkeypatch.setattr(forks, "_servers", {})
    for program, environment in (
        ("uvicorn", {"DEBUG": "1", "PORT": "1"}),
        ("uvicorn", {"DEBUG": "1", "PORT": "2", "OPENAI_API_KEY": "x"}),
        ("uvicorn", {"DEBUG": "0"}),
        ("celery", {"DEBUG": "1"}),
    ):
        forks.start((sys.executable, "-m", program), environment=environment, output=1)
    assert [asked.index(server) for server in asked] == [0, 0, 2, 3]
