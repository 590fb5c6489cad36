"""What lists cost beside the same work straight through PyMongo, and an export of 10,000 messages beside objects and a serializer."""

import asyncio
import json
import sys

from benchmarks.findings import Findings, Target, Tell
from benchmarks.world import World, call

TIMES = 3.0  # of PyMongo's cost that a list may have
FASTER = 20.0  # times, the export


async def run(world: World, *, tell: Tell) -> Findings:
    tell("lists and the export, beside PyMongo and mongoengine's objects")
    mongod = str(world.groups["mongo"][0])
    said = await asyncio.to_thread(call, world, sys.executable, "-m", "benchmarks.lists", mongod)
    costs = json.loads(said.splitlines()[-1])
    export = costs.pop("export")
    found = Findings(figures={"cpu_ms": {**costs, "export": export}})
    for name, cost in costs.items():
        remark = f"{cost['ours']:.1f} against {cost['pymongo']:.1f} ms of CPU"
        found.targets.append(Target(f"{name}: cost over PyMongo's", goal=TIMES, measured=cost["ours"] / cost["pymongo"], remark=remark))
    remark = f"{export['ours']:.0f} against {export['objects']:.0f} ms of CPU; raw BSON {export['raw_bson']:.0f} ms"
    target = Target(
        "export: cost of objects over ours", goal=FASTER, measured=export["objects"] / export["ours"], at_least=True, remark=remark
    )
    found.targets.append(target)
    return found
