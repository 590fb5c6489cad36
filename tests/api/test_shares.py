"""Links to copies: made, listed, revoked and opened; who may, and what a link shows and keeps to itself."""

import re
from datetime import timedelta
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone

from chat.documents import Share
from chat.services import shares
from config import mongo
from tenants import roles, scoping
from tenants.choices import Role
from tenants.models import AccessRecord
from tenants.services import accounts
from tests.api.conftest import errors_of, refused_field, signed_in, with_key
from tests.api.test_conversations import MISSING, OPERATOR, start
from tests.api.test_export import answered, share_with
from tests.api.test_messages import let, say
from tests.cast import make_person

pytestmark = pytest.mark.django_db

NOBODY = None


def make(caller, conversation: dict, *, audience: str = "organization", days: int = 7) -> dict:
    response = caller.post(f"conversations/{conversation['id']}/shares", {"audience": audience, "days": days})
    assert response.status_code == 201, response.content
    return response.json()


def look(link: dict, person=NOBODY):
    client = Client() if person is NOBODY else signed_in(person.user).client
    return client.get(link["url"].removeprefix("http://testserver"))


def stored(cast, link: dict) -> dict:
    return mongo.collection(Share).find_one({"organizationId": str(cast.acme.id), "shareId": link["id"]})


@pytest.fixture
def conversation(cast, olive) -> dict:
    conversation = start(olive, cast, title="Erik in spring")
    answered(olive, cast, conversation, "How is *Erik*?")
    return conversation


# making


def test_a_link_is_shown_once_and_only_its_hash_is_kept(cast, olive, conversation):
    link = make(olive, conversation)
    assert set(link) == {"id", "url", "audience", "expires_at"}
    token = re.fullmatch(r"http://testserver/s/([\w-]{43})/", link["url"])[1]
    kept = stored(cast, link)
    assert token not in repr(kept)
    assert kept["tokenHash"] not in link["url"]
    [listed] = olive.get(f"conversations/{conversation['id']}/shares").json()["results"]
    assert listed | {"created_at": ""} == {
        "id": link["id"],
        "audience": "organization",
        "views": 0,
        "created_at": "",
        "expires_at": link["expires_at"],
        "revoked_at": None,
    }


def test_a_copy_holds_what_was_said_by_whom_and_when_and_nothing_else(cast, olive, conversation):
    say(olive, f"conversations/{conversation['id']}/messages", "And now?")  # its answer is on its way
    copied = stored(cast, make(olive, conversation))
    assert [(message["role"], message["author"], message["text"]) for message in copied["messages"]] == [
        ("user", "Olive Olsen", "How is *Erik*?"),
        ("assistant", None, "*Well.*"),
        ("user", "Olive Olsen", "And now?"),
    ]
    assert {name for message in copied["messages"] for name in message} == {"role", "author", "text", "createdAt"}
    assert copied["isWhole"]


def test_a_copy_says_what_a_question_replies_to(cast, olive, conversation):
    place = f"conversations/{conversation['id']}/messages"
    question, _ = olive.get(place).json()["results"]
    say(olive, place, "Still so?", reply_to=question["id"])
    link = make(olive, conversation)
    *others, copied = stored(cast, link)["messages"]
    assert copied["replyTo"] == {"role": "user", "author": "Olive Olsen", "text": "How is *Erik*?"}
    assert not [message for message in others if "replyTo" in message]
    page = look(link, cast.olive).content.decode()
    assert re.search(r'In reply to </span><span class="replied-who">Olive Olsen</span>.*?>How is \*Erik\*\?</span></p>', page)


def test_a_copy_quotes_nothing_that_was_deleted(cast, olive, conversation):
    place = f"conversations/{conversation['id']}/messages"
    question, _ = olive.get(place).json()["results"]
    say(olive, place, "Still so?", reply_to=question["id"])
    let(question, cast, deletedAt=timezone.now())
    copied = stored(cast, make(olive, conversation))
    assert copied["messages"][-1]["text"] == "Still so?"
    assert "How is" not in repr(copied["messages"])


def test_a_copy_is_the_newest_that_fit(cast, olive, conversation, monkeypatch):
    say(olive, f"conversations/{conversation['id']}/messages", "Third")
    for limit, kept in ((3, 3), (2, 2), (1, 1)):
        monkeypatch.setattr(shares, "MESSAGES_LIMIT", limit)
        copied = stored(cast, make(olive, conversation))
        assert [message["text"] for message in copied["messages"]] == ["How is *Erik*?", "*Well.*", "Third"][-kept:]
        assert copied["isWhole"] is (limit == 3)
    monkeypatch.undo()
    monkeypatch.setattr(shares, "BYTES_LIMIT", len("*Well.*Third"))
    link = make(olive, conversation)
    assert [message["text"] for message in stored(cast, link)["messages"]] == ["*Well.*", "Third"]
    assert "Earlier messages are not in this copy." in look(link, cast.liam).content.decode()


