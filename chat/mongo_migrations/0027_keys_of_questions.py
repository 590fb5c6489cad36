"""A question that a program asked, and its answer, name the API key: budgets of keys hold their calls."""

from typing import Any

from pymongo.database import Database

API_KEY: dict[str, Any] = {"bsonType": "string"}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set(database, API_KEY)


def down(database: Database):
    """What was asked stays; with which key is gone."""
    messages = {"apiKeyId": {"$exists": True}}
    database["chat_messages"].update_many(messages, {"$unset": {"apiKeyId": ""}}, comment=WHY_ACROSS)
    yield "took apiKeyId from chat_messages"
    waiting = {"queue.questions.apiKeyId": {"$exists": True}}
    database["chat_conversations"].update_many(waiting, {"$unset": {"queue.questions.$[].apiKeyId": ""}}, comment=WHY_ACROSS)
    yield "took apiKeyId from the queues of chat_conversations"
    yield from _set(database, None)


def _set(database: Database, schema: dict[str, Any] | None):
    """Changes this property of the live validators and leaves the others, which may be another migration's. None takes it away."""
    for name in ("chat_messages", "chat_conversations"):
        validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
        here = validator["$jsonSchema"]
        if name == "chat_conversations":
            here = here["properties"]["queue"]["properties"]["questions"]["items"]
        kept = here["properties"] | {"apiKeyId": schema}
        here["properties"] = {field: known for field, known in kept.items() if known is not None}
        database.command("collMod", name, validator=validator)
        yield f"set the validator of {name}"
