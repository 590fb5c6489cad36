"""Text indexes over titles and messages, which begin with the organization (S0-138, S1-71, S1-74)."""

from pymongo.database import Database

NAME = "search"
INDEXES = {
    "chat_conversations": {"key": [("organizationId", 1), ("title", "text")], "default_language": "none"},
    "chat_messages": {
        "key": [("organizationId", 1), ("content", "text")],
        "default_language": "none",
        "partialFilterExpression": {"status": {"$in": ["sent", "interrupted", "error", "cancelled"]}},
    },
}


def up(database: Database):
    for collection, spec in INDEXES.items():
        options = {option: value for option, value in spec.items() if option != "key"}
        database[collection].create_index(spec["key"], name=NAME, **options)
        yield f"created index {NAME} on {collection}"


def down(database: Database):
    for collection in reversed(INDEXES):
        if NAME in database[collection].index_information():
            database[collection].drop_index(NAME)
            yield f"dropped index {NAME} on {collection}"
