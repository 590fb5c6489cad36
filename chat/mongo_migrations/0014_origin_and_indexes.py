"""A conversation says from which page it was started, and what for (S1-11…13); the indexes that S1-68…70 and 73 name."""

from typing import Any

from pymongo.database import Database

COLLECTION = "chat_conversations"
CONTEXT = {
    "bsonType": "object",
    "properties": {
        "currentPage": {"bsonType": "string"},
        "connectedPlatforms": {"bsonType": "array", "items": {"bsonType": "string"}},
        "userIntent": {"bsonType": "string"},
    },
    "additionalProperties": False,
}
INDEXES: dict[str, dict[str, list[tuple[str, int]]]] = {
    COLLECTION: {
        "status_1": [("status", 1)],
        "lastMessageAt_-1": [("lastMessageAt", -1)],
        "userId_1_status_1_lastMessageAt_-1": [("userId", 1), ("status", 1), ("lastMessageAt", -1)],
    },
    "chat_messages": {"role_1": [("role", 1)]},
}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set(database, {"context": CONTEXT})
    for collection, indexes in INDEXES.items():
        for name, keys in indexes.items():
            database[collection].create_index(keys, name=name)
            yield f"created index {name} on {collection}"


def down(database: Database):
    for collection, indexes in INDEXES.items():
        for name in indexes:
            if name in database[collection].index_information():
                database[collection].drop_index(name)
                yield f"dropped index {name} on {collection}"
    database[COLLECTION].update_many({"context": {"$exists": True}}, {"$unset": {"context": ""}}, comment=WHY_ACROSS)
    yield "took context from conversations"
    yield from _set(database, {"context": None})


def _set(database: Database, changes: dict[str, Any]):
    """Changes these properties of the live validator and leaves the others, which may be another migration's. None takes one away."""
    validator = next(database.list_collections(filter={"name": COLLECTION}))["options"]["validator"]
    kept = validator["$jsonSchema"]["properties"] | changes
    validator["$jsonSchema"]["properties"] = {field: schema for field, schema in kept.items() if schema is not None}
    database.command("collMod", COLLECTION, validator=validator)
    yield f"set the validator of {COLLECTION}"
