"""`manage.py mongo_migrate`: brings MongoDB's collections, validators and indexes up (or down) to a version."""

from typing import Any

import pymongo
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import mongo, mongo_runner


class Command(BaseCommand):
    help = "Brings MongoDB's collections, validators and indexes to a version. Safe to run twice; a killed run is resumed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--to", metavar="VERSION", help="the version to end at, up or down; 0000 undoes everything")

    def handle(self, *args: Any, **options: Any) -> None:
        database = mongo.database()
        try:
            with pymongo.timeout(None):
                if options["plan"]:
                    steps = mongo_runner.plan(database, to=options["to"])
                    for step in steps:
                        self.stdout.write(f"{'up  ' if step.up else 'down'} {step.migration.version} {step.migration.name}")
                    if not steps:
                        self.stdout.write("Nothing to do.")
                    return
                done = list(mongo_runner.run(database, to=options["to"], tell=self._tell))
        except mongo_runner.MigrationError as error:
            raise CommandError(str(error)) from error
        except mongo.AWAY as error:
            raise CommandError("MongoDB cannot be reached. Start it, or set MONGODB_URI, and run this again.") from error
        if options["verbosity"]:
            self.stdout.write(f"{len(done)} migration{'' if len(done) == 1 else 's'} run.")

    def _tell(self, change: str) -> None:
        self.stdout.write(f"  {change}") if self._verbose else None

    def execute(self, *args: Any, **options: Any) -> Any:
        self._verbose = options["verbosity"] > 0
        return super().execute(*args, **options)
