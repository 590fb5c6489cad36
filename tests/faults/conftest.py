"""Real processes, a provider that counts, and Olive's key: made once for a module."""

import os
import shutil
import uuid
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from chat.services import conversations
from config import loop
from tenants import scoping
from tenants.models import Organization
from tenants.services import accounts
from tests import services as plugin
from tests.cast import Cast, make_cast
from tests.conftest import empty
from tests.faults.desk import Desk, hang_up
from tests.faults.house import House
from tests.faults.provider import Provider
from tests.processes import Processes

# Shorter than in production, so that a test need not wait for ten seconds; `test_promises.py` keeps production's own.
LEASE_SECONDS, CHECKPOINT_SECONDS = 3.0, 0.4
QUICK = {
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "CHECKPOINT_SECONDS": str(CHECKPOINT_SECONDS),
    "SWEEP_SECONDS": "0.3",
    "PICKUP_AGAIN_SECONDS": "1",
    "SHUTDOWN_SECONDS": "2",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test process has servers of its own to kill (tests/services.py). `django_db` has the database made."""
    for item in items:
        if "/faults/" in str(item.path):
            item.add_marker(pytest.mark.django_db)
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.timeout(300))  # processes start slowly where every core is busy


@pytest.fixture
def _django_db_helper(django_db_setup, django_db_blocker) -> Iterator[None]:
    """In place of pytest-django's: no transaction around a test. Other processes shall see what it does, and PostgreSQL may die in it."""
    with django_db_blocker.unblock():
        yield
        connection.close()


@pytest.fixture(scope="module")
def cast(_mongo_migrated, django_db_blocker) -> Iterator[Cast]:
    """The cast, committed, for all tests of a module."""
    with django_db_blocker.unblock():
        clean()  # a test before may have been broken off
        yield make_cast()
        clean()


def clean() -> None:
    empty()
    if Organization.objects.exists():
        call_command("flush", interactive=False, verbosity=0, allow_cascade=True)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as server:
        yield server


@pytest.fixture(autouse=True)
def _counted_anew(request: pytest.FixtureRequest) -> None:
    """A test that is tried once more asks the same questions again."""
    if "provider" in request.fixturenames:
        request.getfixturevalue("provider").forget()


@pytest.fixture(scope="module")
def environment(cast: Cast, provider: Provider, django_db_blocker) -> dict[str, str]:
    """What the processes of this module are told: this test process's stores and the module's provider."""
    with django_db_blocker.unblock():
        database = connection.settings_dict["NAME"]
    return {
        **os.environ,
        "DATABASE_URL": plugin.services.postgres.url(database),
        "DATABASE_POOL": "6",
        "OPENAI_BASE_URL": provider.url,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_MODEL": "m-1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",  # a crash says where, in the log
        "LOG_LEVEL": "WARNING",
        "DEBUG": "1",
        **QUICK,
    }


@pytest.fixture(scope="module")
def processes(environment: dict[str, str], tmp_path_factory) -> Iterator[Processes]:
    folder = tmp_path_factory.mktemp("processes")
    with Processes(folder, environment=environment) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def house(cast: Cast, provider: Provider, processes: Processes, django_db_blocker) -> Iterator[House]:
    with django_db_blocker.unblock():
        _, key = accounts.create_api_key(cast.olive.membership, name="faults")
        yield House(cast=cast, key=key, provider=provider, processes=processes)


@pytest.fixture
def desk(cast: Cast, provider: Provider, settings) -> Iterator[Desk]:
    """Olive at a new consultation, answered by this process and the module's provider."""
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, settings.OPENAI_MODEL = provider.url, "sk-test", "m-1"
    settings.CHECKPOINT_SECONDS = CHECKPOINT_SECONDS
    settings.ROLE_LIMITS = False

    def start():
        with scoping.tenant(cast.acme):
            employee = cast.employees["Erik Ek"]
            return conversations.start(
                cast.olive.membership, type="employee_specific", subject_employee_ids=[employee.pk], client_id=str(uuid.uuid4())
            )

    yield Desk(cast.olive.membership, start())
    loop.run(hang_up())
