"""Questions that wait for an answer's end, over REST."""

import pytest

from chat.documents import Message
from config import mongo
from tests.api.conftest import errors_of, refused_field
from tests.api.test_conversations import start
from tests.api.test_messages import say

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(cast, olive) -> str:
    """A conversation with an answer on its way; no worker runs here."""
    talk = f"conversations/{start(olive, cast)['id']}"
    say(olive, f"{talk}/messages", text="First?")
    return talk


def queue(caller, talk, text="Second?", **more):
    response = caller.post(f"{talk}/queue", {"text": text, **more})
    assert response.status_code == 201, response.content
    return response.json()


def fail(cast, olive, talk):
    answer = olive.get(f"{talk}/messages").json()["results"][-1]
    one = {"organizationId": str(cast.acme.pk), "messageId": answer["id"]}
    mongo.collection(Message).update_one(one, {"$set": {"status": "error"}, "$unset": {"lease": ""}})


def test_it_waits_in_the_shape_that_is_documented_and_the_same_again_is_the_same(olive, cast, talk):
    queued = queue(olive, talk, client_id="second")
    assert (queued["message"], queued["answer"]) == (None, None)
    [question] = queued["queue"]["questions"]
    assert question | {"id": "", "created_at": ""} == {
        "id": "",
        "author": {"id": str(cast.olive.user.pk), "name": cast.olive.user.name, "role": "owner"},
        "text": "Second?",
        "reply_to": None,
        "attachments": [],
        "strand": 0,
        "status": "waiting",
        "client_id": "second",
        "created_at": "",
    }
    assert queue(olive, talk, client_id="second")["queue"]["questions"] == [question]
    assert [one["id"] for one in olive.get(f"{talk}/queue").json()["questions"]] == [question["id"]]
    assert [message["text"] for message in olive.get(f"{talk}/messages").json()["results"]] == ["First?", ""]
    assert olive.post(f"{talk}/queue", {"text": "Other?", "client_id": "second"}).status_code == 422


def test_behind_a_failed_answer_it_stays_until_the_next_one_is_asked(cast, olive, talk):
    [question] = queue(olive, talk)["queue"]["questions"]
    fail(cast, olive, talk)
    asked = olive.post(f"{talk}/queue/next").json()
    assert (asked["message"]["id"], asked["answer"]["status"], asked["queue"]["questions"]) == (question["id"], "pending", [])
    assert olive.post(f"{talk}/queue/next", {"strand": 0}).json()["message"] is None
    assert olive.delete(f"{talk}/queue/{question['id']}").status_code == 404


def test_it_is_taken_back(olive, talk):
    [question] = queue(olive, talk)["queue"]["questions"]
    assert olive.delete(f"{talk}/queue/{question['id']}").status_code == 204
    assert olive.get(f"{talk}/queue").json()["questions"] == []
    assert olive.delete(f"{talk}/queue/{question['id']}").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": 1}, {"text": "x", "strand": -1}, {"text": "x", "strand": "0"}, {"text": "x", "now": True}]
)
def test_bad_input_is_refused(olive, talk, body):
    errors_of(olive.post(f"{talk}/queue", body), 400)


def test_a_strand_that_is_not_there_and_a_full_queue(olive, talk):
    assert refused_field(olive.post(f"{talk}/queue", {"text": "x", "strand": 9})) == "strand"
    assert refused_field(olive.post(f"{talk}/queue/next", {"strand": 9})) == "strand"
    for number in range(10):
        queue(olive, talk, text=f"{number}?")
    [error] = errors_of(olive.post(f"{talk}/queue", {"text": "One more?"}), 409)
    assert error["code"] == "queue_full"


def test_another_tenant_and_a_wrong_method(olive, greta, talk):
    [question] = queue(olive, talk)["queue"]["questions"]
    for response in (
        greta.get(f"{talk}/queue"),
        greta.post(f"{talk}/queue", {"text": "x"}),
        greta.post(f"{talk}/queue/next"),
        greta.delete(f"{talk}/queue/{question['id']}"),
    ):
        assert response.status_code == 404
    assert olive.patch(f"{talk}/queue", {}).status_code == 405
