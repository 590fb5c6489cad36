"""The site as people meet it: a real web process and a real worker, on the stores of this test process."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.management.commands.up import web_command, worker_command
from tests import forks

START_SECONDS = 90.0  # two sites start at once where every core is busy


class Site:
    """Web and worker can be ended and started again while tests look on."""

    def __init__(self, *, folder: Path, database_url: str, provider: str) -> None:
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.set_inheritable(True)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "DEBUG": "1",
            "DATABASE_URL": database_url,
            "PORT": str(self.port),
            "OPENAI_BASE_URL": provider,
            "OPENAI_API_KEY": "a-key-of-the-tests",
            "OPENAI_MODEL": "test-model",
            "LOG_LEVEL": "WARNING",
            "READY_FILE": str(folder / "worker-ready"),
        }
        self._web: forks.Fork | None = None
        self._worker: forks.Fork | None = None

    def start(self) -> None:
        self.start_worker()
        self.start_web()
        self._wait_for("the worker", (self._folder / "worker-ready").exists)

    def start_web(self) -> None:
        command = [word.replace("config.asgi:", "tests.e2e.asgi:") for word in web_command(self._listener.fileno())]
        self._web = self._spawn("web", command)
        self._wait_for("the web process", self._answers)

    def start_worker(self) -> None:
        self._worker = self._spawn("worker", worker_command())

    def is_running(self) -> bool:
        return all(process is not None and process.poll() is None for process in (self._web, self._worker))

    @property
    def is_web_running(self) -> bool:
        return self._web is not None

    def end_web(self) -> None:
        self._end(self._web)
        self._web = None

    def end(self) -> None:
        for process in (self._web, self._worker):
            self._end(process)
        self._listener.close()

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-4_000:]}" for path in self._folder.glob("*.log"))

    def _spawn(self, name: str, command: Sequence[str]) -> forks.Fork:
        listener = self._listener.fileno() if name == "web" else None
        with (self._folder / f"{name}.log").open("ab") as log:
            return forks.start(command, environment=self._environment, output=log.fileno(), listener=listener)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as response:
                return response.status == 200
        except OSError:
            return False

    def _wait_for(self, what: str, is_there) -> None:
        until = time.monotonic() + START_SECONDS
        while not is_there():
            for process in (self._web, self._worker):
                if process is not None and process.poll() is not None:
                    raise RuntimeError(f"A process ended while {what} was awaited.\n{self.logs()}")
            if time.monotonic() > until:
                raise RuntimeError(f"{what} did not start within {START_SECONDS:.0f} s.\n{self.logs()}")
            time.sleep(0.1)

    def _end(self, process: forks.Fork | None) -> None:
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=8)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Shared:
    """The site that the tests of a test process meet one after another. At most one runs, or two workers would share the answers."""

    def __init__(self) -> None:
        self._site: Site | None = None

    def site(self, folder: Callable[[], Path], **arguments) -> Site:
        """The one that runs, or a new one, in a folder made for it."""
        if self._site is not None and not self._site.is_running():
            self.end()
        if self._site is None:
            self._site = Site(folder=folder(), **arguments)  # kept before it starts, so that `end` ends what did not get that far
            self._site.start()
        return self._site

    def end(self) -> None:
        if self._site is not None:
            self._site.end()
            self._site = None


shared = Shared()


@contextmanager
def running(**arguments) -> Iterator[Site]:
    """A site for tests that need other settings. The shared one ends first."""
    shared.end()
    site = Site(**arguments)
    try:
        site.start()
        yield site
    finally:
        site.end()
