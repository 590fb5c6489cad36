"""The six logs of what people do: collections, validators and indexes (S4-76…121)."""

from typing import Any

from pymongo.database import Database
from pymongo.errors import CollectionInvalid

DECLARED: dict[str, Any] = {
    "ai_chat_session_logs": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": [
                    "conversationId",
                    "createdAt",
                    "organizationId",
                    "sessionEnded",
                    "sessionId",
                    "sessionStarted",
                    "updatedAt",
                    "userId",
                ],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "sessionId": {"bsonType": "string"},
                    "conversationId": {"bsonType": "string"},
                    "userId": {"bsonType": "string"},
                    "userRole": {"bsonType": ["string", "null"], "enum": ["owner", "leader", "manager", "agent", "guest", None]},
                    "sessionStarted": {"bsonType": "date"},
                    "sessionEnded": {"bsonType": "date"},
                    "messages": {
                        "bsonType": "array",
                        "items": {
                            "bsonType": "object",
                            "required": ["messageId", "role", "timestamp"],
                            "properties": {
                                "messageId": {"bsonType": "string"},
                                "role": {"bsonType": "string", "enum": ["USER", "ASSISTANT", "SYSTEM"]},
                                "tokenCount": {"bsonType": ["int", "long", "null"]},
                                "responseTime": {"bsonType": ["double", "int", "long", "null"]},
                                "timestamp": {"bsonType": "date"},
                                "metadata": {
                                    "bsonType": ["object", "null"],
                                    "properties": {
                                        "employeeIdsReferenced": {"bsonType": "array", "items": {"bsonType": "string"}},
                                        "queryType": {"bsonType": ["string", "null"]},
                                        "confidence": {"bsonType": ["double", "int", "long", "null"]},
                                        "sources": {"bsonType": "array", "items": {"bsonType": "string"}},
                                    },
                                    "additionalProperties": False,
                                },
                            },
                            "additionalProperties": False,
                        },
                    },
                    "sessionMetrics": {
                        "bsonType": "object",
                        "properties": {
                            "totalMessages": {"bsonType": ["int", "long"]},
                            "userMessages": {"bsonType": ["int", "long"]},
                            "aiResponses": {"bsonType": ["int", "long"]},
                            "totalTokens": {"bsonType": ["int", "long"]},
                            "averageResponseTime": {"bsonType": ["double", "int", "long", "null"]},
                            "employeesDiscussed": {"bsonType": "array", "items": {"bsonType": "string"}},
                        },
                        "additionalProperties": False,
                    },
                    "sessionContext": {
                        "bsonType": "object",
                        "properties": {
                            "initialQuery": {"bsonType": ["string", "null"]},
                            "queryType": {"bsonType": ["string", "null"]},
                            "departmentId": {"bsonType": ["string", "null"]},
                            "relatedReports": {"bsonType": "array", "items": {"bsonType": "string"}},
                        },
                        "additionalProperties": False,
                    },
                    "satisfactionFeedback": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "rating": {"bsonType": ["double", "int", "long", "null"], "minimum": 1, "maximum": 5},
                            "wasHelpful": {"bsonType": ["bool", "null"]},
                            "feedbackText": {"bsonType": ["string", "null"]},
                            "submittedAt": {"bsonType": ["date", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "createdAt": {"bsonType": "date"},
                    "updatedAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "sessionId_1": {"key": [["sessionId", 1]], "unique": True},
            "userId_1_sessionStarted_-1": {"key": [["userId", 1], ["sessionStarted", -1]]},
            "organizationId_1_sessionStarted_-1": {"key": [["organizationId", 1], ["sessionStarted", -1]]},
            "sessionContext.queryType_1": {"key": [["sessionContext.queryType", 1]]},
            "satisfactionFeedback.rating_1": {"key": [["satisfactionFeedback.rating", 1]]},
            "running": {"key": [["organizationId", 1], ["conversationId", 1], ["userId", 1], ["sessionEnded", -1]]},
            "messages.messageId_1": {"key": [["messages.messageId", 1]]},
            "sessionStarted_-1": {"key": [["sessionStarted", -1]]},
            "updatedAt_1": {"key": [["updatedAt", 1]]},
            "createdAt_1": {"key": [["createdAt", 1]], "expireAfterSeconds": 31536000},
        },
    },
    "dashboard_interactions": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": ["createdAt", "dashboardType", "interactionType", "organizationId", "timestamp", "userId"],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "userId": {"bsonType": "string"},
                    "sessionId": {"bsonType": ["string", "null"]},
                    "dashboardType": {"bsonType": "string", "enum": ["OWNER_DASHBOARD", "LEADER_DASHBOARD", "MANAGER_DASHBOARD"]},
                    "interactionType": {"bsonType": "string", "enum": ["WIDGET_LOAD", "WIDGET_REFRESH", "WIDGET_RESIZE", "WIDGET_REORDER"]},
                    "widgetId": {"bsonType": ["string", "null"]},
                    "widgetType": {
                        "bsonType": ["string", "null"],
                        "enum": ["METRICS_CARD", "CHART", "TABLE", "AI_CHAT", "NOTIFICATIONS", None],
                    },
                    "interactionData": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "action": {"bsonType": ["string", "null"]},
                            "previousState": {"bsonType": ["object", "null"]},
                            "newState": {"bsonType": ["object", "null"]},
                            "duration": {"bsonType": ["double", "int", "long", "null"]},
                            "dataLoaded": {"bsonType": ["bool", "null"]},
                            "errorOccurred": {"bsonType": ["bool", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "performanceMetrics": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "loadTime": {"bsonType": ["double", "int", "long", "null"]},
                            "renderTime": {"bsonType": ["double", "int", "long", "null"]},
                            "dataFetchTime": {"bsonType": ["double", "int", "long", "null"]},
                            "totalTime": {"bsonType": ["double", "int", "long", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "clientId": {"bsonType": ["string", "null"]},
                    "timestamp": {"bsonType": "date"},
                    "createdAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "userId_1_timestamp_-1": {"key": [["userId", 1], ["timestamp", -1]]},
            "organizationId_1_dashboardType_1": {"key": [["organizationId", 1], ["dashboardType", 1]]},
            "widgetType_1_timestamp_-1": {"key": [["widgetType", 1], ["timestamp", -1]]},
            "sessionId_1": {"key": [["sessionId", 1]]},
            "createdAt_1": {"key": [["createdAt", 1]], "expireAfterSeconds": 2592000},
            "send_once": {
                "key": [["organizationId", 1], ["userId", 1], ["clientId", 1]],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
        },
    },
    "metrics_buffer": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": ["aggregationStatus", "createdAt", "metricData", "metricType", "organizationId", "timestamp"],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "metricType": {"bsonType": "string", "enum": ["USER_ENGAGEMENT", "REPORT_GENERATION", "FEATURE_UTILIZATION"]},
                    "metricData": {
                        "bsonType": "object",
                        "required": ["value"],
                        "properties": {
                            "userId": {"bsonType": ["string", "null"]},
                            "value": {"bsonType": ["double", "int", "long"]},
                            "dimensions": {"bsonType": "object"},
                            "tags": {"bsonType": "array", "items": {"bsonType": "string"}},
                        },
                        "additionalProperties": False,
                    },
                    "aggregationStatus": {"bsonType": "string", "enum": ["PENDING", "PROCESSING", "AGGREGATED", "FAILED"]},
                    "aggregatedAt": {"bsonType": ["date", "null"]},
                    "claim": {"bsonType": ["string", "null"]},
                    "claimedAt": {"bsonType": ["date", "null"]},
                    "tries": {"bsonType": ["int", "long", "null"]},
                    "reason": {"bsonType": ["string", "null"]},
                    "timestamp": {"bsonType": "date"},
                    "createdAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "organizationId_1_timestamp_-1": {"key": [["organizationId", 1], ["timestamp", -1]]},
            "metricType_1_aggregationStatus_1": {"key": [["metricType", 1], ["aggregationStatus", 1]]},
            "aggregationStatus_1_createdAt_1": {"key": [["aggregationStatus", 1], ["createdAt", 1]]},
            "claim": {"key": [["claim", 1]], "partialFilterExpression": {"claim": {"$type": "string"}}},
            "aggregatedAt_1": {"key": [["aggregatedAt", 1]], "expireAfterSeconds": 604800},
        },
    },
    "notification_interaction_logs": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": ["createdAt", "interactionType", "notificationId", "notificationType", "organizationId", "timestamp", "userId"],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "notificationId": {"bsonType": "string"},
                    "userId": {"bsonType": "string"},
                    "notificationType": {
                        "bsonType": "string",
                        "enum": ["REPORT_READY", "QUARTERLY_UPDATE", "SYSTEM_ALERT", "USER_MENTION"],
                    },
                    "interactionType": {"bsonType": "string", "enum": ["DELIVERED", "VIEWED", "CLICKED", "DISMISSED", "SNOOZED"]},
                    "deliveryChannel": {"bsonType": ["string", "null"], "enum": ["IN_APP", "EMAIL", "WEBSOCKET", "SMS", None]},
                    "interactionData": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "timeToView": {"bsonType": ["double", "int", "long", "null"]},
                            "timeToClick": {"bsonType": ["double", "int", "long", "null"]},
                            "clickTarget": {"bsonType": ["string", "null"]},
                            "deviceType": {"bsonType": ["string", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "notificationContent": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "title": {"bsonType": ["string", "null"]},
                            "message": {"bsonType": ["string", "null"]},
                            "priority": {"bsonType": ["string", "null"], "enum": ["HIGH", "MEDIUM", "LOW", None]},
                            "category": {"bsonType": ["string", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "timestamp": {"bsonType": "date"},
                    "createdAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "notificationId_1": {"key": [["notificationId", 1]]},
            "userId_1_timestamp_-1": {"key": [["userId", 1], ["timestamp", -1]]},
            "organizationId_1_timestamp_-1": {"key": [["organizationId", 1], ["timestamp", -1]]},
            "notificationType_1_interactionType_1": {"key": [["notificationType", 1], ["interactionType", 1]]},
            "createdAt_1": {"key": [["createdAt", 1]], "expireAfterSeconds": 7776000},
        },
    },
    "report_access_logs": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": ["accessType", "accessedBy", "createdAt", "organizationId", "reportId", "reportType", "timestamp"],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "reportId": {"bsonType": "string"},
                    "reportType": {
                        "bsonType": "string",
                        "enum": [
                            "PERSONALITY_ROLE",
                            "BEHAVIOR_COMPANY",
                            "COMPATIBILITY_JOB",
                            "COMPATIBILITY_DEPARTMENT",
                            "COMPATIBILITY_COMPANY",
                            "COMPATIBILITY_INDUSTRY",
                            "QA_QUESTIONNAIRE",
                            "TRAINING_DEVELOPMENT",
                        ],
                    },
                    "employeeId": {"bsonType": ["string", "null"]},
                    "employeeName": {"bsonType": ["string", "null"]},
                    "accessedBy": {
                        "bsonType": "object",
                        "required": ["userId"],
                        "properties": {
                            "userId": {"bsonType": "string"},
                            "userName": {"bsonType": ["string", "null"]},
                            "userRole": {"bsonType": ["string", "null"], "enum": ["owner", "leader", "manager", "agent", "guest", None]},
                        },
                        "additionalProperties": False,
                    },
                    "departmentId": {"bsonType": ["string", "null"]},
                    "accessType": {"bsonType": "string", "enum": ["VIEW", "DOWNLOAD", "SHARE", "PRINT"]},
                    "accessMethod": {"bsonType": ["string", "null"], "enum": ["DIRECT_LINK", "DASHBOARD", "SEARCH", "NOTIFICATION", None]},
                    "accessDuration": {"bsonType": ["double", "int", "long", "null"]},
                    "pageViews": {"bsonType": ["int", "long", "null"]},
                    "deviceInfo": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "type": {"bsonType": ["string", "null"]},
                            "os": {"bsonType": ["string", "null"]},
                            "browser": {"bsonType": ["string", "null"]},
                            "screenResolution": {"bsonType": ["string", "null"]},
                            "userAgent": {"bsonType": ["string", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "geolocation": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "country": {"bsonType": ["string", "null"]},
                            "city": {"bsonType": ["string", "null"]},
                            "ipAddress": {"bsonType": ["string", "null"]},
                            "timezone": {"bsonType": ["string", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "timestamp": {"bsonType": "date"},
                    "createdAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "reportId_1_timestamp_-1": {"key": [["reportId", 1], ["timestamp", -1]]},
            "accessedBy.userId_1_timestamp_-1": {"key": [["accessedBy.userId", 1], ["timestamp", -1]]},
            "organizationId_1_timestamp_-1": {"key": [["organizationId", 1], ["timestamp", -1]]},
            "employeeId_1_timestamp_-1": {"key": [["employeeId", 1], ["timestamp", -1]]},
            "reportType_1_accessType_1": {"key": [["reportType", 1], ["accessType", 1]]},
            "timestamp_-1": {"key": [["timestamp", -1]]},
            "createdAt_1": {"key": [["createdAt", 1]], "expireAfterSeconds": 15552000},
        },
    },
    "user_activity_logs": {
        "validator": {
            "$jsonSchema": {
                "bsonType": "object",
                "required": ["createdAt", "eventType", "organizationId", "timestamp", "userId"],
                "properties": {
                    "organizationId": {"bsonType": "string"},
                    "userId": {"bsonType": "string"},
                    "sessionId": {"bsonType": ["string", "null"]},
                    "eventType": {
                        "bsonType": "string",
                        "enum": [
                            "PAGE_VIEW",
                            "BUTTON_CLICK",
                            "REPORT_VIEW",
                            "REPORT_DOWNLOAD",
                            "SEARCH_PERFORMED",
                            "FILTER_APPLIED",
                            "AI_CHAT_MESSAGE",
                            "EMPLOYEE_ADDED",
                            "EMPLOYEE_UPDATED",
                            "DASHBOARD_LOAD",
                            "NOTIFICATION_CLICKED",
                            "LOGIN",
                            "LOGOUT",
                            "DEPARTMENT_SETUP",
                            "USER_MANAGED",
                        ],
                    },
                    "eventCategory": {
                        "bsonType": ["string", "null"],
                        "enum": ["NAVIGATION", "INTERACTION", "DATA_ACCESS", "FEATURE_USE", None],
                    },
                    "eventAction": {"bsonType": ["string", "null"]},
                    "eventTarget": {"bsonType": ["string", "null"]},
                    "eventMetadata": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "page": {"bsonType": ["string", "null"]},
                            "component": {"bsonType": ["string", "null"]},
                            "feature": {"bsonType": ["string", "null"]},
                            "duration": {"bsonType": ["double", "int", "long", "null"]},
                            "success": {"bsonType": ["bool", "null"]},
                            "errorMessage": {"bsonType": ["string", "null"]},
                            "customData": {"bsonType": ["object", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "userRole": {"bsonType": ["string", "null"], "enum": ["owner", "leader", "manager", "agent", "guest", None]},
                    "departmentId": {"bsonType": ["string", "null"]},
                    "deviceInfo": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "type": {"bsonType": ["string", "null"]},
                            "os": {"bsonType": ["string", "null"]},
                            "browser": {"bsonType": ["string", "null"]},
                            "screenResolution": {"bsonType": ["string", "null"]},
                            "userAgent": {"bsonType": ["string", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "geolocation": {
                        "bsonType": ["object", "null"],
                        "properties": {
                            "country": {"bsonType": ["string", "null"]},
                            "city": {"bsonType": ["string", "null"]},
                            "ipAddress": {"bsonType": ["string", "null"]},
                            "timezone": {"bsonType": ["string", "null"]},
                        },
                        "additionalProperties": False,
                    },
                    "clientId": {"bsonType": ["string", "null"]},
                    "clockSkew": {"bsonType": ["double", "int", "long", "null"]},
                    "timestamp": {"bsonType": "date"},
                    "createdAt": {"bsonType": "date"},
                    "_id": {"bsonType": "objectId"},
                },
                "additionalProperties": False,
            }
        },
        "indexes": {
            "userId_1_timestamp_-1": {"key": [["userId", 1], ["timestamp", -1]]},
            "organizationId_1_timestamp_-1": {"key": [["organizationId", 1], ["timestamp", -1]]},
            "eventType_1_timestamp_-1": {"key": [["eventType", 1], ["timestamp", -1]]},
            "sessionId_1": {"key": [["sessionId", 1]]},
            "timestamp_-1": {"key": [["timestamp", -1]]},
            "eventMetadata.feature_1": {"key": [["eventMetadata.feature", 1]]},
            "createdAt_1": {"key": [["createdAt", 1]], "expireAfterSeconds": 7776000},
            "send_once": {
                "key": [["organizationId", 1], ["userId", 1], ["clientId", 1]],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
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
