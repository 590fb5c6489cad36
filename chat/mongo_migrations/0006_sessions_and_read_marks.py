"""Open sockets of people, and how far each has read a conversation: two collections, their validators and indexes (S0-81…93, S0-113)."""

from pymongo.database import Database
from pymongo.errors import CollectionInvalid

DECLARED = {
    "chat_sessions": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": [
                    "connectedAt",
                    "connectionId",
                    "createdAt",
                    "expiresAt",
                    "lastActivity",
                    "lastSeenAt",
                    "organizationId",
                    "presenceStatus",
                    "sessionId",
                    "socketId",
                    "status",
                    "updatedAt",
                    "userId",
                ],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "sessionId": {"bsonType": "string"},
                    "userId": {"bsonType": "string"},
                    "branchId": {"bsonType": ["string", "null"]},
                    "departmentId": {"bsonType": ["string", "null"]},
                    "userRole": {"bsonType": "string", "enum": ["owner", "leader", "manager", "agent", "guest"]},
                    "connectionId": {"bsonType": "string"},
                    "socketId": {"bsonType": "string"},
                    "ipAddress": {"bsonType": ["string", "null"]},
                    "userAgent": {"bsonType": "string"},
                    "status": {"bsonType": "string", "enum": ["active", "idle", "disconnected", "expired"]},
                    "lastActivity": {"bsonType": "date"},
                    "activeConversations": {
                        "bsonType": "array",
                        "items": {
                            "bsonType": "object",
                            "required": ["conversationId", "joinedAt"],
                            "properties": {
                                "conversationId": {"bsonType": "string"},
                                "joinedAt": {"bsonType": "date"},
                                "lastMessageAt": {"bsonType": ["date", "null"]},
                            },
                            "additionalProperties": False,
                        },
                    },
                    "deviceType": {"bsonType": "string", "enum": ["desktop", "mobile", "tablet"]},
                    "browser": {"bsonType": "string"},
                    "platform": {"bsonType": "string"},
                    "presenceStatus": {"bsonType": "string", "enum": ["busy", "online", "away"]},
                    "lastSeenAt": {"bsonType": "date"},
                    "connectedAt": {"bsonType": "date"},
                    "disconnectedAt": {"bsonType": ["date", "null"]},
                    "totalDuration": {"bsonType": ["int", "long", "null"]},
                    "createdAt": {"bsonType": "date"},
                    "updatedAt": {"bsonType": "date"},
                    "expiresAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "sessionId_1": {"key": [["sessionId", 1]], "unique": True},
            "userId_1_status_1": {"key": [["userId", 1], ["status", 1]]},
            "connectionId_1": {"key": [["connectionId", 1]]},
            "status_1_lastActivity_-1": {"key": [["status", 1], ["lastActivity", -1]]},
            "expiresAt_1": {"key": [["expiresAt", 1]], "expireAfterSeconds": 0},
            "mine": {"key": [["organizationId", 1], ["userId", 1], ["connectedAt", -1], ["sessionId", -1]]},
            "lost": {"key": [["status", 1], ["lastSeenAt", 1]]},
        },
    },
    "chat_read_marks": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": ["conversationId", "organizationId", "readAt", "seq", "userId"],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "conversationId": {"bsonType": "string"},
                    "userId": {"bsonType": "string"},
                    "seq": {"bsonType": ["int", "long"], "minimum": 0},
                    "readAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {"mark": {"key": [["organizationId", 1], ["conversationId", 1], ["userId", 1]], "unique": True}},
    },
}


def up(database: Database):
    for collection, declared in DECLARED.items():
        try:
            database.create_collection(collection, validator=declared["validator"])
            yield f"created collection {collection} with its validator"
        except CollectionInvalid:
            database.command("collMod", collection, validator=declared["validator"])
            yield f"set the validator of {collection}"
        for index, spec in declared["indexes"].items():
            options = {option: value for option, value in spec.items() if option != "key"}
            database[collection].create_index([tuple(part) for part in spec["key"]], name=index, **options)
            yield f"created index {index} on {collection}"


def down(database: Database):
    for collection in reversed(DECLARED):
        database.drop_collection(collection)
        yield f"dropped collection {collection}"
