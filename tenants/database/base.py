"""Django's PostgreSQL backend, and before each statement the tenant it acts for (and, for the audit, who acts and why).

A psycopg connection carries what its session was last told. Before a statement, the cursor compares that with `acting.current()`
and tells the session where they differ. A rollback takes a `set_config` back without a word, so what was told inside a
transaction is believed only while that transaction lasts or after Django saw it committed.

Not for PgBouncer in transaction mode: there, two statements may reach two sessions.
"""

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from django.conf import settings
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from django.db.backends.postgresql.base import Cursor, ServerBindingCursor, ServerSideCursor
from django.db.utils import ProgrammingError
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from tenants import acting

if TYPE_CHECKING:
    AnyCursor = psycopg.ClientCursor[Any]
else:
    AnyCursor = object

TELL = (
    "SELECT set_config('rls.current_tenant', %s, false), set_config('rls.is_admin', %s, false),"
    " set_config('pghistory.context_id', %s, false), set_config('pghistory.context_metadata', %s, false)"
)


class Told(NamedTuple):
    """What a session believes, and whether a rollback could take it back."""

    scope: tuple[str, ...]
    provisional: bool


class Connection(psycopg.Connection):
    """psycopg's, with our note on it (never made by us: this only names the note)."""

    _parley_told: Told | None


def tell(connection: Connection) -> None:
    """Tells the session whom it acts for, where that changed. Costs a round trip then, nothing otherwise."""
    status = connection.info.transaction_status
    if status == TransactionStatus.INERROR:
        return  # nothing but a rollback is possible, and that must not be preceded by anything
    scope = acting.settings_of_session()
    told = getattr(connection, "_parley_told", None)
    if told is not None and told.scope == scope and not (told.provisional and status == TransactionStatus.IDLE):
        return
    connection._parley_told = None
    psycopg.Cursor(connection).execute(TELL, scope)
    connection._parley_told = Told(scope, provisional=connection.info.transaction_status != TransactionStatus.IDLE)


def forget(connection: Connection | None) -> None:
    """What the session was told is no longer certain: the next statement tells it again."""
    if connection is not None:
        connection._parley_told = None


def wipe(connection: Connection) -> None:
    """Runs when a connection goes back to its pool: no tenant stays in the session."""
    told = getattr(connection, "_parley_told", None)
    if told is not None and told.scope == acting.NOBODY and not told.provisional:
        return
    connection._parley_told = None
    psycopg.Cursor(connection).execute(TELL, acting.NOBODY)
    connection.commit()
    connection._parley_told = Told(acting.NOBODY, provisional=False)


def check(connection: Connection) -> None:
    """Runs before a pool hands a connection out. Where one has died the others probably have, and the pool would find out one by one,
    with longer and longer pauses: so it looks at all of them at once."""
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.OperationalError:
        if isinstance(pool := connection._pool, ConnectionPool):
            pool.check()
        raise


class TellingMixin(AnyCursor):
    """A cursor that tells its session the tenant before it sends anything."""

    if TYPE_CHECKING:
        connection: Connection

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        tell(self.connection)
        try:
            return super().execute(query, *args, **kwargs)
        finally:
            if isinstance(query, str) and query[:11].upper() == "ROLLBACK TO":
                forget(self.connection)

    def executemany(self, *args: Any, **kwargs: Any) -> Any:
        tell(self.connection)
        return super().executemany(*args, **kwargs)

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        tell(self.connection)
        return super().copy(*args, **kwargs)

    def stream(self, *args: Any, **kwargs: Any) -> Any:
        tell(self.connection)
        return super().stream(*args, **kwargs)


class TellingCursor(TellingMixin, Cursor):
    pass


class TellingServerBindingCursor(TellingMixin, ServerBindingCursor):
    pass


class TellingServerSideCursor(TellingMixin, ServerSideCursor):
    pass


class DatabaseWrapper(base.DatabaseWrapper):
    """See the module's docstring. `as_owner` is set by `roles.as_owner`, for migrations."""

    as_owner = False

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        binding = self.settings_dict["OPTIONS"].get("server_side_binding") is True
        params["cursor_factory"] = TellingServerBindingCursor if binding else TellingCursor
        return params

    @property
    def pool(self) -> Any:
        options = self.settings_dict["OPTIONS"].get("pool")
        if options:
            self.settings_dict["OPTIONS"]["pool"] = {**({} if options is True else options), "reset": wipe}
        pool = super().pool
        if pool is not None and pool._check is not None:  # Django names the check itself, and takes none from the options
            pool._check = check
        return pool

    def create_cursor(self, name: str | None = None) -> Any:
        if name is None:
            return super().create_cursor()
        cursor = super().create_cursor(name)
        if isinstance(cursor, ServerSideCursor):
            cursor.__class__ = TellingServerSideCursor
        else:
            tell(self.connection)
        return cursor

    def _configure_role(self, connection: psycopg.Connection) -> bool:
        role = settings.DATABASE_ROLE
        # The pool configures its connections, in threads of its own, with the method of whichever wrapper made it first: what that
        # one acts as now is not for the pool, which would hand an owner's connection to somebody else.
        is_owners = self.as_owner and threading.get_ident() == self._thread_ident  # type: ignore[attr-defined]
        if not role or is_owners or self.alias == NO_DB_ALIAS:
            return False
        try:
            psycopg.Cursor(connection).execute(psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(role)))
        except (psycopg.errors.UndefinedObject, psycopg.errors.InvalidParameterValue) as error:
            raise ProgrammingError(
                f"The database has no role {role!r} yet. Run `manage.py migrate`, which creates it, and start again."
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise ProgrammingError(
                f"The login role may not act as {role!r}. Have an administrator run: GRANT {role} TO {connection.info.user};"
            ) from error
        return True

    def _rollback(self) -> None:
        forget(self.connection)
        super()._rollback()  # type: ignore[misc]  # the stubs do not know it

    def _commit(self) -> None:
        connection = self.connection
        # COMMIT of a failed transaction is a rollback, and says nothing about it.
        sound = connection is not None and connection.info.transaction_status == TransactionStatus.INTRANS
        super()._commit()  # type: ignore[misc]
        told = getattr(connection, "_parley_told", None)
        if sound and told is not None:
            connection._parley_told = told._replace(provisional=False)
