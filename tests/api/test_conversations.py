"""Conversations: start, list, read, rename, pin, archive, restore, delete."""

import uuid
from datetime import datetime, timedelta

import pytest

from tests.api.conftest import errors_of, refused_field, signed_in, with_key

pytestmark = pytest.mark.django_db

MISSING = uuid.UUID(int=7)
ABOUT_ERIK = "employee_specific"


def about(cast, *names: str, **fields) -> dict:
    """The body that starts a consultation about these employees."""
    everybody = {**cast.employees, **cast.strangers}
    kind = ABOUT_ERIK if len(names) == 1 else "team_compatibility"
    return {"type": kind, "subject_employee_ids": [str(everybody[name].id) for name in names], **fields}


def start(caller, cast, *names: str, **fields) -> dict:
    response = caller.post("conversations", about(cast, *(names or ("Erik Ek",)), **fields))
    assert response.status_code == 201, response.content
    return response.json()


def titles(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["title"] for row in response.json()["results"]]


# starting


def test_a_consultation_starts_and_has_the_contract_s_shape(cast, olive):
    started = start(olive, cast)
    assert started.pop("id")
    for name in ("created_at", "updated_at", "last_message_at"):
        assert started.pop(name).endswith("Z")
    assert started == {
        "kind": "assistant",
        "type": "employee_specific",
        "title": "About one employee: Erik Ek",
        "status": "active",
        "pinned": False,
        "subject_employee_ids": [str(cast.employees["Erik Ek"].id)],
        "subject_type": "single_employee",
        "owner": {"id": str(cast.olive.user.id), "role": "owner"},
        "access": {"private": True, "roles": [], "users": []},
        "context": {"opened_from": None, "intent": "employee_specific"},
        "thread": None,
        "message_count": 0,
        "tokens_used": 0,
        "satisfaction_rating": None,
        "archived_at": None,
        "deleted_at": None,
    }


def test_where_it_was_opened_and_what_for_is_kept(cast, olive):
    started = start(olive, cast, opened_from="/o/acme/people/", intent="prepare_review")
    assert started["context"] == {"opened_from": "/o/acme/people/", "intent": "prepare_review"}


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example/", "people", "/a?token=1", "/a b", "/" + "a" * 200])
def test_only_a_path_of_this_site_is_kept(cast, olive, path):
    [error] = errors_of(olive.post("conversations", about(cast, "Erik Ek") | {"opened_from": path}), 400)
    assert error["attr"] == "opened_from"


def test_a_title_may_be_given(cast, olive):
    assert start(olive, cast, title="Erik’s next step 🌱")["title"] == "Erik’s next step 🌱"


def test_the_same_start_sent_twice_starts_once(cast, olive):
    first = start(olive, cast, client_id="start-1")
    assert start(olive, cast, client_id="start-1") == first
    assert start(olive, cast, client_id="start-2")["id"] != first["id"]


@pytest.mark.parametrize(("who", "subject"), [("liam", "Wim Wolf"), ("mona", "Dina Dahl"), ("olive", "Hank Scorpio"), ("greta", "Erik Ek")])
def test_nobody_consults_about_employees_who_are_not_theirs_to_see(cast, who, subject):
    response = with_key(getattr(cast, who)).post("conversations", about(cast, subject))
    [error] = errors_of(response, 400)
    assert (error["attr"], error["code"]) == ("subject_employee_ids", "unknown_employees")


def test_guests_start_nothing(cast):
    errors_of(with_key(cast.vera).post("conversations", about(cast, "Erik Ek")), 403)


def test_a_consultation_that_is_about_too_few_says_how_many_it_needs(cast, olive):
    response = olive.post("conversations", {"type": "team_formation", "subject_employee_ids": []})
    [error] = errors_of(response, 400)
    assert error["attr"] == "subject_employee_ids"
    assert "2 to 20" in error["detail"]


