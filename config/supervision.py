"""Keeps a set of programs running: starts them, passes on what they say, starts again what crashed, and ends all in order.

One thread a program reads its output; everything else happens in the thread that calls. A program is told by the kernel when
this process dies (`setpriv --pdeathsig`), and `end_leftovers` ends what a killed supervisor left behind.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a crashed program starts again; doubles each time
STABLE_SECONDS = 60.0  # a program that ran this long begins with the first pause again
LOG_LIMIT = 16 << 20  # bytes; a longer log is put aside at the next start

# The kernel sends the death signal when the *thread* that started a child ends, so one thread that never ends starts them all.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="supervision")

Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Program:
    """A command that should always run. `descriptors` are open files it inherits."""

    name: str
    command: tuple[str, ...]
    descriptors: tuple[int, ...] = ()
    stop_seconds: float = 10.0


class Keeper:
    """One program and the process that runs it now."""

    def __init__(self, program: Program, *, environment: Mapping[str, str], folder: Path, say: Say) -> None:
        self.program, self.environment, self.folder, self.say = program, environment, folder, say
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log" / f"{program.name}.log"
        self.crashes = 0  # in a row, each before it was stable
        self.started_at = self.due_at = 0.0  # monotonic seconds
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        self.process = _spawner.submit(self._spawn).result()
        self.started_at = time.monotonic()
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._pass_on, args=(self.process.stdout,), name=f"{self.program.name}-log", daemon=True)
        self._reader.start()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def look_after(self) -> None:
        """Notices a crash, and starts the program again once its pause is over. Returns at once."""
        now = time.monotonic()
        if self.is_running():
            if now - self.started_at > STABLE_SECONDS:
                self.crashes = 0
            return
        if self.process is not None:
            returncode, self.process = self.process.returncode, None
            pause = min(FIRST_PAUSE * 2**self.crashes, LONGEST_PAUSE)
            self.crashes += 1
            self.due_at = now + pause
            self.say(self.program.name, f"{ending(returncode)}; starts again in {pause:g} s (log: {self.log})")
        elif now >= self.due_at:
            self.start()

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def end(self, *, seconds: float) -> bool:
        """Waits for the end that was asked for, then kills what is left of the process group. True if it ended by itself."""
        if self.process is None:
            return True
        clean = True
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            clean = False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._reader is not None:
            self._reader.join(1)
        self.process = None
        return clean

    def last_words(self, lines: int = 15) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_bytes()[-8000:].decode(errors="replace").splitlines()[-lines:])
        return ""

    def _spawn(self) -> subprocess.Popen[bytes]:
        dies_with_us = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        return subprocess.Popen(
            [*dies_with_us, *self.program.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self.environment),
            pass_fds=self.program.descriptors,
            # A session of its own: the terminal's Ctrl-C reaches the supervisor alone, which then ends things in order.
            start_new_session=True,
        )

    def _pass_on(self, output: IO[bytes]) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab", buffering=0) as log, output:
            for line in output:
                log.write(line)
                self.say(self.program.name, line.decode(errors="replace").rstrip())


class Supervisor:
    """All programs of one `manage.py up`. Not thread-safe."""

    def __init__(self, *, folder: Path, say: Say) -> None:
        self.folder, self.say = folder, say
        self.keepers: list[Keeper] = []

    def add(self, program: Program, *, environment: Mapping[str, str]) -> Keeper:
        """Starts a program and keeps it running from now on."""
        keeper = Keeper(program, environment=environment, folder=self.folder, say=self.say)
        self.keepers.append(keeper)
        keeper.start()
        self._remember()
        return keeper

    def look_after(self) -> None:
        """To be called a few times a second."""
        before = self._processes()
        for keeper in self.keepers:
            keeper.look_after()
        if self._processes() != before:
            self._remember()

    def end(self, *, hurried: Callable[[], bool] = lambda: False) -> list[str]:
        """Ends all programs together, the newest first; kills what outlives its time, or at once where `hurried` says so. Gives the names
        of those."""
        for keeper in reversed(self.keepers):
            keeper.ask_to_end()
        asked = time.monotonic()
        killed = []
        for keeper in reversed(self.keepers):
            while keeper.is_running() and not hurried() and time.monotonic() < asked + keeper.program.stop_seconds:
                time.sleep(0.02)
            if not keeper.end(seconds=0.05):
                killed.append(keeper.program.name)
        self.keepers.clear()
        (self.folder / "processes").unlink(missing_ok=True)
        return killed

    def _processes(self) -> list[int]:
        return [keeper.process.pid for keeper in self.keepers if keeper.process is not None]

    def _remember(self) -> None:
        known = {pid: birth for pid in self._processes() if (birth := birth_of(pid))}
        (self.folder / "processes").write_text(json.dumps(known))


def ending(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"


def birth_of(pid: int) -> str:
    """When a living process was born, in ticks since boot: with its number this names a process for good. Empty if it is gone."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""


def end_leftovers(folder: Path, *, seconds: float = 15.0) -> None:
    """Ends the programs of a supervisor that was killed, by the record it left, and waits for them. The caller holds the folder's lock."""
    record = folder / "processes"
    try:
        known = {int(pid): birth for pid, birth in json.loads(record.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return
    started = time.monotonic()
    while left := [pid for pid, birth in known.items() if birth_of(pid) == birth]:
        waited = time.monotonic() - started
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL) if waited > seconds else os.kill(pid, signal.SIGTERM)
        if waited > seconds + 5:
            break
        time.sleep(0.1)
    record.unlink(missing_ok=True)
