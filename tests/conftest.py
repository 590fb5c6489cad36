"""What every test has: real stores, emptied around each test, and nobody acting for a tenant."""

import os
import threading
from typing import Any

import pymongo
import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.core.management.commands import flush
from django.db import connections
from hypothesis import settings as hypothesis_settings
from whitenoise.middleware import WhiteNoiseMiddleware

from analytics import tracking
from config import loop, mongo, redis
from integrations.services import ledger
from tenants import changes, roles
from tenants.database.base import DatabaseWrapper
from tests import lost, tables, tenancy
from tests import services as plugin
from tests.plans import plans

EMPTIES = "across-tenants: a test empties the store"

lost.watch()
hypothesis_settings.register_profile("parley", deadline=None)  # how fast something is, `make bench` says
hypothesis_settings.load_profile("parley")


@pytest.fixture(scope="session")
def services():
    """The throw-away servers of this test process, to stop and kill (`services.mongo.stop()`)."""
    return plugin.services


@pytest.fixture(scope="session")
def django_db_modify_db_settings():
    """One database for each test process; its servers are its own."""


@pytest.fixture(scope="session")
def django_db_keepdb():
    """It goes with its server, which is thrown away; to be dropped, every thread would have to let go of it first."""
    return True


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The database, and what its migrations made."""
    with django_db_blocker.unblock():
        tables.keep()
    yield
    tables.close()


@pytest.fixture(scope="session", autouse=True)
def _quick_flush():
    """Django truncates every table, and then does what follows a migration: 0.4 s for each test that commits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush.Command, "handle", lambda command, **options: tables.empty())
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_found_once():
    """WhiteNoise looks for them, fifteen hundred files, whenever the middleware is loaded: for each `Client`."""
    find = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def find_once(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            find(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", find_once)
        yield


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Argon2 takes its time by design; the cast's seven passwords would take most of a test's."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def _mongo_migrated(django_db_setup):
    call_command("mongo_migrate", verbosity=0)
    yield
    loop.run(changes.of_process().stop())  # nobody listens to a server that ends


@pytest.fixture
def stores(_mongo_migrated, transactional_db):
    """PostgreSQL with committed rows, MongoDB and Redis: all empty at first, but for what the migrations made."""
    empty()
    roles.forget()
    yield
    ledger.flush(timeout=10)  # its thread must not write into tables that are being emptied
    empty()


def empty() -> None:
    """Empties MongoDB's collections (not its schema) and Redis."""
    assert tracking.flush(timeout=60), "What the test before recorded is not written yet."
    database = mongo.database()
    with pymongo.timeout(60):
        for name in _collections_with_documents(database):
            database[name].delete_many({}, comment=EMPTIES)
    redis.client().flushall()


def _collections_with_documents(database: Any) -> list[str]:
    """Asked of all collections at once: a test leaves documents in a few of them."""
    names = [name for name in database.list_collection_names() if name != "migrations"]
    one = [[{"$limit": 1}, {"$project": {"_id": False, "name": {"$literal": name}}}] for name in names]
    others = [{"$unionWith": {"coll": name, "pipeline": stages}} for name, stages in zip(names[1:], one[1:], strict=True)]
    return [found["name"] for found in database[names[0]].aggregate([*one[0], *others], comment=EMPTIES)] if names else []


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
    assert lost.give_back() == []


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


def pytest_unconfigure(config) -> None:
    """Others still test: until they are done this process stays, and nothing in it may look for its servers, or log that they are gone."""
    for thread in threading.enumerate():
        if thread.name == "parley-loop":
            loop._end(loop._loop, thread)
    for pool in DatabaseWrapper._connection_pools.values():
        pool.close()


__all__ = ["loop"]