def test_a_copy_is_frozen_and_leaves_out_what_was_deleted(cast, olive):
    conversation = start(olive, cast)
    said = answered(olive, cast, conversation, "Take this back.")
    let(said["message"], cast, deletedAt=timezone.now())
    link = make(olive, conversation)
    let(said["answer"], cast, content="Changed since.")
    page = look(link, cast.olive).content.decode()
    assert "<em>Well.</em>" in page
    assert "Take this back." not in page
    assert "Changed since." not in page


def test_only_owners_open_a_link_to_anyone(cast):
    for person, may in ((cast.olive, True), (cast.liam, False), (cast.mona, False)):
        caller = with_key(person)
        conversation = start(caller, cast)
        make(caller, conversation)
        response = caller.post(f"conversations/{conversation['id']}/shares", {"audience": "anyone", "days": 1})
        assert response.status_code == (201 if may else 403)


def test_only_who_started_a_conversation_shares_it(cast, olive, conversation):
    share_with(cast, conversation, "leader", "owner")
    liam, address = with_key(cast.liam), f"conversations/{conversation['id']}/shares"
    link = make(olive, conversation)
    errors_of(liam.post(address, {"audience": "organization", "days": 1}), 403)
    errors_of(liam.get(address), 403)
    errors_of(liam.delete(f"{address}/{link['id']}"), 403)
    errors_of(with_key(cast.mona).get(address), 404)


def test_a_bad_field_is_named_and_makes_nothing(olive, conversation):
    address = f"conversations/{conversation['id']}/shares"
    good = {"audience": "organization", "days": 7}
    for field, change in [
        ("audience", {"audience": "everybody"}),
        ("audience", {"audience": OPERATOR}),
        ("audience", {"audience": None}),
        ("days", {"days": 0}),
        ("days", {"days": 91}),
        ("days", {"days": "7"}),
        ("days", {"days": True}),
        ("days", {"days": OPERATOR}),
        ("token", {"token": "mine"}),
    ]:
        assert refused_field(olive.post(address, good | change)) == field, change
    assert olive.get(address).json()["results"] == []


def test_a_conversation_has_so_many_open_links_and_no_more(olive, conversation, monkeypatch):
    monkeypatch.setattr(shares, "LIVE_LIMIT", 2)
    first, _ = make(olive, conversation), make(olive, conversation)
    address = f"conversations/{conversation['id']}/shares"
    [error] = errors_of(olive.post(address, {"audience": "organization", "days": 1}), 409)
    assert error["code"] == "too_many_shares"
    olive.delete(f"{address}/{first['id']}")
    make(olive, conversation)


# opening


def test_the_organization_s_link_opens_for_its_people_and_for_nobody_else(cast, olive, conversation):
    link = make(olive, conversation)
    for person in (cast.olive, cast.liam, cast.mona, cast.ada, cast.vera):
        assert look(link, person).status_code == 200
    missing = Client().get(f"/s/{'x' * 43}/").content
    for person in (NOBODY, cast.greta):
        assert look(link, person).status_code == 404
    assert look(link).content.replace(link["url"].split("/")[-2].encode(), b"x" * 43) == missing


def test_a_link_for_anyone_opens_without_signing_in(cast, olive, conversation):
    link = make(olive, conversation, audience="anyone")
    page = look(link)
    assert page.status_code == 200
    body = page.content.decode()
    assert "How is *Erik*?" in body
    assert "<em>Well.</em>" in body
    assert "<script" not in body
    assert str(cast.olive.user.id) not in body
    assert look(link, cast.greta).status_code == 200


def test_no_answer_is_kept_found_or_told_of_elsewhere(cast, olive, conversation):
    link = make(olive, conversation, audience="anyone")
    for page in (look(link), Client().get("/s/unknown/")):
        assert page.headers["X-Robots-Tag"] == "noindex"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "private, no-store"
        assert b'<meta name="referrer" content="no-referrer">' in page.content


def test_what_a_text_says_cannot_act(cast, olive):
    conversation = start(olive, cast, title="<b>Title</b>")
    said = say(olive, f"conversations/{conversation['id']}/messages", "<script>alert(1)</script>")
    let(said["answer"], cast, status="sent", content="<img src=x onerror=alert(1)> [a](javascript:alert(1))")
    body = look(make(olive, conversation, audience="anyone")).content.decode()
    assert "&lt;script&gt;" in body
    assert "<b>Title" not in body
    assert "<script" not in body
    assert "<img" not in body
    assert 'href="javascript' not in body


def test_views_are_counted_and_members_looks_are_recorded(cast, olive, conversation):
    link = make(olive, conversation, audience="anyone")
    for person in (NOBODY, cast.liam, cast.olive, cast.greta):
        assert look(link, person).status_code == 200
    [listed] = olive.get(f"conversations/{conversation['id']}/shares").json()["results"]
    assert listed["views"] == 4
    with scoping.tenant(cast.acme):
        rows = list(AccessRecord.objects.for_tenant(cast.acme).filter(conversation_id=conversation["id"]))
    assert [(row.user_id, row.owner_id, row.kind) for row in rows] == [(cast.liam.user.pk, cast.olive.user.pk, "read")]


