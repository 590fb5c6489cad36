"""What a signed-in page tells of itself; and counters that change while somebody looks at them."""

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone
from playwright.async_api import expect

from analytics import live, tracking
from analytics.choices import EventType
from analytics.documents import UserActivity
from analytics.services import buffer
from config import mongo
from tenants.choices import Role
from tenants.models import Grant, Permission, PermissionDomain
from tests.e2e.conftest import sign_in, watch
from tests.processes import wait_for


def told(world) -> list[dict]:
    """What pages told of themselves."""
    own = {"organizationId": str(world.cast.acme.pk), "eventMetadata.component": "browser"}
    return list(mongo.collection(UserActivity).find(own, sort=[("timestamp", 1)]))


async def look_and_press(page, world) -> None:
    """A second on a page, the menu's keyboard shortcuts, and on to the next page."""
    await page.goto(f"{world.site.url}/o/acme/chat/")
    await page.wait_for_timeout(1_100)
    await page.get_by_text("Your account").locator("xpath=..").click()
    await page.get_by_role("button", name="Keyboard shortcuts").click()
    await page.keyboard.press("Escape")
    await page.goto(f"{world.site.url}/o/acme/")


async def test_a_page_tells_how_long_it_was_looked_at_and_what_was_pressed(page, world):
    await look_and_press(page, world)
    await sync_to_async(wait_for)(lambda: len(told(world)) >= 2, seconds=15)
    pressed, looked = await sync_to_async(told)(world)
    assert (pressed["eventType"], pressed["eventAction"]) == ("BUTTON_CLICK", "shortcuts")
    assert (looked["eventType"], looked["eventAction"], looked["eventCategory"]) == ("PAGE_VIEW", "looked", "INTERACTION")
    assert 1 <= looked["eventMetadata"]["duration"] < 60
    assert (looked["eventMetadata"]["page"], looked["userId"]) == ("/o/acme/chat/", str(world.cast.olive.user.pk))
    assert pressed["sessionId"] == looked["sessionId"] is not None


async def test_who_asks_not_to_be_tracked_is_not_asked_what_they_press(browser, world):
    context = await browser.new_context()
    await context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })")
    page = await context.new_page()
    troubles = watch(page)
    await sign_in(page, world.site, "olive@acme.example")
    await look_and_press(page, world)
    await sync_to_async(wait_for)(lambda: told(world), seconds=15)
    assert {event["eventAction"] for event in await sync_to_async(told)(world)} == {"looked"}
    assert troubles == []
    await context.close()


@pytest.fixture
def owners_see_metrics(world):
    domain, _ = PermissionDomain.objects.get_or_create(permission_prefix="analytics:metrics", defaults={"description": "Metrics"})
    permission, _ = Permission.objects.get_or_create(code=live.PERMISSION, defaults={"description": "See metrics", "domain": domain})
    Grant.objects.get_or_create(role=Role.OWNER, permission=permission)


def dashboards_loaded(membership, times: int) -> None:
    for _ in range(times):
        tracking.record(membership, EventType.DASHBOARD_LOAD)
    assert tracking.flush(timeout=10)
    buffer.fold(now=timezone.now())


async def test_a_counter_on_a_page_changes_while_somebody_looks_at_it(page, world, owners_see_metrics):
    liam = world.cast.liam.membership
    await sync_to_async(dashboards_loaded)(liam, 1)
    await page.wait_for_timeout(1_600)  # until the site believes the new grant
    await page.goto(f"{world.site.url}/o/acme/chat/")
    await page.evaluate(
        """() => {
            const counter = Object.assign(document.createElement("data"), { textContent: "0" });
            counter.dataset.liveCounter = "dashboard_visits";
            document.querySelector("main").prepend(counter);
            return import("/static/analytics/live.js");
        }"""
    )
    counter = page.locator("[data-live-counter]")
    await expect(counter).to_have_text("1")
    await sync_to_async(dashboards_loaded)(liam, 1_234)
    await expect(counter).to_have_text("1,235")
