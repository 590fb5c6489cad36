"""kill -9 at every durable step of a turn: nothing that was acknowledged is lost, nothing is answered twice, and everybody who
listens ends up with what is kept.

Each declared failpoint has a scenario here, which fails if its process does not die at that very point; so a failpoint that no test
reaches fails the run.
"""

import ast
import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from django.conf import settings

from config import failpoints
from tests.faults.conftest import House
from tests.faults.provider import PIECES, TEXT, refuses, writes
from tests.faults.readers import EventSource, Page
from tests.processes import wait_for

pytestmark = pytest.mark.asyncio

TERMINAL = {"sent", "interrupted", "error", "cancelled"}
WITHIN = 15.0  # seconds after a death until nothing is pending or streaming


@pytest.fixture(scope="module")
def site(house: House) -> House:
    """Two web processes, a worker and beat."""
    house.processes.web("web-a")
    house.processes.web("web-b")
    house.processes.worker("worker")
    house.processes.beat("beat")
    house.processes.wait_until_ready()
    return house


class Turn:
    """One conversation with a page (which sends) and a bystander (which listens to the other web process over SSE)."""

    def __init__(self, site: House, page: Page, bystander: EventSource) -> None:
        self.site, self.page, self.bystander = site, page, bystander
        self.deaths_before = len(site.processes.deaths)
        self.died_at = 0.0

    async def dies(self, name: str) -> None:
        death = await asyncio.to_thread(self.site.processes.wait_for_death, name, after=self.deaths_before)
        assert death.how == "exit code -9"
        self.deaths_before = len(self.site.processes.deaths)
        self.died_at = death.at

    async def fetched(self) -> list[dict]:
        return await self.site.fetch(self.page.conversation_id, web="web-b")

    async def ends(self) -> list[dict]:
        """Waits until everything is in a terminal state, at most WITHIN since the death; then everybody knows the same."""
        while True:
            kept = await self.fetched()
            if kept and all(message["status"] in TERMINAL for message in kept) and not self.page.unacknowledged:
                break
            assert time.monotonic() < self.died_at + WITHIN, [(m["role"], m["status"], m["text"]) for m in kept]
            await asyncio.sleep(0.1)
        told_by = self.died_at + WITHIN + 2
        for reader in (self.page, self.bystander):
            try:
                await reader.until(lambda reader=reader: reader.transcript.messages() == kept, seconds=told_by - time.monotonic())
            except TimeoutError:
                assert reader.transcript.messages() == kept
        assert [message["seq"] for message in kept] == list(range(1, len(kept) + 1))
        return kept


@pytest.fixture
async def turn(site: House, request):
    await asyncio.to_thread(site.processes.wait_until_ready)
    conversation = await site.conversation()
    a, b = site.processes["web-a"].port, site.processes["web-b"].port
    async with EventSource(conversation, ports=[b], key=site.key) as bystander:
        async with Page(conversation, ports=[a, b], key=site.key) as page:
            yield Turn(site, page, bystander)


def question(point: str) -> str:
    return f"What about {point}? 🤷🏽‍♀️ مَن؟ שאלה"


def exactly_once(kept: list[dict], text: str) -> dict:
    """The one answer to the one question."""
    assert [(message["role"], message["text"]) for message in kept if message["role"] == "user"] == [("user", text)]
    (answer,) = [message for message in kept if message["role"] == "assistant"]
    assert answer["answer_to"] == kept[0]["id"]
    return answer


async def ask_and_die(turn: Turn, point: str, *, process: str) -> None:
    """The process dies at this point while it takes or answers a question."""
    turn.site.processes.arm(process, point)
    await turn.page.send(question(point))
    await turn.dies(process)


async def web_dies(turn: Turn, point: str) -> None:
    await ask_and_die(turn, point, process="web-a")
    answer = exactly_once(await turn.ends(), question(point))
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 1)
    assert turn.site.provider.calls[question(point)] == 1


async def worker_dies_before_text(turn: Turn, point: str) -> None:
    await ask_and_die(turn, point, process="worker")
    answer = exactly_once(await turn.ends(), question(point))
    assert (answer["status"], answer["text"]) == ("sent", TEXT)


