"""How long REST takes where much is stored: pages of 100,000 messages at any depth, of 10,000 conversations, and who is there."""

import asyncio
import http.client
import random
import time
from collections.abc import Callable, Mapping

import orjson
import pymongo

from benchmarks import load
from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import percentile
from benchmarks.world import NotReady, World

REQUESTS, WARM = 100, 10
WITHIN, PEOPLE_WITHIN = 0.100, 0.050  # seconds
PAGE = 50
INBOX, MESSAGES = 10_000, 100_000
SEED = 7
VIEWERS = 50  # people who view the long conversation


async def run(world: World, *, tell: Tell) -> Findings:
    assert world.reader is not None
    tell("pages of messages and conversations")
    conversation = f"/api/v1/conversations/{world.long}"
    found = Findings()
    await _measure(world, f"a page of {INBOX:,} conversations", lambda: "/api/v1/conversations", WITHIN, found, count=PAGE)
    chance, history = random.Random(SEED), f"{conversation}/messages?limit={PAGE}"
    for name, before in (
        (f"the newest {PAGE} of {MESSAGES:,} messages", lambda: MESSAGES + 1),
        (f"any {PAGE} of {MESSAGES:,} messages", lambda: chance.randrange(PAGE + 1, MESSAGES)),
        (f"the oldest {PAGE} of {MESSAGES:,} messages", lambda: PAGE + 1),
    ):
        await _measure(world, name, lambda before=before: f"{history}&before={before()}", WITHIN, found, count=PAGE)
    tell(f"who is there, {VIEWERS} viewers")
    places = [(key, world.long) for key, _ in world.take(VIEWERS)]
    await asyncio.to_thread(_open_to_all, world)
    viewers = await load.enter_all(world, places)
    await asyncio.sleep(1)  # joining waits for nothing: who views is written a moment later
    await _measure(world, f"participants, {VIEWERS} of them", lambda: f"{conversation}/presence", PEOPLE_WITHIN, found, count=VIEWERS)
    await load.leave_all(viewers)
    return found


async def _measure(world: World, name: str, path: Callable[[], str], within: float, found: Findings, *, count: int) -> None:
    assert world.reader is not None
    times, size = await asyncio.to_thread(_ask, world.web, path, {"Authorization": f"Bearer {world.reader.key}"}, count)
    found.targets.append(Target(f"{name}, p95", goal=within * 1e3, measured=percentile(times, 0.95) * 1e3, unit="ms"))
    found.figures[name] = {"p50_ms": round(percentile(times, 0.5) * 1e3, 1), "max_ms": round(max(times) * 1e3, 1), "bytes": size}


def _open_to_all(world: World) -> None:
    with pymongo.MongoClient(world.environment["MONGODB_URI"]) as client:
        scope = {"allowedRoles": ["owner"], "allowedUserIds": [], "isPrivate": False}
        stored = client.get_default_database()["chat_conversations"]
        stored.update_one({"conversationId": world.long}, {"$set": {"accessScope": scope}})


def _ask(address: tuple[str, int], path_of: Callable[[], str], headers: Mapping[str, str], count: int) -> tuple[list[float], int]:
    """Seconds of each request, one after another on one connection, and the bytes of an answer. `NotReady` where one does not have
    at least so many results."""
    connection = http.client.HTTPConnection(*address, timeout=10)
    times, size = [], 0
    for number in range(WARM + REQUESTS):
        path = path_of()
        began = time.monotonic()
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        body = response.read()
        if number >= WARM:
            times.append(time.monotonic() - began)
        size = len(body)
        if response.status != 200 or len(orjson.loads(body)["results"]) < count:
            raise NotReady(f"GET {path} answered {response.status} or with less than {count} results: {body[:300]!r}")
    connection.close()
    return times, size
