"""What one web process of Parley's adds as an OpenAI-compatible gateway, beside LiteLLM's proxy where that is installed (`--peers`).

The same mock provider and the same lean readers for each, one after another on the same cores: the time until the first token, alone, less
that of the provider asked directly; streamed tokens a second where more are offered than get through; short streamed requests a second;
memory. And an answer from the cache, whole; within a process, a bridge's configuration looked up, and calls reserved and settled in
budgets.
"""

import asyncio
import http.client
import sys
import time
from dataclasses import dataclass
from typing import Any

import orjson

from benchmarks import load, meters
from benchmarks.findings import Findings, Target, Tell
from benchmarks.load import Flow
from benchmarks.meters import percentile
from benchmarks.peers import compare, setup
from benchmarks.peers.clients import OpenAiReader
from benchmarks.scenarios.first_token import PAUSE, SHORT, TURNS, WARM, figures
from benchmarks.world import NotReady, World, call

PARLEY, LITELLM, DIRECT = "Parley, gateway", "LiteLLM proxy, gateway", "the provider itself"
BRIDGE, CACHED = "bench", "bench-cached"
OFFERED = {PARLEY: 350, LITELLM: 60}  # sessions of 50 tokens a second each: more than one process carries
AT_ONCE, REQUEST_SECONDS = 16, 6.0
# Where LiteLLM is not installed, what was measured of it beforehand on this kind of machine.
SAID_MS, SAID_TOKENS, SAID_MEMORY = 20.0, 1_235.0, 350.0
SHARE, TIMES = 0.25, 5
CACHED_MS = 5.0
LOOK_UP_MS = 0.2


@dataclass(frozen=True)
class Gateway:
    """Whom to ask, and under which name its processes run."""

    title: str
    group: str
    address: tuple[str, int]
    model: str
    token: str
    path: str = OpenAiReader.path

    async def enter(self, count: int, *, model: str = "") -> list[OpenAiReader]:
        opening = (OpenAiReader.enter(self.address, model=model or self.model, token=self.token, path=self.path) for _ in range(count))
        return list(await asyncio.gather(*opening))


async def run(world: World, *, seconds: float, tell: Tell) -> Findings:
    found = Findings()
    key = world.people[0].key
    await asyncio.to_thread(_make_bridges, world, key)
    upstream = world.environment["OPENAI_BASE_URL"].removeprefix("http://").partition("/")[0].split(":")
    direct = Gateway(DIRECT, "upstream", (upstream[0], int(upstream[1])), "mock", "mock")
    ours = Gateway(PARLEY, "web", world.web, BRIDGE, key)
    tell(f"{DIRECT}: first token")
    bare = await _first_token(direct)
    found.figures[f"{DIRECT}, first token ms"] = figures(bare)
    measured = await _measure(world, ours, bare=bare, seconds=seconds, found=found, tell=tell)
    tell("answers from the cache")
    cached = await _cached(ours)
    found.figures["from the cache ms"] = figures(cached)
    found.targets.append(Target("an answer from the cache, p50", CACHED_MS, percentile(cached, 0.5) * 1e3, "ms"))
    tell("configurations looked up, budgets reserved and settled")
    within = orjson.loads((await asyncio.to_thread(call, world, sys.executable, "-m", "benchmarks.bridges")).splitlines()[-1])
    found.figures["configuration, looked up warm, ms"] = within["look_up_ms"]
    found.figures["budgets, 64 callers reserve and settle"] = within["budgets"]
    found.targets.append(Target("a bridge's configuration looked up warm, p99", LOOK_UP_MS, within["look_up_ms"]["p99"], "ms"))
    theirs = {"p50": SAID_MS, "p95": SAID_MS, "tokens": SAID_TOKENS, "requests": float("nan"), "memory": SAID_MEMORY}
    remark = "beside what was measured of LiteLLM beforehand; `--peers` measures it in this run"
    if setup.LITELLM.is_installed:
        tell("Starting LiteLLM")
        address = await compare.started_litellm(world)
        litellm = Gateway(LITELLM, "litellm", address, "mock", "sk-bench")
        theirs, remark = await _measure(world, litellm, bare=bare, seconds=seconds, found=found, tell=tell), ""
        world.end("litellm")
    for share in ("p50", "p95"):
        name = f"added to the first token, {share}: a quarter of LiteLLM's"
        found.targets.append(Target(name, theirs[share] * SHARE, measured[share], "ms", remark=remark))
    for what, name in (("tokens", "streamed tokens a second"), ("requests", "short requests a second")):
        ratio = measured[what] / theirs[what]
        found.targets.append(Target(f"{name}, times LiteLLM's", TIMES, ratio, at_least=True, remark=remark))
    found.targets.append(Target("memory: half of LiteLLM's", theirs["memory"] / 2, measured["memory"], "MB", remark=remark))
    return found


