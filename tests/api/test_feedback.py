"""Feedback on answers, and their versions: rate, write anew, read what was said before."""

import uuid
from typing import Any

import pytest

from chat.documents import Message
from chat.realtime import limits
from config import mongo
from tenants import roles
from tenants.choices import Role
from tenants.models import Grant
from tests.api.conftest import errors_of, refused_field, with_key
from tests.api.test_conversations import BAD_BODIES, MISSING, OPERATOR, start
from tests.api.test_messages import let, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(cast, olive) -> str:
    """The address of a fresh conversation's messages."""
    return f"conversations/{start(olive, cast)['id']}/messages"


def answered(caller, cast, talk: str, text: str = "Well, **fine**.") -> dict[str, Any]:
    """An answer that has ended; there is no worker here."""
    answer = say(caller, talk)["answer"]
    finish(answer, cast, text)
    return caller.get(f"messages/{answer['id']}").json()


def finish(answer: dict[str, Any], cast, text: str) -> None:
    metadata = {"inputTokens": 12, "outputTokens": 3, "confidenceScore": 0.5, "sources": ["employee"]}
    let(answer, cast, status="sent", content=text, aiModel="model-1", finishReason="stop", aiResponseMetadata=metadata, lease=None)


def rate(caller, answer: dict[str, Any], **said) -> dict[str, Any]:
    response = caller.post(f"messages/{answer['id']}/feedback", said)
    assert response.status_code == 200, response.content
    return response.json()["feedback"]


# rating


def test_an_answer_is_rated_and_its_conversation_with_it(cast, olive, talk):
    answer = answered(olive, cast, talk)
    given = rate(olive, answer, helpful=False, rating=4, comment="Clear. 🌱")
    assert given.pop("submitted_at").endswith("Z")
    assert given == {"helpful": False, "rating": 4, "comment": "Clear. 🌱"}
    shown = olive.get(f"messages/{answer['id']}").json()
    assert {**shown, "feedback": None} == answer
    assert olive.get(talk.removesuffix("/messages")).json()["satisfaction_rating"] == 4
    rate(olive, answered(olive, cast, talk), rating=5)
    assert olive.get(talk.removesuffix("/messages")).json()["satisfaction_rating"] == 4.5


def test_what_is_left_out_stays_and_null_takes_it_away(cast, olive, talk):
    answer = answered(olive, cast, talk)
    rate(olive, answer, helpful=True, rating=2)
    assert rate(olive, answer, comment="Short.")["helpful"] is True
    given = rate(olive, answer, helpful=None, comment="")
    assert (given["helpful"], given["rating"], given["comment"]) == (None, 2, None)
    assert rate(olive, answer, rating=None) is None


def test_a_bad_field_is_named_and_changes_nothing(cast, olive, talk):
    answer = answered(olive, cast, talk)
    address = f"messages/{answer['id']}/feedback"
    for field, body in [
        (None, {}),
        ("helpful", {"helpful": "true"}),
        ("helpful", {"helpful": 1}),
        ("helpful", {"helpful": OPERATOR}),
        ("rating", {"rating": 0}),
        ("rating", {"rating": 6}),
        ("rating", {"rating": -1}),
        ("rating", {"rating": 4.5}),
        ("rating", {"rating": "4"}),
        ("rating", {"rating": True}),
        ("rating", {"rating": OPERATOR}),
        ("comment", {"comment": "x" * 2_001}),
        ("comment", {"comment": "\x00"}),
        ("comment", {"comment": 5}),
        ("comment", {"comment": ["a"]}),
        ("comment", {"comment": OPERATOR}),
        ("feedback.isHelpful", {"helpful": True, "feedback.isHelpful": True}),
        ("submittedAt", {"rating": 4, "submittedAt": OPERATOR}),
        ("$set", {"rating": 4, "$set": {"status": "sent"}}),
    ]:
        assert refused_field(olive.post(address, body)) == field, body
    for body in BAD_BODIES:
        errors_of(olive.send("POST", address, body), 400)
    assert olive.get(f"messages/{answer['id']}").json() == answer
    assert rate(olive, answer, comment="x" * 2_000)["comment"] == "x" * 2_000


def test_only_an_answer_that_has_ended_is_rated(cast, olive, talk):
    said = say(olive, talk)
    for message in said.values():
        [error] = errors_of(olive.post(f"messages/{message['id']}/feedback", {"helpful": True}), 409)
        assert error["code"] == "nothing_to_rate"
    for status in ("interrupted", "error", "cancelled"):
        let(said["answer"], cast, status=status)
        rate(olive, said["answer"], helpful=False)


# writing anew


