"""`manage.py bring_back`: messages out of the cold archive, as opening their conversation does."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from chat.services import cold
from config import mongo
from tenants.models import Organization


class Command(BaseCommand):
    help = "Puts the messages of conversations back that are in compressed files. Safe to run twice. Exit codes: 0 done, 1 not everything."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="SLUG", help="whose")
        parser.add_argument("conversations", metavar="ID", nargs="*", help="only these; otherwise all of the organization's")

    def handle(self, *, organization: str, conversations: list[str], **options: Any) -> None:
        found = Organization.objects.filter(slug=organization).first()
        if found is None:
            raise CommandError(f"There is no organization {organization!r}. Give the slug of one that exists.", returncode=2)
        back = 0
        try:
            for conversation_id in conversations or cold.away(str(found.pk)):
                back += cold.bring_back(str(found.pk), conversation_id)
        except mongo.AWAY as error:
            raise CommandError(f"{error} What came back stays.") from error
        self.stdout.write(f"Brought {back} conversations back.")
