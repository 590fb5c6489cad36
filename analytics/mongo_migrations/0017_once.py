"""What became of a notification is kept once however often it is sent; the buffer's pending entries have an index of their own."""

from typing import Any

from pymongo.database import Database

BUFFER, NOTIFICATIONS = "metrics_buffer", "notification_interaction_logs"
WHY_ACROSS = "across-tenants: what the validator of an older version refuses is taken away, of everybody"


def up(database: Database):
    yield from _set(database, {"bsonType": ["string", "null"]})
    database[NOTIFICATIONS].create_index(
        [("organizationId", 1), ("userId", 1), ("clientId", 1)],
        name="send_once",
        unique=True,
        partialFilterExpression={"clientId": {"$type": "string"}},
    )
    yield f"created index send_once on {NOTIFICATIONS}"
    database[BUFFER].create_index(
        [("organizationId", 1), ("createdAt", 1)], name="pending", partialFilterExpression={"aggregationStatus": "PENDING"}
    )
    yield f"created index pending on {BUFFER}"


def down(database: Database):
    for collection, index in ((BUFFER, "pending"), (NOTIFICATIONS, "send_once")):
        if index in database[collection].index_information():
            database[collection].drop_index(index)
            yield f"dropped index {index} on {collection}"
    database[NOTIFICATIONS].update_many({"clientId": {"$exists": True}}, {"$unset": {"clientId": ""}}, comment=WHY_ACROSS)
    yield f"took clientId from {NOTIFICATIONS}"
    yield from _set(database, None)


def _set(database: Database, client_id: dict[str, Any] | None):
    """Changes this property of the live validator and leaves the others."""
    validator = next(database.list_collections(filter={"name": NOTIFICATIONS}))["options"]["validator"]
    properties = validator["$jsonSchema"]["properties"]
    properties.pop("clientId", None)
    if client_id is not None:
        properties["clientId"] = client_id
    database.command("collMod", NOTIFICATIONS, validator=validator)
    yield f"set the validator of {NOTIFICATIONS}"
