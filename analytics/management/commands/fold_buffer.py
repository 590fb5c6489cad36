"""`manage.py fold_buffer`: what the clock folds into the live counters every five minutes, by hand."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from analytics.services import buffer
from config import mongo


class Command(BaseCommand):
    help = (
        "Folds what waits in the metrics buffer into the live counters and says what is left. Safe to run twice, and beside the clock. "
        "Exit codes: 0 nothing has failed, 1 entries have failed or MongoDB is away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--retry-failed", action="store_true", help="have entries tried again that were given up")

    def handle(self, *, retry_failed: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            if retry_failed:
                self.stdout.write(f"Tried again: {buffer.retry_failed(now=now)}")
            done = buffer.fold(now=now)
            left = buffer.status()
        except mongo.AWAY as error:
            raise CommandError("MongoDB is away. Run this again; nothing was lost.") from error
        self.stdout.write(f"Folded: {done.entries}")
        self.stdout.write("Left: " + ", ".join(f"{number} {name}" for name, number in left.items()))
        if left["FAILED"]:
            raise CommandError(f"{left['FAILED']} entries have failed. Run with --retry-failed once what is wrong is mended.")
