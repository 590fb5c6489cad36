"""Which PostgreSQL role a connection acts as.

The login role owns the tables. Everything but migrations acts as `settings.DATABASE_ROLE`, which owns nothing and cannot bypass
row-level security.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import sql
from psycopg.pq import TransactionStatus

from tenants.errors import DatabaseRoleMissing


@contextmanager
def as_owner(*, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Inside, this thread's connection acts as the login role: for migrations, partitions and emptying tables, nothing else.

    Row-level security is forced, so it holds for the owner too (unless that is a superuser): moving tenants' rows still needs a
    `scoping.tenant(…)` or `scoping.across_tenants(…)`. Outside a transaction the connection is opened anew, beside the pool.
    """
    connection: Any = connections[using]
    if connection.as_owner or not settings.DATABASE_ROLE:
        yield
        return
    if connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
        connection.as_owner = True
        try:
            yield
        finally:
            connection.as_owner = False
            # In a failed transaction nothing can be sent; its rollback takes the RESET back.
            if connection.connection.info.transaction_status != TransactionStatus.INERROR:
                with connection.cursor() as cursor:
                    cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(settings.DATABASE_ROLE)))
        return
    pooled = connection.settings_dict
    connection.close()
    connection.settings_dict = {**pooled, "OPTIONS": {k: v for k, v in pooled["OPTIONS"].items() if k != "pool"}}
    connection.as_owner = True
    try:
        yield
    finally:
        connection.close()
        connection.as_owner = False
        connection.settings_dict = pooled


def grant(*, using: str = DEFAULT_DB_ALIAS, missing_ok: bool = False) -> None:
    """Lets the application's role work with every table and sequence there is. Safe to run again; needs `as_owner`.

    `DatabaseRoleMissing` if there is no such role, unless that is fine (half-way through the migrations).
    """
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [settings.DATABASE_ROLE])
        if cursor.fetchone() is None:
            if missing_ok:
                return
            raise DatabaseRoleMissing(f"The database has no role {settings.DATABASE_ROLE!r}. Migrate the app `tenants`, which creates it.")
        # No TRUNCATE: row-level security does not look at it.
        cursor.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(role))
        cursor.execute(sql.SQL("GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {}").format(role))


# What a session acts as, and whether row-level security holds for that.
ACTING = """
    SELECT r.rolname, r.rolsuper, r.rolbypassrls,
           EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p') AND n.nspname = 'public')
      FROM pg_roles r WHERE r.rolname = current_user
"""


def problems(*, using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """Sentences on why row-level security would not hold for what this connection acts as; empty if it holds. Causes a query."""
    with connections[using].cursor() as cursor:
        cursor.execute(ACTING)
        return judge(*cursor.fetchone())


def judge(role: str, is_superuser: bool, bypasses: bool, owns: bool) -> list[str]:
    """The sentences of `problems`, from the row that `ACTING` gives."""
    found = []
    if is_superuser:
        found.append(f"The role {role!r} is a superuser, so row-level security does not hold for it.")
    if bypasses:
        found.append(f"The role {role!r} has BYPASSRLS, so row-level security does not hold for it.")
    if owns:
        found.append(f"The role {role!r} owns tables, so it could switch row-level security off.")
    if found:
        found.append("Set DATABASE_ROLE to a role that is none of this (`manage.py migrate` creates parley_app).")
    return found
