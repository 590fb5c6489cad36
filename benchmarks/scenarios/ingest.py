"""What it costs to write down what people do: events through the endpoint, what noting one adds to a request, and the buffer drained."""

import asyncio
import http.client
import json
import sys
import time
import uuid

import orjson

from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import cpu, percentile
from benchmarks.world import NotReady, World, call

BATCHES, WARM = 100, 5
ITEMS = (1, 100)  # of a request
WITHIN = 1.0  # milliseconds that noting may add to a request
SHARE_OF_COPY = 0.5  # rows a second of a text COPY in the same run


async def run(world: World, *, entries: int, tell: Tell) -> Findings:
    found = Findings()
    for items in ITEMS:
        tell(f"events through the endpoint, {items} a request")
        times, spent = await asyncio.to_thread(_post, world, items)
        found.figures[f"events, {items} a request"] = {
            "events_per_second": round(items * len(times) / sum(times)),
            "events_per_web_cpu_second": round(items * len(times) / spent),
            "p50_ms": round(percentile(times, 0.5) * 1e3, 1),
            "p95_ms": round(percentile(times, 0.95) * 1e3, 1),
        }
    tell(f"noting events; {entries:,} entries of the buffer")
    said = await asyncio.to_thread(call, world, sys.executable, "-m", "benchmarks.recording", "--entries", str(entries))
    figures = json.loads(said.splitlines()[-1])
    found.figures["recording"] = {name: round(value, 3) for name, value in figures.items()}
    found.targets.append(Target("noting an event in a request, p95", WITHIN, figures["noted_p95_us"] / 1e3, unit="ms"))
    share = figures["copy_seconds"] / figures["drain_seconds"]
    found.targets.append(Target(f"{entries:,} entries drained once, rows/s over a text COPY's", SHARE_OF_COPY, share, at_least=True))
    return found


def _post(world: World, items: int) -> tuple[list[float], float]:
    """Seconds of each request, one after another on one connection, and the web processes' CPU seconds. `NotReady` where one is refused."""
    connection = http.client.HTTPConnection(*world.web, timeout=30)
    headers = {"Authorization": f"Bearer {world.people[0].key}", "Content-Type": "application/json"}
    times, before = [], 0.0
    for number in range(WARM + BATCHES):
        if number == WARM:
            before = cpu(world.groups["web"])
        body = orjson.dumps([_item() for _ in range(items)])
        began = time.monotonic()
        connection.request("POST", "/api/v1/events", body, headers)
        response = connection.getresponse()
        said = response.read()
        if number >= WARM:
            times.append(time.monotonic() - began)
        if response.status != 201:
            raise NotReady(f"POST /api/v1/events answered {response.status}: {said[:300]!r}")
    connection.close()
    return times, cpu(world.groups["web"]) - before


def _item() -> dict[str, object]:
    metadata = {"page": "/o/bench/chat/", "component": "browser", "duration": 12.5}
    return {"client_id": str(uuid.uuid4()), "event_type": "PAGE_VIEW", "event_action": "looked", "metadata": metadata, "screen": "1280x800"}
