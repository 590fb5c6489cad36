"""What a conversation adds up to: its last message, its count, what its answers took and how they were rated.

Writes are gathered, so that a busy process makes few of them. A place is written with the journal, which makes the message before it
durable, too. The figures of an answer are not waited for by the journal: they may be lost with the process and are made again, since
the answer's lease stays until they are in, the sweeper brings them in otherwise, and the conversation remembers which answers
it has counted: each attempt for itself, since each was paid for.
"""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from bson.decimal128 import Decimal128
from pymongo import ReturnDocument, UpdateOne

from chat.choices import ON_THEIR_WAY, MessageStatus
from chat.documents import Conversation, Feedback, Message
from chat.realtime import news
from chat.records import ConversationRecord, MessageRecord
from chat.signals import answer_ended
from chat.strands import Strand
from config import mongo

log = logging.getLogger(__name__)

C, M, F = mongo.names(Conversation), mongo.names(Message), mongo.names(Feedback)

REMEMBERED = 100  # attempts at a conversation's answers that are known to be counted
AGAIN_SECONDS = 0.5
GATHER_SECONDS = 0.5  # that figures wait for those of other answers

T = TypeVar("T")

_keepers: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Keeper]" = weakref.WeakKeyDictionary()


async def note_place(message: MessageRecord, *, begun: Strand | None = None, looked_at: tuple[str, int] | None = None) -> None:
    """A message has come in at this place, and perhaps a strand was begun, or a person looks at another one now (who, which). Returns
    when that, and whatever was written before it, is in the journal. Raises `mongo.AWAY` errors."""
    changes: dict[str, Any] = {
        "$max": {C.message_count: message.seq, C.last_message_at: message.created_at, C.updated_at: message.created_at}
    }
    if begun is not None:
        changes["$addToSet"] = {C.strands: begun.as_json()}
    if looked_at is not None:
        changes["$set"] = {f"{C.shown}.{looked_at[0]}": looked_at[1]}
    conversation = {C.organization_id: message.organization_id, C.conversation_id: message.conversation_id}
    await keeper().places.add(UpdateOne(conversation, changes))
    if message.status not in ON_THEIR_WAY:
        news.tell(message.organization_id, message.conversation_id)


async def note_end(answer: MessageRecord, *, now: datetime) -> None:
    """An answer has ended and everybody was told: its figures go into the conversation, once, and then its lease goes."""
    while True:
        try:
            await count_end(answer, now=now)
            return
        except mongo.AWAY as error:
            log.warning("MongoDB is away, the figures of answer %s wait: %s", answer.id, error)
            await asyncio.sleep(AGAIN_SECONDS)


async def count_end(answer: MessageRecord, *, now: datetime) -> None:
    """The same, once: raises `mongo.AWAY` errors."""
    await keeper().ends.add((_counted(answer, now=now), _released(answer)))
    answer_ended.send_robust(sender=None, answer=answer)
    news.tell(answer.organization_id, answer.conversation_id)


async def count_ratings(answer: MessageRecord) -> ConversationRecord | None:
    """A rating came, changed or went: the conversation's becomes the average of those its answers have now. Returns the
    conversation where that changed it. Raises `mongo.AWAY` errors.

    It is made from all of them each time, and whoever wrote one looks again: of many at once, the last to look is right.
    """
    conversations = mongo.async_collection(Conversation)
    one = {C.organization_id: answer.organization_id, C.conversation_id: answer.conversation_id}
    changed = None
    while True:
        rating = await _average_rating(answer)
        raw = await conversations.find_one_and_update(
            {**one, C.user_satisfaction_rating: {"$ne": rating}},
            {"$set": {C.user_satisfaction_rating: rating}},
            return_document=ReturnDocument.AFTER,
        )
        if raw is None:
            return changed
        changed = ConversationRecord.read(raw)


async def _average_rating(answer: MessageRecord) -> float | None:
    rating = f"{M.feedback}.{F.rating}"
    rated = {
        M.organization_id: answer.organization_id,
        M.conversation_id: answer.conversation_id,
        M.deleted_at: None,
        rating: {"$type": "number"},
    }
    cursor = await mongo.async_collection(Message).aggregate(
        [{"$match": rated}, {"$group": {"_id": None, "average": {"$avg": f"${rating}"}}}]
    )
    found = await cursor.to_list()
    return found[0]["average"] if found else None


