"""The search as people use it: from the field above the list to the message that was looked for."""

import re

import pytest
from playwright.async_api import expect

from chat.documents import Message
from config import mongo
from tests.e2e.conftest import SMALL, looks_right
from tests.e2e.test_without_script import fill, plain

__all__ = ["plain"]

M = mongo.names(Message)


@pytest.fixture
def talk(world):
    """120 messages in Olive's consultation; the 20th speaks of a zeppelin, the 80th of a balloon."""
    fill(world, 120)
    for seq, text in ((20, "Erik could build a **zeppelin** <i>by himself</i>."), (80, "Or a balloon.")):
        one = {M.organization_id: str(world.cast.acme.pk), M.conversation_id: world.conversation_id, M.seq: seq}
        mongo.collection(Message).update_one(one, {"$set": {M.content: text}})
    return world


def results(page):
    return page.get_by_role("list", name="Results").get_by_role("link")


def field(page):
    return page.get_by_role("searchbox", name="Words to look for")


async def look_for(page, world, text):
    """From the list, as one types and presses Enter."""
    await page.goto(world.address("chat/"))
    await page.get_by_role("searchbox", name="Search in titles").fill(text)
    await page.get_by_role("searchbox", name="Search in titles").press("Enter")
    await page.wait_for_url("**/chat/search/**")


async def in_sight(locator):
    """Within the thread that scrolls, and not only on the page."""
    await expect(locator).to_be_in_viewport(ratio=0.9)


async def test_enter_leads_to_the_results_and_a_result_to_its_message(page, talk):
    await look_for(page, talk, "zeppelin")
    await expect(field(page)).to_have_value("zeppelin")
    await expect(results(page)).to_have_count(1)
    await expect(results(page).locator("mark")).to_have_text("zeppelin")
    await expect(results(page)).to_contain_text("Erik could build a zeppelin <i>by himself</i>.")
    await expect(results(page)).to_contain_text("Parley · About one employee")
    await results(page).click()
    await page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}/\?around=20&strand=0#m-"))
    found = page.locator("[data-seq='20']")
    await in_sight(found)
    await expect(found).to_contain_text("zeppelin")
    await expect(page.locator("[data-sought]")).to_have_count(1)
    await expect(page.get_by_role("link", name="The newest messages")).to_be_attached()


async def test_a_message_among_the_newest_is_shown_in_the_live_conversation(page, talk):
    await look_for(page, talk, "balloon")
    await results(page).click()
    await in_sight(page.locator("[data-seq='80']"))
    await expect(page.get_by_label("Your question")).to_be_visible()
    await expect(page.locator("[data-sought]")).to_have_attribute("data-seq", "80")
    await page.goto(f"{talk.conversation}?around=80")  # where the browser is given no fragment to scroll to, the script scrolls
    await in_sight(page.locator("[data-seq='80']"))


async def test_the_link_below_the_field_goes_there_too(page, talk):
    await page.goto(talk.address("chat/"))
    await page.get_by_role("searchbox", name="Search in titles").fill("zeppelin")
    await page.get_by_role("button", name="Search in messages too").click()
    await expect(results(page)).to_have_count(1)


async def test_without_a_script_it_is_the_same(plain, talk):
    await look_for(plain, talk, "zeppelin")
    await results(plain).click()
    await in_sight(plain.locator("[data-seq='20']"))


async def test_pages_of_results_follow_one_another(page, talk):
    await look_for(page, talk, "paragraph from:parley")
    await expect(results(page)).to_have_count(30)
    first = await results(page).first.get_attribute("href")
    await page.get_by_role("link", name="More results").click()
    await expect(results(page)).to_have_count(28)
    assert first not in [await link.get_attribute("href") for link in await results(page).all()]
    await expect(page.get_by_role("link", name="More results")).to_have_count(0)


async def test_what_is_not_understood_or_not_there_is_said(page, talk):
    await look_for(page, talk, "zeppelin colour:red")
    await expect(page.get_by_role("alert")).to_contain_text("There is no operator colour: here.")
    await expect(field(page)).to_have_value("zeppelin colour:red")
    await field(page).fill("submarine")
    await field(page).press("Enter")
    await expect(page.get_by_text("Nothing fits “submarine”.")).to_be_visible()


async def test_every_state_fits_and_is_accessible(page, talk):
    await page.set_viewport_size(SMALL)
    for query in ("", "?q=zeppelin", "?q=submarine", "?q=from:", "?q=second"):
        await page.goto(talk.address(f"chat/search/{query}"))
        await page.get_by_text("How to search more closely").click()
        await looks_right(page)
