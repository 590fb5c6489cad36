"""Erasing what a person had here (D9, S1-86…89), after their account was emptied (`tenants.services.erasure`), in every organization.

1. Conversations of theirs that nobody else can read go for good at once, and deleted ones, with everything that hangs on them.
2. In what others can read, what they said stays, said by a former member: no id and no name leads back to them.
3. Their links, sessions, read marks and unsent files go, and what Redis has of them.

Each step finds what is left of its work, so a run that was killed anywhere is finished by the next. The last run begins when nothing of
theirs can be under way any more.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import pymongo
from pymongo import ReturnDocument

from chat.choices import ConversationStatus
from chat.documents import Attachment, ChatSession, Conversation, Message, MessageRevision, ReadMark, Share, WaitingQuestion
from chat.realtime import keys
from chat.services import attachments, cold, retention
from chat.services.retention import Overdue
from config import mongo, redis
from config.failpoints import failpoint
from tenants.choices import FORMER_MEMBER, NOBODY
from tenants.scoping import ACROSS_COMMENT
from tenants.services import erasure

log = logging.getLogger(__name__)

A, C, M = mongo.names(Attachment), mongo.names(Conversation), mongo.names(Message)
R, S, T, W = mongo.names(MessageRevision), mongo.names(Share), mongo.names(ChatSession), mongo.names(WaitingQuestion)

BATCH = 500  # documents that are changed at once
SECONDS = 60  # that a look over all that a person wrote may take
OF_PERSON = "userId_1_createdAt_-1"  # an index of conversations and of messages
STATES = {"$in": [status.value for status in ConversationStatus]}
PRIVATE = f"{C.access_scope}.isPrivate"
PEOPLE = f"{C.access_scope}.allowedUserIds"
ROLES = f"{C.access_scope}.allowedRoles"

_at_it = threading.Lock()

WHY_ACROSS = ACROSS_COMMENT + "where a person who is erased wrote, in every organization"


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a person has in an organization."""

    organization_id: str
    private: int  # conversations that go
    shared: int  # conversations of theirs that others can read
    messages: int  # all that they asked, and the answers


def erase_all(*, now: datetime) -> int:
    """Goes on with everybody who is erased and not yet gone; how many those were. Does nothing where this process is at it: with ten
    thousand conversations it takes longer than the clock waits."""
    if not _at_it.acquire(blocking=False):
        return 0
    try:
        waiting = erasure.unfinished()
        for one in waiting:
            if erase(one.user_id, now=now):
                erasure.finish(one, began_at=now)
        return len(waiting)
    finally:
        _at_it.release()


def erase(user_id: str, *, now: datetime, step: Callable[[], object] = lambda: None) -> bool:
    """Erases what is left of this person; false where a file could not be removed now. `step` is called for each conversation that goes.
    Raises `mongo.AWAY` and `redis.AWAY` errors: then it is not done."""
    whole = True
    for organization_id in organizations_of(user_id):
        whole &= _remove_private(organization_id, user_id, now=now, step=step)
        failpoint("erasing.private_gone")
        cold.bring_back_of(organization_id, user_id, now=now)
        _anonymise_messages(organization_id, user_id)
        failpoint("erasing.messages_anonymised")
        _anonymise_conversations(organization_id, user_id)
        failpoint("erasing.conversations_anonymised")
        whole &= _remove_rest(organization_id, user_id)
    _forget(key for key in redis.client().scan_iter(match=keys.of_person(user_id), count=1_000))
    for call in redis.client().lrange(keys.CALLS, 0, -1):
        if orjson.loads(call)["user_id"] == user_id:
            redis.client().lrem(keys.CALLS, 1, call)  # type: ignore[arg-type]  # bytes are taken as they are
    return whole


def organizations_of(user_id: str) -> list[str]:
    found = set(erasure.organizations_of(user_id))
    with pymongo.timeout(SECONDS):
        for document in (Conversation, Message):
            found |= set(mongo.collection(document).distinct(C.organization_id, {C.user_id: user_id}, comment=WHY_ACROSS))
    return sorted(found)


