"""The pages of budgets, by plain requests: what they show, and who may set what."""

from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import Budget, BudgetPeriod
from integrations.services import budgets
from tenants import scoping
from tests.cast import make_cast

pytestmark = pytest.mark.django_db

FIELDS = {"target": "organization", "period": "day", "amount": "5", "warn_percent": "80", "is_active": "on"}


@pytest.fixture
def cast():
    yield make_cast()
    budgets.forget()


def of(person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def address(path: str = "") -> str:
    return f"/o/acme/settings/budgets/{path}"


def kept(cast) -> Budget:
    with scoping.tenant(cast.acme):
        return Budget.objects.for_tenant(cast.acme).get()


def made(cast) -> Budget:
    assert of(cast.olive).post(address("new/"), FIELDS).status_code == 302
    return kept(cast)


def test_a_budget_is_set_shown_changed_and_removed(cast):
    olive = of(cast.olive)
    budget = made(cast)
    with scoping.tenant(cast.acme):
        begin, _ = budgets.window("day", timezone.now())
        BudgetPeriod.objects.for_tenant(cast.acme).create(budget=budget, starts_at=begin, spent=Decimal("4.5"), reserved=Decimal("0.25"))
    page = olive.get(address()).content.decode()
    for shown in ("$4.50", "$0.25", "of $5.00", "90 per cent are spent"):
        assert shown in page
    changed = olive.post(address(f"{budget.pk}/"), {"amount": "50", "warn_percent": "95", "is_active": "on"}, follow=True)
    assert "of $50.00" in changed.content.decode()
    assert kept(cast).warn_percent == 95
    assert olive.post(address(f"{budget.pk}/delete/"), follow=True).status_code == 200
    assert "No budgets yet" in olive.get(address()).content.decode()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("amount", "0", "greater than or equal to 0.0001"),
        ("amount", "lots", "Enter a number"),
        ("warn_percent", "101", "less than or equal to 100"),
        ("target", "person:x", "Select a valid choice"),
        ("period", "year", "Select a valid choice"),
    ],
)
def test_bad_input_is_said_beside_its_field_and_stays_in_the_form(cast, field, value, words):
    response = of(cast.olive).post(address("new/"), FIELDS | {field: value})
    assert response.status_code == 400
    assert words in response.content.decode()


def test_a_second_budget_for_the_same_is_said_beside_the_period(cast):
    made(cast)
    response = of(cast.olive).post(address("new/"), FIELDS)
    assert response.status_code == 400
    assert "There is a budget for this and period already" in response.content.decode()


def test_who_may_see_them_cannot_set_them_and_others_see_nothing(cast):
    budget = made(cast)
    liam = of(cast.liam)
    page = liam.get(address(f"{budget.pk}/"))
    assert page.status_code == 200
    assert "Remove this budget" not in page.content.decode()
    assert liam.post(address(f"{budget.pk}/"), {"amount": "1", "warn_percent": "80"}).status_code == 403
    assert liam.post(address(f"{budget.pk}/delete/")).status_code == 403
    assert of(cast.mona).get(address()).status_code == 403
    assert of(cast.greta).get(address(f"{budget.pk}/")).status_code == 404
    assert kept(cast).amount == 5


def test_a_breakdown_that_there_is_not_is_the_one_by_model(cast):
    page = of(cast.olive).get(address(f"{made(cast).pk}/"), {"by": "colour"})
    assert page.status_code == 200
    assert 'by=model#spent-on" aria-current="true"' in page.content.decode()
