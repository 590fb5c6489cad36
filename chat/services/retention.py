"""What the clock does with conversations (D2): idle ones are archived, and what was deleted longer ago than its period is removed for
good, with everything that hangs on it:

1. The conversation is marked: from then on nobody restores it.
2. Its files go, then its messages with their revisions, then links, memory, read marks, and where it was viewed; then what Redis has.
3. Last goes the conversation itself. Until then the next run finds it and goes on, wherever a crash lay.

What it cost stays in the ledger, which holds no text; who read it stays in the record of reading.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from pymongo import ReturnDocument

from chat import events
from chat.choices import ConversationStatus
from chat.documents import Attachment, ChatSession, Context, Conversation, Message, MessageRevision, ReadMark, Share
from chat.realtime import keys, stream
from chat.records import ConversationRecord
from chat.services import attachments, cold
from config import loop, mongo, periods, redis
from config.failpoints import failpoint
from config.periods import Kept
from tenants import selectors as people
from tenants.models import Organization

log = logging.getLogger(__name__)

C, M, R = mongo.names(Conversation), mongo.names(Message), mongo.names(MessageRevision)
T = mongo.names(ChatSession)

BATCH = 500  # conversations that are read, and messages that are removed, at once
ANNOUNCED = 50  # events that are published at once


def archive_idle(*, now: datetime) -> int:
    """Archives what nobody has written in for their organization's period and nobody has pinned, and says so to open pages; how many
    that were. Who writes or pins meanwhile wins. Run again after a crash, it goes on."""
    return sum(_archive_idle_of(str(pk), now=now) for pk in Organization.objects.order_by("pk").values_list("pk", flat=True))


def _archive_idle_of(organization_id: str, *, now: datetime) -> int:
    days = _days(periods.IDLE, settings.ARCHIVED_AFTER_DAYS, organization_id)
    conversations, archived = mongo.collection(Conversation), 0
    idle: dict[str, Any] = {
        C.organization_id: organization_id,
        C.status: ConversationStatus.ACTIVE.value,
        C.last_message_at: {"$lte": now - timedelta(days=days)},
        C.is_pinned: {"$ne": True},
    }
    changes = {"$set": {C.status: ConversationStatus.ARCHIVED.value, C.archived_at: now, C.updated_at: now}}
    shown = {C.conversation_id: 1, C.last_message_at: 1}
    while found := conversations.find(idle, shown, sort=[(C.last_message_at, 1)], limit=BATCH).to_list():
        for start in range(0, len(found), ANNOUNCED):
            changed = []
            for raw in found[start : start + ANNOUNCED]:
                same = {**idle, C.conversation_id: raw[C.conversation_id], C.last_message_at: raw[C.last_message_at]}
                if after := conversations.find_one_and_update(same, changes, return_document=ReturnDocument.AFTER):
                    changed.append(events.conversation(ConversationRecord.read(after).as_json()))
            if changed:
                loop.run(stream.announce(changed))
            archived += len(changed)
    return archived


@dataclass(frozen=True, slots=True)
class Overdue:
    """A conversation whose period is over."""

    organization_id: str
    conversation_id: str
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class Weight:
    """What hangs on a conversation, counted."""

    messages: int
    files: int
    links: int


def deleted_kept_days(organization_id: Any) -> int:
    """For how many days a deleted conversation of this organization can be restored. Causes a query."""
    return _days(periods.DELETED, settings.DELETED_KEPT_DAYS, organization_id)


def _days(kept: Kept, here: int, organization_id: Any) -> int:
    return min(here, people.days_shortened(organization_id).get(kept.name, kept.days))


def overdue(*, now: datetime, organization_id: str | None = None) -> Iterator[Overdue]:
    """What was deleted `deleted_kept_days` before `now` or earlier, longest ago first; of one organization, or of one after the other.
    A query for each BATCH."""
    if organization_id is None:
        for pk in Organization.objects.order_by("pk").values_list("pk", flat=True):
            yield from overdue(now=now, organization_id=str(pk))
        return
    wanted: dict[str, Any] = {
        C.organization_id: organization_id,
        C.status: ConversationStatus.DELETED.value,
        C.deleted_at: {"$lte": now - timedelta(days=deleted_kept_days(organization_id))},
    }
    shown = {C.organization_id: 1, C.conversation_id: 1, C.deleted_at: 1}
    order = [(C.deleted_at, 1), (C.conversation_id, 1)]
    while found := mongo.collection(Conversation).find(wanted, shown, sort=order, limit=BATCH).to_list():
        for raw in found:
            last = Overdue(raw[C.organization_id], raw[C.conversation_id], raw[C.deleted_at])
            yield last
        wanted["$or"] = [
            {C.deleted_at: {"$gt": last.deleted_at}},
            {C.deleted_at: last.deleted_at, C.conversation_id: {"$gt": last.conversation_id}},
        ]


def weigh(one: Overdue) -> Weight:
    """Causes three queries."""
    counts = (mongo.collection(document).count_documents(_of(one)) for document in (Message, Attachment, Share))
    return Weight(*counts)


def remove_overdue(*, now: datetime) -> int:
    """Removes what is overdue; how many conversations that were. One whose files cannot be removed now is left to the next run."""
    removed = 0
    for one in overdue(now=now):
        try:
            removed += remove(one, now=now)
        except OSError:
            log.exception("A file of the conversation %s cannot be removed now.", one.conversation_id)
    return removed


def remove_cold(*, now: datetime) -> int:
    """Removes for good what is in files for longer than those are kept; how many conversations that were. Run again, it goes on."""
    removed = 0
    for one in cold.past(now=now):
        gone = {C.status: ConversationStatus.DELETED.value, C.deleted_at: now, C.updated_at: now}
        same = {C.organization_id: one.organization_id, C.conversation_id: one.conversation_id, f"{C.cold}.awayAt": {"$type": "date"}}
        living = {**same, C.status: {"$ne": ConversationStatus.DELETED.value}}
        mongo.collection(Conversation).update_one(living, {"$set": gone})
        if found := mongo.collection(Conversation).find_one(same, {C.deleted_at: 1}):
            removed += remove(Overdue(one.organization_id, one.conversation_id, found[C.deleted_at]), now=now)
    return removed


def remove(one: Overdue, *, now: datetime) -> bool:
    """Removes this conversation; false where it was restored, or removed, meanwhile. Run again after a crash, it goes on."""
    same = {**_of(one), C.status: ConversationStatus.DELETED.value, C.deleted_at: one.deleted_at}
    if not mongo.collection(Conversation).update_one(same, {"$min": {C.removed_at: now}}).matched_count:
        return False
    failpoint("removal.marked")
    attachments.remove_all_of(one.organization_id, one.conversation_id)
    cold.forget(one.organization_id, one.conversation_id)
    failpoint("removal.files_gone")
    _remove_messages(one)
    failpoint("removal.messages_gone")
    for document in (Share, Context, ReadMark):
        mongo.collection(document).delete_many(_of(one))
    viewed = f"{T.active_conversations}.conversationId"
    mongo.collection(ChatSession).update_many(
        {T.organization_id: one.organization_id, viewed: one.conversation_id},
        {"$pull": {T.active_conversations: {"conversationId": one.conversation_id}}},
    )
    try:
        redis.client().unlink(*keys.of_conversation(one.conversation_id))
    except redis.AWAY:
        pass  # all of it goes by itself
    failpoint("removal.rest_gone")
    return bool(mongo.collection(Conversation).delete_one(same).deleted_count)


def _remove_messages(one: Overdue) -> None:
    """A batch at a time, the revisions first: they are found by their messages."""
    messages = mongo.collection(Message)
    while found := messages.find(_of(one), {M.message_id: 1}, sort=[(M.seq, 1)], limit=BATCH).to_list():
        ids = {"$in": [raw[M.message_id] for raw in found]}
        mongo.collection(MessageRevision).delete_many({R.organization_id: one.organization_id, R.message_id: ids})
        messages.delete_many({**_of(one), M.message_id: ids})


def _of(one: Overdue) -> dict[str, Any]:
    """The condition that a document of any collection is this conversation's: they name it alike."""
    return {C.organization_id: one.organization_id, C.conversation_id: one.conversation_id}
