"""The world of one run: servers of its own, Parley's programs started as `manage.py up` starts them, the mock provider, the people.

Everything that is started here is ended here.
"""

import base64
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config import local_services
from config.management.commands import up
from config.supervision import Program, Supervisor

BASE_DIR = Path(__file__).resolve().parent.parent
READY_SECONDS = 60.0
STORES = ("valkey", "mongo", "postgres")
OURS = ("web", "worker", "beat", *STORES)


class NotReady(Exception):
    """Something that the benchmark needs is not there. The sentence says what to do, or shows its last words."""


@dataclass(frozen=True)
class Person:
    """A member of the organization: the key they show, and their empty conversations."""

    key: str
    conversations: tuple[str, ...]


@dataclass(frozen=True)
class Size:
    """How much is in the stores, and how many web processes there are."""

    people: int = 300
    conversations: int = 12  # of each of them
    inbox: int = 0
    messages: int = 0
    web: int = 1


@dataclass
class World:
    """A running Parley. `groups` names the processes whose cost is counted."""

    folder: Path
    environment: dict[str, str]
    services: local_services.LocalServices
    supervisor: Supervisor
    web: tuple[str, int] = ("127.0.0.1", 0)
    groups: dict[str, list[int]] = field(default_factory=dict)
    organization: str = ""
    people: list[Person] = field(default_factory=list)
    reader: Person | None = None
    long: str = ""  # the reader's long conversation
    _taken: int = 0

    def take(self, count: int) -> list[tuple[str, str]]:
        """So many (key, conversation) that nobody used before, of as many people as there are."""
        taken = []
        for _ in range(count):
            place, person = divmod(self._taken, len(self.people))
            if place >= len(self.people[person].conversations):
                raise NotReady(f"All {self._taken} conversations are used up. Ask for more: --conversations.")
            taken.append((self.people[person].key, self.people[person].conversations[place]))
            self._taken += 1
        return taken

    def start(self, name: str, command: Callable[[int], tuple[str, ...]], *, extra: Mapping[str, str] | None = None) -> tuple[str, int]:
        """Starts a program that inherits a listening socket, whose number `command` gets; returns the socket's address."""
        with listening() as listener:
            descriptor = listener.fileno()
            self.run(name, command(descriptor), descriptors=(descriptor,), extra=extra)
            return listener.getsockname()

    def run(
        self, name: str, command: tuple[str, ...], *, descriptors: tuple[int, ...] = (), extra: Mapping[str, str] | None = None
    ) -> None:
        group = name.partition("-")[0]
        keeper = self.supervisor.add(Program(name, command, descriptors), environment={**self.environment, **(extra or {})})
        assert keeper.process is not None
        self.groups.setdefault(group, []).append(keeper.process.pid)

    def start_application(self, name: str, application: str, *, extra: Mapping[str, str] | None = None) -> tuple[str, int]:
        """Another ASGI application on the same server with the same options as Parley's web process; gives its address."""

        def command(descriptor: int) -> tuple[str, ...]:
            return tuple(application if part == "config.asgi:application" else part for part in up.web_command(descriptor))

        return self.start(name, command, extra=extra)

    def end(self, name: str) -> None:
        """Ends a program that is of no more use in this run."""
        for keeper in [keeper for keeper in self.supervisor.keepers if keeper.program.name.partition("-")[0] == name]:
            keeper.ask_to_end()
            keeper.end(seconds=keeper.program.stop_seconds)
            self.supervisor.keepers.remove(keeper)
        self.groups.pop(name, None)

    def check(self) -> None:
        """Raises `NotReady` where a program has ended by itself: what was measured meanwhile is worth nothing."""
        for keeper in self.supervisor.keepers:
            if not keeper.is_running():
                raise NotReady(f"{keeper.program.name} ended during the run. Its last words:\n{keeper.last_words()}")


