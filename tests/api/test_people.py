"""`me`, employees, branches, departments: works · wrong role · other tenant is 404 · missing · bad input · wrong method."""

import uuid

import pytest

from tenants.choices import Role
from tenants.services import accounts, organizations
from tests.api.conftest import errors_of, refused_field, signed_in, with_key
from tests.cast import Person, make_employee, make_person

pytestmark = pytest.mark.django_db

MISSING = uuid.UUID(int=7)


def names(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["results"]]


# me


def test_me_says_who_asks_and_what_they_may_do(cast, olive):
    me = olive.get("me").json()
    assert me["email"] == "olive@acme.example"
    assert me["name"] == "Olive Olsen"
    assert me["membership"] == {
        "organization": {"id": str(cast.acme.id), "name": "Acme", "slug": "acme"},
        "role": "owner",
        "branch": None,
        "department": None,
    }
    assert me["memberships"] == [me["membership"]]
    assert "chat:message:send" in me["permissions"]


def test_me_of_a_browser_with_two_organizations_asks_to_choose(cast):
    petra = in_both(cast, "Petra")
    undecided = signed_in(petra.user).get("me").json()
    assert undecided["membership"] is None
    assert undecided["permissions"] == []
    assert [each["organization"]["slug"] for each in undecided["memberships"]] == ["acme", "globex"]
    chosen = signed_in(petra.user, **{"X-Organization": "globex"})
    assert chosen.get("me").json()["membership"]["role"] == "guest"


def test_without_a_choice_of_organization_nothing_else_is_shown(cast):
    petra = in_both(cast, "Paula")
    [error] = errors_of(signed_in(petra.user).get("employees"), 403)
    assert error["code"] == "no_organization"
    assert names(signed_in(petra.user, **{"X-Organization": "acme"}).get("employees")) == ["Dina Dahl", "Erik Ek", "Wim Wolf"]
    errors_of(signed_in(petra.user, **{"X-Organization": "initech"}).get("employees"), 404)


def test_a_key_shows_only_its_own_organization(cast):
    key = with_key(in_both(cast, "Pia"))
    assert [each["organization"]["slug"] for each in key.get("me").json()["memberships"]] == ["acme"]
    errors_of(key.get("me", **{"X-Organization": "globex"}), 404)


def in_both(cast, name: str) -> Person:
    """Somebody who owns Acme too and is a guest of Globex."""
    person = make_person(cast.acme, name, "Pahl", role=Role.OWNER)
    accounts.add_member(cast.globex, user=person.user, role=Role.GUEST)
    return person


def test_staff_without_a_membership_have_a_me_and_nothing_else(cast):
    sam = signed_in(cast.sam)
    assert sam.get("me").json()["memberships"] == []
    errors_of(sam.get("employees"), 403)


# employees


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("olive", ["Dina Dahl", "Erik Ek", "Wim Wolf"]),
        ("liam", ["Dina Dahl", "Erik Ek"]),
        ("mona", ["Erik Ek"]),
        ("ada", []),
        ("vera", []),
        ("greta", ["Hank Scorpio"]),
    ],
)
def test_each_role_sees_its_own_employees_and_opens_no_others(cast, who, seen):
    caller = with_key(getattr(cast, who))
    if not seen:
        errors_of(caller.get("employees"), 403)
        errors_of(caller.get(f"employees/{cast.employees['Erik Ek'].id}"), 403)
        return
    assert names(caller.get("employees")) == seen
    everybody = {**cast.employees, **cast.strangers}
    for name, employee in everybody.items():
        response = caller.get(f"employees/{employee.id}")
        if name in seen:
            assert response.json()["name"] == name
        else:
            errors_of(response, 404)


def test_an_employee_has_the_contract_s_shape(cast, olive):
    erik = cast.employees["Erik Ek"]
    shown = olive.get(f"employees/{erik.id}").json()
    assert shown.pop("created_at").endswith("Z")
    assert shown.pop("updated_at").endswith("Z")
    assert shown == {
        "id": str(erik.id),
        "number": "",
        "name": "Erik Ek",
        "first_name": "Erik",
        "last_name": "Ek",
        "email": "erik.ek@acme.example",
        "job_title": "Account manager",
        "branch": {"id": str(cast.north.id), "name": "North"},
        "department": {"id": str(cast.sales.id), "name": "Sales"},
        "reports_to": None,
        "status": "active",
        "hired_on": None,
        "personality_traits": ["curious", "calm"],
        "behavioral_patterns": [],
        "compatibility": {"job_role": "82.50", "department": "74.00", "company": None, "industry": None},
        "astrology": {
            "sun_sign": "leo",
            "moon_sign": None,
            "rising_sign": None,
            "harmonic_code": None,
            "last_harmonic_update": None,
        },
        "performance": {
            "indicators": {"goals reached": 92},
            "training_needs": [],
            "strengths": ["listening"],
            "development_areas": ["delegating"],
        },
    }


def test_employees_are_found_by_words_place_and_status(cast, olive):
    assert names(olive.get("employees", {"q": "ek erik"})) == ["Erik Ek"]
    assert names(olive.get("employees", {"q": "MECHANIC"})) == ["Wim Wolf"]
    assert names(olive.get("employees", {"q": "%"})) == []
    assert names(olive.get("employees", {"branch": str(cast.north.id)})) == ["Dina Dahl", "Erik Ek"]
    assert names(olive.get("employees", {"department": str(cast.workshop.id)})) == ["Wim Wolf"]
    assert names(olive.get("employees", {"status": "left"})) == []
    assert names(olive.get("employees", {"branch": str(MISSING)})) == []