def _counted(answer: MessageRecord, *, now: datetime) -> UpdateOne:
    conversation = {C.organization_id: answer.organization_id, C.conversation_id: answer.conversation_id}
    changes: dict[str, Any] = {
        C.last_message_at: {"$max": [f"${C.last_message_at}", answer.created_at]},
        C.updated_at: {"$max": [f"${C.updated_at}", now]},
        C.message_count: {"$max": [f"${C.message_count}", answer.seq]},
    }
    if answer.status != MessageStatus.SENT or answer.response_time is None:
        return UpdateOne(conversation, [{"$set": changes}])
    count, average = {"$ifNull": [f"${C.answer_count}", 0]}, {"$ifNull": [f"${C.average_response_time}", 0]}
    total = {"$add": [{"$multiply": [average, count]}, answer.response_time]}
    tokens = (answer.input_tokens or 0) + (answer.output_tokens or 0)
    counted, attempt = {"$ifNull": [f"${C.counted_answers}", []]}, f"{answer.id}/{answer.attempt}"
    changes |= {
        C.answer_count: {"$add": [count, 1]},
        C.average_response_time: {"$divide": [total, {"$add": [count, 1]}]},
        C.total_tokens_used: {"$add": [{"$ifNull": [f"${C.total_tokens_used}", 0]}, tokens]},
        C.counted_answers: {"$slice": [{"$concatArrays": [counted, [attempt]]}, -REMEMBERED]},
    }
    if answer.cost is not None:
        cost = {"$ifNull": [f"${C.estimated_cost}", Decimal128("0")]}
        changes[C.estimated_cost] = {"$add": [cost, Decimal128(answer.cost)]}
    return UpdateOne({**conversation, C.counted_answers: {"$ne": attempt}}, [{"$set": changes}])


def _released(answer: MessageRecord) -> UpdateOne:
    return UpdateOne(
        {M.organization_id: answer.organization_id, M.message_id: answer.id, "lease.token": answer.lease_token},
        {"$unset": {M.lease: ""}},
    )


class Batch(Generic[T]):
    """Gathers what coroutines want written, for so many seconds and while the write before is under way, and writes it at once."""

    def __init__(self, write: Callable[[list[T]], Awaitable[None]], *, seconds: float = 0.0) -> None:
        self._write = write
        self._seconds = seconds
        self._items: list[T] = []
        self._written: asyncio.Future[None] | None = None
        self._task: asyncio.Task | None = None

    async def add(self, item: T) -> None:
        """Returns when it is written; raises what its write raised."""
        self._items.append(item)
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        written = self._written
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())
        await asyncio.shield(written)

    async def _write_all(self) -> None:
        while self._written is not None:
            if self._seconds:
                await asyncio.sleep(self._seconds)
            written, self._written = self._written, None
            items, self._items = self._items, []
            try:
                await self._write(items)
            except Exception as error:
                written.set_exception(error)
            else:
                written.set_result(None)


class Keeper:
    """The batches of one event loop; `keeper()` finds it."""

    def __init__(self) -> None:
        self.places = Batch(_write_places)
        self.ends = Batch(_write_ends, seconds=GATHER_SECONDS)


async def _write_places(places: list[UpdateOne]) -> None:
    await mongo.async_collection(Conversation).bulk_write(places, ordered=False)


async def _write_ends(ends: list[tuple[UpdateOne, UpdateOne]]) -> None:
    """The conversations' figures first: an answer whose lease is gone is done."""
    for document, updates in ((Conversation, [counted for counted, _ in ends]), (Message, [released for _, released in ends])):
        collection = mongo.async_collection(document, journaled=False)
        await collection.bulk_write(updates, ordered=False)


def keeper() -> Keeper:
    """The running event loop's keeper."""
    loop = asyncio.get_running_loop()
    found = _keepers.get(loop)
    if found is None:
        found = _keepers[loop] = Keeper()
    return found
