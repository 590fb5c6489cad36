"""Keyboard shortcuts: one dialog lists them, each does what it says, and none while one types."""

import re

from playwright.async_api import expect

from tests.e2e.conftest import SMALL, looks_right
from tests.e2e.test_journey import CODE, LONG, answer, ask


async def said(page, world, reply=CODE):
    world.upstream.behave(reply)
    await page.goto(world.conversation)
    await ask(page, "How?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await page.get_by_role("heading", level=1).click()


def dialog(page):
    return page.get_by_role("dialog", name="Keyboard shortcuts")


async def test_the_dialog_opens_by_key_and_button_and_lists_what_works_here(page, world):
    await said(page, world)
    await page.keyboard.press("?")
    await expect(dialog(page)).to_be_visible()
    await expect(dialog(page).get_by_role("button", name="Close")).to_be_focused()
    await expect(dialog(page)).to_contain_text("Copy the last answer")
    await page.keyboard.press("c")  # does nothing behind it
    await expect(answer(page).locator("[data-copy]")).to_have_text("Copy")
    await page.keyboard.press("Escape")
    await expect(dialog(page)).to_be_hidden()
    await page.get_by_role("button", name="Shortcuts").click()
    await expect(dialog(page)).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(dialog(page)).to_be_hidden()
    await page.get_by_label("Your question").focus()
    await page.keyboard.press("Control+/")
    await expect(dialog(page)).to_be_visible()
    await page.goto(world.address())
    await page.keyboard.press("?")
    await expect(dialog(page)).not_to_contain_text("Copy the last answer", use_inner_text=True)
    await expect(dialog(page)).to_contain_text("New consultation", use_inner_text=True)


async def test_each_does_what_it_says(page, world):
    await said(page, world)
    await page.keyboard.press("c")
    await expect(answer(page).locator("[data-copy]")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == CODE
    await page.keyboard.press("b")
    await expect(answer(page).locator("[data-copy-code]")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "print('<hello>')\n"
    await expect(page.locator("[data-said]")).to_have_text("Copied.")
    await page.keyboard.press("i")
    await expect(page.get_by_label("Your question")).to_be_focused()
    await expect(page.get_by_label("Your question")).to_have_value("")
    await page.get_by_role("heading", level=1).click()
    await page.keyboard.press("e")
    await expect(page.get_by_label("The question in other words")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.get_by_label("Search in titles")).to_be_focused()
    await page.get_by_role("heading", level=1).click()
    world.upstream.behave(LONG, hold_after=100)
    await page.keyboard.press("r")
    await expect(answer(page)).to_have_attribute("data-attempt", "2")
    await expect(answer(page)).to_contain_text("Paragraph 1")
    await page.keyboard.press("Escape")
    await expect(answer(page)).to_have_attribute("data-status", "cancelled")
    world.upstream.behave("Once more.")
    await page.keyboard.press("r")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await page.keyboard.press("n")
    await page.wait_for_url(re.compile("/chat/new/$"))
    await page.get_by_role("heading", level=1).click()
    await page.keyboard.press("/")
    await page.wait_for_url(re.compile("/chat/search/$"))


async def test_above_and_below_in_the_list(page, world):
    await page.goto(world.address("chat/"))
    await page.keyboard.press("j")
    await page.wait_for_url(world.conversation)
    await page.keyboard.press("j")  # there is none below
    await page.keyboard.press("k")
    await expect(page).to_have_url(world.conversation)


async def test_none_fires_while_one_types_or_where_they_are_switched_off(page, world):
    await said(page, world)
    await page.get_by_label("Your question").focus()
    await page.keyboard.type("n?c/jker")
    await expect(page.get_by_label("Your question")).to_have_value("n?c/jker")
    await expect(dialog(page)).to_be_hidden()
    await page.get_by_label("Search in titles").focus()
    await page.keyboard.type("n")
    await page.get_by_role("heading", level=1).click()
    await page.keyboard.press("Control+c")
    await expect(answer(page).locator("[data-copy]")).to_have_text("Copy")
    await page.keyboard.press("?")
    await dialog(page).get_by_label("Keys without Ctrl work").uncheck()
    await page.keyboard.press("Escape")
    for _ in range(2):
        await page.keyboard.press("?")
        await expect(dialog(page)).to_be_hidden()
        await page.keyboard.press("n")
        await expect(page).to_have_url(world.conversation)
        await page.reload()
    await page.keyboard.press("Control+/")
    await dialog(page).get_by_label("Keys without Ctrl work").check()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(dialog(page)).to_be_visible()


async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, world):
    await page.set_viewport_size(SMALL)
    await page.goto(world.conversation)
    await page.keyboard.press("Control+/")
    await expect(dialog(page)).to_be_visible()
    await looks_right(page)
