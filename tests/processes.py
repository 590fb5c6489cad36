"""Real web, worker and beat processes on a test's own stores, as `manage.py up` runs them: the same command lines, the same keeper,
which starts again what was killed. Web processes and workers are forks, unless a test wants to start what production starts.

    with Processes(folder, environment=...) as processes:
        processes.web("web-a"); processes.worker("worker-1"); processes.worker("worker-2"); processes.wait_until_ready()
        processes.arm("worker", "answer.saved")        # the first of the workers to get there dies there
        processes.kill("web-a")                        # kill -9, now
        died = processes.wait_for_death("worker")
"""

import contextlib
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from config.management.commands.up import beat_command, listening, web_command, worker_command
from config.supervision import Keeper, Program
from tests import forks

START_SECONDS = 60.0
LOOK_AFTER_SECONDS = 0.02
RESTART_SECONDS = 0.2  # sooner than `manage.py up` does, to save the tests' time


@dataclass(frozen=True)
class Death:
    """A process that ended without being asked: when (monotonic seconds), and how."""

    name: str
    kind: str
    at: float
    how: str


class Forking(Keeper):
    """Its process is the fork of one that has imported everything already."""

    def _spawn(self) -> forks.Fork:
        reading, writing = os.pipe()
        try:
            process = forks.start(
                self.program.command, environment=self.environment, output=writing, listener=next(iter(self.program.descriptors), None)
            )
        finally:
            os.close(writing)
        process.stdout = os.fdopen(reading, "rb")
        return process


class Running:
    """One program under its keeper. All of a `kind` are armed together, and the first to get to the point dies."""

    def __init__(self, keeper: Keeper, *, kind: str, folder: Path, port: int = 0) -> None:
        self.keeper = keeper
        self.kind = kind
        self.port = port
        self.ready_file = folder / f"{keeper.program.name}.ready"
        self.wanted = True


