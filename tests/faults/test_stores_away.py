"""A store that is emptied, killed, frozen or stopped in the middle of it: nobody is told 500, nothing is lost, nothing comes twice."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import connect

from chat.events import Close
from config import redis
from tenants.services import accounts
from tests import services as plugin
from tests.faults.conftest import LEASE_SECONDS
from tests.faults.house import House
from tests.faults.provider import PIECES, TEXT, writes
from tests.faults.turning import Turn, exactly_once, turning

pytestmark = pytest.mark.asyncio

AT_ONCE = 4  # operations that are told of it beside each other
SOON = 3.0  # seconds within which a store's absence is told
LONG = tuple(f"word {number} 🙂 " for number in range(90))  # written for some four seconds


@pytest.fixture(scope="module")
def site(house: House) -> House:
    house.processes.web("web-a")
    house.processes.web("web-b")
    house.processes.worker("worker")
    house.processes.wait_until_ready()
    return house


@pytest.fixture
def services() -> Iterator:
    """The test process's own servers; whatever a test did to them, they run again after it."""
    yield plugin.services
    for service in plugin.services.services:
        service.resume()
        service.start()


@pytest.fixture
async def turn(site: House):
    async with turning(site, "web-a", "web-b") as turn:
        yield turn


async def answered_once(turn: Turn, question: str, text: str) -> None:
    turn.from_now()
    answer = exactly_once(await turn.ends(), question)
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", text, 1)
    assert turn.house.provider.calls[question] == 1


async def works_again(turn: Turn) -> None:
    await turn.page.send("And now?")
    turn.from_now()
    kept = await turn.ends(messages=len(turn.page.transcript.messages()) + 1)
    assert [message["text"] for message in kept[-2:]] == ["And now?", TEXT]


# Valkey ----------------------------------------------------------------------------------------------------------------


async def test_valkey_emptied_while_text_streams(turn: Turn):
    question = "Emptied, and the worker notices first? 🧹"
    turn.house.provider.scripts[question] = writes(*LONG)
    await turn.page.send(question)
    for length in (100, 500):
        await turn.text_of(at_least=length)
        redis.client().flushall()
    await answered_once(turn, question, "".join(LONG))
    assert turn.page.resets >= 1
    assert turn.bystander.resets >= 1


async def test_valkey_emptied_while_the_model_thinks(turn: Turn):
    """The readers notice first and begin the numbering anew, before the worker has more to say."""
    question = "Emptied, and the readers notice first? 🤔"

    async def think(exchange) -> None:
        await asyncio.sleep(2.5)

    turn.house.provider.scripts[question] = writes(*PIECES[:6], then=then_writes(think, PIECES[6:]))
    await turn.page.send(question)
    await turn.text_of(at_least=len("".join(PIECES[:6])))
    redis.client().flushall()
    await turn.page.until(lambda: turn.page.resets == 1)
    await turn.bystander.until(lambda: turn.bystander.resets == 1)
    await answered_once(turn, question, TEXT)


def then_writes(pause, pieces):
    """Pauses, then streams these pieces, within an answer that has begun."""
    more = writes(*pieces, finish=None)

    async def go_on(exchange) -> None:
        await pause(exchange)
        head = exchange.head

        async def no_head(*args: object, **kwargs: object) -> None:
            """The answer's head has been sent."""

        exchange.head = no_head
        await more(exchange)
        exchange.head = head

    return go_on


@pytest.mark.parametrize("away_seconds", [0.0, 1.5])
async def test_valkey_killed_and_started_again_while_text_streams(turn: Turn, services, away_seconds: float):
    question = f"Killed for {away_seconds} seconds? ⚡"
    turn.house.provider.scripts[question] = writes(*LONG)
    await turn.page.send(question)
    await turn.text_of(at_least=100)
    services.valkey.kill()
    await asyncio.sleep(away_seconds)
    await asyncio.to_thread(services.valkey.start)
    await answered_once(turn, question, "".join(LONG))
    await works_again(turn)


