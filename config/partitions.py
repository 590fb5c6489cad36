"""Tables that grow with time, cut into partitions: made ahead of time, dropped whole when they are too old (D2, D11).

A row of a day or month without a partition is not refused: it goes to the table's default partition, and `maintain` moves it when it
makes that one. So a beat that stood still for a month costs a slower night, and no row.

Of a table whose months go into files (`analytics.services.retention`), a partition is dropped when nothing is left in it.

The application may write to these tables and not alter them: `maintain` acts as their owner (`roles.as_owner`). A partition belongs
to nobody but its table: row-level security is on in it without any policy, so that naming it leads past no tenant's wall.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum

from django.db import connection, transaction
from psycopg import sql

from config import periods
from tenants.database import roles

log = logging.getLogger(__name__)

LOCK = 0x70617274  # "part": one process maintains at a time
WAIT = "5s"  # for a table's lock; a night that finds it busy leaves it to the next


class Each(Enum):
    """What a partition holds; the value is how the first day of it stands in the partition's name."""

    DAY = "%Y%m%d"
    MONTH = "%Y%m"

    def of(self, day: date) -> date:
        """The first day of what `day` is in."""
        return day if self is Each.DAY else day.replace(day=1)

    def after(self, first: date) -> date:
        return first + timedelta(days=1) if self is Each.DAY else (first + timedelta(days=31)).replace(day=1)


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A table with a partition for `each` day or month of `column`, `ahead` of them made in advance and each kept for `keep`. Where its
    rows are `archived`, only an empty one is dropped."""

    table: str
    column: str
    ahead: int
    keep: timedelta
    each: Each = Each.DAY
    archived: bool = False

    def name_of(self, first: date) -> str:
        return f"{self.table}_{first:{self.each.value}}"


# Not `ai_chat_analytics` and `report_generation_stats`: a sitting and a report are there once whatever their day, and a partitioned
# table has no key without its day (docs/decisions/partitions.md).
TABLES = (
    Partitioned(table="raw_data", column="created_at", ahead=14, keep=periods.LEDGER.period),
    Partitioned(table="metrics_raw_data", column="created_at", ahead=14, keep=periods.LEDGER.period),
    *(
        Partitioned(table=place.name, column=place.since, ahead=2, keep=kept.period, each=Each.MONTH, archived=True)
        for kept in (periods.METRICS, periods.CHAT_ANALYTICS)
        for place in kept.tables
        if place.name not in ("ai_chat_analytics", "report_generation_stats")
    ),
)


@dataclass(frozen=True, slots=True)
class Maintained:
    """What a run has done: names of partitions, and rows that were moved out of default ones."""

    made: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    moved: int = 0

    def __add__(self, other: "Maintained") -> "Maintained":
        return Maintained(self.made + other.made, self.dropped + other.dropped, self.moved + other.moved)


def maintain(now: datetime, *, tables: tuple[Partitioned, ...] = TABLES) -> Maintained:
    """Makes the partitions that are missing, for the days ahead and for rows that had to wait, and drops those past periods.

    Run again, it finds nothing to do. Raises OperationalError where a table's lock is not to be had; then nothing has changed.
    """
    done = Maintained()
    with roles.as_owner():
        for table in tables:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                cursor.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(WAIT)))
                done += _maintain(cursor, table, today=now.astimezone(UTC).date())
                if table.each is Each.MONTH:  # nobody else looks at a table in parts as a whole: autovacuum knows its parts alone (S4-144)
                    cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table.table)))
    if done != Maintained():
        log.info("Partitions: made %s, dropped %s, moved %d rows.", done.made, done.dropped, done.moved)
    return done


def firsts_of(table: Partitioned) -> list[date]:
    """The first days of what has a partition, oldest first. Causes a query."""
    with connection.cursor() as cursor:
        return _firsts(cursor, table)


def _maintain(cursor, table: Partitioned, *, today: date) -> Maintained:
    oldest = today - table.keep
    there = _firsts(cursor, table)
    default = sql.Identifier(f"{table.table}_default")
    column = sql.Identifier(table.column)

    past = [first for first in there if table.each.after(first) <= oldest]
    dropped = tuple(table.name_of(first) for first in past if not table.archived or _is_empty(cursor, table.name_of(first)))
    for name in dropped:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    if not table.archived:
        cursor.execute(sql.SQL("DELETE FROM {} WHERE {} < {}").format(default, column, _start(oldest)))

    cursor.execute(sql.SQL("SELECT DISTINCT ({column} AT TIME ZONE 'UTC')::date FROM {default}").format(column=column, default=default))
    wanted = {table.each.of(day) for (day,) in cursor.fetchall()}
    first = table.each.of(today)
    for _ in range(table.ahead + 1):
        wanted.add(first)
        first = table.each.after(first)
    missing = sorted(wanted - set(there))
    if not missing:
        return Maintained(dropped=dropped)
    # Before rows are moved, so that none comes into the default partition for a day that is about to have its own.
    cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(default))
    moved = sum(_make(cursor, table, first) for first in missing)
    return Maintained(tuple(table.name_of(first) for first in missing), dropped, moved)


def _make(cursor, table: Partitioned, first: date) -> int:
    """Makes one partition and moves the rows that waited for it; says how many."""
    names = {
        "table": sql.Identifier(table.table),
        "default": sql.Identifier(f"{table.table}_default"),
        "partition": sql.Identifier(table.name_of(first)),
        "column": sql.Identifier(table.column),
        "columns": sql.SQL(", ").join(map(sql.Identifier, _columns(cursor, table.table))),
    }
    bounds = {"since": _start(first), "until": _start(table.each.after(first))}
    moved = 0
    for statement in _statements():
        cursor.execute(sql.SQL(statement).format(**names, **bounds))
        if statement.startswith("WITH"):
            moved = cursor.rowcount
    return moved


def _statements() -> Iterator[str]:
    yield "CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)"
    yield "ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY"
    yield (
        "WITH moved AS (DELETE FROM {default} WHERE {column} >= {since} AND {column} < {until} RETURNING {columns}) "
        "INSERT INTO {partition} ({columns}) SELECT {columns} FROM moved"
    )
    yield "ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({since}) TO ({until})"


def _firsts(cursor, table: Partitioned) -> list[date]:
    cursor.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(%s) ORDER BY c.relname",
        [table.table],
    )
    names = [name.removeprefix(f"{table.table}_") for (name,) in cursor.fetchall()]
    return [datetime.strptime(name, table.each.value).replace(tzinfo=UTC).date() for name in names if name != "default"]


def _columns(cursor, table: str) -> list[str]:
    """Those that are written: not the ones that the database works out."""
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''", [table]
    )
    return [name for (name,) in cursor.fetchall()]


def _is_empty(cursor, partition: str) -> bool:
    cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(partition)))  # a restored row may be coming
    cursor.execute(sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(sql.Identifier(partition)))
    return cursor.fetchone()[0]


def _start(day: date) -> sql.Literal:
    """As PostgreSQL reads it for a column of days, and for one of moments."""
    return sql.Literal(f"{day} 00:00:00+00")
