"""Edited questions begin strands (docs/decisions/branches.md), and pinned conversations are found by themselves."""

from typing import Any

from pymongo.database import Database

NUMBER = ["int", "long"]
STRAND = {
    "bsonType": "object",
    "required": ["edits", "parent", "strand"],
    "properties": {
        "strand": {"bsonType": NUMBER, "minimum": 1},
        "parent": {"bsonType": NUMBER, "minimum": 0},
        "edits": {"bsonType": NUMBER, "minimum": 1},
    },
    "additionalProperties": False,
}
PROPERTIES: dict[str, dict[str, Any]] = {
    "chat_conversations": {
        "strands": {"bsonType": "array", "items": STRAND},
        "shown": {"bsonType": "object", "additionalProperties": {"bsonType": NUMBER}},
    },
    "chat_messages": {"strand": {"bsonType": NUMBER, "minimum": 1}, "edits": {"bsonType": NUMBER, "minimum": 1}},
}
LATEST = [("status", 1), ("lastMessageAt", -1), ("conversationId", -1)]
PINNED = {"isPinned": True}
INDEXES: dict[str, dict[str, dict[str, Any]]] = {
    "chat_messages": {"path": {"keys": [("organizationId", 1), ("conversationId", 1), ("strand", 1), ("seq", 1)]}},
    "chat_conversations": {
        "pinned": {"keys": [("organizationId", 1), ("userId", 1), *LATEST], "partialFilterExpression": PINNED},
        "pinned_for_role": {
            "keys": [("organizationId", 1), ("accessScope.allowedRoles", 1), *LATEST],
            "partialFilterExpression": PINNED,
        },
        "pinned_for_person": {
            "keys": [("organizationId", 1), ("accessScope.allowedUserIds", 1), *LATEST],
            "partialFilterExpression": PINNED,
        },
    },
}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set_properties(database, PROPERTIES)
    for collection, indexes in INDEXES.items():
        for name, options in indexes.items():
            database[collection].create_index(name=name, **options)
            yield f"created index {name} on {collection}"


def down(database: Database):
    """Every message stays; what was an edited question stands behind the one that it was made from."""
    for collection, indexes in INDEXES.items():
        for name in indexes:
            if name in database[collection].index_information():
                database[collection].drop_index(name)
                yield f"dropped index {name} on {collection}"
    for collection, properties in PROPERTIES.items():
        some = {"$or": [{name: {"$exists": True}} for name in properties]}
        database[collection].update_many(some, {"$unset": dict.fromkeys(properties, "")}, comment=WHY_ACROSS)
        yield f"took {' and '.join(properties)} from {collection}"
    yield from _set_properties(database, {name: dict.fromkeys(properties) for name, properties in PROPERTIES.items()})


def _set_properties(database: Database, changes: dict[str, dict[str, Any]]):
    """Changes these properties of the live validators and leaves the others, which may be another migration's. None takes one away."""
    for name, properties in changes.items():
        validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
        kept = validator["$jsonSchema"]["properties"] | properties
        validator["$jsonSchema"]["properties"] = {field: schema for field, schema in kept.items() if schema is not None}
        database.command("collMod", name, validator=validator)
        yield f"set the validator of {name}"
