"""REST: budgets, how they stand, and what they were spent on."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from integrations.models import Bridge, Budget, BudgetPeriod, CallMetric
from integrations.services import budgets
from tenants import scoping
from tests.api.conftest import cast, errors_of, greta, olive, refused_field, signed_in, with_key

__all__ = ["cast", "greta", "olive"]

pytestmark = pytest.mark.django_db

MONTHLY = {"scope": "organization", "period": "month", "amount": "25.00"}


@pytest.fixture(autouse=True)
def _known_anew():
    yield
    budgets.forget()


def made(caller, **fields) -> dict:
    response = caller.post("budgets", MONTHLY | fields)
    assert response.status_code == 201, response.content
    return response.json()


def spent(cast, budget_id: str, amount: str, **fields) -> None:
    with scoping.tenant(cast.acme):
        budget = Budget.objects.for_tenant(cast.acme).get(pk=budget_id)
        begin, _ = budgets.window(budget.period, timezone.now())
        BudgetPeriod.objects.for_tenant(cast.acme).create(budget=budget, starts_at=begin, spent=Decimal(amount), **fields)


def call(cast, cost: str | None, *, at=None, organization=None, **fields) -> None:
    organization = organization or cast.acme
    fields = {"model": "gpt-4o-mini", "service": "openai", "input_tokens": 10, "output_tokens": 5, "latency": 1, "success": True} | fields
    with scoping.tenant(organization):
        CallMetric.objects.for_tenant(organization).create(
            id=uuid.uuid4(), cost=None if cost is None else Decimal(cost), created_at=at or timezone.now(), **fields
        )


def test_a_budget_is_set_read_changed_and_removed(olive, cast, time_machine):
    time_machine.move_to("2026-04-15T10:00:00Z", tick=False)
    budget = made(olive)
    assert budget | {"id": "", "created_at": ""} == {
        "id": "",
        "scope": "organization",
        "target_id": str(cast.acme.pk),
        "target": "Acme",
        "period": "month",
        "amount": "25.0000",
        "warn_percent": 80,
        "refuse_unknown": False,
        "is_active": True,
        "starts_at": "2026-04-01T00:00:00Z",
        "begins_anew": "2026-05-01T00:00:00Z",
        "spent": "0",
        "estimated": "0",
        "reserved": "0",
        "left": "25.0000",
        "calls": 0,
        "unknown_calls": 0,
        "warned_at": None,
        "created_at": "",
    }
    spent(cast, budget["id"], "20", reserved=Decimal(1), calls=3, unknown=1, estimated=Decimal("0.5"))
    changed = olive.patch(f"budgets/{budget['id']}", {"amount": 50, "warn_percent": 90, "refuse_unknown": True})
    assert changed.status_code == 200, changed.content
    figures = {"amount": "50.0000", "spent": "20.0000000000", "reserved": "1.0000000000", "left": "29.0000000000", "unknown_calls": 1}
    assert {name: changed.json()[name] for name in figures} == figures
    assert [row["id"] for row in olive.get("budgets").json()["results"]] == [budget["id"]]
    assert olive.delete(f"budgets/{budget['id']}").status_code == 204
    assert olive.get(f"budgets/{budget['id']}").status_code == 404
    assert olive.get("budgets").json()["results"] == []


def test_each_scope_names_its_target(olive, cast):
    with scoping.tenant(cast.acme):
        bridge = Bridge.objects.for_tenant(cast.acme).create(name="Team summary", slug="team-summary")
    named = made(olive, scope="department", target_id=str(cast.sales.pk)), made(olive, scope="person", target_id=str(cast.mona.user.pk))
    assert [budget["target"] for budget in named] == ["Sales", cast.mona.user.name]
    assert made(olive, scope="bridge", target_id=str(bridge.pk))["target"] == "Team summary"


def test_a_list_comes_in_pages(olive, cast):
    ids = [made(olive, period=period)["id"] for period in ("day", "month")]
    first = olive.get("budgets", {"limit": 1}).json()
    second = olive.get(first["next"]).json()
    assert [row["id"] for row in first["results"] + second["results"]] == ids[::-1]
    assert second["next"] is None


@pytest.mark.parametrize("scope", ["department", "person", "key", "bridge"])
def test_another_organizations_target_is_refused(olive, cast, scope):
    theirs = {"person": cast.greta.user.pk}.get(scope, uuid.uuid4())
    for target in (str(theirs), None):
        body = MONTHLY | {"scope": scope} | ({"target_id": target} if target else {})
        assert refused_field(olive.post("budgets", body)) == "target_id"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "0"),
        ("amount", "-1"),
        ("amount", "NaN"),
        ("amount", "1e40"),
        ("amount", "0.00001"),
        ("amount", True),
        ("amount", {"$gt": 0}),
        ("warn_percent", 101),
        ("warn_percent", 0),
        ("period", "year"),
        ("scope", "planet"),
        ("target_id", "x"),
        ("owner", "me"),
    ],
)
def test_bad_input_names_its_field(olive, field, value):
    assert refused_field(olive.post("budgets", MONTHLY | {field: value})) == field


def test_a_second_budget_for_the_same_is_refused_with_a_sentence(olive):
    made(olive)
    (refused,) = errors_of(olive.post("budgets", MONTHLY), 400)
    assert refused["attr"] == "period"
    assert "already" in refused["detail"]


def test_what_a_budget_is_for_cannot_be_changed(olive):
    budget = made(olive)
    assert refused_field(olive.patch(f"budgets/{budget['id']}", {"scope": "person"})) == "scope"


def test_who_may_see_budgets_may_not_set_them(olive, cast):
    budget = made(olive)
    liam, mona = signed_in(cast.liam.user), signed_in(cast.mona.user)
    assert liam.get(f"budgets/{budget['id']}").status_code == 200
    for response in (
        liam.post("budgets", MONTHLY),
        liam.patch(f"budgets/{budget['id']}", {"amount": "1"}),
        liam.delete(f"budgets/{budget['id']}"),
        mona.get("budgets"),
        mona.get(f"budgets/{budget['id']}/spending"),
    ):
        assert response.status_code == 403, response.content


def test_another_organization_gets_a_404(olive, greta):
    budget = made(olive)
    for response in (
        greta.get(f"budgets/{budget['id']}"),
        greta.get(f"budgets/{budget['id']}/spending"),
        greta.patch(f"budgets/{budget['id']}", {"amount": "1"}),
        greta.delete(f"budgets/{budget['id']}"),
    ):
        assert response.status_code == 404
    assert greta.get("budgets").json()["results"] == []


def test_a_wrong_method_is_a_405(olive):
    assert olive.post(f"budgets/{made(olive)['id']}/spending", {}).status_code == 405


def test_a_program_is_told_in_a_header(olive, cast):
    budget = made(olive)
    spent(cast, budget["id"], "20.5", reserved=Decimal(1))
    said = with_key(cast.olive).get(f"budgets/{budget['id']}")
    assert said.headers["X-Parley-Budget"] == "spent=20.5; reserved=1; of=25"
    assert "X-Parley-Budget" not in signed_in(cast.olive.user).get(f"budgets/{budget['id']}").headers


def test_spending_is_what_the_ledger_knows_of_whom_the_budget_is_for(olive, cast, time_machine):
    time_machine.move_to("2026-11-23T10:00:00Z", tick=False)
    day = datetime(2026, 11, 22, tzinfo=UTC)
    mona, liam = cast.mona.user.pk, cast.liam.user.pk
    call(cast, "1.5", user_id=mona, at=day)
    call(cast, "0.25", user_id=mona, model="o3")
    call(cast, None, user_id=mona, model="o3")
    call(cast, None, user_id=mona, model="o3", success=False, output_tokens=None, input_tokens=None)
    call(cast, "7", user_id=liam)
    call(cast, "9", user_id=mona, at=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
    call(cast, "11", organization=cast.globex)
    budget = made(olive, scope="person", target_id=str(mona))
    body = olive.get(f"budgets/{budget['id']}/spending").json()
    assert (body["from"], body["until"], body["by"]) == ("2026-11-01", "2026-12-01", "model")
    assert body["rows"] == [
        {"of": "gpt-4o-mini", "name": "gpt-4o-mini", "calls": 1, "unknown_calls": 0, "input_tokens": 10, "output_tokens": 5}
        | {"cost": "1.5000000000"},
        {"of": "o3", "name": "o3", "calls": 3, "unknown_calls": 1, "input_tokens": 20, "output_tokens": 10, "cost": "0.2500000000"},
    ]
    assert (body["total"]["calls"], body["total"]["cost"]) == (4, "1.7500000000")
    whole = made(olive)
    people = olive.get(f"budgets/{whole['id']}/spending", {"by": "person"}).json()["rows"]
    assert [(row["name"], row["cost"]) for row in people] == [
        (cast.liam.user.name, "7.0000000000"),
        (cast.mona.user.name, "1.7500000000"),
    ]
    days = olive.get(f"budgets/{whole['id']}/spending", {"by": "day", "from": "2026-10-01"}).json()["rows"]
    assert [(row["of"], row["cost"]) for row in days] == [
        ("2026-10-31", "9.0000000000"),
        ("2026-11-22", "1.5000000000"),
        ("2026-11-23", "7.2500000000"),
    ]


def test_nothing_known_is_null_and_not_zero(olive, cast):
    call(cast, None)
    body = olive.get(f"budgets/{made(olive)['id']}/spending").json()
    assert (body["total"]["cost"], body["total"]["unknown_calls"]) == (None, 1)


def test_bad_days_are_refused(olive):
    budget = made(olive)
    assert refused_field(olive.get(f"budgets/{budget['id']}/spending", {"from": "2026-02-30"})) == "from"
    assert refused_field(olive.get(f"budgets/{budget['id']}/spending", {"from": "2026-02-02", "until": "2026-02-02"})) == "from"
    assert refused_field(olive.get(f"budgets/{budget['id']}/spending", {"by": "colour"})) == "by"
