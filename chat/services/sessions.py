"""Sessions: each open tab has a document, from its first second to ninety days after its last (S0-81…93, S0-113).

They are written off everybody's way: a thousand sockets that come back are one write. What changes while a tab is open is written in a
round; that the tab is open at all is said in one command for all tabs of an organization. Where the process dies, nobody says so any
more, and the sweeper closes its sessions.
"""

import asyncio
import ipaddress
import itertools
import logging
import os
import socket
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import uuid_utils.compat as uuid
from django.utils import timezone
from pymongo import UpdateMany, UpdateOne

from chat import devices
from chat.choices import OPEN_SESSIONS, PresenceStatus, SessionStatus
from chat.documents import ActiveConversation, ChatSession
from chat.realtime import keys
from chat.realtime import presence as presences
from chat.realtime.presence import Session, presence
from chat.services.totals import Batch
from config import mongo, periods, redis
from tenants import origins
from tenants.models import Membership
from tenants.scoping import ACROSS_COMMENT

log = logging.getLogger(__name__)

S, A = mongo.names(ChatSession), mongo.names(ActiveConversation)

GATHER_SECONDS = 0.5
LOST_AFTER = timedelta(seconds=2.5 * presences.REFRESH_SECONDS)
AT_ONCE = 200
OPEN = [status.value for status in OPEN_SESSIONS]
WHY_ACROSS = ACROSS_COMMENT + "the sweeper looks for sessions whose process is gone"

_host = socket.gethostname()
_connections = itertools.count(1)
_registers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Register]" = weakref.WeakKeyDictionary()