async def test_valkey_frozen_for_longer_than_a_lease_while_text_streams_and_ends(turn: Turn, services):
    question = "Frozen? 🧊"
    turn.house.provider.scripts[question] = writes(*LONG)
    await turn.page.send(question)
    await turn.text_of(at_least=100)
    services.valkey.pause()
    await asyncio.sleep(LEASE_SECONDS + 2)
    services.valkey.resume()
    await answered_once(turn, question, "".join(LONG))


async def test_a_question_while_valkey_is_away_is_kept_and_answered_when_it_is_back(turn: Turn, services):
    question = "Is anybody there? 📵"
    services.valkey.kill()
    status, body, _ = await turn.house.post(
        f"conversations/{turn.conversation_id}/messages", {"text": question, "client_id": "without-valkey"}, web="web-a"
    )
    assert status == 201, body
    await asyncio.to_thread(services.valkey.start)
    await answered_once(turn, question, TEXT)


async def test_stopped_while_valkey_is_away_acts_with_the_next_checkpoint(turn: Turn, services):
    question = "Stop without Valkey? ✋"
    turn.house.provider.scripts[question] = writes(*LONG, *LONG)
    await turn.page.send(question)
    seen = await turn.text_of(at_least=100)
    services.valkey.kill()
    status, body, _ = await turn.house.post(f"messages/{turn.page.answer()['id']}/stop", web="web-b")
    asked_at = time.monotonic()
    assert status == 200, body
    while question not in turn.house.provider.hung_up:
        assert time.monotonic() < asked_at + SOON
        await asyncio.sleep(0.02)
    await asyncio.to_thread(services.valkey.start)
    turn.from_now()
    answer = exactly_once(await turn.ends(), question)
    assert answer["status"] == "cancelled"
    assert answer["text"].startswith(seen)


# MongoDB ---------------------------------------------------------------------------------------------------------------


async def told_of_absence(turn: Turn, method: str, address: str, body: object = None) -> None:
    """503 with Retry-After, soon."""
    began = time.monotonic()
    status, said, headers = await turn.house.ask(method, address, body, web="web-a")
    took = time.monotonic() - began
    assert (status, said["errors"][0]["code"]) == (503, "store_away"), said
    assert int(headers["Retry-After"]) >= 1
    assert took < SOON


async def told_of_absence_among(some: asyncio.Semaphore, *of: Any) -> None:
    async with some:
        await told_of_absence(*of)


@pytest.mark.parametrize("how", ["frozen", "killed"])
async def test_mongodb_away_is_told_within_three_seconds_and_the_text_arrives_once_on_return(turn: Turn, services, how: str):
    question = f"MongoDB {how}? 🥶 طيب"
    address = f"conversations/{turn.conversation_id}/messages"
    services.mongo.pause() if how == "frozen" else services.mongo.kill()
    try:
        sent_at = time.monotonic()
        client_id = await turn.page.send(question)
        await turn.page.until(lambda: turn.page.refused, seconds=10)
        assert time.monotonic() < sent_at + SOON
        assert turn.page.refused[0]["code"] == "store_away"
        assert turn.page.refused[0]["retry_after"] > 0
        await told_of_absence(turn, "POST", address, {"text": question, "client_id": client_id})
        await told_of_absence(turn, "GET", address)
        await told_of_absence(turn, "GET", "conversations")
        assert question in turn.page.unacknowledged.values()
    finally:
        await asyncio.to_thread(services.mongo.resume if how == "frozen" else services.mongo.start)
    await answered_once(turn, question, TEXT)
    status, body, _ = await turn.house.post(address, {"text": question, "client_id": client_id}, web="web-a")
    assert status == 201
    assert body["message"]["id"] == turn.page.acknowledged[client_id]["message"]["id"]
    assert len(await turn.fetched()) == 2


