"""Reading conversations and messages: pages of them, and snapshots that fit the event stream."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from chat import access, strands
from chat.choices import ON_THEIR_WAY, ConversationStatus, Kind, PresenceStatus
from chat.documents import ChatSession, Conversation, Message, MessageRevision, ReadMark, Share
from chat.events import EventType
from chat.realtime import presence, stream
from chat.records import ConversationRecord, MessageRecord, PersonThere, SessionRecord, ShareRecord
from chat.strands import FIRST, Path
from config import loop, mongo, redis
from tenants import access as people
from tenants import roles
from tenants.models import Membership

C, M, R = mongo.names(Conversation), mongo.names(Message), mongo.names(MessageRevision)
S = mongo.names(Share)
T, K = mongo.names(ChatSession), mongo.names(ReadMark)

NOT_IN_LISTS = {C.strands: 0, C.shown: 0, C.counted_answers: 0, C.queue: 0}
PAGE = 50
MOST = 200


@dataclass(frozen=True, slots=True)
class InboxCursor:
    """A place in the inbox: before (or, going backwards, after) this conversation."""

    last_message_at: datetime
    conversation_id: str
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class ConversationPage:
    results: tuple[ConversationRecord, ...]
    next: InboxCursor | None
    previous: InboxCursor | None


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages in the order they were said. `before` asks for the page above, `after` for the one below; None where there is none."""

    results: tuple[MessageRecord, ...]
    before: int | None
    after: int | None


def inbox(
    membership: Membership,
    *,
    status: str = ConversationStatus.ACTIVE,
    kind: str | None = None,
    type: str | None = None,
    pinned: bool | None = None,
    q: str = "",
    subject: str | None = None,
    about: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: InboxCursor | None = None,
    limit: int = PAGE,
) -> ConversationPage:
    """What this member may read, latest first; of what is deleted, their own. `q` finds words of titles; `about`: one of these employees;
    the last message came from `since` on and before `until`. Causes one query."""
    roles.require(membership, "chat:conversation:read")
    limit = max(1, min(limit, MOST))
    wanted: dict[str, Any] = {C.organization_id: str(membership.organization_id), C.status: str(status)}
    if status == ConversationStatus.DELETED:
        wanted |= {C.user_id: str(membership.user_id), C.removed_at: None}
    if kind:
        wanted[C.kind] = str(kind)
    if type:
        wanted[C.type] = str(type)
    if pinned is not None:
        # A conversation that was never pinned may say nothing of it.
        wanted[C.is_pinned] = True if pinned else {"$ne": True}
    if subject:
        wanted[C.subject_employee_ids] = access.key(subject)
    if about is not None:
        wanted[C.subject_employee_ids] = {"$in": list(about)}
    if q.strip():
        wanted[C.title] = {"$regex": re.escape(q.strip()[:200]), "$options": "i"}
    conditions = [wanted, access.readable_by(membership, kind=kind)]
    if said := {operator: moment for operator, moment in (("$gte", since), ("$lt", until)) if moment is not None}:
        conditions.append({C.last_message_at: said})
    backwards = cursor is not None and cursor.backwards
    if cursor is not None:
        # Says less than `beyond`, but it bounds the index: without it a later page reads all before it, too.
        wanted[C.last_message_at] = {"$gte" if backwards else "$lte": cursor.last_message_at}
        conditions.append(beyond(cursor))
    direction = 1 if backwards else -1
    found = list(
        mongo.collection(Conversation)
        .find({**wanted, "$and": conditions[1:]}, NOT_IN_LISTS)
        .sort([(C.last_message_at, direction), (C.conversation_id, direction)])
        .limit(limit + 1)
    )
    more = len(found) > limit
    rows = [ConversationRecord.read(raw) for raw in found[:limit]]
    if backwards:
        rows.reverse()
    has_next = bool(rows) and (more or backwards)
    has_previous = bool(rows) and (more if backwards else cursor is not None)
    return ConversationPage(
        results=tuple(rows),
        next=_cursor(rows[-1], backwards=False) if has_next else None,
        previous=_cursor(rows[0], backwards=True) if has_previous else None,
    )


def beyond(cursor: InboxCursor) -> dict[str, Any]:
    """The condition that a conversation stands behind this place of the inbox, or before it."""
    than = "$gt" if cursor.backwards else "$lt"
    return {
        "$or": [
            {C.last_message_at: {than: cursor.last_message_at}},
            {C.last_message_at: cursor.last_message_at, C.conversation_id: {than: cursor.conversation_id}},
        ]
    }


def _cursor(row: ConversationRecord, *, backwards: bool) -> InboxCursor:
    return InboxCursor(row.last_message_at, row.id, backwards)


