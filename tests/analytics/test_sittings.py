"""What people and the AI said to each other, sitting by sitting, without a word of it."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from bson import encode

from analytics import tracking
from analytics.choices import SessionMessageRole
from analytics.documents import BufferedMetric
from analytics.services.sittings import Rated, Said, say
from chat import access
from chat.choices import MessageStatus
from chat.documents import Message
from chat.services import conversations, feedback, imports, totals, turns
from config import loop, mongo
from tenants import scoping
from tests.analytics.reading import events, kept, sittings

NINE = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def question(cast, name, *, at, **changes):
    return said(cast, name, at=at, role=SessionMessageRole.USER, query_type="one_to_one", employee_ids=("e1",), **changes)


def answer(cast, name, *, at, tokens=10, took=2_000.0, **changes):
    return said(cast, name, at=at, role=SessionMessageRole.ASSISTANT, token_count=tokens, response_time=took, **changes)


def said(cast, name, *, at, **changes):
    fields = {
        "organization_id": str(cast.acme.pk),
        "conversation_id": "c1",
        "user_id": "u1",
        "user_role": "owner",
        "department_id": None,
        "message_id": name,
        "timestamp": NINE + timedelta(minutes=at),
    }
    return Said(**{**fields, **changes})


def note(*things):
    for thing in things:
        tracking.note(thing)
    assert tracking.flush(timeout=10)


def test_half_an_hour_of_silence_ends_a_sitting(cast):
    note(question(cast, "q1", at=0), answer(cast, "a1", at=0), question(cast, "q2", at=29))
    note(question(cast, "q3", at=60), answer(cast, "a3", at=60, tokens=5))
    note(question(cast, "q4", at=1, conversation_id="c2"), question(cast, "q5", at=1, user_id="u2"))
    found = [(row["conversationId"], row["userId"], [message["messageId"] for message in row["messages"]]) for row in sittings(cast.acme)]
    assert sorted(found) == [
        ("c1", "u1", ["q1", "a1", "q2"]),
        ("c1", "u1", ["q3", "a3"]),
        ("c1", "u2", ["q5"]),
        ("c2", "u1", ["q4"]),
    ]
    assert len({row["sessionId"] for row in sittings(cast.acme)}) == 4
    assert len(kept(BufferedMetric, cast.acme)) == 4


def test_one_batch_holds_sittings_of_several_organizations(cast):
    theirs = {"organization_id": str(cast.globex.pk)}
    note(question(cast, "q1", at=0), question(cast, "q2", at=0, **theirs), answer(cast, "a1", at=1), answer(cast, "a2", at=1, **theirs))
    for organization, messages in ((cast.acme, ["q1", "a1"]), (cast.globex, ["q2", "a2"])):
        assert [[message["messageId"] for message in row["messages"]] for row in sittings(organization)] == [messages]


def test_several_processes_that_are_told_of_the_same_begin_a_sitting_once(cast):
    told, begun, start = [question(cast, f"q{n}", at=n % 3, conversation_id=f"c{n}") for n in range(30)], [], threading.Barrier(3)

    def work(nth):
        start.wait()
        begun.extend(say(told[nth:] + told[:nth], now=NINE))

    workers = [threading.Thread(target=work, args=(nth,)) for nth in (0, 10, 20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(row["conversationId"] for row in begun) == sorted(f"c{n}" for n in range(30))
    assert sorted((row["conversationId"], len(row["messages"])) for row in sittings(cast.acme)) == sorted((f"c{n}", 1) for n in range(30))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_sitting_adds_up_to_the_same_in_whatever_order_and_however_often_it_is_told(cast, backwards):
    things = [
        question(cast, "q1", at=0),
        answer(cast, "a1", at=0, tokens=10, took=1_000.0, employee_ids=("e2",), confidence=0.5, sources=("employee:e2",)),
        question(cast, "q2", at=5),
        answer(cast, "a2", at=5, tokens=30, took=3_000.0, employee_ids=("e1", "e2")),
    ]
    note(*(reversed(things) if backwards else things))
    (before,) = sittings(cast.acme)
    note(*things)
    assert sittings(cast.acme) == [before]
    assert before["sessionMetrics"] == {
        "totalMessages": 4,
        "userMessages": 2,
        "aiResponses": 2,
        "totalTokens": 40,
        "averageResponseTime": 2_000.0,
        "employeesDiscussed": ["e1", "e2"],
    }
    assert before["sessionContext"] == {"initialQuery": "q1", "queryType": "one_to_one", "departmentId": None, "relatedReports": []}
    assert [message["messageId"] for message in before["messages"]] == ["q1", "a1", "q2", "a2"]
    assert (before["sessionStarted"], before["sessionEnded"]) == (NINE, NINE + timedelta(minutes=5, seconds=3))
    assert before["messages"][1]["metadata"] == {
        "employeeIdsReferenced": ["e2"],
        "queryType": None,
        "confidence": 0.5,
        "sources": ["employee:e2"],
    }


def test_a_further_attempt_takes_the_place_of_the_one_before(cast):
    note(question(cast, "q1", at=0), answer(cast, "a1", at=0, tokens=10), answer(cast, "a1", at=0, tokens=70, took=9_000.0))
    (row,) = sittings(cast.acme)
    assert (row["sessionMetrics"]["totalMessages"], row["sessionMetrics"]["totalTokens"]) == (2, 70)


def test_what_is_said_last_of_an_answer_is_kept_even_if_it_comes_first(cast):
    now = datetime.now(UTC).replace(microsecond=0)
    late = answer(cast, "a1", at=0)
    fresh = Said(**{name: getattr(late, name) for name in Said.__slots__} | {"timestamp": now})
    note(Rated(fresh, rating=4.0, was_helpful=True, comment="Clear.", submitted_at=now + timedelta(seconds=9)))
    note(Rated(fresh, rating=1.0, was_helpful=False, comment=None, submitted_at=now + timedelta(seconds=3)))
    note(fresh)
    (row,) = sittings(cast.acme)
    assert row["satisfactionFeedback"] == {
        "rating": 4.0,
        "wasHelpful": True,
        "feedbackText": "Clear.",
        "submittedAt": now + timedelta(seconds=9),
    }
    note(Rated(answer(cast, "long ago", at=-90_000), rating=5.0, was_helpful=None, comment=None, submitted_at=now))
    assert len(sittings(cast.acme)) == 1


def finish(taken, **changes):
    """The answer as a worker saves it."""
    one = {"organizationId": taken.answer.organization_id, "messageId": taken.answer.id}
    metadata = {"inputTokens": 7, "outputTokens": 3, "responseTime": 800.0, "confidenceScore": 0.8}
    ended = {"status": MessageStatus.SENT.value, "content": "He is fine.", "aiResponseMetadata": metadata, **changes}
    mongo.collection(Message).update_one(one, {"$set": ended})
    found = access.MessageRecord.read(mongo.collection(Message).find_one(one))
    loop.run(totals.count_end(found, now=found.created_at))
    return found


def test_a_turn_is_an_event_and_a_sitting_and_says_nothing_of_what_was_said(cast):
    with scoping.tenant(cast.acme):
        employee = cast.employees["Erik Ek"]
        talk = conversations.start(cast.olive.membership, type="one_to_one", subject_employee_ids=[employee.pk])
        for _ in range(2):  # sent again, it is the same
            taken = turns.submit(cast.olive.membership, talk, text="How is Erik, between us?", client_id="one")
        rated = finish(taken)
        feedback.give(cast.olive.membership, rated, helpful=True, rating=5)
    (event,) = events(cast.acme, eventType="AI_CHAT_MESSAGE")
    assert (event["userId"], event["eventTarget"], event["timestamp"]) == (
        str(cast.olive.user.pk),
        talk.id,
        taken.message.created_at.replace(microsecond=taken.message.created_at.microsecond // 1000 * 1000),
    )
    (row,) = sittings(cast.acme)
    assert [(message["messageId"], message["role"]) for message in row["messages"]] == [
        (taken.message.id, "USER"),
        (taken.answer.id, "ASSISTANT"),
    ]
    assert (row["sessionMetrics"]["totalTokens"], row["sessionMetrics"]["averageResponseTime"]) == (10, 800.0)
    assert row["sessionMetrics"]["employeesDiscussed"] == [str(employee.pk)]
    assert (row["satisfactionFeedback"]["rating"], row["satisfactionFeedback"]["wasHelpful"]) == (5, True)
    assert b"between us" not in encode(row)
    assert b"He is fine" not in encode(row)


def test_an_answer_that_failed_and_what_was_brought_in_from_elsewhere_are_in_no_sitting(cast):
    with scoping.tenant(cast.acme):
        talk = conversations.start(cast.olive.membership, type="one_to_one", subject_employee_ids=[cast.employees["Erik Ek"].pk])
        taken = turns.submit(cast.olive.membership, talk, text="How is Erik?", client_id="one")
        finish(taken, status=MessageStatus.ERROR.value)
        again = turns.submit(cast.olive.membership, talk, text="And now?", client_id="two")
        finish(again, aiResponseMetadata={"provider": imports.PROVIDER, "responseTime": 1.0})
    (row,) = sittings(cast.acme)
    assert [message["role"] for message in row["messages"]] == ["USER", "USER"]
