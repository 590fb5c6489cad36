"""`manage.py put_away`: what the clock puts into the cold archive of conversations every night, by hand."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from chat.services import cold, retention
from config import mongo


class Command(BaseCommand):
    help = (
        "Marks conversations with which nobody did anything for a year, puts the messages of those marked an hour ago or earlier into "
        "compressed files, and removes what is in files for longer than those are kept. Safe to run twice; a killed run is resumed by "
        "the next. Exit codes: 0 done, 1 not everything."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what is due, change nothing")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            if dry_run:
                for sentence, found in (("into a file", cold.due(now=now)), ("for good", cold.past(now=now))):
                    for one in found:
                        self.stdout.write(f"{one.conversation_id}: {one.messages} messages, {sentence}")
                return
            self.stdout.write(f"Put {cold.run(now=now)} conversations away, removed {retention.remove_cold(now=now)} for good.")
        except mongo.AWAY as error:
            raise CommandError("MongoDB cannot be reached. What was begun is finished when this is run again.") from error
        except OSError as error:
            raise CommandError(f"A file cannot be written or removed ({error}). Mend that and run this again: it goes on.") from error
