"""Conversations that were deleted are found by when, marked when they begin to go for good, and found in the sessions that viewed them."""

from typing import Any

from pymongo.database import Database

INDEXES: dict[str, dict[str, dict[str, Any]]] = {
    "chat_conversations": {
        "deleted": {"keys": [("deletedAt", 1), ("conversationId", 1)], "partialFilterExpression": {"status": "deleted"}},
    },
    "chat_sessions": {"viewed": {"keys": [("organizationId", 1), ("activeConversations.conversationId", 1)]}},
}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set_mark(database, {"bsonType": ["date", "null"]})
    for collection, indexes in INDEXES.items():
        for name, options in indexes.items():
            database[collection].create_index(name=name, **options)
            yield f"created index {name} on {collection}"


def down(database: Database):
    for collection, indexes in INDEXES.items():
        for name in indexes:
            if name in database[collection].index_information():
                database[collection].drop_index(name)
                yield f"dropped index {name} on {collection}"
    marked = {"removedAt": {"$exists": True}}
    database["chat_conversations"].update_many(marked, {"$unset": {"removedAt": ""}}, comment=WHY_ACROSS)
    yield "took removedAt from chat_conversations"
    yield from _set_mark(database, None)


def _set_mark(database: Database, schema: dict[str, Any] | None):
    """Changes this property of the live validator and leaves the others, which may be another migration's. None takes it away."""
    validator = next(database.list_collections(filter={"name": "chat_conversations"}))["options"]["validator"]
    kept = validator["$jsonSchema"]["properties"] | {"removedAt": schema}
    validator["$jsonSchema"]["properties"] = {field: known for field, known in kept.items() if known is not None}
    database.command("collMod", "chat_conversations", validator=validator)
    yield "set the validator of chat_conversations"
