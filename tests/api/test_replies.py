"""A question that replies to a message of its conversation shows how that began, and leads to it."""

import pytest

from chat.documents import Message
from chat.services.replies import EXCERPT
from config import mongo
from tests.api.conftest import errors_of
from tests.api.test_conversations import start
from tests.api.test_export import file_of
from tests.api.test_import import take
from tests.api.test_messages import let, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(cast, olive) -> str:
    return f"conversations/{start(olive, cast)['id']}/messages"


@pytest.fixture
def answered(cast, olive, talk):
    """A question and its answer, which has ended."""
    said = say(olive, talk)
    let(said["answer"], cast, status="sent", content="He *listens*. " + "x" * 400, lease=None)
    return said


def test_it_shows_who_said_what_and_where(cast, olive, talk, answered):
    message = say(olive, talk, "Since when?", reply_to=answered["answer"]["id"])["message"]
    assert message["reply_to"] == {
        "id": answered["answer"]["id"],
        "seq": 2,
        "strand": 0,
        "role": "assistant",
        "author": None,
        "text": ("He listens. " + "x" * 400)[:EXCERPT] + "…",
    }
    assert olive.get(f"messages/{message['id']}").json() == message
    own = say(olive, talk, "I meant now.", reply_to=message["id"])["message"]["reply_to"]
    assert (own["author"], own["text"], own["seq"]) == ("Olive Olsen", "Since when?", 3)


def test_what_is_of_elsewhere_or_nothing_yet_is_refused_and_nothing_is_asked(cast, olive, greta, talk, answered):
    elsewhere = say(olive, f"conversations/{start(olive, cast)['id']}/messages")["message"]["id"]
    stranger = next(iter(cast.strangers.values()))
    body = {"type": "employee_specific", "subject_employee_ids": [str(stranger.pk)]}
    theirs = greta.post("conversations", body).json()
    foreign = say(greta, f"conversations/{theirs['id']}/messages")["message"]["id"]
    for wrong in (elsewhere, foreign, "00000000-0000-7000-8000-000000000000"):
        [error] = errors_of(olive.post(talk, {"text": "And?", "reply_to": wrong}), 400)
        assert (error["code"], error["attr"]) == ("unknown_message", "reply_to")
    for malformed in ("x", 1, {"$ne": None}, ["a"]):
        [error] = errors_of(olive.post(talk, {"text": "And?", "reply_to": malformed}), 400)
        assert error["attr"] == "reply_to"
    pending = say(olive, talk, "And now?")["answer"]["id"]
    [error] = errors_of(olive.post(talk, {"text": "And?", "reply_to": pending}), 409)
    assert error["code"] == "nothing_to_reply_to"
    assert len(olive.get(talk).json()["results"]) == 4


def test_sent_again_it_is_the_same_also_while_that_answer_is_written_anew_and_to_another_it_is_not(cast, olive, talk, answered):
    sent = {"text": "Since when?", "client_id": "one", "reply_to": answered["answer"]["id"]}
    first = olive.post(talk, sent).json()
    let(answered["answer"], cast, status="pending", content="")
    assert olive.post(talk, sent).json() == first
    for other in ({"reply_to": answered["message"]["id"]}, {"reply_to": None}):
        changed = {name: value for name, value in (sent | other).items() if value is not None}
        [error] = errors_of(olive.post(talk, changed), 422)
        assert error["code"] == "client_id_reused"


def test_one_that_waits_replies_when_it_is_asked(cast, olive, talk, answered):
    second = say(olive, talk, "And now?")
    queue = talk.replace("messages", "queue")
    sent = {"text": "Since when?", "client_id": "waits", "reply_to": answered["answer"]["id"]}
    [waiting] = olive.post(queue, sent).json()["queue"]["questions"]
    assert (waiting["text"], waiting["reply_to"]["id"]) == ("Since when?", answered["answer"]["id"])
    assert olive.post(queue, sent).status_code == 201
    errors_of(olive.post(queue, sent | {"reply_to": answered["message"]["id"]}), 422)
    let(second["answer"], cast, status="sent", content="Yes.", lease=None)
    asked = olive.post(f"{queue}/next", {}).json()["message"]
    assert (asked["id"], asked["reply_to"]) == (waiting["id"], waiting["reply_to"])


def test_asked_in_other_words_it_replies_to_the_same(cast, olive, talk, answered):
    said = say(olive, talk, "Since when?", reply_to=answered["answer"]["id"])
    let(said["answer"], cast, status="sent", content="A year.", lease=None)
    edited = olive.patch(f"messages/{said['message']['id']}", {"text": "For how long?"}).json()["message"]
    assert edited["reply_to"] == said["message"]["reply_to"]


def test_it_goes_with_the_conversation_into_a_file_and_back(cast, olive, talk, answered):
    say(olive, talk, "Since when?", reply_to=answered["answer"]["id"])
    file = file_of(olive, {"id": talk.split("/")[1]})
    assert [message["reply_to"] for message in file["messages"]] == [None, None, answered["answer"]["id"], None]
    made = take(olive, file)
    again = olive.get(f"conversations/{made['id']}/messages").json()["results"]
    assert again[2]["reply_to"] == {**file_reply(answered), "id": again[1]["id"]}
    file["messages"][0]["reply_to"] = file["messages"][2]["id"]  # which comes later
    made = take(olive, file)
    assert olive.get(f"conversations/{made['id']}/messages").json()["results"][0]["reply_to"] is None


def file_reply(answered) -> dict:
    text = ("He listens. " + "x" * 400)[:EXCERPT] + "…"
    return {"id": answered["answer"]["id"], "seq": 2, "strand": 0, "role": "assistant", "author": None, "text": text}


def test_it_costs_one_look_by_an_index(cast, olive, talk, answered):
    one = {
        "organizationId": str(cast.acme.id),
        "messageId": answered["answer"]["id"],
        "conversationId": talk.split("/")[1],
        "deletedAt": None,
    }
    plan = mongo.collection(Message).find(one).explain()["executionStats"]
    assert (plan["totalKeysExamined"], plan["totalDocsExamined"]) == (1, 1)
