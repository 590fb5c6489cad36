"""Programs that crash are started again, and all end together."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from config import supervision
from config.supervision import Program, Supervisor, birth_of, end_leftovers

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervisor(tmp_path, said):
    made = Supervisor(folder=tmp_path, say=lambda name, line: said.append((name, line)))
    yield made
    made.end(hurried=lambda: True)


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-u", "-c", code, *arguments)


SLEEPER = "import time; print('here', flush=True); time.sleep(60)"


def wait_until(condition, *, seconds: float = 45, step=lambda: None) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It did not happen in time."
        step()
        time.sleep(0.01)


def test_what_a_program_says_is_passed_on_and_logged(supervisor, said, tmp_path):
    supervisor.add(Program("talker", python(SLEEPER)), environment=os.environ)
    wait_until(lambda: ("talker", "here") in said)
    assert (tmp_path / "log" / "talker.log").read_text() == "here\n"


def test_a_killed_program_starts_again_after_a_pause_that_doubles(supervisor, said, monkeypatch):
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.1)
    keeper = supervisor.add(Program("web", python(SLEEPER)), environment=os.environ)
    for crash in (1, 2):
        pid = keeper.process.pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not keeper.is_running())
        wait_until(lambda pid=pid: keeper.is_running() and keeper.process.pid != pid, step=supervisor.look_after)
        assert keeper.crashes == crash
    assert [line.split(" (")[0] for name, line in said if "again" in line] == [
        "was ended by SIGKILL; starts again in 0.1 s",
        "was ended by SIGKILL; starts again in 0.2 s",
    ]


def test_a_program_that_ran_for_long_begins_with_the_first_pause(supervisor, monkeypatch):
    keeper = supervisor.add(Program("web", python(SLEEPER)), environment=os.environ)
    keeper.crashes = 5
    monkeypatch.setattr(supervision, "STABLE_SECONDS", 0.0)
    time.sleep(0.01)
    supervisor.look_after()
    assert keeper.crashes == 0


def test_one_that_does_not_end_is_killed_with_what_it_started(supervisor, said):
    stubborn = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
    supervisor.add(Program("stubborn", python(stubborn), stop_seconds=0.3), environment=os.environ)
    wait_until(lambda: said)
    child = int(said[0][1])
    assert supervisor.end() == ["stubborn"]
    wait_until(lambda: not birth_of(child))


def test_hurried_everything_is_killed_at_once(supervisor, said):
    ignoring = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    supervisor.add(Program("slow", python(ignoring), stop_seconds=60), environment=os.environ)
    wait_until(lambda: said)
    began = time.monotonic()
    supervisor.end(hurried=lambda: True)
    assert time.monotonic() - began < 5


def test_all_that_end_when_asked_have_ended_cleanly(supervisor, said, tmp_path):
    for name in ("web", "worker"):
        polite = (
            "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('here', flush=True); time.sleep(60)"
        )
        supervisor.add(Program(name, python(polite)), environment=os.environ)
    wait_until(lambda: len(said) == 2)
    assert supervisor.end() == []
    assert not (tmp_path / "processes").exists()


def test_what_a_killed_supervisor_left_is_ended_and_nobody_else(tmp_path):
    left = subprocess.Popen(python(SLEEPER), start_new_session=True)
    stranger = subprocess.Popen(python(SLEEPER), start_new_session=True)
    try:
        # The stranger has a number that one of ours had before.
        (tmp_path / "processes").write_text(json.dumps({left.pid: birth_of(left.pid), stranger.pid: "1"}))
        end_leftovers(tmp_path, seconds=5)
        assert left.wait(5) == -signal.SIGTERM
        assert stranger.poll() is None
        assert not (tmp_path / "processes").exists()
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()


@pytest.mark.parametrize("record", ["", "[]", "{", '{"a": 1}'])
def test_a_record_that_cannot_be_read_is_no_hindrance(tmp_path, record):
    (tmp_path / "processes").write_text(record)
    end_leftovers(tmp_path)


def test_an_ending_is_said_in_words():
    assert supervision.ending(-9) == "was ended by SIGKILL"
    assert supervision.ending(3) == "ended with exit code 3"
