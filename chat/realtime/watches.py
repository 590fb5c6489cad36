"""What tabs watch besides conversations: an app further right offers it, and publishes a frame whenever it changes.

A web process follows an organization's channel as long as one of its tabs watches. Frames may be lost: each says how things are now.
"""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chat.events import Watched
from chat.realtime import keys
from chat.realtime.hub import hub
from chat.realtime.presence import Session
from config import redis
from tenants import roles
from tenants.models import Membership

_offers: "dict[Watched, Offer]" = {}
_boards: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Board]" = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Offer:
    """`permission` is needed to watch; `read` gives the frame that says how things are now in an organization."""

    permission: str
    read: Callable[[str], Awaitable[bytes]]


def offer(what: Watched, *, permission: str, read: Callable[[str], Awaitable[bytes]]) -> None:
    """Called once, when an app is ready."""
    _offers[what] = Offer(permission, read)


def publish(organization_id: str, what: Watched, frame: bytes) -> None:
    """Tells every tab that watches. Raises `redis.AWAY` errors."""
    redis.client().publish(keys.watch_channel(organization_id, what), frame)


async def admit(membership: Membership, what: Watched) -> Offer:
    """Raises `Forbidden`."""
    found = _offers[what]
    await roles.refresh()
    roles.require(membership, found.permission)
    return found


class Board:
    """Hands frames to the tabs of one event loop; `board()` finds it."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, Watched], set[Session]] = {}

    def enter(self, session: Session, what: Watched) -> None:
        watched = (session.organization_id, what)
        if watched not in self._sessions:
            self._sessions[watched] = set()
            hub().follow(keys.watch_channel(*watched), lambda frame: self._tell(watched, frame))
        self._sessions[watched].add(session)

    def leave(self, session: Session) -> None:
        for what in Watched:
            self.part(session, what)

    def part(self, session: Session, what: Watched) -> None:
        watched = (session.organization_id, what)
        sessions = self._sessions.get(watched, set())
        if session in sessions:
            sessions.discard(session)
            if not sessions:
                del self._sessions[watched]
                hub().unfollow(keys.watch_channel(*watched))

    def _tell(self, watched: tuple[str, Watched], frame: bytes) -> None:
        permission = _offers[watched[1]].permission
        for session in tuple(self._sessions.get(watched, ())):
            if roles.may(session.membership, permission):
                session.tell(frame)


def board() -> Board:
    """The running event loop's board."""
    running = asyncio.get_running_loop()
    found = _boards.get(running)
    if found is None:
        found = _boards[running] = Board()
    return found
