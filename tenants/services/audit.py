"""Who changed what, when and why (kept by the database's triggers), and who read another person's conversation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pgtrigger
from django.apps import apps
from django.db import connection, models
from pghistory.models import Context, Event
from psycopg import sql

from config import periods
from tenants import scoping, selectors
from tenants.choices import NOBODY, AccessKind
from tenants.models import AccessRecord, Membership, Organization, User


@dataclass(frozen=True)
class Change:
    """One change of one row. `before` and `after` hold the columns that differ."""

    at: datetime
    what: str  # insert, update or delete
    who: User | None
    why: dict[str, Any]  # url, request_id, task …
    before: dict[str, Any]
    after: dict[str, Any]


def record_access(
    membership: Membership,
    *,
    owner_id: Any,
    conversation_id: Any,
    kind: AccessKind = AccessKind.READ,
    reason: str = "",
    request_id: str = "",
) -> None:
    """Writes that this person looked at another's conversation (D12). One's own are not recorded, nor those whose owner was erased."""
    if str(owner_id) in (str(membership.user_id), NOBODY):
        return
    with scoping.tenant(membership.organization_id):
        AccessRecord.objects.for_tenant(membership.organization_id).create(
            user_id=membership.user_id,
            owner_id=owner_id,
            conversation_id=conversation_id,
            kind=kind,
            reason=reason[:500],
            request_id=request_id[:100],
        )


def changes_of(row: Any) -> list[Change]:
    """Everything that ever happened to this row, newest first. Acts for whom the caller acts."""
    history = type(row).pgh_event_model
    events = list(history.objects.filter(pgh_obj_id=row.pk).select_related("pgh_context").order_by("pgh_id"))
    columns = [field.attname for field in history._meta.concrete_fields if not field.name.startswith("pgh_")]
    user_ids: set[str] = {event.pgh_context.metadata.get("user", "") for event in events if event.pgh_context} - {""}
    users = {str(user.pk): user for user in User.objects.filter(pk__in=user_ids)}
    found: list[Change] = []
    known: dict[str, Any] = {}
    for event in events:
        facts = dict(event.pgh_context.metadata) if event.pgh_context else {}
        now = {} if event.pgh_label == "delete" else {name: getattr(event, name) for name in columns}
        before = {name: value for name, value in known.items() if name not in now or now[name] != value}
        after = {name: value for name, value in now.items() if name not in known or known[name] != value}
        who = users.get(facts.pop("user", ""))
        found.append(Change(at=event.pgh_created_at, what=event.pgh_label, who=who, why=facts, before=before, after=after))
        known = now
    return found[::-1]


# What is past its period (D2) -----------------------------------------------------------------------------------------------

WHY_ACROSS = "records of everybody are removed when their period is over"
BATCH = 1_000  # rows that are looked at at once
SLACK = timedelta(days=1)  # a request's context is older than what it changed


@dataclass(frozen=True)
class Past:
    """Records of a table that are past their period; of one organization where it has them kept for less than everybody."""

    organization_id: str | None
    table: str
    count: int


def past(*, now: datetime) -> list[Past]:
    """What `remove_past` would remove, and nothing is removed. Reads every table, once more for each organization that shortened its
    period."""
    count = "SELECT count(*) FROM {table} WHERE {where}"
    with scoping.across_tenants(WHY_ACROSS):
        return _each([(None, periods.AUDIT.days), *_shortened()], now=now, statement=count)


def remove_past(*, now: datetime) -> list[Past]:
    """Removes what is past its period, and says what that was. Killed anywhere and run again, it goes on."""
    tables, done = list(_tables()), []
    with scoping.across_tenants(WHY_ACROSS), _unprotected(tables):
        for model, moment in tables:
            if count := _remove_oldest(model, moment, before=now - periods.AUDIT.period):
                done.append(Past(None, model._meta.db_table, count))
        Context.objects.filter(created_at__lt=now - periods.AUDIT.period - SLACK).delete()
        delete = "WITH gone AS (DELETE FROM {table} WHERE {where} RETURNING 1) SELECT count(*) FROM gone"
        return done + _each(_shortened(), now=now, statement=delete)


def _shortened() -> list[tuple[str | None, int]]:
    """Organizations that have records kept for less than everybody, and for how many days."""
    organizations = Organization.objects.order_by("pk").values_list("pk", flat=True)
    return [(str(pk), days) for pk in organizations if (days := selectors.days_shortened(pk).get(periods.AUDIT.name))]


def _each(whose: list[tuple[str | None, int]], *, now: datetime, statement: str) -> list[Past]:
    found = []
    with connection.cursor() as cursor:
        for organization_id, days in whose:
            for model, moment in _tables():
                names = {field.column for field in model._meta.concrete_fields}
                if organization_id and "organization_id" not in names:
                    continue
                where: sql.Composable = sql.SQL("{} < {}").format(sql.Identifier(moment), sql.Literal(now - timedelta(days=days)))
                if organization_id:
                    where += sql.SQL(" AND organization_id = {}").format(sql.Literal(organization_id))
                cursor.execute(sql.SQL(statement).format(table=sql.Identifier(model._meta.db_table), where=where))
                if count := cursor.fetchone()[0]:
                    found.append(Past(organization_id, model._meta.db_table, count))
    return found


def _tables() -> Iterator[tuple[type[models.Model], str]]:
    """Tables of records, and the column of each that says when; their keys are in that order, too."""
    for model in apps.get_models():
        if issubclass(model, Event) and model._meta.db_table.endswith("_history"):
            yield model, "pgh_created_at"
    yield AccessRecord, "created_at"


def _unprotected(tables: list[tuple[type[models.Model], str]]) -> Any:
    """Inside, records may be removed. They still cannot be changed by anything that runs elsewhere."""
    return pgtrigger.ignore(*(f"{model._meta.label}:append_only" for model, _ in tables if issubclass(model, Event)))


def _remove_oldest(model: type[models.Model], moment: str, *, before: datetime) -> int:
    """By their key, a batch at a time, until the oldest are young enough: so no index of moments is needed."""
    key = sql.Identifier(str(model._meta.pk.column))
    statement = sql.SQL(
        "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} ORDER BY {key} LIMIT {batch}) AND {moment} < {before}"
    ).format(
        table=sql.Identifier(model._meta.db_table),
        key=key,
        batch=sql.Literal(BATCH),
        moment=sql.Identifier(moment),
        before=sql.Literal(before),
    )
    removed = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(statement)
            removed += cursor.rowcount
            if not cursor.rowcount:
                return removed
