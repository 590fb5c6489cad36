"""Who is there: the open sockets of this web process, how their people are, what they view and where they type.

Redis holds it for all processes (S0-94…96, S0-105, S0-106); every key runs out by itself where the process that wrote it died. Changes
are gathered for a moment and written together, so that a thousand sockets that come back cost a few round trips; all that lives is
written again in a round every `REFRESH_SECONDS`. Between that, a socket costs nothing.

What people see of each other travels as events without a number, on the channel of the conversation that both have joined: they may be
lost, and are never kept. `typing` and `presence` say it all themselves; `participants` is published as a mere hint, and each process
reads who is there and tells its own sockets.
"""

import asyncio
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.db import DatabaseError
from django.utils import timezone
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from chat import events
from chat.choices import PresenceStatus
from chat.events import EventType
from chat.realtime import keys
from chat.realtime.hub import hub
from chat.records import as_time
from config import loop, redis
from tenants import access as people
from tenants import scoping
from tenants.models import Membership

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.2
REFRESH_SECONDS = 120.0  # twice in the life of a key
AT_ONCE = 100  # sockets whose keys are written in one go: the event loop does nothing else meanwhile
BEST_FIRST = tuple(PresenceStatus)
NAMES_KEPT = 10_000

# KEYS: a person's presence. ARGV: the session that is gone. Leaves what another tab of theirs has written since.
_FORGET = """
if string.sub(redis.call('GET', KEYS[1]) or '', 1, 36) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""

T = TypeVar("T")

_all: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Presence]" = weakref.WeakKeyDictionary()


@dataclass(slots=True)
class View:
    """A conversation that a tab has joined, since when, and when the tab sent a message there last."""

    joined_at: datetime
    last_message_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Session:
    """An open tab: one socket of a person in one organization. `tell` takes a frame for it and must not wait."""

    id: str
    connection_id: str
    membership: Membership
    ip_address: str | None
    user_agent: str
    connected_at: datetime
    last_activity: datetime
    tell: Callable[[bytes], None] = field(repr=False)
    status: PresenceStatus = PresenceStatus.ONLINE
    views: dict[str, View] = field(default_factory=dict)
    closed_at: datetime | None = None
    is_changed: bool = True  # since its document was written

    @property
    def user_id(self) -> str:
        return str(self.membership.user_id)

    @property
    def organization_id(self) -> str:
        return str(self.membership.organization_id)

    def note_activity(self) -> None:
        self.last_activity = timezone.now()
        self.is_changed = True

    def note_message(self, conversation_id: str) -> None:
        """The person said something there."""
        if (view := self.views.get(conversation_id)) is not None:
            view.last_message_at = self.last_activity

    def as_hash(self) -> dict[Any, Any]:
        return {
            "userId": self.user_id,
            "organizationId": self.organization_id,
            "userRole": str(self.membership.role),
            "socketId": self.id,
            "connectionId": self.connection_id,
            "connectedAt": as_time(self.connected_at) or "",
            "lastActivity": as_time(self.last_activity) or "",
            "presenceStatus": self.status.value,
            "activeConversations": orjson.dumps(list(self.views)).decode(),
        }


def best(statuses: Iterable[PresenceStatus]) -> PresenceStatus:
    """How a person is, by all of their tabs."""
    return min(statuses, key=BEST_FIRST.index)


class Presence:
    """Belongs to one event loop; `presence()` finds it."""

    def __init__(self) -> None:
        self._people: dict[str, set[Session]] = {}  # by user
        self._rooms: dict[str, set[Session]] = {}  # by conversation
        self._names: dict[tuple[str, str], str] = {}  # of people of other processes, by organization and user
        self._task: asyncio.Task | None = None
        self._forget_changes()

    def _forget_changes(self) -> None:
        self._changed: set[Session] = set()
        self._gone: set[Session] = set()
        self._joined: set[str] = set()
        self._left: dict[str, set[Session]] = {}
        self._said: dict[tuple[str, EventType, str], tuple[Session, bool]] = {}
        self._doubted: set[str] = set()

    # What happens at the sockets --------------------------------------------------------------------------------------

    def enter(self, session: Session) -> None:
        hub().on_passing(self._hear)
        self._people.setdefault(session.user_id, set()).add(session)
        self._changed.add(session)
        self._soon()

    def leave(self, session: Session) -> None:
        for conversation_id in tuple(session.views):
            self.part(session, conversation_id)
        _discard(self._people, session.user_id, session)
        self._changed.discard(session)
        self._gone.add(session)
        self._soon()

    def join(self, session: Session, conversation_id: str) -> None:
        session.views[conversation_id] = View(timezone.now())
        self._rooms.setdefault(conversation_id, set()).add(session)
        self._joined.add(conversation_id)
        self._change(session)

    def part(self, session: Session, conversation_id: str) -> None:
        if session.views.pop(conversation_id, None) is None:
            return
        _discard(self._rooms, conversation_id, session)
        self._left.setdefault(conversation_id, set()).add(session)
        self._change(session)

    def type(self, session: Session, conversation_id: str, *, on: bool) -> None:
        self._said[conversation_id, EventType.TYPING, session.user_id] = (session, on)
        self._soon()

    def set_status(self, session: Session, status: PresenceStatus) -> None:
        if session.status == status:
            return
        session.status = status
        for conversation_id in session.views:
            self._said[conversation_id, EventType.PRESENCE, session.user_id] = (session, True)
        self._change(session)

    def _change(self, session: Session) -> None:
        session.is_changed = True
        self._changed.add(session)
        self._soon()

    def _hear(self, conversation_id: str, event: bytes) -> None:
        """Something passing was published about a conversation."""
        if conversation_id not in self._rooms:
            return
        if event == _hint(conversation_id):
            self._doubted.add(conversation_id)
            self._soon()
        else:
            self._tell(conversation_id, event)

    def _tell(self, conversation_id: str, event: bytes) -> None:
        for session in tuple(self._rooms.get(conversation_id, ())):
            session.tell(event)

    # What is written of it ---------------------------------------------------------------------------------------------

    def _soon(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        while self._changed or self._gone or self._joined or self._left or self._said or self._doubted:
            await asyncio.sleep(GATHER_SECONDS)
            changed, gone, joined, left, said, doubted = self._changed, self._gone, self._joined, self._left, self._said, self._doubted
            self._forget_changes()
            try:
                client = redis.async_client()
                await self._write_sessions(client, changed, gone)
                await self._write_rooms(client, joined, left)
                await self._publish(client, said)
                await self._tell_participants(client, doubted)
            except (*redis.AWAY, DatabaseError) as error:
                log.warning("Who is there is not told for now: %s", error)
            except Exception:
                log.exception("Telling who is there stumbled and goes on.")

    async def _write_sessions(self, client: Redis, changed: set[Session], gone: set[Session]) -> None:
        for some in _parts(changed):
            pipeline = client.pipeline(transaction=False)
            for session in some:
                if session.closed_at is None:
                    _keep(pipeline, session)
            for user_id in {session.user_id for session in some}:
                self._keep_person(pipeline, user_id)
            if len(pipeline):
                await pipeline.execute()
        for some in _parts(gone):
            pipeline = client.pipeline(transaction=False)
            for session in some:
                pipeline.delete(keys.session(session.id))
                if session.user_id in self._people:
                    self._keep_person(pipeline, session.user_id)
                else:
                    pipeline.eval(_FORGET, 1, keys.presence(session.user_id), session.id)
            await pipeline.execute()

    def _keep_person(self, pipeline: Pipeline, user_id: str, *, only_missing: bool = False) -> None:
        if sessions := self._people.get(user_id):
            shown = min(sessions, key=lambda session: (BEST_FIRST.index(session.status), -session.last_activity.timestamp()))
            seen_at = as_time(timezone.now())
            pipeline.set(keys.presence(user_id), f"{shown.id}|{shown.status.value}|{seen_at}", ex=keys.PRESENCE_TTL, nx=only_missing)

    async def _write_rooms(self, client: Redis, joined: set[str], left: dict[str, set[Session]]) -> None:
        """Who views what; others who view it are told to look."""
        for some in _parts(joined | left.keys()):
            pipeline = client.pipeline(transaction=False)
            for conversation_id in some:
                away = left.get(conversation_id, set()) - self._rooms.get(conversation_id, set())
                remove(pipeline, conversation_id, [session.id for session in away], self._not_here(conversation_id, away))
                self._keep_room(pipeline, conversation_id)
            for conversation_id in some:
                pipeline.scard(keys.participants(conversation_id))
                pipeline.scard(keys.room(conversation_id))
            counts = (await pipeline.execute())[-2 * len(some) :]
            hints = client.pipeline(transaction=False)
            for conversation_id, people_there, sockets in zip(some, counts[::2], counts[1::2], strict=True):
                if people_there > 1 or (sockets and conversation_id in left):
                    hint(hints, conversation_id)
            if len(hints):
                await hints.execute()

    def _not_here(self, conversation_id: str, sessions: Iterable[Session]) -> list[str]:
        """The people of these sessions who have no other tab of this process in the conversation."""
        here = {session.user_id for session in self._rooms.get(conversation_id, ())}
        return list({session.user_id for session in sessions} - here)

    def _keep_room(self, pipeline: Pipeline, conversation_id: str) -> None:
        sessions = self._rooms.get(conversation_id)
        if sessions:
            pipeline.sadd(keys.participants(conversation_id), *{session.user_id for session in sessions})
            pipeline.sadd(keys.room(conversation_id), *(session.id for session in sessions))
        pipeline.expire(keys.participants(conversation_id), keys.VIEWERS_TTL)
        pipeline.expire(keys.room(conversation_id), keys.VIEWERS_TTL)

    async def _publish(self, client: Redis, said: dict[tuple[str, EventType, str], tuple[Session, bool]]) -> None:
        if not said:
            return
        pipeline = client.pipeline(transaction=False)
        for (conversation_id, event, user_id), (session, on) in said.items():
            facts: dict[str, Any] = {"user": {"id": user_id, "name": session.membership.user.name}}
            if event == EventType.TYPING:
                facts["on"] = on
                if on:
                    pipeline.set(keys.typing(conversation_id, user_id), "typing", ex=keys.TYPING_TTL)
                else:
                    pipeline.delete(keys.typing(conversation_id, user_id))
            else:
                here = [each.status for each in self._people.get(user_id, ()) if conversation_id in each.views]
                facts["status"] = best(here or [session.status]).value
            pipeline.publish(keys.event_channel(conversation_id), events.passing(conversation_id, event, **facts))
        await pipeline.execute()

    async def _tell_participants(self, client: Redis, doubted: set[str]) -> None:
        """Reads who views these conversations, of all processes, and tells the sockets here."""
        for some in _parts(doubted & self._rooms.keys()):
            for conversation_id, statuses in zip(some, await self._viewers(client, some), strict=True):
                names = await self._names_of(conversation_id, statuses)
                there = sorted((names[one], one) for one in statuses if one in names)
                users = [{"id": one, "name": name, "status": statuses[one].value} for name, one in there]
                self._tell(conversation_id, events.passing(conversation_id, EventType.PARTICIPANTS, users=users))

    async def _viewers(self, client: Redis, conversation_ids: list[str]) -> list[dict[str, PresenceStatus]]:
        """As `viewers`. Another process, where somebody has closed one of their tabs, may have taken them out: they are put back first,
        and everybody looks again."""
        pipeline = client.pipeline(transaction=False)
        here = [one for one in conversation_ids if one in self._rooms]
        for conversation_id in here:
            pipeline.sadd(keys.participants(conversation_id), *{session.user_id for session in self._rooms[conversation_id]})
        for user_id in {session.user_id for conversation_id in here for session in self._rooms[conversation_id]}:
            self._keep_person(pipeline, user_id, only_missing=True)
        added = (await pipeline.execute())[: len(here)] if here else []
        if mended := [conversation_id for conversation_id, count in zip(here, added, strict=True) if count]:
            hints = client.pipeline(transaction=False)
            for conversation_id in mended:
                hint(hints, conversation_id)
            await hints.execute()
        return await viewers(client, conversation_ids)

    async def _names_of(self, conversation_id: str, user_ids: Iterable[str]) -> dict[str, str]:
        """The names of those of them who belong to the conversation's organization. Causes a query where one was never seen here."""
        sessions = self._rooms.get(conversation_id)
        if not sessions:
            return {}
        membership = next(iter(sessions)).membership
        organization_id = str(membership.organization_id)
        found = {session.user_id: session.membership.user.name for session in sessions}
        unknown = [one for one in user_ids if one not in found and (organization_id, one) not in self._names]
        if unknown:
            if len(self._names) > NAMES_KEPT:
                self._names.clear()
            for user_id, name in await loop.in_thread(_names, membership, unknown):
                self._names[organization_id, user_id] = name
        known = {one: self._names[organization_id, one] for one in user_ids if (organization_id, one) in self._names}
        return known | found

    # The round ---------------------------------------------------------------------------------------------------------

    async def refresh(self, changed: Iterable[Session] = ()) -> None:
        """Keeps all that lives here from running out, and writes anew what changed and what Redis has forgotten. Raises `redis.AWAY`
        errors."""
        client = redis.async_client()
        forgotten = set(changed)
        for some in _parts({session for sessions in self._people.values() for session in sessions} - forgotten):
            pipeline = client.pipeline(transaction=False)
            for session in some:
                pipeline.expire(keys.session(session.id), keys.SESSION_TTL)
            for user_id in {session.user_id for session in some}:
                self._keep_person(pipeline, user_id)
            answers = await pipeline.execute()
            forgotten |= {session for session, is_there in zip(some, answers, strict=False) if not is_there}
        await self._write_sessions(client, forgotten, set())
        await self._refresh_rooms(client)

    async def _refresh_rooms(self, client: Redis) -> None:
        for some in _parts(self._rooms):
            pipeline = client.pipeline(transaction=False)
            for conversation_id in some:
                pipeline.expire(keys.participants(conversation_id), keys.VIEWERS_TTL)
                pipeline.expire(keys.room(conversation_id), keys.VIEWERS_TTL)
            answers = await pipeline.execute()
            missing = [one for one, *there in zip(some, answers[::2], answers[1::2], strict=True) if not all(there)]
            pipeline = client.pipeline(transaction=False)
            for conversation_id in missing:
                self._keep_room(pipeline, conversation_id)
            if missing:
                await pipeline.execute()


