"""kill -9 behind an answer that has ended, where the worker puts an analysis beside it and brings the memory up to date: the answer
stays what it was, nothing is asked or kept twice, and what was lost is made by a later turn."""

import pytest

from chat.documents import Context, Conversation
from chat.services import memories
from config import mongo
from tests.faults.house import House
from tests.faults.provider import TEXT
from tests.faults.turning import Turn, exactly_once, turning

pytestmark = pytest.mark.asyncio

AFTERWARDS = {"analysis.recorded", "memory.claimed", "memory.recorded"}
LONG = "And what else? " * 400
ANALYSIS = {
    "scores": [{"name": "role fit", "score": 82.5}],
    "recommendations": ["Ask him."],
    "insights": ["He listens."],
    "data_points": [],
    "employees": [],
    "confidence": 0.8,
    "follow_ups": ["And then?"],
}
NOTES = {"summary": "They talked.", "key_points": ["He listens."], "decisions": [], "follow_up_items": [], "key_insights": ["He listens."]}


@pytest.fixture(scope="module")
def site(house: House) -> House:
    house.processes.web("web-a")
    for name in ("worker-1", "worker-2"):  # one dies, the other goes on
        house.processes.worker(name, AI_ANALYSES="true", AI_MEMORY="true")
    house.processes.wait_until_ready()
    house.provider.structures = {"scores": ANALYSIS, "summary": NOTES}
    return house


async def test_an_analysis_that_nobody_was_told_of_is_beside_its_answer(site: House):
    async with turning(site, "web-a") as turn:
        site.processes.arm("worker", "analysis.recorded")
        await turn.page.send("How is he?")
        await turn.dies("worker")
        answer = exactly_once(await turn.fetched(), "How is he?")
        assert (answer["status"], answer["text"], answer["attempt"]) == ("sent", TEXT, 1)
        assert answer["structured_data"]["scores"] == {"role fit": 82.5}
        assert answer["follow_ups"] == ["And then?"]
        await turn.page.send("And now?")
        await turn.page.until(lambda: len(turn.page.transcript.messages()) == 4 and turn.page.answer()["structured_data"], seconds=40)
        assert [message["attempt"] for message in await turn.fetched()] == [1, 1, 1, 1]


@pytest.mark.parametrize("point", ["memory.claimed", "memory.recorded"])
async def test_a_memory_whose_worker_died_is_made_by_a_later_turn_and_there_is_one(site: House, point: str):
    site.provider.pause = 0.0
    async with turning(site, "web-a") as turn:
        mine = {"organizationId": str(site.cast.acme.pk), "conversationId": turn.conversation_id}
        memory = {**mine, "scopeType": "conversation"}

        def summary() -> str | None:
            return mongo.collection(Conversation).find_one(mine).get("contextSummary")

        site.processes.arm("worker", point)
        for number in range(3):
            await said(turn, number)
        await turn.dies("worker")
        assert not summary()
        assert bool(mongo.collection(Context).find_one(memory).get("conversationMemory")) == (point == "memory.recorded")
        for number in range(3, 3 + memories.EVERY_TURNS):
            await said(turn, number)
        await turn.page.until(summary, seconds=20)
        assert mongo.collection(Context).count_documents(memory) == 1
        kept = await turn.fetched()
        assert [message["text"] for message in kept[1::2]] == [TEXT] * (3 + memories.EVERY_TURNS)


async def said(turn: Turn, number: int) -> None:
    """A long question and its answer. (An analysis follows it; so this does not compare what is kept with what was heard.)"""
    await turn.page.send(f"{number}: {LONG}")
    expected = ["sent"] * (2 * number + 2)
    await turn.page.until(lambda: [message["status"] for message in turn.page.transcript.messages()] == expected)
