"""Every query that the app sends to MongoDB uses an index: each shape of one is explained once by a test process, after the test that
made it.

A shape is what decides about the plan: collection, command, fields with their operators, sort, hint; and the values of fields by which
an index is partial. What tests ask themselves is theirs, and what a migration does goes over everything by its nature.
"""

import copy
import functools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from django.conf import settings
from pymongo.errors import OperationFailure, PyMongoError

from config import mongo_schema
from tests.mongo_commands import watcher

ROOT = Path(__file__).resolve().parents[1]
OURS = f"{ROOT}/"
THEIRS = tuple(f"{ROOT}/{folder}/" for folder in (".venv", "node_modules", ".cache"))  # libraries
NOT_THE_APP = tuple(f"{ROOT}/{folder}/" for folder in ("tests", "benchmarks", "chat/mongo_migrations", "analytics/mongo_migrations"))

# Where a command has its filters, and what else decides about its plan.
PARTS = {"update": ("updates", "q"), "delete": ("deletes", "q")}
FILTERS = {"find": "filter", "count": "query", "distinct": "query", "findAndModify": "query", "aggregate": "pipeline"}
DECIDES = ("sort", "hint", "collation")
EXPLAINED = ("limit", "skip", "projection", "remove", "update", "fields", "upsert", "key", "cursor", *DECIDES)

Shape = tuple[str, str, str]


ANY_YEAR = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)  # a plan names the ends of time


class Plans:
    """The shapes that this process has seen, and the commands that wait to be explained."""

    def __init__(self) -> None:
        self.seen: set[Shape] = set()
        self.waiting: dict[Shape, tuple[str, dict[str, Any]]] = {}
        self.explained = 0

    def note(self, database: str, name: str, command: Mapping[str, Any]) -> None:
        """Keeps a command of a shape that was not seen before, if the app sent it. Called where it is sent, so it asks nothing itself."""
        if name not in FILTERS and name not in PARTS:
            return
        if command.get(name) not in collections():
            return
        for part in parts_of(name, command):
            shape = shape_of(name, part)
            if shape in self.seen or not is_the_apps(sys._getframe(1)):
                continue
            self.seen.add(shape)
            self.waiting[shape] = (database, copy.deepcopy(part))

    def take(self) -> list[str]:
        """Explains what has come since the last call: a sentence for each that reads a whole collection. What MongoDB cannot explain now,
        because it is away or the collection is, is explained when it comes again."""
        found, waiting, self.waiting = [], self.waiting, {}
        for shape, (database, command) in waiting.items():
            try:
                plan = client()[database].command({"explain": command, "verbosity": "queryPlanner"}, codec_options=ANY_YEAR)
            except OperationFailure as error:
                found.append(f"{spelled(shape)} cannot be explained: {error}.")
                continue
            except PyMongoError:
                self.seen.discard(shape)
                continue
            self.explained += 1
            stages = set(stages_of(plan))
            if "COLLSCAN" in stages:
                found.append(f"{spelled(shape)} uses no index. Declare one with its document class and make it in a migration.")
            if stages <= {"EOF"}:
                self.seen.discard(shape)
        return found


@functools.cache
def client() -> pymongo.MongoClient:
    return pymongo.MongoClient(settings.MONGODB_URI, serverSelectionTimeoutMS=500, timeoutMS=5_000, uuidRepresentation="standard")


@functools.cache
def collections() -> frozenset[str]:
    return frozenset(document._get_collection_name() for document in mongo_schema.documents())


@functools.cache
def partial_fields() -> frozenset[str]:
    """Fields whose value says whether a partial index serves."""
    conditions = [
        index.get("partialFilterExpression", {})
        for document in mongo_schema.documents()
        for index in mongo_schema.indexes_of(document).values()
    ]
    return frozenset(field for condition in conditions for field, value in condition.items() if "$type" not in str(value))


def parts_of(name: str, command: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The command as `explain` takes it; an update or a delete of several parts is several."""
    if name in PARTS:
        several, _ = PARTS[name]
        for part in command.get(several, ()):
            yield {name: command[name], several: [part]}
    else:
        wanted = (FILTERS[name], *EXPLAINED)
        yield {name: command[name], **{option: command[option] for option in wanted if option in command}}


def shape_of(name: str, part: Mapping[str, Any]) -> Shape:
    asked: Any = part
    if name in PARTS:
        several, query = PARTS[name]
        asked = part[several][0]
        keys: tuple[str, ...] = (query, "hint", "collation")
    else:
        keys = (FILTERS[name], *DECIDES)
    return part[name], name, repr([(key, pattern(asked[key], name=key)) for key in keys if key in asked])


def pattern(value: Any, *, name: str) -> Any:
    """A query without its values."""
    if name in ("sort", "hint", "$sort"):
        return value if isinstance(value, str) else list(value.items())
    if isinstance(value, Mapping):
        return {key: pattern(inner, name=name if key in ("$in", "$eq", "$ne", "$nin") else key) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        if name in partial_fields() and all(isinstance(one, str) for one in value):
            return sorted(value)
        patterns = {repr(pattern(one, name=name)) for one in value}
        return sorted(patterns)
    if value is None or isinstance(value, bool) or name in partial_fields():
        return value
    return type(value).__name__


def is_the_apps(frame: FrameType | None) -> bool:
    """Whether the nearest code of this project, from here outwards, is the app's; a task that runs a driver's own coroutine is."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(OURS) and not path.startswith(THEIRS) and path not in (__file__, watcher_file()):
            return not path.startswith(NOT_THE_APP)
        frame = frame.f_back
    return True


@functools.cache
def watcher_file() -> str:
    return type(watcher).started.__code__.co_filename


def stages_of(plan: Any) -> Iterator[str]:
    """Every stage of the plans that win."""
    if isinstance(plan, Mapping):
        for key, value in plan.items():
            if key == "stage" and isinstance(value, str):
                yield value
            elif key not in ("rejectedPlans", "command"):
                yield from stages_of(value)
    elif isinstance(plan, list):
        for value in plan:
            yield from stages_of(value)


def spelled(shape: Shape) -> str:
    collection, name, asked = shape
    return f"{name} on {collection} by {asked}"


plans = Plans()
watcher.note = plans.note
