"""The night: fills the metric tables from the logs, a day at a time (S4-122…129, X-26).

1. Of every rollup: the days from its watermark to yesterday, and those before of which something was written since it looked last.
2. For each day, oldest first, every log that a rollup wants is read once.
3. Each rollup's day is one transaction: the day's rows are deleted and written anew, what is added up of them too, the watermark moves.
4. When all is done, the rollups have seen what was written before the run began.

MongoDB is only read. Killed anywhere and run again, run twice, or by two at once (the second waits), the tables are the same.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, models, transaction
from psycopg import sql

from analytics.models import FillState
from analytics.rollups import totals
from analytics.rollups.base import Rollup, Source
from analytics.rollups.registry import BY_NAME, ROLLUPS
from analytics.windows import ONE_DAY, Day, Window, day_of
from tenants import scoping, selectors
from tenants.scoping import TenantModel

log = logging.getLogger(__name__)

LOCK = 0x66696C6C  # "fill": one process fills at a time
OVERLAP = timedelta(minutes=15)  # between what one run has seen and the next looks at: clocks differ, and a write takes its time
FIRST_DAYS = 90  # that the first run looks back
WHY_ACROSS = "the night counts the days of every organization"


class UnknownRollup(Exception):
    """No rollup has this name. The message names those that there are."""


class DayNotOver(Exception):
    """A day is counted when it is over. The message says which is not."""


class DayGone(Exception):
    """Its log is not whole any more: counted again, the day would lose what it has. The message says since when there is one."""


@dataclass(frozen=True)
class Filled:
    """A day of a rollup, counted."""

    rollup: str
    day: date
    rows: int
    seconds: float


Tell = Callable[[Filled], None]
Plan = dict[date, list[Rollup]]  # by day, oldest first; the rollups in their order


def nothing(filled: Filled) -> None:
    pass


def catch_up(
    *, now: datetime, rollups: Iterable[Rollup] = ROLLUPS, tell: Tell = nothing, ahead: Callable[[int], None] | None = None
) -> int:
    """Counts what is not counted yet, up to yesterday, and what came late. Says how many days of rollups that were; `ahead` is told
    before. Run again, it finds nothing to do. Raises PyMongoError, DatabaseError; what was done until then stays."""
    wanted = _with_readers(rollups)
    with _alone():
        plan = _what_is_missing(wanted, today=day_of(now))
        return _fill(plan, wanted, started=now, tell=tell, ahead=ahead, caught_up=True)


def refill(
    window: Window, *, now: datetime, rollups: Iterable[Rollup] = ROLLUPS, tell: Tell = nothing, ahead: Callable[[int], None] | None = None
) -> int:
    """Counts these days again, as often as you like. Raises `DayNotOver`, `DayGone`, and what `catch_up` raises."""
    asked, today = list(rollups), day_of(now)
    if window.end > today:
        raise DayNotOver(f"{max(window.first, today)} is not over. A day is counted when it has ended in UTC.")
    shortest = selectors.days_shortest()
    kept = min((_whole_days(source, shortest) for rollup in asked for source in rollup.sources), default=0)
    if window.first < today - kept * ONE_DAY:
        raise DayGone(f"What was logged before {today - kept * ONE_DAY} is not whole any more. Choose a later day, or another rollup.")
    wanted = _with_readers(asked)
    with _alone():
        plan = _what_is_asked(window, asked, wanted)
        return _fill(plan, wanted, started=now, tell=tell, ahead=ahead, caught_up=False)


def rollup_named(name: str) -> Rollup:
    if name not in BY_NAME:
        raise UnknownRollup(f"There is no rollup {name!r}. There are: {', '.join(BY_NAME)}.")
    return BY_NAME[name]


@contextmanager
def _alone() -> Iterator[None]:
    """Waits until no other run is under way. Its connection's end ends it, too."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


# What is to be done ----------------------------------------------------------------------------------------------------


