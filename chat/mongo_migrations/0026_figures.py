"""Tables and charts are parts of messages, their revisions and shared copies, too (S1-34)."""

from pymongo.database import Database

BEFORE = ["text", "image", "button", "card", "code"]
TYPES = [*BEFORE, "table", "chart"]
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set(database, TYPES)


def down(database: Database):
    """The figures are gone with their tables; what the answer said of them stays in its text."""
    newer = {"type": {"$nin": BEFORE}}
    for name in ("chat_messages", "message_revisions"):
        database[name].update_many({"parts": {"$elemMatch": newer}}, {"$pull": {"parts": newer}}, comment=WHY_ACROSS)
        yield f"took tables and charts from {name}"
    change = {"$pull": {"messages.$[one].parts": newer}}
    holding = [{"one.parts": {"$elemMatch": newer}}]  # not every message has parts
    shared = {"messages.parts": {"$elemMatch": newer}}
    database["chat_shares"].update_many(shared, change, array_filters=holding, comment=WHY_ACROSS)
    yield "took tables and charts from chat_shares"
    yield from _set(database, BEFORE)


def _set(database: Database, types: list[str]):
    """Changes what a part may be in the live validators and leaves all else, which may be another migration's."""
    for name in ("chat_messages", "message_revisions", "chat_shares"):
        validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
        schema = validator["$jsonSchema"]
        if name == "chat_shares":
            schema = schema["properties"]["messages"]["items"]
        schema["properties"]["parts"]["items"]["properties"]["type"]["enum"] = types
        database.command("collMod", name, validator=validator)
        yield f"set the validator of {name}"
