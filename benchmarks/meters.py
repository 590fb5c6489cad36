"""What processes cost: CPU seconds and memory of groups of processes, read from the kernel; and percentiles."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """This process and all that it started and that still run."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu(pids: Iterable[int]) -> float:
    """CPU seconds so far of these processes and of their children that have ended."""
    seconds = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            # The process's CPU clock (clock_getcpuclockid) counts nanoseconds; /proc, which alone has the children, hundredths.
            seconds += time.clock_gettime(~pid << 3 | 2)
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            seconds += sum(map(int, fields[13:15])) / TICK
    return seconds


def memory(pids: Iterable[int]) -> int:
    """Bytes that would be free if these processes ended (USS)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Private_Clean:", "Private_Dirty:")):
                    total += int(line.split()[1]) * 1024
    return total


def peak_mb(pid: int) -> float:
    """The most memory (RSS, MB) that this program has had so far; 0 where it has ended. `ru_maxrss` of a child would not do: it begins with
    what the process had that started it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def host() -> float:
    """CPU seconds so far of everything on this machine."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


@dataclass(frozen=True)
class Spent:
    """CPU seconds by group within some seconds of wall time. `others` is what nobody here asked for: the rest of the machine."""

    groups: Mapping[str, float]
    seconds: float
    others: float

    def of(self, names: Iterable[str]) -> float:
        return sum(self.groups.get(name, 0.0) for name in names)


class Meter:
    """Started when made; `stop` says what was spent since."""

    def __init__(self, groups: Mapping[str, Sequence[int]], *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._groups = {name: [child for pid in pids for child in tree(pid)] for name, pids in groups.items()}
        self._roots = groups
        self._before = {name: cpu(pids) for name, pids in self._groups.items()}
        self._host, self._began = host(), clock()

    def stop(self) -> Spent:
        seconds, everything = self._clock() - self._began, host() - self._host
        groups = {}
        for name, before in self._before.items():
            pids = dict.fromkeys([*self._groups[name], *(child for pid in self._roots[name] for child in tree(pid))])
            groups[name] = cpu(pids) - before
        return Spent(groups=groups, seconds=seconds, others=max(0.0, everything - sum(groups.values())))


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` (0…1) of the values do not exceed; not a number where there are none."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