def test_employees_come_page_by_page_forwards_and_backwards(cast):
    hooli = organizations.create("Hooli", slug="hooli", seats=5)
    department = organizations.add_department(organizations.add_branch(hooli, name="Roof"), name="Dreams")
    for name in ("Ann Berg", "Ann Alm", "Bo Berg", "Bo Berg2", "Cy Ek", "Åsa Alm", "Zoë Ek"):
        make_employee(hooli, name, department=department)
    owner = with_key(make_person(hooli, "Gavin", "Belson", role=Role.OWNER))
    whole = names(owner.get("employees"))
    assert len(whole) == 7
    for limit in (1, 2, 3, 7, 8):
        pages = [owner.get("employees", {"limit": limit}).json()]
        assert pages[0]["previous"] is None
        while pages[-1]["next"]:
            pages.append(owner.get(pages[-1]["next"]).json())
        assert [row["name"] for page in pages for row in page["results"]] == whole
        back = [pages[-1]]
        while back[0]["previous"]:
            back.insert(0, owner.get(back[0]["previous"]).json())
        assert [row["name"] for page in back for row in page["results"]] == whole


def test_a_page_keeps_its_filters(cast, olive):
    first = olive.get("employees", {"limit": 1, "branch": str(cast.north.id)}).json()
    assert names(olive.get(first["next"])) == ["Erik Ek"]


BAD_PARAMETERS = [
    ("cursor", "x"),
    ("cursor", "WyJuZXh0Il0:abc"),
    ("limit", "0"),
    ("limit", "101"),
    ("limit", "-1"),
    ("limit", "1e2"),
    ("limit", "٣"),
    ("status", "gone"),
    ("status[$ne]", "left"),
    ("branch", '{"$ne": null}'),
    ("branch", ""),
    ("department", "1"),
    ("q", "x" * 201),
    ("q", "\x00"),
    ("surprise", "1"),
]


def test_a_bad_parameter_is_named(olive):
    for name, value in BAD_PARAMETERS:
        assert refused_field(olive.get("employees", {name: value})) == name, (name, value)


def test_a_parameter_given_twice_is_refused(olive):
    assert refused_field(olive.get("employees?status=active&status=left")) == "status"


def test_a_cursor_of_another_list_is_refused(cast, olive):
    following = olive.get("employees", {"limit": 1}).json()["next"]
    cursor = following.partition("cursor=")[2].partition("&")[0]
    assert refused_field(olive.get(f"branches?cursor={cursor}")) == "cursor"


def test_a_forged_cursor_is_refused(cast, olive):
    following = olive.get("employees", {"limit": 1}).json()["next"]
    cursor = following.partition("cursor=")[2].partition("&")[0]
    for place in (0, len(cursor) // 2, len(cursor) - 1):
        forged = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert refused_field(olive.get(f"employees?limit=1&cursor={forged}")) == "cursor"


# branches and departments


@pytest.mark.parametrize(
    ("who", "branches", "departments"),
    [
        ("olive", ["North", "South"], ["Sales", "Support", "Workshop"]),
        ("liam", ["North"], ["Sales", "Support"]),
        ("mona", ["North"], ["Sales"]),
        ("ada", [], []),
        ("vera", [], []),
        ("greta", ["Lair"], ["Research"]),
    ],
)
def test_each_role_sees_its_own_places_and_opens_no_others(cast, who, branches, departments):
    caller = with_key(getattr(cast, who))
    if not branches:
        for address in ("branches", "departments", f"branches/{cast.north.id}", f"departments/{cast.sales.id}"):
            errors_of(caller.get(address), 403)
        return
    assert names(caller.get("branches")) == branches
    assert names(caller.get("departments")) == departments
    for branch in (cast.north, cast.south):
        assert caller.get(f"branches/{branch.id}").status_code == (200 if branch.name in branches else 404)
    for department in (cast.sales, cast.support, cast.workshop):
        assert caller.get(f"departments/{department.id}").status_code == (200 if department.name in departments else 404)


def test_places_have_the_contract_s_shape(cast, olive):
    north = {"id": str(cast.north.id), "name": "North", "location": "Oslo"}
    assert olive.get(f"branches/{cast.north.id}").json() == north
    assert olive.get("branches", {"q": "oslo"}).json() == {"next": None, "previous": None, "results": [north]}
    sales = {"id": str(cast.sales.id), "name": "Sales", "branch": {"id": str(cast.north.id), "name": "North"}}
    assert olive.get(f"departments/{cast.sales.id}").json() == sales
    assert names(olive.get("departments", {"branch": str(cast.south.id)})) == ["Workshop"]
    assert names(olive.get("departments", {"q": "sup"})) == ["Support"]


# all of them

LISTS = ["employees", "branches", "departments"]
ADDRESSES = ["me", *LISTS, *(f"{thing}/{MISSING}" for thing in LISTS)]


def test_what_is_missing_is_a_404(olive):
    for thing in LISTS:
        for identifier in (MISSING, "not-an-id", "%7B%22$ne%22:null%7D"):
            errors_of(olive.get(f"{thing}/{identifier}"), 404)


def test_a_method_that_is_not_there_is_a_405(olive):
    also = {"employees": "POST", f"employees/{MISSING}": "PATCH"}
    for address in ADDRESSES:
        allowed = ["GET", *([also[address]] if address in also else []), "HEAD"]
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            if method in allowed:
                continue
            response = olive.send(method, address, b"{}")
            errors_of(response, 405)
            assert response.headers["Allow"] == ", ".join(allowed)


def test_nobody_signed_in_is_a_401(cast, nobody):
    for address in ADDRESSES:
        response = nobody.get(address)
        errors_of(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