def _names(membership: Membership, user_ids: Iterable[str]) -> list[tuple[str, str]]:
    with scoping.tenant(membership.organization_id):
        return [(str(member.user_id), member.user.name) for member in people.members_among(membership, user_ids)]


async def viewers(client: Redis, conversation_ids: list[str]) -> list[dict[str, PresenceStatus]]:
    """Of each conversation, who views it and how they are, by user. Two round trips. Who was not heard of for `PRESENCE_TTL` (their
    process died) is left out. How they are, their tabs in this conversation say: what they do in another organization is not told.
    """
    pipeline = client.pipeline(transaction=False)
    for conversation_id in conversation_ids:
        pipeline.smembers(keys.participants(conversation_id))
        pipeline.smembers(keys.room(conversation_id))
    found: list[set[bytes]] = await pipeline.execute()
    answers = [[member.decode() for member in members] for members in found]
    rooms = list(zip(answers[::2], answers[1::2], strict=True))
    users = list({user_id for viewing, _ in rooms for user_id in viewing})
    sockets = list({socket_id for _, room in rooms for socket_id in room})
    pipeline = client.pipeline(transaction=False)
    for user_id in users:
        pipeline.exists(keys.presence(user_id))
    for socket_id in sockets:
        pipeline.hmget(keys.session(socket_id), "userId", "presenceStatus")
    said = await pipeline.execute() if len(pipeline) else []
    alive = {user_id for user_id, is_there in zip(users, said, strict=False) if is_there}
    tabs = {
        socket_id: (tab[0].decode(), PresenceStatus(tab[1].decode()))
        for socket_id, tab in zip(sockets, said[len(users) :], strict=True)
        if tab[0] and tab[1]
    }
    shown = []
    for viewing, room in rooms:
        statuses: dict[str, list[PresenceStatus]] = {user_id: [] for user_id in viewing if user_id in alive}
        for user_id, status in (tabs[socket_id] for socket_id in room if socket_id in tabs):
            if user_id in statuses:
                statuses[user_id].append(status)
        shown.append({user_id: best(those or [PresenceStatus.ONLINE]) for user_id, those in statuses.items()})
    return shown


