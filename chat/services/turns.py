"""A turn's beginning and its wishes: submit a question, edit one, stop an answer, try one again or have it written anew.

1. The question and its pending answer are inserted at the next contiguous places, in one write. The pending answer *is* the job.
2. Events announce both and a worker is called, in one pipeline. Beside it the conversation's count moves on, in a journaled write that
   makes question and answer durable, too. Events and call may be lost and heal; where MongoDB loses the question, they are taken back.
3. When that is written, the caller acknowledges.
"""

import asyncio
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import uuid_utils.compat as uuid
from django.conf import settings
from django.utils import timezone
from pymongo import ReturnDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chat import access, events, strands
from chat.choices import ON_THEIR_WAY, RETRYABLE, ContentType, ConversationStatus, Kind, MessageRole, MessageStatus
from chat.documents import Conversation, Message
from chat.parts import Part, PartType
from chat.realtime import keys, limits, stream
from chat.realtime.calls import Call
from chat.records import AttachmentRecord, ConversationRecord, MessageRecord, RepliedToRecord, WaitingRecord
from chat.services import attachments, errors, replies, revisions, totals
from chat.services import strands as strands_service
from chat.signals import question_asked
from chat.strands import FIRST, Strand
from config import loop, mongo, redis
from config.failpoints import failpoint
from tenants import roles
from tenants.models import Membership

C, M = mongo.names(Conversation), mongo.names(Message)

SAID = frozenset(
    (
        *(M.message_id, M.content, M.user_id, M.user_role, M.branch_id, M.department_id, M.user_name, M.client_id),
        *(M.api_key_id, M.attachments, M.reply_to),
    )
)  # of a question, before it has a place
RESTART_SECONDS = 0.25  # in less, no MongoDB ends, starts again and answers: what it acknowledged before and after, one and the same has

