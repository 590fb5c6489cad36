"""A copy behind a link says what a question replies to."""

from typing import Any

from pymongo.database import Database

NAME = "chat_shares"
REPLIED_TO: dict[str, Any] = {
    "bsonType": "object",
    "required": ["role", "text"],
    "properties": {
        "role": {"bsonType": "string", "enum": ["user", "assistant", "system", "function"]},
        "author": {"bsonType": ["string", "null"]},
        "text": {"bsonType": "string"},
    },
    "additionalProperties": False,
}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set(database, {"replyTo": REPLIED_TO})


def down(database: Database):
    """The copies stay, and do not say any more what their questions replied to."""
    copies = {"messages.replyTo": {"$exists": True}}
    database[NAME].update_many(copies, {"$unset": {"messages.$[].replyTo": ""}}, comment=WHY_ACROSS)
    yield f"took replyTo from the messages of {NAME}"
    yield from _set(database, {})


def _set(database: Database, added: dict[str, Any]):
    """The live validator with these properties of a message, and all others that it has."""
    validator = next(database.list_collections(filter={"name": NAME}))["options"]["validator"]
    message = validator["$jsonSchema"]["properties"]["messages"]["items"]
    message["properties"] = {field: known for field, known in message["properties"].items() if field != "replyTo"} | added
    database.command("collMod", NAME, validator=validator)
    yield f"set the validator of {NAME}"
