"""What is counted during the day: live counters, and whom and what they count once."""

from typing import Any

from pymongo.database import Database
from pymongo.errors import CollectionInvalid

KEPT_SECONDS = 2592000
DECLARED: dict[str, Any] = {
    "live_days": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": ["day", "organizationId", "updatedAt"],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "day": {"bsonType": "string"},
                    "counts": {"bsonType": "object", "additionalProperties": {"bsonType": ["int", "long"]}},
                    "folded": {"bsonType": "array", "items": {"bsonType": "string"}},
                    "updatedAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "organizationId_1_day_1": {"key": [["organizationId", 1], ["day", 1]], "unique": True},
            "updatedAt_1": {"key": [["updatedAt", 1]], "expireAfterSeconds": KEPT_SECONDS},
        },
    },
    "live_members": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": ["createdAt", "day", "kind", "member", "organizationId"],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "day": {"bsonType": "string"},
                    "kind": {"bsonType": "string"},
                    "member": {"bsonType": "string"},
                    "createdAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "once": {"key": [["organizationId", 1], ["day", 1], ["kind", 1], ["member", 1]], "unique": True},
            "createdAt_1": {"key": [["createdAt", 1]], "expireAfterSeconds": KEPT_SECONDS},
        },
    },
}


def up(database: Database):
    for name, declared in DECLARED.items():
        try:
            database.create_collection(name, validator=declared["validator"])
            yield f"created collection {name} with its validator"
        except CollectionInvalid:
            database.command("collMod", name, validator=declared["validator"])
            yield f"set the validator of {name}"
        for index, spec in declared["indexes"].items():
            options = {option: value for option, value in spec.items() if option != "key"}
            database[name].create_index([tuple(part) for part in spec["key"]], name=index, **options)
            yield f"created index {index} on {name}"


def down(database: Database):
    for name in DECLARED:
        database.drop_collection(name)
        yield f"dropped collection {name}"