_queues: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.WeakValueDictionary[str, asyncio.Lock]]" = (
    weakref.WeakKeyDictionary()
)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A question that is safe, and the answer that is on its way. `created` is false where the same was sent before. `left`: what the
    person may still send, as far as known."""

    message: MessageRecord
    answer: MessageRecord | None
    created: bool
    left: limits.Left | None


async def asubmit(
    membership: Membership,
    conversation: ConversationRecord,
    *,
    text: str,
    client_id: str,
    attachment_ids: Sequence[object] = (),
    parts: Sequence[Part] = (),
    strand: int | None = None,
    reply_to: object | None = None,
    api_key_id: str | None = None,
    now: datetime | None = None,
) -> Submitted:
    """Takes a question at the end of a strand: by default, of the one that the person looked at last. `parts` are whole where there are
    any, and `text` says them; a picture among them is one of the files. `reply_to`: the id of a message of this conversation. With
    `api_key_id`, of the program that asks, its key's budgets hold the answer. The same `client_id` again, from the same person, gives the
    same two messages and changes nothing.

    Raises `Forbidden`, `ConversationClosed`, `TextMissing`, `TextTooLong`, `TooManyFiles`, `UnknownFile`, `ClientIdReused`,
    `LimitReached`, `UnknownStrand`, `UnknownReply`, `NothingToReplyTo`; and MongoDB's errors (`mongo.AWAY`) while it is away: then
    nothing was promised, and the caller sends the same again.
    """
    if strand is None:
        strand = conversation.shown_to(membership.user_id)
    if not conversation.has_strand(strand):
        raise errors.UnknownStrand
    sent: dict[str, Any] = {"text": text, "client_id": client_id, "attachment_ids": attachment_ids, "parts": parts, "reply_to": reply_to}
    return await _take(membership, conversation, **sent, strand=strand, edited=None, api_key_id=api_key_id, now=now)


def submit(
    membership: Membership,
    conversation: ConversationRecord,
    *,
    text: str,
    client_id: str,
    attachment_ids: Sequence[object] = (),
    parts: Sequence[Part] = (),
    strand: int | None = None,
    reply_to: object | None = None,
    api_key_id: str | None = None,
) -> Submitted:
    sent: dict[str, Any] = {"text": text, "client_id": client_id, "attachment_ids": attachment_ids, "parts": parts, "reply_to": reply_to}
    return loop.run(asubmit(membership, conversation, **sent, strand=strand, api_key_id=api_key_id))


async def aedit(
    membership: Membership,
    conversation: ConversationRecord,
    question: MessageRecord,
    *,
    text: str,
    client_id: str,
    api_key_id: str | None = None,
    now: datetime | None = None,
) -> Submitted:
    """Asks a question of this conversation again, in other words: a strand begins beside it. The earlier question, and all that followed
    it, stays; its files, and what it replies to, come with the new one. The new question is this person's own, and their strand is the
    one that they look at from now on.

    The same `client_id` again gives the same two messages. Raises what `asubmit` raises, and `NothingToEdit`, `TooManyStrands`.
    """
    if question.role != MessageRole.USER or conversation.kind != Kind.ASSISTANT:
        raise errors.NothingToEdit
    if question.edits is not None and not conversation.has_strand(question.strand):
        conversation = await strands_service.mend(conversation, question.strand)
    edited = strands.edited_of(conversation.strands, seq=question.seq, strand=question.strand)
    return await _take(
        membership,
        conversation,
        text=text,
        client_id=client_id,
        files=question.attachments,
        kept_reply=question.reply_to,
        strand=edited.parent,
        edited=edited,
        api_key_id=api_key_id,
        now=now,
    )


def edit(
    membership: Membership,
    conversation: ConversationRecord,
    question: MessageRecord,
    *,
    text: str,
    client_id: str,
    api_key_id: str | None = None,
) -> Submitted:
    return loop.run(aedit(membership, conversation, question, text=text, client_id=client_id, api_key_id=api_key_id))


async def _take(
    membership: Membership,
    conversation: ConversationRecord,
    *,
    text: str,
    client_id: str,
    strand: int,
    edited: Strand | None,
    api_key_id: str | None,
    now: datetime | None,
    attachment_ids: Sequence[object] = (),
    parts: Sequence[Part] = (),
    files: Sequence[AttachmentRecord] = (),
    reply_to: object | None = None,
    kept_reply: RepliedToRecord | None = None,
) -> Submitted:
    """A question at the end of this strand; or the first of a new one, in place of the `edited` one, with `files` that came with that."""
    await roles.refresh()
    roles.require(membership, "chat:message:send")
    if conversation.kind == Kind.API:
        raise errors.ThreadOfPrograms
    text = checked(text)
    pictures = {part["value"].get("attachment_id") for part in parts if part["type"] == PartType.IMAGE}
    if pictures - {None} - set(map(str, attachment_ids)):
        raise errors.UnknownFile
    replied_to = kept_reply
    if reply_to is not None:
        replied_to = await _replied_to(membership, conversation, reply_to, client_id=client_id)
    now = now or timezone.now()
    left, reserved = None, False
    try:
        if conversation.status != ConversationStatus.ACTIVE:
            raise errors.ConversationClosed
        if edited is not None:
            reserved = await strands_service.reserve(conversation)
            if not reserved:
                raise errors.TooManyStrands(limit=strands.MOST)
        left = await limits.take_for(membership, conversation_id=conversation.id)
    except (errors.LimitReached, errors.ConversationClosed, errors.TooManyStrands):
        if reserved:
            await strands_service.give_back(conversation)
            reserved = False
        if await sent_before(conversation, client_id, user_id=membership.user_id) is None:
            raise
    failpoint("turn.limited")
    question = _question(conversation, said(membership, text=text, client_id=client_id, api_key_id=api_key_id, now=now), now=now)
    if attachment_ids:
        files = await attachments.claim(membership, conversation, attachment_ids)
    if files:
        question[M.attachments] = [attached.as_stored() for attached in files]
    if parts:
        question[M.parts] = list(parts)
    if replied_to is not None:
        question[M.reply_to] = replied_to.as_stored()
    if edited is not None:
        question[M.edits] = edited.edits
    elif strand != FIRST:
        question[M.strand] = strand
    return await _put(conversation, question, edited=edited, reserved=reserved, left=left, now=now)


async def _replied_to(membership: Membership, conversation: ConversationRecord, reply_to: object, *, client_id: str) -> RepliedToRecord:
    """What it replies to; as it was kept where the same question was sent before and that answer is being written anew."""
    try:
        return await replies.find(conversation, reply_to)
    except errors.NothingToReplyTo:
        before = await sent_before(conversation, client_id, user_id=membership.user_id)
        if before is None or replies.named(before.get(M.reply_to)) != access.key(reply_to):
            raise
        return RepliedToRecord.read(before[M.reply_to])


async def aask(conversation: ConversationRecord, waiting: WaitingRecord, *, now: datetime) -> Submitted:
    """Asks a question that waited, with the rights that its author has by now. It was checked, and limits were taken, when it was sent.
    Asked twice it is there once. Raises `mongo.AWAY` errors."""
    question = _question(conversation, {name: value for name, value in waiting.kept.items() if name in SAID}, now=now)
    if waiting.strand != FIRST:
        question[M.strand] = waiting.strand
    return await _put(conversation, question, waited=True, now=now)


async def _put(
    conversation: ConversationRecord,
    question: dict,
    *,
    now: datetime,
    edited: Strand | None = None,
    reserved: bool = False,
    left: limits.Left | None = None,
    waited: bool = False,
) -> Submitted:
    """Puts the question and its pending answer in their places, announces them and calls a worker. `reserved`: a strand was, which is
    given back where the question is there already."""
    answer = _answer(question, now=now) if conversation.kind == Kind.ASSISTANT else None
    if answer is not None and waited:
        answer[M.awaited] = True  # more may wait behind it
    created = await _insert(conversation, question, answer)
    if not created:
        if reserved:
            await strands_service.give_back(conversation)
        before = await sent_before(conversation, question[M.client_id], user_id=question[M.user_id])
        same = (M.content, M.attachments, M.edits, M.parts)
        if before is None or any(before.get(name) != question.get(name) for name in same):
            raise errors.ClientIdReused
        if replies.named(before.get(M.reply_to)) != replies.named(question.get(M.reply_to)):
            raise errors.ClientIdReused
        question = before
        answer = await _answer_of(question, now=now) if conversation.kind == Kind.ASSISTANT else None
    inserted_at = time.monotonic()
    failpoint("turn.inserted")
    message = MessageRecord.read(question)
    reply = MessageRecord.read(answer) if answer else None
    try:
        if created or (reply is not None and reply.status == MessageStatus.PENDING):
            looked_at = None
            if not waited and (conversation.strands or message.strand != FIRST):
                looked_at = (str(message.user_id), message.strand)
            if edited is not None:
                # Known before anybody works on its answer: a strand that nobody knows is on no path.
                begun = replace(edited, number=message.strand)
                await totals.note_place(reply or message, begun=begun, looked_at=looked_at)
                failpoint("edit.recorded")
                conversation = replace(conversation, strands=(*(other for other in conversation.strands if other != begun), begun))
                await _announce(conversation, message, reply, again=not created)
            else:
                placed = totals.note_place(reply or message, looked_at=looked_at)
                await asyncio.gather(_announce(conversation, message, reply, again=waited or not created), placed)
        if not created or time.monotonic() - inserted_at > RESTART_SECONDS:
            await _make_durable(reply or message)
    except (*mongo.AWAY, errors.StoreAway):
        await stream.forget(conversation.id)
        raise
    if answer is not None:
        question_asked.send_robust(sender=None, conversation=conversation, question=message)
    return Submitted(message=message, answer=None if reply is None else as_accepted(reply), created=created, left=left)


def as_accepted(answer: MessageRecord) -> MessageRecord:
    """The answer as it was when its question was taken, so that a resend is acknowledged with the same words."""
    return replace(
        answer,
        text="",
        status=MessageStatus.PENDING.value,
        attempt=1,
        model=None,
        version=None,
        finish_reason=None,
        confidence=None,
        reused_from=None,
        sources=(),
        structured_data=None,
        referenced_employees=(),
        follow_ups=(),
        parts=(),
        input_tokens=None,
        output_tokens=None,
        cost=None,
        error_code=None,
        error_sentence=None,
        feedback=None,
        versions=1,
        edited_at=None,
    )


async def astop(membership: Membership, answer: MessageRecord) -> MessageRecord:
    """Asks for an answer to be stopped: durably, and at once. What was written so far is kept. Harmless where it has ended."""
    await roles.refresh()
    roles.require(membership, "chat:message:send")
    if not answer.is_answer:
        raise errors.NothingToStop
    raw = await mongo.async_collection(Message).find_one_and_update(
        {
            M.organization_id: answer.organization_id,
            M.message_id: answer.id,
            M.status: {"$in": [status.value for status in ON_THEIR_WAY]},
        },
        {"$set": {M.stop_requested_at: timezone.now()}},
        return_document=ReturnDocument.AFTER,
    )
    failpoint("stop.recorded")
    if raw is None:
        return answer
    try:
        async with redis.async_client().pipeline(transaction=False) as pipeline:
            pipeline.sadd(keys.STOPS, keys.stop(answer.id, attempt=raw[M.attempt]))
            pipeline.expire(keys.STOPS, keys.STOPS_TTL)
            await pipeline.execute()
    except redis.AWAY:
        pass  # the worker reads the durable wish with its next checkpoint
    return MessageRecord.read(raw)


def stop(membership: Membership, answer: MessageRecord) -> MessageRecord:
    return loop.run(astop(membership, answer))


async def aretry(
    membership: Membership, answer: MessageRecord, *, api_key_id: str | None = None, now: datetime | None = None
) -> MessageRecord:
    """Makes an answer that was interrupted, stopped or failed pending again, as the next attempt, with this person's rights.

    Raises `NothingToRetry` for any other; of two who press at once, the second gets it too.
    """
    await roles.refresh()
    roles.require(membership, "chat:message:send")
    now = now or timezone.now()
    if not answer.is_answer or answer.bridge_id or answer.status not in RETRYABLE:
        raise errors.NothingToRetry
    await limits.take_for(membership, conversation_id=answer.conversation_id)
    where = {M.status: {"$in": [status.value for status in RETRYABLE]}}
    pending = await _next_attempt(membership, answer, api_key_id=api_key_id, now=now, where=where)
    if pending is None:
        raise errors.NothingToRetry
    failpoint("retry.recorded")
    return await _set_off(pending)


def retry(membership: Membership, answer: MessageRecord, *, api_key_id: str | None = None) -> MessageRecord:
    return loop.run(aretry(membership, answer, api_key_id=api_key_id))


async def aregenerate(
    membership: Membership, answer: MessageRecord, *, api_key_id: str | None = None, now: datetime | None = None
) -> MessageRecord:
    """Has a finished answer written anew, as the next attempt, with this person's rights. What it said stays as a version.

    1. What it says is kept as a revision; kept twice, it is there once.
    2. It becomes pending, by compare-and-swap on what was kept. Where a crash lies in between, nobody is shown that revision.

    Raises `Forbidden`, `LimitReached`, `NotTheNewest` for an answer that others of its strand follow, and `NothingToRegenerate` for
    whatever is no finished answer; of two who press at once, the second gets it too.
    """
    await roles.refresh()
    roles.require(membership, "chat:message:send")
    now = now or timezone.now()
    if not answer.is_answer or answer.bridge_id or answer.status != MessageStatus.SENT:
        raise errors.NothingToRegenerate
    if not await _is_newest(answer):
        raise errors.NotTheNewest
    await limits.take_for(membership, conversation_id=answer.conversation_id)
    pending = None
    while pending is None:
        raw = await _finished(answer)
        if raw is None:
            raise errors.NothingToRegenerate
        ended = MessageRecord.read(raw)
        if ended.lease_token is not None:  # its figures are not in yet, and the next attempt takes its lease
            await totals.count_end(ended, now=now)
        await revisions.keep(raw, by=membership, now=now)
        failpoint("regenerate.kept")
        unchanged = {M.status: MessageStatus.SENT.value, M.updated_at: raw[M.updated_at]}
        changes = {M.versions: ended.versions + 1}
        pending = await _next_attempt(membership, ended, api_key_id=api_key_id, now=now, where=unchanged, changes=changes)
    failpoint("regenerate.recorded")
    return await _set_off(pending)


def regenerate(membership: Membership, answer: MessageRecord, *, api_key_id: str | None = None) -> MessageRecord:
    return loop.run(aregenerate(membership, answer, api_key_id=api_key_id))


async def _is_newest(answer: MessageRecord) -> bool:
    newest = await mongo.async_collection(Message).find_one(
        {
            M.organization_id: answer.organization_id,
            M.conversation_id: answer.conversation_id,
            M.role: MessageRole.ASSISTANT.value,
            M.deleted_at: None,
            **strands.of(answer.strand),
        },
        {M.message_id: 1},
        sort=[(M.seq, -1)],
        hint=strands.INDEX,
    )
    return newest is not None and newest[M.message_id] == answer.id


async def _finished(answer: MessageRecord) -> dict | None:
    """The answer as it is stored now; None where it is not this attempt's end any more."""
    return await mongo.async_collection(Message).find_one(
        {
            M.organization_id: answer.organization_id,
            M.message_id: answer.id,
            M.status: MessageStatus.SENT.value,
            M.attempt: answer.attempt,
        }
    )


