"""kill -9 at every durable step of a turn: nothing that was acknowledged is lost, nothing is answered twice, and everybody who
listens ends up with what is kept.

Each declared failpoint has a scenario here, which fails if its process does not die at that very point; so a failpoint that no test
reaches fails the run.
"""

import ast
import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from django.conf import settings
from django.utils import timezone

from chat import tasks
from chat.documents import Attachment, Conversation, Message, ReadMark
from chat.services import conversations, turns
from config import failpoints, mongo
from tenants import scoping
from tenants.choices import NOBODY, Role
from tenants.models import User
from tenants.services import erasure
from tests import lost
from tests.analytics.test_buffer import BUFFER
from tests.cast import make_person
from tests.chat.test_cold import COLD
from tests.faults.house import House
from tests.faults.provider import PIECES, TEXT, calls_tool, refuses, writes
from tests.faults.test_afterwards import AFTERWARDS
from tests.faults.test_budgets import BUDGETS
from tests.faults.turning import Turn, exactly_once, turning
from tests.processes import wait_for

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def site(house: House) -> House:
    """Two web processes, two workers, beat, and a third worker that only sweeps: two deaths in a row leave one that heals at once,
    however slowly the others start again."""
    house.processes.web("web-a")
    house.processes.web("web-b")
    house.processes.worker("worker-1")
    house.processes.worker("worker-2")
    house.processes.worker("worker-3", ANSWERS_PER_WORKER="0")
    house.processes.beat("beat")
    house.processes.wait_until_ready()
    return house


@pytest.fixture
async def turn(site: House):
    await asyncio.to_thread(site.processes.wait_until_ready)
    async with turning(site, "web-a", "web-b") as turn:
        yield turn


def question(point: str) -> str:
    return f"What about {point}? 🤷🏽‍♀️ مَن؟ שאלה"


async def ask_and_die(turn: Turn, point: str, *, process: str) -> None:
    """The process dies at this point while it takes or answers a question."""
    turn.house.processes.arm(process, point)
    await turn.page.send(question(point))
    await turn.dies(process)


async def web_dies(turn: Turn, point: str) -> None:
    await ask_and_die(turn, point, process="web-a")
    answer = exactly_once(await turn.ends(), question(point))
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 1)
    assert turn.house.provider.calls[question(point)] == 1


async def worker_dies_before_text(turn: Turn, point: str) -> None:
    await ask_and_die(turn, point, process="worker")
    answer = exactly_once(await turn.ends(), question(point))
    assert (answer["status"], answer["text"]) == ("sent", TEXT)


async def worker_dies_between_rounds(turn: Turn, point: str) -> None:
    """A tool was called and nothing said yet: all of it is done again, and shown once."""
    text = f"How many visitors came to the website? {point}"
    turn.house.provider.scripts[text] = calls_tool("run_analytics_report", metrics=["sessions"])
    turn.house.processes.arm("worker", point)
    await turn.page.send(text)
    await turn.dies("worker")
    answer = exactly_once(await turn.ends(), text)
    assert (answer["status"], answer["text"], len(answer["tools"])) == ("sent", TEXT, 1)
    assert [part["value"]["label"] for part in answer["parts"] if part["type"] == "button"].count("Connect Google Analytics") == 1
    assert turn.house.provider.calls[text] == 2


async def worker_dies_with_text(turn: Turn, point: str) -> None:
    """Text was out, or durable: kept and interrupted, never written twice behind the reader's back; then retried."""
    await ask_and_die(turn, point, process="worker")
    answer = exactly_once(await turn.ends(), question(point))
    assert answer["status"] == "interrupted"
    assert answer["error"]["detail"].endswith(".")
    assert answer["text"]
    assert TEXT.startswith(answer["text"])
    assert turn.house.provider.calls[question(point)] == 1
    await retried(turn, answer)


async def retried(turn: Turn, answer: dict) -> None:
    status, body, _ = await turn.house.post(f"messages/{answer['id']}/retry", web="web-b")
    assert status == 200, body
    turn.from_now()
    again = (await turn.ends())[-1]
    assert (again["id"], again["status"], again["text"], again["attempt"]) == (answer["id"], "sent", TEXT, answer["attempt"] + 1)


