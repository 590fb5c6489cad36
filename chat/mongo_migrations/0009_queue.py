"""Questions wait in their conversation for an answer's end (docs/decisions/queue.md)."""

from typing import Any

from pymongo.database import Database

NUMBER = ["int", "long"]
TEXT = {"bsonType": "string"}
TEXT_OR_NULL = {"bsonType": ["string", "null"]}
NUMBER_OR_NULL = {"bsonType": [*NUMBER, "null"]}
FILE = {
    "bsonType": "object",
    "required": ["attachmentId", "fileName", "fileSize", "fileType", "fileUrl"],
    "properties": {
        "attachmentId": TEXT,
        "fileUrl": TEXT,
        "fileType": TEXT,
        "fileName": TEXT,
        "fileSize": {"bsonType": NUMBER},
        "width": NUMBER_OR_NULL,
        "height": NUMBER_OR_NULL,
    },
    "additionalProperties": False,
}
QUESTION = {
    "bsonType": "object",
    "required": ["clientId", "content", "createdAt", "messageId", "status", "strand", "userId"],
    "properties": {
        "messageId": TEXT,
        "userId": TEXT,
        "userRole": {"bsonType": ["string", "null"], "enum": ["owner", "leader", "manager", "agent", "guest", None]},
        "branchId": TEXT_OR_NULL,
        "departmentId": TEXT_OR_NULL,
        "userName": TEXT_OR_NULL,
        "clientId": TEXT,
        "content": TEXT,
        "attachments": {"bsonType": "array", "items": FILE},
        "strand": {"bsonType": NUMBER, "minimum": 0},
        "status": {"bsonType": "string", "enum": ["waiting", "asking"]},
        "dueAt": {"bsonType": "date"},
        "createdAt": {"bsonType": "date"},
    },
    "additionalProperties": False,
}
QUEUE = {
    "bsonType": "object",
    "required": ["version"],
    "properties": {"version": {"bsonType": NUMBER, "minimum": 0}, "questions": {"bsonType": "array", "items": QUESTION}},
    "additionalProperties": False,
}
PROPERTIES: dict[str, dict[str, Any]] = {
    "chat_conversations": {"queue": QUEUE},
    "chat_messages": {"awaited": {"bsonType": "bool"}},
}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set_properties(database, PROPERTIES)
    database["chat_conversations"].create_index([("queue.questions.dueAt", 1)], name="queue", sparse=True)
    yield "created index queue on chat_conversations"


def down(database: Database):
    """Questions that wait are gone: the version before this one knows no place for them."""
    if "queue" in database["chat_conversations"].index_information():
        database["chat_conversations"].drop_index("queue")
        yield "dropped index queue on chat_conversations"
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
