"""Documents as bytes, batch by batch, and as columns: whatever they have, in whatever order, however many digits their numbers have."""

import uuid
from datetime import UTC, date, datetime, timedelta

import bson
import numpy as np
import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st
from pymongo.read_preferences import SecondaryPreferred

from analytics.documents import AiChatSession, UserActivity
from analytics.rollups import columns, events, logs, raw
from analytics.services import fill
from analytics.windows import Day
from chat.documents import Message
from config import mongo
from tests.analytics.conftest import at

ORGANIZATION = "0199a0a0-0000-7000-8000-000000000000"
DAY = at(date(2028, 2, 29))


def array(documents):
    return bson.encode({str(place): document for place, document in enumerate(documents)})


@pytest.mark.parametrize("many", [0, 1, 9, 10, 11, 100, 101, 1_234])
def test_every_document_is_where_it_is_said_to_be(many):
    documents = [{"n": "n" * (number % 7)} for number in range(many)]
    whole, row = array(documents), b"".join(map(bson.encode, documents))
    assert columns.decoded(whole, columns.places_in_array(whole)) == documents
    assert columns.decoded(row, columns.places_in_row(row)) == documents


# What a field may be, missing included, and what is read of it.
ids = st.integers(1, 6).map(lambda number: str(uuid.UUID(int=number)))
words = st.sampled_from([*events.TYPES, *events.FEATURES, *events.ROLES, "", "PAGE_VIEW ", "page_view", "å" * 12, "x" * 25])
numbers = st.floats(-1, 2 * events.LONGEST) | st.integers(0, 200_000) | st.integers(0, 200_000).map(Int64)
MISSING = object()


def maybe(values):
    return st.just(MISSING) | st.none() | values


@st.composite
def documents(draw):
    """An event as it may stand in the log, its fields in any order."""
    metadata = {"feature": maybe(words), "success": maybe(st.booleans()), "duration": maybe(numbers), "page": maybe(words)}
    fields = {
        "organizationId": ids,
        "userId": ids,
        "sessionId": maybe(ids),
        "departmentId": maybe(ids),
        "timestamp": st.integers(0, 86_399_999).map(lambda after: DAY + timedelta(milliseconds=after)),
        "eventType": words,
        "userRole": maybe(words),
        "eventMetadata": maybe(st.fixed_dictionaries(metadata)),
    }
    made = {}
    for name in draw(st.permutations(list(fields))):
        value = draw(fields[name])
        if isinstance(value, dict):
            value = {name: inner for name, inner in value.items() if inner is not MISSING}
        if value is not MISSING:
            made[name] = value
    return made


def shown(document):
    """What MongoDB leaves of it (`events.SHOWN`)."""
    left = dict(document)
    if isinstance(metadata := left.get("eventMetadata"), dict):
        left["eventMetadata"] = {name: value for name, value in metadata.items() if name != "page"}
    return left


def plainly(document):
    """A row of the columns, one value at a time."""
    metadata = document.get("eventMetadata") or {}
    kind, feature, seconds = document["eventType"], metadata.get("feature"), metadata.get("duration")
    of_type = events.OF_TYPE[events.TYPES.index(kind)] if kind in events.TYPES else -1
    return {
        **{name: document.get(field) or events.NO_ID for name, field in events.IDS.items()},
        "time": (document["timestamp"].replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1),
        "type": events.TYPES.index(kind) if kind in events.TYPES else -1,
        "role": events.ROLES.index(role) if (role := document.get("userRole")) in events.ROLES else -1,
        "feature": events.FEATURES.index(feature) if feature in events.FEATURES else of_type,
        "success": {True: 1, False: 0, None: -1}[metadata.get("success")],
        "duration": round(seconds * 1e6) if seconds is not None and 0 <= seconds <= events.LONGEST else -1,
    }


def read_as_columns(documents):
    known = {name: events.Ids(events.NO_ID) for name in events.IDS}
    whole = array(documents)
    found = events._columns(whole, columns.places_in_array(whole), known)
    for name, of in known.items():
        found[name] = np.array(of.texts())[found[name]]
    return [{name: column[place].item() for name, column in found.items()} for place in range(len(documents))]


