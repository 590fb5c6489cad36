"""`manage.py apply_retention`: what the clock removes and archives every night, by hand."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone
from rich.console import Console

from analytics.services import retention
from chat.services import cold
from chat.services import retention as conversations
from config import mongo
from tenants.models import Organization
from tenants.services import audit


class Command(BaseCommand):
    help = (
        "Removes what organizations have kept for a shorter time than everybody, moves months of metrics past their period into "
        "compressed files, and removes files past theirs; puts conversations away, removes deleted ones and records past their period, "
        "as the clock does at its own hours. Prints a line for each place. Safe to run twice; a killed run is resumed by the "
        "next. Exit codes: 0 done, 1 not everything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would go, change nothing")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        names = {str(pk): slug for pk, slug in Organization.objects.values_list("pk", "slug")}
        total, now = 0, timezone.now()
        try:
            # The spinner goes to standard error, so that what is piped on stays clean.
            with Console(stderr=True).status("Looking" if dry_run else "Removing and archiving"):
                for whose, place, count, where in _due(now) if dry_run else _apply(now):
                    self.stdout.write(f"{names.get(whose or '', 'the platform')} {place}: {count}{where}")
                    total += count
        except (*mongo.AWAY, DatabaseError) as error:
            raise CommandError("A store cannot be reached. What was begun is finished when this is run again.") from error
        except OSError as error:
            raise CommandError(f"A file cannot be written or removed ({error}). Mend that and run this again: it goes on.") from error
        self.stdout.write(f"{'Would remove or archive' if dry_run else 'Removed or archived'} {total} rows and documents.")


Line = tuple[str | None, str, int, str]  # whose, in which place, how many, and where to


def _due(now: datetime) -> Iterator[Line]:
    for one in retention.due(now=now):
        yield one.organization_id, one.place, one.count, f" of {one.month:%Y-%m}, into a file" if one.month else ""
    for found, where in (
        (cold.due(now=now), ", their messages into files"),
        (cold.past(now=now), ""),
        (conversations.overdue(now=now), ""),
    ):
        for whose, count in Counter(one.organization_id for one in found).items():
            yield whose, "chat_conversations", count, where
    for record in audit.past(now=now):
        yield record.organization_id, record.table, record.count, ""


def _apply(now: datetime) -> Iterator[Line]:
    for one in retention.apply(now=now):
        yield one.organization_id, one.place, one.count, f" of {one.month:%Y-%m}, into a file" if one.month else ""
    if gone := cold.run(now=now):
        yield None, "chat_conversations", gone, ", their messages into files"
    if gone := conversations.remove_cold(now=now) + conversations.remove_overdue(now=now):
        yield None, "chat_conversations", gone, ""
    for record in audit.remove_past(now=now):
        yield record.organization_id, record.table, record.count, ""
