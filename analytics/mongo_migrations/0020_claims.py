"""Who folds the buffer's entries stands in claims of their own, no longer in each entry. What was being folded or had failed waits again:
where a part of it was counted already, the live counters of that day have it twice, until the night."""

from typing import Any

from pymongo.database import Database

BUFFER, CLAIMS = "metrics_buffer", "metrics_buffer_claims"
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"
OF_ENTRIES: dict[str, Any] = {
    "claim": {"bsonType": ["string", "null"]},
    "claimedAt": {"bsonType": ["date", "null"]},
    "tries": {"bsonType": ["int", "long", "null"]},
}
VALIDATOR = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["claimedAt", "isOpen", "name", "organizationId", "token", "tries"],
        "properties": {
            "organizationId": {"bsonType": "string"},
            "name": {"bsonType": "string"},
            "token": {"bsonType": "string"},
            "isOpen": {"bsonType": "bool"},
            "claimedAt": {"bsonType": "date"},
            "tries": {"bsonType": ["int", "long"]},
            "entries": {"bsonType": "array", "items": {"bsonType": "objectId"}},
            "days": {"bsonType": "array", "items": {"bsonType": "object"}},
            "_id": {"bsonType": "objectId"},
        },
        "additionalProperties": False,
    }
}


def up(database: Database):
    if CLAIMS not in database.list_collection_names():
        database.create_collection(CLAIMS, validator=VALIDATOR)
        yield f"created collection {CLAIMS} with its validator"
    claims = database[CLAIMS]
    claims.create_index([("organizationId", 1)], name="open", unique=True, partialFilterExpression={"isOpen": True})
    claims.create_index([("organizationId", 1), ("name", 1)], name="organizationId_1_name_1")
    claims.create_index([("isOpen", 1), ("claimedAt", 1)], name="isOpen_1_claimedAt_1")
    yield f"created indexes open, organizationId_1_name_1 and isOpen_1_claimedAt_1 on {CLAIMS}"
    yield from _wait_again(database)
    taken = {"$unset": dict.fromkeys(OF_ENTRIES, "")}
    database[BUFFER].update_many({"claimedAt": {"$exists": True}}, taken, comment=WHY_ACROSS)
    yield f"took claims from the entries of {BUFFER}"
    if "claim" in database[BUFFER].index_information():
        database[BUFFER].drop_index("claim")
        yield f"dropped index claim on {BUFFER}"
    yield from _set(database, {})


def down(database: Database):
    yield from _wait_again(database)
    yield from _set(database, OF_ENTRIES)
    database[BUFFER].create_index([("claim", 1)], name="claim", partialFilterExpression={"claim": {"$type": "string"}})
    yield f"created index claim on {BUFFER}"
    database.drop_collection(CLAIMS)
    yield f"dropped collection {CLAIMS}"


def _wait_again(database: Database):
    broken = {"aggregationStatus": {"$in": ["PROCESSING", "FAILED"]}}
    changes = {"$set": {"aggregationStatus": "PENDING"}, "$unset": {"reason": ""}}
    database[BUFFER].update_many(broken, changes, comment=WHY_ACROSS)
    yield f"had what was not folded of {BUFFER} wait again"


def _set(database: Database, of_entries: dict[str, Any]):
    """Changes these properties of the live validator and leaves the others."""
    validator = next(database.list_collections(filter={"name": BUFFER}))["options"]["validator"]
    properties = validator["$jsonSchema"]["properties"]
    for name in OF_ENTRIES:
        properties.pop(name, None)
    validator["$jsonSchema"]["properties"] = properties | of_entries
    database.command("collMod", BUFFER, validator=validator)
    yield f"set the validator of {BUFFER}"
