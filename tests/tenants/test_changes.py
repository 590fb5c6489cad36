"""What is known of people changed: whoever listens hears of it, whoever wrote it; and who does not listen knows nothing."""

import asyncio
import time

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from tenants import changes, scoping
from tenants.models import Department, Employee
from tests.cast import make_cast

pytestmark = pytest.mark.asyncio

WAIT = 10.0  # seconds until something that must happen counts as missing


@pytest.fixture
def cast(stores):
    return make_cast()


@pytest.fixture
async def listening(monkeypatch):
    """One that has listened for a while."""
    monkeypatch.setattr(changes, "SKEW_SECONDS", 0.0)
    found = changes.Listening()
    assert not found.is_current("acme", read_at=time.time())
    found.start()
    await until(lambda: found.is_current("acme", read_at=time.time()))
    yield found
    await found.stop()


async def until(condition) -> None:
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.01)


async def write(organization, work) -> None:
    def there():
        with scoping.tenant(organization):
            work(organization)

    await sync_to_async(there)()


def promote_all(organization) -> None:
    Employee.objects.for_tenant(organization).update(job_title="Boss")


def rename_a_department(organization) -> None:
    department = Department.objects.for_tenant(organization).first()
    department.name = "Renamed"
    department.save()


def let_somebody_go(organization) -> None:
    Employee.objects.for_tenant(organization).first().delete()


def write_by_hand(organization) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE employees SET job_title = 'Boss'")


@pytest.mark.parametrize("work", [promote_all, rename_a_department, let_somebody_go, write_by_hand])
async def test_what_was_read_before_a_change_is_out_of_date_in_that_organization_alone(cast, listening, work):
    acme, globex, read_at = str(cast.acme.pk), str(cast.globex.pk), time.time()
    await until(lambda: listening.is_current(acme, read_at=read_at))
    await write(cast.acme, work)
    await until(lambda: not listening.is_current(acme, read_at=read_at))
    assert listening.is_current(globex, read_at=read_at)
    assert listening.is_current(acme, read_at=time.time())


async def test_each_change_of_many_is_heard_also_during_a_look_at_the_connection(stores, monkeypatch):
    """Asked all the time whether it lives, the connection is told of them while it answers."""
    monkeypatch.setattr(changes, "LOOK_SECONDS", 0.0)
    listening = changes.Listening()
    listening.start()
    try:
        await until(lambda: listening.hears)
        read_at = time.time()
        many = [f"organization-{number}" for number in range(300)]

        def tell_all() -> None:
            with connection.cursor() as cursor:
                for one in many:
                    cursor.execute("SELECT pg_notify(%s, %s)", [changes.CHANNEL, one])

        await sync_to_async(tell_all)()
        await until(lambda: not any(listening.is_current(one, read_at=read_at, skew=0.0) for one in many))
    finally:
        await listening.stop()


async def test_who_hears_nothing_sleeps(listening, monkeypatch):
    """A process that looked for changes several times a second would cost as much as some people's answers."""
    waits = []
    monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", lambda *given: waits.append(given))
    await asyncio.sleep(0.5)
    assert waits == []


async def test_what_was_read_while_the_connection_was_gone_is_out_of_date(cast, listening):
    read_at = time.time()
    assert listening.is_current("acme", read_at=read_at)
    await write(cast.acme, end_listeners)
    await until(lambda: not listening.is_current("acme", read_at=time.time()))
    await until(lambda: listening.is_current("acme", read_at=time.time()))
    assert not listening.is_current("acme", read_at=read_at)


def end_listeners(organization) -> None:
    parameters = connection.get_connection_params()
    with psycopg.connect(dbname=parameters["dbname"], host=parameters["host"], port=parameters["port"], user=parameters["user"]) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")


async def test_a_moment_of_doubt_between_two_clocks_counts_as_change(cast, listening, monkeypatch):
    monkeypatch.setattr(changes, "SKEW_SECONDS", 60.0)
    assert not listening.is_current("acme", read_at=time.time() + 50)
