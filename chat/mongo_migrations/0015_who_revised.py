"""What a person had written anew is found when they are erased."""

from pymongo.database import Database

COLLECTION, NAME = "message_revisions", "revised_by"


def up(database: Database):
    database[COLLECTION].create_index([("organizationId", 1), ("revisedBy", 1)], name=NAME)
    yield f"created index {NAME} on {COLLECTION}"


def down(database: Database):
    if NAME in database[COLLECTION].index_information():
        database[COLLECTION].drop_index(NAME)
        yield f"dropped index {NAME} on {COLLECTION}"
