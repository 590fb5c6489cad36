"""What every test has: real stores, emptied around each test, and nobody acting for a tenant."""

import functools
import os

import psycopg
import pymongo
import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.core.management.commands import flush
from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg import sql

from config import loop, mongo, redis
from integrations.services import ledger
from tenants.database.base import DatabaseWrapper
from tests import services as plugin
from tests import tenancy
from tests.cast import restore_permissions
from tests.plans import plans

# Files of tests that take longest come first among the last, so that all test processes end at about the same time.
LONGEST = ("test_stores_away", "test_kills", "test_two_of_each", "test_promises")
THREADS_WITH_CONNECTIONS = 8  # that live on: pytest's own, asgiref's, the ledger's, those of `config.loop`


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items) -> None:
    """Tests that kill servers come last: connections that other tests still hold, in whatever thread, would die with them.

    Those of `manage.py up` share one that is killed and started again, so they keep their order. Those in a browser stand together, so
    that they can share one site.
    """
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[int, int]:
    path = item.path.as_posix()
    if path.endswith("tests/config/test_up.py"):
        return (2, item.location[1] or 0)
    if "tests/faults/" not in path:
        return (int("tests/e2e/" in path), 0)
    return (3, LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def services():
    """The throw-away servers of this test process, to stop and kill (`services.mongo.stop()`)."""
    return plugin.services


@pytest.fixture(scope="session")
def django_db_modify_db_settings():
    """One database for each test process; its servers are its own."""


@pytest.fixture(scope="session", autouse=True)
def _quick_flush():
    """Django truncates every table, and then does what follows a migration: 0.4 s for each test that commits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush.Command, "handle", lambda command, **options: empty_tables())
        yield


MADE_BY_MIGRATIONS = {"django_content_type", "auth_permission"}


def empty_tables() -> None:
    """Deletes every row of PostgreSQL but those that Django makes itself after a migration: only where there are any, and without a
    word to triggers and foreign keys."""
    wanted = connection.get_connection_params()
    address = {name: wanted[name] for name in ("host", "port", "dbname", "user", "password") if name in wanted}
    with psycopg.connect(**address) as owner:
        owner.execute("SET LOCAL session_replication_role = replica")
        for (table,) in owner.execute(_tables_with_rows()).fetchall():
            owner.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


@functools.cache
def _tables_with_rows() -> sql.Composed:
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - MADE_BY_MIGRATIONS)
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(table, sql.Identifier(table)) for table in tables
    )


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Argon2 takes its time by design; the cast's seven passwords would take most of a test's."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def _mongo_migrated(django_db_setup):
    call_command("mongo_migrate", verbosity=0)


@pytest.fixture
def stores(_mongo_migrated, transactional_db):
    """PostgreSQL with committed rows, MongoDB and Redis: all empty at first, but for what the migrations granted."""
    empty()
    restore_permissions()
    yield
    ledger.flush(timeout=10)  # its thread must not write into tables that are being emptied
    empty()


def empty() -> None:
    """Empties MongoDB's collections (not its schema) and Redis."""
    database = mongo.database()
    with pymongo.timeout(60):
        for name in database.list_collection_names():
            if name != "migrations":
                database[name].delete_many({}, comment="across-tenants: a test empties the store")
    redis.client().flushall()


@pytest.fixture(autouse=True)
async def _close_clients_of_the_loop(request):
    """Async tests have a loop each; the clients that live on it end with it. The thread in which they wait for the database outlives
    them all: its connection may have died in a test that restarted PostgreSQL."""
    if "asyncio" in request.keywords:
        await sync_to_async(connections.close_all)()
    yield
    if "asyncio" in request.keywords:
        await mongo.close()
        await redis.close()


@pytest.fixture(autouse=True)
def _no_connection_is_lost():
    """A thread that ends without giving its connection back takes it out of the pool for good; a few tests later there is none left."""
    yield
    if (pool := DatabaseWrapper._connection_pools.get(DEFAULT_DB_ALIAS)) is not None:
        numbers = pool.get_stats()
        held = numbers["pool_size"] - numbers["pool_available"]
        assert held <= THREADS_WITH_CONNECTIONS, f"{held} connections of the pool are held by somebody"


@pytest.fixture(autouse=True)
def _every_command_names_its_organization():
    """Fails the test that sent MongoDB a command on tenants' documents without saying whose (tests/tenancy.py)."""
    tenancy.watcher.take()
    yield
    assert tenancy.watcher.take() == []


@pytest.fixture(autouse=True)
def _every_query_uses_an_index():
    """Fails the test whose query reads a whole collection (tests/plans.py)."""
    yield
    assert plans.take() == []


def pytest_sessionfinish(session) -> None:
    os.environ.pop("FAILPOINT", None)
    for pool in DatabaseWrapper._connection_pools.values():  # which would look for its server, and log that it is gone
        pool.close()


__all__ = ["loop"]
