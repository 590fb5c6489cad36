"""`manage.py remove_deleted`: what the clock removes for good every hour, by hand."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chat.services import retention
from config import mongo
from tenants.models import Organization


class Command(BaseCommand):
    help = (
        f"Removes conversations for good that were deleted {settings.DELETED_KEPT_DAYS} days ago or earlier, with their messages, files, "
        "links and memory. Safe to run twice; a killed run is resumed by the next. Exit codes: 0 done, 1 not everything, 2 a wrong name."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="only this organization's")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")

    def handle(self, *, organization: str | None, dry_run: bool, **options: Any) -> None:
        names = {str(pk): slug for pk, slug in Organization.objects.values_list("pk", "slug")}
        if organization is not None and organization not in names.values():
            raise CommandError(f"There is no organization {organization!r}. Give the slug of one that exists.", returncode=2)
        wanted = next((pk for pk, slug in names.items() if slug == organization), None)
        now = timezone.now()
        gone = 0
        try:
            waiting = list(retention.overdue(now=now, organization_id=wanted))
            # The bar goes to standard error, so that what is piped on stays clean.
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("Counting" if dry_run else "Removing", total=len(waiting))
                for one in waiting:
                    weight = retention.weigh(one)
                    if dry_run or retention.remove(one, now=now):
                        gone += 1
                        held = f"{weight.messages} messages, {weight.files} files, {weight.links} links"
                        self.stdout.write(f"{names.get(one.organization_id, one.organization_id)} {one.conversation_id}: {held}")
                    progress.advance(task)
        except mongo.AWAY as error:
            raise CommandError("MongoDB cannot be reached. What was begun is finished when this is run again.") from error
        except OSError as error:
            raise CommandError(f"A file cannot be removed ({error}). Mend that and run this again: it goes on.") from error
        self.stdout.write(f"{'Would remove' if dry_run else 'Removed'} {gone} conversation{'' if gone == 1 else 's'}.")
