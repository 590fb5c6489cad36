"""A question, asked or waiting, may reply to a message of its conversation."""

from typing import Any

from pymongo.database import Database

REPLIED_TO: dict[str, Any] = {
    "bsonType": "object",
    "required": ["content", "messageId", "role", "seq", "strand"],
    "properties": {
        "messageId": {"bsonType": "string"},
        "seq": {"bsonType": ["int", "long"], "minimum": 1},
        "strand": {"bsonType": ["int", "long"], "minimum": 0},
        "role": {"bsonType": "string", "enum": ["user", "assistant", "system", "function"]},
        "userName": {"bsonType": ["string", "null"]},
        "content": {"bsonType": "string"},
    },
    "additionalProperties": False,
}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set(database, REPLIED_TO)


def down(database: Database):
    """What was asked stays; what it replied to is gone."""
    messages = {"replyTo": {"$exists": True}}
    database["chat_messages"].update_many(messages, {"$unset": {"replyTo": ""}}, comment=WHY_ACROSS)
    yield "took replyTo from chat_messages"
    waiting = {"queue.questions.replyTo": {"$exists": True}}
    database["chat_conversations"].update_many(waiting, {"$unset": {"queue.questions.$[].replyTo": ""}}, comment=WHY_ACROSS)
    yield "took replyTo from the queues of chat_conversations"
    yield from _set(database, None)


def _set(database: Database, schema: dict[str, Any] | None):
    """Changes this property of the live validators and leaves the others, which may be another migration's. None takes it away."""
    for name in ("chat_messages", "chat_conversations"):
        validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
        here = validator["$jsonSchema"]
        if name == "chat_conversations":
            here = here["properties"]["queue"]["properties"]["questions"]["items"]
        kept = here["properties"] | {"replyTo": schema}
        here["properties"] = {field: known for field, known in kept.items() if known is not None}
        database.command("collMod", name, validator=validator)
        yield f"set the validator of {name}"
