"""Contexts: the collection, its validator and its indexes (S0-49…66); answers keep follow-up questions, and their scores are numbers."""

from typing import Any

from pymongo.database import Database
from pymongo.errors import CollectionInvalid

COLLECTION = "chat_contexts"
DECLARED: dict[str, Any] = {
    "validator": {
        "$jsonSchema": {
            "bsonType": "object",
            "required": [
                "contextId",
                "conversationId",
                "createdAt",
                "expiresAt",
                "lastUpdated",
                "organizationId",
                "scopeReference",
                "scopeType",
                "updatedAt",
            ],
            "properties": {
                "organizationId": {"bsonType": "string"},
                "contextId": {"bsonType": "string"},
                "conversationId": {"bsonType": "string"},
                "scopeType": {"bsonType": "string", "enum": ["conversation", "employee", "team", "department"]},
                "scopeReference": {"bsonType": "string"},
                "employeeContext": {
                    "bsonType": ["object", "null"],
                    "required": ["employeeId"],
                    "properties": {
                        "employeeId": {"bsonType": "string"},
                        "employeeName": {"bsonType": "string"},
                        "personalityTraits": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "behavioralPatterns": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "compatibilityScores": {
                            "bsonType": "object",
                            "properties": {
                                "jobRole": {"bsonType": ["double", "int", "long", "null"]},
                                "department": {"bsonType": ["double", "int", "long", "null"]},
                                "company": {"bsonType": ["double", "int", "long", "null"]},
                                "industry": {"bsonType": ["double", "int", "long", "null"]},
                            },
                            "additionalProperties": False,
                        },
                        "astrologyData": {
                            "bsonType": "object",
                            "properties": {
                                "sunSign": {"bsonType": ["string", "null"]},
                                "moonSign": {"bsonType": ["string", "null"]},
                                "risingSign": {"bsonType": ["string", "null"]},
                                "harmonicCode": {"bsonType": ["string", "null"]},
                                "lastHarmonicUpdate": {"bsonType": ["date", "null"]},
                            },
                            "additionalProperties": False,
                        },
                        "recentInsights": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "discussionTopics": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "performanceIndicators": {"bsonType": "object"},
                        "trainingNeeds": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "strengths": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "developmentAreas": {"bsonType": "array", "items": {"bsonType": "string"}},
                    },
                    "additionalProperties": False,
                },
                "teamContext": {
                    "bsonType": ["object", "null"],
                    "properties": {
                        "teamMemberIds": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "teamDynamics": {"bsonType": "string"},
                        "compatibilityMatrix": {"bsonType": "object", "additionalProperties": {"bsonType": ["double", "int", "long"]}},
                        "conflictAreas": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "synergies": {"bsonType": "array", "items": {"bsonType": "string"}},
                    },
                    "additionalProperties": False,
                },
                "conversationMemory": {
                    "bsonType": ["object", "null"],
                    "properties": {
                        "keyPoints": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "decisions": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "followUpItems": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "previousQueries": {"bsonType": "array", "items": {"bsonType": "string"}},
                        "contextWindow": {"bsonType": "string"},
                    },
                    "additionalProperties": False,
                },
                "reportReferences": {
                    "bsonType": "array",
                    "items": {
                        "bsonType": "object",
                        "required": ["reportId"],
                        "properties": {
                            "reportId": {"bsonType": "string"},
                            "reportType": {"bsonType": "string"},
                            "lastAccessed": {"bsonType": "date"},
                            "keyFindings": {"bsonType": "array", "items": {"bsonType": "string"}},
                        },
                        "additionalProperties": False,
                    },
                },
                "through": {"bsonType": ["int", "long", "null"], "minimum": 0},
                "strand": {"bsonType": ["int", "long", "null"], "minimum": 0},
                "askedAt": {"bsonType": ["int", "long", "null"], "minimum": 0},
                "tokenCount": {"bsonType": ["int", "long"]},
                "lastUpdated": {"bsonType": "date"},
                "expiresAt": {"bsonType": "date"},
                "createdAt": {"bsonType": "date"},
                "updatedAt": {"bsonType": "date"},
                "_id": {"bsonType": "objectId"},
            },
            "additionalProperties": False,
        }
    },
    "indexes": {
        "contextId_1": {"key": [["contextId", 1]], "unique": True},
        "remembered_once": {"key": [["organizationId", 1], ["conversationId", 1], ["scopeType", 1], ["scopeReference", 1]], "unique": True},
        "conversationId_1": {"key": [["conversationId", 1]]},
        "employeeContext.employeeId_1": {"key": [["employeeContext.employeeId", 1]], "sparse": True},
        "expiresAt_1": {"key": [["expiresAt", 1]], "expireAfterSeconds": 0},
        "scopeType_1_scopeReference_1": {"key": [["scopeType", 1], ["scopeReference", 1]]},
    },
}

WITH_STRUCTURE = ("chat_messages", "message_revisions")
FOLLOW_UPS = {"bsonType": "array", "items": {"bsonType": "string"}}
NUMBERS = {"bsonType": "object", "additionalProperties": {"bsonType": ["double", "int", "long"]}}
ANYTHING = {"bsonType": "object"}
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set_structure(database, scores=NUMBERS, follow_ups=FOLLOW_UPS)
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
    """Documents first: one that its validator refuses could not be written any more."""
    database.drop_collection(COLLECTION)
    yield f"dropped collection {COLLECTION}"
    for name in WITH_STRUCTURE:
        database[name].update_many({"followUps": {"$exists": True}}, {"$unset": {"followUps": ""}}, comment=WHY_ACROSS)
        yield f"took the follow-up questions from {name}"
    yield from _set_structure(database, scores=ANYTHING, follow_ups=None)


def _set_structure(database: Database, *, scores: dict[str, Any], follow_ups: dict[str, Any] | None):
    """Changes these properties of the live validators and leaves the others, which may be another migration's. None takes one away."""
    for name in WITH_STRUCTURE:
        validator = next(database.list_collections(filter={"name": name}))["options"]["validator"]
        properties = validator["$jsonSchema"]["properties"]
        properties["structuredData"]["properties"]["scores"] = scores
        properties.pop("followUps", None)
        if follow_ups is not None:
            properties["followUps"] = follow_ups
        database.command("collMod", name, validator=validator)
        yield f"set the validator of {name}"