async def statuses(client: Redis, user_ids: Sequence[str], *, organization_id: str) -> dict[str, PresenceStatus]:
    """How those of these people are who are in this organization now. Two round trips. Of somebody who has tabs in several, only the
    organization knows in which they were last."""
    if not user_ids:
        return {}
    found: list[Any] = await client.mget([keys.presence(user_id) for user_id in user_ids])
    said = {user_id: value.decode().split("|") for user_id, value in zip(user_ids, found, strict=True) if value}
    pipeline = client.pipeline(transaction=False)
    for session_id, _, _ in said.values():
        pipeline.hget(keys.session(session_id), "organizationId")
    where = await pipeline.execute() if said else []
    here = organization_id.encode()
    return {user_id: PresenceStatus(one[1]) for (user_id, one), at in zip(said.items(), where, strict=True) if at == here}


async def typing_in(client: Redis, conversation_id: str, user_ids: Sequence[str]) -> set[str]:
    """Those of these people who type there now."""
    found = await client.mget([keys.typing(conversation_id, user_id) for user_id in user_ids]) if user_ids else []
    return {user_id for user_id, value in zip(user_ids, found, strict=True) if value}


def remove(pipeline: Pipeline, conversation_id: str, socket_ids: Sequence[str], user_ids: Sequence[str]) -> None:
    """Takes sockets and people out of a conversation."""
    if socket_ids:
        pipeline.srem(keys.room(conversation_id), *socket_ids)
    if user_ids:
        pipeline.srem(keys.participants(conversation_id), *user_ids)


def hint(pipeline: Pipeline, conversation_id: str) -> None:
    """Tells every process that views it to look who is there."""
    pipeline.publish(keys.event_channel(conversation_id), _hint(conversation_id))


def _hint(conversation_id: str) -> bytes:
    return events.passing(conversation_id, EventType.PARTICIPANTS, users=None)


def _keep(pipeline: Pipeline, session: Session) -> None:
    pipeline.hset(keys.session(session.id), mapping=session.as_hash())
    pipeline.expire(keys.session(session.id), keys.SESSION_TTL)


def _discard(index: dict[str, set[Session]], key: str, session: Session) -> None:
    found = index.get(key, set())
    found.discard(session)
    if not found:
        index.pop(key, None)


def _parts(items: Iterable[T]) -> Iterator[list[T]]:
    everything = list(items)
    for start in range(0, len(everything), AT_ONCE):
        yield everything[start : start + AT_ONCE]


def presence() -> Presence:
    """The running event loop's presence."""
    running = asyncio.get_running_loop()
    found = _all.get(running)
    if found is None:
        found = _all[running] = Presence()
    return found
