"""REST: reading up to a place, who is there, and my own sessions."""

import pytest

from chat.documents import ChatSession, Conversation
from chat.services import sessions
from config import loop, mongo
from tests.api.conftest import Caller, cast, errors_of, greta, olive, refused_field, with_key
from tests.api.test_conversations import start

__all__ = ["cast", "greta", "olive"]

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def liam(cast) -> Caller:
    return with_key(cast.liam)


@pytest.fixture
def talk(olive, cast) -> str:
    """Olive's consultation of ten messages, which leaders may read."""
    conversation = start(olive, cast)["id"]
    one = {"organizationId": str(cast.acme.pk), "conversationId": conversation}
    mongo.collection(Conversation).update_one(one, {"$set": {"messageCount": 10}})
    assert olive.patch(f"conversations/{conversation}", {"access": {"roles": ["leader"]}}).status_code == 200
    return f"conversations/{conversation}"


def unread(caller, talk):
    return next(row["unread"] for row in caller.get("conversations").json()["results"] if row["id"] in talk)


def test_what_was_read_is_remembered_and_shown_in_lists(olive, liam, talk):
    assert unread(liam, talk) == 10
    answer = liam.post(f"{talk}/read", {"seq": 7})
    assert answer.status_code == 200
    assert answer.json() == {"conversation": talk.partition("/")[2], "unread": 3}
    assert (unread(liam, talk), unread(olive, talk)) == (3, 0)


@pytest.mark.parametrize("body", [{}, {"seq": -1}, {"seq": "three"}, {"seq": 2**40}, {"seq": None}])
def test_a_place_that_is_none_is_refused(liam, talk, body):
    assert refused_field(liam.post(f"{talk}/read", body)) == "seq"
    assert refused_field(liam.post(f"{talk}/read", {"seq": 1, "all": True})) == "all"


def test_who_is_there_is_told_to_those_who_may_read_it(olive, liam, greta, talk, cast):
    liam.post(f"{talk}/read", {"seq": 7})
    nobody_there = olive.get(f"{talk}/presence").json()["results"]
    her = {"user": {"id": str(cast.olive.user.pk), "name": cast.olive.user.name}}
    assert nobody_there == [{**her, "status": None, "viewing": False, "typing": False, "read": None}]
    for refused in (greta.get(f"{talk}/presence"), greta.post(f"{talk}/read", {"seq": 1})):
        errors_of(refused, 404)
    errors_of(with_key(cast.mona).get(f"{talk}/presence"), 404)
    assert olive.post(f"{talk}/presence", {}).status_code == 405
    assert olive.get(f"{talk}/read").status_code == 405


def test_my_sessions_are_mine_in_this_organization_newest_first_page_by_page(olive, liam, greta, cast):
    mongo.collection(ChatSession).delete_many({"organizationId": str(cast.acme.pk)})

    async def visit(person, times):
        for _ in range(times):
            scope = {"headers": [(b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")]}
            await sessions.leave(sessions.enter(scope, person.membership, tell=lambda frame: None))

    loop.run(visit(cast.olive, 3))
    loop.run(visit(cast.greta, 1))
    first = olive.get("sessions", {"limit": 2}).json()
    second = olive.get(first["next"]).json()
    found = [*first["results"], *second["results"]]
    assert [len(first["results"]), len(second["results"]), second["next"]] == [2, 1, None]
    assert len({session["id"] for session in found}) == 3
    assert [session["connected_at"] for session in found] == sorted((session["connected_at"] for session in found), reverse=True)
    assert set(found[0]) == {
        *("id", "status", "presence", "device", "ip_address", "conversations"),
        *("connected_at", "last_activity", "disconnected_at", "seconds"),
    }
    assert found[0]["device"] == {"type": "desktop", "browser": "Firefox", "platform": "Linux"}
    assert found[0]["status"] == "disconnected"
    assert liam.get("sessions").json()["results"] == []
    assert len(greta.get("sessions").json()["results"]) == 1
    errors_of(olive.get("sessions", {"cursor": "forged"}), 400)
