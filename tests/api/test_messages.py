"""Messages: say, say again, read page by page, stop, retry."""

import uuid
from typing import Any

import orjson
import pytest
from django.conf import settings

from chat.choices import MessageStatus
from chat.documents import Conversation, Message
from chat.realtime import limits
from config import mongo
from tenants import scoping
from tenants.choices import Role
from tenants.models import ApiKey
from tests.api.conftest import errors_of, refused_field, signed_in, with_key
from tests.api.test_conversations import BAD_BODIES, MISSING, OPERATOR, start
from tests.cast import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(cast, olive) -> str:
    """The address of a fresh conversation's messages."""
    return f"conversations/{start(olive, cast)['id']}/messages"


def say(caller, talk: str, text: str = "How is Erik doing?", **fields) -> dict[str, Any]:
    response = caller.post(talk, {"text": text, **fields})
    assert response.status_code == 201, response.content
    return response.json()


def let(message: dict[str, Any], cast, **fields) -> None:
    """Makes a stored message what a test needs it to be; there is no worker here."""
    one = {"organizationId": str(cast.acme.id), "messageId": message["id"]}
    assert mongo.collection(Message).update_one(one, {"$set": fields}).matched_count == 1


# saying


def test_a_question_is_taken_and_its_answer_is_on_its_way(cast, olive, talk):
    said = say(olive, talk, "How is Erik doing? 🌱 שלום", client_id="c-1")
    assert set(said) == {"message", "answer"}
    message, answer = said["message"], said["answer"]
    for each in (message, answer):
        assert each.pop("created_at").endswith("Z")
    assert message == {
        "id": message["id"],
        "conversation": talk.split("/")[1],
        "seq": 1,
        "strand": 0,
        "edits": None,
        "role": "user",
        "author": {"id": str(cast.olive.user.id), "name": "Olive Olsen", "role": "owner"},
        "text": "How is Erik doing? 🌱 שלום",
        "parts": [],
        "html": message["html"],
        "status": "sent",
        "model": None,
        "version": None,
        "usage": None,
        "finish_reason": None,
        "confidence": None,
        "reused_from": None,
        "sources": [],
        "structured_data": None,
        "referenced_employees": [],
        "follow_ups": [],
        "attachments": [],
        "tools": [],
        "feedback": None,
        "error": None,
        "attempt": 1,
        "versions": 1,
        "answer_to": None,
        "reply_to": None,
        "client_id": "c-1",
        "edited_at": None,
    }
    assert answer == {
        **message,
        "id": answer["id"],
        "seq": 2,
        "role": "assistant",
        "author": None,
        "text": "",
        "html": "",
        "status": "pending",
        "answer_to": message["id"],
        "client_id": None,
    }


def test_the_same_message_sent_again_gives_the_same_body_and_asks_nothing_twice(cast, olive, talk):
    first = olive.post(talk, {"text": "Once.", "client_id": "same"})
    let(first.json()["answer"], cast, status=MessageStatus.SENT.value, content="An answer.", finishReason="stop")
    again = olive.post(talk, {"text": "Once.", "client_id": "same"})
    assert (again.status_code, again.content) == (201, first.content)
    assert len(olive.get(talk).json()["results"]) == 2


def test_the_same_client_id_with_another_text_is_a_422(olive, talk):
    say(olive, talk, "Once.", client_id="same")
    [error] = errors_of(olive.post(talk, {"text": "Twice?", "client_id": "same"}), 422)
    assert (error["code"], error["attr"]) == ("client_id_reused", "client_id")
    assert len(olive.get(talk).json()["results"]) == 2


def test_without_a_client_id_every_request_is_a_message_of_its_own(olive, talk):
    assert say(olive, talk)["message"]["id"] != say(olive, talk)["message"]["id"]


def test_texts_are_kept_to_the_last_character(olive, talk):
    for text in (
        " blanks around ",
        "line\nline\r\n\ttab",
        "\u202eright to left",
        "e\u0301 👩‍👩‍👧",
        '<script>alert("x")</script>',
        "x" * settings.TEXT_LIMIT,
    ):
        said = say(olive, talk, text)
        assert said["message"]["text"] == text
        assert olive.get(f"messages/{said['message']['id']}").json()["text"] == text


def test_a_bad_field_is_named_and_says_nothing(olive, talk):
    for field, body in [
        ("text", {}),
        ("text", {"text": ""}),
        ("text", {"text": " \n\t"}),
        ("text", {"text": "x" * (settings.TEXT_LIMIT + 1)}),
        ("text", {"text": None}),
        ("text", {"text": 5}),
        ("text", {"text": True}),
        ("text", {"text": ["a"]}),
        ("text", {"text": OPERATOR}),
        ("text", {"text": "\x00"}),
        ("client_id", {"text": "a", "client_id": OPERATOR}),
        ("client_id", {"text": "a", "client_id": 7}),
        ("client_id", {"text": "a", "client_id": ""}),
        ("client_id", {"text": "a", "client_id": "x" * 101}),
        ("role", {"text": "a", "role": "system"}),
        ("organizationId", {"text": "a", "organizationId": OPERATOR}),
        ("$set", {"text": "a", "$set": {"role": "system"}}),
    ]:
        assert refused_field(olive.post(talk, body)) == field, body
    for body in BAD_BODIES:
        errors_of(olive.send("POST", talk, body), 400)
    assert olive.get(talk).json()["results"] == []


