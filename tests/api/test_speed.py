"""Long lists cost what their page costs: what MongoDB looks at is counted, and our own work is timed."""

import copy
import statistics
import time
from datetime import UTC, datetime, timedelta

import pymongo
import pytest
import uuid_utils.compat as uuid

from chat.documents import Conversation, Message
from config import mongo
from tests.api.conftest import with_key
from tests.api.test_conversations import start
from tests.api.test_messages import let, say

pytestmark = pytest.mark.django_db

MANY = 10_000
PAGE = 50
REQUESTS = 20
LIMIT = 0.100  # seconds
ANSWER = "**Erik** has *shown* this in `three` ways:\n\n" + "\n".join(f"- point {n} with some words about it" for n in range(8))


@pytest.fixture(scope="module")
def crowded(cast):
    """Olive's 10,000 conversations, one of which has 10,000 messages; copies of what the API made."""
    olive = with_key(cast.olive)
    conversation = start(olive, cast)["id"]
    said = say(olive, f"conversations/{conversation}/messages")
    let(said["answer"], cast, status="sent", content=ANSWER, finishReason="stop")
    where = {"organizationId": str(cast.acme.id), "conversationId": conversation}
    question, answer = mongo.collection(Message).find(where, sort=[("seq", 1)])
    answer.pop("lease", None)
    rows = []
    for seq in range(3, MANY + 1):
        row = copy.deepcopy(question if seq % 2 else answer)
        row.pop("_id")
        row.update(messageId=str(uuid.uuid7()), seq=seq)
        row["clientId" if seq % 2 else "answerTo"] = str(uuid.uuid7())
        rows.append(row)
    with pymongo.timeout(60):
        mongo.collection(Message).insert_many(rows)
    mongo.collection(Conversation).update_one(where, {"$set": {"messageCount": MANY, "lastMessageAt": datetime.now(UTC)}})
    model = mongo.collection(Conversation).find_one(where)
    others = []
    for number in range(MANY):
        row = {**model, "conversationId": str(uuid.uuid7()), "messageCount": 2, "title": f"About one employee: number {number}"}
        row.pop("_id")
        row["lastMessageAt"] = model["lastMessageAt"] - timedelta(minutes=number)
        if number % 3 == 0:  # of a colleague, not to be seen
            row["userId"] = str(cast.liam.user.id)
        others.append(row)
    with pymongo.timeout(60):
        mongo.collection(Conversation).insert_many(others)
    return olive, conversation


def typical(action) -> float:
    """Our own seconds of work for the median request. (Time on the clock is the benchmark's to take, where nothing else runs.)"""
    taken = []
    for _ in range(REQUESTS):
        begun = time.process_time()
        action()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def examined(action) -> int:
    """Documents that MongoDB looked at for a request, by its own profiler."""
    database = mongo.database()
    database.command("profile", 2)
    try:
        assert action().status_code == 200
    finally:
        database.command("profile", 0)
    operations = list(database["system.profile"].find({"ns": {"$regex": "chat_"}}))
    database["system.profile"].drop()
    assert operations
    return sum(operation["docsExamined"] for operation in operations)


def test_a_page_of_a_long_conversation_costs_what_the_page_costs(crowded):
    olive, conversation = crowded
    talk = f"conversations/{conversation}/messages"
    page = olive.get(talk).json()
    assert [message["seq"] for message in page["results"]] == list(range(MANY - PAGE + 1, MANY + 1))
    for place in ({}, {"before": 5_000}, {"after": 5_000}):
        assert examined(lambda place=place: olive.get(talk, place)) <= PAGE + 2  # the conversation, and one to see whether there are more
        assert typical(lambda place=place: olive.get(talk, place)) < LIMIT


def test_a_page_of_many_conversations_costs_what_the_page_costs(crowded):
    olive, _ = crowded
    address = "conversations"
    for _ in range(3):
        page = olive.get(address).json()
        assert len(page["results"]) == PAGE
        assert examined(lambda address=address: olive.get(address)) <= PAGE + 2  # its neighbours on both sides
        assert typical(lambda address=address: olive.get(address)) < LIMIT
        address = page["next"]
