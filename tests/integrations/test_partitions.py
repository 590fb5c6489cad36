"""Partitions: made ahead, filled with what had to wait, dropped by retention; a second run changes nothing."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from config import partitions
from config.partitions import Maintained
from integrations.models import ModelCall
from integrations.services import ledger
from integrations.tasks import maintain_partitions
from tenants import scoping
from tenants.database import roles
from tenants.models import Organization
from tests.integrations.test_ledger import attempt_of

NOW = datetime(2030, 5, 10, 23, 30, tzinfo=UTC)
TODAY = NOW.date()
(LEDGER,) = partitions.TABLES


@pytest.fixture
def acme(stores):
    return Organization.objects.create(name="Acme", slug="acme")


@pytest.fixture(autouse=True)
def _partitions_of_the_test_only(stores):
    drop_all()
    yield
    drop_all()


def drop_all() -> None:
    with roles.as_owner(), connection.cursor() as cursor:
        for day in partitions.days_of("raw_data"):
            cursor.execute(f"DROP TABLE {partitions.name_of('raw_data', day)}")


def where(organization) -> dict[str, int]:
    """How many rows of the ledger are in which partition."""
    with scoping.tenant(organization), connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM raw_data GROUP BY 1")
        return dict(cursor.fetchall())


def at(*days: date) -> list[datetime]:
    return [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days]


def test_partitions_are_made_ahead():
    done = partitions.maintain(NOW)
    assert done == Maintained(made=tuple(f"raw_data_{TODAY + timedelta(days=n):%Y%m%d}" for n in range(LEDGER.ahead + 1)))
    assert partitions.days_of("raw_data") == [TODAY + timedelta(days=n) for n in range(LEDGER.ahead + 1)]


def test_a_second_run_changes_nothing():
    partitions.maintain(NOW)
    assert partitions.maintain(NOW) == Maintained()


def test_rows_go_to_the_partition_of_their_day_in_utc(acme):
    partitions.maintain(NOW)
    midnight = datetime(2030, 5, 11, tzinfo=UTC)
    ledger.write([attempt_of(acme, started_at=midnight), attempt_of(acme, started_at=midnight - timedelta(milliseconds=1))])
    assert where(acme) == {"raw_data_20300511": 1, "raw_data_20300510": 1}


def test_a_row_without_a_partition_waits_and_is_moved(acme):
    late, later = at(TODAY - timedelta(days=3), TODAY + timedelta(days=40))
    attempts = [attempt_of(acme, started_at=moment) for moment in (late, late, later, NOW)]
    ledger.write(attempts)
    assert where(acme) == {"raw_data_default": 4}
    done = partitions.maintain(NOW)
    assert done.moved == 4
    assert where(acme) == {"raw_data_20300507": 2, "raw_data_20300619": 1, "raw_data_20300510": 1}
    with scoping.tenant(acme):
        assert set(ModelCall.objects.for_tenant(acme).values_list("id", flat=True)) == {attempt.id for attempt in attempts}
    ledger.write(attempts)  # once more: the keys came along
    assert sum(where(acme).values()) == 4


def test_what_is_past_retention_is_dropped_and_nothing_else(acme):
    last_kept = TODAY - LEDGER.keep
    too_old = last_kept - timedelta(days=1)
    for day in (too_old, last_kept):
        partitions.maintain(*at(day), tables=(partitions.Partitioned("raw_data", "created_at", 0, LEDGER.keep),))
    ledger.write([attempt_of(acme, started_at=moment) for moment in at(too_old, last_kept, too_old - timedelta(days=90))])
    done = partitions.maintain(NOW)
    assert done.dropped == (partitions.name_of("raw_data", too_old),)
    assert where(acme) == {partitions.name_of("raw_data", last_kept): 1}


def test_a_partition_carries_the_tables_key_indexes_and_wall(acme):
    partitions.maintain(NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'raw_data_20300510'")
        assert cursor.fetchone() == (5,)
        cursor.execute("SELECT relrowsecurity FROM pg_class WHERE relname = 'raw_data_20300510'")
        assert cursor.fetchone() == (True,)
    ledger.write([attempt_of(acme, started_at=NOW)])
    with scoping.tenant(acme), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM raw_data_20300510")
        assert cursor.fetchone() == (0,), "named itself, it shows nothing"


def test_every_partitioned_table_is_maintained():
    """A table that nobody maintains would gather its rows in the default partition for ever."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT partrelid::regclass::text FROM pg_partitioned_table")
        assert {name for (name,) in cursor.fetchall()} == {table.table for table in partitions.TABLES}


def test_the_command_says_what_it_did():
    out = StringIO()
    call_command("maintain_partitions", stdout=out)
    assert out.getvalue().endswith(f"{LEDGER.ahead + 1} made, 0 dropped, 0 rows moved\n")
    call_command("maintain_partitions", stdout=out)
    assert out.getvalue().endswith("0 made, 0 dropped, 0 rows moved\n")


def test_the_nights_task_does_it():
    maintain_partitions()
    assert len(partitions.days_of("raw_data")) == LEDGER.ahead + 1