async def _next_attempt(
    membership: Membership,
    answer: MessageRecord,
    *,
    api_key_id: str | None,
    now: datetime,
    where: dict,
    changes: dict | None = None,
) -> MessageRecord | None:
    """Makes the answer pending again with this person's rights; None where it is another attempt by now, or not as `where` says."""
    raw = await mongo.async_collection(Message).find_one_and_update(
        {M.organization_id: answer.organization_id, M.message_id: answer.id, M.attempt: answer.attempt, **where},
        {
            "$set": {
                M.status: MessageStatus.PENDING.value,
                M.content: "",
                M.attempt: answer.attempt + 1,
                M.user_id: str(membership.user_id),
                M.user_role: str(membership.role),
                M.branch_id: str(membership.branch_id) if membership.branch_id else None,
                M.department_id: str(membership.department_id) if membership.department_id else None,
                M.queued_at: now,
                M.updated_at: now,
                M.lease: _waiting(now),
                **({M.api_key_id: api_key_id} if api_key_id else {}),
                **(changes or {}),
            },
            "$unset": dict.fromkeys(
                (
                    *(() if api_key_id else (M.api_key_id,)),
                    M.error_details,
                    M.stop_requested_at,
                    M.finish_reason,
                    M.ai_model,
                    M.ai_response_metadata,
                    M.structured_data,
                    M.referenced_employees,
                    M.follow_ups,
                    M.parts,
                    M.tools_call_data,
                    M.started_at,
                    M.feedback,
                ),
                "",
            ),
        },
        return_document=ReturnDocument.AFTER,
    )
    return None if raw is None else MessageRecord.read(raw)


