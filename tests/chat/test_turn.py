"""The whole turn on real stores: asked, written by the offline consultant, streamed, read back."""

import asyncio
from dataclasses import replace

import orjson
import pytest
from pymongo.errors import AutoReconnect

from chat import access, prompts, selectors
from chat.documents import Message
from chat.realtime import calls, stream
from chat.realtime.calls import Call
from chat.realtime.hub import hub
from chat.services import answers, contexts, errors, totals, turns
from config import mongo, redis
from tests.transcript import Transcript

pytestmark = pytest.mark.asyncio


class Sink:
    def __init__(self):
        self.events, self.resets = [], 0

    def deliver(self, conversation_id, event):
        self.events.append(orjson.loads(event))

    def reset(self, conversation_id):
        self.resets += 1


@pytest.mark.parametrize("busy", [1, answers.BUSY])
async def test_a_question_is_answered_and_the_replay_equals_what_is_kept(consultation, monkeypatch, busy):
    monkeypatch.setattr(answers, "BUSY", busy)
    membership, conversation = consultation
    before = await selectors.snapshot(conversation)
    sink = Sink()
    listener = await hub().listen(conversation.id, sink)
    listener.resume(after=before.n)
    taken = await turns.asubmit(membership, conversation, text="What are her strengths? 🙂 שלום", client_id="one")
    await answers.produce(Call.to(taken.answer, conversation))
    await asyncio.sleep(0.2)
    hub().leave(listener)
    replayed = Transcript(before.as_json())
    for event in sink.events:
        replayed.apply(event)
    kept = await selectors.amessages(conversation)
    assert [m.seq for m in kept.results] == [1, 2]
    assert kept.results[1].status == "sent"
    assert kept.results[1].text
    for got, want in zip(replayed.messages(), [m.as_json() for m in kept.results], strict=True):
        assert {k: (got[k], want[k]) for k in want if got[k] != want[k]} == {}
    assert [e["n"] for e in sink.events] == list(range(before.n + 1, before.n + 1 + len(sink.events)))
    assert not sink.resets


async def test_a_question_that_mongodb_lost_is_not_acknowledged_and_its_events_are_taken_back(consultation, monkeypatch):
    membership, conversation = consultation
    monkeypatch.setattr(turns, "RESTART_SECONDS", 0.0)  # as if it took long enough for MongoDB to start again
    note_place = totals.note_place

    async def losing(message, **more):
        await note_place(message, **more)
        await mongo.async_collection(Message).delete_many({"organizationId": conversation.organization_id})

    monkeypatch.setattr(totals, "note_place", losing)
    before = await stream.position(redis.async_client(), conversation.id)
    with pytest.raises(errors.StoreAway):
        await turns.asubmit(membership, conversation, text="Lost?", client_id="one")
    assert await stream.since(redis.async_client(), conversation.id, after=before.n) is None
    monkeypatch.undo()
    again = await turns.asubmit(membership, conversation, text="Lost?", client_id="one")
    assert again.created
    assert again.message.seq == 1


async def test_a_question_is_not_acknowledged_while_mongodb_cannot_write_it_down(consultation, monkeypatch):
    membership, conversation = consultation

    async def away(message, **more):
        raise AutoReconnect("away")

    monkeypatch.setattr(totals, "note_place", away)
    with pytest.raises(AutoReconnect):
        await turns.asubmit(membership, conversation, text="Written down?", client_id="one")
    monkeypatch.undo()
    again = await turns.asubmit(membership, conversation, text="Written down?", client_id="one")
    assert not again.created
    assert [message.text for message in (await selectors.amessages(conversation)).results] == ["Written down?", ""]


async def test_a_tick_that_fails_is_told_of_and_the_next_one_goes_on(consultation, monkeypatch, caplog):
    membership, conversation = consultation
    ask_beside, failures = answers.Outbox._ask_beside, iter([RuntimeError("once")])

    def failing_once(box):
        if (failure := next(failures, None)) is not None:
            raise failure
        return ask_beside(box)

    monkeypatch.setattr(answers.Outbox, "_ask_beside", failing_once)
    taken = await turns.asubmit(membership, conversation, text="What are her strengths?", client_id="one")
    await asyncio.wait_for(answers.produce(Call.to(taken.answer, conversation)), timeout=10)
    assert (await access.amessage_for(membership, taken.answer.id)).status == "sent"
    assert "A tick failed" in caplog.text


async def test_the_next_attempt_is_not_put_out_by_the_end_of_the_one_before(consultation, settings):
    """Who presses "Try again" at once has it written while the figures of the stopped attempt are still on their way."""
    membership, conversation = consultation
    settings.OFFLINE_WORDS_PER_SECOND = 200
    taken = await turns.asubmit(membership, conversation, text="What are her strengths?", client_id="one")
    first = asyncio.create_task(answers.produce(Call.to(taken.answer, conversation)))
    while not (writing := answers.outbox().writings.get(taken.answer.id)) or not writing.length:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    writing.stop()
    await writing.out.wait()
    again = await turns.aretry(membership, await access.amessage_for(membership, taken.answer.id))
    async with asyncio.timeout(20):
        await answers.produce(Call.to(again, conversation))
    await first
    ended = await access.amessage_for(membership, taken.answer.id)
    assert (ended.status, ended.attempt) == ("sent", 2)
    assert not answers.outbox().writings


async def test_a_first_question_comes_with_its_call_which_is_believed_for_as_long_as_its_rights_are(consultation):
    membership, conversation = consultation
    first = await turns.asubmit(membership, conversation, text="Who leads? \N{WAVING HAND SIGN}", client_id="one")
    (call,) = await calls.wait(redis.async_client(), seconds=1)
    assert call == Call.to(first.answer, conversation, question=first.message)
    carried, read = [prompts.request(first.answer, await contexts.for_answer(one)) for one in (call, replace(call, alone=None))]
    assert carried == read
    mine = {"organizationId": conversation.organization_id, "messageId": first.message.id}
    await mongo.async_collection(Message).update_one(mine, {"$set": {"content": "Something else?"}})
    assert (await contexts.for_answer(call)).question.text == first.message.text
    assert (await contexts.for_answer(replace(call, rights=None))).question.text == "Something else?"
    second = await turns.asubmit(membership, conversation, text="And then?", client_id="two")
    assert Call.to(second.answer, conversation, question=second.message).alone is None
