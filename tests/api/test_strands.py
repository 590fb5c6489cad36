"""Edited questions over REST: a strand beside the earlier one, each read, exported and followed by itself."""

import pytest

from tests.api.conftest import errors_of, refused_field, with_key
from tests.api.test_conversations import BAD_BODIES, MISSING, OPERATOR, start
from tests.api.test_messages import say

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(cast, olive) -> str:
    return f"conversations/{start(olive, cast)['id']}"


def edit(caller, message, text="In other words?", **more):
    response = caller.patch(f"messages/{message['id']}", {"text": text, **more})
    assert response.status_code == 201, response.content
    return response.json()


def texts(response):
    assert response.status_code == 200, response.content
    return [message["text"] for message in response.json()["results"] if message["role"] == "user"]


def test_an_edited_question_has_the_contract_s_shape_and_the_earlier_one_stays(olive, talk):
    first = say(olive, f"{talk}/messages", text="First?")
    second = say(olive, f"{talk}/messages", text="Second?")
    edited = edit(olive, second["message"], client_id="again")
    assert (edited["message"]["seq"], edited["message"]["strand"], edited["message"]["edits"]) == (5, 5, 3)
    assert (edited["answer"]["strand"], edited["answer"]["answer_to"]) == (5, edited["message"]["id"])
    assert first["message"]["strand"] == 0
    assert first["message"]["edits"] is None
    assert edit(olive, second["message"], client_id="again") == edited
    assert olive.get(f"{talk}/strands").json() == {"shown": 5, "results": [{"strand": 5, "parent": 0, "edits": 3}]}
    assert texts(olive.get(f"{talk}/messages")) == ["First?", "In other words?"]
    assert texts(olive.get(f"{talk}/messages", {"strand": 0})) == ["First?", "Second?"]
    assert say(olive, f"{talk}/messages", text="On?")["message"]["strand"] == 5
    assert olive.post(f"{talk}/strands", {"strand": 0}).json()["shown"] == 0
    assert texts(olive.get(f"{talk}/messages")) == ["First?", "Second?"]
    assert olive.post(f"{talk}/messages", {"text": "There?", "strand": 5}).json()["message"]["strand"] == 5
    assert olive.get(f"{talk}/strands").json()["shown"] == 5


def test_pages_of_a_path_follow_one_another(olive, talk):
    first = say(olive, f"{talk}/messages", text="First?")
    say(olive, f"{talk}/messages", text="Second?")
    edit(olive, first["message"])
    for number in range(3):
        say(olive, f"{talk}/messages", text=f"{number}?")
    page = olive.get(f"{talk}/messages", {"limit": 3}).json()
    found = page["results"]
    while page["previous"]:
        page = olive.get(page["previous"]).json()
        found = page["results"] + found
    assert [message["seq"] for message in found] == [5, 6, 7, 8, 9, 10, 11, 12]


def test_a_strand_that_is_not_there_is_refused(olive, talk):
    say(olive, f"{talk}/messages")
    for refused in (
        olive.get(f"{talk}/messages", {"strand": 7}),
        olive.get(f"{talk}/events", {"strand": 7}),
        olive.post(f"{talk}/messages", {"text": "There?", "strand": 7}),
        olive.post(f"{talk}/strands", {"strand": 7}),
    ):
        [error] = errors_of(refused, 400)
        assert (error["code"], error["attr"]) == ("unknown_strand", "strand")
    for value in (-1, "x", 2**31, OPERATOR, None):
        assert refused_field(olive.post(f"{talk}/strands", {"strand": value})) == "strand"


def test_what_cannot_be_edited_is_refused(olive, talk):
    said = say(olive, f"{talk}/messages")
    [error] = errors_of(olive.patch(f"messages/{said['answer']['id']}", {"text": "Mine now."}), 409)
    assert error["code"] == "nothing_to_edit"
    for text in ("", " \n", None, 7, OPERATOR):
        assert refused_field(olive.patch(f"messages/{said['message']['id']}", {"text": text})) == "text"
    assert refused_field(olive.patch(f"messages/{said['message']['id']}", {"text": "x", "role": "system"})) == "role"
    for body in BAD_BODIES:
        assert olive.send("PATCH", f"messages/{said['message']['id']}", body).status_code == 400
    assert olive.get(f"messages/{said['message']['id']}").json() == said["message"]


def test_missing_another_s_and_wrong_methods(cast, olive, greta, talk):
    said = say(olive, f"{talk}/messages")
    for address in (f"messages/{MISSING}", "messages/no-id"):
        assert olive.patch(address, {"text": "x"}).status_code == 404
    assert greta.patch(f"messages/{said['message']['id']}", {"text": "x"}).status_code == 404
    assert greta.get(f"{talk}/strands").status_code == 404
    assert with_key(cast.liam).post(f"{talk}/strands", {"strand": 0}).status_code == 404
    assert olive.delete(f"{talk}/strands").status_code == 405