def enter(scope: Mapping[str, Any], membership: Membership, *, tell: Callable[[bytes], None]) -> Session:
    """A tab was opened. Waits for nothing."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
    now = timezone.now()
    session = Session(
        id=str(uuid.uuid7()),
        connection_id=f"{_host}:{os.getpid()}/{next(_connections)}",
        membership=membership,
        ip_address=_address_of(scope, headers),
        user_agent=headers.get("user-agent", "")[: devices.READ],
        connected_at=now,
        last_activity=now,
        tell=tell,
    )
    presence().enter(session)
    register().open(session)
    return session


async def leave(session: Session) -> None:
    """A tab was closed. Returns when that is written, or cannot be now: then the sweeper finds it."""
    session.closed_at = timezone.now()
    presence().leave(session)
    await register().close(session)


def _address_of(scope: Mapping[str, Any], headers: Mapping[str, str]) -> str | None:
    """The address of whoever is at the other end: what our own proxy says, where there is one."""
    found = origins.address_of((scope.get("client") or ("",))[0], headers.get("x-forwarded-for", ""))
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        return None


class Register:
    """The sessions of one event loop; `register()` finds it."""

    def __init__(self) -> None:
        self._open: set[Session] = set()
        self._writes: Batch[Session] = Batch(_write, seconds=GATHER_SECONDS)
        self._tasks: set[asyncio.Task] = set()
        self._watching: asyncio.Task | None = None

    def open(self, session: Session) -> None:
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        self._open.add(session)
        task = asyncio.create_task(self._add(session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, session: Session) -> None:
        self._open.discard(session)
        await self._add(session)

    async def _add(self, session: Session) -> None:
        try:
            await self._writes.add(session)
        except mongo.AWAY as error:
            log.warning("MongoDB is away, a session is written later: %s", error)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(presences.REFRESH_SECONDS)
            try:
                await self.refresh()
            except (*mongo.AWAY, *redis.AWAY) as error:
                log.warning("Who is there is written again later: %s", error)
                for session in self._open:  # all of it, then: the sweeper may have taken them for lost meanwhile
                    session.is_changed = True

    async def refresh(self) -> None:
        """Writes what changed since the last round, and of all others that they are still open. Raises `mongo.AWAY` and `redis.AWAY`."""
        now = timezone.now()
        changed = [session for session in self._open if session.is_changed]
        still: dict[str, list[str]] = {}
        for session in self._open:
            if not session.is_changed:
                still.setdefault(session.organization_id, []).append(session.id)
        await _write(changed)
        if still:
            seen = {"$set": {S.last_seen_at: now}}
            updates = [UpdateMany({S.organization_id: one, S.session_id: {"$in": ids}}, seen) for one, ids in still.items()]
            await mongo.async_collection(ChatSession, journaled=False).bulk_write(updates, ordered=False)
        await presence().refresh(changed)


async def _write(sessions: Sequence[Session]) -> None:
    """Each as it is now, some at a time: the event loop does nothing else meanwhile."""
    different = list(dict.fromkeys(sessions))
    for start in range(0, len(different), AT_ONCE):
        updates = [_as_update(session) for session in different[start : start + AT_ONCE]]
        await mongo.async_collection(ChatSession).bulk_write(updates, ordered=False)


def _as_update(session: Session) -> UpdateOne:
    """All of it each time, so that what could not be written then is there now."""
    session.is_changed = False
    now = session.closed_at or timezone.now()
    device = devices.device_of(session.user_agent)
    membership = session.membership
    status = SessionStatus.IDLE if session.status == PresenceStatus.AWAY else SessionStatus.ACTIVE
    document = {
        S.user_id: session.user_id,
        S.branch_id: str(membership.branch_id) if membership.branch_id else None,
        S.department_id: str(membership.department_id) if membership.department_id else None,
        S.user_role: str(membership.role),
        S.connection_id: session.connection_id,
        S.socket_id: session.id,
        S.ip_address: session.ip_address,
        S.user_agent: session.user_agent,
        S.status: (SessionStatus.DISCONNECTED if session.closed_at else status).value,
        S.last_activity: session.last_activity,
        S.active_conversations: [
            {A.conversation_id: conversation_id, A.joined_at: view.joined_at, A.last_message_at: view.last_message_at}
            for conversation_id, view in session.views.items()
        ],
        S.device_type: device.type.value,
        S.browser: device.browser,
        S.platform: device.platform,
        S.presence_status: session.status.value,
        S.last_seen_at: now,
        S.connected_at: session.connected_at,
        S.disconnected_at: session.closed_at,
        S.total_duration: _seconds(session.connected_at, session.closed_at) if session.closed_at else None,
        S.created_at: session.connected_at,
        S.updated_at: now,
        S.expires_at: now + periods.SESSIONS.period,
    }
    return UpdateOne({S.organization_id: session.organization_id, S.session_id: session.id}, {"$set": document}, upsert=True)


def _seconds(since: datetime, until: datetime) -> int:
    return max(0, round((until - since).total_seconds()))


async def sweep(now: datetime | None = None) -> int:
    """Closes the sessions that nobody has said to be open for `LOST_AFTER`, takes them out of the conversations they viewed, and returns
    how many that were. Each ended when it was last seen. Any number may run at once.
    """
    now = now or timezone.now()
    lost = (
        mongo.async_collection(ChatSession)
        .find({S.status: {"$in": OPEN}, S.last_seen_at: {"$lt": now - LOST_AFTER}}, comment=WHY_ACROSS)
        .sort(S.last_seen_at, 1)
        .limit(AT_ONCE)
    )
    closed = 0
    for raw in await lost.to_list():
        same = {name: raw[name] for name in (S.organization_id, S.session_id, S.status, S.last_seen_at)}
        seen_at = raw[S.last_seen_at]
        changes = {
            S.status: SessionStatus.EXPIRED.value,
            S.disconnected_at: seen_at,
            S.total_duration: _seconds(raw[S.connected_at], seen_at),
            S.updated_at: now,
            S.expires_at: now + periods.SESSIONS.period,
        }
        if (await mongo.async_collection(ChatSession).update_one(same, {"$set": changes})).modified_count:
            closed += 1
            await _tidy(raw)
    return closed


async def _tidy(raw: dict[str, Any]) -> None:
    """Whoever still views what the lost tab viewed is told to look. People who are there with another tab put themselves back."""
    async with redis.async_client().pipeline(transaction=False) as pipeline:
        pipeline.delete(keys.session(raw[S.session_id]))
        for viewed in raw[S.active_conversations]:
            presences.remove(pipeline, viewed[A.conversation_id], [raw[S.session_id]], [raw[S.user_id]])
            presences.hint(pipeline, viewed[A.conversation_id])
        try:
            await pipeline.execute()
        except redis.AWAY:
            pass  # the keys run out by themselves


def register() -> Register:
    """The running event loop's register."""
    running = asyncio.get_running_loop()
    found = _registers.get(running)
    if found is None:
        found = _registers[running] = Register()
    return found
