"""What a thousand sockets cost that only wait, beside a bare Channels consumer on the same server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from benchmarks import load
from benchmarks.findings import Findings, Target, Tell
from benchmarks.meters import Meter, memory, tree
from benchmarks.sockets import BareSocket
from benchmarks.world import OURS, World
from config.management.commands import up

SOCKETS = 1_000
SETTLE, WATCHED = 3.0, 60.0  # seconds: two rounds in which people are looked after, three in which sockets are pinged
ALONE = 20.0  # seconds that a process is watched before it has sockets
# Each socket is pinged so long after it was opened, and then again. Those that were opened at once are pinged at once, for a fraction
# of the cost: both kinds are opened at the same even pace, as people come.
PING_SECONDS = 20.0
RATIO = 1.5
AT_ONCE = 25


async def run(world: World, *, tell: Tell) -> Findings:
    tell(f"{SOCKETS:,} idle sockets")
    places = world.take(SOCKETS)
    # A web process of its own: one that served before has memory to spare, and the sockets would seem to need none.
    fresh = world.start("fresh", up.web_command)
    warm = await load.enter_all(world, places[:AT_ONCE], at=fresh)
    await load.leave_all(warm)
    before = await _before(world, "fresh")
    sockets = await _evenly([lambda place=place: load.enter_all(world, [place], at=fresh) for place in places])
    ours = await _watch(world, "fresh", before, together=("fresh", *OURS))
    await load.leave_all(socket for [socket] in sockets)
    world.end("fresh")
    tell(f"{SOCKETS:,} idle sockets of a bare consumer")
    address = world.start_application("idle", "benchmarks.bare:idle")
    await load.until_open(address)
    await load.leave_all(await asyncio.gather(*(BareSocket.open(address, "/ws") for _ in range(AT_ONCE))))
    before = await _before(world, "idle")
    opened = await _evenly([lambda: BareSocket.open(address, "/ws")] * SOCKETS)
    bare = await _watch(world, "idle", before, together=("idle",))
    await load.leave_all(opened)
    world.end("idle")
    ratios = {each: ours[each] / max(bare[each], 1e-9) for each in ("kib", "cpu_us_per_second")}
    beside = {each: f"{ours[each]:g} against {bare[each]:g}" for each in ratios}
    return Findings(
        targets=[
            Target("memory of an idle socket over a bare consumer's", RATIO, ratios["kib"], remark=f"{beside['kib']} KiB"),
            Target(
                "CPU of an idle socket over a bare consumer's",
                RATIO,
                ratios["cpu_us_per_second"],
                remark=f"{beside['cpu_us_per_second']} µs a second",
            ),
        ],
        figures={"parley": ours, "bare": bare},
    )


async def _evenly(openings: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """What they give, each begun in its turn within the time between two pings."""

    async def begin(place: int) -> Any:
        await asyncio.sleep(PING_SECONDS * place / len(openings))
        return await openings[place]()

    return await asyncio.gather(*map(begin, range(len(openings))))


def _memory(world: World, name: str) -> int:
    return memory(pid for root in world.groups[name] for pid in tree(root))


async def _before(world: World, name: str) -> tuple[int, float]:
    """Bytes, and CPU seconds a second, of a process that has no sockets: what it takes for itself is not a socket's price."""
    await asyncio.sleep(SETTLE)
    meter = Meter({name: world.groups[name]}, clock=time.monotonic)
    await asyncio.sleep(ALONE)
    spent = meter.stop()
    return _memory(world, name), spent.groups[name] / spent.seconds


async def _watch(world: World, name: str, before: tuple[int, float], *, together: Sequence[str]) -> dict[str, float]:
    """KiB and CPU microseconds a second, each of one socket, of the process that holds them; and the CPU of all that serve it."""
    await asyncio.sleep(SETTLE)
    kib = (_memory(world, name) - before[0]) / 1024 / SOCKETS
    meter = Meter({group: world.groups[group] for group in together}, clock=time.monotonic)
    await asyncio.sleep(WATCHED)
    spent = meter.stop()
    world.check()
    return {
        "kib": round(kib, 1),
        "cpu_us_per_second": round((spent.groups[name] / spent.seconds - before[1]) / SOCKETS * 1e6, 1),
        "cpu_us_per_second_alone": round(before[1] * 1e6, 1),
        "cpu_us_per_second_together": round(spent.of(together) / spent.seconds / SOCKETS * 1e6, 1),
    }