OPERATOR = {"$ne": None}
BAD_STARTS = [
    ("type", {"type": OPERATOR}),
    ("type", {"type": "surprise"}),
    ("type", {"type": None}),
    ("type", {"type": ["employee_specific"]}),
    ("type", {"type": 1}),
    ("kind", {"kind": "group"}),
    ("kind", {"kind": OPERATOR}),
    ("title", {"title": OPERATOR}),
    ("title", {"title": ""}),
    ("title", {"title": "   "}),
    ("title", {"title": "x" * 201}),
    ("title", {"title": 5}),
    ("title", {"title": "zero \x00"}),
    ("title", {"title": None}),
    ("client_id", {"client_id": OPERATOR}),
    ("client_id", {"client_id": ""}),
    ("client_id", {"client_id": "x" * 101}),
    ("subject_employee_ids", {"subject_employee_ids": OPERATOR}),
    ("subject_employee_ids", {"subject_employee_ids": "all"}),
    ("subject_employee_ids.0", {"subject_employee_ids": [OPERATOR]}),
    ("subject_employee_ids.0", {"subject_employee_ids": [7]}),
    ("subject_employee_ids.0", {"subject_employee_ids": [True]}),
    ("subject_employee_ids.0", {"subject_employee_ids": ["{00000000-0000-0000-0000-000000000007}"]}),
    ("subject_employee_ids.0", {"subject_employee_ids": ["urn:uuid:00000000-0000-0000-0000-000000000007"]}),
    ("organization_id", {"organization_id": str(MISSING)}),
    ("userId", {"userId": OPERATOR}),
    ("$where", {"$where": "1"}),
]


def test_a_bad_field_is_named_and_starts_nothing(cast, olive):
    before = len(olive.get("conversations").json()["results"])
    for field, change in BAD_STARTS:
        response = olive.post("conversations", {**about(cast, "Erik Ek"), **change})
        assert refused_field(response) == field, change
    assert len(olive.get("conversations").json()["results"]) == before


BAD_BODIES = [b"", b"{", b"[]", b'"text"', b"7", b"null", b"\xff", b'{"type": NaN}', b'{"type": "a", "type": "b"}', b"[" * 5_000]


def test_a_body_that_is_no_json_object_is_a_400(olive):
    for body in BAD_BODIES:
        errors_of(olive.send("POST", "conversations", body), 400)


def test_a_body_of_another_kind_is_a_415(olive):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        errors_of(olive.send("POST", "conversations", b"type=employee_specific", content_type=kind), 415)


def test_a_huge_body_is_a_413(olive):
    errors_of(olive.send("POST", "conversations", b'{"title": "' + b"x" * 1_100_000 + b'"}'), 413)


# reading


def test_people_see_their_own_conversations_and_open_no_others(cast, olive, greta):
    liam, mona = with_key(cast.liam), with_key(cast.mona)
    of_olive, of_liam, of_greta = start(olive, cast), start(liam, cast), start(greta, cast, "Hank Scorpio")
    assert of_olive["id"] in {row["id"] for row in olive.get("conversations").json()["results"]}
    assert {row["owner"]["id"] for row in liam.get("conversations").json()["results"]} == {str(cast.liam.user.id)}
    assert {row["owner"]["id"] for row in mona.get("conversations").json()["results"]} <= {str(cast.mona.user.id)}
    for caller, stranger_s in [(liam, of_olive), (olive, of_liam), (mona, of_liam), (greta, of_olive), (olive, of_greta)]:
        for method, address in paths(stranger_s["id"]):
            body = b'{"text": "hello"}' if address.endswith("messages") and method == "POST" else b"{}"
            errors_of(caller.send(method, address, body), 404)


def paths(conversation_id) -> list[tuple[str, str]]:
    one = f"conversations/{conversation_id}"
    return [
        ("GET", one),
        ("PATCH", one),
        ("DELETE", one),
        ("POST", f"{one}/pin"),
        ("POST", f"{one}/archive"),
        ("POST", f"{one}/restore"),
        ("GET", f"{one}/export"),
        ("GET", f"{one}/shares"),
        ("DELETE", f"{one}/shares/{MISSING}"),
        ("GET", f"{one}/messages"),
        ("POST", f"{one}/messages"),
        ("GET", f"{one}/events"),
    ]


def test_what_is_missing_is_a_404(olive):
    for identifier in (MISSING, "7", "%7B%22$ne%22:null%7D", "..", "%00"):
        for method, address in paths(identifier):
            body = b'{"text": "hello"}' if address.endswith("messages") and method == "POST" else b"{}"
            errors_of(olive.send(method, address, body), 404)


