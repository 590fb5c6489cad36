"""The whole turn on real stores: asked, written by the offline consultant, streamed, read back."""

import asyncio

import orjson
import pytest

from chat import selectors
from chat.realtime.calls import Call
from chat.realtime.hub import hub
from chat.services import answers, turns
from tests.transcript import Transcript

pytestmark = pytest.mark.asyncio


class Sink:
    def __init__(self):
        self.events, self.resets = [], 0

    def deliver(self, conversation_id, event):
        self.events.append(orjson.loads(event))

    def reset(self, conversation_id):
        self.resets += 1


async def test_a_question_is_answered_and_the_replay_equals_what_is_kept(consultation):
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
