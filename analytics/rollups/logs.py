"""How the logs of everybody are read: across organizations, with time enough, and by day."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import mongoengine
import pymongo
from pymongo.read_preferences import SecondaryPreferred

from analytics.windows import Day, day_of, start_of
from config import mongo
from tenants.scoping import ACROSS_COMMENT

WHY_ACROSS = ACROSS_COMMENT + "the night counts a day of every organization"
SECONDS = 3600  # that one reading may take
STALE = 120  # seconds that a copy may be behind; less than two nights overlap, so nothing is missed (`fill.OVERLAP`)
FROM_A_COPY = SecondaryPreferred(max_staleness=STALE)


def collection(document: type[mongoengine.Document]) -> Any:
    """Read from a secondary where there is one (S4-148): people who talk have the primary to themselves."""
    return mongo.collection(document).with_options(read_preference=FROM_A_COPY)


@contextmanager
def patiently() -> Iterator[None]:
    """Inside, an operation on MongoDB may take long."""
    with pymongo.timeout(SECONDS):
        yield


def of_day(field: str, day: Day) -> dict[str, Any]:
    return {field: {"$gte": day.since, "$lt": day.until}}


def first(document: type[mongoengine.Document], field: str, **condition: Any) -> datetime | None:
    """The earliest `field` there is."""
    with patiently():
        found = collection(document).find_one(condition, {field: 1, "_id": 0}, sort=[(field, 1)], comment=WHY_ACROSS)
    return found and found[field]


def days_written(
    document: type[mongoengine.Document], *, happened: str, written: str, since: datetime, before: date, **condition: Any
) -> set[date]:
    """The days before another of which something was written since a moment."""
    match = {written: {"$gte": since}, happened: {"$lt": start_of(before)}, **condition}
    by_day = {"$group": {"_id": {"$dateTrunc": {"date": f"${happened}", "unit": "day"}}}}
    with patiently():
        found = collection(document).aggregate([{"$match": match}, by_day], comment=WHY_ACROSS)
        return {day_of(row["_id"].astimezone(UTC)) for row in found}