def holdings(user_id: str) -> list[Holdings]:
    """What there is of this person, in each organization. Causes three queries each."""
    found = []
    for organization_id in organizations_of(user_id):
        with pymongo.timeout(SECONDS):
            of = {C.organization_id: organization_id, C.user_id: user_id}
            private = mongo.collection(Conversation).count_documents(_private(organization_id, user_id), hint=OF_PERSON)
            own = mongo.collection(Conversation).count_documents(of, hint=OF_PERSON)
            found.append(Holdings(organization_id, private, own - private, mongo.collection(Message).count_documents(of, hint=OF_PERSON)))
    return found


def _private(organization_id: str, user_id: str) -> dict[str, Any]:
    """Conversations of this person's that nobody else can read."""
    unread = [{C.status: ConversationStatus.DELETED.value}, {PRIVATE: {"$ne": False}}]
    return {C.organization_id: organization_id, C.user_id: user_id, "$or": unread}


def _remove_private(organization_id: str, user_id: str, *, now: datetime, step: Callable[[], object]) -> bool:
    conversations, whole, last = mongo.collection(Conversation), True, ""
    private = _private(organization_id, user_id)
    order = [(C.conversation_id, 1)]
    changes = {"$set": {C.status: ConversationStatus.DELETED.value, C.deleted_at: now, C.updated_at: now}}
    while found := conversations.find(
        {**private, C.conversation_id: {"$gt": last}}, {C.conversation_id: 1}, sort=order, limit=BATCH, hint=OF_PERSON
    ).to_list():
        for raw in found:
            last = raw[C.conversation_id]
            one = {**private, C.conversation_id: last}
            living = {**one, C.status: {"$ne": ConversationStatus.DELETED.value}}
            gone = conversations.find_one_and_update(living, changes, return_document=ReturnDocument.AFTER) or conversations.find_one(one)
            if gone is None:  # somebody may read it since; then it stays
                continue
            try:
                whole &= retention.remove(Overdue(organization_id, last, gone[C.deleted_at]), now=now)
            except OSError:
                log.exception("A file of the conversation %s cannot be removed now.", last)
                whole = False
            step()
    return whole


def _anonymise_messages(organization_id: str, user_id: str) -> None:
    """What they said, and what was answered with their rights, wherever others can read it; and the copies of it behind links."""
    messages = mongo.collection(Message)
    of = {M.organization_id: organization_id}
    shown = {M.message_id: 1, M.conversation_id: 1, M.user_name: 1, f"{M.attachments}.attachmentId": 1}
    while found := messages.find({**of, M.user_id: user_id}, shown, limit=BATCH, hint=OF_PERSON).to_list():
        where = sorted({raw[M.conversation_id] for raw in found})
        names = sorted({raw[M.user_name] for raw in found if raw.get(M.user_name)})
        files = [file["attachmentId"] for raw in found for file in raw.get(M.attachments, ())]
        these = {**of, M.message_id: {"$in": [raw[M.message_id] for raw in found]}}
        # Before, since a run that is killed in between leaves nothing to find them by; and after, so that open pages hear of it.
        _forget_conversations(where)
        mongo.collection(Share).update_many(
            {**of, S.conversation_id: {"$in": where}},
            {"$set": dict.fromkeys((f"{S.messages}.$[said].author", f"{S.messages}.$[quoting].replyTo.author"), FORMER_MEMBER)},
            array_filters=[{"said.author": {"$in": names}}, {"quoting.replyTo.author": {"$in": names}}],
        )
        anonymous = {"$set": {A.user_id: NOBODY}, "$unset": {A.client_id: ""}}
        mongo.collection(Attachment).update_many({**of, A.attachment_id: {"$in": files}}, anonymous)
        replies = {
            **of,
            M.conversation_id: {"$in": where},
            f"{M.reply_to}.messageId": these[M.message_id],
            f"{M.reply_to}.userName": {"$gt": ""},
        }
        messages.update_many(replies, {"$set": {f"{M.reply_to}.userName": FORMER_MEMBER}})
        to_these = {f"{W.reply_to}.messageId": these[M.message_id], f"{W.reply_to}.userName": {"$gt": ""}}
        mongo.collection(Conversation).update_many(
            {**of, C.conversation_id: {"$in": where}, f"{C.queue}.questions": {"$elemMatch": to_these}},
            {"$set": {f"{C.queue}.questions.$[one].{W.reply_to}.userName": FORMER_MEMBER}},
            array_filters=[{f"one.{field}": value for field, value in to_these.items()}],
        )
        messages.update_many({**these, M.user_name: {"$gt": ""}}, {"$set": {M.user_name: FORMER_MEMBER}})
        nobody = {"$set": {M.user_id: NOBODY, M.branch_id: None, M.department_id: None}, "$unset": {M.client_id: "", M.api_key_id: ""}}
        messages.update_many(these, nobody)
        _forget_conversations(where)