async def worker_dies_with_some_or_no_text(turn: Turn, point: str) -> None:
    """A first delta is out and nothing is durable: the answer is written again, as the next attempt."""
    await ask_and_die(turn, point, process="worker")
    answer = exactly_once(await turn.ends(), question(point))
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 2)


async def worker_dies_after_the_end(turn: Turn, point: str) -> None:
    await ask_and_die(turn, point, process="worker")
    answer = exactly_once(await turn.ends(), question(point))
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 1)
    assert turn.house.provider.calls[question(point)] == 1


async def sweeper_dies(turn: Turn, point: str) -> None:
    """The worker dies with text written; then its successor dies while it puts that right."""
    turn.house.processes.arm("worker", "answer.checkpointed")
    await turn.page.send(question(point))
    await turn.dies("worker")
    turn.house.processes.arm("worker", point)
    await turn.dies("worker")
    answer = exactly_once(await turn.ends(), question(point))
    assert (answer["status"], turn.house.provider.calls[question(point)]) == ("interrupted", 1)


async def web_dies_while_stopping(turn: Turn, point: str) -> None:
    text = question(point)
    turn.house.provider.scripts[text] = writes(*PIECES, *["more "] * 200)
    await turn.page.send(text)
    await turn.page.until(lambda: turn.page.answer() and turn.page.answer()["text"])
    turn.house.processes.arm("web-a", point)
    with pytest.raises(ConnectionError):
        await turn.page.request(do="stop", message=turn.page.answer()["id"])
    await turn.dies("web-a")
    answer = exactly_once(await turn.ends(), text)
    assert answer["status"] == "cancelled"
    assert answer["text"]
    assert text in turn.house.provider.hung_up


async def web_dies_while_retrying(turn: Turn, point: str) -> None:
    text = question(point)
    turn.house.provider.scripts[text] = refuses("401 Unauthorized")
    await turn.page.send(text)
    await turn.page.until(lambda: turn.page.answer() and turn.page.answer()["status"] == "error")
    del turn.house.provider.scripts[text]
    turn.house.processes.arm("web-a", point)
    with pytest.raises(ConnectionError):
        await turn.page.request(do="retry", message=turn.page.answer()["id"])
    await turn.dies("web-a")
    answer = exactly_once(await turn.ends(), text)
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 2)


async def answered(turn: Turn, text: str) -> dict:
    await turn.page.send(text)
    await turn.page.until(lambda: turn.page.answer() and turn.page.answer()["status"] == "sent")
    return turn.page.answer()


async def versions(turn: Turn, answer: dict) -> list[dict]:
    status, body, _ = await turn.house.get(f"messages/{answer['id']}/versions", web="web-b")
    assert status == 200, body
    return body["results"]


async def web_dies_while_regenerating(turn: Turn, point: str) -> None:
    """Before the swap the answer is what it was and has no version; it can be asked for again. Behind it, it is written anew."""
    text = question(point)
    answer = await answered(turn, text)
    turn.house.processes.arm("web-a", point)
    with pytest.raises(ConnectionError):
        await turn.page.request(do="regenerate", message=answer["id"])
    await turn.dies("web-a")
    if point == "regenerate.kept":
        assert exactly_once(await turn.ends(), text) == answer
        assert await versions(turn, answer) == [answer]
        status, body, _ = await turn.house.post(f"messages/{answer['id']}/regenerate", web="web-b")
        assert status == 200, body
        turn.from_now()
    again = exactly_once(await turn.ends(), text)
    assert (again["status"], again["text"], again["attempt"], again["versions"]) == ("sent", TEXT, 2, 2)
    assert await versions(turn, answer) == [{**answer, "versions": 2}, again]