class Processes:
    """The programs of one test module. A thread of its own keeps them running."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.deaths: list[Death] = []
        self._running: dict[str, Running] = {}
        self._stack = contextlib.ExitStack()
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="processes", daemon=True)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()
        for running in self._running.values():
            if running.keeper.process is not None and running.keeper.is_running():
                running.keeper.process.kill()
        for running in self._running.values():
            running.keeper.end(seconds=5)
        self._stack.close()

    # Starting ----------------------------------------------------------------------------------------------------------

    def web(self, name: str, *, keeper: type[Keeper] = Forking, **environment: str) -> Running:
        """A web process on a port of its own. Its listening socket outlives it: who connects meanwhile waits."""
        listener: socket.socket = self._stack.enter_context(listening("127.0.0.1", 0))
        command = web_command(listener.fileno())
        program = Program(name, command, (listener.fileno(),))
        return self._add(program, environment, keeper=keeper, kind=name, port=listener.getsockname()[1])

    def worker(self, name: str, *, keeper: type[Keeper] = Forking, **environment: str) -> Running:
        command = (*worker_command(), "--hostname", f"{name}@parley")
        return self._add(Program(name, command, stop_seconds=15), environment, keeper=keeper, kind="worker")

    def beat(self, name: str = "beat", **environment: str) -> Running:
        return self._add(Program(name, beat_command()), environment, keeper=Keeper, kind="beat")

    def _add(self, program: Program, environment: Mapping[str, str], *, keeper: type[Keeper], kind: str, port: int = 0) -> Running:
        files = {
            "FAILPOINT_FILE": str(self._arm_file(kind)),
            "FAILPOINT_LOG": str(self._passed_file(kind)),
            "READY_FILE": str(self.folder / f"{program.name}.ready"),
        }
        environment = {**self.environment, **files, **environment}
        running = Running(
            keeper(program, environment=environment, folder=self.folder, say=lambda name, line: None),
            kind=kind,
            folder=self.folder,
            port=port,
        )
        running.ready_file.unlink(missing_ok=True)
        running.keeper.start()
        with self._lock:
            self._running[program.name] = running
        return running

    def __getitem__(self, name: str) -> Running:
        return self._running[name]

    def _arm_file(self, kind: str) -> Path:
        return self.folder / f"{kind}.failpoint"

    def _passed_file(self, kind: str) -> Path:
        return self.folder / f"{kind}.passed"

    def passed(self, kind: str) -> list[str]:
        """Names of the failpoints that programs of this kind have passed, in order, over all their lives."""
        try:
            return self._passed_file(kind).read_text().split()
        except FileNotFoundError:
            return []

    def wait_until_ready(self, *names: str) -> None:
        """Returns when these (or all) answer: web processes to a request, workers and beat by running long enough to say so."""
        for name in names or list(self._running):
            running = self._running[name]
            ready = self._answers if running.port else self._says_it_is_ready
            wait_for(
                lambda ready=ready, running=running: ready(running), seconds=START_SECONDS, what=lambda name=name: self.last_words(name)
            )

    def _answers(self, running: Running) -> bool:
        request = urllib.request.Request(f"http://127.0.0.1:{running.port}/healthz")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=START_SECONDS) as response:
                return response.status == 200
        except OSError:
            return False

    def _says_it_is_ready(self, running: Running) -> bool:
        if running.kind == "beat":
            return running.keeper.is_running()
        return running.ready_file.exists()

    # Ending ------------------------------------------------------------------------------------------------------------

    def arm(self, kind: str, failpoint: str) -> None:
        """The first program of this kind to get to this point dies there by SIGKILL, and starts again without it."""
        fresh = self.folder / f"{kind}.fresh"
        fresh.write_text(failpoint)
        fresh.rename(self._arm_file(kind))

    def kill(self, name: str) -> None:
        """kill -9, now. The keeper starts it again."""
        running = self._running[name]
        running.ready_file.unlink(missing_ok=True)
        os.kill(running.keeper.process.pid, signal.SIGKILL)

    def terminate(self, name: str) -> int:
        """SIGTERM, and waits for the end. Gives the exit code. The program stays away until `revive`."""
        with self._lock:
            running = self._running[name]
            running.wanted = False
            process = running.keeper.process
        running.ready_file.unlink(missing_ok=True)
        process.terminate()
        code = process.wait(running.keeper.program.stop_seconds)
        if code:
            print(self.last_words(name))
        return code

    def hold(self, name: str) -> None:
        """kill -9, and it stays away until `revive`."""
        with self._lock:
            running = self._running[name]
            running.wanted = False
            running.keeper.process.kill()
            running.keeper.process.wait()
        running.ready_file.unlink(missing_ok=True)

    def revive(self, name: str) -> None:
        with self._lock:
            running = self._running[name]
            running.keeper.process = None
            running.keeper.start()
            running.wanted = True

    def wait_for_death(self, kind: str, *, after: int = 0, seconds: float = 30.0) -> Death:
        """The first death of a program of this kind beyond the first `after` of all deaths."""

        def found() -> Death | None:
            return next((death for death in self.deaths[after:] if death.kind == kind), None)

        wait_for(lambda: found() is not None, seconds=seconds, what=lambda: f"No {kind} died; they passed {self.passed(kind)[-8:]}.")
        return found()

    def last_words(self, name: str) -> str:
        return f"The end of {name}'s log:\n{self._running[name].keeper.last_words(40)}"

    def _look_after(self) -> None:
        while not self._over.wait(LOOK_AFTER_SECONDS):
            with self._lock:
                for running in self._running.values():
                    keeper = running.keeper
                    if not running.wanted or keeper.is_running():
                        continue
                    if keeper.process is not None:
                        how = keeper.process.returncode
                        running.ready_file.unlink(missing_ok=True)
                        self.deaths.append(Death(keeper.program.name, running.kind, time.monotonic(), f"exit code {how}"))
                        keeper.look_after()
                        keeper.crashes, keeper.due_at = 0, time.monotonic() + RESTART_SECONDS
                    else:
                        keeper.look_after()


def wait_for(condition: Callable[[], bool], *, seconds: float, what: Callable[[], str] = lambda: "") -> None:
    """Returns when the condition holds; fails with `what()` where it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"Not within {seconds:g} s. {what()}")
        time.sleep(0.02)