def test_conversations_are_filtered(cast):
    liam = with_key(cast.liam)
    one = start(liam, cast, title="Only one (.*)")
    two = start(liam, cast, "Erik Ek", "Dina Dahl", title="Two of them")
    liam.post(f"conversations/{two['id']}/pin")
    three = start(liam, cast, "Dina Dahl", title="Archived")
    liam.post(f"conversations/{three['id']}/archive")
    mine = {"Only one (.*)", "Two of them"}

    def found(**query) -> set[str]:
        return set(titles(liam.get("conversations", query))) & {*mine, "Archived"}

    assert found() == mine
    assert found(status="archived") == {"Archived"}
    assert found(type="team_compatibility") == {"Two of them"}
    assert found(pinned="true") == {"Two of them"}
    assert found(pinned="false") == {"Only one (.*)"}
    assert found(kind="assistant") == mine
    assert found(kind="group") == set()
    assert found(q="TWO") == {"Two of them"}
    assert found(q="(.*)") == {"Only one (.*)"}
    assert found(q=".") == {"Only one (.*)"}
    assert found(subject=str(cast.employees["Dina Dahl"].id)) == {"Two of them"}
    assert found(about=str(cast.employees["Dina Dahl"].id)) == {"Two of them"}
    assert found(about=str(cast.strangers["Hank Scorpio"].id)) == set()
    assert found(about=str(cast.employees["Dina Dahl"].id), pinned="false") == set()
    last = one["last_message_at"]
    assert found(after=last) & {one["title"]} == {one["title"]}
    assert found(before=last) & {one["title"]} == set()
    day, tomorrow = datetime.fromisoformat(last).date(), datetime.fromisoformat(last).date() + timedelta(days=1)
    assert found(after=day, before=tomorrow) == mine
    assert found(after=tomorrow) == found(before=day) == set()
    assert one["title"] in mine


def test_a_bad_parameter_is_named(olive):
    for name, value in [
        ("status", "gone"),
        ("status", '{"$ne": "deleted"}'),
        ("status[$ne]", "deleted"),
        ("kind", "x"),
        ("type", "$all"),
        ("pinned", "yes"),
        ("pinned", "1"),
        ("q", "x" * 201),
        ("limit", "1000"),
        ("cursor", '{"$gt": ""}'),
        ("cursor", "x" * 2_000),
        ("subject", "[]"),
        ("about", "Erik"),
        ("after", "yesterday"),
        ("after", "2026-01-31T09:41:00"),
        ("before", "2026-02-30"),
        ("before", "9999-12-31T23:59:59-23:59"),
        ("before", '{"$gt": ""}'),
        ("format", "xml"),
        ("page", "2"),
    ]:
        assert refused_field(olive.get("conversations", {name: value})) == name, (name, value)


def test_conversations_come_latest_first_page_by_page_both_ways(cast):
    mona = with_key(cast.mona)
    made = [start(mona, cast, title=f"Page {number}")["title"] for number in range(7)]
    whole = titles(mona.get("conversations"))
    assert [title for title in whole if title in made] == made[::-1]
    for limit in (1, 3, 7):
        pages = [mona.get("conversations", {"limit": limit}).json()]
        assert pages[0]["previous"] is None
        while pages[-1]["next"]:
            pages.append(mona.get(pages[-1]["next"]).json())
        assert [row["title"] for page in pages for row in page["results"]] == whole
        back = [pages[-1]]
        while back[0]["previous"]:
            back.insert(0, mona.get(back[0]["previous"]).json())
        assert [row["title"] for page in back for row in page["results"]] == whole


# changing


def test_a_conversation_is_renamed_and_pinned(cast, olive):
    one = f"conversations/{start(olive, cast)['id']}"
    assert olive.patch(one, {"title": "New name"}).json()["title"] == "New name"
    assert olive.patch(one, {"pinned": True}).json()["pinned"] is True
    changed = olive.patch(one, {"title": "Newer", "pinned": False}).json()
    assert (changed["title"], changed["pinned"]) == ("Newer", False)
    assert olive.patch(one, {}).json() == changed
    assert olive.get(one).json() == changed


def test_a_pin_is_set_and_taken_away(cast, olive):
    one = f"conversations/{start(olive, cast)['id']}"
    assert olive.post(f"{one}/pin").json()["pinned"] is True
    assert olive.post(f"{one}/pin").json()["pinned"] is True
    assert olive.post(f"{one}/pin", {"pinned": False}).json()["pinned"] is False


