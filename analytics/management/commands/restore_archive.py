"""`manage.py restore_archive`: puts an archived month of metrics back into its table."""

from datetime import datetime
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import track

from analytics.models import ArchivedMonth
from analytics.services import retention
from tenants import scoping
from tenants.models import Organization


class Command(BaseCommand):
    help = (
        "Puts an archived month of an organization's metrics back, after checking the file's checksum. It is archived again by the next "
        "night's retention. Without a month it lists what is archived. Exit codes: 0 done, 1 a file is damaged, 2 a wrong name."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="SLUG")
        parser.add_argument("month", nargs="?", metavar="YYYY-MM")

    def handle(self, *, organization: str, month: str | None, **options: Any) -> None:
        found = Organization.objects.filter(slug=organization).first()
        if found is None:
            raise CommandError(f"There is no organization {organization!r}. Give the slug of one that exists.", returncode=2)
        with scoping.tenant(found):
            archived = ArchivedMonth.objects.for_tenant(found).order_by("month", "table")
            if month is None:
                for one in archived:
                    self.stdout.write(f"{one.month:%Y-%m} {one.table}: {one.rows} rows, {one.bytes} bytes")
                return
            try:
                first = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007  (a month has no zone)
            except ValueError:
                raise CommandError(f"{month!r} is no month. Write it like 2024-03.", returncode=2) from None
            try:
                for one in track(list(archived.filter(month=first)), "Restoring", console=Console(stderr=True), transient=True):
                    self.stdout.write(f"{one.table}: {retention.restore(one, now=timezone.now())} rows came back")
            except retention.ArchiveDamaged as error:
                raise CommandError(str(error)) from error
