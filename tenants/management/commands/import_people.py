"""`manage.py import_people FILE --organization acme`: what admin's import does, with a progress bar."""

import sys
from pathlib import Path
from typing import IO, cast

from django.core.management import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tenants import scoping
from tenants.models import Organization
from tenants.services import imports

PROBLEMS_SHOWN = 50


class Command(BaseCommand):
    help = (
        "Imports people from a CSV file: employees, and with a role also accounts and memberships. "
        "All rows, or none where one has a problem. "
        "Exit codes: 0 done, 1 problems in rows (nothing imported), 2 the file or the organization cannot be used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a CSV file, or - for standard input")
        parser.add_argument("--organization", required=True, metavar="SLUG", help="the organization they belong to")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
        parser.add_argument("--create-places", action="store_true", help="make branches and departments that do not exist yet")

    def handle(self, *, file: str, organization: str, dry_run: bool, create_places: bool, **options: object) -> None:
        found = Organization.objects.filter(slug=organization).first()
        if found is None:
            raise CommandError(f"There is no organization {organization!r}. Give the slug of one that exists.", returncode=2)
        try:
            content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
            dataset = imports.read(content)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=2) from error
        except imports.UnreadableFile as error:
            raise CommandError(str(error), returncode=2) from error

        # The bar goes to standard error, so that what is piped on stays clean.
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with (
            scoping.because(command="import_people", file=Path(file).name),
            Progress(*columns, console=Console(stderr=True), transient=True) as progress,
        ):
            task = progress.add_task("Checking" if dry_run else "Importing", total=len(dataset))
            imported = imports.import_people(
                found, dataset, dry_run=dry_run, create_places=create_places, on_row=lambda: progress.advance(task)
            )
        if imported.failed:
            self.show(imported)
            raise CommandError(f"{len(imported.problems)} problems; nothing was imported. Mend the rows and run it again.", returncode=1)
        verb = "Would import" if dry_run else "Imported"
        self.stdout.write(f"{verb} into {found.name}: {imported.added} new, {imported.changed} changed, {imported.unchanged} unchanged.")

    def show(self, imported: imports.Imported) -> None:
        table = Table("Row", "Column", "Problem")
        for problem in imported.problems[:PROBLEMS_SHOWN]:
            table.add_row(str(problem.row or "–"), problem.column, problem.sentence)
        Console(file=cast(IO[str], self.stderr), width=120).print(table)
        if len(imported.problems) > PROBLEMS_SHOWN:
            self.stderr.write(f"… and {len(imported.problems) - PROBLEMS_SHOWN} more.")
