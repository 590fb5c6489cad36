"""How far people have read, and how many messages are unread: durable marks, and news for the tabs that want to know.

How many are unread follows from mark and count (`selectors.unread_of`): no counter is kept that could be wrong.
"""

import asyncio
import logging
import weakref
from typing import Any

import orjson
from django.db import DatabaseError
from django.utils import timezone
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from chat import access, events, selectors
from chat.choices import ConversationStatus
from chat.documents import Conversation, ReadMark
from chat.events import EventType
from chat.realtime import keys, news
from chat.realtime.hub import hub
from chat.realtime.presence import Session
from chat.records import ConversationRecord
from chat.services.totals import Batch
from config import loop, mongo
from config.failpoints import failpoint
from tenants import roles
from tenants.models import Membership

log = logging.getLogger(__name__)

C, R = mongo.names(Conversation), mongo.names(ReadMark)

GATHER_SECONDS = 0.3
DUPLICATE = 11000

_marks: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Batch[UpdateOne]]" = weakref.WeakKeyDictionary()
_boards: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Board]" = weakref.WeakKeyDictionary()


async def amark(membership: Membership, conversation: ConversationRecord, *, seq: int) -> int:
    """This person has read up to the message at `seq`, and never less than before. Returns how many are unread; their other tabs hear
    of it. Raises MongoDB's errors (`mongo.AWAY`)."""
    await roles.refresh()
    roles.require(membership, "chat:conversation:read")
    seq = min(seq, conversation.message_count)
    mark = {R.organization_id: conversation.organization_id, R.conversation_id: conversation.id, R.user_id: str(membership.user_id)}
    await _batch().add(UpdateOne(mark, {"$max": {R.seq: seq}, "$set": {R.read_at: timezone.now()}}, upsert=True))
    failpoint("read.recorded")
    news.tell(conversation.organization_id, conversation.id, user_id=str(membership.user_id))
    found = await mongo.async_collection(ReadMark).find_one(mark)
    return selectors.unread_of(conversation, user_id=str(membership.user_id), mark=found[R.seq] if found else seq)


def mark(membership: Membership, conversation: ConversationRecord, *, seq: int) -> int:
    return loop.run(amark(membership, conversation, seq=seq))


def _batch() -> Batch[UpdateOne]:
    running = asyncio.get_running_loop()
    found = _marks.get(running)
    if found is None:
        found = _marks[running] = Batch(_write)
    return found


async def _write(updates: list[UpdateOne]) -> None:
    marks = mongo.async_collection(ReadMark)
    try:
        await marks.bulk_write(updates, ordered=False)
    except BulkWriteError as error:
        if any(failure.get("code") != DUPLICATE for failure in error.details["writeErrors"]):
            raise
        await marks.bulk_write(updates, ordered=False)  # another process made the same mark meanwhile: now it is there


# News --------------------------------------------------------------------------------------------------------------------


class Board:
    """Tells the tabs of one event loop how many messages are unread, where that changed; `board()` finds it."""

    def __init__(self) -> None:
        self._sessions: dict[str, set[Session]] = {}  # by organization
        self._items: dict[str, set[news.Item]] = {}
        self._task: asyncio.Task | None = None

    def enter(self, session: Session) -> None:
        organization_id = session.organization_id
        if organization_id not in self._sessions:
            hub().follow(keys.news_channel(organization_id), lambda told: self._hear(organization_id, told))
        self._sessions.setdefault(organization_id, set()).add(session)

    def leave(self, session: Session) -> None:
        sessions = self._sessions.get(session.organization_id, set())
        if session not in sessions:
            return
        sessions.discard(session)
        if not sessions:
            del self._sessions[session.organization_id]
            hub().unfollow(keys.news_channel(session.organization_id))

    def _hear(self, organization_id: str, told: bytes) -> None:
        self._items.setdefault(organization_id, set()).update((item[0], item[1]) for item in orjson.loads(told))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell_all())

    async def _tell_all(self) -> None:
        while self._items:
            await asyncio.sleep(GATHER_SECONDS)
            found, self._items = self._items, {}
            try:
                await roles.refresh()
                for organization_id, items in found.items():
                    await self._tell(organization_id, items)
            except (*mongo.AWAY, DatabaseError) as error:
                log.warning("A store is away; what is unread is counted with the next page: %s", error)

    async def _tell(self, organization_id: str, items: set[news.Item]) -> None:
        """Two queries, however many conversations and people it is about."""
        sessions = self._sessions.get(organization_id, ())
        here: dict[str, list[Session]] = {}
        for session in sessions:
            here.setdefault(session.user_id, []).append(session)
        only = {user_id for _, user_id in items}
        if None not in only and not only & here.keys():
            return
        wanted = {
            C.organization_id: organization_id,
            C.conversation_id: {"$in": list({conversation_id for conversation_id, _ in items})},
            C.status: {"$ne": ConversationStatus.DELETED.value},
        }
        rows = {raw[C.conversation_id]: ConversationRecord.read(raw) async for raw in mongo.async_collection(Conversation).find(wanted)}
        told = {
            (row.id, one)
            for row, user_id in ((rows[conversation_id], user_id) for conversation_id, user_id in items if conversation_id in rows)
            for one in _concerned(row, user_id, here)
            if access.may_read(here[one][0].membership, row) and roles.may(here[one][0].membership, "chat:conversation:read")
        }
        if not told:
            return
        marked = {
            R.organization_id: organization_id,
            R.conversation_id: {"$in": list({conversation_id for conversation_id, _ in told})},
            R.user_id: {"$in": list({one for _, one in told})},
        }
        marks = {(raw[R.conversation_id], raw[R.user_id]): raw[R.seq] async for raw in mongo.async_collection(ReadMark).find(marked)}
        for conversation_id, one in told:
            count = selectors.unread_of(rows[conversation_id], user_id=one, mark=marks.get((conversation_id, one)))
            frame = events.passing(conversation_id, EventType.UNREAD, unread=count)
            for session in here[one]:
                session.tell(frame)


def _concerned(conversation: ConversationRecord, user_id: str | None, here: dict[str, Any]) -> set[str]:
    """Who of those here it may be news for."""
    if user_id is not None:
        return {user_id} & here.keys()
    return {conversation.user_id} & here.keys() if conversation.is_private else set(here)


def board() -> Board:
    """The running event loop's board."""
    running = asyncio.get_running_loop()
    found = _boards.get(running)
    if found is None:
        found = _boards[running] = Board()
    return found