async def web_dies_while_editing(turn: Turn, point: str) -> None:
    """The strand is known and its answer is written, though nobody was told; sent again under its name, it is the same one."""
    first = await answered(turn, question(point))
    turn.house.processes.arm("web-a", point)
    words = {"text": "In other words?", "client_id": "edited"}
    with pytest.raises(ConnectionError):
        await turn.page.request(do="edit", message=first["answer_to"], **words)
    await turn.dies("web-a")
    address = f"conversations/{turn.conversation_id}"
    await turn.bystander.until(lambda: [m["status"] for m in turn.bystander.transcript.messages()][3:] == ["sent"])
    path = await results(turn, f"{address}/messages?strand=3")
    assert [(message["seq"], message["text"]) for message in path] == [(3, words["text"]), (4, TEXT)]
    assert await results(turn, f"{address}/strands") == [{"strand": 3, "parent": 0, "edits": 1}]
    status, body, _ = await turn.house.ask("PATCH", f"messages/{first['answer_to']}", words, web="web-b")
    assert (status, body["message"]["id"], body["answer"]["id"]) == (201, path[0]["id"], path[1]["id"])
    assert turn.house.provider.calls[words["text"]] == 1


async def dies_over_a_waiting_question(turn: Turn, point: str) -> None:
    """Kept by a web process, claimed and asked by a worker: whoever dies there, it is asked once, behind the answer it waited for."""
    text, second = question(point), f"And then? {point}"
    turn.house.provider.scripts[text] = writes(*PIECES, *["more "] * 200)
    await turn.page.send(text)
    await turn.page.until(lambda: turn.page.answer() and turn.page.answer()["text"])
    process = "web-a" if point == "queue.recorded" else "worker"
    turn.house.processes.arm(process, point)
    if point == "queue.recorded":
        with pytest.raises(ConnectionError):
            await turn.page.request(do="queue", conversation=turn.conversation_id, text=second, client_id="second")
    else:
        await turn.page.request(do="queue", conversation=turn.conversation_id, text=second, client_id="second")
        await turn.page.request(do="stop", message=turn.page.answer()["id"])
    await turn.dies(process)
    if point == "queue.recorded":
        status, body, _ = await turn.house.post(f"messages/{(await turn.fetched())[1]['id']}/stop", web="web-b")
        assert status == 200, body
    kept = await turn.ends(messages=4)
    assert [(message["role"], message["status"]) for message in kept] == [
        ("user", "sent"),
        ("assistant", "cancelled"),
        ("user", "sent"),
        ("assistant", "sent"),
    ]
    assert [message["text"] for message in kept[2:]] == [second, TEXT]
    # Who dies having asked it may have claimed its answer by then, or begun it: that was an attempt.
    assert 1 <= turn.house.provider.calls[second] <= kept[3]["attempt"] <= (2 if point == "queue.asked" else 1)
    _, queue, _ = await turn.house.get(f"conversations/{turn.conversation_id}/queue", web="web-b")
    assert queue["questions"] == []


async def results(turn: Turn, address: str) -> list[dict]:
    status, body, _ = await turn.house.get(address, web="web-b")
    assert status == 200, body
    return body["results"]


async def web_dies_while_rating(turn: Turn, point: str) -> None:
    """The rating is kept; said again, as whoever heard no acknowledgement does, it is in the average and everybody hears it."""
    text = question(point)
    answer = await answered(turn, text)
    turn.house.processes.arm("web-a", point)
    with pytest.raises(ConnectionError):
        await turn.page.request(do="feedback", message=answer["id"], rating=4)
    await turn.dies("web-a")
    assert exactly_once(await turn.fetched(), text)["feedback"]["rating"] == 4
    status, body, _ = await turn.house.post(f"messages/{answer['id']}/feedback", {"rating": 4}, web="web-b")
    assert (status, body["feedback"]["rating"]) == (200, 4)
    turn.from_now()
    assert exactly_once(await turn.ends(), text)["feedback"]["rating"] == 4
    _, conversation, _ = await turn.house.get(f"conversations/{turn.conversation_id}", web="web-b")
    assert conversation["satisfaction_rating"] == 4


