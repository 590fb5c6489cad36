"""`manage.py seed_demo`: the demo organizations, their people and conversations. Safe to run twice."""

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config import demo, seeding


class Command(BaseCommand):
    help = "Makes Acme and Globex with people and conversations, for development. Adds only what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=90, metavar="N", help="how far back the conversations lie (default: 90 days)")

    def handle(self, *, days: int, **options: object) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo people share a published password, so they are for development only. Set DEBUG=true there.")
        if not 1 <= days <= 3650:
            raise CommandError("--days takes a number of days from 1 to 3650.")
        made = seeding.seed(now=timezone.now(), days=days, tell=lambda line: self.stdout.write(f"… {line}"))
        counted = ", ".join(f"{count} {noun}" for noun, count in vars(made).items() if count)
        self.stdout.write(f"Added {counted}." if counted else "Everything is there already.")
        for email, title in demo.PEOPLE:
            self.stdout.write(f"  {email:<24} {title}")
        self.stdout.write(f"  password of all: {demo.PASSWORD}")
