"""An answer that repeats an earlier one says when that was written."""

from typing import Any

from pymongo.database import Database

COLLECTIONS = ("chat_messages", "message_revisions")
FIELD, IN = "generatedAt", "aiResponseMetadata"
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    for name in COLLECTIONS:
        yield _set_field(database, name, {"bsonType": ["date", "null"]})


def down(database: Database):
    for name in COLLECTIONS:
        path = f"{IN}.{FIELD}"
        database[name].update_many({path: {"$exists": True}}, {"$unset": {path: ""}}, comment=WHY_ACROSS)
        yield f"took {path} from {name}"
        yield _set_field(database, name, None)


def _set_field(database: Database, name: str, schema: dict[str, Any] | None) -> str:
    """Changes this field of the live validator and leaves the others, which may be another migration's. None takes it away."""
    validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
    inner = validator["$jsonSchema"]["properties"][IN]
    kept = inner["properties"] | {FIELD: schema}
    inner["properties"] = {field: known for field, known in kept.items() if known is not None}
    database.command("collMod", name, validator=validator)
    return f"set the validator of {name}"
