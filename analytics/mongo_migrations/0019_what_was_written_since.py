"""Days of which something was written later are found by an index: of events, and of messages once they have ended."""

from pymongo.database import Database

SETTLED = ["sent", "interrupted", "error", "cancelled"]
INDEXES = (
    ("user_activity_logs", "late", [("createdAt", 1), ("timestamp", 1)], {}),
    ("chat_messages", "changed", [("updatedAt", 1), ("createdAt", 1)], {"partialFilterExpression": {"status": {"$in": SETTLED}}}),
)


def up(database: Database):
    for collection, name, keys, options in INDEXES:
        database[collection].create_index(keys, name=name, **options)
        yield f"created index {name} on {collection}"


def down(database: Database):
    for collection, name, _, _ in INDEXES:
        if name in database[collection].index_information():
            database[collection].drop_index(name)
            yield f"dropped index {name} on {collection}"
