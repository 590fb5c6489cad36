"""What models were called for and what it cost, by day (S1-54, 60, 61)."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Min

from analytics.models import ModelUsage
from analytics.rollups.base import Rollup, Row, Source
from analytics.windows import Day, Window, day_of
from config import periods
from integrations.models import ModelCall

LATE = timedelta(hours=6)  # after which no call is written: it is within moments, or restored from its message within three hours
SQL = """
SELECT organization_id, %(day)s::date, service, model, purpose, count(*), count(*) FILTER (WHERE outcome <> 'answered'),
       coalesce(sum(input_tokens), 0), coalesce(sum(cached_input_tokens), 0), coalesce(sum(output_tokens), 0),
       coalesce(sum(reasoning_tokens), 0), coalesce(sum(expected_cost), 0), count(*) FILTER (WHERE expected_cost IS NULL),
       sum(latency::numeric)::float8
  FROM raw_data WHERE created_at >= %(since)s AND created_at < %(until)s
 GROUP BY organization_id, service, model, purpose
"""


def read(day: Day) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(SQL, {"day": day.first, "since": day.since, "until": day.until})
        return cursor.fetchall()


def rows(day: Day, found: Mapping[str, Any]) -> Iterator[Row]:
    yield from found["ledger"]


def first() -> datetime | None:
    # Across tenants: the night counts the calls of everybody.
    return ModelCall.across_tenants.aggregate(first=Min("created_at"))["first"]


def changed(since: datetime, before: date) -> set[date]:
    """A row does not say when it was written: the days that were hardly over then."""
    return set(Window(day_of(since - LATE), before).days())


LEDGER = Source(name="ledger", read=read, first=first, changed=changed, kept_days=periods.LEDGER.days - 1, period=periods.LEDGER.name)

MODEL_USE = Rollup(
    name="usage",
    model=ModelUsage,
    day_column="metric_date",
    columns=(
        "organization_id",
        "metric_date",
        "service",
        "model",
        "purpose",
        "calls",
        "failed_calls",
        "input_tokens",
        "cached_input_tokens",
        "output_tokens",
        "reasoning_tokens",
        "cost",
        "unpriced_calls",
        "latency_milliseconds",
    ),
    sources=(LEDGER,),
    rows=rows,
)
