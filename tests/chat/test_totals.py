"""What a conversation adds up to: each answer once, however often it is told."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from chat.documents import Conversation
from chat.records import MessageRecord
from chat.services import totals
from config import mongo

C = mongo.names(Conversation)


def answer_in(conversation, *, id: str = "a1", seq: int = 2, **fields) -> MessageRecord:
    base = MessageRecord(
        id=id,
        organization_id=conversation.organization_id,
        conversation_id=conversation.id,
        seq=seq,
        role="assistant",
        text="x",
        status="sent",
        attempt=1,
        created_at=timezone.now(),
        input_tokens=10,
        output_tokens=5,
        cost="0.00125",
        response_time=1_000.0,
        lease_token="t",
    )
    return replace(base, **fields)


async def kept(conversation) -> dict:
    return await mongo.async_collection(Conversation).find_one(
        {C.organization_id: conversation.organization_id, C.conversation_id: conversation.id}
    )


async def test_answers_add_up(consultation):
    _, conversation = consultation
    now = timezone.now()
    await totals.note_end(answer_in(conversation), now=now)
    await totals.note_end(answer_in(conversation, id="a2", seq=4, response_time=3_000.0, cost=None), now=now)
    raw = await kept(conversation)
    assert (raw[C.total_tokens_used], raw[C.answer_count], raw[C.average_response_time]) == (30, 2, 2_000.0)
    assert str(raw[C.estimated_cost]) == "0.00125"
    assert raw[C.message_count] == 4


async def test_an_answer_that_is_told_again_counts_once(consultation):
    _, conversation = consultation
    told = [totals.note_end(answer_in(conversation), now=timezone.now()) for _ in range(20)]
    await asyncio.gather(*told)
    raw = await kept(conversation)
    assert (raw[C.total_tokens_used], raw[C.answer_count]) == (15, 1)


async def test_a_stopped_answer_moves_the_conversation_on_and_adds_nothing(consultation):
    _, conversation = consultation
    await totals.note_end(answer_in(conversation, status="cancelled"), now=timezone.now())
    raw = await kept(conversation)
    assert raw[C.message_count] == 2
    assert raw.get(C.total_tokens_used, 0) == 0


async def test_a_conversation_is_as_old_as_what_was_said_last_in_it(consultation):
    """Not as old as the moment at which it was counted: what is told again late does not bring an old conversation to the top."""
    _, conversation = consultation
    said_at = conversation.last_message_at.replace(microsecond=0) + timedelta(minutes=4)
    answer = answer_in(conversation, created_at=said_at)
    await totals.note_place(answer)
    await totals.note_end(answer, now=said_at + timedelta(days=3))
    assert (await kept(conversation))[C.last_message_at] == said_at


async def test_many_notes_are_few_writes_and_all_of_them_count(consultation, monkeypatch):
    _, conversation = consultation
    writes = []
    write = totals._write_ends

    async def counting(ends):
        writes.append(len(ends))
        await write(ends)

    monkeypatch.setattr(totals, "_write_ends", counting)
    answers = [answer_in(conversation, id=f"a{number}", seq=2) for number in range(90)]
    await asyncio.gather(*(totals.note_end(answer, now=timezone.now()) for answer in answers))
    raw = await kept(conversation)
    assert raw[C.answer_count] == 90
    assert len(writes) < 10
    assert sum(writes) == 90


async def test_a_batch_that_fails_fails_for_all_in_it_and_the_next_is_written():
    written, may_go = [], asyncio.Event()

    async def write(items):
        await may_go.wait()
        if "bad" in items:
            raise ConnectionError("away")
        written.extend(items)

    batch = totals.Batch(write)
    first = asyncio.create_task(batch.add("one"))
    await asyncio.sleep(0)
    later = [asyncio.create_task(batch.add(item)) for item in ("two", "bad")]
    await asyncio.sleep(0.01)
    may_go.set()
    await first
    assert [type(error) for error in await asyncio.gather(*later, return_exceptions=True)] == [ConnectionError, ConnectionError]
    await batch.add("three")
    assert written == ["one", "three"]
