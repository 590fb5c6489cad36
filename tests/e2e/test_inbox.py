"""The list of consultations as people use it: it follows what they type and choose, and goes on where it ends."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from chat.services import conversations
from tenants import scoping

FIRST = datetime(2026, 3, 1, 9, tzinfo=UTC)
OTHERS = [f"Talk {number:02}" for number in range(1, 66)]


@pytest.fixture
def shelf(world):
    """65 talks of Olive's about Erik, the newest first, besides the world's own; three about training, one pinned, one archived."""
    cast = world.cast
    erik = cast.employees["Erik Ek"].pk
    with scoping.tenant(cast.acme):
        for number, title in enumerate(OTHERS):
            made = conversations.start(
                cast.olive.membership,
                type="training_guidance" if number < 3 else "one_to_one",
                subject_employee_ids=[erik],
                title=title,
                now=FIRST + timedelta(hours=number),
            )
            if title == "Talk 10":
                conversations.pin(cast.olive.membership, made)
            if title == "Talk 20":
                conversations.archive(cast.olive.membership, made)
    return world


def rows(page):
    return page.locator("[data-conversations] [data-slot=title]")


def search(page):
    return page.get_by_role("searchbox", name="Search in titles")


async def open_inbox(page, world):
    """The list, with a mark on the page that is gone once it is loaded anew."""
    await page.goto(world.address("chat/"))
    await page.evaluate("window.sameDocument = true")


async def assert_not_reloaded(page):
    assert await page.evaluate("window.sameDocument === true"), "The page was loaded anew."


async def test_the_list_follows_what_one_types(page, shelf):
    await open_inbox(page, shelf)
    await expect(rows(page)).to_have_count(30)
    await expect(page.get_by_role("button", name="Show", exact=True)).to_be_hidden()
    await search(page).press_sequentially("talk 6")
    await expect(rows(page)).to_have_text(["Talk 65", "Talk 64", "Talk 63", "Talk 62", "Talk 61", "Talk 60"])
    await expect(page.locator("[data-found]")).to_have_text("6 consultations.")
    await expect(search(page)).to_be_focused()
    await assert_not_reloaded(page)

    await page.reload()
    await expect(search(page)).to_have_value("talk 6")
    await expect(rows(page)).to_have_count(6)

    await search(page).fill("")
    await expect(rows(page)).to_have_count(30)
    await search(page).fill("no such words")
    await expect(page.locator("[data-conversations]")).to_contain_text("No consultation fits.")
    await page.get_by_role("link", name="Show all that are active").click()
    await expect(rows(page)).to_have_count(30)
    await expect(search(page)).to_have_value("")


async def test_what_looks_like_a_pattern_is_only_text(page, shelf):
    await open_inbox(page, shelf)
    for text in (".*", "(", "[", "$ne", "<b>"):
        await search(page).fill(text)
        await expect(page.locator("[data-conversations]")).to_contain_text("No consultation fits.")
    await assert_not_reloaded(page)


async def test_type_status_and_pin_narrow_the_list_together(page, shelf):
    await open_inbox(page, shelf)
    await page.get_by_label("Type").select_option("Training guidance")
    await expect(rows(page)).to_have_text(["Talk 03", "Talk 02", "Talk 01"])
    await search(page).fill("02")
    await expect(rows(page)).to_have_text(["Talk 02"])
    await page.get_by_label("Type").select_option("Every type")
    await search(page).fill("")
    await page.get_by_label("Status").select_option("Archived")
    await expect(rows(page)).to_have_text(["Talk 20"])
    await page.get_by_label("Status").select_option("Active")
    await page.get_by_text("Pinned only").locator("xpath=..").click()
    await expect(rows(page)).to_have_text(["Talk 10"])
    await assert_not_reloaded(page)
    await page.reload()
    await expect(rows(page)).to_have_text(["Talk 10"])
    await expect(page.get_by_label("Pinned only")).to_be_checked()


async def test_load_more_goes_on_where_the_list_ends_and_shows_each_once(page, shelf):
    """65 talks less the archived one, and the world's own conversation, which is the newest."""
    await open_inbox(page, shelf)
    more = page.get_by_role("link", name="Load more")
    await more.click()
    await expect(rows(page)).to_have_count(60)
    await expect(page.locator(":focus [data-slot=title]")).to_have_text(await rows(page).nth(30).inner_text())
    await more.click()
    await expect(rows(page)).to_have_count(65)
    await expect(more).to_have_count(0)
    wanted = [title for title in reversed(OTHERS) if title not in ("Talk 10", "Talk 20")]
    assert await rows(page).all_inner_texts() == ["Talk 10", "Erik Ek", *wanted]
    await assert_not_reloaded(page)


