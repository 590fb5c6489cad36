"""`manage.py rotate_encryption_keys`: after a new key was put first in FIELD_ENCRYPTION_KEYS, seals every secret with it."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from integrations import crypto
from integrations.services import rotation


class Command(BaseCommand):
    help = (
        "Seals every secret with the first key of FIELD_ENCRYPTION_KEYS, while everything runs; the others may be taken out afterwards. "
        "Safe to run twice; a killed run is gone on with. Exit codes: 0 done, 1 a secret does not open or a store is away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say how many wait, change nothing")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        try:
            waiting = rotation.waiting()
            if dry_run:
                self.stdout.write(f"{waiting} secrets are not sealed with the key {crypto.newest()!r}.")
                return
            # The bar goes to standard error, so that what is piped on stays clean.
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("Sealing", total=waiting)
                done = rotation.rotate(step=lambda: progress.advance(task))
        except (OperationalError, InterfaceError) as error:
            raise CommandError("PostgreSQL cannot be reached. Start it and run this again; it goes on where it was.") from error
        self.stdout.write(f"{done.sealed} secrets are sealed with the key {crypto.newest()!r} now.")
        for place in done.unreadable:
            self.stderr.write(f"{place} does not open.")
        if done.unreadable:
            raise CommandError(
                f"{len(done.unreadable)} secrets do not open: put the keys they were sealed with back into FIELD_ENCRYPTION_KEYS and run "
                "this again, or have those platforms connected anew."
            )
