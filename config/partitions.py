"""Tables that grow with time, cut into partitions: made ahead of time, dropped whole when they are too old (D2, D11).

A row of a day without a partition is not refused: it goes to the table's default partition, and `maintain` moves it when it makes
that day's. So a beat that stood still for a month costs a slower night, and no row.

The application may write to these tables and not alter them: `maintain` acts as their owner (`roles.as_owner`). A partition belongs
to nobody but its table: row-level security is on in it without any policy, so that naming it leads past no tenant's wall.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from psycopg import sql

from tenants.database import roles

log = logging.getLogger(__name__)

LOCK = 0x70617274  # "part": one process maintains at a time
WAIT = "5s"  # for a table's lock; a night that finds it busy leaves it to the next


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A table with a partition for each day of `column`, `ahead` of them made in advance and each kept for `keep`."""

    table: str
    column: str
    ahead: int
    keep: timedelta


TABLES = (Partitioned(table="raw_data", column="created_at", ahead=14, keep=timedelta(days=730)),)


@dataclass(frozen=True, slots=True)
class Maintained:
    """What a run has done: names of partitions, and rows that were moved out of default ones."""

    made: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    moved: int = 0

    def __add__(self, other: "Maintained") -> "Maintained":
        return Maintained(self.made + other.made, self.dropped + other.dropped, self.moved + other.moved)


def maintain(now: datetime, *, tables: tuple[Partitioned, ...] = TABLES) -> Maintained:
    """Makes the partitions that are missing, for the days ahead and for rows that had to wait, and drops those past retention.

    Run again, it finds nothing to do. Raises OperationalError where a table's lock is not to be had; then nothing has changed.
    """
    done = Maintained()
    with roles.as_owner():
        for table in tables:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                cursor.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(WAIT)))
                done += _maintain(cursor, table, today=now.astimezone(UTC).date())
    if done != Maintained():
        log.info("Partitions: made %s, dropped %s, moved %d rows.", done.made, done.dropped, done.moved)
    return done


def name_of(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def days_of(table: str) -> list[date]:
    """The days that have a partition, oldest first. Causes a query."""
    with connection.cursor() as cursor:
        return _days(cursor, table)


def _maintain(cursor, table: Partitioned, *, today: date) -> Maintained:
    oldest = today - table.keep
    there = _days(cursor, table.table)
    default = sql.Identifier(f"{table.table}_default")
    column = sql.Identifier(table.column)

    dropped = tuple(name_of(table.table, day) for day in there if day < oldest)
    for name in dropped:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    cursor.execute(sql.SQL("DELETE FROM {} WHERE {} < %s").format(default, column), [_start(oldest)])

    cursor.execute(sql.SQL("SELECT DISTINCT ({column} AT TIME ZONE 'UTC')::date FROM {default}").format(column=column, default=default))
    waiting = {day for (day,) in cursor.fetchall()}
    wanted = waiting | {today + timedelta(days=n) for n in range(table.ahead + 1)}
    missing = sorted(wanted - set(there))
    if not missing:
        return Maintained(dropped=dropped)
    # Before rows are moved, so that none comes into the default partition for a day that is about to have its own.
    cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(default))
    moved = sum(_make(cursor, table, day) for day in missing)
    return Maintained(tuple(name_of(table.table, day) for day in missing), dropped, moved)


def _make(cursor, table: Partitioned, day: date) -> int:
    """Makes one partition and moves the rows that waited for it; says how many."""
    names = {
        "table": sql.Identifier(table.table),
        "default": sql.Identifier(f"{table.table}_default"),
        "partition": sql.Identifier(name_of(table.table, day)),
        "column": sql.Identifier(table.column),
    }
    bounds = {"since": sql.Literal(_start(day)), "until": sql.Literal(_start(day + timedelta(days=1)))}
    moved = 0
    for statement in _statements():
        cursor.execute(sql.SQL(statement).format(**names, **bounds))
        if statement.startswith("WITH"):
            moved = cursor.rowcount
    return moved


def _statements() -> Iterator[str]:
    yield "CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
    yield "ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY"
    yield (
        "WITH moved AS (DELETE FROM {default} WHERE {column} >= {since} AND {column} < {until} RETURNING *) "
        "INSERT INTO {partition} SELECT * FROM moved"
    )
    yield "ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({since}) TO ({until})"


def _days(cursor, table: str) -> list[date]:
    cursor.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(%s) ORDER BY c.relname",
        [table],
    )
    names = [name.removeprefix(f"{table}_") for (name,) in cursor.fetchall()]
    return [date.fromisoformat(name) for name in names if name != "default"]


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
