"""`manage.py up`: the whole of Parley on this machine, until Ctrl-C."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape

from config import demo, development, local_models, local_services
from config.supervision import Program, Supervisor, end_leftovers

MANAGE = str(settings.BASE_DIR / "manage.py")
COLOURS = {"web": "cyan", "worker": "magenta", "beat": "yellow", "model": "blue"}
READY_SECONDS = 90
# Said for machines, not for a terminal; the logs have it.
NOISE = ("request_started", "GET /readyz", "GET /healthz")
# Root in a container is warned of elsewhere, and in development static files need no folder.
UNINTERESTING = "ignore:You're running the worker with superuser privileges,ignore:No directory at"
CRASHES_BEFORE_READY = 4


class Interrupted(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP: stop everything and leave with exit code 0."""


class Command(BaseCommand):
    help = "Starts the servers that no variable names, prepares the stores, and serves until Ctrl-C."
    requires_system_checks = []

    def handle(self, **options: object) -> None:
        self.console = Terminal(highlight=False, soft_wrap=True)
        self.began = time.monotonic()
        self.hurried = False
        with own_terminal(), self.signals():
            try:
                self.run_all()
            except Interrupted:
                self.note(f"stopped after {duration(time.monotonic() - self.began)}")
            except (local_services.ServiceError, local_models.LocalModelMissing) as error:
                raise CommandError(str(error)) from error

    def run_all(self) -> None:
        folder = settings.DATA_DIR
        with self.working("Starting PostgreSQL, MongoDB and Valkey") as status:
            folder.mkdir(parents=True, exist_ok=True)
            with local_services.running(folder, environment=os.environ, before_start=lambda: end_leftovers(folder)) as services:
                with listening(settings.HOST, settings.PORT) as listener:
                    environment = self.environment(services)
                    development.publish(folder, environment=environment)
                    supervisor = Supervisor(folder=folder, say=self.say)
                    try:
                        self.start_model(supervisor, environment)
                        self.prepare(services, environment, status)
                        self.start_programs(supervisor, environment, listener)
                        status.update("Waiting until everything answers")
                        self.wait_until_ready(supervisor, services)
                        status.stop()
                        self.welcome()
                        self.keep_running(supervisor, services)
                    finally:
                        self.stopping = True
                        status.stop()
                        development.withdraw(folder)
                        self.note("stopping …")
                        if killed := supervisor.end(hurried=lambda: self.hurried):
                            self.note(f"{', '.join(killed)} had to be killed; the log in .local/log says what it was doing")

    # Before it serves
    def environment(self, services: local_services.LocalServices) -> dict[str, str]:
        """What all programs get. A value that was set wins over one of ours; a broker that was not set lives where the cache does."""
        given = {name: value for name, value in os.environ.items() if value}
        if "REDIS_URL" in given:
            given.setdefault("CELERY_BROKER_URL", broker_beside(given["REDIS_URL"]))
        ours = {
            "DEBUG": str(settings.DEBUG).lower(),
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", UNINTERESTING),
            "READY_FILE": str(settings.DATA_DIR / "worker-ready"),
        }
        return {**os.environ, **services.environment, **given, **ours}

    def start_model(self, supervisor: Supervisor, environment: dict[str, str]) -> None:
        """With LLM=local: a small language model on loopback, under the same variables as any OpenAI-compatible server."""
        chosen = os.environ.get("LLM", "")
        if not chosen:
            return
        if chosen != "local":
            raise CommandError(f"LLM={chosen} is not known. LLM=local starts the small model; for another server set OPENAI_BASE_URL.")
        model = local_models.prepare()
        supervisor.add(Program("model", model.command, stop_seconds=5), environment={**environment, **model.server_environment})
        environment.update(model.client_environment)

    def prepare(self, services: local_services.LocalServices, environment: dict[str, str], status: "Progress") -> None:
        """Runs `manage.py prepare` and shows its steps; its whole output goes to a log.

        Left out where it was done with this very code on the servers of this folder, which nobody else prepares.
        """
        record = settings.DATA_DIR / "prepared"
        wanted = fingerprint() if all(name in services.environment for name in local_services.ALL_SERVICES) else ""
        if wanted and record.exists() and record.read_text() == wanted:
            return
        record.unlink(missing_ok=True)
        arguments = [sys.executable, MANAGE, "prepare", *(["--demo"] if settings.DEBUG else [])]
        log = settings.DATA_DIR / "log" / "prepare.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        # Nobody watches the demo's answers being written.
        unpaced = {**environment, "OFFLINE_WORDS_PER_SECOND": "0"}
        process = subprocess.Popen(
            arguments, env=unpaced, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            assert process.stdout is not None
            with log.open("wb", buffering=0) as file:
                for line in process.stdout:
                    file.write(line)
                    text = line.decode(errors="replace").strip()
                    if text.startswith("… "):
                        status.update(text.removeprefix("… "))
            if process.wait():
                raise CommandError(f"The stores could not be prepared:\n{log.read_text(errors='replace')[-3000:]}")
            if wanted:
                record.write_text(wanted)
        finally:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()
                process.wait()

    def start_programs(self, supervisor: Supervisor, environment: dict[str, str], listener: socket.socket) -> None:
        Path(environment["READY_FILE"]).unlink(missing_ok=True)
        for number in range(1, settings.WEB_CONCURRENCY + 1):
            name = "web" if settings.WEB_CONCURRENCY == 1 else f"web-{number}"
            supervisor.add(Program(name, web_command(listener.fileno()), (listener.fileno(),)), environment=environment)
        supervisor.add(Program("worker", worker_command(), stop_seconds=15), environment=environment)
        supervisor.add(Program("beat", beat_command()), environment=environment)

    def wait_until_ready(self, supervisor: Supervisor, services: local_services.LocalServices) -> None:
        request = urllib.request.Request(f"{address()}readyz", headers={"Host": host_header(), "Accept": "text/plain"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + READY_SECONDS
        worker_ready = settings.DATA_DIR / "worker-ready"
        said = ""
        while time.monotonic() < end:
            supervisor.look_after()
            for keeper in supervisor.keepers:
                if keeper.crashes >= CRASHES_BEFORE_READY:
                    raise CommandError(f"{keeper.program.name} keeps crashing. The end of {keeper.log}:\n{keeper.last_words()}")
            try:
                with opener.open(request, timeout=5):
                    said = "the worker takes no work yet"
                    if worker_ready.exists():
                        return
            except urllib.error.HTTPError as error:
                said = f"it answered {error.code}: {error.read(500).decode(errors='replace').strip()}"
            except OSError as error:
                said = str(error)
            time.sleep(0.05)
        raise CommandError(f"Parley was not ready within {READY_SECONDS} s ({said}). The logs in {settings.DATA_DIR / 'log'} say why.")

    # While it serves
    def keep_running(self, supervisor: Supervisor, services: local_services.LocalServices) -> None:
        while True:
            supervisor.look_after()
            for service in services.services:
                if not service.is_running():
                    self.say(service.name, f"ended unexpectedly; starts again (log: {service.log})")
                    service.start()
            time.sleep(0.2)

    def welcome(self) -> None:
        width = max(len(email) for email, _ in demo.PEOPLE)
        lines = [f"[bold]Parley[/bold] at [bold green]{address()}[/bold green]  ({duration(time.monotonic() - self.began)})"]
        if settings.DEBUG:
            lines += [f"  {email:<{width}}  {role}" for email, role in demo.PEOPLE]
            lines += [f"  password of all: [bold]{demo.PASSWORD}[/bold]"]
        lines += [f"  logs: {escape(str(settings.DATA_DIR / 'log'))} · Ctrl-C stops everything", "Ready"]
        self.console.print("\n".join(lines))

    # The terminal
    @contextlib.contextmanager
    def working(self, text: str) -> Iterator["Progress"]:
        progress = Progress(self.console)
        progress.update(text)
        try:
            yield progress
        finally:
            progress.stop()

    def say(self, name: str, line: str) -> None:
        """One short line on the terminal; the log has it whole."""
        if not line or any(noise in line for noise in NOISE) or ("[info" in line and "[celery." in line):
            return
        room = max(40, self.console.width - 10) if self.console.is_terminal else 400
        shown = line if len(line) <= room else f"{line[: room - 1]}…"
        colour = COLOURS.get(name.partition("-")[0], "white")
        self.console.print(f"[{colour}]{name:<7}[/{colour}] {escape(shown)}")

    def note(self, line: str) -> None:
        self.console.print(f"[dim]parley  {escape(line)}[/dim]")

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """The first signal raises `Interrupted` where the program is; while it stops, another one makes it hurry."""
        self.stopping = False

        def receive(number: int, frame: FrameType | None) -> None:
            if self.stopping:
                self.hurried = True
                return
            self.stopping = True
            raise Interrupted

        watched = [signal.SIGINT, signal.SIGTERM]  # SIGINT too: a shell starts `make run &` with it ignored
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
            watched.append(signal.SIGHUP)
        before = {number: signal.signal(number, receive) for number in watched}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Terminal(Console):
    """Where we speak. Once nobody listens any more (a closed window, `make run | head`) we say nothing, and stop as orderly as ever."""

    def print(self, *objects: Any, **style: Any) -> None:
        try:
            super().print(*objects, **style)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # Python flushes what is left at its exit, and would end with another code if that failed
        os.close(nowhere)


class Progress:
    """What is being done: a spinner on a terminal, one line a step elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.status = console.status("") if console.is_terminal else None
        self.began = time.monotonic()

    def update(self, text: str) -> None:
        if self.status is None:
            self.console.print(f"{text} …")
            return
        self.status.update(f"{text} … ({duration(time.monotonic() - self.began)})")
        self.status.start()

    def stop(self) -> None:
        if self.status is not None:
            with contextlib.suppress(OSError):  # the terminal is gone
                self.status.stop()


@contextlib.contextmanager
def own_terminal() -> Iterator[None]:
    """Inside, Ctrl-C in the terminal reaches this process and not `make` above it, which would turn our exit code 0 into its own 130.

    We become the terminal's foreground job, as a shell would make us. Ctrl-Z is off meanwhile: the shell would not notice it.
    """
    with contextlib.ExitStack() as stack:
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
            stack.callback(os.close, terminal)
            group, foreground = os.getpgrp(), os.tcgetpgrp(terminal)
        except OSError:
            group, foreground = 0, -1
        if group == foreground and group != os.getpid():
            for number in (signal.SIGTTOU, signal.SIGTSTP):
                stack.callback(signal.signal, number, signal.signal(number, signal.SIG_IGN))
            os.setpgid(0, 0)
            os.tcsetpgrp(terminal, os.getpid())
            stack.callback(os.setpgid, 0, group)
            stack.callback(os.tcsetpgrp, terminal, group)
        yield


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket that all web processes share. It outlives a crashed one: who connects meanwhile waits instead of being refused."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CommandError(f"HOST={host} is not an address of this machine: {error}.") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. uvicorn takes a handed-over socket for a Unix one and would not set it: two frames in a row then
        # wait 40 ms for each other.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind(where)
            listener.listen(2048)
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used: {error}. Stop the program that has it, or choose another: make run PORT={port + 1}"
            ) from error
        listener.set_inheritable(True)
        yield listener


def fingerprint() -> str:
    """A hash of all our code and of what is installed: with the same one, `prepare` would do what it did before."""
    digest = hashlib.sha256()
    files = [
        path
        for app in ("config", "tenants", "integrations", "chat", "analytics", "dashboards")
        for path in (settings.BASE_DIR / app).rglob("*.py")
    ]
    for path in sorted([*files, settings.BASE_DIR / "requirements.txt"]):
        digest.update(str(path.relative_to(settings.BASE_DIR)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def broker_beside(redis_url: str) -> str:
    """Celery's way to write the same server: a unix socket has another scheme there, and names its database otherwise."""
    if not redis_url.startswith("unix://"):
        return redis_url
    return redis_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")


def web_command(descriptor: int) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "uvicorn", "config.asgi:application", "--fd", str(descriptor)),
        *("--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio"),
        # Compressing small frames costs more than it saves, and 64 KiB a connection.
        *("--ws-per-message-deflate", "false", "--ws-max-size", str(settings.SOCKET_FRAME_LIMIT * 2)),
        *("--lifespan", "auto", "--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "3"),
    )


def worker_command() -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "celery", "--quiet", "-A", "config", "worker", "--pool", "threads", "--concurrency", "8"),
        *("--queues", "default,night,owner", "--loglevel", settings.LOG_LEVEL),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    )


def beat_command() -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "--quiet", "-A", "config", "beat", "--loglevel", "WARNING", "--pidfile", "")


def address() -> str:
    host = settings.HOST if settings.HOST not in {"0.0.0.0", "::", ""} else "127.0.0.1"
    return f"http://[{host}]:{settings.PORT}/" if ":" in host else f"http://{host}:{settings.PORT}/"


def host_header() -> str:
    """A host name that Django answers to."""
    allowed = settings.ALLOWED_HOSTS[0]
    return f"{'127.0.0.1' if allowed == '*' else allowed.lstrip('.')}:{settings.PORT}"


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
