"""What Parley adds until the first token is read: alone, and while 200 answers are being written."""

import asyncio
import time

from benchmarks import load
from benchmarks.findings import Findings, System, Target, Tell
from benchmarks.load import Flow
from benchmarks.meters import percentile
from benchmarks.scenarios.sessions import BARE, PARLEY
from benchmarks.sockets import BareSocket, ParleySocket
from benchmarks.tokens import question
from benchmarks.world import World

TURNS, CONVERSATIONS, WARM = 60, 6, 6
PROBES = 60
BUSY = 200  # answers under way
ALONE, CROWDED = 0.010, 0.100  # seconds
SHORT = question(tokens=5)
PAUSE = 0.05


async def run(world: World, *, bare: bool, tell: Tell) -> Findings:
    found = Findings()
    tell("first token, one conversation")
    alone, acknowledged = await _alone(world)
    median = percentile(alone, 0.5)
    found.systems.append(System(PARLEY, first_token_ms=median * 1e3))
    found.targets.append(Target("first token, one conversation, median", goal=ALONE * 1e3, measured=median * 1e3, unit="ms"))
    found.figures["alone_ms"] = figures(alone)
    found.figures["acknowledged_ms"] = figures(acknowledged)
    for name, title in BARE.items() if bare else ():
        address = world.start_application(name, f"benchmarks.bare:{name}", extra={"BENCH_UPSTREAM": world.environment["OPENAI_BASE_URL"]})
        await load.until_open(address)
        times = await _alone_bare(address)
        found.systems.append(System(title, first_token_ms=percentile(times, 0.5) * 1e3))
        found.figures[f"{title}_ms"] = figures(times)
        world.end(name)
    tell(f"first token, {BUSY} answers under way")
    crowded, flowed = await _crowded(world)
    remark = "" if flowed.complete else "not all of the 200 answers were complete"
    p95 = percentile(crowded, 0.95) * 1e3
    found.targets.append(Target(f"first token, {BUSY} answering, p95", goal=CROWDED * 1e3, measured=p95, unit="ms", remark=remark))
    found.figures["crowded_ms"] = figures(crowded)
    return found


def figures(times: list[float]) -> dict[str, float]:
    """Seconds as milliseconds, at the shares that matter."""
    return {name: round(percentile(times, share) * 1e3, 2) for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))}


async def _alone(world: World) -> tuple[list[float], list[float]]:
    """Seconds to the first token and to the acknowledgement, a turn at a time, over a few conversations."""
    places = world.take(CONVERSATIONS)
    sockets = await load.enter_all(world, places)
    first, acknowledged = [], []
    for turn in range(WARM + TURNS):
        socket, (_, conversation) = sockets[turn % CONVERSATIONS], places[turn % CONVERSATIONS]
        times = await _turn(socket, conversation, f"turn-{turn}")
        if turn >= WARM:
            first.append(times[0])
            acknowledged.append(times[1])
        await asyncio.sleep(PAUSE)
    await load.leave_all(sockets)
    return first, acknowledged


async def _turn(socket: ParleySocket, conversation: str, client_id: str) -> tuple[float, float]:
    socket.heard.frames.clear()
    began = time.monotonic()
    await socket.send(conversation, SHORT, client_id=client_id)
    acknowledged = time.monotonic() - began
    await asyncio.wait_for(socket.ended, 20)
    first = load.first_token_at(socket)
    return (first - began if first else float("inf")), acknowledged


async def _alone_bare(address: tuple[str, int]) -> list[float]:
    socket = await BareSocket.open(address, "/ws")
    times = []
    for turn in range(WARM + TURNS):
        socket.heard.frames.clear()
        began = time.monotonic()
        socket.begin(SHORT)
        await asyncio.wait_for(socket.ended, 20)
        first = load.first_token_at(socket)
        if turn >= WARM and first:
            times.append(first - began)
        await asyncio.sleep(PAUSE)
    await socket.close()
    return times


async def _crowded(world: World) -> tuple[list[float], load.Flowed]:
    """Seconds to the first token of questions that are asked one after another beside the others."""
    probing = world.take(PROBES)
    sockets = await load.enter_all(world, probing)
    flow = Flow(sessions=BUSY, seconds=10.0, ramp=2.0)
    crowd = asyncio.ensure_future(load.ask_parley(world, flow, begun=(begun := asyncio.Event())))
    await begun.wait()
    await asyncio.sleep(flow.ramp + 0.5)
    pause = (flow.seconds - flow.ramp - 1.5) / PROBES
    asking = []
    for number, (socket, (_, conversation)) in enumerate(zip(sockets, probing, strict=True)):
        asking.append(asyncio.ensure_future(_turn(socket, conversation, f"probe-{number}")))
        await asyncio.sleep(pause)
    times = await asyncio.gather(*asking)
    flowed = await crowd
    await load.leave_all(sockets)
    return [first for first, _ in times], flowed
