"""A thousand people who see each other: a hundred conversations of ten, with presence, typing and twenty questions a second, for minutes.

Each question is answered at once with a few tokens. Nothing may be lost: every socket of a conversation hears every question in it,
and its events are contiguous. Memory is watched all the while.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pymongo

from benchmarks import load
from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import memory, percentile, tree
from benchmarks.sockets import ParleySocket
from benchmarks.tokens import question
from benchmarks.world import World

SOCKETS, TOGETHER = 1_000, 10  # sockets; of each conversation
PER_SECOND = 20  # questions; as often somebody begins to type, and half as often somebody's presence changes
SECONDS = 60.0
WITHIN = 0.200  # seconds
GROWTH = 1.05  # times
SAMPLES = 20  # of memory
SETTLED = 5  # samples before the first that counts: caches fill
LATE = 5.0  # seconds after the end in which the last events arrive
TOKENS = 5
STATUSES = ("busy", "online")


@dataclass
class Sent:
    """A question, by its client id: where it was asked, and when, in monotonic seconds."""

    conversation: str
    at: float


@dataclass
class Heard:
    """What came of them: seconds until each socket heard each question, and what is wrong, in sentences."""

    delays: list[float] = field(default_factory=list)
    lost: int = 0
    problems: list[str] = field(default_factory=list)


async def run(world: World, *, seconds: float, tell: Tell) -> Findings:
    tell(f"{SOCKETS:,} people in {SOCKETS // TOGETHER} conversations come")
    owned = world.take(SOCKETS // TOGETHER)
    await asyncio.to_thread(_open_to_all, world, [conversation for _, conversation in owned])
    people = [person.key for person in world.people]
    places = [(people[(place * TOGETHER + seat) % len(people)], owned[place][1]) for place in range(len(owned)) for seat in range(TOGETHER)]
    sockets = await load.enter_all(world, places)
    await asyncio.gather(*(socket.ask({"do": "presence", "status": "online"}) for socket in sockets))
    tell(f"{PER_SECOND} questions a second among {SOCKETS:,} sockets, {seconds:.0f} s")
    sent: dict[str, Sent] = {}
    watching = asyncio.ensure_future(_watch(world, seconds))
    refused = await _talk(sockets, places, sent, seconds)
    sizes = await watching
    await asyncio.sleep(LATE)
    heard = reckon([(places[at][1], socket.joined["n"], socket.heard.frames) for at, socket in enumerate(sockets)], sent)
    await load.leave_all(sockets)
    world.check()
    p95 = percentile(heard.delays, 0.95)
    lost = heard.lost + len(heard.problems) + len(refused)
    growth = max(sizes[SETTLED:]) / sizes[SETTLED]
    remark = "; ".join(dict.fromkeys([*refused, *heard.problems]))[:200]
    return Findings(
        targets=[
            Target(f"events lost, {SOCKETS:,} sockets, {PER_SECOND} questions a second", 0, lost, remark=remark),
            Target("until everybody has heard a question, p95", WITHIN * 1e3, p95 * 1e3, unit="ms"),
            Target("memory of web and worker over that at a quarter of the time", GROWTH, growth, remark=f"{sizes[-1] / 2**20:.0f} MiB"),
        ],
        figures={
            "seconds": seconds,
            "questions": len(sent),
            "deliveries": len(heard.delays),
            "delay_ms": {name: round(percentile(heard.delays, share) * 1e3, 1) for name, share in load.SHARES.items()},
            "memory_mib": [round(size / 2**20, 1) for size in sizes],
        },
    )


def _open_to_all(world: World, conversations: Sequence[str]) -> None:
    with pymongo.MongoClient(world.environment["MONGODB_URI"]) as client:
        scope = {"allowedRoles": ["owner"], "allowedUserIds": [], "isPrivate": False}
        stored = client.get_default_database()["chat_conversations"]
        stored.update_many({"conversationId": {"$in": list(conversations)}}, {"$set": {"accessScope": scope}})


async def _talk(sockets: Sequence[ParleySocket], places: Sequence[tuple[str, str]], sent: dict[str, Sent], seconds: float) -> list[str]:
    """Everybody in their turn; the sentences of those who were refused."""
    chance = random.Random(7)
    began = time.monotonic()
    asking: list[asyncio.Future[Any]] = []
    for number in range(round(seconds * PER_SECOND)):
        await asyncio.sleep(began + number / PER_SECOND - time.monotonic())
        place = number % (SOCKETS // TOGETHER) * TOGETHER + chance.randrange(TOGETHER)
        conversation, client_id = places[place][1], f"company-{number}"
        sent[client_id] = Sent(conversation, time.monotonic())
        asking.append(asyncio.ensure_future(sockets[place].send(conversation, question(tokens=TOKENS), client_id=client_id)))
        other = chance.randrange(SOCKETS)
        asking.append(asyncio.ensure_future(sockets[other].ask({"do": "typing", "conversation": places[other][1], "on": True})))
        if number % 2:
            status = STATUSES[number // 2 % 2]
            asking.append(asyncio.ensure_future(sockets[chance.randrange(SOCKETS)].ask({"do": "presence", "status": status})))
    done = await asyncio.gather(*asking, return_exceptions=True)
    return [str(problem) for problem in done if isinstance(problem, BaseException)]


async def _watch(world: World, seconds: float) -> list[int]:
    """Bytes of web and worker, now and again."""
    sizes = []
    for _ in range(SAMPLES + 1):
        sizes.append(memory(pid for name in ("web", "worker") for root in world.groups[name] for pid in tree(root)))
        await asyncio.sleep(seconds / SAMPLES)
    return sizes


def reckon(sockets: Sequence[tuple[str, int, Sequence[tuple[float, bytes]]]], sent: dict[str, Sent]) -> Heard:
    """What each socket (its conversation, the number of the last event before, its frames) made of what was sent."""
    heard = Heard()
    asked: dict[str, set[str]] = {}
    for client_id, one in sent.items():
        asked.setdefault(one.conversation, set()).add(client_id)
    for conversation, number, frames in sockets:
        missing = set(asked.get(conversation, ()))
        for at, frame in frames:
            event = orjson.loads(frame)
            if "n" not in event:
                continue  # who types, who is there: in passing
            if event["n"] != number + 1:
                heard.problems.append(f"Event {event['n']} came after event {number}.")
            number = event["n"]
            client_id = event["message"]["client_id"] if event["event"] == "message" else None
            if client_id in missing:
                missing.discard(client_id)
                heard.delays.append(at - sent[client_id].at)
        heard.lost += len(missing)
    return heard