async def worker_dies_while_removing(turn: Turn, point: str) -> None:
    """What was deleted long ago cannot be restored once its removal has begun, and is gone after the next run."""
    gone = await turn.house.conversation()
    one = {"organizationId": str(turn.house.cast.acme.pk), "conversationId": gone}
    status, body, _ = await turn.house.post(f"conversations/{gone}/messages", {"text": "Short."}, web="web-b")
    assert status == 201, body
    await asyncio.to_thread(wait_for, lambda: kept(one)["answers"] == ["sent"], seconds=15)
    await turn.house.ask("DELETE", f"conversations/{gone}", web="web-b")
    long_ago = timezone.now() - timedelta(days=31)
    mongo.collection(Conversation).update_one(one, {"$set": {"deletedAt": long_ago}})
    turn.house.processes.arm("worker", point)
    await asyncio.to_thread(tasks.remove_deleted.delay)
    await turn.dies("worker")
    assert kept(one)["removed"]
    status, _, _ = await turn.house.post(f"conversations/{gone}/restore", web="web-b")
    assert status == 404
    await asyncio.to_thread(tasks.remove_deleted.delay)
    await asyncio.to_thread(wait_for, lambda: kept(one) == {"removed": None, "answers": []}, seconds=15)
    await turn.page.send(question(point))
    exactly_once(await turn.ends(), question(point))


async def worker_dies_while_erasing(turn: Turn, point: str) -> None:
    """Who is erased while the worker dies is found nowhere after the next run, and what others read of theirs is a former member's."""
    acme, name = turn.house.cast.acme, f"Zeb{point.rpartition('.')[2].replace('_', '')}"
    of = {"organizationId": str(acme.pk)}

    def prepare() -> tuple[User, str, str]:
        zeb = make_person(acme, name, "Quill", role=Role.OWNER).membership
        with scoping.tenant(acme):
            erik = [turn.house.cast.employees["Erik Ek"].pk]
            private, shared = (conversations.start(zeb, type="employee_specific", subject_employee_ids=erik) for _ in range(2))
            shared = conversations.open_to(zeb, shared, to_roles=["owner"], user_ids=[])
        for made in (private, shared):
            turns.submit(zeb, made, text=f"I am {made.id}.", client_id="one")
        return zeb.user, private.id, shared.id

    def left(conversation_id: str) -> list[tuple[str, str]]:
        found = mongo.collection(Message).find({**of, "conversationId": conversation_id, "role": "user"})
        return [(message["userId"], message["userName"]) for message in found]

    user, private, shared = await lost.in_thread(prepare)
    settled = {**of, "conversationId": {"$in": [private, shared]}, "role": "assistant", "status": "sent"}
    await asyncio.to_thread(wait_for, lambda: mongo.collection(Message).count_documents(settled) == 2, seconds=15)
    turn.house.processes.arm("worker", point)
    await lost.in_thread(erasure.erase, user)
    await turn.dies("worker")
    await asyncio.to_thread(tasks.finish_erasures.delay)
    await asyncio.to_thread(wait_for, lambda: (left(private), left(shared)) == ([], [(NOBODY, "Former member")]), seconds=15)
    owner = {**of, "conversationId": shared}
    await asyncio.to_thread(wait_for, lambda: mongo.collection(Conversation).find_one(owner)["userId"] == NOBODY, seconds=15)
    status, body, _ = await turn.house.get(f"conversations/{shared}/messages", web="web-b")
    assert (status, body["results"][0]["author"]["name"]) == (200, "Former member")
    await turn.page.send(question(point))
    exactly_once(await turn.ends(), question(point))


def kept(one: dict[str, str]) -> dict[str, Any]:
    """Whether a conversation's removal has begun (None: it is gone), and how its answers are."""
    found = mongo.collection(Conversation).find_one(one)
    answers = mongo.collection(Message).find({**one, "role": "assistant"})
    return {"removed": found and "removedAt" in found, "answers": [answer["status"] for answer in answers]}


