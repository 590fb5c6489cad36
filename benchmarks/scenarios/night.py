"""Days of events into all metric tables: beside one bare pass over the same day in mongod, DuckDB over a file of it where that is
installed, and a loop with an object for each event; and what a night costs as events and days grow."""

import asyncio
import json
import sys

from benchmarks.findings import Findings, Target, Tell
from benchmarks.world import World, call

EVENTS = (100_000, 1_000_000)  # ten million on demand
TIMES, MANY = 1.5, 1_000_000  # of the bare pass, at most, for so many events; a small day is mostly what each day takes
LINEAR = 1.3  # times the seconds an event of the smallest day that those of a larger one may be
INDEPENDENT = 1.3  # times the seconds of a day that it may take where larger ones are kept, too
MEMORY = 300.0  # MB at the most


async def run(world: World, *, events: tuple[int, ...], tell: Tell) -> Findings:
    tell(f"nights of {', '.join(f'{many:,}' for many in events)} events")
    said = await asyncio.to_thread(call, world, sys.executable, "-m", "benchmarks.nights", *map(str, events))
    found = json.loads(said.splitlines()[-1])
    seconds = {int(many): taken for many, taken in found["seconds"].items()}
    first = seconds[events[0]]["job"]
    targets = []
    for many, took in seconds.items():
        beside = "; ".join(f"{name} {value:.1f} s" for name, value in took.items() if not name.startswith("job"))
        remark = f"{took['job']:.1f} s, {many / took['job']:,.0f} events/s; {beside}"
        if many >= MANY:
            times = took["job"] / took["bare"]
            targets.append(Target(f"a night of {many:,} events over a bare pass", goal=TIMES, measured=times, remark=remark))
        if many != events[0]:
            growth = took["job"] / many / (first / events[0])
            beside = f"{first:.1f} s for {events[0]:,}, {first / seconds[events[0]]['bare']:.1f} bare passes"
            targets.append(Target(f"an event of {many:,} over one of {events[0]:,}", goal=LINEAR, measured=growth, remark=beside))
    if len(events) > 1:
        targets.append(Target("the first night again, larger days kept too", goal=INDEPENDENT, measured=found["again"] / first))
    targets.append(Target("peak memory of the night's job", goal=MEMORY, measured=found["peak_mb"], unit="MB"))
    return Findings(figures=found, targets=targets)