def messages(
    conversation: ConversationRecord,
    *,
    strand: int = FIRST,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> MessagePage:
    """The newest page of a strand's path, or the one before or after a place (`seq`). The conversation came through the door, and has
    the strand. One query."""
    limit = max(1, min(limit, MOST))
    path = conversation.path(strand)
    found = list(mongo.collection(Message).find(**_page(conversation, path, before=before, after=after, limit=limit)))
    return _message_page(found, path, before=before, after=after, limit=limit)


async def amessages(
    conversation: ConversationRecord,
    *,
    strand: int = FIRST,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> MessagePage:
    limit = max(1, min(limit, MOST))
    path = conversation.path(strand)
    cursor = mongo.async_collection(Message).find(**_page(conversation, path, before=before, after=after, limit=limit))
    return _message_page(await cursor.to_list(), path, before=before, after=after, limit=limit)


def _page(conversation: ConversationRecord, path: Path, *, before: int | None, after: int | None, limit: int) -> dict[str, Any]:
    place: dict[str, int] = {}
    if before is not None:
        place["$lt"] = before
    if after is not None:
        place["$gt"] = after
    wanted: dict[str, Any] = {
        M.organization_id: conversation.organization_id,
        M.conversation_id: conversation.id,
        M.deleted_at: None,
    }
    if place:
        wanted[M.seq] = place
    upwards = after is not None and before is None
    query: dict[str, Any] = {"filter": wanted, "sort": [(M.seq, 1 if upwards else -1)], "limit": limit + 1}
    if path:
        wanted["$or"] = strands.clauses(path, most=limit + 1, before=before, after=after, upwards=upwards)
        query["hint"] = strands.INDEX
    return query


def _message_page(found: list[dict[str, Any]], path: Path, *, before: int | None, after: int | None, limit: int) -> MessagePage:
    more = len(found) > limit
    rows = [MessageRecord.read(raw) for raw in found[:limit]]
    upwards = after is not None and before is None
    if not upwards:
        rows.reverse()
    above = bool(rows) and (more if not upwards else rows[0].seq > strands.beginning(path))
    below = bool(rows) and (more if upwards else before is not None)
    return MessagePage(
        results=tuple(rows),
        before=rows[0].seq if above else None,
        after=rows[-1].seq if below else None,
    )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A conversation and the newest messages of a strand's path as of event number `n`: what follows it in the stream continues it."""

    n: int
    conversation: ConversationRecord
    strand: int
    messages: tuple[MessageRecord, ...]
    earlier: int | None  # ask for messages before this place

    def as_json(self) -> dict[str, Any]:
        return {
            "conversation": self.conversation.as_json(),
            "strand": self.strand,
            "strands": [strand.as_json() for strand in self.conversation.strands],
            "messages": [message.as_json() for message in self.messages],
            "queue": self.conversation.queue.as_json(),
            "earlier": self.earlier,
        }


async def snapshot(conversation: ConversationRecord, *, strand: int = FIRST, limit: int = PAGE) -> Snapshot:
    """Reads the number first, then the messages, then lets the kept events complete the text of answers being written.

    MongoDB may be ahead of the number, never behind it but for a checkpoint's interval, which the events fill. Where Redis is away
    the number is 0 and the text is the last checkpoint's.
    """
    try:
        place = await stream.position(redis.async_client(), conversation.id)
        n = place.n
    except redis.AWAY:
        n = 0
    page, conversation = await asyncio.gather(amessages(conversation, strand=strand, limit=limit), _as_it_is(conversation))
    rows = page.results
    if n and any(row.status in ON_THEIR_WAY for row in rows):
        try:
            rows = tuple(completed(rows, await stream.all_kept(redis.async_client(), conversation.id)))
        except redis.AWAY:
            pass
    return Snapshot(n=n, conversation=conversation, strand=strand, messages=rows, earlier=page.before)


async def _as_it_is(conversation: ConversationRecord) -> ConversationRecord:
    """Read again: it was read before the number, and may lack what an event before it told."""
    one = {C.organization_id: conversation.organization_id, C.conversation_id: conversation.id}
    raw = await mongo.async_collection(Conversation).find_one(one)
    return ConversationRecord.read(raw) if raw else conversation


def completed(rows: Iterable[MessageRecord], kept: Iterable[bytes]) -> list[MessageRecord]:
    """The messages with the text that their events add to what was saved."""
    texts = {row.id: row for row in rows}
    for event in map(orjson.loads, kept):
        if event["event"] == EventType.DELTA:
            row = texts.get(event["message"])
            if row is None or row.status not in ON_THEIR_WAY or row.attempt != event["attempt"]:
                continue
            known = len(row.text) - event["offset"]
            if 0 <= known < len(event["text"]):
                texts[row.id] = replace(row, text=row.text + event["text"][known:])
        elif event["event"] == EventType.MESSAGE:
            value = event["message"]
            row = texts.get(value["id"])
            if row is None or row.status not in ON_THEIR_WAY or value["attempt"] != row.attempt:
                continue
            if len(value["text"]) > len(row.text) and value["status"] in ON_THEIR_WAY:
                texts[row.id] = replace(row, text=value["text"])
    return list(texts.values())


def versions(answer: MessageRecord) -> tuple[MessageRecord, ...]:
    """The answer as it was, oldest first; the last one is the present. The answer came through the door. One query.

    A revision whose answer was not written again after all (a crash lay in between) is of the present attempt, and no version.
    """
    earlier = (
        mongo.collection(MessageRevision)
        .find({R.organization_id: answer.organization_id, R.message_id: answer.id, R.attempt: {"$lt": answer.attempt}})
        .sort(R.attempt, 1)
    )
    same = {
        M.seq: answer.seq,
        M.role: answer.role,
        M.answer_to: answer.answer_to,
        M.created_at: answer.created_at,
        M.versions: answer.versions,
    }
    return (*(MessageRecord.read({**raw, **same}) for raw in earlier), answer)


def shares(conversation: ConversationRecord, *, limit: int = MOST) -> list[ShareRecord]:
    """A conversation's links, newest first, without their copies. The conversation came through the door."""
    wanted = {S.organization_id: conversation.organization_id, S.conversation_id: conversation.id}
    found = mongo.collection(Share).find(wanted, {S.messages: 0, S.token_hash: 0}, sort=[(S.created_at, -1)], limit=limit)
    return [ShareRecord.read(raw) for raw in found]


# Being there -------------------------------------------------------------------------------------------------------------


def sessions(membership: Membership, *, before: tuple[datetime, str] | None = None, limit: int = PAGE) -> list[SessionRecord]:
    """Where this person's tabs are and were open in this organization, newest first; `before`: those behind this one, by the moment it was
    opened and its id. One query."""
    wanted: dict[str, Any] = {T.organization_id: str(membership.organization_id), T.user_id: str(membership.user_id)}
    if before is not None:
        moment, session_id = before
        wanted[T.connected_at] = {"$lte": moment}
        wanted["$or"] = [{T.connected_at: {"$lt": moment}}, {T.session_id: {"$lt": session_id}}]
    found = mongo.collection(ChatSession).find(wanted, sort=[(T.connected_at, -1), (T.session_id, -1)], limit=limit)
    return [SessionRecord.read(raw) for raw in found]


def unread(membership: Membership, conversations: Iterable[ConversationRecord]) -> dict[str, int]:
    """How many messages of each of these conversations this person has not read. One query."""
    user_id = str(membership.user_id)
    rows = {row.id: row for row in conversations}
    if not rows:
        return {}
    wanted = {K.organization_id: str(membership.organization_id), K.conversation_id: {"$in": list(rows)}, K.user_id: user_id}
    marks = {raw[K.conversation_id]: raw[K.seq] for raw in mongo.collection(ReadMark).find(wanted)}
    return {row.id: unread_of(row, user_id=user_id, mark=marks.get(row.id)) for row in rows.values()}


def read_up_to(membership: Membership, conversation: ConversationRecord) -> int | None:
    """The place up to which this person has read it; None where nobody knows."""
    wanted = {
        K.organization_id: conversation.organization_id,
        K.conversation_id: conversation.id,
        K.user_id: str(membership.user_id),
    }
    found = mongo.collection(ReadMark).find_one(wanted)
    return None if found is None else found[K.seq]


def unread_of(conversation: ConversationRecord, *, user_id: str, mark: int | None) -> int:
    """Places are contiguous, so it is the count less the mark. Without a mark one's own conversation is read: whoever started it knows
    it. Another's that was opened to one is not."""
    if mark is None:
        mark = conversation.message_count if conversation.user_id == user_id else 0
    return max(0, conversation.message_count - mark)


def people_there(membership: Membership, conversation: ConversationRecord) -> list[PersonThere]:
    """Who may read the conversation by name, and who else views it just now, by name. It came through the door."""
    marks = mongo.collection(ReadMark).find({K.organization_id: conversation.organization_id, K.conversation_id: conversation.id})
    read = {raw[K.user_id]: raw[K.seq] for raw in marks}
    viewing, there, typing = loop.run(_there(conversation))
    wanted = {conversation.user_id, *conversation.allowed_user_ids, *viewing}
    found = [
        PersonThere(
            id=one,
            name=member.user.name,
            status=viewing.get(one) or there.get(one),
            is_viewing=one in viewing,
            is_typing=one in typing,
            read=read.get(one),
        )
        for member in people.members_among(membership, wanted)
        for one in [str(member.user_id)]
    ]
    return sorted(found, key=lambda person: (person.name, person.id))


async def _there(conversation: ConversationRecord) -> tuple[dict[str, PresenceStatus], dict[str, PresenceStatus], set[str]]:
    """Who views it, how its named readers are, and who types; nobody where Redis is away."""
    client = redis.async_client()
    named = list({conversation.user_id, *conversation.allowed_user_ids})
    try:
        viewing = (await presence.viewers(client, [conversation.id]))[0]
        there = await presence.statuses(client, named, organization_id=conversation.organization_id)
        return viewing, there, await presence.typing_in(client, conversation.id, list({*named, *viewing}))
    except redis.AWAY:
        return {}, {}, set()


def kinds_offered() -> tuple[str, ...]:
    """The kinds of conversations that a person can start by themselves."""
    return (Kind.ASSISTANT.value,)
