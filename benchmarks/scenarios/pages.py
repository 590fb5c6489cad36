"""How long REST takes where much is stored: the newest fifty of 10,000 messages, a page of a list of 10,000 conversations."""

import asyncio
import http.client
import time
from collections.abc import Mapping

import orjson

from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import percentile
from benchmarks.world import NotReady, World

REQUESTS, WARM = 100, 10
WITHIN = 0.100  # seconds
PAGE = 50
INBOX, MESSAGES = 10_000, 10_000


async def run(world: World, *, tell: Tell) -> Findings:
    assert world.reader is not None
    tell("pages of messages and conversations")
    pages = {
        f"newest {PAGE} of {MESSAGES:,} messages, p95": f"/api/v1/conversations/{world.long}/messages?limit={PAGE}",
        f"a page of {INBOX:,} conversations, p95": "/api/v1/conversations",
    }
    found = Findings()
    for name, path in pages.items():
        times, size = await asyncio.to_thread(_ask, world.web, path, {"Authorization": f"Bearer {world.reader.key}"})
        found.targets.append(Target(name, goal=WITHIN * 1e3, measured=percentile(times, 0.95) * 1e3, unit="ms"))
        found.figures[name] = {"p50_ms": round(percentile(times, 0.5) * 1e3, 1), "max_ms": round(max(times) * 1e3, 1), "bytes": size}
    return found


def _ask(address: tuple[str, int], path: str, headers: Mapping[str, str]) -> tuple[list[float], int]:
    """Seconds of each request, one after another on one connection, and the bytes of an answer. `NotReady` where one is not a full page."""
    connection = http.client.HTTPConnection(*address, timeout=10)
    times, size = [], 0
    for number in range(WARM + REQUESTS):
        began = time.monotonic()
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        body = response.read()
        if number >= WARM:
            times.append(time.monotonic() - began)
        size = len(body)
        if response.status != 200 or not (results := orjson.loads(body)["results"]):
            raise NotReady(f"GET {path} answered {response.status}: {body[:300]!r}")
        if "messages" in path and len(results) != PAGE:
            raise NotReady(f"GET {path} gave {len(results)} messages instead of {PAGE}.")
    connection.close()
    return times, size