def test_a_link_ends_with_its_time(cast, olive, conversation):
    link = make(olive, conversation, days=1)
    kept = stored(cast, link)
    assert kept["expiresAt"] - kept["createdAt"] == timedelta(days=1)
    assert kept["removeAt"] - kept["expiresAt"] == timedelta(days=30)
    for moment, status in ((kept["expiresAt"] - timedelta(seconds=1), 200), (kept["expiresAt"], 404)):
        with mock.patch("chat.views.timezone.now", return_value=moment):
            assert look(link, cast.liam).status_code == status


def test_a_revoked_link_opens_nothing_and_its_copy_is_gone(cast, olive, conversation):
    link = make(olive, conversation, audience="anyone")
    address = f"conversations/{conversation['id']}/shares/{link['id']}"
    assert olive.delete(address).status_code == 204
    first = stored(cast, link)
    assert first["messages"] == []
    assert look(link).status_code == look(link, cast.olive).status_code == 404
    assert olive.delete(address).status_code == 204
    assert stored(cast, link)["revokedAt"] == first["revokedAt"]
    errors_of(olive.delete(f"conversations/{conversation['id']}/shares/{MISSING}"), 404)


def test_a_link_of_another_conversation_is_not_revoked_through_this_one(olive, cast, conversation):
    link = make(olive, conversation)
    errors_of(olive.delete(f"conversations/{start(olive, cast)['id']}/shares/{link['id']}"), 404)
    assert look(link, cast.liam).status_code == 200


def test_a_link_ends_with_its_conversation(cast, olive, conversation):
    link = make(olive, conversation, audience="anyone")
    assert olive.delete(f"conversations/{conversation['id']}").status_code == 204
    assert look(link).status_code == 404


def test_a_link_ends_with_its_maker_s_rights(cast):
    petra = make_person(cast.acme, "Petra", "Pahl", role=Role.OWNER)
    caller = with_key(petra)
    conversation = start(caller, cast)
    anyone, inside = make(caller, conversation, audience="anyone"), make(caller, conversation)
    accounts.change(petra.membership, role=Role.MANAGER, branch=cast.north, department=cast.sales)
    roles.forget()
    assert look(anyone).status_code == 404
    assert look(inside, cast.liam).status_code == 200
    accounts.suspend(petra.user)
    assert look(inside, cast.liam).status_code == 404


@pytest.mark.parametrize("token", ["x", "%7B%22$ne%22:null%7D", "..", "%00", "a" * 5_000, "%F0%9F%8C%B1"])
def test_whatever_is_no_token_is_a_404(cast, token):
    assert Client().get(f"/s/{token}/").status_code == 404


def test_a_link_is_only_read(cast, olive, conversation):
    link = make(olive, conversation, audience="anyone")
    address = link["url"].removeprefix("http://testserver")
    assert Client().head(address).status_code == 200
    for method in ("post", "put", "patch", "delete"):
        assert getattr(Client(), method)(address).status_code == 405


# pages


def test_the_page_makes_lists_and_revokes(cast, olive, conversation):
    browser, page = signed_in(cast.olive.user), f"/o/acme/chat/{conversation['id']}/"
    assert f'href="{page}shares/"' in browser.client.get(page).content.decode()
    made = browser.client.post(f"{page}shares/", {"audience": "anyone", "days": "30"}, headers=browser.headers)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "private, no-store"
    address = re.search(r'value="http://testserver(/s/[\w-]{43}/)"', made.content.decode())[1]
    assert Client().get(address).status_code == 200
    listed = browser.client.get(f"{page}shares/").content.decode()
    assert address not in listed
    assert "opened 1 time<" in listed
    revoke = re.search(r'action="([^"]*/revoke/)"', listed)[1]
    assert browser.client.post(revoke, headers=browser.headers).status_code == 302
    assert Client().get(address).status_code == 404
    listed = browser.client.get(f"{page}shares/").content.decode()
    assert "Revoked. Nobody can open this link any more." in listed
    assert "/revoke/" not in listed


def test_the_page_offers_what_the_role_may_and_refuses_the_rest(cast):
    caller = with_key(cast.liam)
    browser, page = signed_in(cast.liam.user), f"/o/acme/chat/{start(caller, cast)['id']}/shares/"
    assert 'value="anyone"' not in browser.client.get(page).content.decode()
    for body, status in (
        ({"audience": "anyone", "days": "7"}, 403),
        ({"audience": "organization", "days": "8"}, 400),
        ({"audience": "everybody", "days": "7"}, 400),
        ({}, 400),
    ):
        assert browser.client.post(page, body, headers=browser.headers).status_code == status
    assert "There are none yet." in browser.client.get(page).content.decode()


def test_a_full_list_says_so_on_the_page(cast, olive, conversation, monkeypatch):
    monkeypatch.setattr(shares, "LIVE_LIMIT", 0)
    browser = signed_in(cast.olive.user)
    page = f"/o/acme/chat/{conversation['id']}/shares/"
    response = browser.client.post(page, {"audience": "anyone", "days": "7"}, headers=browser.headers)
    assert response.status_code == 409
    assert "Revoke one first." in response.content.decode()