async def _set_off(pending: MessageRecord) -> MessageRecord:
    """Announces an answer that is pending again and calls a worker. The rating of what it said before is gone from the average."""
    drafts = [events.message(pending.as_json())]
    if (rated := await totals.count_ratings(pending)) is not None:
        drafts.append(events.conversation(rated.as_json()))
    await stream.announce(drafts, call=await call_to(pending))
    return pending


async def call_to(answer: MessageRecord, *, unheard_of: bool = False) -> Call:
    """What calls a worker to this answer. Causes a query. A strand that a crash left unknown is known from here on."""
    raw = await mongo.async_collection(Conversation).find_one(
        {C.organization_id: answer.organization_id, C.conversation_id: answer.conversation_id}
    )
    conversation = ConversationRecord.read(raw)
    if not conversation.has_strand(answer.strand):
        conversation = await strands_service.mend(conversation, answer.strand)
    return Call.to(answer, conversation, unheard_of=unheard_of)


def checked(text: str) -> str:
    """The text of a question; raises `TextMissing`, `TextTooLong`."""
    if not text.strip():
        raise errors.TextMissing
    if len(text) > settings.TEXT_LIMIT:
        raise errors.TextTooLong(limit=settings.TEXT_LIMIT)
    return text


def _waiting(now: datetime) -> dict:
    return {"token": None, "expiresAt": now + timedelta(seconds=settings.PICKUP_AGAIN_SECONDS)}


