"""Search over REST: its shape, its pages, who may, and what is refused."""

import pytest

from chat.choices import MessageRole
from tests.api.conftest import errors_of, refused_field, with_key
from tests.api.test_conversations import start
from tests.api.test_messages import say

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def said(cast, django_db_blocker):
    """Olive's consultation with three questions about a zeppelin."""
    with django_db_blocker.unblock():
        olive = with_key(cast.olive)
        conversation = start(olive, cast, title="Zeppelin plans")
        talk = f"conversations/{conversation['id']}/messages"
        return conversation, [say(olive, talk, f"Is Erik ready for zeppelin {number}?")["message"] for number in range(3)]


def test_what_is_found_has_the_contract_s_shape(cast, olive, said):
    conversation, questions = said
    response = olive.get("search", {"q": "zeppelin ready 1"})
    assert response.status_code == 200
    assert response.json() == {
        "next": None,
        "previous": None,
        "results": [
            {
                "kind": "message",
                "conversation": {"id": conversation["id"], "title": "Zeppelin plans", "type": "employee_specific"},
                "message": {
                    "id": questions[1]["id"],
                    "seq": questions[1]["seq"],
                    "strand": 0,
                    "role": MessageRole.USER,
                    "created_at": questions[1]["created_at"],
                },
                "snippet": [
                    {"text": "Is Erik ", "hit": False},
                    {"text": "ready", "hit": True},
                    {"text": " for ", "hit": False},
                    {"text": "zeppelin", "hit": True},
                    {"text": " ", "hit": False},
                    {"text": "1", "hit": True},
                    {"text": "?", "hit": False},
                ],
                "at": questions[1]["created_at"],
            }
        ],
    }


def test_pages_are_walked_by_their_addresses(cast, olive, said):
    conversation, questions = said
    seen, address, query = [], "search", {"q": "zeppelin", "limit": 1}
    while address:
        page = olive.get(address, query).json()
        seen += [(result["message"] or result["conversation"])["id"] for result in page["results"]]
        address, query = page["next"], None
    assert len(seen) == 4
    assert set(seen) == {conversation["id"], *(question["id"] for question in questions)}


@pytest.mark.parametrize("who", ["liam", "mona", "ada", "vera", "greta"])
def test_nobody_else_finds_it(cast, said, who):
    assert with_key(getattr(cast, who)).get("search", {"q": "zeppelin"}).json()["results"] == []


@pytest.mark.parametrize(
    ("q", "named"),
    [("", ""), ("   ", ""), ("pinned:yes", "at least one word"), ("x colour:red", "colour:"), ("x before:soon", "soon"), ("-x", "word")],
)
def test_what_is_not_understood_is_a_400_that_names_it(cast, olive, q, named):
    [error] = errors_of(olive.get("search", {"q": q}), 400)
    assert error["attr"] == "q"
    assert named in error["detail"]


def test_what_else_is_refused(cast, olive, nobody):
    assert refused_field(olive.get("search")) == "q"
    assert refused_field(olive.get("search", {"q": "x" * 201})) == "q"
    assert refused_field(olive.get("search", {"q": "x", "limit": 101})) == "limit"
    assert refused_field(olive.get("search", {"q": "x", "kind": "message"})) == "kind"
    assert refused_field(olive.get("search", {"q": "x", "q[$ne]": "x"})) == "q[$ne]"
    errors_of(nobody.get("search", {"q": "x"}), 401)
    errors_of(olive.post("search", {"q": "x"}), 405)


def test_another_list_s_cursor_is_refused(cast, olive, said):
    start(olive, cast)
    foreign = olive.get("conversations", {"limit": 1}).json()["next"].partition("cursor=")[2].partition("&")[0]
    assert refused_field(olive.get("search", {"q": "x", "cursor": foreign})) == "cursor"