def test_who_says_too_much_is_told_when_to_go_on(cast, monkeypatch):
    monkeypatch.setitem(limits.PER_MINUTE, Role.MANAGER, 2)
    talker = make_person(cast.acme, "Tim", "Talker", role=Role.MANAGER, branch=cast.north, department=cast.sales)
    tim = with_key(talker)
    talk = f"conversations/{start(tim, cast)['id']}/messages"
    first = say(tim, talk, "One.", client_id="one")
    say(tim, talk, "Two.")
    response = tim.post(talk, {"text": "Three."})
    [error] = errors_of(response, 429)
    assert error["code"] == "limit_reached"
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert tim.post(talk, {"text": "One.", "client_id": "one"}).json() == first
    assert len(tim.get(talk).json()["results"]) == 4


# reading


def seqs(page: dict[str, Any]) -> list[int]:
    return [message["seq"] for message in page["results"]]


def test_messages_come_newest_page_first_and_in_the_order_they_were_said(olive, talk):
    for number in range(6):
        say(olive, talk, f"Number {number}")
    page = olive.get(talk, {"limit": 5}).json()
    assert (seqs(page), page["next"]) == ([8, 9, 10, 11, 12], None)
    page = olive.get(page["previous"]).json()
    assert seqs(page) == [3, 4, 5, 6, 7]
    page = olive.get(page["previous"]).json()
    assert (seqs(page), page["previous"]) == ([1, 2], None)
    page = olive.get(page["next"]).json()
    assert seqs(page) == [3, 4, 5, 6, 7]
    page = olive.get(page["next"]).json()
    assert (seqs(page), page["next"]) == ([8, 9, 10, 11, 12], None)
    assert seqs(olive.get(talk, {"after": 0, "limit": 3}).json()) == [1, 2, 3]
    assert seqs(olive.get(talk, {"before": 4, "limit": 2}).json()) == [2, 3]
    assert seqs(olive.get(talk, {"after": 12}).json()) == []
    assert seqs(olive.get(talk).json()) == list(range(1, 13))


def test_a_bad_parameter_is_named(olive, talk):
    for name, value in [
        ("before", "x"),
        ("before", "0"),
        ("before", "-1"),
        ("before", "9" * 40),
        ("after", "1.5"),
        ("after", '{"$gt": 0}'),
        ("after", "²"),
        ("limit", "0"),
        ("limit", "101"),
        ("before[$gt]", "1"),
        ("cursor", "x"),
    ]:
        assert refused_field(olive.get(talk, {name: value})) == name, (name, value)
    assert refused_field(olive.get(talk, {"before": 3, "after": 1})) == "after"


def test_one_message_is_read(olive, talk):
    said = say(olive, talk)
    for each in said.values():
        assert olive.get(f"messages/{each['id']}").json() == each


def test_a_message_shows_what_its_answer_took(cast, olive, talk):
    answer = say(olive, talk)["answer"]
    let(
        answer,
        cast,
        status="sent",
        content="Well.",
        aiModel="gpt-4o-mini",
        finishReason="stop",
        aiResponseMetadata={"inputTokens": 12, "outputTokens": 3, "cost": None, "confidenceScore": 0.5, "sources": ["employee"]},
        structuredData={"analysisType": "one_to_one", "scores": {"Dr. Who": 70.5}, "dataPoints": {"goals": 92}},
        referencedEmployees=[{"employeeId": "e", "employeeName": "Erik Ek", "relevance": "Named in the answer."}],
        followUps=["And then?"],
    )
    shown = olive.get(f"messages/{answer['id']}").json()
    assert shown["structured_data"] == {
        "analysis_type": "one_to_one",
        "scores": {"Dr. Who": 70.5},
        "recommendations": [],
        "insights": [],
        "data_points": {"goals": 92},
    }
    assert shown["referenced_employees"] == [{"id": "e", "name": "Erik Ek", "relevance": "Named in the answer."}]
    assert shown["follow_ups"] == ["And then?"]
    assert shown["usage"] == {"input_tokens": 12, "output_tokens": 3, "cost": None}
    assert (shown["confidence"], shown["sources"], shown["finish_reason"]) == (0.5, ["employee"], "stop")


# stopping and retrying


def test_an_answer_is_stopped(cast, olive, talk):
    answer = say(olive, talk)["answer"]
    assert olive.post(f"messages/{answer['id']}/stop").json()["id"] == answer["id"]
    stored = mongo.collection(Message).find_one({"organizationId": str(cast.acme.id), "messageId": answer["id"]})
    assert stored["stopRequestedAt"] is not None
    again = olive.post(f"messages/{answer['id']}/stop")
    assert again.status_code == 200


