"""Adding and changing employees: works · wrong role · other tenant is 404 · missing · bad input."""

import uuid

import pytest

from tests.api.conftest import errors_of, refused_field, with_key
from tests.api.test_conversations import OPERATOR
from tests.cast import make_employee

pytestmark = pytest.mark.django_db

MISSING = uuid.UUID(int=7)
NINA = {"first_name": "Nina", "last_name": "Näs"}


def test_an_owner_adds_an_employee_with_all_that_contexts_need(cast, olive):
    body = {
        **NINA,
        "number": "N-1",
        "email": "Nina@acme.example",
        "job_title": "Planner",
        "branch": str(cast.north.id),
        "department": str(cast.sales.id),
        "reports_to": str(cast.employees["Erik Ek"].id),
        "status": "on_leave",
        "hired_on": "2024-02-29",
        "personality_traits": ["curious"],
        "behavioral_patterns": ["asks first"],
        "compatibility": {"job_role": "82.50", "department": 70, "company": None, "industry": "0"},
        "astrology": {"sun_sign": "leo", "moon_sign": None, "harmonic_code": "H-7"},
        "performance": {"indicators": {"goals reached": 92, "on-time": 0.87}, "strengths": ["listening"], "training_needs": []},
    }
    response = olive.post("employees", body)
    assert response.status_code == 201, response.content
    added = response.json()
    assert olive.get(f"employees/{added['id']}").json() == added
    assert {name: added[name] for name in NINA} == NINA
    assert (added["email"], added["status"], added["hired_on"]) == ("nina@acme.example", "on_leave", "2024-02-29")
    assert (added["branch"]["name"], added["department"]["name"]) == ("North", "Sales")
    assert added["reports_to"] == body["reports_to"]
    assert added["compatibility"] == {"job_role": "82.50", "department": "70.00", "company": None, "industry": "0.00"}
    assert added["astrology"]["sun_sign"] == "leo"
    assert added["performance"]["indicators"] == {"goals reached": 92, "on-time": 0.87}


def test_an_employee_is_changed_field_by_field(cast, olive):
    nina = olive.post("employees", {**NINA, "department": str(cast.sales.id)}).json()
    assert nina["branch"]["name"] == "North"
    one = f"employees/{nina['id']}"
    assert olive.patch(one, {}).json() == nina
    changed = olive.patch(one, {"job_title": "Lead", "performance": {"strengths": ["calm"]}}).json()
    assert changed == {
        **nina,
        "job_title": "Lead",
        "performance": {**nina["performance"], "strengths": ["calm"]},
        "updated_at": changed["updated_at"],
    }
    moved = olive.patch(one, {"branch": str(cast.south.id)}).json()
    assert (moved["branch"]["name"], moved["department"]) == ("South", None)
    assert olive.patch(one, {"department": str(cast.workshop.id)}).json()["department"]["name"] == "Workshop"


def test_a_leader_keeps_to_the_branch(cast):
    liam = with_key(cast.liam)
    added = liam.post("employees", NINA)
    assert added.json()["branch"]["name"] == "North"
    one = f"employees/{added.json()['id']}"
    assert refused_field(liam.post("employees", {**NINA, "branch": str(cast.south.id)})) == "branch"
    assert refused_field(liam.post("employees", {**NINA, "department": str(cast.workshop.id)})) == "department"
    assert refused_field(liam.patch(one, {"branch": str(cast.south.id)})) == "branch"
    assert refused_field(liam.patch(one, {"branch": None})) == "branch"
    assert refused_field(liam.patch(one, {"reports_to": str(cast.employees["Wim Wolf"].id)})) == "reports_to"
    errors_of(liam.patch(f"employees/{cast.employees['Wim Wolf'].id}", {"job_title": "x"}), 404)


def test_other_roles_add_and_change_nobody(cast):
    erik = cast.employees["Erik Ek"]
    for person in (cast.mona, cast.ada, cast.vera):
        errors_of(with_key(person).post("employees", NINA), 403)
        errors_of(with_key(person).patch(f"employees/{erik.id}", {"job_title": "x"}), 403)


def test_nobody_reaches_another_organization_s_employees_or_places(cast, olive, greta):
    erik, hank = cast.employees["Erik Ek"], cast.strangers["Hank Scorpio"]
    errors_of(greta.patch(f"employees/{erik.id}", {"job_title": "x"}), 404)
    errors_of(olive.patch(f"employees/{hank.id}", {"job_title": "x"}), 404)
    errors_of(olive.patch(f"employees/{MISSING}", {"job_title": "x"}), 404)
    for field, value in [("branch", hank.branch_id), ("department", hank.department_id), ("reports_to", hank.id)]:
        assert refused_field(olive.post("employees", {**NINA, field: str(value)})) == field
        assert refused_field(olive.patch(f"employees/{erik.id}", {field: str(value)})) == field


def test_a_bad_field_is_named_and_changes_nobody(cast, olive):
    victor = make_employee(cast.acme, "Victor Vole", department=cast.sales)
    one = f"employees/{victor.id}"
    before = olive.get(one).json()
    for field, change in [
        ("first_name", {"first_name": ""}),
        ("first_name", {"first_name": OPERATOR}),
        ("last_name", {"last_name": None}),
        ("last_name", {"last_name": "x" * 151}),
        ("email", {"email": "nobody"}),
        ("email", {"email": OPERATOR}),
        ("number", {"number": 7}),
        ("status", {"status": "gone"}),
        ("hired_on", {"hired_on": "29.2.2024"}),
        ("hired_on", {"hired_on": "2023-02-29"}),
        ("hired_on", {"hired_on": 20240229}),
        ("branch", {"branch": "North"}),
        ("branch", {"branch": OPERATOR}),
        ("department", {"department": str(cast.workshop.id)}),
        ("reports_to", {"reports_to": str(victor.id)}),
        ("reports_to", {"reports_to": str(MISSING)}),
        ("personality_traits", {"personality_traits": "calm"}),
        ("personality_traits.0", {"personality_traits": [7]}),
        ("compatibility", {"compatibility": "high"}),
        ("compatibility.company", {"compatibility": {"company": 101}}),
        ("compatibility.company", {"compatibility": {"company": "NaN"}}),
        ("compatibility.company", {"compatibility": {"company": OPERATOR}}),
        ("compatibility.luck", {"compatibility": {"luck": 1}}),
        ("astrology.sun_sign", {"astrology": {"sun_sign": "ophiuchus"}}),
        ("performance.indicators", {"performance": {"indicators": [1]}}),
        ("performance.indicators.goals", {"performance": {"indicators": {"goals": "many"}}}),
        ("performance.indicators.goals", {"performance": {"indicators": {"goals": True}}}),
        ("performance.indicators", {"performance": {"indicators": {"": 1}}}),
        ("performance_indicators", {"performance_indicators": {}}),
        ("organization", {"organization": str(cast.globex.id)}),
        ("id", {"id": str(MISSING)}),
    ]:
        assert refused_field(olive.patch(one, change)) == field, change
    assert olive.get(one).json() == before


def test_a_number_or_email_belongs_to_one_employee(cast, olive):
    olive.post("employees", {**NINA, "number": "U-1", "email": "u1@acme.example"})
    for same in ({"number": "U-1"}, {"email": "U1@acme.example"}):
        [error] = errors_of(olive.post("employees", {**NINA, **same}), 400)
        assert (error["code"], error["attr"]) == ("unique", next(iter(same)))
