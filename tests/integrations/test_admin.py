"""Staff look at the ledger of every organization, and keep prices."""

import uuid
from decimal import Decimal

import pytest
from django.urls import reverse

from integrations.models import Budget, ModelPrice
from integrations.providers.base import Outcome, Usage
from integrations.services import ledger
from tenants import scoping
from tests import cast as people
from tests.integrations.test_ledger import attempt_of


@pytest.fixture
def cast(stores):
    return people.make_cast()


@pytest.fixture
def staff(cast, client):
    client.force_login(cast.sam)
    return client


LEDGER = "admin:integrations_modelcall_changelist"
PRICES = "admin:integrations_modelprice_changelist"
BUDGETS = "admin:integrations_budget_changelist"
BUDGET_PERIODS = "admin:integrations_budgetperiod_changelist"


def test_the_ledger_shows_calls_and_what_is_not_known(cast, staff):
    estimated = Usage(7, 3, estimated=True)
    ledger.write(
        [
            attempt_of(cast.acme),
            attempt_of(cast.globex, outcome=Outcome.CANCELLED, usage=estimated, cost=None),
            attempt_of(cast.globex, outcome=Outcome.FAILED, usage=None, cost=None),
        ]
    )
    page = staff.get(reverse(LEDGER)).content.decode()
    for shown in ("Acme", "Globex", "12 + 5", "$0.000068", "about 7 + 3", "unknown", "Cancelled", "Failed"):
        assert shown in page


def test_the_calls_of_a_message_are_found_by_its_id(cast, staff):
    wanted = uuid.uuid4()
    ledger.write([attempt_of(cast.acme, message_id=str(wanted), model="wanted-1"), attempt_of(cast.acme, model="other-1")])
    page = staff.get(reverse(LEDGER), {"q": str(wanted)}).content.decode()
    assert "wanted-1" in page
    assert "other-1" not in page


def test_a_search_for_words_is_no_error(cast, staff):
    ledger.write([attempt_of(cast.acme, error="HTTP 500: oops")])
    for words in ("oops", "not a uuid", "🦉 '\"%"):
        assert staff.get(reverse(LEDGER), {"q": words}).status_code == 200


def test_the_ledger_is_not_to_be_touched(cast, staff):
    ledger.write([attempt := attempt_of(cast.acme)])
    change = reverse("admin:integrations_modelcall_change", args=[attempt.id])
    assert staff.get(change).status_code == 200
    assert staff.post(change, {"cost": 1}).status_code == 403
    assert staff.get(reverse("admin:integrations_modelcall_add")).status_code == 403


def test_staff_keep_prices(cast, staff):
    fields = {"model": "m-*", "host": "", "since_0": "2026-11-01", "since_1": "00:00", "input": "1", "cached_input": "0.5", "output": "2"}
    assert staff.post(reverse("admin:integrations_modelprice_add"), fields).status_code == 302
    (price,) = ModelPrice.objects.all()
    assert (price.model, price.cached_input) == ("m-*", Decimal("0.5"))
    assert "m-*" in staff.get(reverse(PRICES)).content.decode()
    assert price.reasoning is None
    assert price.history.count() == 1
    assert staff.post(reverse("admin:integrations_modelprice_add"), {**fields, "output": "-2"}).status_code == 200


def test_staff_set_budgets_for_what_is_the_organizations_own(cast, staff):
    add = reverse("admin:integrations_budget_add")
    assert staff.get(add).status_code == 200
    fields = {
        "organization": cast.acme.pk,
        "scope": "organization",
        "period": "day",
        "amount": "5",
        "warn_percent": "80",
        "is_active": "on",
    }
    assert staff.post(add, fields).status_code == 302
    with scoping.across_tenants("a test looks"):
        (budget,) = Budget.across_tenants.all()
    assert (budget.target_id, budget.amount) == (cast.acme.pk, 5)
    theirs = staff.post(add, fields | {"scope": "person", "target_id": cast.greta.user.pk})
    assert theirs.status_code == 200
    assert "Write the id of a person of Acme." in theirs.content.decode()
    assert staff.post(add, fields | {"scope": "person", "target_id": cast.mona.user.pk}).status_code == 302
    shown = staff.get(reverse(BUDGETS), {"q": "acme"}).content.decode()
    assert "Acme" in shown
    assert staff.get(reverse(BUDGET_PERIODS)).status_code == 200
    assert staff.get(reverse("admin:integrations_budgetperiod_add")).status_code == 403


def test_nobody_else_gets_in(cast, client):
    for person in (cast.olive, cast.greta):
        client.force_login(person.user)
        for page in (LEDGER, PRICES, BUDGETS, BUDGET_PERIODS):
            assert client.get(reverse(page)).status_code in (302, 403)
