"""PostgreSQL is migrated once for all test processes: see `tests/migrated.py`."""

import os
from pathlib import Path

import psycopg
import pytest

from config import local_services
from tests import migrated


@pytest.fixture
def server(tmp_path):
    tmp_path.chmod(0o711)
    services = local_services.LocalServices(root=tmp_path, durable=False, without=frozenset({"REDIS_URL", "MONGODB_URI"}))
    services.start()
    yield services.postgres
    services.stop()


def databases(server: local_services.Postgres) -> set[str]:
    with psycopg.connect(server.url("postgres")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")}


def made(folder: Path, server: local_services.Postgres) -> None:
    """What `python -m tests.migrated` leaves, but for the migrations."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_parley")
    server.stop()
    folder.mkdir()
    server.data.rename(folder / server.name)
    server.data.mkdir(mode=0o700)
    server.start()
    (folder / "making").touch()


def test_what_was_made_is_copied_into_place_of_what_is_empty(server, tmp_path, monkeypatch):
    made(tmp_path / "made", server)
    monkeypatch.setenv(migrated.VARIABLE, str(tmp_path / "made"))
    migrated.copy_to(server)
    assert databases(server) == {"postgres", "parley"}, "it was not done yet"
    (tmp_path / "made" / "made").touch()
    migrated.copy_to(server)
    assert databases(server) == {"postgres", "parley", "test_parley"}


@pytest.mark.django_db
def test_a_run_of_several_processes_had_it_made():
    folder = os.environ.get(migrated.VARIABLE)  # one process alone migrates for itself
    assert not folder or Path(folder, "made").exists()
