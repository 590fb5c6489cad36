"""Threads of programs are conversations: which bridge they belong to and what was said and called in them (S2-14…20)."""

from typing import Any

from pymongo.database import Database

_STRING = {"bsonType": "string"}
_INTEGER = ["int", "long"]
_CALLED = {
    "bsonType": "object",
    "required": ["arguments", "name"],
    "properties": {
        "id": _STRING,
        "name": _STRING,
        "arguments": _STRING,
        "result": {"bsonType": ["string", "null"]},
        "status": {"bsonType": [*_INTEGER, "null"]},
        "error": _STRING,
        "latency": {"bsonType": _INTEGER},
        "byCaller": {"bsonType": "bool"},
    },
    "additionalProperties": False,
}
FIELDS: dict[str, dict[str, Any]] = {
    "chat_conversations": {"bridgeId": _STRING, "threadId": _STRING, "subThreadId": _STRING},
    "chat_messages": {
        "bridgeId": _STRING,
        "versionId": _STRING,
        "conversationType": {**_STRING, "enum": ["chat", "completion", "embedding", "image"]},
        "function": {"bsonType": "object"},
        "toolsCallData": {"bsonType": "array", "items": _CALLED},
        "isReset": {"bsonType": "bool"},
        "chatbotMessage": _STRING,
        "revisedPrompt": _STRING,
        "imageUrl": _STRING,
        "urls": {"bsonType": "array", "items": _STRING},
        "AiConfig": {"bsonType": "object"},
        "annotations": {"bsonType": "array", "items": {"bsonType": "object"}},
    },
}
INDEX, KEY = "thread", ["organizationId", "bridgeId", "threadId", "subThreadId"]
OF_THREADS = {"threadId": {"$type": "string"}, "status": {"$in": ["active", "archived"]}}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    for collection, fields in FIELDS.items():
        yield from _set(database, collection, fields)
    key = [(name, 1) for name in KEY]
    database["chat_conversations"].create_index(key, name=INDEX, unique=True, partialFilterExpression=OF_THREADS)
    yield f"created index {INDEX} on chat_conversations"


def down(database: Database):
    if INDEX in database["chat_conversations"].index_information():
        database["chat_conversations"].drop_index(INDEX)
        yield f"dropped index {INDEX} on chat_conversations"
    for collection, fields in FIELDS.items():
        wanted = {"$or": [{name: {"$exists": True}} for name in fields]}
        database[collection].update_many(wanted, {"$unset": dict.fromkeys(fields, "")}, comment=WHY_ACROSS)
        yield f"took what is said of threads from {collection}"
        yield from _set(database, collection, dict.fromkeys(fields))


def _set(database: Database, collection: str, changes: dict[str, Any]):
    """Changes these properties of the live validator and leaves the others, which may be another migration's. None takes one away."""
    validator = next(database.list_collections(filter={"name": collection}))["options"]["validator"]
    kept = validator["$jsonSchema"]["properties"] | changes
    validator["$jsonSchema"]["properties"] = {field: schema for field, schema in kept.items() if schema is not None}
    database.command("collMod", collection, validator=validator)
    yield f"set the validator of {collection}"
