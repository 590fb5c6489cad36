"""Stopping: the provider's connection closes within a second, what was written stays, and nothing else is stopped."""

import asyncio
import time

from chat.services import errors, turns
from tests.faults.desk import Desk, run
from tests.faults.provider import PIECES, TEXT, Provider, writes

SLOW = tuple(f"word {number} 🙂 " for number in range(200))


async def hung_up(provider: Provider, question: str, *, within: float = 1.0) -> None:
    """Waits until the provider sees its caller hang up."""
    end = time.monotonic() + within
    while question not in provider.hung_up:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def begun(desk: Desk, answer_id: str, writing: asyncio.Task) -> None:
    """Waits until something of the answer is durable."""
    while not (await desk.message(answer_id)).text:
        assert not writing.done()
        await asyncio.sleep(0.02)


def test_a_stop_hangs_up_within_a_second_and_keeps_the_text(desk: Desk, provider):
    question = "Stop me? ✋ توقف"
    provider.scripts[question] = writes(*SLOW)

    async def scenario() -> str:
        taken = await desk.submit(question, client_id="one")
        writing = asyncio.create_task(desk.write(taken.answer))
        await begun(desk, taken.answer.id, writing)
        await turns.astop(desk.membership, await desk.message(taken.answer.id))
        await hung_up(provider, question)
        await writing
        return taken.answer.id

    answer_id, kept, events = run(desk.heard(scenario))
    stopped = kept[-1]
    assert (stopped.id, stopped.status, stopped.finish_reason, stopped.error_code) == (answer_id, "cancelled", "stopped", None)
    assert stopped.text
    assert "".join(SLOW).startswith(stopped.text)
    assert "".join(said["text"] for said in events if said["event"] == "delta") == stopped.text

    # It can be had after all, at once: the wish was for the first attempt alone.
    del provider.scripts[question]
    again = run(desk.again(stopped))
    assert (again.status, again.text, again.attempt) == ("sent", TEXT, 2)


def test_a_stop_before_anybody_began_asks_nobody(desk: Desk, provider):
    question = "Never mind? 🙊"

    async def scenario() -> None:
        taken = await desk.submit(question, client_id="one")
        wished = await turns.astop(desk.membership, await desk.message(taken.answer.id))
        assert wished.status == "pending"
        await desk.write(taken.answer)

    _, kept, _ = run(desk.heard(scenario))
    assert (kept[-1].status, kept[-1].text) == ("cancelled", "")
    assert provider.calls[question] == 0


def test_a_stop_after_the_end_and_a_second_one_change_nothing(desk: Desk, provider):
    written, _ = run(desk.turn("Too late? ⌛"))
    before = run(desk.kept())

    async def scenario() -> None:
        for _ in range(2):
            assert await turns.astop(desk.membership, await desk.message(written.id)) == written

    _, kept, events = run(desk.heard(scenario))
    assert kept == before
    assert events == []


def test_a_stop_of_one_answer_leaves_the_others_alone(desk: Desk, provider):
    stop, go = "This one? 🟥", "Not this one? 🟩"
    provider.scripts[stop] = writes(*SLOW)
    provider.scripts[go] = writes(*PIECES, pause=0.05)

    async def scenario() -> None:
        first = await desk.submit(stop, client_id="one")
        second = await desk.submit(go, client_id="two")
        writing = [asyncio.create_task(desk.write(taken.answer)) for taken in (first, second)]
        await begun(desk, first.answer.id, writing[0])
        await turns.astop(desk.membership, await desk.message(first.answer.id))
        await asyncio.gather(*writing)

    _, kept, _ = run(desk.heard(scenario))
    assert [(message.status, message.text) for message in kept if message.is_answer][1] == ("sent", TEXT)
    assert [message.status for message in kept if message.is_answer] == ["cancelled", "sent"]
    assert go not in provider.hung_up


def test_the_durable_wish_alone_stops_it_with_the_next_checkpoint(desk: Desk, provider, monkeypatch, settings):
    question = "Nobody passes it on? 📪"
    provider.scripts[question] = writes(*SLOW)
    monkeypatch.setattr("chat.realtime.keys.STOPS", "chat:somewhere-else")

    async def scenario() -> float:
        taken = await desk.submit(question, client_id="one")
        writing = asyncio.create_task(desk.write(taken.answer))
        await begun(desk, taken.answer.id, writing)
        monkeypatch.setattr("chat.services.turns.keys.stop", lambda message_id, *, attempt: "nothing")
        await turns.astop(desk.membership, await desk.message(taken.answer.id))
        asked_at = time.monotonic()
        await hung_up(provider, question, within=2 * settings.CHECKPOINT_SECONDS + 1)
        await writing
        return time.monotonic() - asked_at

    _, kept, _ = run(desk.heard(scenario))
    assert kept[-1].status == "cancelled"


def test_a_question_cannot_be_stopped(desk: Desk):
    run(desk.turn("Me? 🙋"))
    question = run(desk.kept())[0]
    try:
        run(turns.astop(desk.membership, question))
    except errors.NothingToStop as refusal:
        assert refusal.sentence.endswith(".")
    else:
        raise AssertionError("a question is not stopped")