def _anonymise_conversations(organization_id: str, user_id: str) -> None:
    """Those of theirs that others can read have no owner any more and no links; in other people's they are no reader any more."""
    conversations = mongo.collection(Conversation)
    of = {C.organization_id: organization_id}
    shared = {**of, C.user_id: user_id, PRIVATE: False, C.status: {"$ne": ConversationStatus.DELETED.value}}
    while found := conversations.find(shared, {C.conversation_id: 1}, limit=BATCH, hint=OF_PERSON).to_list():
        ids = [raw[C.conversation_id] for raw in found]
        these = {**of, C.conversation_id: {"$in": ids}}
        mongo.collection(Share).delete_many(these)
        _forget_conversations(ids)
        conversations.update_many(
            {**these, C.user_id: user_id},
            {"$set": {C.user_id: NOBODY, C.branch_id: None, C.department_id: None}, "$unset": {C.client_id: ""}},
        )
        _forget_conversations(ids)
    people, roles = {"$setDifference": [f"${PEOPLE}", [user_id]]}, {"$ifNull": [f"${ROLES}", []]}
    closed: list[dict[str, Any]] = [
        {"$set": {PEOPLE: people}},
        {"$set": {PRIVATE: {"$eq": [{"$concatArrays": [f"${PEOPLE}", roles]}, []]}}},
    ]
    while found := conversations.find({**of, PEOPLE: user_id}, {C.conversation_id: 1}, limit=BATCH).to_list():
        ids = [raw[C.conversation_id] for raw in found]
        _forget_conversations(ids)
        conversations.update_many({**of, C.conversation_id: {"$in": ids}}, closed)
        _forget_conversations(ids)
    looked_at = f"{C.shown}.{user_id}"
    with pymongo.timeout(SECONDS):
        conversations.update_many({**of, C.status: STATES, looked_at: {"$exists": True}}, {"$unset": {looked_at: ""}})


def _remove_rest(organization_id: str, user_id: str) -> bool:
    of = {T.organization_id: organization_id, T.user_id: user_id}
    revised = {R.organization_id: organization_id, R.revised_by: user_id}
    with pymongo.timeout(SECONDS):
        mongo.collection(MessageRevision).update_many(revised, {"$set": {R.revised_by: NOBODY}})
        mongo.collection(ReadMark).delete_many(of)
        _forget(keys.session(raw[T.session_id]) for raw in mongo.collection(ChatSession).find(of, {T.session_id: 1}))
        mongo.collection(ChatSession).delete_many(of)
    answers = list(redis.client().scan_iter(match=keys.ai_caches(organization_id), count=1_000))
    _forget(key for key in answers if (raw := redis.client().get(key)) and orjson.loads(raw)["owner"]["user"] == user_id)
    try:
        attachments.remove_unsent_of(organization_id, user_id)
    except OSError:
        log.exception("An unsent file of an erased person cannot be removed now.")
        return False
    return True


def _forget_conversations(conversation_ids: Iterable[str]) -> None:
    """Takes their events back: who reads them starts again from what is kept."""
    _forget(key for conversation_id in conversation_ids for key in keys.of_conversation(conversation_id))


def _forget(names: Iterable[Any]) -> None:
    if found := list(names):
        redis.client().unlink(*found)
