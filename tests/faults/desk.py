"""A turn within the test process, on its own background loop as in production: asked, written and listened to by the same process.

For what needs no process to die: providers that misbehave, stops, races.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import orjson

from chat import access, selectors
from chat.realtime import hub as realtime_hub
from chat.realtime import stream
from chat.realtime.calls import Call
from chat.realtime.hub import hub
from chat.records import ConversationRecord, MessageRecord
from chat.services import answers, turns
from config import loop, redis
from tenants.models import Membership
from tests.transcript import Transcript

T = TypeVar("T")

SECONDS = 30.0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return loop.run(asyncio.wait_for(coroutine, SECONDS))


async def hang_up() -> None:
    """Ends this process's subscription, which would miss Valkey when the test run ends."""
    found = realtime_hub._hubs.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


class Ear:
    """Hears every event of a conversation, in order, and replays it."""

    def __init__(self, snapshot: selectors.Snapshot) -> None:
        self.transcript = Transcript(snapshot.as_json())
        self.n = snapshot.n
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    async def until(self, n: int) -> None:
        while self.n < n:
            self._changed.clear()
            await self._changed.wait()

    def deliver(self, conversation_id: str, event: bytes) -> None:
        said = orjson.loads(event)
        assert said["n"] == self.n + 1
        self.n = said["n"]
        self.events.append(said)
        if said["event"] in ("message", "delta"):
            self.transcript.apply(said)
        self._changed.set()

    def reset(self, conversation_id: str) -> None:
        raise AssertionError("nothing was lost, nothing is to be reset")


class Desk:
    """One member and one conversation."""

    def __init__(self, membership: Membership, conversation: ConversationRecord) -> None:
        self.membership, self.conversation = membership, conversation

    async def submit(self, text: str, *, client_id: str) -> turns.Submitted:
        return await turns.asubmit(self.membership, self.conversation, text=text, client_id=client_id)

    async def write(self, answer: MessageRecord) -> None:
        await answers.produce(Call.to(answer, self.conversation))

    async def kept(self) -> list[MessageRecord]:
        return list((await selectors.amessages(self.conversation, limit=selectors.MOST)).results)

    async def message(self, message_id: str) -> MessageRecord:
        return await access.amessage_for(self.membership, message_id)

    async def heard(self, scenario: Callable[[], Awaitable[T]]) -> tuple[T, list[MessageRecord], list[dict[str, Any]]]:
        """Runs the scenario with somebody listening; what they replayed is what is kept. Gives that, and the events."""
        before = await selectors.snapshot(self.conversation)
        ear = Ear(before)
        listener = await hub().listen(self.conversation.id, ear)
        listener.resume(after=before.n)
        try:
            result = await scenario()
            latest = await stream.position(redis.async_client(), self.conversation.id)
            await ear.until(latest.n)
        finally:
            hub().leave(listener)
        kept = await self.kept()
        assert ear.transcript.messages() == [message.as_json() for message in kept]
        return result, kept, ear.events

    async def turn(self, text: str, *, client_id: str = "one") -> tuple[MessageRecord, list[dict[str, Any]]]:
        """Asks, has it written, and gives the answer as kept and the events."""

        async def ask() -> str:
            taken = await self.submit(text, client_id=client_id)
            await self.write(taken.answer)
            return taken.answer.id

        answer_id, kept, events = await self.heard(ask)
        return next(message for message in kept if message.id == answer_id), events

    async def again(self, answer: MessageRecord) -> MessageRecord:
        """Retries the answer and has it written."""

        async def retry() -> None:
            await self.write(await turns.aretry(self.membership, answer))

        _, kept, _ = await self.heard(retry)
        return next(message for message in kept if message.id == answer.id)