def newer(conversation: str, question: str, answer: str) -> dict[tuple[str, str], object]:
    """What can be asked of a consultation besides questions and pages of it, with bodies."""
    talk = f"conversations/{conversation}"
    return {
        ("POST", f"messages/{answer}/feedback"): {"rating": 4},
        ("GET", f"messages/{answer}/versions"): None,
        ("GET", f"{talk}/strands"): None,
        ("POST", f"{talk}/strands"): {"strand": 0},
        ("POST", f"{talk}/attachments"): b"Some notes.",
        ("POST", f"{talk}/read"): {"seq": 2},
        ("GET", f"{talk}/presence"): None,
        ("GET", f"{talk}/context"): None,
        ("GET", f"{talk}/export?format=json"): None,
        ("POST", f"{talk}/shares"): {"audience": "organization", "days": 1},
        ("GET", f"{talk}/shares"): None,
        ("POST", f"{talk}/pin"): {"pinned": True},
        ("GET", "search?q=erik"): None,
        ("GET", "sessions"): None,
        ("POST", "conversations/import"): imported(conversation),
        ("POST", f"messages/{answer}/regenerate"): {},
        ("PATCH", f"messages/{question}"): {"text": "In other words?", "client_id": "words"},
    }


def imported(name: str) -> dict[str, object]:
    said = {"role": "user", "text": "How is he?", "created_at": "2026-03-01T09:00:00Z"}
    conversation = {"type": "employee_specific", "title": name, "created_at": "2026-03-01T09:00:00Z"}
    return {"format": "parley-conversation", "version": 1, "conversation": conversation, "messages": [said], "client_id": name}


@pytest.mark.parametrize("how", ["frozen", "killed"])
async def test_mongodb_away_is_told_within_three_seconds_by_every_operation_and_none_has_left_a_trace(turn: Turn, services, how: str):
    question = f"Everything else, MongoDB {how}? 🧊"
    await turn.page.send(question)
    await answered_once(turn, question, TEXT)
    before = await turn.fetched()
    operations = newer(turn.conversation_id, before[0]["id"], before[1]["id"])
    services.mongo.pause() if how == "frozen" else services.mongo.kill()
    try:
        some = asyncio.Semaphore(AT_ONCE)  # a web process has six connections to PostgreSQL here, which says who asks
        async with asyncio.TaskGroup() as asked:
            for (method, address), body in operations.items():
                asked.create_task(told_of_absence_among(some, turn, method, address, body))
    finally:
        await asyncio.to_thread(services.mongo.resume if how == "frozen" else services.mongo.start)
    turn.from_now()
    assert await turn.ends() == before
    for address in ("strands", "shares"):
        _, said, _ = await turn.house.get(f"conversations/{turn.conversation_id}/{address}", web="web-b")
        assert said["results"] == []


async def test_every_operation_works_while_valkey_is_away(turn: Turn, services):
    question = "Everything else, without Valkey? 🗝️"
    await turn.page.send(question)
    await answered_once(turn, question, TEXT)
    before = await turn.fetched()
    services.valkey.kill()
    try:
        for (method, address), body in newer(turn.conversation_id, before[0]["id"], before[1]["id"]).items():
            status, said, _ = await turn.house.ask(method, address, body, web="web-a")
            assert status in (200, 201), (method, address, said)
    finally:
        await asyncio.to_thread(services.valkey.start)
    address = f"conversations/{turn.conversation_id}"
    async with asyncio.timeout(20):
        while True:
            _, again, _ = await turn.house.get(f"messages/{before[1]['id']}", web="web-b")
            path = await turn.house.fetch(turn.conversation_id, web="web-b")  # the strand that was begun is the one that is looked at
            if {again["status"], *(message["status"] for message in path)} == {"sent"}:
                break
            await asyncio.sleep(0.2)
    assert (again["text"], again["attempt"], again["versions"]) == (TEXT, 2, 2)
    assert [(message["seq"], message["text"]) for message in path] == [(3, "In other words?"), (4, TEXT)]
    _, links, _ = await turn.house.get(f"{address}/shares", web="web-b")
    assert len(links["results"]) == 1


