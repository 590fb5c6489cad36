"""Somebody deletes their account in a browser."""

import asyncio

from playwright.async_api import expect

from chat.services import conversations
from tenants import scoping
from tests.cast import PASSWORD
from tests.e2e.conftest import looks_right, sign_in


async def test_somebody_deletes_their_account_and_their_other_tab_notices_at_once(lend, world):
    def start() -> str:
        with scoping.tenant(world.cast.acme):
            erik = world.cast.employees["Erik Ek"].pk
            return conversations.start(world.cast.liam.membership, type="employee_specific", subject_employee_ids=[erik]).id

    own = await asyncio.to_thread(start)
    context = await lend()
    page = await context.new_page()
    await sign_in(page, world.site, "liam@acme.example")
    other = await context.new_page()
    await other.goto(world.address(f"chat/{own}/"))
    await page.goto(f"{world.site.url}/accounts/email/")
    await page.get_by_role("link", name="Delete").click()
    await expect(page.get_by_role("heading", name="What goes")).to_be_visible()
    await looks_right(page, shot="erase")
    await page.get_by_label("Password").fill("wrong-password-here")
    await page.get_by_role("button", name="Delete my account").click()
    await looks_right(page, shot="erase-wrong")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page.get_by_text("Your account is deleted.")).to_be_visible()
    await expect(other.locator("[data-problem]")).to_contain_text("You are signed out.")