def said(membership: Membership, *, text: str, client_id: str, api_key_id: str | None, now: datetime) -> dict[str, Any]:
    """What a question is before it has a place, as MongoDB keeps it."""
    return {
        M.message_id: str(uuid.uuid7()),
        M.content: text,
        M.user_id: str(membership.user_id),
        M.user_role: str(membership.role),
        M.branch_id: str(membership.branch_id) if membership.branch_id else None,
        M.department_id: str(membership.department_id) if membership.department_id else None,
        M.user_name: membership.user.name,
        M.client_id: client_id,
        M.created_at: now,
        **({M.api_key_id: api_key_id} if api_key_id else {}),
    }


def _question(conversation: ConversationRecord, said: dict[str, Any], *, now: datetime) -> dict:
    return {
        **said,
        M.organization_id: conversation.organization_id,
        M.conversation_id: conversation.id,
        M.role: MessageRole.USER.value,
        M.content_type: ContentType.TEXT.value,
        M.attempt: 1,
        M.status: MessageStatus.SENT.value,
        M.created_at: now,
        M.updated_at: now,
    }


def _answer(question: dict, *, now: datetime) -> dict:
    same = {name: question[name] for name in (M.strand, M.api_key_id) if name in question}
    return {
        **same,
        M.message_id: str(uuid.uuid7()),
        M.organization_id: question[M.organization_id],
        M.conversation_id: question[M.conversation_id],
        M.role: MessageRole.ASSISTANT.value,
        M.content: "",
        M.content_type: ContentType.TEXT.value,
        M.answer_to: question[M.message_id],
        M.user_id: question[M.user_id],
        M.user_role: question[M.user_role],
        M.branch_id: question[M.branch_id],
        M.department_id: question[M.department_id],
        M.attempt: 1,
        M.status: MessageStatus.PENDING.value,
        M.lease: _waiting(now),
        M.queued_at: now,
        M.created_at: now,
        M.updated_at: now,
    }


