"""A thousand sockets are cut mid-answer and come back at once: what each missed, and how soon it has it.

The proof is the replay: the deltas from before and after the cut, joined by their offsets, must be the text of the saved message,
with no event number missing or doubled.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import orjson

from benchmarks import load
from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import Meter, percentile
from benchmarks.sockets import ParleySocket, number_of
from benchmarks.tokens import WRAP, question, tally
from benchmarks.world import OURS, World

SOCKETS, TABS = 1_000, 2  # tabs of one person on one answer
TOKENS, EVERY = 56, 0.25  # seconds a token: the answer outlives the cut
BEFORE, AWAY = 4.0, 1.0  # seconds until the cut, and until they come back
WITHIN = 2.0


async def run(world: World, *, tell: Tell) -> Findings:
    tell(f"{SOCKETS:,} sockets join {SOCKETS // TABS} answers")
    places = [place for place in world.take(SOCKETS // TABS) for _ in range(TABS)]
    before = await load.enter_all(world, places)
    ask = question(tokens=TOKENS, every=EVERY)
    asked: list[asyncio.Task] = []
    for at in range(0, SOCKETS, TABS):
        asked.append(asyncio.ensure_future(before[at].send(places[at][1], ask, client_id="cut")))
        await asyncio.sleep(0.004)
    await asyncio.sleep(BEFORE)
    refused = [str(each.exception()) for each in asked if each.done() and each.exception()]
    tell(f"{SOCKETS:,} sockets are cut and come back")
    for socket in before:
        socket.drop()
    await asyncio.sleep(AWAY)
    meter = Meter({name: world.groups[name] for name in OURS}, clock=time.monotonic)
    dialled = time.monotonic()
    after = await asyncio.gather(*(_back(world, old, place) for old, place in zip(before, places, strict=True)), return_exceptions=True)
    spent = meter.stop()
    back = [socket for socket in after if isinstance(socket, ParleySocket)]
    await asyncio.wait([socket.ended for socket in back], timeout=TOKENS * EVERY + 15)
    times, problems = [], Counter[str]()
    for old, new in zip(before, after, strict=True):
        problem, caught_up = _replay(old, new, dialled) if isinstance(new, ParleySocket) else (str(new), None)
        problems.update([problem] if problem else [])
        times.append(caught_up if caught_up is not None else float("inf"))
    await load.leave_all(back)
    world.check()
    p95 = percentile(times, 0.95)
    return Findings(
        targets=[
            Target(f"sockets of {SOCKETS:,} whose replay is not what was saved", goal=0, measured=problems.total()),
            Target(f"{SOCKETS:,} sockets back at once: p95 until they have what they missed", goal=WITHIN, measured=p95, unit="s"),
        ],
        figures={
            "caught_up_s": {name: round(percentile(times, share), 3) for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))},
            "cpu_ms_per_socket": {name: round(seconds / SOCKETS * 1e3, 2) for name, seconds in spent.groups.items()},
            "not_back": SOCKETS - len(back),
            "refused": refused[:5],
            "problems": dict(problems.most_common(10)),
        },
    )


async def _back(world: World, old: ParleySocket, place: tuple[str, str]) -> ParleySocket:
    """Comes back as a page does: with the number of the last event it had."""
    socket = await ParleySocket.enter(world.web, organization=world.organization, key=place[0])
    had = number_of(old.heard.frames[-1][1]) if old.heard.frames else None
    await socket.join(place[1], after=had)
    return socket


def _replay(old: ParleySocket, new: ParleySocket, dialled: float) -> tuple[str, float | None]:
    """What is wrong with what this reader saw (nothing: empty), and the seconds until it had all that was written before it came back."""
    if "reset" in new.joined:
        return "It was told to begin anew.", None
    events = [event for _, event in (*old.heard.frames, *new.heard.frames)]
    numbers = [number_of(event) for event in events]
    if not numbers:
        return "It heard nothing.", None
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return "Event numbers are not contiguous.", None
    if b'"event":"message"' not in events[-1][:110]:
        return "The answer did not end.", None
    if _text(events) != orjson.loads(events[-1])["message"]["text"]:
        return "The replay is not the saved text.", None
    if tally(old.heard.frames + new.heard.frames).tokens != TOKENS:
        return "Tokens are missing.", None
    return "", _caught_up(new, dialled)


def _text(events: Sequence[bytes]) -> str:
    """What a reader has put together before the end is announced; a whole message that is still being written replaces it."""
    text = ""
    for event in map(orjson.loads, events[:-1]):
        if event["event"] == "delta":
            if event["offset"] != len(text):
                return text
            text += event["text"]
        elif event["event"] == "message" and event["message"]["role"] == "assistant":
            text = event["message"]["text"]
    return text


def _caught_up(new: ParleySocket, dialled: float) -> float:
    """Seconds from dialling to the last of the events whose text was written before that."""
    came = dialled
    for at, event in new.heard.frames:
        written = tally([(at, event)]).written
        if written and (dialled - written[0]) % (WRAP / 1e6) < WRAP / 2e6:
            came = at
    return came - dialled
