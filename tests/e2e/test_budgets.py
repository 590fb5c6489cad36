"""Budgets in a browser: bars, what was spent, the form; light, dark and small, and without a script."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

from asgiref.sync import sync_to_async
from django.db import connection
from playwright.async_api import expect

from integrations.models import Budget, BudgetPeriod, CallMetric
from integrations.services import budgets
from tenants import scoping
from tests.e2e.conftest import LARGE, SMALL, looks_right


def _spent(cast) -> str:
    now = datetime.now(UTC)
    figures = [("organization", cast.acme.pk, "month", "100", "41.5", "6"), ("department", cast.sales.pk, "day", "5", "4.25", "0.25")]
    figures.append(("person", cast.mona.user.pk, "day", "1", "1.02", "0"))
    with scoping.tenant(cast.acme):
        for scope, target, period, amount, spent, reserved in figures:
            budget = Budget.objects.for_tenant(cast.acme).create(scope=scope, target_id=target, period=period, amount=Decimal(amount))
            begin, _ = budgets.window(period, now)
            BudgetPeriod.objects.for_tenant(cast.acme).create(
                budget=budget, starts_at=begin, spent=Decimal(spent), reserved=Decimal(reserved), calls=40, unknown=2
            )
        whole = Budget.objects.for_tenant(cast.acme).get(scope="organization")
        for model, cost in (("gpt-4o-mini", "0.000325"), ("gpt-4o", "12.5"), ("own-model", None), ("gpt-4o", "29")):
            CallMetric.objects.for_tenant(cast.acme).create(
                id=uuid.uuid4(), model=model, service="openai", input_tokens=1_200, output_tokens=340, latency=1, success=True,
                user_id=cast.mona.user.pk, cost=cost and Decimal(cost), created_at=now,
            )  # fmt: skip
    connection.close()
    return str(whole.pk)


async def test_it_fits_and_is_accessible_in_every_light_and_size(page, world):
    await page.set_viewport_size(SMALL)
    await page.goto(world.address("settings/budgets/"))
    await expect(page.get_by_role("heading", name="No budgets yet")).to_be_visible()
    whole = await sync_to_async(_spent)(world.cast)
    await page.goto(world.address("settings/budgets/"))
    await expect(page.get_by_text("Used up: calls are refused until")).to_be_visible()
    await looks_right(page, shot="budgets")
    await page.goto(world.address(f"settings/budgets/{whole}/"))
    await expect(page.get_by_role("row", name="own-model")).to_contain_text("unknown")
    tall = [size | {"height": 1800} for size in (LARGE, SMALL)]
    await looks_right(page, sizes=tall, shot="budget")
    await page.goto(world.address("settings/budgets/new/"))
    await looks_right(page, sizes=tall, shot="budget-new")


async def test_a_budget_is_set_changed_and_removed(page, world):
    await page.goto(world.address("settings/budgets/new/"))
    await page.get_by_label("For").select_option(label="Sales")
    await page.get_by_label("US dollars").fill("0")
    await page.get_by_label("US dollars").evaluate("field => field.form.noValidate = true")
    await page.get_by_role("button", name="Set the budget").click()
    await expect(page.get_by_text("greater than or equal to 0.0001")).to_be_visible()
    await page.get_by_label("US dollars").fill("12.5")
    await page.get_by_role("button", name="Set the budget").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sales")
    await expect(page.get_by_text("$12.50")).to_be_visible()
    await page.get_by_label("US dollars").fill("20")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("of $20.00")).to_be_visible()
    await page.get_by_text("Remove this budget").click()
    await page.get_by_role("button", name="Remove it").click()
    await expect(page.get_by_role("heading", name="No budgets yet")).to_be_visible()