async def test_load_more_keeps_to_the_filter(page, shelf):
    await open_inbox(page, shelf)
    await page.get_by_label("Type").select_option("Preparing a one-to-one")
    await expect(rows(page).nth(1)).to_have_text("Talk 65")
    for count in (60, 61):
        await page.get_by_role("link", name="Load more").click()
        await expect(rows(page)).to_have_count(count)
    assert "Talk 03" not in await rows(page).all_inner_texts()
    assert "Erik Ek" not in await rows(page).all_inner_texts()


async def test_an_answer_that_comes_late_does_not_replace_a_newer_one(page, shelf):
    await open_inbox(page, shelf)
    held = asyncio.Event()

    async def hold(route):
        await held.wait()
        await route.continue_()

    await page.route("**/chat/?*q=talk+01*", hold)
    await search(page).fill("talk 01")
    async with page.expect_request("**/chat/?*q=talk+01*"):
        pass
    await search(page).fill("talk 02")
    await expect(rows(page)).to_have_text(["Talk 02"])
    async with page.expect_response("**/chat/?*q=talk+01*"):
        held.set()
    await page.evaluate("new Promise((done) => setTimeout(done, 200))")
    await expect(rows(page)).to_have_text(["Talk 02"])


async def test_beside_an_open_conversation_the_list_is_filtered_and_the_conversation_stays(page, shelf):
    await page.goto(shelf.conversation)
    await page.evaluate("window.sameDocument = true")
    await search(page).fill("talk 33")
    await expect(rows(page)).to_have_text(["Talk 33"])
    assert page.url == shelf.conversation
    await assert_not_reloaded(page)
    await rows(page).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Talk 33")


async def test_where_the_network_fails_what_is_there_stays_until_it_is_tried_again(page, shelf):
    await open_inbox(page, shelf)
    failed = []

    async def fail_once(route):
        if failed:
            await route.continue_()
        else:
            failed.append(route.request.url)
            await route.abort()

    await page.route("**/chat/?*q=talk*", fail_once)
    before = await rows(page).all_text_contents()
    await search(page).fill("talk 44")
    await expect(page.locator("[data-list-problem]")).to_be_visible()
    assert await rows(page).all_text_contents() == before
    await page.locator("[data-list-again]").click()
    await expect(rows(page)).to_have_text(["Talk 44"])
    await expect(page.locator("[data-list-problem]")).to_be_hidden()
    assert len(failed) == 1
    await assert_not_reloaded(page)


async def test_pinned_ones_stand_first_and_the_others_under_their_days(page, shelf):
    await open_inbox(page, shelf)
    groups = page.locator("[data-conversations] .conversation-day")
    await expect(groups).to_have_text(["Pinned", "Today", "March 2026"])
    await expect(rows(page).first).to_have_text("Talk 10")
    await page.get_by_role("link", name="Load more").click()
    await expect(rows(page)).to_have_count(60)
    await expect(groups).to_have_text(["Pinned", "Today", "March 2026"])
    texts = await rows(page).all_text_contents()
    assert len(set(texts)) == 60
    await assert_not_reloaded(page)


async def test_the_filters_go_with_the_search(page, shelf):
    await open_inbox(page, shelf)
    await page.get_by_text("About whom, and when").click()
    await page.get_by_label("About", exact=True).fill("Erik")
    await expect(rows(page)).to_have_count(30)
    await page.get_by_label("About", exact=True).fill("Wim")
    await expect(page.locator("[data-conversations]")).to_contain_text("No consultation fits.")
    await page.get_by_label("About", exact=True).fill("Erik")
    await page.get_by_label("From").fill("2026-03-01")
    await page.get_by_label("To", exact=True).fill("2026-03-01")
    await expect(rows(page)).to_have_text(["Talk 10", *(f"Talk {number:02}" for number in range(15, 0, -1) if number != 10)])
    await page.get_by_label("Type").select_option("Training guidance")
    await search(page).fill("talk")
    await page.get_by_role("button", name="Search in messages too").click()
    await page.wait_for_url("**/search/**")
    await expect(page.get_by_label("Words to look for")).to_have_value(
        'talk type:training_guidance about:"Erik" after:2026-03-01 before:2026-03-02'
    )
    await expect(page.locator(".result .conversation-title")).to_have_count(3)
