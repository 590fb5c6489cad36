"""How long the metrics API takes over two years of 200 people: each metric, by day, week and month, as pages ask for it."""

import asyncio
import http.client
import random
import sys
import time
from datetime import UTC, datetime, timedelta

from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import percentile
from benchmarks.world import NotReady, World, call

METRICS = ("engagement", "adoption", "features", "reports", "impact", "chat", "usage")
GRAINS = ("day", "week", "month")
DAYS = 730
ASKED_AGAIN = 10  # times that each is asked after its first
WITHIN = 0.050  # seconds
SEED = 7


async def run(world: World, *, tell: Tell) -> Findings:
    tell("two years of 200 people are written")
    key = (await asyncio.to_thread(call, world, sys.executable, "-m", "benchmarks.metrics")).split()[-1]
    tell("the metrics of two years by day, week and month")
    first, again = await asyncio.to_thread(_ask, world.web, key)
    every = [seconds for times in (*first.values(), *again.values()) for seconds in times]
    found = Findings()
    remark = f"of {len(every)} requests, among them the first of each, which nobody had asked for since the night"
    found.targets.append(
        Target("metrics over two years, p95", goal=WITHIN * 1e3, measured=percentile(every, 0.95) * 1e3, unit="ms", remark=remark)
    )
    for name in first:
        figures = {
            "first_ms": first[name][0] * 1e3,
            "again_p50_ms": percentile(again[name], 0.5) * 1e3,
            "again_max_ms": max(again[name]) * 1e3,
        }
        found.figures[name] = {figure: round(value, 1) for figure, value in figures.items()}
    return found


def _ask(address: tuple[str, int], key: str) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of the first request of each kind, and of the later ones in any order."""
    until = datetime.now(UTC).date()
    period = f"from={until - timedelta(days=DAYS)}&until={until}"
    paths = {f"{metric} by {grain}": f"/api/v1/metrics/{metric}?{period}&grain={grain}" for metric in METRICS for grain in GRAINS}
    connection = http.client.HTTPConnection(*address, timeout=30)

    def seconds(path: str) -> float:
        began = time.monotonic()
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise NotReady(f"GET {path} answered {response.status}: {body[:300]!r}")
        return time.monotonic() - began

    seconds("/api/v1/me")
    first = {name: [seconds(path)] for name, path in paths.items()}
    again: dict[str, list[float]] = {name: [] for name in paths}
    later = [*paths] * ASKED_AGAIN
    random.Random(SEED).shuffle(later)
    for name in later:
        again[name].append(seconds(paths[name]))
    connection.close()
    return first, again
