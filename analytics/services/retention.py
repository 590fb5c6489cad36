"""What the clock does when a period of `config.periods` is over.

1. What an organization has kept for a shorter time than everybody is removed by its organization and moment.
2. Months of the metric tables that are past their period go into compressed files, one for each organization, table and month:
   the file is written and read again, and only then, in one transaction, the rows go, what is added up of them too, and
   `ArchivedMonth` tells of the file.
3. Files past theirs are removed.

Killed anywhere and run again it goes on; a file that no row tells of is left by a run that was killed, and nothing points to it.
"""

import gzip
import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import uuid_utils.compat as uuid
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, models, transaction
from psycopg import sql

from analytics import windows
from analytics.models import ArchivedMonth
from analytics.rollups import totals
from analytics.windows import Month
from config import mongo, periods
from config.periods import Kept, Place
from tenants import scoping, selectors
from tenants.models import Organization

log = logging.getLogger(__name__)

BATCH = 1_000  # rows that are read, or put back, at once
AUTHENTIC = "The file {path} is not what was archived: its checksum differs. Take it from a backup."


class ArchiveDamaged(Exception):
    """A file cannot be restored; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is past its period in one place: `count` rows or documents. `month` is set where they go into a file."""

    organization_id: str | None
    place: str
    count: int
    month: date | None = None


def due(*, now: datetime) -> Iterator[Due]:
    """What `apply` would do, and nothing is done."""
    for organization_id, shortened in _organizations():
        for kept, days in _own(shortened):
            for place in kept.documents:
                if count := mongo.database()[place.name].count_documents(_past(organization_id, place, now=now, days=days)):
                    yield Due(organization_id, place.name, count)
            if not kept.archived_days:
                for place in kept.tables:
                    with _acting_for(organization_id):
                        if count := _count(place, organization_id, until=now - timedelta(days=days)):
                            yield Due(organization_id, place.name, count)
        for _, place, month in _months(organization_id, shortened, now=now):
            with _acting_for(organization_id):
                if count := _count(place, organization_id, since=month.since, until=month.until):
                    yield Due(organization_id, place.name, count, month.first)


def apply(*, now: datetime) -> Iterator[Due]:
    """Removes and archives what is past its period, and says what that was. Raises what the stores raise when they are away."""
    for organization_id, shortened in _organizations():
        for kept, days in _own(shortened):
            for place in kept.documents:
                past = _past(organization_id, place, now=now, days=days)
                if count := mongo.database()[place.name].delete_many(past).deleted_count:
                    yield Due(organization_id, place.name, count)
            if not kept.archived_days:
                for place in kept.tables:
                    with _acting_for(organization_id):
                        if count := _delete(place, organization_id, until=now - timedelta(days=days)):
                            yield Due(organization_id, place.name, count)
        for kept, place, month in _months(organization_id, shortened, now=now):
            if count := _archive(kept, place, month, organization_id=organization_id, now=now):
                yield Due(organization_id, place.name, count, month.first)
        with _acting_for(organization_id):
            _remove_files(organization_id, today=windows.day_of(now))


def restore(archived: ArchivedMonth, *, now: datetime) -> int:
    """Puts an archived month back into its table; rows that are there again stay as they are. How many came back. They are archived
    anew by the next night: whoever wants to look has a day. Raises `ArchiveDamaged`."""
    organization_id = None if archived.organization_id is None else str(archived.organization_id)
    content = _read(archived.path)
    if content is None or hashlib.sha256(content).hexdigest() != archived.sha256:
        raise ArchiveDamaged(AUTHENTIC.format(path=archived.path))
    table = sql.Identifier(archived.table)
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns(archived.table)))
    insert = sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb) ON CONFLICT DO NOTHING"
    ).format(table=table, columns=columns)
    lines, put_back = gzip.decompress(content).splitlines(), 0
    with _acting_for(organization_id), transaction.atomic(), connection.cursor() as cursor:
        for start in range(0, len(lines), BATCH):
            cursor.execute(insert, [f"[{b','.join(lines[start : start + BATCH]).decode()}]"])
            put_back += cursor.rowcount
        _renew_totals(archived.table, Month.of(archived.month), organization_id)
        archived.restored_at = now
        archived.save(update_fields=["restored_at"])
    return put_back


# Periods -----------------------------------------------------------------------------------------------------------------


def _organizations() -> Iterator[tuple[str | None, dict[str, int]]]:
    """Every organization with the periods that it shortened, then the platform as a whole, whose rows are nobody's."""
    for pk in Organization.objects.order_by("pk").values_list("pk", flat=True):
        yield str(pk), selectors.days_shortened(pk)
    yield None, {}


def _own(shortened: dict[str, int]) -> Iterator[tuple[Kept, int]]:
    """What this organization has kept for less than everybody, and for how many days."""
    for name, days in shortened.items():
        if days < periods.BY_NAME[name].days:
            yield periods.BY_NAME[name], days


def _months(organization_id: str | None, shortened: dict[str, int], *, now: datetime) -> Iterator[tuple[Kept, Place, Month]]:
    """Months of tables, oldest first, that are past their period to their last day and have rows."""
    for kept in periods.TABLE:
        if kept.archived_days:
            end = windows.day_of(now) - timedelta(days=shortened.get(kept.name, kept.days))
            for place in kept.tables:
                with _acting_for(organization_id):
                    first = _oldest(place, organization_id)
                while first is not None and (month := Month.of(first)).end <= end:
                    yield kept, place, month
                    first = month.end


