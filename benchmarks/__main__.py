"""`python -m benchmarks` (`make bench`): starts a Parley of its own, loads it, and says what was found."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import report, world
from benchmarks.findings import Findings, Tell
from benchmarks.peers import compare, setup
from benchmarks.scenarios import (
    company,
    first_token,
    gateway,
    idle,
    ingest,
    lists,
    long_answer,
    metrics_api,
    night,
    pages,
    reconnect,
    search,
    sessions,
)
from benchmarks.world import World

SCENARIO_SECONDS = 900  # after which one is given up


@dataclass(frozen=True)
class Scenario:
    """One of the questions. `conversations` is how many of them it uses up, at most."""

    title: str
    conversations: int
    run: Callable[[World, argparse.Namespace, Tell], Awaitable[Findings]]


SCENARIOS = {
    "sessions": Scenario(
        "answers at 50 tokens a second held at once, and CPU a token",
        2 * sum(sessions.STEPS) + 2,
        lambda world, options, tell: sessions.run(world, steps=options.steps, seconds=options.seconds, bare=options.bare, tell=tell),
    ),
    "first-token": Scenario(
        "time added to the first token, alone and with 200 answers under way",
        first_token.CONVERSATIONS + first_token.PROBES + first_token.BUSY,
        lambda world, options, tell: first_token.run(world, bare=options.bare, tell=tell),
    ),
    "gateway": Scenario(
        "the OpenAI-compatible gateway beside LiteLLM's proxy: first token, tokens and requests a second, memory, cached answers, budgets",
        1,
        lambda world, options, tell: gateway.run(world, seconds=options.seconds, tell=tell),
    ),
    "long-answer": Scenario(
        "the last thousand tokens of ten thousand against the first",
        long_answer.ANSWERS,
        lambda world, options, tell: long_answer.run(world, tell=tell),
    ),
    "reconnect": Scenario(
        "a thousand sockets cut mid-answer and back at once",
        reconnect.SOCKETS // reconnect.TABS,
        lambda world, options, tell: reconnect.run(world, tell=tell),
    ),
    "idle": Scenario("a thousand sockets that only wait", idle.SOCKETS, lambda world, options, tell: idle.run(world, tell=tell)),
    "pages": Scenario(
        "REST over 100,000 messages and 10,000 conversations, at any depth",
        pages.VIEWERS,
        lambda world, options, tell: pages.run(world, tell=tell),
    ),
    "lists": Scenario(
        "lists beside PyMongo, the export beside objects and a serializer", 0, lambda world, options, tell: lists.run(world, tell=tell)
    ),
    "company": Scenario(
        "a thousand people who see each other, ask and type, for minutes",
        company.SOCKETS // company.TOGETHER,
        lambda world, options, tell: company.run(world, seconds=options.minutes * 60, tell=tell),
    ),
    "metrics-api": Scenario(
        "the metrics API over two years of 200 people", 0, lambda world, options, tell: metrics_api.run(world, tell=tell)
    ),
    "ingest": Scenario(
        "what it costs to write down what people do, and 100,000 entries of the buffer folded",
        0,
        lambda world, options, tell: ingest.run(world, entries=options.entries, tell=tell),
    ),
    "search": Scenario(
        "the search among a million messages, and where other organizations' grow ten times",
        0,
        lambda world, options, tell: search.run(world, messages=options.messages, tell=tell),
    ),
    "night": Scenario(
        "days of events into the metric tables, beside a bare pass, DuckDB and a loop over objects",
        0,
        lambda world, options, tell: night.run(world, events=options.events, tell=tell),
    ),
}
PEOPLE = 300
WIDTH = 160  # columns, where the output goes to a file


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    chosen = {name: SCENARIOS[name] for name in options.only or SCENARIOS}
    began = datetime.now(UTC)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that all that was started is ended
    found: dict[str, Findings] = {}
    failed: list[str] = []
    try:
        with progress_on(console, steps=len(chosen) + bool(options.peers)) as progress:
            task = progress.task_ids[0]

            def tell(text: str) -> None:
                progress.update(task, description=text)
                progress.refresh()

            if options.peers:
                setup.install_all(tell=tell)
            with world.opened(size_for(chosen, options), say=tell) as opened:
                gc.freeze()  # what is here stays; looking through it again would show as delay
                for name, scenario in chosen.items():
                    limited = asyncio.wait_for(scenario.run(opened, options, tell), SCENARIO_SECONDS)
                    try:
                        found[name] = uvloop.run(limited)
                    except Exception:  # what the others found is not lost with it
                        failed.append(name)
                        console.print_exception()
                    progress.advance(task)
                if options.peers:
                    found["peers"] = uvloop.run(compare.run(opened, seconds=options.seconds, tell=tell))
                    progress.advance(task)
    except world.NotReady as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    systems = report.systems_of(list(found.values()))
    targets = [target for each in found.values() for target in each.targets] + report.targets_against(systems)
    report.show(console, systems, targets)
    path = report.record(found, systems=systems, targets=targets, began=began, arguments=vars(options))
    console.print(f"Everything that was measured: {path}")
    if failed:
        console.print(f"Failed: {', '.join(failed)}.", style="red")
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<12} {scenario.title}" for name, scenario in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        prog="make bench BENCH_ARGS=…",
        description=__doc__,
        epilog=f"scenarios:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=SCENARIOS, metavar="SCENARIO", help="only this scenario; may be repeated")
    parser.add_argument("--steps", type=numbers, default=sessions.STEPS, help="sessions to try, rising: 50,100,200")
    parser.add_argument("--seconds", type=float, default=8.0, help="seconds that each answer is written for (8)")
    parser.add_argument("--web", type=int, default=1, help="web processes (1)")
    parser.add_argument("--messages", type=int, default=search.MESSAGES, help="messages that `search` looks among (1,000,000)")
    parser.add_argument("--entries", type=int, default=100_000, help="entries of the buffer that `ingest` drains (100,000)")
    parser.add_argument("--events", type=numbers, default=night.EVENTS, help="events of the days that `night` counts: 100000,1000000")
    parser.add_argument("--minutes", type=float, default=company.SECONDS / 60, help="minutes that `company` talks (1; 5 for the promise)")
    parser.add_argument("--no-bare", dest="bare", action="store_false", help="without the bare consumers")
    parser.add_argument(
        "--peers", action="store_true", help="install and measure Open WebUI, Chainlit, LiteLLM and DuckDB, too (minutes, 2 GB)"
    )
    return parser


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def size_for(chosen: dict[str, Scenario], options: argparse.Namespace) -> world.Size:
    """As much in the stores as the chosen scenarios use."""
    wanted = sum(scenario.conversations for scenario in chosen.values())
    full = not chosen.keys().isdisjoint(("pages", "lists"))
    return world.Size(
        people=PEOPLE if wanted else 1,
        conversations=-(-wanted // PEOPLE),
        inbox=pages.INBOX if full or "search" in chosen else 0,
        messages=pages.MESSAGES if full else 0,
        web=options.web,
    )


def progress_on(console: Console, *, steps: int) -> Progress:
    """A bar that is drawn once a second: it runs beside the load."""
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    progress = Progress(*columns, console=console, refresh_per_second=1, transient=True)
    progress.add_task("", total=steps)
    return progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