@pytest.mark.parametrize("how", ["frozen", "killed"])
async def test_mongodb_away_for_longer_than_a_lease_while_text_streams(turn: Turn, services, how: str):
    """The worker lives and has the text: it saves its answer when MongoDB is back, and nobody takes it away."""
    question = f"MongoDB {how} in the middle? 🕳️"
    turn.house.provider.scripts[question] = writes(*LONG)
    await turn.page.send(question)
    await turn.text_of(at_least=100)
    services.mongo.pause() if how == "frozen" else services.mongo.kill()
    await asyncio.sleep(5)
    await asyncio.to_thread(services.mongo.resume if how == "frozen" else services.mongo.start)
    await answered_once(turn, question, "".join(LONG))


# PostgreSQL ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def unseen(house: House) -> str:
    """A key that no web process has looked up: one that was, a moment ago, is let in without PostgreSQL."""
    return accounts.create_api_key(house.cast.olive.membership, name="unseen")[1]


async def test_postgresql_away_is_503_and_the_text_arrives_once_on_return(turn: Turn, services, unseen: str):
    question = "PostgreSQL gone? 🐘"
    await asyncio.to_thread(services.postgres.kill)
    try:
        await asyncio.sleep(2)  # what a web process believes of grants is older than it may be
        client_id = await turn.page.send(question)
        for address in ("me", "conversations"):
            status, said, headers = await turn.house.get(address, web="web-a")
            assert (status, said["errors"][0]["code"]) == (503, "store_away"), said
            assert int(headers["Retry-After"]) >= 1
        await turn.page.until(lambda: turn.page.refused, seconds=10)
        assert {refusal["code"] for refusal in turn.page.refused} == {"store_away"}
        headers = {"Authorization": f"Bearer {unseen}"}
        with pytest.raises(websockets.ConnectionClosed) as closed:
            async with connect(f"ws://127.0.0.1:{turn.page.ports[0]}/ws/o/acme/", additional_headers=headers, proxy=None) as socket:
                await asyncio.wait_for(socket.recv(), 10)
        assert closed.value.rcvd.code == Close.RESTART
    finally:
        await asyncio.to_thread(services.postgres.start)
    await turn.page.until(lambda: client_id in turn.page.acknowledged, seconds=15)
    await answered_once(turn, question, TEXT)


async def test_valkey_emptied_while_postgresql_is_away_resets_when_it_is_back(turn: Turn, services):
    """Who may read is asked in PostgreSQL before a reset, which has to wait for it."""
    await asyncio.to_thread(services.postgres.kill)
    try:
        await asyncio.sleep(2)  # what a web process believes of grants is older than it may be
        redis.client().flushall()
        await asyncio.sleep(1.5)
        assert turn.page.resets == 0
    finally:
        await asyncio.to_thread(services.postgres.start)
    await turn.page.until(lambda: turn.page.resets == 1)
    question = "Both at once? 🌧️"
    await turn.page.send(question)
    await answered_once(turn, question, TEXT)


async def test_postgresql_away_while_an_answer_begins_ends_in_a_sentence_and_can_be_retried(turn: Turn, services):
    question = "No rights to be read? 🔒"
    turn.house.processes.hold("worker")
    await turn.page.send(question)
    await turn.page.until(lambda: not turn.page.unacknowledged)
    await asyncio.to_thread(services.postgres.kill)
    try:
        turn.house.processes.revive("worker")
        turn.from_now()
        answer = None
        await turn.page.until(lambda: (turn.page.answer() or {}).get("error"), seconds=40)
        answer = turn.page.answer()
        assert (answer["status"], answer["error"]["code"]) == ("interrupted", "store_away")
        assert answer["error"]["detail"].endswith(".")
    finally:
        await asyncio.to_thread(services.postgres.start)
    status, body, _ = await turn.house.post(f"messages/{answer['id']}/retry", web="web-a")
    assert status == 200, body
    turn.from_now()
    again = exactly_once(await turn.ends(), question)
    assert (again["status"], again["text"], again["attempt"]) == ("sent", TEXT, 2)
