"""What a rollup and a source are. `docs/metrics.md` defines every column; `registry.py` names the rollups in the order they are filled."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from analytics.windows import Day

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Source:
    """A log, read once for a day whatever number of rollups want it.

    `first` is the earliest moment that the log knows of, None where it is empty. `changed` gives the days before another of which
    something was written since a moment. `kept_days` is how long the log holds a whole day: older ones are not counted again, for what
    is left of them would count for all; nor are those that an organization has kept for less (`period`, a name in `config.periods`).
    All cause queries.
    """

    name: str
    read: Callable[[Day], Any]
    first: Callable[[], datetime | None]
    changed: Callable[[datetime, date], set[date]]
    kept_days: int
    period: str = ""


@dataclass(frozen=True, kw_only=True)
class Rollup:
    """A table, and how its rows of a day are made.

    `rows` takes the day and what was read of `sources`, by name, and gives a tuple of `columns` for each row; it asks PostgreSQL, if at
    all, before it gives the first: the rows go straight into a COPY. `after` names the rollups
    whose tables it reads. A day of theirs that is counted again has this one count `reach` days again, that day and those after it
    (None: all of them). `day_column` says which rows are the day's.
    """

    name: str
    model: Any
    day_column: str
    columns: tuple[str, ...]
    rows: Callable[[Day, Mapping[str, Any]], Iterable[Row]]
    sources: tuple[Source, ...] = ()
    after: tuple[str, ...] = ()
    reach: int | None = 1
