"""An answer that repeats an earlier one says when that was written; edits of a conversation's questions and an organization's files are
counted."""

from typing import Any

from pymongo.database import Database

# Where each property stands in the collection's schema, and what it is.
PROPERTIES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "chat_messages": (("aiResponseMetadata", "generatedAt"), {"bsonType": ["date", "null"]}),
    "message_revisions": (("aiResponseMetadata", "generatedAt"), {"bsonType": ["date", "null"]}),
    "chat_conversations": (("editCount",), {"bsonType": ["int", "long"]}),
}
FILES, INDEX = "chat_attachments", "stored"
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    for name, (path, schema) in PROPERTIES.items():
        yield _set_property(database, name, path, schema)
    database[FILES].create_index([("organizationId", 1), ("fileSize", 1)], name=INDEX)
    yield f"created index {INDEX} on {FILES}"


def down(database: Database):
    if INDEX in database[FILES].index_information():
        database[FILES].drop_index(INDEX)
        yield f"dropped index {INDEX} on {FILES}"
    for name, (path, _) in PROPERTIES.items():
        field = ".".join(path)
        database[name].update_many({field: {"$exists": True}}, {"$unset": {field: ""}}, comment=WHY_ACROSS)
        yield f"took {field} from {name}"
        yield _set_property(database, name, path, None)


def _set_property(database: Database, name: str, path: tuple[str, ...], schema: dict[str, Any] | None) -> str:
    """Changes this property of the live validator and leaves the others, which may be another migration's. None takes it away."""
    validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
    here = validator["$jsonSchema"]
    for part in path[:-1]:
        here = here["properties"][part]
    kept = here["properties"] | {path[-1]: schema}
    here["properties"] = {field: known for field, known in kept.items() if known is not None}
    database.command("collMod", name, validator=validator)
    return f"set the validator of {name}"