def test_a_conversation_is_archived_and_restored(cast, olive):
    one = f"conversations/{start(olive, cast)['id']}"
    archived = olive.post(f"{one}/archive").json()
    assert archived["status"] == "archived"
    assert archived["archived_at"].endswith("Z")
    [error] = errors_of(olive.post(f"{one}/messages", {"text": "Still there?"}), 409)
    assert error["code"] == "conversation_closed"
    restored = olive.post(f"{one}/restore").json()
    assert (restored["status"], restored["archived_at"]) == ("active", None)


def test_a_deleted_conversation_is_gone(cast, olive):
    one = f"conversations/{start(olive, cast)['id']}"
    response = olive.delete(one)
    assert (response.status_code, response.content) == (204, b"")
    for method, address in paths(one.removeprefix("conversations/")):
        body = b'{"text": "hello"}' if address.endswith("messages") and method == "POST" else b"{}"
        if not address.endswith("/restore"):
            errors_of(olive.send(method, address, body), 404)


def test_a_deleted_conversation_is_listed_as_such_and_restored(cast, olive):
    liam = with_key(cast.liam)
    one = f"conversations/{start(olive, cast)['id']}"
    olive.patch(one, {"access": {"roles": ["leader"], "users": []}})
    olive.delete(one)
    listed = olive.get("conversations?status=deleted").json()["results"][0]  # tests before deleted some, too
    assert (listed["id"], listed["status"], listed["deleted_at"][-1]) == (one.partition("/")[2], "deleted", "Z")
    assert liam.get("conversations?status=deleted").json()["results"] == []
    errors_of(liam.post(f"{one}/restore"), 404)
    restored = olive.post(f"{one}/restore").json()
    assert (restored["status"], restored["deleted_at"]) == ("active", None)
    assert liam.get(one).status_code == 200
    olive.delete(one)


def test_a_bad_change_is_named_and_changes_nothing(cast, olive):
    one = f"conversations/{start(olive, cast)['id']}"
    before = olive.get(one).json()
    for field, body in [
        ("title", {"title": ""}),
        ("title", {"title": OPERATOR}),
        ("title", {"title": None}),
        ("pinned", {"pinned": "true"}),
        ("pinned", {"pinned": 1}),
        ("pinned", {"pinned": None}),
        ("pinned", {"pinned": OPERATOR}),
        ("status", {"status": "deleted"}),
        ("id", {"id": str(MISSING)}),
    ]:
        assert refused_field(olive.patch(one, body)) == field, body
    for action in ("archive", "restore"):
        assert refused_field(olive.post(f"{one}/{action}", {"why": 1})) == "why"
    assert refused_field(olive.post(f"{one}/pin", {"pinned": "yes"})) == "pinned"
    assert olive.get(one).json() == before


def test_a_method_that_is_not_there_is_a_405(cast, olive):
    one = f"conversations/{start(olive, cast)['id']}"
    allowed = {
        "conversations": "GET, POST, HEAD",
        one: "GET, PATCH, DELETE, HEAD",
        f"{one}/pin": "POST",
        f"{one}/archive": "POST",
        f"{one}/restore": "POST",
        f"{one}/export": "GET, HEAD",
        f"{one}/shares": "GET, POST, HEAD",
        f"{one}/shares/{MISSING}": "DELETE",
        f"{one}/messages": "GET, POST, HEAD",
        f"{one}/events": "GET, HEAD",
    }
    for address, methods in allowed.items():
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            if method not in methods:
                response = olive.send(method, address, b"{}")
                errors_of(response, 405)
                assert response.headers["Allow"] == methods


# the ways in


def test_nobody_signed_in_is_a_401(cast, nobody):
    for method, address in [("GET", "conversations"), ("POST", "conversations"), *paths(MISSING)]:
        errors_of(nobody.send(method, address, b"{}"), 401)


def test_a_browser_acts_with_csrf_and_not_without(cast):
    browser = signed_in(cast.liam.user)
    assert start(browser, cast)["owner"]["id"] == str(cast.liam.user.id)
    without = type(browser)(browser.client, {})
    errors_of(without.post("conversations", about(cast, "Erik Ek")), 403)
    assert without.get("conversations").status_code == 200


def test_a_key_that_is_not_valid_is_a_401(cast, nobody):
    for key in ("Bearer parley_wrong", "Bearer x", "Bearer " + "x" * 500, 'Bearer {"$ne": null}'):
        errors_of(nobody.get("conversations", Authorization=key), 401)
