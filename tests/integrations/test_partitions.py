"""Partitions: made ahead, filled with what had to wait, dropped by retention; a second run changes nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from analytics.models import ChatAnalytics, ModelUsage
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
migration = import_module("analytics.migrations.0007_metrics_by_month")
LEDGER, FIGURES, *METRICS = partitions.TABLES


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
        for table in partitions.TABLES:
            for first in partitions.firsts_of(table):
                cursor.execute(f"DROP TABLE {table.name_of(first)}")


def where(organization) -> dict[str, int]:
    """How many rows of the ledger are in which partition."""
    with scoping.tenant(organization), connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM raw_data GROUP BY 1")
        return dict(cursor.fetchall())


def at(*days: date) -> list[datetime]:
    return [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days]


def test_partitions_are_made_ahead():
    done = partitions.maintain(NOW)
    days = [TODAY + timedelta(days=n) for n in range(LEDGER.ahead + 1)]
    of_days = [f"{table.table}_{day:%Y%m%d}" for table in (LEDGER, FIGURES) for day in days]
    of_months = [f"{table.table}_{month}" for table in METRICS for month in (203005, 203006, 203007)]
    assert done == Maintained(made=(*of_days, *of_months))
    assert partitions.firsts_of(LEDGER) == days
    assert partitions.firsts_of(METRICS[0]) == [date(2030, 5, 1), date(2030, 6, 1), date(2030, 7, 1)]


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
    assert done.moved == 2 * 4  # and their figures
    assert where(acme) == {"raw_data_20300507": 2, "raw_data_20300619": 1, "raw_data_20300510": 1}
    with scoping.tenant(acme):
        assert set(ModelCall.objects.for_tenant(acme).values_list("id", flat=True)) == {attempt.id for attempt in attempts}
    ledger.write(attempts)  # once more: the keys came along
    assert sum(where(acme).values()) == 4


def test_what_is_past_retention_is_dropped_and_nothing_else(acme):
    last_kept = TODAY - LEDGER.keep
    too_old = last_kept - timedelta(days=1)
    for day in (too_old, last_kept):
        partitions.maintain(*at(day), tables=(replace(LEDGER, ahead=0),))
    ledger.write([attempt_of(acme, started_at=moment) for moment in at(too_old, last_kept, too_old - timedelta(days=90))])
    done = partitions.maintain(NOW)
    assert done.dropped == (LEDGER.name_of(too_old),)
    assert where(acme) == {LEDGER.name_of(last_kept): 1}


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


def test_a_table_in_months_is_analyzed_as_a_whole():
    """Autovacuum never does: it knows the parts alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (before,) = cursor.fetchone()
    partitions.maintain(NOW)
    for table in METRICS:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_get_last_analyze_time(%s::regclass)", [table.table])
            assert cursor.fetchone()[0] > before, table.table


def test_the_command_says_what_it_did():
    out = StringIO()
    call_command("maintain_partitions", stdout=out)
    assert out.getvalue().endswith(f"{sum(table.ahead + 1 for table in partitions.TABLES)} made, 0 dropped, 0 rows moved\n")
    call_command("maintain_partitions", stdout=out)
    assert out.getvalue().endswith("0 made, 0 dropped, 0 rows moved\n")


def test_the_nights_task_does_it():
    maintain_partitions()
    assert len(partitions.firsts_of(LEDGER)) == LEDGER.ahead + 1


def test_a_month_goes_when_its_period_is_over_and_nothing_is_left_in_it(acme):
    kept = TODAY - METRICS[0].keep
    months = [(kept.replace(day=1) - timedelta(days=n)).replace(day=1) for n in (1, 40)]
    with scoping.tenant(acme):
        for month in months:
            ModelUsage.objects.for_tenant(acme).create(metric_date=month, service="openai", model="m", purpose="answer")
    usage = next(table for table in METRICS if table.table == "model_usage_metrics")
    assert partitions.maintain(NOW).moved == 2
    assert partitions.firsts_of(usage)[:2] == sorted(months)
    with scoping.tenant(acme):
        ModelUsage.objects.for_tenant(acme).filter(metric_date=months[0]).delete()
    assert partitions.maintain(NOW).dropped == (usage.name_of(months[0]),)
    with scoping.tenant(acme):
        assert ModelUsage.objects.for_tenant(acme).get().metric_date == months[1], "what is not in a file stays"


def tables_of_metrics() -> dict[str, list]:
    """What the catalogue says of each: columns, constraints, indexes, policies."""
    told = {}
    with connection.cursor() as cursor:
        for name in [table.table for table in METRICS]:
            told[name] = []
            for query in (
                "SELECT column_name, data_type, column_default, is_nullable, generation_expression FROM information_schema.columns "
                "WHERE table_name = %s ORDER BY 1",
                "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass ORDER BY 1",
                "SELECT indexname, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes WHERE tablename = %s ORDER BY 1",
                "SELECT policyname, permissive, cmd, roles::text, qual, with_check FROM pg_policies WHERE tablename = %s ORDER BY 1",
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass",
            ):
                cursor.execute(query, [name])
                told[name].append(cursor.fetchall())
    return told


def test_tables_are_cut_and_made_whole_again_with_all_that_is_theirs(acme):
    days = [date(2029, 12, 31), date(2030, 1, 1), date(2030, 1, 31)]
    with scoping.tenant(acme):
        for day in days:
            ModelUsage.objects.for_tenant(acme).create(metric_date=day, service="openai", model="m", purpose="answer")
            ChatAnalytics.objects.for_tenant(acme).create(
                period_start=at(day)[0], period_end=at(day)[0] + timedelta(days=1), answers=8, failed_answers=2
            )
        rows = [list(model.objects.for_tenant(acme).order_by("id").values()) for model in (ModelUsage, ChatAnalytics)]
    cut = tables_of_metrics()
    with roles.as_owner(), transaction.atomic():
        migration.whole(None, connection.schema_editor())
        assert partitions.firsts_of(METRICS[0]) == []
        whole = tables_of_metrics()
        migration.by_month(None, connection.schema_editor())
    assert tables_of_metrics() == cut
    for name, (columns, constraints, indexes, *walls) in whole.items():
        assert [columns, *walls] == [cut[name][0], *cut[name][3:]], name
        assert [one for one, _ in indexes] == [one for one, _ in cut[name][2]], name
        different = {one for one, definition in constraints if (one, definition) not in cut[name][1]}
        assert different <= {f"{name}_pkey", "uq_chat_analytics_id"}, name
    usage = next(table for table in METRICS if table.table == "model_usage_metrics")
    assert partitions.firsts_of(usage) == [date(2029, 12, 1), date(2030, 1, 1)]
    with scoping.tenant(acme):
        assert rows == [list(model.objects.for_tenant(acme).order_by("id").values()) for model in (ModelUsage, ChatAnalytics)]