async def dies_asked(turn: Turn, point: str, method: str, address: str, body: object) -> None:
    """The web process dies there over a request; nobody hears what became of it."""
    turn.house.processes.arm("web-a", point)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await turn.house.ask(method, address, body, web="web-a")
    await turn.dies("web-a")


async def web_dies_while_uploading(turn: Turn, point: str) -> None:
    """Sent again under its name it is the same file, and its bytes are there."""
    await answered(turn, question(point))
    address, file = f"conversations/{turn.conversation_id}/attachments", f"Notes on {turn.conversation_id}".encode()
    await dies_asked(turn, point, "POST", address, file)
    status, first, _ = await turn.house.ask("POST", address, file, web="web-b")
    assert status == 201, first
    assert await bytes_of(turn, first) == file
    status, again, _ = await turn.house.ask("POST", address, file, web="web-b")
    assert (status, again["id"]) == (201, first["id"])
    assert mongo.collection(Attachment).count_documents(one_conversation(turn)) == 1


async def bytes_of(turn: Turn, file: dict) -> bytes:
    address = f"http://127.0.0.1:{turn.house.processes['web-b'].port}{file['url']}"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {turn.house.key}"}) as session, session.get(address) as response:
        assert response.status == 200
        return await response.read()


def one_conversation(turn: Turn) -> dict[str, str]:
    return {"organizationId": str(turn.house.cast.acme.pk), "conversationId": turn.conversation_id}


async def web_dies_while_importing(turn: Turn, point: str) -> None:
    """All of it or nothing; sent again under its name it is there once."""
    await answered(turn, question(point))
    _, file, _ = await turn.house.get(f"conversations/{turn.conversation_id}/export?format=json", web="web-b")
    body = {**file, "client_id": turn.conversation_id}
    mine = {"organizationId": str(turn.house.cast.acme.pk), "clientId": f"import:{turn.conversation_id}"}
    await dies_asked(turn, point, "POST", "conversations/import", body)
    assert mongo.collection(Conversation).count_documents(mine) == (point == "import.recorded")
    status, first, _ = await turn.house.post("conversations/import", body, web="web-b")
    assert status == 201, first
    status, again, _ = await turn.house.post("conversations/import", body, web="web-b")
    assert (status, again["id"]) == (201, first["id"])
    assert [message["text"] for message in await turn.house.fetch(first["id"], web="web-b")] == [question(point), TEXT]
    assert mongo.collection(Conversation).count_documents(mine) == 1


async def web_dies_while_sharing(turn: Turn, point: str) -> None:
    """A link that nobody knows opens nothing for anybody; its maker sees it, and can revoke it."""
    await answered(turn, question(point))
    address = f"conversations/{turn.conversation_id}/shares"
    await dies_asked(turn, point, "POST", address, {"audience": "organization", "days": 1})
    (unknown,) = await results(turn, address)
    assert (unknown["views"], unknown["revoked_at"]) == (0, None)
    status, made, _ = await turn.house.post(address, {"audience": "organization", "days": 1}, web="web-b")
    assert status == 201, made
    status, _, _ = await turn.house.ask("DELETE", f"{address}/{unknown['id']}", web="web-b")
    assert status == 204
    assert [link["id"] for link in await results(turn, address) if link["revoked_at"] is None] == [made["id"]]


async def web_dies_while_reading(turn: Turn, point: str) -> None:
    """The mark is kept; what is said again moves it on and never back."""
    await answered(turn, question(point))
    address = f"conversations/{turn.conversation_id}/read"
    await dies_asked(turn, point, "POST", address, {"seq": 2})
    assert mongo.collection(ReadMark).find_one(one_conversation(turn))["seq"] == 2
    for seq in (2, 1):
        status, said, _ = await turn.house.post(address, {"seq": seq}, web="web-b")
        assert (status, said["unread"]) == (200, 0)


