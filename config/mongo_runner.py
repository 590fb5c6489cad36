"""Versioned changes to MongoDB's collections, validators and indexes, each recorded in the collection `migrations` (S0-134).

A migration is a module `<app>/mongo_migrations/<version>_<name>.py` with `up(database)` and `down(database)`. Both say what they
changed, as sentences, and may be killed and run again. Versions are four digits and count across apps. It imports nothing of ours, and
so brings along the few lines that others of them have, too: what it once did does not change with what is written later.
"""

import importlib.util
import pkgutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

from django.apps import apps
from django.utils import timezone
from pymongo.database import Database

COLLECTION = "migrations"
COMPLETED, FAILED, ROLLED_BACK, RUNNING = "completed", "failed", "rolled_back", "running"


class MigrationError(Exception):
    """The migrations cannot be run as asked; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: str
    name: str
    module: ModuleType


@dataclass(frozen=True, slots=True)
class Step:
    """One migration to run, `up` or `down`."""

    migration: Migration
    up: bool


def known() -> list[Migration]:
    """Every migration of every app, by version. Two with one version are an error."""
    found: dict[str, Migration] = {}
    for app in apps.get_app_configs():
        package = f"{app.name}.mongo_migrations"
        if importlib.util.find_spec(package) is None:
            continue
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            version, _, name = module.name.partition("_")
            if version in found:
                raise MigrationError(f"Two migrations have version {version}: {found[version].name} and {name}.")
            found[version] = Migration(version, name, importlib.import_module(f"{package}.{module.name}"))
    return [found[version] for version in sorted(found)]


def applied(database: Database) -> set[str]:
    return {row["version"] for row in database[COLLECTION].find({"status": COMPLETED}, {"version": 1})}


def plan(database: Database, *, to: str | None = None) -> list[Step]:
    """What is left to do until version `to` (the latest, if None; `0000` is nothing at all), in order."""
    migrations, done = known(), applied(database)
    target = to or (migrations[-1].version if migrations else "0000")
    if target != "0000" and target not in {migration.version for migration in migrations}:
        raise MigrationError(f"There is no migration {target}. --plan shows those there are.")
    ups = [Step(migration, up=True) for migration in migrations if migration.version <= target and migration.version not in done]
    downs = [Step(migration, up=False) for migration in reversed(migrations) if migration.version > target and migration.version in done]
    return downs + ups


def run(database: Database, *, to: str | None = None, tell: Callable[[str], None] = lambda line: None) -> Iterator[Step]:
    """Runs the plan step by step and records each; a failed step is recorded and raised."""
    for step in plan(database, to=to):
        record = {"version": step.migration.version, "name": step.migration.name, "appliedAt": timezone.now()}
        _record(database, record, status=RUNNING, changes=[], milliseconds=0)
        began = time.monotonic()
        work = step.migration.module.up if step.up else step.migration.module.down
        changes: list[str] = []
        try:
            for change in work(database):
                changes.append(change)
                tell(change)
        except Exception:
            _record(database, record, status=FAILED, changes=changes, milliseconds=_since(began))
            raise
        status = COMPLETED if step.up else ROLLED_BACK
        _record(database, record, status=status, changes=changes, milliseconds=_since(began))
        yield step


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1_000)


def _record(database: Database, record: dict, *, status: str, changes: list[str], milliseconds: int) -> None:
    database[COLLECTION].update_one(
        {"version": record["version"]},
        {"$set": {**record, "status": status, "executionTime": milliseconds, "changes": changes}},
        upsert=True,
    )
