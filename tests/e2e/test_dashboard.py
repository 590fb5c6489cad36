"""The owner's dashboard in a browser: pictures, tables, periods, the rows behind a number; light, dark and small."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from analytics.windows import Window, day_of
from tests.analytics.rows import a_history
from tests.e2e.conftest import fits_and_is_accessible, looks_right, sign_in, watch

OWN_SCRIPT_LIMIT = 24 * 1024  # bytes of our own modules, whatever the library weighs


@pytest.fixture
def history(world):
    today = day_of(datetime.now(UTC))
    a_history(world.cast, Window(today - timedelta(days=70), today))
    return world


async def shot(page, name):
    if folder := os.environ.get("SHOTS"):
        await page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


async def drawn(page):
    for figure in await page.locator("[data-chart]").all():
        await figure.scroll_into_view_if_needed()
        await expect(figure).to_have_attribute("data-drawn", "")


@pytest.mark.parametrize(("width", "whole"), [(1280, 3600), (360, 5200)])
async def test_it_is_drawn_and_accessible_in_every_light_and_size(page, history, width, whole):
    size = {"width": width, "height": 900}
    await page.emulate_media(reduced_motion="reduce")
    await page.set_viewport_size(size)
    await page.goto(history.address("dashboard/"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    await drawn(page)
    tall = size | {"height": whole}  # what a scrolled pane hides is on the picture too
    await looks_right(page, sizes=[tall], shot="dashboard")
    await page.goto(history.address("dashboard/engagement/?by=user"))
    await looks_right(page, sizes=[tall], shot="dashboard-people")
    await page.goto(history.address("dashboard/chat/?days=7"))
    await page.locator(".period-own > summary").click()
    await looks_right(page, sizes=[tall], shot="dashboard-sheet")


async def test_nothing_counted_yet_says_when_it_will_be(page, world):
    await page.goto(world.address("dashboard/"))
    await expect(page.get_by_role("heading", name="Nothing is counted for these days yet")).to_be_visible()
    await shot(page, "dashboard-empty")
    await fits_and_is_accessible(page, 1280)


async def test_from_a_number_to_its_rows_by_keyboard_and_back(page, history):
    await page.goto(history.address("dashboard/?days=7"))
    await page.get_by_role("link", name=re.compile("^Active people")).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Engagement by user")
    await expect(page.get_by_role("rowheader", name=history.cast.olive.user.name)).to_be_visible()
    assert "days=7" in page.url
    await page.get_by_role("link", name="Dashboard", exact=True).last.click()
    await expect(page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
    await page.get_by_text("As a table: Active people").click()
    table = page.get_by_role("region", name="Active people, as a table")
    await expect(table.get_by_role("row")).to_have_count(8)
    await table.get_by_role("link").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Engagement by user")
    first, last = (re.search(rf"{name}=([\d-]+)", page.url)[1] for name in ("first", "last"))
    assert first == last


async def test_a_picture_says_what_its_table_says_and_leads_to_the_rows(page, history):
    await page.goto(history.address("dashboard/?days=30"))
    await drawn(page)
    said = await page.evaluate(
        """() => [...document.querySelectorAll("[data-chart]")].map((figure) => {
          const { datasets } = Chart.getChart(figure.querySelector("canvas")).data;
          const values = [...figure.querySelectorAll("tbody td")].map((cell) => cell.dataset.value);
          const told = values.map((value) => (value === "" ? null : Number(value)));
          return datasets.every(({ data }, at) => data.every((number, row) => number === told[row * datasets.length + at]));
        })"""
    )
    assert said == [True] * 5
    canvas = page.locator("[data-chart] canvas").first
    await canvas.scroll_into_view_if_needed()
    await canvas.click(position={"x": 200, "y": 80})
    await expect(page.get_by_role("heading", level=1)).to_have_text("Engagement by user")


async def test_colours_follow_the_appearance(page, history):
    await page.emulate_media(color_scheme="light")
    await page.goto(history.address("dashboard/"))
    await drawn(page)
    chart = "Chart.getChart(document.querySelectorAll('[data-chart] canvas')[1])"
    ink = f"{chart}.getDatasetMeta(0).data[0].options.backgroundColor"
    assert await page.evaluate(ink) == "rgb(12, 104, 95)"
    await page.evaluate(
        f"""void (window.painted = new Promise((resolve) => {{
          const chart = {chart}, update = chart.update;
          chart.update = () => {{ update.call(chart); resolve(); }};
        }}))"""
    )
    await page.emulate_media(color_scheme="dark")
    await page.evaluate("window.painted")
    assert await page.evaluate(ink) == "rgb(98, 203, 187)"


async def test_nothing_moves_while_it_is_drawn_and_the_library_comes_late(page, history):
    await page.add_init_script(
        """window.shifted = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shifted += entry.value; })
        .observe({ type: "layout-shift", buffered: true });"""
    )
    await page.goto(history.address("dashboard/"))
    await drawn(page)
    assert await page.evaluate("window.shifted") < 0.01
    assert await scripts(page) <= OWN_SCRIPT_LIMIT
    await page.goto(history.address("dashboard/engagement/?by=user"))
    assert not await page.evaluate("'Chart' in window")


async def scripts(page) -> int:
    """The bytes of the page's own scripts, of which the library is none."""
    return await page.evaluate(
        """() => performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js") && !name.includes("/vendor/"))
          .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)"""
    )


async def test_live_counters_are_there_to_be_filled(page, history):
    await page.goto(history.address("dashboard/"))
    names = await page.locator("[data-live-counter]").evaluate_all("all => all.map((one) => one.dataset.liveCounter)")
    assert sorted(names) == sorted(
        ["logins", "active_users", "ai_chat_messages_sent", "ai_chat_sessions", "reports_viewed", "dashboard_visits", "feature_uses"]
    )


async def test_without_script_everything_but_the_pictures_is_there(lend, history):
    page = await (await lend(java_script_enabled=False, viewport={"width": 1280, "height": 900})).new_page()
    troubles = watch(page)
    await sign_in(page, history.site, "olive@acme.example")
    await page.goto(history.address())
    await page.get_by_role("link", name="Dashboard").click()
    await page.get_by_role("link", name="90 days").click()
    await page.locator(".period-own > summary").click()
    await page.get_by_label("By", exact=True).select_option("month")
    await page.get_by_role("button", name="Show").click()
    assert "grain=month" in page.url
    await page.get_by_text("As a table: Questions asked").click()
    await expect(page.get_by_role("region", name="Questions asked, as a table").get_by_role("row").nth(1)).to_be_visible()
    await shot(page, "dashboard-without-script")
    await page.get_by_role("link", name=re.compile("^Cost")).first.click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV").click()
    assert (await download.value).suggested_filename.startswith("acme-usage-by-model-")
    assert troubles == []