@given(st.lists(documents(), max_size=15))
def test_columns_are_what_stands_in_the_documents(made):
    assert read_as_columns([shown(document) for document in made]) == [plainly(bson.decode(bson.encode(one))) for one in made]


@pytest.mark.parametrize(
    "odd",
    [{"organizationId": "short"}, {"eventMetadata": {"duration": Decimal128("1.5")}}, {"sessionId": 7}, {"timestamp": None}, {"other": 1}],
)
def test_what_is_not_read_this_way_is_said_to_be(odd):
    usual = {"organizationId": ORGANIZATION, "userId": ORGANIZATION, "timestamp": DAY, "eventType": "LOGIN"}
    assert len(read_as_columns([usual])) == 1
    with pytest.raises(columns.UnreadableError):
        read_as_columns([usual, {**usual, **odd}])


def test_an_event_with_a_short_id_or_an_odd_number_is_counted_with_the_others(stores):
    usual = {"organizationId": ORGANIZATION, "userId": ORGANIZATION, "timestamp": DAY, "createdAt": DAY, "eventType": "LOGIN"}
    metadata = {"duration": 2.5, "success": True, "feature": "ai_consultation"}
    odd = [{"sessionId": "short"}, {"sessionId": "short", "eventMetadata": metadata}, {"sessionId": str(uuid.uuid4())}]
    mongo.collection(UserActivity).insert_many([{**usual, **each} for each in odd])
    found = events.read(Day.of(date(2028, 2, 29)))
    assert (len(found), found.sessions - 1, found.organizations[1:]) == (3, 2, [ORGANIZATION])
    assert sorted(found.duration.tolist()) == [-1, -1, 2_500_000]


def test_texts_are_told_apart_even_where_two_make_the_same_number(monkeypatch):
    monkeypatch.setattr(columns, "_multipliers", np.zeros(9, np.uint64))
    ids = [str(uuid.uuid4()) for _ in range(5)]
    made = [{"organizationId": ids[n % 5], "userId": ids[0], "timestamp": DAY, "eventType": "LOGIN"} for n in range(20)]
    assert [row["organization"] for row in read_as_columns(made)] == [ids[n % 5] for n in range(20)]


def test_names_that_begin_alike_and_long_words_are_refused():
    with pytest.raises(ValueError, match="begin alike"):
        columns.Fields(["organization", "organizationId"])
    with pytest.raises(ValueError, match="too long"):
        columns.Words(["x" * 25])


@pytest.fixture
def logged(stores):
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
    return raw.batches(UserActivity, pipeline, at_once=at_once)


@pytest.mark.parametrize("at_once", [10, 25, 100])
def test_every_batch_comes_once(logged, at_once):
    found = [document["userId"] for batch in read(at_once=at_once) for document in columns.decoded(*batch)]
    assert found == [f"{number:03}" for number in range(25)]


def test_nothing_is_no_batch(stores):
    assert list(read(at_once=10)) == []


def test_whoever_stops_leaves_no_cursor_open(logged):
    reading = read(at_once=5)
    next(reading)
    reading.close()
    assert mongo.client().admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"] == 0


@pytest.mark.parametrize("several", [{"is_mongos": True}, {"nodes": frozenset({("one", 1), ("two", 2)})}])
def test_cursors_of_several_servers_are_left_to_the_driver(logged, monkeypatch, several):
    for name, value in several.items():
        monkeypatch.setattr(type(mongo.client()), name, value)
    monkeypatch.setattr(raw, "_first", None)
    assert len([document for batch in read(at_once=10) for document in columns.decoded(*batch)]) == 25


def test_the_night_asks_a_copy_where_there_is_one(logged):
    """Of whatever it reads; the member of a replica set of one answers all the same."""
    for document in (UserActivity, AiChatSession, Message):
        assert logs.collection(document).read_preference == SecondaryPreferred(max_staleness=logs.STALE)
    assert logs.first(UserActivity, "timestamp") == DAY
    assert fill.OVERLAP.total_seconds() > logs.STALE
