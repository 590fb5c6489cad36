"""The next question waits while an answer is being written: with the mouse, by keyboard, in two tabs, without a script."""

import asyncio

from playwright.async_api import expect

from chat.documents import Message
from config import mongo
from tests.e2e.conftest import SMALL, looks_right
from tests.e2e.test_journey import LONG, answer, ask
from tests.e2e.test_strands import bodies
from tests.e2e.test_without_script import plain, reload_until

__all__ = ["plain"]


def waiting(page):
    return page.get_by_role("region", name="Questions that wait")


async def being_answered(page, world, text="First?"):
    world.upstream.behave(LONG, hold_after=200)
    await page.goto(world.conversation)
    await ask(page, text)
    await expect(answer(page)).to_contain_text("Paragraph 1")


async def test_it_waits_can_be_edited_and_removed_and_is_asked_when_the_answer_is_complete(page, context, world):
    await being_answered(page, world)
    other = await context.new_page()
    await other.goto(world.conversation)
    for text in ("Second?", "Third?", "Fourth?"):
        await ask(page, text)
        await expect(waiting(page)).to_contain_text(text)
    await expect(page.locator("[data-said]")).to_have_text("Your question waits until this answer is complete.")
    await expect(waiting(other).get_by_role("listitem")).to_have_count(3)
    await expect(bodies(page)).to_have_count(2)
    await waiting(page).get_by_role("button", name="Edit").nth(2).focus()
    await waiting(other).get_by_role("button", name="Remove").nth(1).click()
    await expect(waiting(page).locator(".waiting-text")).to_have_text(["Second?", "Fourth?"])
    await expect(waiting(page).get_by_role("button", name="Edit").nth(1)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Your question")).to_have_value("Fourth?")
    await expect(page.get_by_label("Your question")).to_be_focused()
    await expect(waiting(other).locator(".waiting-text")).to_have_text(["Second?"])
    await page.get_by_label("Your question").fill("Fourth, in other words?")
    await page.keyboard.press("Enter")
    await expect(waiting(page).get_by_role("listitem")).to_have_count(2)
    await page.reload()
    await expect(waiting(page).get_by_role("listitem")).to_have_count(2)
    world.upstream.answer, world.upstream.hold_after = "Yes.", None  # the next ones
    world.upstream.go.set()
    for tab in (page, other):
        await expect(tab.locator("[data-role=user] [data-slot=body]")).to_have_text(["First?", "Second?", "Fourth, in other words?"])
        await expect(answer(tab)).to_have_attribute("data-status", "sent")
        await expect(tab.locator("[data-role=assistant][data-status=sent]")).to_have_count(3)
        await expect(waiting(tab)).to_be_hidden()
    [asked] = [each["messages"] for each in world.upstream.questions if each["messages"][-1]["content"] == "Second?"]
    assert asked[-2]["content"] == LONG  # the answer that it waited for


async def test_stopping_goes_on_and_behind_a_failure_one_decides(page, world):
    await being_answered(page, world)
    await ask(page, "Second?")
    await expect(waiting(page)).to_contain_text("Second?")
    world.upstream.status, world.upstream.hold_after = 401, None
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-role=assistant]").first).to_have_attribute("data-status", "cancelled")
    await expect(page.locator("[data-role=assistant]").nth(1)).to_have_attribute("data-status", "error")
    world.upstream.behave(LONG, hold_after=200)
    await page.get_by_role("button", name="Try again").last.click()
    await expect(answer(page)).to_contain_text("Paragraph 1")
    await ask(page, "Third?")
    await expect(waiting(page)).to_contain_text("Third?")
    await expect(page.get_by_role("button", name="Ask now")).to_be_hidden()


async def test_what_waits_behind_a_failed_answer_is_asked_when_one_says_so(page, world):
    await being_answered(page, world)
    await ask(page, "Second?")
    await expect(waiting(page)).to_contain_text("Second?")
    one = {"organizationId": str(world.cast.acme.pk), "conversationId": world.conversation_id, "role": "assistant"}
    failed = {"status": "error", "errorDetails": {"errorCode": "internal_error", "errorMessage": "It failed."}}
    mongo.collection(Message).update_one(one, {"$set": failed, "$unset": {"lease": ""}})
    world.upstream.behave("Yes.")
    await page.reload()
    await page.get_by_role("button", name="Ask now").click()
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await expect(page.locator("[data-role=user] [data-slot=body]")).to_have_text(["First?", "Second?"])
    await expect(waiting(page)).to_be_hidden()


async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, world):
    await page.set_viewport_size(SMALL)
    await being_answered(page, world)
    await ask(page, f"A question so long that it does not fit into a line of a small screen, with a {'long' * 20} word?")
    await expect(waiting(page)).to_contain_text("A question so long")
    await looks_right(page)


async def test_without_script(plain, world):
    world.upstream.behave(LONG, hold_after=200)
    await plain.goto(world.conversation)
    await plain.get_by_label("Your question").fill("First?")
    await plain.get_by_role("button", name="Send").click()
    await plain.get_by_label("Your question").fill("Second?")
    await plain.get_by_role("button", name="Send").click()
    await expect(waiting(plain)).to_contain_text("Second?")
    await waiting(plain).get_by_role("button", name="Edit").click()
    await expect(plain.get_by_label("Your question")).to_have_value("Second?")
    await plain.get_by_label("Your question").fill("Second, but shorter?")
    await plain.get_by_role("button", name="Send").click()
    await expect(waiting(plain)).to_contain_text("Second, but shorter?")
    world.upstream.answer, world.upstream.hold_after = "Yes.", None  # the next one
    world.upstream.go.set()
    await reload_until(plain, answer(plain), "sent")
    for _ in range(20):  # the next question is asked in a moment
        await plain.reload()
        if await plain.locator("[data-role=user]").count() == 2:
            break
        await asyncio.sleep(0.25)
    await expect(plain.locator("[data-role=user] [data-slot=body]").last).to_have_text("Second, but shorter?")
