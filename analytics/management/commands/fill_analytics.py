"""`manage.py fill_analytics`: the night, by hand."""

from datetime import date
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analytics.rollups.registry import ROLLUPS
from analytics.services import fill
from analytics.windows import ONE_DAY, Window, day_of


def a_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is not a day. Write it as 2026-11-22.", returncode=2) from None


class Command(BaseCommand):
    help = (
        "Counts what happened into the metric tables: the days that are not counted yet, up to yesterday, and those of which something was "
        "written since. With --from, counts days again. A line for each rollup and day. Safe to run twice; a killed run is resumed by the "
        "next. Exit codes: 0 done, 1 not everything, 2 a wrong name or day."
    )

    requires_system_checks = []  # they load every page and form there is, a sixth of a night's memory

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rollup", metavar="NAME", help=f"only this one: {', '.join(rollup.name for rollup in ROLLUPS)}")
        parser.add_argument("--from", dest="first", metavar="DAY", help="the first day to count again, as 2026-11-22")
        parser.add_argument("--until", dest="last", metavar="DAY", help="the last one (default: yesterday)")

    def handle(self, *, rollup: str | None, first: str | None, last: str | None, **options: Any) -> None:
        now = timezone.now()
        # The bar goes to standard error, so that what is piped on stays clean.
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        try:
            rollups = [fill.rollup_named(rollup)] if rollup else ROLLUPS
            window = self._window(first, last, yesterday=day_of(now) - ONE_DAY)
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("Counting", total=None)

                def tell(filled: fill.Filled) -> None:
                    progress.advance(task)
                    self.stdout.write(f"{filled.day} {filled.rollup}: {filled.rows} rows, {filled.seconds:.2f} s")

                told: Any = {"now": now, "rollups": rollups, "tell": tell, "ahead": lambda total: progress.update(task, total=total)}
                done = fill.refill(window, **told) if window else fill.catch_up(**told)
        except (fill.UnknownRollup, fill.DayNotOver, fill.DayGone) as error:
            raise CommandError(str(error), returncode=2) from error
        except (PyMongoError, DatabaseError) as error:
            raise CommandError(f"A store gave way ({error}). What was counted stays; run this again and it goes on.") from error
        if not done:
            self.stdout.write("Nothing to count: every day up to yesterday is counted.")

    def _window(self, first: str | None, last: str | None, *, yesterday: date) -> Window | None:
        if first is None and last is None:
            return None
        if first is None:
            raise CommandError("Say with --from which day is the first to count again.", returncode=2)
        window = Window(a_day(first), (a_day(last) if last else yesterday) + ONE_DAY)
        if window.end <= window.first:
            raise CommandError("--from is later than --until. Give the earlier day first.", returncode=2)
        return window
