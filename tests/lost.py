"""Which thread took each connection out of PostgreSQL's pool: one that ended without giving it back has lost it for everybody."""

import asyncio
import threading
import traceback
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from django.db import connections
from psycopg_pool import ConnectionPool

P = ParamSpec("P")
T = TypeVar("T")

_taken: dict[Any, tuple[ConnectionPool, threading.Thread, traceback.StackSummary]] = {}
_getconn, _putconn = ConnectionPool.getconn, ConnectionPool.putconn


def watch() -> None:
    """From now on it is known who has which connection."""
    ConnectionPool.getconn, ConnectionPool.putconn = _take, _give  # type: ignore[method-assign]


def give_back() -> list[str]:
    """Gives back what nobody will, so that later tests have it. Returns how each of those connections was taken."""
    told, last = [], {thread: connection for connection, (_, thread, _) in list(_taken.items())}
    for connection, (pool, thread, stack) in list(_taken.items()):
        if not thread.is_alive() or last.get(thread) is not connection:
            connection.close()
            if not pool.closed:
                pool.putconn(connection)
            told.append(f"the thread {thread.name} ended with it, or took another one; it had taken it here:\n{''.join(stack.format())}")
            _taken.pop(connection, None)
    return told


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`asyncio.to_thread` for work that asks PostgreSQL: that loop's threads end with the test."""

    def once() -> T:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    return await asyncio.to_thread(once)


def _take(pool: ConnectionPool, *args: Any, **kwargs: Any) -> Any:
    connection = _getconn(pool, *args, **kwargs)
    frames = traceback.walk_stack(None)
    _taken[connection] = (pool, threading.current_thread(), traceback.StackSummary.extract(frames, limit=30, lookup_lines=False))
    return connection


def _give(pool: ConnectionPool, connection: Any, *args: Any, **kwargs: Any) -> None:
    _taken.pop(connection, None)
    _putconn(pool, connection, *args, **kwargs)