async def _measure(world: World, gateway: Gateway, *, bare: list[float], seconds: float, found: Findings, tell: Tell) -> dict[str, float]:
    """{"p50", "p95": milliseconds added, "tokens", "requests": a second, "memory": MB}"""
    tell(f"{gateway.title}: first token")
    alone = await _first_token(gateway)
    added = {share: (percentile(alone, at) - percentile(bare, at)) * 1e3 for share, at in (("p50", 0.5), ("p95", 0.95))}
    tell(f"{gateway.title}: tokens a second")
    flow = Flow(sessions=OFFERED[gateway.title], seconds=seconds)
    readers = await gateway.enter(flow.sessions)
    flowed = await load.ask_readers(world, gateway.group, readers, flow)
    began = min(reader.heard.frames[0][0] for reader in readers if reader.heard.frames)
    tokens = flowed.tokens / (max(reader.heard.frames[-1][0] for reader in readers if reader.heard.frames) - began)
    tell(f"{gateway.title}: requests a second")
    requests, problems = await _requests(gateway)
    memory = meters.memory(pid for root in world.groups[gateway.group] for pid in meters.tree(root)) / 1e6
    measured = {**added, "tokens": tokens, "requests": requests, "memory": memory}
    found.figures[gateway.title] = {
        "first_token_ms": figures(alone),
        **{name: round(value, 2) for name, value in measured.items()},
        "offered_tokens": flow.sessions * flow.rate,
        "stream": flowed.figures((gateway.group, "upstream")),
        "problems": problems[:5],
    }
    return measured


async def _first_token(gateway: Gateway) -> list[float]:
    (reader,) = await gateway.enter(1)
    times = []
    for turn in range(WARM + TURNS):
        reader.heard.frames.clear()
        began = time.monotonic()
        reader.begin(SHORT)
        await asyncio.wait_for(reader.ended, 20)
        first = load.first_token_at(reader)
        if first is None:
            raise NotReady(f"{gateway.title} answered without a token: {reader.heard.frames[:3]!r}")
        if turn >= WARM:
            times.append(first - began)
        await asyncio.sleep(PAUSE)
    await reader.close()
    return times


async def _requests(gateway: Gateway) -> tuple[float, list[str]]:
    """Short streamed answers a second, so many asked for at once, each connection's next when the one before has ended."""
    readers = await gateway.enter(AT_ONCE)
    until = time.monotonic() + REQUEST_SECONDS
    done, problems = 0, []

    async def ask(reader: OpenAiReader) -> None:
        nonlocal done
        while time.monotonic() < until:
            reader.heard.frames.clear()
            reader.begin(SHORT)
            await asyncio.wait_for(reader.ended, 30)
            if load.first_token_at(reader) is None:
                problems.append(repr(reader.heard.frames[:1]))
                return
            done += 1

    began = time.monotonic()
    await asyncio.gather(*map(ask, readers))
    took = time.monotonic() - began
    await load.leave_all(readers)
    return done / took, problems


async def _cached(gateway: Gateway) -> list[float]:
    """Seconds until an answer that is in the cache is here whole, one after another."""
    (reader,) = await gateway.enter(1, model=CACHED)
    times = []
    for turn in range(WARM + TURNS):
        reader.heard.frames.clear()
        began = time.monotonic()
        reader.begin(SHORT)
        await asyncio.wait_for(reader.ended, 20)
        if turn >= WARM:
            times.append(time.monotonic() - began)
            if b"x-parley-cache: hit" not in reader.heard.frames[0][1]:
                raise NotReady(f"An answer that was given before did not come from the cache: {reader.heard.frames[0][1][:600]!r}")
        await asyncio.sleep(PAUSE)
    await reader.close()
    return times


def _make_bridges(world: World, key: str) -> None:
    connection = http.client.HTTPConnection(*world.web, timeout=30)

    def post(path: str, body: Any) -> None:
        sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", f"/api/v1/{path}", orjson.dumps(body), sent)
        response = connection.getresponse()
        if (said := response.read()) and response.status >= 400:
            raise NotReady(f"POST {path} answered {response.status}: {said[:300]!r}")

    for slug, seconds in ((BRIDGE, 0), (CACHED, 3_600)):
        post("bridges", {"name": slug, "slug": slug, "system_prompt": "Be brief.", "cache_seconds": seconds})
        post(f"bridges/{slug}/versions", {})
    connection.close()
