"""Links to copies of conversations: the collection, its validator and its indexes."""

from pymongo.database import Database
from pymongo.errors import CollectionInvalid

COLLECTION = "chat_shares"
DECLARED = {
    "validator": {
        "$jsonSchema": {
            "bsonType": "object",
            "required": [
                "audience",
                "conversationId",
                "createdAt",
                "expiresAt",
                "organizationId",
                "removeAt",
                "shareId",
                "title",
                "tokenHash",
                "userId",
            ],
            "properties": {
                "organizationId": {"bsonType": "string"},
                "shareId": {"bsonType": "string"},
                "conversationId": {"bsonType": "string"},
                "userId": {"bsonType": "string"},
                "tokenHash": {"bsonType": "string"},
                "audience": {"bsonType": "string", "enum": ["organization", "anyone"]},
                "title": {"bsonType": "string"},
                "messages": {
                    "bsonType": "array",
                    "items": {
                        "bsonType": "object",
                        "required": ["createdAt", "role", "text"],
                        "properties": {
                            "role": {"bsonType": "string", "enum": ["user", "assistant", "system", "function"]},
                            "author": {"bsonType": ["string", "null"]},
                            "text": {"bsonType": "string"},
                            "createdAt": {"bsonType": "date"},
                        },
                        "additionalProperties": False,
                    },
                },
                "isWhole": {"bsonType": "bool"},
                "views": {"bsonType": ["int", "long"]},
                "createdAt": {"bsonType": "date"},
                "expiresAt": {"bsonType": "date"},
                "revokedAt": {"bsonType": "date"},
                "removeAt": {"bsonType": "date"},
                "_id": {"bsonType": "objectId"},
            },
            "additionalProperties": False,
        }
    },
    "indexes": {
        "shareId_1": {"key": [["shareId", 1]], "unique": True},
        "tokenHash_1": {"key": [["tokenHash", 1]], "unique": True},
        "organizationId_1_conversationId_1_createdAt_-1": {"key": [["organizationId", 1], ["conversationId", 1], ["createdAt", -1]]},
        "removeAt_1": {"key": [["removeAt", 1]], "expireAfterSeconds": 0},
    },
}


def up(database: Database):
    try:
        database.create_collection(COLLECTION, validator=DECLARED["validator"])
        yield f"created collection {COLLECTION} with its validator"
    except CollectionInvalid:
        database.command("collMod", COLLECTION, validator=DECLARED["validator"])
        yield f"set the validator of {COLLECTION}"
    for index, spec in DECLARED["indexes"].items():
        options = {option: value for option, value in spec.items() if option != "key"}
        database[COLLECTION].create_index([tuple(part) for part in spec["key"]], name=index, **options)
        yield f"created index {index} on {COLLECTION}"


def down(database: Database):
    database.drop_collection(COLLECTION)
    yield f"dropped collection {COLLECTION}"
