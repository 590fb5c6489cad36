"""PostgreSQL's rows between the tests: what the migrations made stays, everything else goes; and what took long to make is recorded, to be
put back under fresh identifiers.

All of it as the owner, and without a word to triggers and foreign keys: what is put back has its history among its rows.
"""

import functools
import io
import pickle
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import uuid_utils.compat as uuid
from django.db import connection, transaction
from psycopg import sql

from tenants.database import roles

IDENTIFIER = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SILENT = "SET LOCAL session_replication_role = replica"

Rows = dict[str, bytes]  # by table, as COPY writes them

_made_by_migrations: Rows = {}
_print_of: dict[str, str] = {}  # by table: a fingerprint of what the migrations made
_owner: psycopg.Connection[Any] | None = None


def keep() -> None:
    """What is there now was made by the migrations, and stays."""
    global _made_by_migrations
    cursor = _connected().cursor()
    _made_by_migrations = read(cursor)
    _print_of.update(_prints(cursor))
    cursor.connection.commit()


def empty() -> None:
    """Deletes what the migrations did not make, and puts back what they did, if a test changed it."""
    try:
        _empty(_connected())
    except psycopg.OperationalError:  # a test restarted the server
        close()
        _empty(_connected())


def _empty(owner: psycopg.Connection[Any]) -> None:
    with owner.transaction(), owner.cursor() as cursor:
        cursor.execute(SILENT)
        changed = {table for table, fingerprint in _prints(cursor) if fingerprint != _print_of[table]}
        for table in _with_rows(cursor) - _made_by_migrations.keys() | changed:
            cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        write(cursor, {table: _made_by_migrations[table] for table in changed})


def close() -> None:
    """Ends the connection by which tables are emptied, before the database goes."""
    global _owner
    if _owner is not None:
        _owner.close()
        _owner = None


def _connected() -> psycopg.Connection[Any]:
    """A connection of the owner's that lives on: a fresh one needs longer to learn what tables there are than to empty them."""
    global _owner
    if _owner is None:
        wanted = connection.get_connection_params()
        _owner = psycopg.connect(**{name: wanted[name] for name in ("host", "port", "dbname", "user", "password") if name in wanted})
    return _owner


@functools.cache
def _names() -> list[str]:
    return sorted(connection.introspection.django_table_names(only_existing=True))


def _with_rows(cursor: psycopg.Cursor[Any]) -> set[str]:
    cursor.execute(_which_have_rows())
    return {table for (table,) in cursor.fetchall()}


@functools.cache
def _which_have_rows() -> str:
    asked = (sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(table, sql.Identifier(table)) for table in _names())
    return sql.SQL(" UNION ALL ").join(asked).as_string()


def _prints(cursor: psycopg.Cursor[Any]) -> list[tuple[str, str]]:
    """A fingerprint of each table in which the migrations made rows; None of one that is empty."""
    cursor.execute(_fingerprints())
    return cursor.fetchall()


@functools.cache
def _fingerprints() -> str:
    one = sql.SQL("SELECT {}, md5(string_agg(rows::text, ' ' ORDER BY rows::text)) FROM {} AS rows")
    return sql.SQL(" UNION ALL ").join(one.format(table, sql.Identifier(table)) for table in _made_by_migrations).as_string()


def read(cursor: Any, *, only: Iterable[str] | None = None) -> Rows:
    """The rows of these tables, or of all that have any; sorted, since what was deleted leaves room for what comes next."""
    rows = {}
    for table in sorted(_with_rows(cursor) if only is None else only):
        with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
            rows[table] = b"".join(sorted(b"".join(copy).splitlines(keepends=True)))
    return rows


def write(cursor: Any, rows: Rows) -> None:
    for table, lines in rows.items():
        with cursor.copy(_into(table)) as copy:
            copy.write(lines)


@functools.cache
def _into(table: str) -> str:
    return sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table)).as_string()


# Recordings ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """Rows of PostgreSQL, and the objects that stand for them."""

    rows: Rows
    objects: bytes

    @functools.cached_property
    def identifiers(self) -> list[bytes]:
        """Those that are made anew, in the order of their making."""
        known = set(IDENTIFIER.findall(b"".join(_made_by_migrations.values())))
        return sorted(set(IDENTIFIER.findall(b"".join(self.rows.values()) + self.objects)) - known)

    def play(self) -> Any:
        """Puts the rows into the tables, in the test's transaction if there is one; gives the objects. Each time the identifiers are
        others: what a process believes of somebody must not reach the next test."""
        fresh = {old: str(uuid.uuid7()).encode() for old in self.identifiers}
        rows = {table: _replaced(lines, fresh) for table, lines in self.rows.items()}
        with transaction.atomic(), roles.as_owner(), connection.cursor() as cursor:
            cursor.execute(SILENT)
            write(cursor, rows)
            cursor.execute("SET LOCAL session_replication_role = origin")
        return _Player(io.BytesIO(_replaced(self.objects, fresh))).load()


def record(objects: Any) -> Recording:
    """The objects, with all rows that the migrations did not make."""
    with transaction.atomic(), roles.as_owner(), connection.cursor() as cursor:
        rows = read(cursor)
    written = io.BytesIO()
    _Recorder(written).dump(objects)
    return Recording({table: lines for table, lines in rows.items() if table not in _made_by_migrations}, written.getvalue())


def are_empty() -> bool:
    """Whether there is nothing but what the migrations made."""
    with transaction.atomic(), roles.as_owner(), connection.cursor() as cursor:
        return read(cursor) == _made_by_migrations


def _replaced(written: bytes, fresh: dict[bytes, bytes]) -> bytes:
    return IDENTIFIER.sub(lambda found: fresh.get(found[0], found[0]), written)


class _Recorder(pickle.Pickler):
    """Writes identifiers as the tables do."""

    def persistent_id(self, thing: Any) -> str | None:
        return str(thing) if isinstance(thing, UUID) else None


class _Player(pickle.Unpickler):
    def persistent_load(self, identifier: str) -> UUID:
        return UUID(identifier)
