"""One conversation under trouble, with a page that asks and a bystander who listens to another web process; and the oracle: what both
have replayed is what is kept, byte for byte."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from tests.faults.house import House
from tests.faults.readers import EventSource, Page

TERMINAL = {"sent", "interrupted", "error", "cancelled"}
WITHIN = 15.0  # seconds after a death until nothing is pending or streaming


class Turn:
    """`page` asks through the first web process, `bystander` listens to the last."""

    def __init__(self, house: House, page: Page, bystander: EventSource, *, web: str) -> None:
        self.house, self.page, self.bystander, self.web = house, page, bystander, web
        self.deaths_before = len(house.processes.deaths)
        self.since = time.monotonic()

    @property
    def conversation_id(self) -> str:
        return self.page.conversation_id

    async def dies(self, name: str) -> None:
        """Waits for this process's death by SIGKILL; from then on the clock runs."""
        death = await asyncio.to_thread(self.house.processes.wait_for_death, name, after=self.deaths_before)
        assert death.how == "exit code -9"
        self.deaths_before = len(self.house.processes.deaths)
        self.since = death.at

    def from_now(self) -> None:
        self.since = time.monotonic()

    async def fetched(self) -> list[dict[str, Any]]:
        return await self.house.fetch(self.conversation_id, web=self.web)

    async def text_of(self, *, at_least: int) -> str:
        """Waits until the page shows so many characters of an answer that is being written."""

        def length() -> int:
            return len((self.page.answer() or {"text": ""})["text"])

        await self.page.until(lambda: length() >= at_least)
        return self.page.answer()["text"]

    async def ends(self, *, messages: int = 2) -> list[dict[str, Any]]:
        """Waits until so many messages are there and all have ended, at most WITHIN; then both readers know the same."""
        while True:
            kept = await self.fetched()
            if len(kept) >= messages and all(message["status"] in TERMINAL for message in kept) and not self.page.unacknowledged:
                break
            assert time.monotonic() < self.since + WITHIN, [(m["role"], m["status"], m["text"]) for m in kept]
            await asyncio.sleep(0.1)
        told_by = self.since + WITHIN + 2
        for reader in (self.page, self.bystander):
            try:
                await reader.until(lambda reader=reader: reader.transcript.messages() == kept, seconds=told_by - time.monotonic())
            except TimeoutError:
                assert reader.transcript.messages() == kept
        assert [message["seq"] for message in kept] == list(range(1, len(kept) + 1))
        return kept


@contextlib.asynccontextmanager
async def turning(house: House, *webs: str) -> AsyncIterator[Turn]:
    """A new conversation; the page follows a lost connection through all these web processes, beginning with the first."""
    conversation = await house.conversation()
    ports = [house.processes[web].port for web in webs]
    async with EventSource(conversation, ports=ports[-1:], key=house.key) as bystander:
        async with Page(conversation, ports=ports, key=house.key) as page:
            yield Turn(house, page, bystander, web=webs[-1])


def exactly_once(kept: list[dict[str, Any]], text: str) -> dict[str, Any]:
    """The one answer to the one question."""
    assert [(message["role"], message["text"]) for message in kept if message["role"] == "user"] == [("user", text)]
    (answer,) = [message for message in kept if message["role"] == "assistant"]
    assert answer["answer_to"] == kept[0]["id"]
    return answer
