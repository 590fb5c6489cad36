"""Many at once: one question stays one question, places stay contiguous, an answer is written once."""

import asyncio
import random

import pytest

from chat import access
from chat.realtime import stream
from chat.services import errors, sweeper, turns
from config import mongo
from tests.faults.desk import Desk, run
from tests.faults.provider import PIECES, TEXT, writes

RACERS, WRITERS = 64, 24


async def persistently(desk: Desk, text: str, *, client_id: str) -> turns.Submitted:
    """As a page does: where the store is too slow to promise anything, the same is sent again."""
    while True:
        try:
            return await desk.submit(text, client_id=client_id)
        except mongo.AWAY:
            await asyncio.sleep(0.1)


def test_the_same_question_sent_by_64_at_once_is_one_question_with_one_answer(desk: Desk, provider):
    question = "Did you get this? 📨"

    async def race() -> list[turns.Submitted]:
        return await asyncio.gather(*(persistently(desk, question, client_id="the same") for _ in range(RACERS)))

    taken = run(race())
    kept = run(desk.kept())
    assert [(message.seq, message.role, message.text) for message in kept] == [(1, "user", question), (2, "assistant", "")]
    assert {(racer.message.id, racer.answer.id) for racer in taken} == {(kept[0].id, kept[1].id)}
    assert [racer.created for racer in taken].count(True) <= 1  # whose acknowledgement was lost created it unheard
    # One acknowledgement, whoever hears it.
    assert len({str(racer.message.as_json()) + str(racer.answer.as_json()) for racer in taken}) == 1


def test_64_different_questions_at_once_take_contiguous_places_and_each_gets_its_answer(desk: Desk):
    async def race() -> list[turns.Submitted]:
        return await asyncio.gather(*(persistently(desk, f"Question {n}?", client_id=str(n)) for n in range(RACERS)))

    taken = run(race())
    kept = run(desk.kept())
    assert [message.seq for message in kept] == list(range(1, 2 * RACERS + 1))
    questions = {message.id: message for message in kept if not message.is_answer}
    assert sorted(message.text for message in questions.values()) == sorted(f"Question {n}?" for n in range(RACERS))
    assert {message.answer_to for message in kept if message.is_answer} == set(questions)
    assert all(questions[message.answer_to].seq < message.seq for message in kept if message.is_answer)
    assert {(racer.message.seq, racer.answer.seq) for racer in taken} == {
        (questions[message.answer_to].seq, message.seq) for message in kept if message.is_answer
    }

    async def count() -> int:
        return (await access.aconversation_for(desk.membership, desk.conversation.id)).message_count

    assert run(count()) == 2 * RACERS


def test_different_words_under_the_same_client_id_are_refused(desk: Desk):
    async def race() -> list[turns.Submitted | BaseException]:
        sent = (desk.submit(text, client_id="one") for text in ("This.", "That."))
        return await asyncio.gather(*sent, return_exceptions=True)

    results = run(race())
    assert sorted(type(result) for result in results if isinstance(result, errors.ChatError)) == [errors.ClientIdReused]
    assert len(run(desk.kept())) == 2


def test_an_answer_that_many_want_to_write_is_written_once(desk: Desk, provider):
    question = "Who is first? 🏁"

    async def race() -> None:
        taken = await desk.submit(question, client_id="one")
        writers = (desk.write(taken.answer) for _ in range(WRITERS))
        for error in await asyncio.gather(*writers, return_exceptions=True):
            assert error is None or isinstance(error, mongo.AWAY)

    _, kept, events = run(desk.heard(race))
    assert provider.calls[question] == 1
    assert [(message.status, message.text, message.attempt) for message in kept[1:]] == [("sent", TEXT, 1)]
    assert "".join(said["text"] for said in events if said["event"] == "delta") == TEXT


def test_a_retry_that_many_press_at_once_is_one_attempt(desk: Desk, provider, monkeypatch):
    question = "Again and again? 🔁"

    async def stopped() -> None:
        taken = await desk.submit(question, client_id="one")
        await turns.astop(desk.membership, await desk.message(taken.answer.id))
        await desk.write(taken.answer)

    _, kept, _ = run(desk.heard(stopped))

    async def race() -> list[object]:
        return await asyncio.gather(*(turns.aretry(desk.membership, kept[-1]) for _ in range(RACERS)), return_exceptions=True)

    results = run(race())
    pending = [result for result in results if not isinstance(result, BaseException)]
    assert [(message.status, message.attempt) for message in pending] == [("pending", 2)]
    assert {type(result) for result in results if isinstance(result, BaseException)} == {errors.NothingToRetry}
    _, kept, _ = run(desk.heard(lambda: desk.write(pending[0])))
    assert (kept[-1].status, kept[-1].text, kept[-1].attempt, provider.calls[question]) == ("sent", TEXT, 2, 1)


@pytest.mark.parametrize("seed", range(3))
def test_sweepers_and_workers_in_any_order_answer_once(desk: Desk, provider, settings, seed: int):
    """Sixteen sweepers and sixteen workers at an answer whose call was lost."""
    question = f"Who was lost? {seed}"
    settings.PICKUP_AGAIN_SECONDS = -1.0  # due at once
    order = random.Random(seed)

    async def race() -> None:
        taken = await desk.submit(question, client_id="one")

        async def late(action) -> None:
            await asyncio.sleep(order.uniform(0, 0.05))
            await action()

        actions = [lambda: desk.write(taken.answer), sweeper.sweep] * 16
        await asyncio.gather(*(late(action) for action in actions))
        settings.PICKUP_AGAIN_SECONDS = 60.0

    run(race())
    kept = run(desk.kept())
    assert [(message.role, message.status) for message in kept] == [("user", "sent"), ("assistant", "sent")]
    assert (kept[1].text, kept[1].attempt, provider.calls[question]) == (TEXT, 1, 1)


def test_a_member_cannot_take_an_answer_to_a_place_that_is_taken(desk: Desk):
    """The unique index has the last word on places, whatever the conversation believes of itself."""

    async def confused() -> list:
        await mongo.async_client()[mongo.database().name]["chat_conversations"].update_one(
            {"organizationId": desk.conversation.organization_id, "conversationId": desk.conversation.id}, {"$set": {"messageCount": 0}}
        )
        for number in range(4):
            await desk.submit(f"Number {number}", client_id=str(number))  # the record says 0 messages each time
        return await desk.kept()

    assert [message.seq for message in run(confused())] == list(range(1, 9))


def test_an_answer_that_ends_while_its_words_are_on_their_way_is_announced_after_them(desk: Desk, provider, monkeypatch):
    question = "Slow to be told? 🐌"
    provider.scripts[question] = writes(*PIECES, pause=0.002)
    publish = stream.publish

    async def slowly(*args, **kwargs):
        placed = await publish(*args, **kwargs)
        await asyncio.sleep(0.3)
        return placed

    monkeypatch.setattr(stream, "publish", slowly)
    written, events = run(desk.turn(question))
    assert (written.status, written.text) == ("sent", TEXT)
    assert [said["event"] for said in events][-1] == "message"
    assert "".join(said["text"] for said in events if said["event"] == "delta") == TEXT
