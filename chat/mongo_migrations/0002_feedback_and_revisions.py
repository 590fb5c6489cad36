"""Ratings have an average, answers count their versions, and what they said before is kept (S0-23, S0-42, D12)."""

from typing import Any

from pymongo.database import Database
from pymongo.errors import CollectionInvalid

NUMBER = ["int", "long"]
NEW: dict[str, dict[str, Any]] = {
    "chat_conversations": {"userSatisfactionRating": {"bsonType": ["double", "int", "long", "null"]}},
    "chat_messages": {"versions": {"bsonType": NUMBER, "minimum": 1}},
}
OLD: dict[str, dict[str, Any]] = {
    "chat_conversations": {"userSatisfactionRating": {"bsonType": [*NUMBER, "null"]}},
    "chat_messages": {"versions": None},
}

REVISIONS = "message_revisions"
VALIDATOR = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": [
            "attempt",
            "contentType",
            "conversationId",
            "messageId",
            "organizationId",
            "reason",
            "revisedAt",
            "revisedBy",
            "status",
            "updatedAt",
        ],
        "properties": {
            "organizationId": {"bsonType": "string"},
            "messageId": {"bsonType": "string"},
            "conversationId": {"bsonType": "string"},
            "attempt": {"bsonType": NUMBER, "minimum": 1},
            "reason": {"bsonType": "string", "enum": ["regenerated"]},
            "revisedBy": {"bsonType": "string"},
            "revisedAt": {"bsonType": "date"},
            "content": {"bsonType": "string"},
            "contentType": {"bsonType": "string", "enum": ["text", "structured_data", "report_reference"]},
            "status": {"bsonType": "string", "enum": ["pending", "streaming", "sent", "interrupted", "error", "cancelled"]},
            "queuedAt": {"bsonType": ["date", "null"]},
            "startedAt": {"bsonType": ["date", "null"]},
            "aiModel": {"bsonType": ["string", "null"]},
            "version": {"bsonType": ["string", "null"]},
            "finishReason": {"bsonType": ["string", "null"]},
            "aiResponseMetadata": {
                "bsonType": ["object", "null"],
                "properties": {
                    "tokensUsed": {"bsonType": NUMBER},
                    "inputTokens": {"bsonType": NUMBER},
                    "outputTokens": {"bsonType": NUMBER},
                    "cost": {"bsonType": ["decimal", "null"]},
                    "responseTime": {"bsonType": ["double", "int", "long"]},
                    "firstTokenTime": {"bsonType": ["double", "int", "long", "null"]},
                    "temperature": {"bsonType": ["double", "int", "long", "null"]},
                    "confidenceScore": {"bsonType": ["double", "int", "long", "null"]},
                    "sources": {"bsonType": "array", "items": {"bsonType": "string"}},
                    "provider": {"bsonType": "string"},
                },
                "additionalProperties": False,
            },
            "referencedEmployees": {
                "bsonType": "array",
                "items": {
                    "bsonType": "object",
                    "required": ["employeeId"],
                    "properties": {
                        "employeeId": {"bsonType": "string"},
                        "employeeName": {"bsonType": "string"},
                        "relevance": {"bsonType": "string"},
                    },
                    "additionalProperties": False,
                },
            },
            "referencedReports": {
                "bsonType": "array",
                "items": {
                    "bsonType": "object",
                    "required": ["reportId"],
                    "properties": {
                        "reportId": {"bsonType": "string"},
                        "reportType": {"bsonType": "string"},
                        "accessedAt": {"bsonType": "date"},
                    },
                    "additionalProperties": False,
                },
            },
            "structuredData": {
                "bsonType": ["object", "null"],
                "properties": {
                    "analysisType": {"bsonType": "string"},
                    "scores": {"bsonType": "object"},
                    "recommendations": {"bsonType": "array", "items": {"bsonType": "string"}},
                    "insights": {"bsonType": "array", "items": {"bsonType": "string"}},
                    "dataPoints": {"bsonType": "object"},
                },
                "additionalProperties": False,
            },
            "feedback": {
                "bsonType": ["object", "null"],
                "properties": {
                    "isHelpful": {"bsonType": ["bool", "null"]},
                    "rating": {"bsonType": [*NUMBER, "null"], "minimum": 1, "maximum": 5},
                    "comment": {"bsonType": ["string", "null"]},
                    "submittedAt": {"bsonType": "date"},
                },
                "additionalProperties": False,
            },
            "updatedAt": {"bsonType": "date"},
            "_id": {"bsonType": "objectId"},
        },
        "additionalProperties": False,
    }
}

WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set_properties(database, NEW)
    try:
        database.create_collection(REVISIONS, validator=VALIDATOR)
        yield f"created collection {REVISIONS} with its validator"
    except CollectionInvalid:
        database.command("collMod", REVISIONS, validator=VALIDATOR)
        yield f"set the validator of {REVISIONS}"
    key = [("organizationId", 1), ("messageId", 1), ("attempt", 1)]
    database[REVISIONS].create_index(key, name="version", unique=True)
    yield f"created index version on {REVISIONS}"


def down(database: Database):
    """Documents first: one that its validator refuses could not be written any more."""
    database["chat_messages"].update_many({"versions": {"$exists": True}}, {"$unset": {"versions": ""}}, comment=WHY_ACROSS)
    yield "took the number of versions from chat_messages"
    whole = {"$toInt": {"$round": ["$userSatisfactionRating", 0]}}
    database["chat_conversations"].update_many(
        {"userSatisfactionRating": {"$type": "double"}}, [{"$set": {"userSatisfactionRating": whole}}], comment=WHY_ACROSS
    )
    yield "rounded the ratings of chat_conversations"
    yield from _set_properties(database, OLD)
    database.drop_collection(REVISIONS)
    yield f"dropped collection {REVISIONS}"


def _set_properties(database: Database, changes: dict[str, dict[str, Any]]):
    """Changes these properties of the live validators and leaves the others, which may be another migration's. None takes one away."""
    for name, properties in changes.items():
        validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
        kept = validator["$jsonSchema"]["properties"] | properties
        validator["$jsonSchema"]["properties"] = {field: schema for field, schema in kept.items() if schema is not None}
        database.command("collMod", name, validator=validator)
        yield f"set the validator of {name}"
