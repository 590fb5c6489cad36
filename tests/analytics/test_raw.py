"""Documents as bytes, batch by batch: what a cursor gives, however many digits their numbers have and however long they are."""

from datetime import date, timedelta

import bson
import pytest

from analytics.documents import UserActivity
from analytics.rollups import raw
from config import mongo
from tests.analytics.conftest import at

ORGANIZATION = "0199a0a0-0000-7000-8000-000000000000"
DAY = at(date(2028, 2, 29))


def array(documents):
    return bson.encode({str(place): document for place, document in enumerate(documents)})


@pytest.mark.parametrize("many", [1, 9, 10, 11, 100, 101, 1_234])
def test_documents_as_long_as_each_other_are_joined_as_they_are(monkeypatch, many):
    documents = [{"n": number} for number in range(many)]
    whole = b"".join(map(bson.encode, documents))
    given = array(documents)
    monkeypatch.setattr(bson, "decode", None)  # it is not needed
    assert raw.stream(given, size=len(bson.encode({"n": 1}))) == whole


@pytest.mark.parametrize("odd", [0, 7, 10, 49])
def test_where_one_is_longer_all_are_decoded(odd):
    documents = [{"n": "long" if number == odd else "n"} for number in range(50)]
    assert raw.stream(array(documents), size=len(bson.encode({"n": "n"}))) == b"".join(map(bson.encode, documents))


@pytest.fixture
def events(stores):
    made = [
        {"organizationId": ORGANIZATION, "userId": f"{number:03}", "eventType": "PAGE_VIEW", "timestamp": DAY, "createdAt": DAY}
        for number in range(25)
    ]
    mongo.collection(UserActivity).insert_many(made)


def read(*, at_once):
    pipeline = [
        {"$match": {"timestamp": {"$gte": DAY, "$lt": DAY + timedelta(days=1)}}},
        {"$sort": {"userId": 1}},
        {"$project": {"_id": 0, "userId": 1}},
    ]
    return raw.batches(UserActivity, pipeline, size=len(bson.encode({"userId": "000"})), at_once=at_once)


@pytest.mark.parametrize("at_once", [10, 25, 100])
def test_every_batch_comes_once(events, at_once):
    found = [document["userId"] for batch in read(at_once=at_once) for document in bson.decode_all(batch)]
    assert found == [f"{number:03}" for number in range(25)]


def test_nothing_is_no_batch(stores):
    assert list(read(at_once=10)) == []


def test_whoever_stops_leaves_no_cursor_open(events):
    reading = read(at_once=5)
    next(reading)
    reading.close()
    assert mongo.client().admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"] == 0


def test_a_router_s_cursors_are_left_to_the_driver(events, monkeypatch):
    monkeypatch.setattr(type(mongo.client()), "is_mongos", True)
    monkeypatch.setattr(raw, "_first", None)
    assert len([document for batch in read(at_once=10) for document in bson.decode_all(batch)]) == 25