def test_what_is_no_answer_cannot_be_stopped_or_retried(olive, talk):
    message = say(olive, talk)["message"]
    assert errors_of(olive.post(f"messages/{message['id']}/stop"), 409)[0]["code"] == "nothing_to_stop"
    assert errors_of(olive.post(f"messages/{message['id']}/retry"), 409)[0]["code"] == "nothing_to_retry"


def test_a_failed_answer_is_retried_as_the_next_attempt_and_only_then(cast, olive, talk):
    answer = say(olive, talk)["answer"]
    errors_of(olive.post(f"messages/{answer['id']}/retry"), 409)
    for attempt, status in enumerate(("interrupted", "error", "cancelled"), start=2):
        let(answer, cast, status=status, content="Half an ans", errorDetails={"errorCode": "x", "errorMessage": "Try again."})
        retried = olive.post(f"messages/{answer['id']}/retry").json()
        assert (retried["status"], retried["attempt"], retried["text"], retried["error"]) == ("pending", attempt, "", None)


# whose


def test_nobody_reaches_another_s_messages(cast, olive, greta, talk):
    said = say(olive, talk)
    for caller in (greta, with_key(cast.liam), with_key(cast.mona), with_key(cast.ada), with_key(cast.vera)):
        for message in (*said.values(), {"id": MISSING}):
            errors_of(caller.get(f"messages/{message['id']}"), 404)
            errors_of(caller.post(f"messages/{message['id']}/stop"), 404)
            errors_of(caller.post(f"messages/{message['id']}/retry"), 404)


def test_what_is_missing_is_a_404(olive):
    for identifier in (MISSING, uuid.uuid4(), "7", "%7B%22$gt%22:%22%22%7D"):
        errors_of(olive.get(f"messages/{identifier}"), 404)
        errors_of(olive.post(f"messages/{identifier}/stop"), 404)
        errors_of(olive.post(f"messages/{identifier}/retry"), 404)


def test_nobody_signed_in_is_a_401(cast, nobody):
    for method, address in [("GET", ""), ("POST", "/stop"), ("POST", "/retry")]:
        errors_of(nobody.send(method, f"messages/{MISSING}{address}", b"{}"), 401)


def test_a_method_that_is_not_there_is_a_405(olive):
    for address, allowed in [("", "GET, PATCH, HEAD"), ("/stop", "POST"), ("/retry", "POST")]:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if method not in allowed:
                response = olive.send(method, f"messages/{MISSING}{address}", b"{}")
                errors_of(response, 405)
                assert response.headers["Allow"] == allowed


def test_the_headers_say_what_may_still_be_sent(cast, talk):
    one = with_key(make_person(cast.acme, "Nora", "New", role=Role.OWNER))
    mine = f"conversations/{start(one, cast)['id']}/messages"
    first, second = (one.post(mine, {"text": text, "client_id": text}) for text in ("One?", "Two?"))
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("100", "99")
    assert second.headers["RateLimit-Remaining"] == "98"
    assert 0 < int(second.headers["RateLimit-Reset"]) <= 60


def test_a_message_that_is_too_long_is_refused_with_the_sentence_of_the_socket(olive, talk):
    [error] = errors_of(olive.post(talk, {"text": "x" * (settings.TEXT_LIMIT + 1)}), 400)
    assert (error["attr"], error["detail"]) == ("text", f"The message is too long. {settings.TEXT_LIMIT:,} characters are the most.")


# the key that it was asked with


def test_a_question_and_its_answer_name_the_key_of_the_program_and_no_key_of_a_person(cast, olive, talk):
    def keys(message):
        these = {"organizationId": str(cast.acme.pk), "conversationId": message["conversation"]}
        return [raw.get("apiKeyId") for raw in mongo.collection(Message).find(these).sort("seq")]

    with scoping.tenant(cast.acme):
        key = str(ApiKey.objects.for_tenant(cast.acme).get(membership=cast.olive.membership).pk)
    said = say(olive, talk)
    assert keys(said["message"]) == [key, key]
    assert key not in orjson.dumps(said).decode()
    let(said["answer"], cast, status="error")
    person = signed_in(cast.olive.user)
    assert person.post(f"messages/{said['answer']['id']}/retry").status_code == 200
    assert keys(said["message"]) == [key, None], "whose attempt it is holds it"
    let(said["answer"], cast, status="sent")
    assert olive.post(f"messages/{said['answer']['id']}/regenerate").status_code == 200
    assert keys(said["message"]) == [key, key]
    queue = talk.replace("/messages", "/queue")
    assert olive.post(queue, {"text": "And Ida?", "client_id": "two"}).status_code == 201
    waiting = mongo.collection(Conversation).find_one(
        {"organizationId": str(cast.acme.pk), "conversationId": said["message"]["conversation"]}
    )["queue"]["questions"]
    assert [question["apiKeyId"] for question in waiting] == [key]
