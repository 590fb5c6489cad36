"""Who is at the open sockets of this web process, and whether they may still be.

A socket's person is looked up once when it opens. Rights that changed are announced by Redis and asked for again at once; once in
a while, and whenever Redis was away, everybody is asked for again. So a frame is authorised with rights that are never older than
two seconds, without a query of its own.
"""

import asyncio
import logging
import time
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from django.db import DatabaseError

from chat.events import Close
from chat.realtime.hub import hub
from config import loop
from tenants import authentication, roles
from tenants.authentication import Principal

log = logging.getLogger(__name__)

ASK_EVERYBODY_SECONDS = 15.0
IDLE_SECONDS = 4 * 3_600.0

_doorkeepers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Doorkeeper]" = weakref.WeakKeyDictionary()


class Guest(Protocol):
    """An open socket."""

    scope: Mapping[str, Any]
    organization: str
    principal: Principal
    heard_at: float

    async def turn_away(self, code: int) -> None: ...


class Doorkeeper:
    """Belongs to one event loop; `doorkeeper()` finds it."""

    def __init__(self) -> None:
        self._guests: dict[str, set[Guest]] = {}
        self._tasks: set[asyncio.Task] = set()
        self._watching: asyncio.Task | None = None

    async def admit(self, scope: Mapping[str, Any], *, organization: str) -> Principal | None:
        """The person at this socket, or None."""
        await roles.refresh()
        return await loop.in_thread(authentication.scope_principal, scope, organization=organization)

    def enter(self, guest: Guest) -> None:
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
            hub().on_access_change(self._doubt)
        self._guests.setdefault(str(guest.principal.user.pk), set()).add(guest)

    def leave(self, guest: Guest) -> None:
        user_id = str(guest.principal.user.pk)
        guests = self._guests.get(user_id, set())
        guests.discard(guest)
        if not guests:
            self._guests.pop(user_id, None)

    def _doubt(self, user_id: str) -> None:
        for guest in tuple(self._guests.get(user_id, ())):
            self._spawn(self._ask(guest))

    def _spawn(self, coroutine) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, guest: Guest) -> None:
        try:
            principal = await self.admit(guest.scope, organization=guest.organization)
        except DatabaseError as error:
            log.warning("PostgreSQL is away; who is at the socket is asked again later: %s", error)
            return
        if principal is None:
            signed_out = await loop.in_thread(authentication.is_signed_out, guest.principal)
            await guest.turn_away(Close.SIGNED_OUT if signed_out else Close.NOT_ALLOWED)
        elif _rights(principal) != _rights(guest.principal):
            await guest.turn_away(Close.RESTART)  # the page comes back by itself, with its new rights
        else:
            guest.principal = principal

    async def _watch(self) -> None:
        """Asks for everybody again, spread over the interval, and turns away who has been silent for long."""
        while True:
            began = time.monotonic()
            everybody = [guest for guests in self._guests.values() for guest in guests]
            for guest in everybody:
                await asyncio.sleep(ASK_EVERYBODY_SECONDS / len(everybody))
                if time.monotonic() - guest.heard_at > IDLE_SECONDS:
                    await guest.turn_away(Close.IDLE)
                else:
                    await self._ask(guest)
            await asyncio.sleep(max(1.0, ASK_EVERYBODY_SECONDS - (time.monotonic() - began)))


def _rights(principal: Principal) -> tuple[object, ...]:
    membership = principal.membership
    return (membership.pk, membership.role, membership.branch_id, membership.department_id)


def doorkeeper() -> Doorkeeper:
    """The running event loop's doorkeeper."""
    running = asyncio.get_running_loop()
    found = _doorkeepers.get(running)
    if found is None:
        found = _doorkeepers[running] = Doorkeeper()
    return found
