"""Starts web processes, workers and commands as forks of one that has imported everything already (`tests/forkserver.py`): a test run
starts more than a hundred of them, each of which would compute for two seconds otherwise.

The tests of `manage.py up` start what production starts, and so do `tests/faults/test_promises.py` and whoever starts beat.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO

from django.conf import settings

# Read when they are needed, and so taken over by a fork. Another variable that differs has a server of its own.
OF_EACH_START = {
    *("FAILPOINT", "FAILPOINT_FILE", "FAILPOINT_LOG", "READY_FILE", "PORT", "PYTEST_CURRENT_TEST"),
    *("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL", "AI_ANALYSES", "AI_ANSWER_CACHE", "AI_MEMORY", "ANSWERS_PER_WORKER"),
    *("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", *settings.VENDOR_ADDRESSES),
}

_servers: dict[tuple[str, frozenset[tuple[str, str]]], "Server"] = {}


def start(command: Sequence[str], *, environment: Mapping[str, str], output: int, listener: int | None = None) -> "Fork":
    """A process that does what this command line (`python -m …`) does. Its output goes to `output`."""
    python, module_follows, program, *arguments = command
    assert (python, module_follows) == (sys.executable, "-m")
    alike = frozenset((name, value) for name, value in environment.items() if name not in OF_EACH_START)
    server = _servers.get((program, alike))
    if server is None or not server.lives():
        server = _servers[program, alike] = Server(program, environment)
    return server.fork(arguments, environment=environment, output=output, listener=listener)


class Server:
    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self.name = program
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forkserver", program, str(its.fileno())],
                env=dict(environment),
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )

    def lives(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """Nobody can ask it any more, as when the test process dies."""
        self._socket.close()
        self._process.wait()

    def fork(self, arguments: Sequence[str], *, environment: Mapping[str, str], output: int, listener: int | None) -> "Fork":
        reading, says = os.pipe()
        request = json.dumps({"arguments": arguments, "environment": dict(environment)})
        try:
            socket.send_fds(self._socket, [request.encode()], [says, output, *([] if listener is None else [listener])])
        finally:
            os.close(says)
        return Fork(reading, name=self.name)


class Fork:
    """As `subprocess.Popen` has it. The server, whose child it is, says its number and then how it ended."""

    def __init__(self, says: int, *, name: str) -> None:
        self._says = os.fdopen(says)
        self._lock = threading.Lock()
        self.returncode: int | None = None
        self.stdout: IO[bytes] | None = None
        said, _, number = self._says.readline().partition(" ")
        if said != "runs":
            raise RuntimeError(f"{name} was not forked. What tests/forkserver.py or the fork itself printed says why.")
        self.pid = int(number)

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None and _has_more(self._says):
                _, _, code = self._says.readline().partition(" ")
                self.returncode = int(code or -signal.SIGTERM)  # silence: the server is gone, and the kernel ends its forks
                self._says.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired` where it does not end within so many seconds."""
        began = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() > began + timeout:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.01)
        return code

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _has_more(file: IO[str]) -> bool:
    there = select.poll()
    there.register(file, select.POLLIN)
    return bool(there.poll(0))
