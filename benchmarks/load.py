"""Answers under way at once: c people ask, each in a tab and a conversation of their own, and read what is written to them."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.meters import Meter, Spent, percentile
from benchmarks.sockets import BareSocket, ParleySocket
from benchmarks.tokens import Tally, has_token, question
from benchmarks.world import OURS, World

OPENED_AT_ONCE = 25
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
PATIENCE = 15.0  # seconds that answers may come late before they are given up


@dataclass(frozen=True)
class Flow:
    """Answers of `seconds` at `rate` tokens a second each, their beginnings spread over `ramp` seconds."""

    sessions: int
    seconds: float = 8.0
    rate: float = 50.0
    ramp: float = 3.0

    @property
    def tokens(self) -> int:
        return round(self.seconds * self.rate)

    @property
    def question(self) -> str:
        return question(tokens=self.tokens, every=1 / self.rate)

    def pause(self, place: int) -> float:
        return self.ramp * place / self.sessions


@dataclass
class Flowed:
    """What came of a flow. Times in seconds; `tallies` one for each answer."""

    flow: Flow
    tallies: list[Tally]
    first: list[float]  # from asking to the first token, each answer
    spent: Spent
    ended: int  # answers whose end was announced as complete
    problems: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return sum(tally.tokens for tally in self.tallies)

    @property
    def lost(self) -> int:
        return self.flow.sessions * self.flow.tokens - self.tokens

    @property
    def in_order(self) -> bool:
        return all(tally.in_order for tally in self.tallies)

    @property
    def complete(self) -> bool:
        return self.lost == 0 and self.in_order and self.ended == self.flow.sessions and not self.problems

    def delay(self, share: float) -> float:
        return percentile((delay for tally in self.tallies for delay in tally.delays), share)

    def held(self, *, within: float) -> bool:
        """Every token came, in order, and 95 % of them within so many seconds."""
        return self.complete and self.delay(0.95) < within

    def cost(self, names: Iterable[str]) -> float:
        """CPU microseconds a token of these groups of processes together."""
        return self.spent.of(names) / max(self.tokens, 1) * 1e6

    def figures(self, names: Sequence[str]) -> dict[str, object]:
        """For the record: delays in milliseconds, costs in CPU microseconds a token."""
        return {
            "sessions": self.flow.sessions,
            "tokens": self.tokens,
            "lost": self.lost,
            "in_order": self.in_order,
            "ended": self.ended,
            "problems": self.problems[:5],
            "delay_ms": {name: round(self.delay(share) * 1e3, 1) for name, share in SHARES.items()},
            "first_token_ms": {name: round(percentile(self.first, share) * 1e3, 1) for name, share in (("p50", 0.5), ("p95", 0.95))},
            "frames_per_token": round(sum(tally.frames for tally in self.tallies) / max(self.tokens, 1), 3),
            "cpu_us_per_token": {name: round(self.cost([name]), 1) for name in names} | {"together": round(self.cost(names), 1)},
            "cores_of_others": round(self.spent.others / self.spent.seconds, 2),
        }


async def enter_all(world: World, places: Sequence[tuple[str, str]], *, at: tuple[str, int] | None = None) -> list[ParleySocket]:
    """A tab for each (key, conversation), joined; `at` another web process than the usual one."""

    async def enter(key: str, conversation: str) -> ParleySocket:
        socket = await ParleySocket.enter(at or world.web, organization=world.organization, key=key)
        await socket.join(conversation)
        return socket

    sockets: list[ParleySocket] = []
    for first in range(0, len(places), OPENED_AT_ONCE):
        sockets += await asyncio.gather(*(enter(*place) for place in places[first : first + OPENED_AT_ONCE]))
    return sockets


async def leave_all(sockets: Iterable[Any]) -> None:
    await asyncio.gather(*(socket.close() for socket in sockets))


async def ask_parley(world: World, flow: Flow, *, begun: asyncio.Event | None = None) -> Flowed:
    """Runs the flow through Parley. `begun` is set when all have joined and the first asks."""
    places = world.take(flow.sessions)
    sockets = await enter_all(world, places)
    asked: list[float] = [0.0] * flow.sessions

    async def ask(place: int) -> str:
        await asyncio.sleep(flow.pause(place))
        asked[place] = time.monotonic()
        await sockets[place].send(places[place][1], flow.question, client_id="flow")
        return await sockets[place].ended

    groups = {name: world.groups[name] for name in (*OURS, "upstream")}
    if begun is not None:
        begun.set()
    try:
        return await _measured(flow, groups, [ask(place) for place in range(flow.sessions)], sockets, asked)
    finally:
        world.check()
        await leave_all(sockets)


async def until_open(address: tuple[str, int]) -> None:
    """Returns when a bare consumer accepts; it listens before it does."""
    socket = await asyncio.wait_for(BareSocket.open(address, "/ws"), timeout=20)
    await socket.close()


async def ask_bare(world: World, name: str, address: tuple[str, int], flow: Flow) -> Flowed:
    """Runs the flow through a bare consumer that runs under this name."""
    sockets = await asyncio.gather(*(BareSocket.open(address, "/ws") for _ in range(flow.sessions)))
    return await ask_readers(world, name, sockets, flow)


async def ask_readers(world: World, name: str, readers: Sequence[Any], flow: Flow) -> Flowed:
    """Runs the flow through what runs under this name: each reader has `begin`, `heard`, `ended`, `fault` and `close`. Closes them."""
    asked: list[float] = [0.0] * flow.sessions

    async def ask(place: int) -> str:
        await asyncio.sleep(flow.pause(place))
        asked[place] = time.monotonic()
        readers[place].begin(flow.question)
        return await readers[place].ended

    groups = {group: world.groups[group] for group in (name, "upstream")}
    try:
        return await _measured(flow, groups, [ask(place) for place in range(flow.sessions)], readers, asked)
    finally:
        world.check()
        await leave_all(readers)


async def _measured(flow, groups, asking, sockets, asked) -> Flowed:
    meter = Meter(groups, clock=time.monotonic)
    tasks = [asyncio.ensure_future(coroutine) for coroutine in asking]
    done, late = await asyncio.wait(tasks, timeout=flow.ramp + flow.seconds + PATIENCE)
    spent = meter.stop()
    for task in late:
        task.cancel()
    problems = [str(task.exception()) for task in done if task.exception()] + ["The answer did not end."] * len(late)
    ended = sum(not task.exception() and task.result() == "sent" for task in done)
    tallies = [socket.heard.tally() for socket in sockets]
    broken = [socket for socket, tally in zip(sockets, tallies, strict=True) if not tally.in_order or tally.tokens != flow.tokens]
    problems += filter(None, (socket.fault() for socket in broken))
    first = [came - began for socket, began in zip(sockets, asked, strict=True) if (came := first_token_at(socket))]
    return Flowed(flow=flow, tallies=tallies, first=first, spent=spent, ended=ended, problems=problems)


def first_token_at(reader: Any) -> float | None:
    """When the first frame with a token came, in monotonic seconds."""
    return next((at for at, frame in reader.heard.frames if has_token(frame)), None)
