"""How many answers at 50 tokens a second are held at once, every token in order and 95 % of them within 100 ms; at what CPU a token."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from benchmarks import load
from benchmarks.findings import Findings, System, Tell
from benchmarks.load import Flow, Flowed
from benchmarks.world import OURS, World

STEPS = (25, 40, 50, 75, 100, 150, 200, 225, 250, 300)
BARE_STEPS = {"relay": (40, 75, 225, 320, 480, 720), "sdk": (40, 75, 120, 160)}
BARE = {"relay": "bare consumer", "sdk": "bare consumer, OpenAI SDK"}
WITHIN = 0.100  # seconds
PARLEY = "Parley, all processes"
REST = 1.0  # seconds between two steps


async def run(world: World, *, steps: Sequence[int], seconds: float, bare: bool, tell: Tell) -> Findings:
    found = Findings()
    for step in (1, 1):  # what is imported and connected once is not counted
        await load.ask_parley(world, Flow(sessions=step, seconds=1.0))

    async def ask_parley(flow: Flow) -> Flowed:
        return await load.ask_parley(world, flow)

    await climb(PARLEY, steps, ask=ask_parley, groups=OURS, seconds=seconds, found=found, tell=tell)
    for name, title in BARE.items() if bare else ():
        address = world.start_application(name, f"benchmarks.bare:{name}", extra={"BENCH_UPSTREAM": world.environment["OPENAI_BASE_URL"]})
        await load.until_open(address)

        async def ask_bare(flow: Flow, name: str = name, address: tuple[str, int] = address) -> Flowed:
            return await load.ask_bare(world, name, address, flow)

        await climb(title, BARE_STEPS[name], ask=ask_bare, groups=(name,), seconds=min(seconds, 4.0), found=found, tell=tell)
        world.end(name)
    return found


async def climb(
    title: str,
    steps: Sequence[int],
    *,
    ask: Callable[[Flow], Awaitable[Flowed]],
    groups: Sequence[str],
    seconds: float,
    found: Findings,
    tell: Tell,
) -> System:
    """Goes up the steps until one is not held; that one gets a second chance, since the machine may have done something else."""
    system = System(title)
    taken: list[dict] = []
    for step in steps:
        for _ in range(2):
            tell(f"{title}: {step} sessions")
            flowed = await ask(Flow(sessions=step, seconds=seconds))
            held = flowed.held(within=WITHIN)
            taken.append({**flowed.figures(groups), "held": held})
            system.cost[step] = flowed.cost(groups)
            await asyncio.sleep(REST)
            if held:
                break
        if not held:
            break
        system.held = step
    found.systems.append(system)
    found.figures[title] = taken
    return system
