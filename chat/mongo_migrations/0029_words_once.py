"""An answer's words enter the search's index once, when its lease is gone, and not with every change of a key of its message."""

from typing import Any

from pymongo.database import Database

COLLECTION, NAME = "chat_messages", "search"
SETTLED: dict[str, Any] = {"status": {"$in": ["sent", "interrupted", "error", "cancelled"]}}


def up(database: Database):
    yield from _index(database, SETTLED | {"lease": None})


def down(database: Database):
    yield from _index(database, SETTLED)


def _index(database: Database, of: dict[str, Any]):
    """There can be one index of words: until the new one is made, the search answers 503 (`SearchAway`)."""
    known = database[COLLECTION].index_information().get(NAME, {})
    if known.get("partialFilterExpression") == of:
        return
    if known:
        database[COLLECTION].drop_index(NAME)
        yield f"dropped index {NAME} on {COLLECTION}"
    keys = [("organizationId", 1), ("content", "text")]
    database[COLLECTION].create_index(keys, name=NAME, default_language="none", partialFilterExpression=of)
    yield f"created index {NAME} on {COLLECTION}"
