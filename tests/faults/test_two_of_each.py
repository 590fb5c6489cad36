"""Two web processes and two workers: a reader may change from one to the other at any event, an answer is written by one, and one that
is asked to end leaves nothing behind."""

import asyncio
import time
from dataclasses import asdict

import orjson
import pytest
from django.conf import settings

from chat.realtime import keys
from chat.realtime.calls import Call
from chat.selectors import access
from config import loop, redis
from tests.faults.house import House
from tests.faults.provider import PIECES, TEXT, writes
from tests.faults.turning import Turn, exactly_once, turning
from tests.processes import wait_for

pytestmark = pytest.mark.asyncio

LONG = tuple(f"word {number} 🙂 " for number in range(400))


@pytest.fixture(scope="module")
def site(house: House) -> House:
    house.processes.web("web-a")
    house.processes.web("web-b")
    house.processes.worker("worker-1")
    house.processes.worker("worker-2")
    house.processes.wait_until_ready()
    return house


@pytest.fixture
async def turn(site: House):
    await asyncio.to_thread(site.processes.wait_until_ready)
    async with turning(site, "web-a", "web-b") as turn:
        yield turn


async def sent(turn: Turn, question: str, text: str = TEXT) -> dict:
    turn.from_now()
    answer = exactly_once(await turn.ends(), question)
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", text, 1)
    assert turn.house.provider.calls[question] == 1
    return answer


@pytest.mark.parametrize("events", [1, 2, 3])
async def test_cut_at_every_event_and_resumed_at_the_other_web_process_nothing_is_missed(turn: Turn, events: int):
    question = f"Cut after every {events}? ✂️ قص"
    turn.bystander.ports = turn.page.ports[::-1]
    turn.page.cut_every = turn.bystander.cut_every = events
    await turn.page.send(question)
    await sent(turn, question)
    for reader in (turn.page, turn.bystander):
        assert reader.resets == 0
        assert reader.events >= len(PIECES) / 2
        assert reader.drops == reader.events // events


async def test_two_workers_called_many_times_write_an_answer_once(turn: Turn):
    question = "Who of you two? 👯"
    processes = turn.house.processes
    for worker in ("worker-1", "worker-2"):
        processes.hold(worker)
    before = processes.passed("worker")
    await turn.page.send(question)
    await turn.page.until(lambda: turn.page.answer())
    answer_id = turn.page.answer()["id"]
    membership = turn.house.cast.olive.membership

    async def call() -> Call:
        answer = await access.amessage_for(membership, answer_id)
        return Call.to(answer, await access.aconversation_for(membership, answer.conversation_id))

    same = orjson.dumps(asdict(await asyncio.to_thread(loop.run, call())))
    redis.client().lpush(keys.CALLS, *[same] * 60)
    for worker in ("worker-1", "worker-2"):
        processes.revive(worker)
    await asyncio.to_thread(processes.wait_until_ready)
    await sent(turn, question)
    passed = processes.passed("worker")[len(before) :]
    assert passed.count("answer.received") > 60
    assert passed.count("answer.claimed") == 1


async def test_a_worker_that_is_asked_to_end_finishes_its_answers_first(turn: Turn):
    question = "Before you go? 👋"
    turn.house.processes.hold("worker-2")
    await turn.page.send(question)
    await turn.text_of(at_least=1)
    code = await asyncio.to_thread(turn.house.processes.terminate, "worker-1")
    assert code == 0
    # Whoever has ended has announced: no other worker was there to do so.
    await turn.page.until(lambda: turn.page.statuses() == ["sent", "sent"], seconds=2)
    await sent(turn, question)
    for worker in ("worker-1", "worker-2"):
        turn.house.processes.revive(worker)


async def test_a_worker_that_is_asked_to_end_interrupts_what_takes_too_long_and_keeps_all_of_its_text(turn: Turn):
    question = "A long story? 📚"
    turn.house.provider.scripts[question] = writes(*LONG)
    turn.house.processes.hold("worker-2")
    await turn.page.send(question)
    seen = await turn.text_of(at_least=50)
    asked_at = time.monotonic()
    code = await asyncio.to_thread(turn.house.processes.terminate, "worker-1")
    assert code == 0
    assert time.monotonic() < asked_at + settings.SHUTDOWN_SECONDS + 6
    await turn.page.until(lambda: turn.page.statuses() == ["sent", "interrupted"], seconds=2)
    turn.from_now()
    answer = exactly_once(await turn.ends(), question)
    assert (answer["status"], answer["error"]["code"]) == ("interrupted", "interrupted")
    assert answer["text"].startswith(seen)
    assert "".join(LONG).startswith(answer["text"])
    assert question in turn.house.provider.hung_up
    for worker in ("worker-1", "worker-2"):
        turn.house.processes.revive(worker)
    del turn.house.provider.scripts[question]
    await asyncio.to_thread(turn.house.processes.wait_until_ready)
    status, body, _ = await turn.house.post(f"messages/{answer['id']}/retry", web="web-b")
    assert status == 200, body
    turn.from_now()
    again = exactly_once(await turn.ends(), question)
    assert (again["status"], again["text"], again["attempt"]) == ("sent", TEXT, 2)


async def test_a_stop_over_the_socket_hangs_up_within_a_second(turn: Turn):
    question = "Enough? 🖐️"
    turn.house.provider.scripts[question] = writes(*LONG)
    await turn.page.send(question)
    seen = await turn.text_of(at_least=50)
    asked_at = time.monotonic()
    said = await turn.page.request(do="stop", message=turn.page.answer()["id"])
    assert said["message"]["id"] == turn.page.answer()["id"]
    await asyncio.to_thread(wait_for, lambda: question in turn.house.provider.hung_up, seconds=5)
    assert turn.house.provider.hung_up[question] < asked_at + 1.0
    turn.from_now()
    answer = exactly_once(await turn.ends(), question)
    assert answer["status"] == "cancelled"
    assert answer["text"].startswith(seen)
