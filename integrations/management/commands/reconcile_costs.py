"""`manage.py reconcile_costs`: a provider's export beside the ledger."""

from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, cast

from django.core.management import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from integrations.services import reconciliation
from integrations.services.reconciliation import FIGURES, Difference, Figures, Unreadable
from tenants.models import Organization

LABELS = ("requests", "read", "cached", "written", "cost, $")
WIDTH = 140
MEBIBYTE = 1024 * 1024
LIMIT = 64 * MEBIBYTE


def a_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is not a day. Write it as 2026-11-22.", returncode=2) from None


class Command(BaseCommand):
    help = (
        "Compares a provider's export of usage or costs (OpenAI's, CSV or JSON) with the ledger, by day (UTC) and model, and shows where "
        "they differ: theirs → ours. Changes nothing. Exit codes: 0 they agree, 1 they differ too much, 2 a file or an argument "
        "that is not understood."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="completions usage, or costs, as exported: .csv or .json")
        parser.add_argument("--provider", choices=sorted(reconciliation.PROVIDERS), default="openai")
        parser.add_argument("--from", dest="first", metavar="DAY", help="the first day (default: the file's)")
        parser.add_argument("--until", metavar="DAY", help="the first day that is not meant (default: after the file's last)")
        parser.add_argument("--organization", metavar="SLUG", help="only its calls: where the export is of its own account")
        parser.add_argument("--tolerance", default="0.01", metavar="SHARE", help="what may differ, of theirs (0.01)")
        parser.add_argument("--all", action="store_true", help="show the rows that agree, too")

    def handle(self, *, file: Path, provider: str, first: str | None, until: str | None, organization: str | None, **options: Any) -> None:
        tolerance = self._tolerance(options["tolerance"])
        found = None
        if organization is not None:
            found = Organization.objects.filter(slug=organization).first()
            if found is None:
                raise CommandError(f"There is no organization {organization!r}.", returncode=2)
        try:
            if file.stat().st_size > LIMIT:
                raise CommandError(f"The file is larger than {LIMIT // MEBIBYTE} MiB. Export fewer days.", returncode=2)
            content = file.read_bytes()
            # The bar goes to standard error, so that what is piped on stays clean.
            with Progress(console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("Reading", total=None)
                theirs = reconciliation.read(content, advance=lambda rows: progress.advance(task, rows))
                progress.update(task, description="Comparing")
                rows = reconciliation.compare(
                    theirs,
                    service=reconciliation.PROVIDERS[provider],
                    first=a_day(first) if first else None,
                    until=a_day(until) if until else None,
                    organization=found,
                    tolerance=tolerance,
                )
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error}.", returncode=2) from error
        except Unreadable as error:
            raise CommandError(str(error), returncode=2) from error
        differing = [row for row in rows if row.differs]
        shown = rows if options["all"] else differing
        if shown:
            Console(file=cast(IO[str], self.stdout), width=WIDTH).print(_table(shown))
        unknown = sum(row.ours.unknown for row in rows)
        if unknown:
            self.stdout.write(f"The cost of {unknown} of our calls is unknown: they were broken off, or their price is not known.")
        if differing:
            raise CommandError(f"{len(differing)} of {len(rows)} rows differ by more than {tolerance * 100:f} %.", returncode=1)
        self.stdout.write(f"All {len(rows)} rows agree within {tolerance * 100:f} %.")

    def _tolerance(self, text: str) -> Decimal:
        try:
            found = Decimal(text)
        except InvalidOperation:
            found = Decimal("NaN")
        if not (found.is_finite() and 0 <= found <= 1):
            raise CommandError(f"{text!r} is no share. Write it as 0.01, for one per cent.", returncode=2)
        return found


def _table(rows: list[Difference]) -> Table:
    table = Table(title="The provider → the ledger")
    table.add_column("day", no_wrap=True)
    table.add_column("model")
    for label in LABELS:
        table.add_column(label, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(str(row.day), row.model or "all", *(_cell(row, name) for name in FIGURES))
    return table


def _cell(row: Difference, name: str) -> str:
    theirs, ours = _said(row.theirs, name), _said(row.ours, name)
    return f"[bold red]{theirs} → {ours}[/]" if name in row.differs else ours if theirs in ("", ours) else f"{theirs} → {ours}"


def _said(figures: Figures, name: str) -> str:
    value = getattr(figures, name)
    return "" if value is None else f"{value:,.6f}" if name == "cost" else f"{value:,}"