async def _insert(conversation: ConversationRecord, question: dict, answer: dict | None) -> bool:
    """Inserts both at the next places; false where this person's `client_id` is there already. Causes one query, as a rule."""
    async with _queue(conversation.id):
        return await _insert_next(conversation, question, answer)


def _queue(conversation_id: str) -> asyncio.Lock:
    """Questions to one conversation take their places one after another within a process: 64 at once would each lose 32 times."""
    locks = _queues.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
    found = locks.get(conversation_id)
    if found is None:
        found = locks[conversation_id] = asyncio.Lock()
    return found


async def _insert_next(conversation: ConversationRecord, question: dict, answer: dict | None) -> bool:
    messages = mongo.async_collection(Message, journaled=False)
    waiting = [question] if answer is None else [question, answer]
    last = conversation.message_count
    while waiting:
        for place, raw in enumerate(waiting, start=last + 1):
            raw[M.seq] = place
            raw.pop("_id", None)
        if M.edits in question:
            for raw in waiting:
                raw[M.strand] = question[M.seq]
        try:
            await messages.insert_many(waiting, ordered=True)
            return True
        except BulkWriteError as error:
            failure = error.details["writeErrors"][0]
            if failure.get("code") != 11000:
                raise
            if {M.client_id, M.message_id} & failure.get("keyPattern", {}).keys():
                return False
            if M.answer_to in failure.get("keyPattern", {}):
                return True  # somebody healed this turn in the meantime
            waiting = waiting[failure["index"] :]
        last = await last_place(conversation.organization_id, conversation.id)
    return True


async def _make_durable(last: MessageRecord) -> None:
    """Returns when the last message of a turn, and so what was written before it, is in the journal. An update that changes nothing says
    so: it finds the message, and is acknowledged after the journal."""
    same = {M.organization_id: last.organization_id, M.message_id: last.id}
    found = await mongo.async_collection(Message).update_one(same, {"$set": {M.message_id: last.id}})
    if not found.matched_count:
        raise errors.StoreAway  # MongoDB was started again without it


async def last_place(organization_id: str, conversation_id: str) -> int:
    newest = await mongo.async_collection(Message).find_one(
        {M.organization_id: organization_id, M.conversation_id: conversation_id}, {M.seq: 1}, sort=[(M.seq, -1)]
    )
    return newest[M.seq] if newest else 0


async def sent_before(conversation: ConversationRecord, client_id: str, *, user_id: object) -> dict | None:
    """The question that this person sent under this `client_id`. Causes a query."""
    return await mongo.async_collection(Message).find_one(
        {
            M.organization_id: conversation.organization_id,
            M.conversation_id: conversation.id,
            M.user_id: str(user_id),
            M.client_id: client_id,
        }
    )


async def _answer_of(question: dict, *, now: datetime) -> dict | None:
    """The answer to a question that was sent before; made now where a crash lay between the two inserts."""
    messages = mongo.async_collection(Message)
    same = {M.organization_id: question[M.organization_id], M.answer_to: question[M.message_id]}
    found = await messages.find_one(same)
    while found is None:
        answer = _answer(question, now=now)
        answer[M.seq] = 1 + await last_place(question[M.organization_id], question[M.conversation_id])
        try:
            await messages.insert_one(answer)
            return answer
        except DuplicateKeyError:
            found = await messages.find_one(same)
    return found


async def _announce(conversation: ConversationRecord, message: MessageRecord, answer: MessageRecord | None, *, again: bool) -> None:
    """Announces both and calls a worker, in this order. `again`: a worker may be at it already, and then has the word."""
    drafts = [events.message(message.as_json())]
    call = None
    if answer is not None:
        call = Call.to(answer, conversation, question=message, unheard_of=again)
        if not again:
            drafts.append(events.message(answer.as_json()))
    await stream.announce(drafts, call=call)
    failpoint("turn.announced")
