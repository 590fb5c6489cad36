"""Files that come with a question: their collection with its validator and indexes, and what a message shows of them (S1-35)."""

from typing import Any

from pymongo.database import Database
from pymongo.errors import CollectionInvalid

NUMBER = ["int", "long"]
ATTACHED = {
    "bsonType": "array",
    "items": {
        "bsonType": "object",
        "required": ["attachmentId", "fileName", "fileSize", "fileType", "fileUrl"],
        "properties": {
            "attachmentId": {"bsonType": "string"},
            "fileUrl": {"bsonType": "string"},
            "fileType": {"bsonType": "string"},
            "fileName": {"bsonType": "string"},
            "fileSize": {"bsonType": NUMBER},
            "width": {"bsonType": [*NUMBER, "null"]},
            "height": {"bsonType": [*NUMBER, "null"]},
        },
        "additionalProperties": False,
    },
}

COLLECTION = "chat_attachments"
VALIDATOR = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": [
            "attachmentId",
            "conversationId",
            "createdAt",
            "fileName",
            "fileSize",
            "fileType",
            "isSent",
            "organizationId",
            "storedAs",
            "userId",
        ],
        "properties": {
            "organizationId": {"bsonType": "string"},
            "attachmentId": {"bsonType": "string"},
            "conversationId": {"bsonType": "string"},
            "userId": {"bsonType": "string"},
            "clientId": {"bsonType": ["string", "null"]},
            "fileName": {"bsonType": "string"},
            "fileType": {"bsonType": "string"},
            "fileSize": {"bsonType": NUMBER},
            "width": {"bsonType": [*NUMBER, "null"]},
            "height": {"bsonType": [*NUMBER, "null"]},
            "storedAs": {"bsonType": "string"},
            "thumbnailAs": {"bsonType": ["string", "null"]},
            "text": {"bsonType": "string"},
            "isWhole": {"bsonType": "bool"},
            "isSent": {"bsonType": "bool"},
            "createdAt": {"bsonType": "date"},
            "removedAt": {"bsonType": ["date", "null"]},
            "_id": {"bsonType": "objectId"},
        },
        "additionalProperties": False,
    }
}
INDEXES: dict[str, dict[str, Any]] = {
    "attachmentId_1": {"key": ["attachmentId"], "unique": True},
    "organizationId_1_conversationId_1": {"key": ["organizationId", "conversationId"]},
    "waiting": {"key": ["organizationId", "userId"], "partialFilterExpression": {"isSent": False}},
    "unsent": {"key": ["createdAt"], "partialFilterExpression": {"isSent": False}},
    "upload_once": {
        "key": ["organizationId", "conversationId", "userId", "clientId"],
        "unique": True,
        "partialFilterExpression": {"clientId": {"$type": "string"}},
    },
}

WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set_attachments(database, ATTACHED)
    try:
        database.create_collection(COLLECTION, validator=VALIDATOR)
        yield f"created collection {COLLECTION} with its validator"
    except CollectionInvalid:
        database.command("collMod", COLLECTION, validator=VALIDATOR)
        yield f"set the validator of {COLLECTION}"
    for index, spec in INDEXES.items():
        options = {option: value for option, value in spec.items() if option != "key"}
        database[COLLECTION].create_index([(field, 1) for field in spec["key"]], name=index, **options)
        yield f"created index {index} on {COLLECTION}"


def down(database: Database):
    """The files themselves stay in the storage."""
    messages = database["chat_messages"]
    messages.update_many({"attachments": {"$exists": True}}, {"$unset": {"attachments": ""}}, comment=WHY_ACROSS)
    yield "took the attachments from chat_messages"
    yield from _set_attachments(database, None)
    database.drop_collection(COLLECTION)
    yield f"dropped collection {COLLECTION}"


def _set_attachments(database: Database, schema: dict[str, Any] | None):
    """Changes this property of the live validator and leaves the others, which may be another migration's."""
    validator = next(database.list_collections(filter={"name": "chat_messages"}))["options"]["validator"]
    properties = validator["$jsonSchema"]["properties"]
    properties.pop("attachments", None)
    if schema is not None:
        properties["attachments"] = schema
    database.command("collMod", "chat_messages", validator=validator)
    yield "set the validator of chat_messages"
