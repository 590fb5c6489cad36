"""The listener that has every query of the app explained sees what it should see, and nothing else."""

import pytest

from chat import selectors
from chat.documents import Conversation, Message
from config import mongo
from tests import plans as planned
from tests.cast import make_cast
from tests.plans import Plans, pattern, plans, shape_of

ACME = "01900000-0000-7000-8000-00000000acee"


@pytest.fixture
def cast(stores):
    return make_cast()


@pytest.fixture
def own(_mongo_migrated, monkeypatch):
    """A look of this test's own, that takes its queries for the app's."""
    plans.take()
    own = Plans()
    monkeypatch.setattr(planned.watcher, "note", own.note)
    monkeypatch.setattr(planned, "is_the_apps", lambda frame: True)
    return own


def test_a_query_that_reads_a_whole_collection_is_found_once(own):
    for _ in range(2):
        list(mongo.collection(Message).find({"organizationId": ACME, "content": "x"}).limit(1))  # an index has its first field
        mongo.collection(Message).find_one({"tenant": ACME, "content": "x"}, comment="across-tenants: a test empties the store")
    [sentence] = own.take()
    assert sentence.startswith("find on chat_messages by [('filter', {'tenant': 'str', 'content': 'str'})] uses no index.")
    assert own.explained == 2
    assert own.take() == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda messages, query, why: messages.update_many(query, {"$set": {"content": "y"}}, comment=why),
        lambda messages, query, why: messages.delete_many(query, comment=why),
        lambda messages, query, why: messages.find_one_and_update(query, {"$set": {"content": "y"}}, comment=why),
        lambda messages, query, why: messages.find_one_and_delete(query, comment=why),
        lambda messages, query, why: messages.count_documents(query, comment=why),
        lambda messages, query, why: messages.distinct("content", query, comment=why),
        lambda messages, query, why: messages.aggregate([{"$match": query}], comment=why).to_list(),
        lambda messages, query, why: messages.find(query, comment=why).sort("content").to_list(),
    ],
)
def test_every_command_with_a_filter_is_looked_at(own, ask):
    messages = mongo.collection(Message)
    ask(messages, {"content": "x"}, "across-tenants: a test empties the store")
    [sentence] = own.take()
    assert "uses no index" in sentence
    ask(messages, {"organizationId": ACME, "conversationId": "x"}, "across-tenants: a test empties the store")
    assert own.take() == []


def test_values_are_no_part_of_a_shape_but_for_those_an_index_is_partial_by():
    def shape(**query):
        return shape_of("find", {"find": "chat_conversations", "filter": query})

    assert shape(conversationId="a") == shape(conversationId="b")
    assert shape(conversationId={"$in": ["a"]}) == shape(conversationId={"$in": ["b", "c"]})
    assert shape(conversationId="a") != shape(conversationId=None)
    assert shape(conversationId="a") != shape(conversationId={"$gt": "a"})
    assert shape(status="deleted") != shape(status="active")
    assert shape(isPinned=True) != shape(isPinned={"$ne": True})
    assert pattern({"$or": [{"a": 1}, {"a": 2}]}, name="filter") == {"$or": ["{'a': 'int'}"]}


def test_what_tests_ask_is_theirs_and_what_the_app_asks_is_looked_at(cast, monkeypatch):
    plans.take()
    own = Plans()
    monkeypatch.setattr(planned.watcher, "note", own.note)
    mongo.collection(Conversation).find_one({"organizationId": ACME, "title": "x"})
    assert own.waiting == {}
    selectors.inbox(cast.olive.membership)
    assert {shape[:2] for shape in own.waiting} == {("chat_conversations", "find")}
    assert own.take() == []


def test_what_mongodb_cannot_explain_now_is_explained_when_it_comes_again(own, monkeypatch):
    messages = mongo.collection(Message)
    monkeypatch.setattr(planned, "client", lambda: planned.pymongo.MongoClient("mongodb://127.0.0.1:1/", serverSelectionTimeoutMS=1))
    messages.find_one({"organizationId": ACME, "messageId": "x"})
    assert own.take() == []
    assert (own.explained, own.seen) == (0, set())
