"""What is deleted and comes back, an answer that was given before, and a browser that is signed out from another one."""

import re

import pytest
from django.db import connection
from playwright.async_api import expect

from tests.e2e.conftest import _database_url, looks_right, sign_in_by_form
from tests.e2e.site import running
from tests.e2e.test_journey import answer, ask


@pytest.fixture(scope="module")
def _running_site(_mongo_migrated, upstream, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI_ANSWER_CACHE", "true")
        name = connection.settings_dict["NAME"]
        with running(folder=tmp_path_factory.mktemp("site"), database_url=_database_url(name), provider=upstream.url) as site:
            yield site


async def test_a_deleted_consultation_is_restored_from_its_own_list(page, world):
    await page.goto(world.conversation)
    await page.locator("summary", has_text="More about this consultation").click()
    await page.get_by_text("Delete…").click()
    await page.get_by_role("button", name="Delete this consultation").click()
    await page.wait_for_url("**/chat/")
    await page.get_by_label("Status").select_option("deleted")
    row = page.locator("[data-conversations]").get_by_text("Goes for good on")
    await expect(row).to_be_visible()
    await looks_right(page)
    await page.get_by_role("button", name="Restore “Erik Ek”").click()
    await page.wait_for_url(world.conversation)


async def test_the_same_question_of_the_same_says_that_it_was_answered_before_and_is_written_anew(page, world):
    world.upstream.behave("Erik is **calm**.")
    await page.goto(world.conversation)
    await ask(page, "How is Erik?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await expect(answer(page)).not_to_contain_text("From an earlier answer")
    world.upstream.behave("Erik is busy.")
    await page.goto(world.address("chat/new/?type=employee_specific"))
    await page.get_by_label("Erik Ek").check()
    await page.get_by_label(re.compile("question", re.I)).fill("How is Erik?")
    await page.get_by_role("button", name=re.compile("Ask|Start")).click()
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    for _ in range(2):
        await expect(answer(page)).to_contain_text("Erik is calm.")
        await expect(answer(page)).to_contain_text("From an earlier answer, 1 minute before")
        await page.reload()
    await looks_right(page)
    await page.get_by_role("button", name="Write anew").click()
    await expect(answer(page)).to_contain_text("Erik is busy.")
    await expect(answer(page)).not_to_contain_text("From an earlier answer")


async def test_another_browser_is_signed_out_from_the_list_of_them_and_notices_at_once(page, browser, world):
    context = await browser.new_context(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    other = await context.new_page()
    await sign_in_by_form(other, world.site, "olive@acme.example")
    await other.goto(world.conversation)
    await page.goto(f"{world.site.url}/accounts/sessions/")
    await looks_right(page)
    await page.get_by_role("button", name="Sign out Firefox on Linux").click()
    await expect(page.get_by_text("Signed out there.")).to_be_visible()
    await expect(page.get_by_text("Firefox on Linux")).to_have_count(0)
    await expect(other.locator("[data-problem]")).to_contain_text("You are signed out.")
    await context.close()