def _what_is_missing(rollups: Sequence[Rollup], *, today: date) -> Plan:
    states = {state.rollup: state for state in FillState.objects.all()}
    firsts: dict[str, date | None] = {}
    shortest = selectors.days_shortest()
    days: dict[str, set[date]] = {}
    for rollup in rollups:
        state = states.get(rollup.name)
        until = (state and state.filled_until) or _first_day(rollup, firsts, today=today)
        again = _late_days(rollup, state, until, shortest=shortest, today=today) | _reached(rollup, days, until)
        days[rollup.name] = again | set(Window(until, today).days())
    return _by_day(days)


def _what_is_asked(window: Window, asked: Sequence[Rollup], rollups: Sequence[Rollup]) -> Plan:
    """The window's days of the rollups that were asked for, and what follows from them for those that read their tables."""
    filled = {state.rollup: state.filled_until or window.first for state in FillState.objects.all()}
    days: dict[str, set[date]] = {}
    for rollup in rollups:
        days[rollup.name] = _reached(rollup, days, filled.get(rollup.name, window.first))
        if rollup in asked:
            days[rollup.name] |= set(window.days())
    return _by_day(days)


def _by_day(days: Mapping[str, set[date]]) -> Plan:
    return {day: [BY_NAME[name] for name in days if day in days[name]] for day in sorted(set[date]().union(*days.values()))}


def _with_readers(rollups: Iterable[Rollup]) -> list[Rollup]:
    """These and the ones that read their tables, in their order."""
    wanted = {rollup.name for rollup in rollups}
    for rollup in ROLLUPS:
        if wanted.intersection(rollup.after):
            wanted.add(rollup.name)
    return [rollup for rollup in ROLLUPS if rollup.name in wanted]


def _first_day(rollup: Rollup, known: dict[str, date | None], *, today: date) -> date:
    """The first day of which its logs know something; today where they know nothing."""
    for source in rollup.sources:
        if source.name not in known:
            with scoping.across_tenants(WHY_ACROSS):
                moment = source.first()
            known[source.name] = moment and day_of(moment)
    firsts = [day for source in rollup.sources if (day := known[source.name])]
    return max(min([*firsts, today]), today - FIRST_DAYS * ONE_DAY)


def _whole_days(source: Source, shortest: Mapping[str, int]) -> int:
    """How many days back its log is whole for every organization."""
    return min(source.kept_days, shortest.get(source.period, source.kept_days + 1) - 1)


def _late_days(rollup: Rollup, state: FillState | None, until: date, *, shortest: Mapping[str, int], today: date) -> set[date]:
    """Days before the watermark of which something was written since the last run, as far as their logs are whole."""
    if state is None or state.seen_until is None:
        return set()
    late = set[date]()
    for source in rollup.sources:
        with scoping.across_tenants(WHY_ACROSS):
            found = source.changed(state.seen_until - OVERLAP, until)
        late |= {day for day in found if day >= today - _whole_days(source, shortest) * ONE_DAY}
    return late


def _reached(rollup: Rollup, days: Mapping[str, set[date]], until: date) -> set[date]:
    """The counted days that change with days of the tables that this one reads."""
    found = set[date]()
    for again in set[date]().union(*(days.get(name, set()) for name in rollup.after)):
        end = until if rollup.reach is None else min(until, again + rollup.reach * ONE_DAY)
        found |= set(Window(again, end).days())
    return found


# Doing it ----------------------------------------------------------------------------------------------------------------


def _fill(
    plan: Mapping[date, Sequence[Rollup]],
    rollups: Sequence[Rollup],
    *,
    started: datetime,
    tell: Tell,
    ahead: Callable[[int], None] | None,
    caught_up: bool,
) -> int:
    done = sum(map(len, plan.values()))
    if ahead:
        ahead(done)
    began, written = time.perf_counter(), dict.fromkeys((rollup.name for rollup in rollups), 0)
    try:
        for day, wanted in plan.items():
            for filled in _fill_day(Day.of(day), wanted, started=started, caught_up=caught_up):
                written[filled.rollup] += filled.rows
                tell(filled)
    except Exception as error:
        _note(rollups, started=started, error=f"{type(error).__name__}: {error}"[:2000])
        raise
    seconds = time.perf_counter() - began
    for rollup in rollups:
        seen = {"seen_until": started} if caught_up else {}
        _note([rollup], started=started, seconds=seconds, rows=written[rollup.name], error="", **seen)
    return done