@contextlib.contextmanager
def opened(size: Size, *, say: Callable[[str], None]) -> Iterator[World]:
    """A Parley of that size, ready to be asked. `say` is told what is being done. Durable servers: an fsync is part of the price."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL reaches its own folder where it runs as another user
        say("Starting PostgreSQL, MongoDB and Valkey")
        with local_services.running(folder, environment={}) as services:
            supervisor = Supervisor(folder=folder, say=lambda name, line: None)
            world = World(folder=folder, environment={}, services=services, supervisor=supervisor)
            try:
                _fill(world, size, say=say)
                yield world
            finally:
                world.supervisor.end()


def _fill(world: World, size: Size, *, say: Callable[[str], None]) -> None:
    services = world.services
    world.environment = {**_environment(world.folder), **services.environment}
    upstream = world.start("upstream", lambda descriptor: (sys.executable, "-m", "benchmarks.upstream", str(descriptor)))
    say("Preparing the stores")
    call(world, sys.executable, up.MANAGE, "prepare")
    say(f"Making {size.people:,} people with {size.people * size.conversations + size.inbox:,} conversations")
    asked = {"people": size.people, "each": size.conversations, "inbox": size.inbox, "messages": size.messages}
    arguments = [part for option, value in asked.items() for part in (f"--{option}", str(value))]
    seeded = json.loads(call(world, sys.executable, "-m", "benchmarks.seed", *arguments).splitlines()[-1])
    world.organization, world.long = seeded["organization"], seeded["long"]
    world.people = [Person(key=person["key"], conversations=tuple(person["conversations"])) for person in seeded["people"]]
    if reader := seeded["reader"]:
        world.reader = Person(key=reader["key"], conversations=tuple(reader["conversations"]))
    say("Starting web, worker and beat")
    world.environment |= {"OPENAI_BASE_URL": f"http://{upstream[0]}:{upstream[1]}/v1", "OPENAI_API_KEY": "mock", "OPENAI_MODEL": "mock"}
    _serve(world, size)
    world.groups |= {service.name: [service.pid] for service in services.services}


def listening() -> socket.socket:
    """As `manage.py up` makes it: without TCP_NODELAY, which connections inherit, an answer of two writes would wait 40 ms."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.set_inheritable(True)
    return listener


def _serve(world: World, size: Size) -> None:
    """The three programs of `manage.py up`; several web processes share one listening socket."""
    with listening() as listener:
        world.web = listener.getsockname()
        for number in range(1, size.web + 1):
            name = "web" if size.web == 1 else f"web-{number}"
            world.run(name, up.web_command(listener.fileno()), descriptors=(listener.fileno(),))
    world.run("worker", up.worker_command())
    world.run("beat", up.beat_command())
    ready = Path(world.environment["READY_FILE"])
    end = time.monotonic() + READY_SECONDS
    while not (ready.exists() and answers(world.web, "/readyz")):
        world.check()
        if time.monotonic() > end:
            raise NotReady(f"Parley was not ready within {READY_SECONDS:g} s. The logs are in {world.folder / 'log'}.")
        time.sleep(0.05)


def answers(address: tuple[str, int], path: str) -> bool:
    """True if this path is answered with a success."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address[0]}:{address[1]}{path}", timeout=5) as response:
            return 200 <= response.status < 300
    except OSError:
        return False


def _environment(folder: Path) -> dict[str, str]:
    """Production's, but for the limits of what one person may ask for."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": str(BASE_DIR),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": up.UNINTERESTING,
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "FIELD_ENCRYPTION_KEYS": f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATA_DIR": str(folder),
        "READY_FILE": str(folder / "worker-ready"),
        "ROLE_LIMITS": "false",
        "OFFLINE_WORDS_PER_SECOND": "0",
        # As the peers are measured: without what is not the answer, and each of them written.
        **dict.fromkeys(("AI_TITLES", "AI_ANALYSES", "AI_MEMORY", "AI_ANSWER_CACHE"), "false"),
    }


def call(world: World, *command: str) -> str:
    """Runs a command to its end and gives what it printed."""
    done = subprocess.run(command, env=world.environment, cwd=BASE_DIR, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReady(f"{' '.join(command[1:4])} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout
