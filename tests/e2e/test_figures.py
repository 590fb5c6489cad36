"""Figures of a connected platform below an answer: a table and a chart, live, after a reload and without a script; the way to connect."""

from datetime import UTC, datetime

from asgiref.sync import sync_to_async
from playwright.async_api import expect

from integrations.services import connections
from tenants import scoping
from tests.e2e.conftest import SMALL, looks_right
from tests.e2e.test_journey import answer, ask
from tests.e2e.test_without_script import plain

__all__ = ["plain"]

CALL = ("run_analytics_report", {"metrics": ["sessions", "totalUsers"], "since": "2026-03-01", "until": "2026-03-07"})
TITLE = "Google Analytics: Sample data, 2026-03-01 to 2026-03-07 (not real)"


def connect(world):
    with scoping.tenant(world.cast.acme):
        connections.connect_demo(world.cast.olive.membership, "google_analytics", now=datetime.now(UTC))


async def asked(page, world, *, is_connected=True):
    if is_connected:
        await sync_to_async(connect)(world)
    world.upstream.behave("It was a quiet week.")
    world.upstream.call = CALL
    await page.goto(world.conversation)
    await ask(page, "How many sessions did our website have?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")


async def is_all_there(page):
    table = answer(page).get_by_role("region", name=TITLE)
    await expect(table.get_by_role("columnheader")).to_have_text(["date", "sessions", "totalUsers"])
    await expect(table.locator("tbody tr")).to_have_count(7)
    await answer(page).locator(".part-chart").scroll_into_view_if_needed()
    await expect(answer(page).locator(".part-chart[data-drawn] canvas")).to_be_visible()
    await expect(answer(page).get_by_role("link", name="Connect Google Analytics")).to_be_visible()


async def test_table_and_chart_stand_below_the_answer_live_and_after_a_reload(page, world):
    await asked(page, world)
    await expect(answer(page).locator(".message-body")).to_have_text("It was a quiet week.")
    await is_all_there(page)
    await page.reload()
    await is_all_there(page)
    asked_again = [question for question in world.upstream.questions if question["messages"][-1]["role"] == "tool"]
    assert len(asked_again) == 1 and "is_sample_data" in asked_again[0]["messages"][-1]["content"]
    assert {tool["function"]["name"] for tool in asked_again[0]["tools"]} >= {"run_analytics_report", "connect_platform"}


async def test_the_button_leads_to_where_it_is_connected(page, world):
    await asked(page, world, is_connected=False)
    await answer(page).get_by_role("link", name="Connect Google Analytics").click()
    await expect(page).to_have_url(f"{world.site.url}/o/acme/connections/?platform=google_analytics")


async def test_without_a_script_the_table_is_read_and_no_empty_chart_is_shown(page, plain, world):
    await asked(page, world)
    await plain.goto(world.conversation)
    await expect(answer(plain).get_by_role("region", name=TITLE).locator("tbody tr")).to_have_count(7)
    await expect(answer(plain).locator(".part-chart")).to_be_hidden()


async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, world):
    await page.set_viewport_size(SMALL)
    await asked(page, world)
    await is_all_there(page)
    await looks_right(page)