def _note(rollups: Iterable[Rollup], *, started: datetime, **facts: Any) -> None:
    for rollup in rollups:
        FillState.objects.update_or_create(rollup=rollup.name, defaults={"ran_at": started, **facts})


def _fill_day(day: Day, rollups: Sequence[Rollup], *, started: datetime, caught_up: bool) -> Iterator[Filled]:
    found: dict[str, Any] = {}
    with scoping.across_tenants(WHY_ACROSS):
        for rollup in rollups:
            began = time.perf_counter()
            for source in rollup.sources:
                if source.name not in found:
                    found[source.name] = source.read(day)
            with transaction.atomic():
                rows = _write(rollup, day, found)
                if rollup.model._meta.db_table in totals.MADE_OF:
                    totals.renew(day)
                _move_watermark(rollup, day, started=started, caught_up=caught_up)
            yield Filled(rollup.name, day.first, rows, time.perf_counter() - began)


def _move_watermark(rollup: Rollup, day: Day, *, started: datetime, caught_up: bool) -> None:
    """A day after a gap does not move it: then days before it would pass for counted."""
    state, _ = FillState.objects.get_or_create(rollup=rollup.name)
    if state.filled_until is None and caught_up:
        state.filled_until, state.seen_until = day.end, started
    elif state.filled_until is None or state.filled_until < day.first:
        return
    state.filled_until = max(state.filled_until, day.end)
    state.save(update_fields=["filled_until", "seen_until"])


def _write(rollup: Rollup, day: Day, found: Mapping[str, Any]) -> int:
    """Deletes the day and writes it anew; says how many rows. A row of an organization, person, branch or department that is gone is left
    out. The rows come by COPY into a table of the transaction's own: PostgreSQL refuses COPY into one with row-level security."""
    table = sql.Identifier(rollup.model._meta.db_table)
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in rollup.columns)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(columns, table))
        made = rollup.rows(day, found)
        with cursor.copy(sql.SQL("COPY staged ({}) FROM STDIN").format(columns)) as copy:
            for row in made:
                copy.write_row(row)
        name = sql.Identifier(rollup.day_column)
        cursor.execute(sql.SQL("DELETE FROM {} WHERE {} >= %s AND {} < %s").format(table, name, name), _bounds(rollup, day))
        ids: list[sql.Composable] = [sql.Identifier(str(field.column)) for field in _ids_of_its_own(rollup)]
        insert = sql.SQL("INSERT INTO {} ({}, {}) SELECT {}, {} FROM staged WHERE {}").format(
            table,
            sql.SQL(", ").join(ids),
            columns,
            sql.SQL(", ").join([sql.SQL("gen_random_uuid()")] * len(ids)),
            columns,
            sql.SQL(" AND ").join(_still_there(rollup)),
        )
        cursor.execute(insert)
        rows = cursor.rowcount
        cursor.execute("DROP TABLE staged")
    return rows


def _bounds(rollup: Rollup, day: Day) -> tuple[Any, Any]:
    is_moment = isinstance(rollup.model._meta.get_field(rollup.day_column), models.DateTimeField)
    return (day.since, day.until) if is_moment else (day.first, day.end)


def _ids_of_its_own(rollup: Rollup) -> list[models.Field]:
    """Of a row: those that nobody gives it."""
    fields = rollup.model._meta.concrete_fields
    return [field for field in fields if isinstance(field, models.UUIDField) and field.has_default() and field.column not in rollup.columns]


def _still_there(rollup: Rollup) -> Iterator[sql.Composable]:
    """Conditions that what a row points at exists, in its organization."""
    for field in rollup.model._meta.concrete_fields:
        if not isinstance(field, models.ForeignKey) or field.column not in rollup.columns:
            continue
        target: Any = field.related_model
        names = {"column": sql.Identifier("staged", field.column), "target": sql.Identifier(target._meta.db_table)}
        same = " AND t.organization_id = staged.organization_id" if issubclass(target, TenantModel) else ""
        empty = "{column} IS NULL OR " if field.null else ""
        yield sql.SQL(f"({empty}EXISTS (SELECT FROM {{target}} t WHERE t.id = {{column}}{same}))").format(**names)
