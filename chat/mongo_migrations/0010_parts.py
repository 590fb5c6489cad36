"""Messages, their revisions and shared copies hold parts (S1-28); an image is kept as a model is shown it, too."""

from typing import Any

from pymongo.database import Database

PARTS = {
    "bsonType": "array",
    "items": {
        "bsonType": "object",
        "required": ["type", "value"],
        "properties": {"type": {"bsonType": "string", "enum": ["text", "image", "button", "card", "code"]}, "value": {}},
        "additionalProperties": False,
    },
}
PROPERTIES: dict[str, dict[str, Any]] = {
    "chat_messages": {"parts": PARTS},
    "message_revisions": {"parts": PARTS},
    "chat_attachments": {"shownAs": {"bsonType": ["string", "null"]}},
}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set(database, PROPERTIES, of_shares=PARTS)


def down(database: Database):
    """What the parts of a message say stays in its text. Pictures as models were shown them stay in the storage."""
    for name, properties in PROPERTIES.items():
        some = {"$or": [{field: {"$exists": True}} for field in properties]}
        database[name].update_many(some, {"$unset": dict.fromkeys(properties, "")}, comment=WHY_ACROSS)
        yield f"took {' and '.join(properties)} from {name}"
    some = {"messages.parts": {"$exists": True}}
    database["chat_shares"].update_many(some, {"$unset": {"messages.$[].parts": ""}}, comment=WHY_ACROSS)
    yield "took parts from chat_shares"
    yield from _set(database, {name: dict.fromkeys(properties) for name, properties in PROPERTIES.items()}, of_shares=None)


def _set(database: Database, changes: dict[str, dict[str, Any]], *, of_shares: dict[str, Any] | None):
    """Changes these properties of the live validators and leaves the others, which may be another migration's. None takes one away."""
    for name, properties in {**changes, "chat_shares": {"parts": of_shares}}.items():
        validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
        schema = validator["$jsonSchema"]
        if name == "chat_shares":
            schema = schema["properties"]["messages"]["items"]
        kept = schema["properties"] | properties
        schema["properties"] = {field: property for field, property in kept.items() if property is not None}
        database.command("collMod", name, validator=validator)
        yield f"set the validator of {name}"
