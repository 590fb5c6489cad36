"""Hears of changes to what is known of an organization's people, whoever makes them: a trigger in PostgreSQL tells of each.

For processes that keep what they read of employees for a while. PostgreSQL tells after the commit, and each listener notes when it
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

log = logging.getLogger(__name__)

CHANNEL = "people_changed"  # the payload is the organization's id; sent by the triggers of migration 0006
SKEW_SECONDS = 2.0  # between the clocks of two hosts
LOOK_SECONDS = 10.0  # of silence, after which the connection is asked whether it lives
AGAIN_SECONDS = 1.0
FORGET_SECONDS = 3_600.0  # nobody keeps what they read for longer

_listenings: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Listening]" = weakref.WeakKeyDictionary()


class Listening:
    """Belongs to one event loop; `listening()` finds it. Knows nothing, and says so, until `start` was called."""

    def __init__(self) -> None:
        self._since = float("inf")  # seconds since the epoch, as all times here
        self._heard: dict[str, float] = {}
        self._task: asyncio.Task | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._listen_forever())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task, self._since = None, float("inf")

    def is_current(self, organization_id: str, *, read_at: float) -> bool:
        """True if what was read at this time is what stands there now, but for what was committed a moment ago."""
        return read_at > max(self._since, self._heard.get(organization_id, 0.0)) + SKEW_SECONDS

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                log.warning("PostgreSQL does not tell of changed people now, so they are read each time: %s", error)
            self._since = float("inf")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(**_address(), autocommit=True) as connection:
            if settings.DATABASE_ROLE:
                await connection.execute(psycopg.sql.SQL("SET ROLE {}").format(psycopg.sql.Identifier(settings.DATABASE_ROLE)))
            await connection.execute(f"LISTEN {CHANNEL}")
            self._since = time.time()
            while True:
                async for told in connection.notifies(timeout=LOOK_SECONDS):
                    self._heard[told.payload] = time.time()
                await asyncio.wait_for(connection.execute("SELECT 1"), AGAIN_SECONDS)
                self._forget()

    def _forget(self) -> None:
        before = time.time() - FORGET_SECONDS
        self._heard = {organization: heard_at for organization, heard_at in self._heard.items() if heard_at > before}


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
