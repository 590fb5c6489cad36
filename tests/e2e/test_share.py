"""A conversation leaves its page: as a file, and as a link that somebody without an account opens."""

import re

from playwright.async_api import expect

from tests.cast import PASSWORD
from tests.e2e.conftest import SMALL, looks_right, watch

RICH = "He is **calm**.\n\n```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[a link](https://example.com/)"


async def answered(page, world) -> None:
    world.upstream.behave(RICH)
    await page.goto(world.conversation)
    await page.get_by_label("Your question").fill("How is Erik?")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-role=assistant]").last).to_have_attribute("data-status", "sent")


async def open_menu(page) -> None:
    await page.locator("summary", has_text="More about this consultation").click()


async def make_link(page, world, audience: str) -> str:
    await page.goto(world.conversation + "shares/")
    await page.get_by_label("Who may open it").select_option(audience)
    await page.get_by_role("button", name="Make a link").click()
    return await page.get_by_label("Your new link").input_value()


async def test_a_consultation_is_downloaded_from_its_menu(page, world):
    await answered(page, world)
    for label, ending in (("Markdown", "md"), ("JSON", "json")):
        await open_menu(page)
        async with page.expect_download() as started:
            await page.get_by_role("link", name=f"Download as {label}").click()
        download = await started.value
        assert download.suggested_filename == f"About one employee Erik Ek.{ending}"
        assert "He is **calm**." in (await download.path()).read_text()
        await page.reload()


async def test_a_link_is_made_copied_opened_by_a_stranger_and_revoked(page, lend, world):
    await answered(page, world)
    await open_menu(page)
    await page.get_by_role("link", name="Share…").click()
    await page.get_by_label("Who may open it").select_option("Anyone with the link")
    await page.get_by_label("For how long").select_option("1 day")
    await page.get_by_role("button", name="Make a link").click()
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    address = await page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(re.escape(world.site.url) + r"/s/[\w-]{43}/", address)

    stranger = await (await lend(java_script_enabled=False)).new_page()
    await stranger.goto(address)
    await expect(stranger.get_by_text("How is Erik?")).to_be_visible()
    await expect(stranger.locator("strong")).to_have_text("calm")
    await expect(stranger.locator("script")).to_have_count(0)
    await page.goto(world.conversation + "shares/")
    await expect(page.get_by_text("opened 1 time")).to_be_visible()
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("Nobody can open this link any more.")).to_be_visible()
    response = await stranger.reload()
    assert response.status == 404
    await expect(stranger.get_by_role("heading", name="This link opens nothing")).to_be_visible()


async def test_a_link_for_the_organization_leads_through_signing_in(page, lend, world):
    await answered(page, world)
    address = await make_link(page, world, "People of the organization")
    reader = await (await lend()).new_page()
    assert (await reader.goto(address)).status == 404
    await reader.get_by_role("link", name="Sign in and try again").click()
    await reader.get_by_label("Email").fill("liam@acme.example")
    await reader.get_by_label("Password").fill(PASSWORD)
    await reader.get_by_role("button", name="Sign in").click()
    await expect(reader.get_by_text("How is Erik?")).to_be_visible()


async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, lend, world):
    await page.set_viewport_size(SMALL)
    await answered(page, world)
    address = await make_link(page, world, "Anyone with the link")
    await looks_right(page)
    await page.goto(world.conversation + "shares/")
    await looks_right(page)
    stranger = await (await lend()).new_page()
    troubles = watch(stranger)
    for each in (address, f"{world.site.url}/s/unknown/"):
        await stranger.goto(each)
        await looks_right(stranger)
    assert troubles == []
