"""Conversations and their messages: collections, validators and indexes (S0-25…30, S0-44…48, S0-115, S0-116)."""

from pymongo.database import Database
from pymongo.errors import CollectionInvalid

COLLECTIONS = {
    "chat_conversations": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": [
                    "conversationId",
                    "createdAt",
                    "kind",
                    "lastMessageAt",
                    "organizationId",
                    "status",
                    "title",
                    "updatedAt",
                    "userId",
                ],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "conversationId": {"bsonType": "string"},
                    "kind": {"bsonType": "string", "enum": ["assistant", "direct", "group", "support", "escalated", "api", "widget"]},
                    "branchId": {"bsonType": ["string", "null"]},
                    "departmentId": {"bsonType": ["string", "null"]},
                    "userId": {"bsonType": "string"},
                    "userRole": {"bsonType": "string", "enum": ["owner", "leader", "manager", "agent", "guest"]},
                    "type": {
                        "bsonType": ["string", "null"],
                        "enum": [
                            "employee_specific",
                            "team_compatibility",
                            "one_to_one",
                            "promotion_readiness",
                            "team_formation",
                            "conflict_resolution",
                            "performance_optimization",
                            "training_guidance",
                            None,
                        ],
                    },
                    "title": {"bsonType": "string"},
                    "subjectEmployeeIds": {"bsonType": "array", "items": {"bsonType": "string"}},
                    "subjectType": {"bsonType": ["string", "null"], "enum": ["single_employee", "team", "department", "comparison", None]},
                    "status": {"bsonType": "string", "enum": ["active", "archived", "deleted"]},
                    "isPinned": {"bsonType": "bool"},
                    "lastMessageAt": {"bsonType": "date"},
                    "messageCount": {"bsonType": ["int", "long"]},
                    "contextSummary": {"bsonType": ["string", "null"]},
                    "keyInsights": {"bsonType": "array", "items": {"bsonType": "string"}},
                    "relatedReportIds": {"bsonType": "array", "items": {"bsonType": "string"}},
                    "accessScope": {
                        "bsonType": "object",
                        "properties": {
                            "allowedRoles": {
                                "bsonType": "array",
                                "items": {"bsonType": "string", "enum": ["owner", "leader", "manager", "agent", "guest"]},
                            },
                            "allowedUserIds": {"bsonType": "array", "items": {"bsonType": "string"}},
                            "isPrivate": {"bsonType": "bool"},
                        },
                        "additionalProperties": False,
                    },
                    "totalTokensUsed": {"bsonType": ["int", "long"]},
                    "estimatedCost": {"bsonType": "decimal"},
                    "averageResponseTime": {"bsonType": ["double", "int", "long", "null"]},
                    "answerCount": {"bsonType": ["int", "long"]},
                    "countedAnswers": {"bsonType": "array", "items": {"bsonType": "string"}},
                    "userSatisfactionRating": {"bsonType": ["int", "long", "null"]},
                    "clientId": {"bsonType": ["string", "null"]},
                    "createdAt": {"bsonType": "date"},
                    "updatedAt": {"bsonType": "date"},
                    "archivedAt": {"bsonType": ["date", "null"]},
                    "deletedAt": {"bsonType": ["date", "null"]},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "conversationId_1": {"key": [["conversationId", 1]], "unique": True},
            "userId_1_createdAt_-1": {"key": [["userId", 1], ["createdAt", -1]]},
            "organizationId_1_status_1_lastMessageAt_-1": {"key": [["organizationId", 1], ["status", 1], ["lastMessageAt", -1]]},
            "inbox": {"key": [["organizationId", 1], ["userId", 1], ["status", 1], ["lastMessageAt", -1], ["conversationId", -1]]},
            "subjectEmployeeIds_1_status_1": {"key": [["subjectEmployeeIds", 1], ["status", 1]]},
            "type_1_organizationId_1_createdAt_-1": {"key": [["type", 1], ["organizationId", 1], ["createdAt", -1]]},
            "shared_with_role": {
                "key": [
                    ["organizationId", 1],
                    ["accessScope.allowedRoles", 1],
                    ["status", 1],
                    ["lastMessageAt", -1],
                    ["conversationId", -1],
                ]
            },
            "shared_with_person": {
                "key": [
                    ["organizationId", 1],
                    ["accessScope.allowedUserIds", 1],
                    ["status", 1],
                    ["lastMessageAt", -1],
                    ["conversationId", -1],
                ]
            },
            "accessScope.allowedUserIds_1": {"key": [["accessScope.allowedUserIds", 1]]},
            "start_once": {
                "key": [["organizationId", 1], ["userId", 1], ["clientId", 1]],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
        },
    },
    "chat_messages": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": [
                    "contentType",
                    "conversationId",
                    "createdAt",
                    "messageId",
                    "organizationId",
                    "role",
                    "seq",
                    "status",
                    "updatedAt",
                ],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "messageId": {"bsonType": "string"},
                    "conversationId": {"bsonType": "string"},
                    "seq": {"bsonType": ["int", "long"], "minimum": 1},
                    "role": {"bsonType": "string", "enum": ["user", "assistant", "system", "function"]},
                    "content": {"bsonType": "string"},
                    "contentType": {"bsonType": "string", "enum": ["text", "structured_data", "report_reference"]},
                    "userId": {"bsonType": ["string", "null"]},
                    "userRole": {"bsonType": ["string", "null"], "enum": ["owner", "leader", "manager", "agent", "guest", None]},
                    "branchId": {"bsonType": ["string", "null"]},
                    "departmentId": {"bsonType": ["string", "null"]},
                    "userName": {"bsonType": ["string", "null"]},
                    "clientId": {"bsonType": ["string", "null"]},
                    "answerTo": {"bsonType": ["string", "null"]},
                    "attempt": {"bsonType": ["int", "long"], "minimum": 1},
                    "lease": {
                        "bsonType": ["object", "null"],
                        "required": ["expiresAt"],
                        "properties": {"token": {"bsonType": ["string", "null"]}, "expiresAt": {"bsonType": "date"}},
                        "additionalProperties": False,
                    },
                    "finishedBy": {"bsonType": ["string", "null"]},
                    "queuedAt": {"bsonType": ["date", "null"]},
                    "startedAt": {"bsonType": ["date", "null"]},
                    "stopRequestedAt": {"bsonType": ["date", "null"]},
                    "aiModel": {"bsonType": ["string", "null"]},
                    "version": {"bsonType": ["string", "null"]},
                    "finishReason": {"bsonType": ["string", "null"]},
                    "aiResponseMetadata": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "tokensUsed": {"bsonType": ["int", "long"]},
                            "inputTokens": {"bsonType": ["int", "long"]},
                            "outputTokens": {"bsonType": ["int", "long"]},
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
                    "calls": {"bsonType": "array", "items": {"bsonType": "object"}},
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
                    "status": {"bsonType": "string", "enum": ["pending", "streaming", "sent", "interrupted", "error", "cancelled"]},
                    "errorDetails": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "errorCode": {"bsonType": "string"},
                            "errorMessage": {"bsonType": "string"},
                            "retryCount": {"bsonType": ["int", "long"]},
                        },
                        "additionalProperties": False,
                    },
                    "feedback": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "isHelpful": {"bsonType": ["bool", "null"]},
                            "rating": {"bsonType": ["int", "long", "null"], "minimum": 1, "maximum": 5},
                            "comment": {"bsonType": ["string", "null"]},
                            "submittedAt": {"bsonType": "date"},
                        },
                        "additionalProperties": False,
                    },
                    "createdAt": {"bsonType": "date"},
                    "updatedAt": {"bsonType": "date"},
                    "editedAt": {"bsonType": ["date", "null"]},
                    "deletedAt": {"bsonType": ["date", "null"]},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "messageId_1": {"key": [["messageId", 1]], "unique": True},
            "conversationId_1_createdAt_1": {"key": [["conversationId", 1], ["createdAt", 1]]},
            "userId_1_createdAt_-1": {"key": [["userId", 1], ["createdAt", -1]]},
            "referencedEmployees.employeeId_1": {"key": [["referencedEmployees.employeeId", 1]], "sparse": True},
            "status_1_createdAt_-1": {"key": [["status", 1], ["createdAt", -1]]},
            "place": {"key": [["organizationId", 1], ["conversationId", 1], ["seq", 1]], "unique": True},
            "send_once": {
                "key": [["organizationId", 1], ["conversationId", 1], ["userId", 1], ["clientId", 1]],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
            "answer_once": {
                "key": [["organizationId", 1], ["answerTo", 1]],
                "unique": True,
                "partialFilterExpression": {"answerTo": {"$type": "string"}},
            },
            "lease": {"key": [["lease.expiresAt", 1]], "sparse": True},
        },
    },
}


def up(database: Database):
    for name, declared in COLLECTIONS.items():
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
    for name in reversed(COLLECTIONS):
        database.drop_collection(name)
        yield f"dropped collection {name}"
