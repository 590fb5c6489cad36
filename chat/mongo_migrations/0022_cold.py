"""Conversations tell of the file that their messages are in, and when they were opened out of it; they are found by it."""

from typing import Any

from pymongo.database import Database

COLLECTION = "chat_conversations"
FIELDS: dict[str, Any] = {
    "cold": {
        "bsonType": "object",
        "required": ["markedAt"],
        "properties": {
            "markedAt": {"bsonType": "date"},
            "awayAt": {"bsonType": ["date", "null"]},
            "sha256": {"bsonType": ["string", "null"]},
            "bytes": {"bsonType": ["int", "long", "null"]},
            "messages": {"bsonType": ["int", "long", "null"]},
            "people": {"bsonType": "array", "items": {"bsonType": "string"}},
        },
        "additionalProperties": False,
    },
    "openedAt": {"bsonType": ["date", "null"]},
}
INDEXES: dict[str, list[tuple[str, int]]] = {"cold": [("organizationId", 1), ("cold.awayAt", 1)]}
INDEXES["cold_people"] = [("organizationId", 1), ("cold.people", 1)]


def up(database: Database):
    yield from _set_fields(database, FIELDS)
    for name, keys in INDEXES.items():
        database[COLLECTION].create_index(keys, name=name, partialFilterExpression={"cold": {"$exists": True}})
        yield f"created index {name} on {COLLECTION}"


def down(database: Database):
    if database[COLLECTION].find_one({"cold.awayAt": {"$type": "date"}}, comment=WHY_ACROSS):
        raise RuntimeError("Messages are in files. Run `manage.py bring_back` for every organization first.")
    for name in INDEXES:
        if name in database[COLLECTION].index_information():
            database[COLLECTION].drop_index(name)
            yield f"dropped index {name} on {COLLECTION}"
    marked = {"$or": [{"cold": {"$exists": True}}, {"openedAt": {"$exists": True}}]}
    database[COLLECTION].update_many(marked, {"$unset": {"cold": "", "openedAt": ""}}, comment=WHY_ACROSS)
    yield f"took cold and openedAt from {COLLECTION}"
    yield from _set_fields(database, dict.fromkeys(FIELDS))


WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def _set_fields(database: Database, schemas: dict[str, Any]):
    """Changes these properties of the live validator and leaves the others. None takes one away."""
    validator = next(database.list_collections(filter={"name": COLLECTION}))["options"]["validator"]
    kept = validator["$jsonSchema"]["properties"] | schemas
    validator["$jsonSchema"]["properties"] = {field: known for field, known in kept.items() if known is not None}
    database.command("collMod", COLLECTION, validator=validator)
    yield f"set the validator of {COLLECTION}"
