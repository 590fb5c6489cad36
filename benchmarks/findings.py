"""What a benchmark finds: targets met or not, systems side by side, and the figures behind both."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Target:
    """One promise of the Foundation issue, and what was measured. `unit` is empty for ratios and counts."""

    name: str
    goal: float
    measured: float
    unit: str = ""
    at_least: bool = False  # otherwise the goal is the most that is allowed
    remark: str = ""

    @property
    def met(self) -> bool:
        """A figure that could not be had (not a number) meets nothing."""
        if math.isnan(self.measured):
            return False
        return self.measured >= self.goal if self.at_least else self.measured <= self.goal

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "goal": self.goal,
            "goal_is": "at least" if self.at_least else "at most",
            "measured": round(self.measured, 3) if math.isfinite(self.measured) else None,
            "unit": self.unit,
            "met": self.met,
            "remark": self.remark,
        }


@dataclass
class System:
    """One of those that are compared. None where it was not measured; `said` where the figure is from elsewhere."""

    name: str
    held: int | None = None  # sessions at 50 tokens a second
    first_token_ms: float | None = None  # added at the median, alone
    cost: dict[int, float] = field(default_factory=dict)  # CPU microseconds a token, by sessions
    said: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "sessions_held": self.held,
            "first_token_ms": self.first_token_ms,
            "cpu_us_per_token": {str(sessions): round(cost, 1) for sessions, cost in self.cost.items()},
            "source": self.said or "this run",
        }


@dataclass
class Findings:
    """What one scenario adds."""

    targets: list[Target] = field(default_factory=list)
    systems: list[System] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