def _past(organization_id: str | None, place: Place, *, now: datetime, days: int) -> dict[str, Any]:
    return {"organizationId": organization_id, place.since: {"$lt": now - timedelta(days=days)}}


# Files -------------------------------------------------------------------------------------------------------------------


def _archive(kept: Kept, place: Place, month: Month, *, organization_id: str | None, now: datetime) -> int:
    """Moves a month's rows into a file; how many those were. Rows that come meanwhile are left for the next night."""
    with _acting_for(organization_id):
        rows = list(_rows(place, organization_id, month))
        if not rows:
            return 0
        content = gzip.compress(b"\n".join(rows), mtime=0)
        path = f"archive/{organization_id or 'platform'}/{place.name}/{month.first:%Y-%m}-{uuid.uuid7()}.ndjson.gz"
        path = default_storage.save(path, ContentFile(content))
        digest = hashlib.sha256(content).hexdigest()
        if hashlib.sha256(_read(path) or b"").hexdigest() != digest:
            raise OSError(f"{path} was not written as it should be.")
        with transaction.atomic():
            ids = [json.loads(row)["id"] for row in rows]
            gone = _delete_these(place, ids)
            if gone != len(rows):
                raise RuntimeError(f"Of {len(rows)} rows of {place.name} {gone} were left to be archived: somebody else was at it.")
            _renew_totals(place.name, month, organization_id)
            ArchivedMonth.across_tenants.create(
                organization_id=organization_id,
                table=place.name,
                month=month.first,
                path=path,
                sha256=digest,
                rows=len(rows),
                bytes=len(content),
                archived_at=now,
                remove_on=windows.day_of(now) + timedelta(days=kept.archived_days),
            )
    log.info("Archived %d rows of %s of %s.", len(rows), place.name, month.first)
    return len(rows)


def _remove_files(organization_id: str | None, *, today: date) -> None:
    """The file first: where a run is killed between the two, the next one finds the row."""
    for archived in ArchivedMonth.across_tenants.filter(models.Q(organization_id=organization_id), remove_on__lte=today):
        default_storage.delete(archived.path)
        archived.delete()


def _read(path: str) -> bytes | None:
    try:
        with default_storage.open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


# Rows ----------------------------------------------------------------------------------------------------------------------


def _acting_for(organization_id: str | None) -> AbstractContextManager[Any]:
    if organization_id is None:
        return scoping.across_tenants("rows of the platform as a whole are nobody's")
    return scoping.tenant(organization_id)


def _model(table: str) -> type[models.Model]:
    return next(model for model in apps.get_app_config("analytics").get_models() if model._meta.db_table == table)


def _columns(table: str) -> list[str]:
    return [field.attname for field in _model(table)._meta.concrete_fields if not field.generated]


def _where(
    place: Place, organization_id: str | None, *, since: datetime | None = None, until: datetime | None = None
) -> tuple[sql.Composable, list[Any]]:
    column = sql.Identifier(place.since)
    parts: list[sql.Composable] = [sql.SQL("organization_id IS NULL" if organization_id is None else "organization_id = %s")]
    values: list[Any] = [] if organization_id is None else [organization_id]
    if since is not None:
        parts.append(sql.SQL("{} >= %s").format(column))
        values.append(since)
    if until is not None:
        parts.append(sql.SQL("{} < %s").format(column))
        values.append(until)
    return sql.SQL(" AND ").join(parts), values


def _query(statement: str, place: Place, organization_id: str | None, **window: datetime | None) -> Any:
    """Runs a statement on the rows of a window; gives the cursor, which the caller closes."""
    where, values = _where(place, organization_id, **window)
    cursor = connection.cursor()
    cursor.execute(sql.SQL(statement).format(table=sql.Identifier(place.name), column=sql.Identifier(place.since), where=where), values)
    return cursor


def _count(place: Place, organization_id: str | None, **window: datetime | None) -> int:
    with _query("SELECT count(*) FROM {table} WHERE {where}", place, organization_id, **window) as cursor:
        return cursor.fetchone()[0]


def _delete(place: Place, organization_id: str | None, **window: datetime | None) -> int:
    with _query("DELETE FROM {table} WHERE {where}", place, organization_id, **window) as cursor:
        return cursor.rowcount


def _oldest(place: Place, organization_id: str | None) -> date | None:
    with _query("SELECT min({column}) FROM {table} WHERE {where}", place, organization_id) as cursor:
        found = cursor.fetchone()[0]
    return windows.day_of(found) if isinstance(found, datetime) else found


def _rows(place: Place, organization_id: str | None, month: Month) -> Iterator[bytes]:
    with _query(
        "SELECT row_to_json({table})::text FROM {table} WHERE {where} ORDER BY id",
        place,
        organization_id,
        since=month.since,
        until=month.until,
    ) as cursor:
        for (row,) in cursor:
            yield row.encode()


def _renew_totals(table: str, month: Month, organization_id: str | None) -> None:
    if table in totals.MADE_OF:
        totals.renew(month, organization_id=organization_id)


def _delete_these(place: Place, ids: list[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DELETE FROM {} WHERE id = ANY(%s::uuid[])").format(sql.Identifier(place.name)), [ids])
        return cursor.rowcount