async def worker_dies_with_text(turn: Turn, point: str) -> None:
    """Text was out, or durable: kept and interrupted, never written twice behind the reader's back; then retried."""
    await ask_and_die(turn, point, process="worker")
    answer = exactly_once(await turn.ends(), question(point))
    assert answer["status"] == "interrupted"
    assert answer["error"]["detail"].endswith(".")
    assert answer["text"]
    assert TEXT.startswith(answer["text"])
    assert turn.site.provider.calls[question(point)] == 1
    await retried(turn, answer)


async def retried(turn: Turn, answer: dict) -> None:
    status, body, _ = await turn.site.post(f"messages/{answer['id']}/retry", web="web-b")
    assert status == 200, body
    turn.died_at = time.monotonic()
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
    assert turn.site.provider.calls[question(point)] == 1


async def sweeper_dies(turn: Turn, point: str) -> None:
    """The worker dies with text written; then its successor dies while it puts that right."""
    turn.site.processes.arm("worker", "answer.checkpointed")
    await turn.page.send(question(point))
    await turn.dies("worker")
    turn.site.processes.arm("worker", point)
    await turn.dies("worker")
    answer = exactly_once(await turn.ends(), question(point))
    assert (answer["status"], turn.site.provider.calls[question(point)]) == ("interrupted", 1)


async def web_dies_while_stopping(turn: Turn, point: str) -> None:
    text = question(point)
    turn.site.provider.scripts[text] = writes(*PIECES, *["more "] * 200)
    await turn.page.send(text)
    await turn.page.until(lambda: turn.page.answer() and turn.page.answer()["text"])
    turn.site.processes.arm("web-a", point)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await turn.page.request(do="stop", message=turn.page.answer()["id"])
    await turn.dies("web-a")
    answer = exactly_once(await turn.ends(), text)
    assert answer["status"] == "cancelled"
    assert answer["text"]
    assert text in turn.site.provider.hung_up


async def web_dies_while_retrying(turn: Turn, point: str) -> None:
    text = question(point)
    turn.site.provider.scripts[text] = refuses("401 Unauthorized")
    await turn.page.send(text)
    await turn.page.until(lambda: turn.page.answer() and turn.page.answer()["status"] == "error")
    del turn.site.provider.scripts[text]
    turn.site.processes.arm("web-a", point)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await turn.page.request(do="retry", message=turn.page.answer()["id"])
    await turn.dies("web-a")
    answer = exactly_once(await turn.ends(), text)
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 2)


SCENARIOS: dict[str, Callable[[Turn, str], Awaitable[None]]] = {
    "turn.limited": web_dies,
    "turn.inserted": web_dies,
    "turn.announced": web_dies,
    "answer.received": worker_dies_before_text,
    "answer.claimed": worker_dies_before_text,
    "answer.first_text": worker_dies_before_text,
    "answer.flushed": worker_dies_with_some_or_no_text,
    "answer.checkpointed": worker_dies_with_text,
    "answer.before_save": worker_dies_with_text,
    "answer.saved": worker_dies_after_the_end,
    "answer.announced": worker_dies_after_the_end,
    "sweep.found": sweeper_dies,
    "sweep.released": sweeper_dies,
    "stop.recorded": web_dies_while_stopping,
    "retry.recorded": web_dies_while_retrying,
}


@pytest.mark.parametrize("point", failpoints.DECLARED)
async def test_death_here_loses_nothing_and_answers_nothing_twice(turn: Turn, point: str):
    process = {"turn": "web-a", "stop": "web-a", "retry": "web-a"}.get(point.partition(".")[0], "worker")
    await SCENARIOS[point](turn, point)
    assert point in turn.site.processes[process].passed
    # A turn after that finds everything in order.
    turn.page.ports.reverse()
    await turn.page.send("And now?")
    turn.died_at = time.monotonic()
    kept = await turn.ends()
    assert [message["text"] for message in kept[-2:]] == ["And now?", TEXT]


async def test_beat_dies_and_returns_without_anybody_noticing(turn: Turn):
    text = question("beat")
    await turn.page.send(text)
    await turn.page.until(lambda: turn.page.answer() and turn.page.answer()["text"])
    turn.site.processes.kill("beat")
    await turn.dies("beat")
    answer = exactly_once(await turn.ends(), text)
    assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 1)
    await asyncio.to_thread(wait_for, turn.site.processes["beat"].keeper.is_running, seconds=5)


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
    assert set(SCENARIOS) == set(failpoints.DECLARED)
