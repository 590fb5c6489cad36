"""Questions that wait for an answer's end (S0-97). They are kept in their conversation, so that none is lost; see docs/decisions/queue.md.

1. `aadd` keeps the question, durably, then looks (`ago_on`): if an answer of its strand is on its way, that is told that somebody waits.
2. Whoever saves that answer's end looks again. The oldest question is claimed, asked and taken out, in this order: a crash in
   between is found by the sweeper, and asked twice it is there once, since its id and its `client_id` are.
3. Its own answer is told from the start that more may wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone
from pymongo import ReturnDocument

from chat import access, events, strands
from chat.choices import ON_THEIR_WAY, ConversationStatus, MessageRole, WaitingStatus
from chat.documents import Conversation, Message, WaitingQuestion
from chat.realtime import keys, limits, stream
from chat.records import ConversationRecord, MessageRecord, QueueRecord, RepliedToRecord, WaitingRecord, as_time
from chat.services import attachments, errors, replies, turns
from config import loop, mongo, redis
from config.failpoints import failpoint
from tenants import access as people
from tenants import roles
from tenants.models import Membership

C, M, W = mongo.names(Conversation), mongo.names(Message), mongo.names(WaitingQuestion)

MOST = 10  # questions that wait in a conversation
LOOKED_AT = 20  # newest messages of a strand among which answers on their way are sought
QUESTIONS = f"{C.queue}.questions"
VERSION = f"{C.queue}.version"


@dataclass(frozen=True, slots=True)
class Queued:
    """What waits now; and the question, with its answer, where it did not have to wait. `left` as in `turns.Submitted`."""

    queue: QueueRecord
    message: MessageRecord | None = None
    answer: MessageRecord | None = None
    left: limits.Left | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "queue": self.queue.as_json(),
            "message": self.message and self.message.as_json(),
            "answer": self.answer and self.answer.as_json(),
        }


async def aadd(
    membership: Membership,
    conversation: ConversationRecord,
    *,
    text: str,
    client_id: str,
    attachment_ids: Sequence[object] = (),
    strand: int | None = None,
    reply_to: object | None = None,
    api_key_id: str | None = None,
) -> Queued:
    """Takes a question that is asked when no answer of its strand is on its way: at once, or later. Limits are taken now. The same
    `client_id` again changes nothing.

    Raises what `turns.asubmit` raises, and `QueueFull`.
    """
    await roles.refresh()
    roles.require(membership, "chat:message:send")
    text = turns.checked(text)
    strand = conversation.shown_to(membership.user_id) if strand is None else strand
    if not conversation.has_strand(strand):
        raise errors.UnknownStrand
    sent: dict[str, Any] = {"text": text, "client_id": client_id, "attachment_ids": attachment_ids, "strand": strand, "reply_to": reply_to}
    if await turns.sent_before(conversation, client_id, user_id=membership.user_id) is not None:
        again = await turns.asubmit(membership, conversation, **sent, api_key_id=api_key_id)
        return Queued(conversation.queue, again.message, again.answer, again.left)
    left = None
    known = conversation.queue.sent_as(client_id, user_id=membership.user_id)
    if known is None:
        _check_takes_one(conversation)
        replied_to = None if reply_to is None else await replies.find(conversation, reply_to)
        left = await limits.take_for(membership, conversation_id=conversation.id)
        kept: dict[str, Any] = {"text": text, "client_id": client_id, "attachment_ids": attachment_ids, "strand": strand}
        conversation, known = await _keep(membership, conversation, **kept, replied_to=replied_to, api_key_id=api_key_id)
    elif (known.text, {file.id for file in known.attachments}, known.reply_to and known.reply_to.id) != (
        text,
        {access.key(value) for value in attachment_ids},
        None if reply_to is None else access.key(reply_to),
    ):
        raise errors.ClientIdReused
    failpoint("queue.recorded")
    conversation, asked = await ago_on(conversation.organization_id, conversation.id, strand=known.strand)
    if asked is not None and asked.message.id == known.id:
        return Queued(conversation.queue, asked.message, asked.answer, left)
    if asked is None:
        await _tell(conversation)
    return Queued(conversation.queue, left=left)


def add(membership: Membership, conversation: ConversationRecord, **sent: Any) -> Queued:
    """`aadd`, for those who wait."""
    return loop.run(aadd(membership, conversation, **sent))


async def anext(membership: Membership, conversation: ConversationRecord, *, strand: int | None = None) -> Queued:
    """Has the oldest question of a strand asked that stayed since the answer before it failed. It goes on waiting where an answer is on
    its way. Raises `Forbidden`, `ConversationClosed`, `UnknownStrand`."""
    await roles.refresh()
    roles.require(membership, "chat:message:send")
    strand = conversation.shown_to(membership.user_id) if strand is None else strand
    if not conversation.has_strand(strand):
        raise errors.UnknownStrand
    if conversation.status != ConversationStatus.ACTIVE:
        raise errors.ConversationClosed
    conversation, asked = await ago_on(conversation.organization_id, conversation.id, strand=strand)
    return Queued(conversation.queue) if asked is None else Queued(conversation.queue, asked.message, asked.answer)


def next_one(membership: Membership, conversation: ConversationRecord, *, strand: int | None = None) -> Queued:
    return loop.run(anext(membership, conversation, strand=strand))


async def aremove(membership: Membership, conversation: ConversationRecord, question_id: object) -> tuple[QueueRecord, WaitingRecord]:
    """Takes a question of this person's out. Returns what waits now, and the question, whose files can be sent anew.

    Raises `NotFound`, `Forbidden` for somebody else's, `AskedAlready`.
    """
    await roles.refresh()
    roles.require(membership, "chat:message:send")
    wanted = access.key(question_id)
    question = next((one for one in conversation.queue.questions if one.id == wanted), None)
    if question is None:
        raise people.NotFound
    if question.user_id != str(membership.user_id):
        raise people.Forbidden("Only the person who asked a question can take it back.")
    waiting = {"$elemMatch": {W.message_id: wanted, W.status: WaitingStatus.WAITING.value}}
    left = await _change(conversation, {"$pull": {QUESTIONS: {W.message_id: wanted}}}, where={QUESTIONS: waiting})
    if left is None:
        raise errors.AskedAlready
    await attachments.release(conversation.organization_id, question.attachments)
    await _tell(left)
    return left.queue, question


def remove(membership: Membership, conversation: ConversationRecord, question_id: object) -> tuple[QueueRecord, WaitingRecord]:
    return loop.run(aremove(membership, conversation, question_id))


async def ago_on(organization_id: str, conversation_id: str, *, strand: int) -> tuple[ConversationRecord, turns.Submitted | None]:
    """Asks the oldest question that waits in a strand, unless an answer is on its way there, which then does this at its end. Returns the
    conversation as it is then. Any number may do this at once. Raises `mongo.AWAY` errors: then the sweeper does it."""
    one = {C.organization_id: organization_id, C.conversation_id: conversation_id}
    while True:
        if (raw := await mongo.async_collection(Conversation).find_one(one)) is None:
            raise people.NotFound  # removed for good meanwhile
        conversation = ConversationRecord.read(raw)
        oldest = next((question for question in conversation.queue.questions if question.strand == strand), None)
        if oldest is None:
            return conversation, None
        if conversation.status != ConversationStatus.ACTIVE or await _waits_for_an_answer(conversation, strand):
            await _leave_to_others(conversation, strand)
            return conversation, None
        # Looked for after the oldest question was read: whoever has asked that since has taken it out, and we look again.
        claim = {f"{QUESTIONS}.$.{W.status}": WaitingStatus.ASKING.value, f"{QUESTIONS}.$.{W.due_at}": _soon()}
        claimed = await _change(conversation, {"$set": claim}, where={QUESTIONS: {"$elemMatch": {W.message_id: oldest.id}}})
        if claimed is None:
            continue
        failpoint("queue.claimed")
        asked = await _ask(claimed, oldest)
        failpoint("queue.asked")
        left = await _change(claimed, {"$pull": {QUESTIONS: {W.message_id: oldest.id}}}) or claimed
        await _tell(left)
        return left, asked


async def _ask(conversation: ConversationRecord, question: WaitingRecord) -> turns.Submitted | None:
    try:
        return await turns.aask(conversation, question, now=timezone.now())
    except errors.ClientIdReused:  # sent beside, and otherwise, in the same moment: what was asked counts
        return None


async def sweep(now: datetime, *, comment: str) -> int:
    """Goes on where somebody died before a question was asked, or before an answer knew of it; how many conversations that were."""
    due = mongo.async_collection(Conversation).find({f"{QUESTIONS}.{W.due_at}": {"$lt": now}}, comment=comment)
    found = [ConversationRecord.read(raw) async for raw in due]
    for conversation in found:
        for strand in {question.strand for question in conversation.queue.questions if question.kept.get(W.due_at)}:
            await ago_on(conversation.organization_id, conversation.id, strand=strand)
    return len(found)


def _check_takes_one(conversation: ConversationRecord) -> None:
    if conversation.status != ConversationStatus.ACTIVE:
        raise errors.ConversationClosed
    if len(conversation.queue.questions) >= MOST:
        raise errors.QueueFull(limit=MOST)


async def _keep(
    membership: Membership,
    conversation: ConversationRecord,
    *,
    text: str,
    client_id: str,
    attachment_ids: Sequence[object],
    strand: int,
    replied_to: RepliedToRecord | None,
    api_key_id: str | None,
) -> tuple[ConversationRecord, WaitingRecord]:
    """Keeps the question at the end of the queue, in the journal. Two of the same at once are one."""
    question = turns.said(membership, text=text, client_id=client_id, api_key_id=api_key_id, now=timezone.now())
    question |= {W.strand: strand, W.status: WaitingStatus.WAITING.value, W.due_at: _soon()}
    if replied_to is not None:
        question[W.reply_to] = replied_to.as_stored()
    if attachment_ids:
        question[W.attachments] = [file.as_stored() for file in await attachments.claim(membership, conversation, attachment_ids)]
    same = {W.client_id: client_id, W.user_id: str(membership.user_id)}
    where = {
        C.status: ConversationStatus.ACTIVE.value,
        QUESTIONS: {"$not": {"$elemMatch": same}},
        f"{QUESTIONS}.{MOST - 1}": {"$exists": False},
    }
    kept = await _change(conversation, {"$push": {QUESTIONS: question}}, where=where)
    if kept is None:
        raw = await mongo.async_collection(Conversation).find_one(_one(conversation))
        kept = ConversationRecord.read(raw)
        if kept.queue.sent_as(client_id, user_id=membership.user_id) is None:
            _check_takes_one(kept)
    known = kept.queue.sent_as(client_id, user_id=membership.user_id)
    assert known is not None
    return kept, known


async def _waits_for_an_answer(conversation: ConversationRecord, strand: int) -> bool:
    """Whether an answer of this strand is on its way; if so, it knows from now on that somebody waits for its end."""
    messages = mongo.async_collection(Message)
    newest = messages.find(
        {
            M.organization_id: conversation.organization_id,
            M.conversation_id: conversation.id,
            M.deleted_at: None,
            **strands.of(strand),
        },
        {M.message_id: 1, M.role: 1, M.status: 1},
        sort=[(M.seq, -1)],
        limit=LOOKED_AT,
        hint=strands.INDEX,
    )
    for raw in await newest.to_list():
        if raw[M.role] != MessageRole.ASSISTANT or raw[M.status] not in ON_THEIR_WAY:
            continue
        same = {M.organization_id: conversation.organization_id, M.message_id: raw[M.message_id]}
        still = {M.status: {"$in": [status.value for status in ON_THEIR_WAY]}}
        if (await messages.update_one({**same, **still}, {"$set": {M.awaited: True}})).matched_count:
            return True
    return False


async def _leave_to_others(conversation: ConversationRecord, strand: int) -> None:
    """The sweeper need not see to these questions: an answer takes them along, or people decide."""
    await mongo.async_collection(Conversation).update_one(
        _one(conversation),
        {"$unset": {f"{QUESTIONS}.$[one].{W.due_at}": ""}},
        array_filters=[{f"one.{W.strand}": strand, f"one.{W.status}": WaitingStatus.WAITING.value}],
    )


async def _change(
    conversation: ConversationRecord, change: dict[str, Any], *, where: dict[str, Any] | None = None
) -> ConversationRecord | None:
    """Changes the queue, in the journal; None where it is not as `where` says."""
    raw = await mongo.async_collection(Conversation).find_one_and_update(
        {**_one(conversation), **(where or {})}, {**change, "$inc": {VERSION: 1}}, return_document=ReturnDocument.AFTER
    )
    return None if raw is None else ConversationRecord.read(raw)


async def _tell(conversation: ConversationRecord) -> None:
    await stream.announce([events.queue(conversation.id, conversation.queue.as_json())])
    view = keys.queue(conversation.id)
    try:
        async with redis.async_client().pipeline(transaction=True) as pipeline:
            pipeline.delete(view)
            for question in conversation.queue.questions:
                pipeline.rpush(view, _as_view(question))
            pipeline.expire(view, keys.QUEUE_TTL)
            await pipeline.execute()
    except redis.AWAY:
        pass  # it is a view; the conversation has them


def _as_view(question: WaitingRecord) -> bytes:
    """As S0-97 has it."""
    return orjson.dumps(
        {
            "messageId": question.id,
            "role": MessageRole.USER.value,
            "content": question.text,
            "timestamp": as_time(question.kept[W.created_at]),
            "userId": question.user_id,
            "status": question.kept[W.status],
        }
    )


def _soon() -> datetime:
    return timezone.now() + timedelta(seconds=settings.PICKUP_AGAIN_SECONDS)


def _one(conversation: ConversationRecord) -> dict[str, str]:
    return {C.organization_id: conversation.organization_id, C.conversation_id: conversation.id}
