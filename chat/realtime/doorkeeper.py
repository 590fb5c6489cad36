"""Who is at the open sockets of this web process, and whether they may still be.

A person is looked up once. Rights that changed are announced through Redis and asked for again at once; every few seconds, and
whenever Redis was away, everybody's are asked for again in one go. So a frame is authorised with rights that are never older than two
seconds, without a query of its own, and a thousand sockets that come back together are recognised without one.
"""

import asyncio
import logging
import math
import time
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

from django.db import DatabaseError

from chat.events import Close
from chat.realtime.hub import EVERYBODY, hub
from config import loop
from tenants import authentication, roles
from tenants.authentication import Credential, Principal

log = logging.getLogger(__name__)

ASK_EVERYBODY_SECONDS = 30.0
GATHER_SECONDS = 0.2  # that a look-up of everybody waits for those who come at the same time
AT_ONCE = 1_000
REMEMBERED_SECONDS = 45.0
IDLE_SECONDS = 4 * 3_600.0

_doorkeepers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Doorkeeper]" = weakref.WeakKeyDictionary()


class Guest(Protocol):
    """An open socket."""

    credential: Credential
    organization: str
    principal: Principal
    heard_at: float

    async def turn_away(self, code: int) -> None: ...


class Doorkeeper:
    """Belongs to one event loop; `doorkeeper()` finds it."""

    def __init__(self) -> None:
        self._guests: dict[str, set[Guest]] = {}
        self._known: dict[tuple[Credential, str], tuple[Principal, float]] = {}
        self._looking: dict[tuple[Credential, str], asyncio.Task[Principal | None]] = {}  # look-ups under way
        self._doubted: dict[str, float] = {}
        self._tasks: set[asyncio.Task] = set()
        self._watching: asyncio.Task | None = None
        self._is_about_to_ask = False

    async def admit(self, scope: Mapping[str, Any], *, organization: str) -> tuple[Credential, Principal] | None:
        """What this socket shows and who that is, or None."""
        credential = authentication.credential_of(scope)
        if credential is None:
            return None
        self._watch()
        principal = self._remembered(credential, organization) or await self._look_up(credential, organization)
        return None if principal is None else (credential, principal)

    def enter(self, guest: Guest) -> None:
        user_id = str(guest.principal.user.pk)
        self._guests.setdefault(user_id, set()).add(guest)
        principal, seen_at = self._known.get((guest.credential, guest.organization), (None, 0.0))
        if principal is not guest.principal or seen_at <= self._doubted.get(
            user_id, 0.0
        ):  # their rights changed while they were being looked up
            self._spawn(self._ask(guest))
        elif seen_at <= hub().connected_at < math.inf:  # nothing was heard for a part of that time
            self._doubt_everybody()

    def leave(self, guest: Guest) -> None:
        user_id = str(guest.principal.user.pk)
        guests = self._guests.get(user_id, set())
        guests.discard(guest)
        if not guests:
            self._guests.pop(user_id, None)

    # Who somebody is --------------------------------------------------------------------------------------------------

    def _remembered(self, credential: Credential, organization: str) -> Principal | None:
        """Somebody seen a moment ago, of whom nothing was announced since. Announcements are heard only while the hub is connected."""
        if (known := self._known.get((credential, organization))) is None:
            return None
        principal, seen_at = known
        doubted_at = self._doubted.get(str(principal.user.pk), 0.0)  # a look-up may have been under way then
        return principal if seen_at > max(time.monotonic() - REMEMBERED_SECONDS, hub().connected_at, doubted_at) else None

    async def _look_up(self, credential: Credential, organization: str) -> Principal | None:
        """One look-up for all the tabs that somebody opens at once, unless something changed since it began."""
        wanted = (credential, organization)
        if (looking := self._looking.get(wanted)) is None:
            looking = self._looking[wanted] = asyncio.create_task(self._read(credential, organization))
            looking.add_done_callback(lambda task: self._looking.pop(wanted) if self._looking.get(wanted) is task else None)
        return await asyncio.shield(looking)

    async def _read(self, credential: Credential, organization: str) -> Principal | None:
        await roles.refresh()
        asked_at = time.monotonic()
        principal = await loop.in_thread(authentication.principal_of, credential, organization=organization)
        if principal is None:
            self._known.pop((credential, organization), None)
        else:
            self._known[credential, organization] = (principal, asked_at)
        return principal

    # Whether they may still be here -----------------------------------------------------------------------------------

    def _doubt(self, user_id: str) -> None:
        self._looking.clear()  # who comes now is looked up anew
        if user_id == EVERYBODY:
            self._doubt_everybody()
            return
        self._doubted[user_id] = time.monotonic()
        for guest in tuple(self._guests.get(user_id, ())):
            self._spawn(self._ask(guest))

    def _spawn(self, coroutine) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, guest: Guest) -> None:
        """Looks one guest up again, and turns them away if they may not be here or have other rights now."""
        try:
            principal = await self._look_up(guest.credential, guest.organization)
            if principal is None:
                signed_out = await loop.in_thread(authentication.is_signed_out, guest.credential)
                await guest.turn_away(Close.SIGNED_OUT if signed_out else Close.NOT_ALLOWED)
            elif principal.rights != guest.principal.rights:
                await guest.turn_away(Close.RESTART)  # the page comes back by itself, with its new rights
        except DatabaseError as error:
            log.warning("PostgreSQL is away; who is at the socket is asked again later: %s", error)

    def _doubt_everybody(self) -> None:
        if not self._is_about_to_ask:
            self._is_about_to_ask = True
            self._spawn(self._ask_everybody_soon())

    async def _ask_everybody_soon(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        self._is_about_to_ask = False
        await self._ask_everybody_if_possible()

    def _watch(self) -> None:
        """Begins to hear whose rights changed, before anybody is looked up."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch_forever())
            hub().on_access_change(self._doubt)

    async def _watch_forever(self) -> None:
        """Asks for everybody again, and turns away who has been silent for long."""
        while True:
            await asyncio.sleep(ASK_EVERYBODY_SECONDS)
            await self._ask_everybody_if_possible()

    async def _ask_everybody_if_possible(self) -> None:
        try:
            await self._ask_everybody()
        except DatabaseError as error:
            log.warning("PostgreSQL is away; who is at the sockets is asked again later: %s", error)

    async def _ask_everybody(self) -> None:
        await roles.refresh()
        now = time.monotonic()
        everybody = [guest for guests in self._guests.values() for guest in guests]
        for start in range(0, len(everybody), AT_ONCE):
            some = everybody[start : start + AT_ONCE]
            rights = await loop.in_thread(authentication.rights_now, [guest.principal for guest in some])
            for guest, right in zip(some, rights, strict=True):
                if right != guest.principal.rights:
                    self._spawn(self._ask(guest))
                elif now - guest.heard_at > IDLE_SECONDS:
                    self._spawn(guest.turn_away(Close.IDLE))
                else:
                    self._known[guest.credential, guest.organization] = (guest.principal, now)
        for known in [known for known, (_, seen_at) in self._known.items() if now - seen_at > REMEMBERED_SECONDS]:
            del self._known[known]
        self._doubted = {user_id: at for user_id, at in self._doubted.items() if now - at < REMEMBERED_SECONDS}


def doorkeeper() -> Doorkeeper:
    """The running event loop's doorkeeper."""
    running = asyncio.get_running_loop()
    found = _doorkeepers.get(running)
    if found is None:
        found = _doorkeepers[running] = Doorkeeper()
    return found