SCENARIOS: dict[str, Callable[[Turn, str], Awaitable[None]]] = {
    "turn.limited": web_dies,
    "turn.inserted": web_dies,
    "turn.announced": web_dies,
    "answer.received": worker_dies_before_text,
    "answer.claimed": worker_dies_before_text,
    "answer.first_text": worker_dies_before_text,
    "answer.tools_called": worker_dies_between_rounds,
    "answer.flushed": worker_dies_with_some_or_no_text,
    "answer.checkpointed": worker_dies_with_text,
    "answer.before_save": worker_dies_with_text,
    "answer.saved": worker_dies_after_the_end,
    "answer.announced": worker_dies_after_the_end,
    "sweep.found": sweeper_dies,
    "sweep.released": sweeper_dies,
    "stop.recorded": web_dies_while_stopping,
    "retry.recorded": web_dies_while_retrying,
    "edit.recorded": web_dies_while_editing,
    "queue.recorded": dies_over_a_waiting_question,
    "queue.claimed": dies_over_a_waiting_question,
    "queue.asked": dies_over_a_waiting_question,
    "regenerate.kept": web_dies_while_regenerating,
    "regenerate.recorded": web_dies_while_regenerating,
    "feedback.recorded": web_dies_while_rating,
    "removal.marked": worker_dies_while_removing,
    "removal.files_gone": worker_dies_while_removing,
    "removal.messages_gone": worker_dies_while_removing,
    "removal.rest_gone": worker_dies_while_removing,
    "attachment.recorded": web_dies_while_uploading,
    "import.inserted": web_dies_while_importing,
    "import.recorded": web_dies_while_importing,
    "share.recorded": web_dies_while_sharing,
    "read.recorded": web_dies_while_reading,
    "erasing.private_gone": worker_dies_while_erasing,
    "erasing.messages_anonymised": worker_dies_while_erasing,
    "erasing.conversations_anonymised": worker_dies_while_erasing,
}
OF_A_WORKER = ("answer", "sweep", "removal", "erasing")


@pytest.mark.parametrize("point", SCENARIOS)
async def test_death_here_loses_nothing_and_answers_nothing_twice(turn: Turn, point: str):
    of_worker = point.partition(".")[0] in OF_A_WORKER or point in ("queue.claimed", "queue.asked")
    process = "worker" if of_worker else "web-a"
    await SCENARIOS[point](turn, point)
    assert point in turn.house.processes.passed(process)
    if point == "edit.recorded":
        return  # its readers have two strands now, and the oracle below reads one
    # A turn after that finds everything in order.
    turn.page.ports.reverse()
    await turn.page.send("And now?")
    turn.from_now()
    kept = await turn.ends(messages=6 if point.startswith("queue.") else 4)
    assert [message["text"] for message in kept[-2:]] == ["And now?", TEXT]


async def test_a_web_process_dies_before_it_told_anybody_and_the_page_never_comes_back(turn: Turn):
    text = question("a tab that is closed")
    turn.house.processes.arm("web-a", "turn.inserted")
    await turn.page.send(text)
    turn.page.unacknowledged.clear()
    await turn.dies("web-a")
    answer = exactly_once(await turn.ends(), text)
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 1)
    assert turn.house.provider.calls[text] == 1


async def test_beat_dies_and_returns_without_anybody_noticing(turn: Turn):
    text = question("beat")
    await turn.page.send(text)
    await turn.page.until(lambda: turn.page.answer() and turn.page.answer()["text"])
    turn.house.processes.kill("beat")
    await turn.dies("beat")
    answer = exactly_once(await turn.ends(), text)
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 1)
    await asyncio.to_thread(wait_for, turn.house.processes["beat"].keeper.is_running, seconds=5)


def points_in_the_code() -> set[str]:
    passed = set()
    for app in ("chat", "config", "integrations", "tenants", "analytics", "dashboards"):
        for path in Path(settings.BASE_DIR, app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "failpoint":
                    assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno} names a failpoint that cannot be read off"
                    passed.add(node.args[0].value)
    return passed


async def test_every_declared_failpoint_is_in_the_code_and_every_one_in_the_code_is_declared():
    assert points_in_the_code() == set(failpoints.DECLARED)
    assert SCENARIOS.keys() | AFTERWARDS | BUDGETS | BUFFER | COLD == failpoints.DECLARED.keys()
