"""`manage.py prepare`: everything that must be true of the stores before Parley serves. Safe to run twice, and at each deployment."""

from typing import Any

from django.core.management import BaseCommand, CommandParser, call_command

STEPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("migrate", "Tables in PostgreSQL", {"interactive": False, "verbosity": 0}),
    ("check", "The role that Parley acts as", {"databases": ["default"], "tags": ["database"]}),
    ("maintain_partitions", "Partitions of the days ahead", {}),
    ("mongo_migrate", "Collections and indexes in MongoDB", {}),
    ("sync_schedule", "Periodic tasks", {}),
)
DEMO: tuple[str, str, dict[str, Any]] = ("seed_demo", "Demo organizations", {})


class Command(BaseCommand):
    help = "Migrates PostgreSQL and MongoDB and registers the periodic tasks; with --demo also makes the demo organizations."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="make the demo organizations too (development only)")

    def handle(self, *, demo: bool, **options: object) -> None:
        for command, title, arguments in (*STEPS, *([DEMO] if demo else [])):
            self.stdout.write(f"… {title}")
            self.stdout.flush()
            call_command(command, stdout=self.stdout, stderr=self.stderr, **arguments)
