"""Whether the ten-thousandth token of an answer costs what the first did."""

import asyncio
import time

from benchmarks import load
from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import Meter, Spent
from benchmarks.tokens import question, tally
from benchmarks.world import OURS, World

ANSWERS = 8  # at once, so that a window costs enough to be measured
TOKENS, WINDOW = 10_000, 1_000
EVERY = 0.003  # seconds a token
SETTLE = 0.3  # seconds after the first token before the first window: a turn's beginning is not a token's price
RATIO = 1.15


async def run(world: World, *, tell: Tell) -> Findings:
    tell(f"{ANSWERS} answers of {TOKENS:,} tokens, {TOKENS * EVERY:.0f} s")
    places = world.take(ANSWERS)
    sockets = await load.enter_all(world, places)
    ask = question(tokens=TOKENS, every=EVERY)
    await asyncio.gather(*(socket.send(place[1], ask, client_id="long") for socket, place in zip(sockets, places, strict=True)))
    began = time.monotonic() + SETTLE  # acknowledged: the first tokens are a few milliseconds away
    first = await _window(world, begin=began)
    last = await _window(world, begin=began + (TOKENS - WINDOW) * EVERY - 3 * SETTLE)
    statuses = await asyncio.wait_for(asyncio.gather(*(socket.ended for socket in sockets)), 30)
    tallies = [tally(socket.heard.frames) for socket in sockets]
    faults = [socket.fault() for socket in sockets]
    await load.leave_all(sockets)
    world.check()
    problems = [f"It ended as {status}." for status in statuses if status != "sent"]
    problems += [f"{each.tokens:,} tokens came." for each in tallies if each.tokens != TOKENS]
    problems += ["Tokens came out of order."] * sum(not each.in_order for each in tallies)
    problems += filter(None, faults)
    cost = {name: _cost(first, name) for name in OURS}, {name: _cost(last, name) for name in OURS}
    ratio = sum(cost[1].values()) / max(sum(cost[0].values()), 1e-9)
    target = Target(
        "CPU of tokens 9,001–10,000 over that of the first 1,000",
        goal=RATIO,
        measured=float("nan") if problems else ratio,
        remark=problems[0] if problems else "",
    )
    figures = {"first_us_per_token": cost[0], "last_us_per_token": cost[1], "answers": ANSWERS, "problems": problems}
    return Findings(targets=[target], figures=figures)


async def _window(world: World, *, begin: float) -> Spent:
    """What is spent in the time of `WINDOW` tokens from `begin` on."""
    await asyncio.sleep(begin - time.monotonic())
    meter = Meter({name: world.groups[name] for name in OURS}, clock=time.monotonic)
    await asyncio.sleep(begin + WINDOW * EVERY - time.monotonic())
    return meter.stop()


def _cost(spent: Spent, name: str) -> float:
    """CPU microseconds a token."""
    return round(spent.groups[name] / (ANSWERS * WINDOW) * 1e6, 1)
