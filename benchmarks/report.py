"""The terminal's tables and the record on disk."""

import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.findings import Findings, System, Target
from benchmarks.references import CHAINLIT, CPU_SHARE, OPEN_WEBUI, PEERS, TIMES
from benchmarks.scenarios.sessions import PARLEY

RESULTS = Path(__file__).resolve().parent / "results"


def systems_of(findings: Sequence[Findings]) -> list[System]:
    """Each system once, with all that was found of it; peers that this run did not measure, as they were measured beforehand."""
    found: dict[str, System] = {}
    for system in (system for each in findings for system in each.systems):
        known = found.setdefault(system.name, System(system.name, said=system.said))
        known.held = system.held if system.held is not None else known.held
        known.first_token_ms = system.first_token_ms if system.first_token_ms is not None else known.first_token_ms
        known.cost |= system.cost
    for peer in PEERS:
        found.setdefault(peer.name, peer)
    return list(found.values())


def targets_against(systems: Sequence[System]) -> list[Target]:
    """The promises that are ratios to a peer. What neither this run nor an earlier one measured is not a number, and not met."""
    named = {system.name: system for system in systems}
    ours = named.get(PARLEY)
    if ours is None or not ours.cost:
        return []
    targets = []
    for peer, times in TIMES.items():
        held = named[peer].held
        ratio = (ours.held or 0) / held if held else math.nan
        remark = f"{ours.held or 0} against {held}" + (f" ({named[peer].said})" if named[peer].said else "")
        targets.append(Target(f"sessions held over {peer}'s", goal=times, measured=ratio, at_least=True, remark=remark))
    for peer in (OPEN_WEBUI, CHAINLIT):
        both = (sessions for sessions in named[peer].cost if sessions in ours.cost and sessions <= (named[peer].held or 0))
        equal = max(both, default=None)
        if equal is None:
            targets.append(Target(f"CPU a token over {peer}'s", goal=CPU_SHARE, measured=math.nan, remark="needs --peers"))
            continue
        ratio = ours.cost[equal] / named[peer].cost[equal]
        remark = f"{ours.cost[equal]:.0f} against {named[peer].cost[equal]:.0f} µs at {equal} sessions"
        targets.append(Target(f"CPU a token over {peer}'s", goal=CPU_SHARE, measured=ratio, remark=remark))
    return targets


def show(console: Console, systems: Sequence[System], targets: Sequence[Target]) -> None:
    console.print(_beside(systems))
    console.print(_promises(targets))


def _beside(systems: Sequence[System]) -> Table:
    """Parley in the first line, then how it compares with each of the others."""
    ours = next((system for system in systems if system.name == PARLEY), System(PARLEY))
    table = Table(title="Side by side: sessions at 50 tokens a second", title_justify="left")
    for column in ("", "sessions held", "Parley holds", "CPU µs a token", "Parley needs", "first token ms", "Parley takes", "figures"):
        table.add_column(column, justify="left" if column in ("", "figures") else "right")
    for system in systems:
        equal = max((sessions for sessions in system.cost if sessions in ours.cost), default=None)
        table.add_row(
            system.name,
            _text(system.held),
            _times(ours.held, system.held) if system is not ours else "",
            "–" if equal is None else f"{system.cost[equal]:.0f} at {equal}",
            _times(ours.cost[equal], system.cost[equal]) if equal is not None and system is not ours else "",
            _text(system.first_token_ms),
            _times(ours.first_token_ms, system.first_token_ms) if system is not ours else "",
            system.said or "this run",
        )
    return table


def _promises(targets: Sequence[Target]) -> Table:
    table = Table(title="Targets", title_justify="left")
    for column in ("", "goal", "measured", "", "remark"):
        table.add_column(column, justify="right" if column in ("goal", "measured") else "left")
    for target in targets:
        unit = f" {target.unit}" if target.unit else ""
        measured = "not measured" if math.isnan(target.measured) else f"{target.measured:.3g}{unit}"
        verdict = "[green]met[/green]" if target.met else "[yellow]open[/yellow]" if math.isnan(target.measured) else "[red]not met[/red]"
        table.add_row(target.name, f"{'≥' if target.at_least else '≤'} {target.goal:g}{unit}", measured, verdict, target.remark)
    return table


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _times(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:.2f} ×" if ours is not None and theirs else "–"


def record(
    findings: Mapping[str, Findings],
    *,
    systems: Sequence[System],
    targets: Sequence[Target],
    began: datetime,
    arguments: Mapping[str, Any],
    folder: Path = RESULTS,
) -> Path:
    """Writes everything that was found to `<date>.json`; a second run of a day gets the time, too."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{began:%Y-%m-%d}.json"
    if path.exists():
        path = folder / f"{began:%Y-%m-%d-%H%M%S}.json"
    value = {
        "began": began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - began).total_seconds()),
        "machine": machine(),
        "commit": commit(),
        "arguments": dict(arguments),
        "targets": [target.as_json() for target in targets],
        "systems": [system.as_json() for system in systems],
        "figures": {name: each.figures for name, each in findings.items()},
    }
    # What never came is infinite, and null in the record: JSON has no such number.
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processors": len(os.sched_getaffinity(0)),
        "processor": names[0] if names else "unknown",
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit that was measured, with a plus where files differ from it; empty outside a repository."""
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False, cwd=RESULTS.parent)
    except OSError:
        return ""
    return done.stdout.strip()
