"""`manage.py up`, as `make run` runs it: two at once, each from nothing; what they start, keep running, and stop."""

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from config import demo, local_services, supervision

pytestmark = pytest.mark.timeout(600)

MANAGE = str(settings.BASE_DIR / "manage.py")
READY_SECONDS = 300
STORES = ("DATABASE_URL", "MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL")


@dataclass
class Up:
    """A running `manage.py up`: its process, its data folder, its address."""

    process: subprocess.Popen
    folder: Path
    port: int
    output: Path

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        wait_until(lambda: "\nReady\n" in self.said() or self.process.poll() is not None, seconds=READY_SECONDS)
        assert self.process.poll() is None, self.said()

    def get(self, path: str) -> tuple[int, str]:
        with (
            contextlib.suppress(urllib.error.HTTPError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as response,
        ):
            return response.status, response.read().decode()
        return 0, ""

    def pids(self, *words: str) -> list[int]:
        """The processes that work for this folder (by their environment) and whose command line has these words."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                ours = str(self.folder) in command or f"DATA_DIR={self.folder}\0".encode() in (entry / "environ").read_bytes()
                if ours and all(word in command for word in words) and supervision.birth_of(int(entry.name)):
                    found.append(int(entry.name))
        return found


def environment_for(folder: Path, port: int, **more: str) -> dict[str, str]:
    """A developer's shell: none of the tests' servers, and variables in the way that must not matter."""
    hidden = {*STORES, "DEBUG", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "PYTEST_CURRENT_TEST", "TEST_DATABASE"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "DATA_DIR": str(folder), "PORT": str(port), "PGPORT": "1", "PGDATABASE": "elsewhere", **more}


def start_up(folder: Path, port: int, **more: str) -> Up:
    folder.parent.mkdir(parents=True, exist_ok=True)
    output = folder.with_suffix(".output")
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, MANAGE, "up"],
            env=environment_for(folder, port, **more),
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    return Up(process, folder, port, output)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, *, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.05)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two clones of a developer, started at the same moment from nothing. One lies in a path with spaces; one deep below, where it is
    stopped as it migrates, with nobody listening, and goes on with what the first has prepared: it would compute the same."""
    base = tmp_path_factory.mktemp("up")
    deep = base.joinpath(*["a-folder-with-a-rather-long-name"] * 4) / "data"
    ups = [start_up(base / "Olive's clone" / "local data", free_port())]
    try:
        stops_in_order_while_it_starts(deep, signal.SIGTERM)
        ups[0].wait_until_ready()
        copy_prepared(ups[0].folder, deep)
        ups.append(start_up(deep, free_port(), WEB_CONCURRENCY="2"))
        ups[1].wait_until_ready()
        yield ups
    finally:
        for up in ups:
            up.process.kill()
            up.process.wait()


def copy_prepared(source: Path, target: Path) -> None:
    """The stores as a power cut would leave them: nobody writes meanwhile."""
    servers = [pid for name in ("postgres", "mongod") for pid in local_services.processes_in(source / name.removesuffix("d"), name=name)]
    assert servers
    for pid in servers:
        os.kill(pid, signal.SIGSTOP)
    try:
        for name in ("postgres", "mongo"):
            shutil.rmtree(target / name)
            subprocess.run(["cp", "-a", "--reflink=auto", source / name, target / name], check=True)
        shutil.copy(source / "prepared", target)
    finally:
        for pid in servers:
            os.kill(pid, signal.SIGCONT)


def test_both_serve_and_say_how_to_sign_in(two):
    for up in two:
        assert up.get("/healthz") == (200, "ok\n")
        assert up.get("/readyz")[0] == 200
        assert f"http://127.0.0.1:{up.port}/" in up.said()
        for email, _ in demo.PEOPLE:
            assert email in up.said()
        assert demo.PASSWORD in up.said()
    assert len(two[1].pids("uvicorn")) == 2


def test_nothing_listens_but_on_this_machine(two):
    for up in two:
        inodes = {os.readlink(link) for pid in up.pids() for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
        for table, here in (("tcp", ("0100007F",)), ("tcp6", ())):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                    assert fields[1].split(":")[0] in here, line


def test_another_terminal_needs_no_variables(two):
    for up in two:
        key = subprocess.run(
            [sys.executable, MANAGE, "create_api_key", "--organization", "acme", "--user", "olive@acme.example", "--name", "test"],
            env=environment_for(up.folder, up.port),
            capture_output=True,
            text=True,
            check=False,
        )
        assert key.returncode == 0, key.stderr
        request = urllib.request.Request(
            f"http://127.0.0.1:{up.port}/api/v1/me", headers={"Authorization": f"Bearer {key.stdout.splitlines()[-1]}"}
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            assert "olive@acme.example" in response.read().decode()


def test_a_killed_program_and_a_killed_server_come_back_and_nobody_is_refused(two):
    up = two[0]
    for words in (("uvicorn",), ("celery", "worker"), ("celery", "beat"), ("valkey-server",), ("mongod",)):
        before = up.pids(*words)
        assert before, words
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda words=words, before=before: up.pids(*words) and not set(up.pids(*words)) & set(before))
        assert up.get("/healthz") == (200, "ok\n")  # waits in the listening socket meanwhile
    wait_until(lambda: up.get("/readyz")[0] == 200)
    assert "was ended by SIGKILL; starts again in" in up.said()


def test_a_second_one_on_the_same_folder_is_refused_with_a_sentence(two):
    second = start_up(two[0].folder, free_port(), DATA_DIR=str(two[0].folder))
    assert second.process.wait(120) == 1


def test_a_port_that_is_taken_is_said(two, tmp_path):
    stores = {name: f"{name.lower()}-of-somebody" for name in STORES}  # so that no server has to start first
    stores |= {"REDIS_URL": "redis://127.0.0.1:1/", "CELERY_BROKER_URL": "redis://127.0.0.1:1/"}
    stores |= {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "MONGODB_URI": "mongodb://127.0.0.1:1/x"}
    up = start_up(tmp_path / "third", two[0].port, **stores)
    assert up.process.wait(120) == 1
    assert f"Port {two[0].port} on 127.0.0.1 cannot be used" in up.said()
    assert f"make run PORT={two[0].port + 1}" in up.said()


def test_a_killed_supervisor_takes_all_with_it_and_the_next_start_is_quick(two):
    up = two[1]
    assert up.pids("mongod") and up.pids("uvicorn")
    up.process.kill()
    up.process.wait()
    again = start_up(up.folder, up.port)
    two[1] = again
    again.wait_until_ready()
    assert "Tables in PostgreSQL" not in again.said()  # prepared already, by this very code
    assert "already running" not in again.said()
    assert len(again.pids("uvicorn")) == 1


@pytest.mark.parametrize(("place", "number"), [(0, signal.SIGINT), (1, signal.SIGTERM)])
def test_a_signal_ends_everything_with_exit_code_0(two, place, number):
    up = two[place]
    assert len(up.pids()) > 5
    began = time.monotonic()
    up.process.send_signal(number)
    assert up.process.wait(120) == 0, up.said()
    assert up.pids() == []
    assert time.monotonic() - began < 100
    assert not (up.folder / "environment").exists()
    assert "had to be killed" not in up.said()


def test_ctrl_c_in_a_terminal_ends_make_run_with_exit_code_0_while_it_starts(tmp_path):
    """Through `make`, which would turn Ctrl-C into its own exit code. Pressed early: whatever has started must end."""
    child, terminal = pty.fork()
    if child == 0:
        script = f"run:\n\t@exec '{sys.executable}' '{MANAGE}' up\n"
        (tmp_path / "Makefile").write_text(script)
        os.chdir(tmp_path)
        os.execvpe("make", ["make", "run"], environment_for(tmp_path / "data", free_port()))
    said = read_until(terminal, b"Tables in PostgreSQL")
    os.write(terminal, b"\x03")
    said += read_until(terminal, b"")
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said.decode()
    assert b"stopping" in said
    up = Up(process=None, folder=tmp_path / "data", port=0, output=tmp_path)
    assert up.pids() == []


def read_until(terminal: int, wanted: bytes, *, seconds: float = 180) -> bytes:
    """What a terminal shows until `wanted`, or, with nothing wanted, until its last program has left."""
    said, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and not (wanted and wanted in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", said)):
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                return said
            if not part:
                return said
            said += part
    return said


def test_with_nobody_listening_any_more_it_still_stops_in_order(tmp_path):
    """As when the terminal's window is closed: what it prints goes nowhere, and everything ends."""
    stops_in_order_while_it_starts(tmp_path / "data", signal.SIGHUP)


def stops_in_order_while_it_starts(folder: Path, number: signal.Signals) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, MANAGE, "up"],
        env=environment_for(folder, free_port()),
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
        # Tests that are run with `nohup` would hand down that a closed terminal means nothing.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    os.close(writer)
    said = b""
    while b"Tables in PostgreSQL" not in said:
        said += (part := os.read(reader, 4096))
        assert part, said.decode()
    os.close(reader)
    process.send_signal(number)
    assert process.wait(120) == 0
    assert Up(process, folder, 0, folder).pids() == []
    assert not (folder / "environment").exists()


def test_an_unknown_model_is_said(tmp_path):
    stores = {"REDIS_URL": "redis://127.0.0.1:1/", "DATABASE_URL": "postgresql://127.0.0.1:1/x", "MONGODB_URI": "mongodb://127.0.0.1:1/x"}
    up = start_up(tmp_path / "data", free_port(), LLM="huge", **stores)
    assert up.process.wait(120) == 1
    assert "LLM=huge is not known" in up.said()
