"""`manage.py maintain_partitions`: what the night does with the tables that are cut by day or month, by hand."""

from django.core.management.base import BaseCommand
from django.utils import timezone

from config import partitions


class Command(BaseCommand):
    help = "Makes the partitions ahead, moves rows that waited for theirs, drops those past retention. Safe to repeat."

    def handle(self, **options) -> None:
        done = partitions.maintain(timezone.now())
        for name in done.made:
            self.stdout.write(f"made {name}")
        for name in done.dropped:
            self.stdout.write(f"dropped {name}")
        self.stdout.write(f"{len(done.made)} made, {len(done.dropped)} dropped, {done.moved} rows moved")