def test_the_newest_answer_is_written_anew_and_its_versions_are_read(cast, olive, talk):
    first = answered(olive, cast, talk)
    rate(olive, first, rating=1)
    first = olive.get(f"messages/{first['id']}").json()
    assert olive.get(f"messages/{first['id']}/versions").json() == {"results": [first]}
    again = olive.post(f"messages/{first['id']}/regenerate").json()
    assert (again["status"], again["text"], again["attempt"], again["versions"]) == ("pending", "", 2, 2)
    assert (again["feedback"], again["model"], again["usage"]) == (None, None, None)
    assert olive.get(f"messages/{first['id']}/versions").json() == {"results": [{**first, "versions": 2}, again]}
    assert olive.get(talk.removesuffix("/messages")).json()["satisfaction_rating"] is None
    finish(again, cast, "<script>alert(1)</script> Second.")
    olive.post(f"messages/{first['id']}/regenerate")
    texts = [version["text"] for version in olive.get(f"messages/{first['id']}/versions").json()["results"]]
    assert texts == [first["text"], "<script>alert(1)</script> Second.", ""]
    assert "<script" not in olive.get(f"messages/{first['id']}/versions").json()["results"][1]["html"]


def test_what_cannot_be_written_anew_says_why(cast, olive, talk):
    said = say(olive, talk)
    for message in said.values():
        [error] = errors_of(olive.post(f"messages/{message['id']}/regenerate"), 409)
        assert error["code"] == "nothing_to_regenerate"
    finish(said["answer"], cast, "Well.")
    say(olive, talk)
    [error] = errors_of(olive.post(f"messages/{said['answer']['id']}/regenerate"), 409)
    assert error["code"] == "not_the_newest"


def test_it_counts_as_a_message(cast, olive, talk, monkeypatch):
    answer = answered(olive, cast, talk)
    monkeypatch.setitem(limits.PER_MINUTE, Role.OWNER, 1)
    response = olive.post(f"messages/{answer['id']}/regenerate")
    assert errors_of(response, 429)[0]["code"] == "limit_reached"
    assert 1 <= int(response.headers["Retry-After"]) <= 60


def test_the_same_question_sent_again_is_acknowledged_as_it_was(cast, olive, talk):
    first = olive.post(talk, {"text": "Once.", "client_id": "same"})
    finish(first.json()["answer"], cast, "Well.")
    rate(olive, first.json()["answer"], rating=3)
    olive.post(f"messages/{first.json()['answer']['id']}/regenerate")
    again = olive.post(talk, {"text": "Once.", "client_id": "same"})
    assert (again.status_code, again.content) == (201, first.content)


def test_neither_takes_a_field_it_does_not_know(cast, olive, talk):
    answer = answered(olive, cast, talk)
    assert refused_field(olive.post(f"messages/{answer['id']}/regenerate", {"model": "x"})) == "model"
    assert refused_field(olive.get(f"messages/{answer['id']}/versions", {"attempt[$gt]": "0"})) == "attempt[$gt]"


# whose


ADDRESSES = (("POST", "regenerate"), ("GET", "versions"), ("POST", "feedback"))


def test_nobody_reaches_another_s_answers(cast, olive, greta, talk):
    answer = answered(olive, cast, talk)
    for caller in (greta, with_key(cast.liam), with_key(cast.mona), with_key(cast.ada), with_key(cast.vera)):
        for identifier in (answer["id"], MISSING):
            for method, verb in ADDRESSES:
                body = b'{"helpful": true}' if verb == "feedback" else b"{}"
                errors_of(caller.send(method, f"messages/{identifier}/{verb}", body), 404)
    assert olive.get(f"messages/{answer['id']}").json() == answer


def test_a_role_without_the_grant_reads_and_does_not_rate(cast, olive, talk):
    answer = answered(olive, cast, talk)
    Grant.objects.filter(role=Role.OWNER, permission__code="chat:message:feedback").delete()
    roles.forget()
    try:
        errors_of(olive.post(f"messages/{answer['id']}/feedback", {"helpful": True}), 403)
        assert olive.get(f"messages/{answer['id']}/versions").status_code == 200
    finally:
        roles.forget()


def test_what_is_missing_is_a_404(olive):
    for identifier in (MISSING, uuid.uuid4(), "7", "%7B%22$gt%22:%22%22%7D"):
        for method, verb in ADDRESSES:
            errors_of(olive.send(method, f"messages/{identifier}/{verb}", b'{"rating": 4}' if verb == "feedback" else b"{}"), 404)


def test_nobody_signed_in_is_a_401(nobody):
    for method, verb in ADDRESSES:
        errors_of(nobody.send(method, f"messages/{MISSING}/{verb}", b"{}"), 401)


def test_a_method_that_is_not_there_is_a_405(olive):
    for allowed, verb in ADDRESSES:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - {allowed}:
            errors_of(olive.send(method, f"messages/{MISSING}/{verb}", b"{}"), 405)


def test_the_organization_is_kept_with_every_revision(cast, olive, talk):
    answer = answered(olive, cast, talk)
    olive.post(f"messages/{answer['id']}/regenerate")
    one = {"organizationId": str(cast.acme.id), "messageId": answer["id"]}
    [revision] = mongo.database()["message_revisions"].find(one)
    message = mongo.collection(Message).find_one(one)
    assert (revision["conversationId"], revision["attempt"], revision["revisedBy"]) == (
        message["conversationId"],
        1,
        str(cast.olive.user.id),
    )
