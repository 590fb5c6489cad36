"""Days, weeks and months, as half-open UTC windows (X-26). Nobody else does arithmetic with dates."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From `first` up to, and not including, `end`; both are dates in UTC."""

    first: date
    end: date

    @property
    def since(self) -> datetime:
        return start_of(self.first)

    @property
    def until(self) -> datetime:
        return start_of(self.end)

    @property
    def last(self) -> date:
        return self.end - ONE_DAY

    def days(self) -> Iterator[date]:
        for n in range((self.end - self.first).days):
            yield self.first + n * ONE_DAY

    @property
    def length(self) -> int:
        """In days."""
        return (self.end - self.first).days

    def before(self) -> "Window":
        """The window just as long that ends where this one starts."""
        return Window(self.first - (self.end - self.first), self.first)

    def cut(self, kind: "type[Day] | type[Week] | type[Month]") -> list["Window"]:
        """Its days, weeks or months, in order; the first and the last end where this window does."""
        found, first = [], self.first
        while first < self.end:
            end = min(kind.of(first).end, self.end)
            found.append(Window(first, end))
            first = end
        return found


@dataclass(frozen=True, slots=True)
class Day(Window):
    @classmethod
    def of(cls, day: date) -> Self:
        return cls(day, day + ONE_DAY)


@dataclass(frozen=True, slots=True)
class Week(Window):
    """Monday to Sunday."""

    @classmethod
    def of(cls, day: date) -> Self:
        monday = day - day.weekday() * ONE_DAY
        return cls(monday, monday + 7 * ONE_DAY)


@dataclass(frozen=True, slots=True)
class Month(Window):
    @classmethod
    def of(cls, day: date) -> Self:
        first = day.replace(day=1)
        return cls(first, (first + 31 * ONE_DAY).replace(day=1))


def latest(days: int, *, before: date) -> Window:
    """So many days, the last of which is the one before this day."""
    return Window(before - days * ONE_DAY, before)


def start_of(day: date) -> datetime:
    """The moment at which a UTC day begins."""
    return datetime.combine(day, time(), tzinfo=UTC)


def day_of(moment: datetime) -> date:
    """The UTC day that an aware moment is in."""
    return moment.astimezone(UTC).date()
