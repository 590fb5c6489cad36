"""Hears of changes to what is known of an organization's people, and to what it has configured, whoever makes them: triggers in
PostgreSQL tell of each, by one connection.

For processes that keep what they read for a while. PostgreSQL tells after the commit, and each listener notes when it
heard. What was read before that, or within `SKEW_SECONDS` after it, is out of date; and so is everything that was read before a
process began to listen, or while it could not.
"""

import asyncio
import logging
import time
import weakref
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections

from config import loop

log = logging.getLogger(__name__)

CHANNEL = "people_changed"  # the payload is the organization's id; sent by the triggers of migration 0006
CHANNELS = (CHANNEL, "configurations_changed")
SKEW_SECONDS = 2.0  # between the clocks of two hosts
LOOK_SECONDS = 10.0  # of silence, after which the connection is asked whether it lives
AGAIN_SECONDS = 1.0
FORGET_SECONDS = 3_600.0  # nobody keeps what they read for longer

_listenings: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Listening]" = weakref.WeakKeyDictionary()


class Listening:
    """Belongs to one event loop; `listening()` finds it. Knows nothing, and says so, until `start` was called."""

    def __init__(self) -> None:
        self._since = float("inf")  # seconds since the epoch, as all times here
        self._heard: dict[tuple[str, str], float] = {}  # (channel, organization)
        self._task: asyncio.Task | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._listen_forever())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task, self._since = None, float("inf")

    @property
    def hears(self) -> bool:
        """Whether PostgreSQL tells of changes now."""
        return self._since != float("inf")

    def is_current(self, organization_id: str, *, read_at: float, channel: str = CHANNEL, skew: float | None = None) -> bool:
        """True if what was read at this time is what stands there now, but for what was committed a moment ago.

        `skew` is 0 for who read it in this very process, by the same clock.
        """
        changed = max(self._since, self._heard.get((channel, organization_id), 0.0))
        return read_at > changed + (SKEW_SECONDS if skew is None else skew)

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                log.warning("PostgreSQL does not tell of changes now, so it is read each time: %s", error)
            self._since = float("inf")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(**_address(), autocommit=True) as connection:
            if settings.DATABASE_ROLE:
                await connection.execute(psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(settings.DATABASE_ROLE)))
            for channel in CHANNELS:
                await connection.execute(f"LISTEN {channel}")
            connection.add_notify_handler(lambda told: self._hear(told.channel, told.payload))  # of what is told during the next command
            self._since = time.time()
            while True:
                if await _speaks(connection, seconds=LOOK_SECONDS):
                    connection.pgconn.consume_input()
                    while (told := connection.pgconn.notifies()) is not None:
                        self._hear(told.relname.decode(), told.extra.decode())
                else:
                    async with asyncio.timeout(AGAIN_SECONDS):
                        await connection.execute("SELECT 1")
                    self._forget()

    def _hear(self, channel: str, organization_id: str) -> None:
        self._heard[channel, organization_id] = time.time()

    def _forget(self) -> None:
        before = time.time() - FORGET_SECONDS
        self._heard = {key: heard_at for key, heard_at in self._heard.items() if heard_at > before}


async def _speaks(connection: psycopg.AsyncConnection, *, seconds: float) -> bool:
    """Waits until there is something to read, at most so long. `notifies()` would look ten times a second, in every process."""
    running, readable = asyncio.get_running_loop(), asyncio.Event()
    running.add_reader(connection.fileno(), readable.set)
    try:
        async with asyncio.timeout(seconds):
            await readable.wait()
    except TimeoutError:
        return False
    finally:
        running.remove_reader(connection.fileno())
    return True


def _address() -> dict[str, Any]:
    """How Django reaches PostgreSQL, without what concerns its own cursors and pool."""
    parameters = connections["default"].get_connection_params()
    for name in ("cursor_factory", "pool", "server_side_binding"):
        parameters.pop(name, None)
    return parameters


def listening() -> Listening:
    """The running event loop's."""
    running = asyncio.get_running_loop()
    found = _listenings.get(running)
    if found is None:
        found = _listenings[running] = Listening()
    return found


def of_process() -> Listening:
    """That of the process's own event loop (`config.loop`), for code on any thread or loop; listening begins when it is first asked for."""
    global _of_process
    running = loop.background()
    if _of_process is None or _of_process[0] is not running:
        found = _listenings.setdefault(running, Listening())
        running.call_soon_threadsafe(found.start)
        _of_process = running, found
    return _of_process[1]


_of_process: tuple[asyncio.AbstractEventLoop, Listening] | None = None
