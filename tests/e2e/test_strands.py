"""Editing a question and switching between its versions, in a real browser, with and without the script."""

import pytest
from playwright.async_api import expect

from chat.documents import Conversation
from config import mongo
from tests.e2e.conftest import LARGE, SMALL, looks_right
from tests.e2e.test_journey import answer, ask
from tests.e2e.test_without_script import messages, plain, reload_until

__all__ = ["plain"]


def question(page, text):
    return page.locator("[data-role=user]", has=page.locator(".message-body", has_text=text))


def bodies(page):
    return page.locator(".message[data-message] > .message-body")


async def said(page, world, text, reply):
    world.upstream.behave(reply)
    await ask(page, text)
    await expect(answer(page).locator("[data-slot=body]")).to_have_text(reply)
    await expect(answer(page)).to_have_attribute("data-status", "sent")


async def edited(page, world, text, words, reply):
    world.upstream.behave(reply)
    await question(page, text).hover()
    await question(page, text).get_by_text("Edit", exact=True).click()
    await question(page, text).get_by_label("The question in other words").fill(words)
    await page.keyboard.press("Control+Enter")
    await expect(answer(page).locator("[data-slot=body]")).to_have_text(reply)
    await expect(answer(page)).to_have_attribute("data-status", "sent")


async def test_a_question_is_edited_and_both_ways_stay_by_mouse_and_keyboard(page, context, world):
    await page.goto(world.conversation)
    await said(page, world, "First?", "One.")
    await said(page, world, "Second?", "Two.")
    await said(page, world, "Third?", "Three.")
    other = await context.new_page()
    await other.goto(world.conversation)
    await edited(page, world, "Second?", "Second, but kinder?", "Two, kindly.")
    await expect(bodies(page)).to_have_text(["First?", "One.", "Second, but kinder?", "Two, kindly."])
    versions = question(page, "kinder").get_by_role("group", name="Versions of this question")
    await expect(versions).to_contain_text("2 of 2")
    await expect(bodies(other)).to_have_count(6)  # who looks at the earlier one goes on doing so, and sees that there is another
    await expect(question(other, "Second?").locator("[data-slot=beside]")).to_have_text("1 of 2")
    await said(page, world, "And then?", "Go on.")
    await expect(bodies(other)).to_have_count(6)
    earlier, later = (page.get_by_role("button", name=f"{which} version of the question") for which in ("Earlier", "Later"))
    await earlier.focus()
    await page.keyboard.press("Enter")
    await expect(bodies(page)).to_have_text(["First?", "One.", "Second?", "Two.", "Third?", "Three."])
    await expect(page.locator("[data-said]")).to_have_text("Version 1 of 2 of this question, with what followed it.")
    await expect(later).to_be_focused()
    await page.reload()  # it is remembered
    await expect(bodies(page)).to_have_count(6)
    await later.click()
    await expect(bodies(page)).to_have_text(["First?", "One.", "Second, but kinder?", "Two, kindly.", "And then?", "Go on."])
    [asked] = [question["messages"] for question in world.upstream.questions if question["messages"][-1]["content"] == "And then?"]
    assert [each["content"] for each in asked[1:]] == ["First?", "One.", "Second, but kinder?", "Two, kindly.", "And then?"]


async def test_a_long_edit_streams_into_its_own_strand_only(page, context, world):
    await page.goto(world.conversation)
    await said(page, world, "First?", "One.")
    other = await context.new_page()
    await other.goto(world.conversation)
    await edited(page, world, "First?", "First, again?", "Once more.")
    await expect(bodies(other)).to_have_text(["First?", "One."])
    await other.get_by_role("button", name="Later version of the question").click()
    await expect(bodies(other)).to_have_text(["First, again?", "Once more."])
    await said(other, world, "More?", "More.")
    await expect(bodies(page)).to_have_text(["First, again?", "Once more.", "More?", "More."])


async def test_escape_closes_and_what_was_refused_stays_written(page, world):
    await page.goto(world.conversation)
    await said(page, world, "First?", "One.")
    await question(page, "First?").hover()
    await question(page, "First?").get_by_text("Edit", exact=True).click()
    field = question(page, "First?").get_by_label("The question in other words")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("First?")
    await page.keyboard.press("Escape")
    await expect(field).to_be_hidden()
    await expect(question(page, "First?").locator(".message-edit summary")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(field).to_be_focused()
    await field.fill("First, in other words?")
    one = {"organizationId": str(world.cast.acme.pk), "conversationId": world.conversation_id}
    mongo.collection(Conversation).update_one(one, {"$set": {"status": "archived"}})
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("[data-problem]")).to_contain_text("This conversation is archived.")
    await expect(field).to_have_value("First, in other words?")
    assert len(messages(world)) == 2


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, world, size):
    await page.set_viewport_size(size)
    await page.goto(world.conversation)
    await said(page, world, "First?", "One.")
    await edited(page, world, "First?", "First, in words so many that they need several lines on a small screen?", "Two.")
    await looks_right(page, sizes=[size])
    await question(page, "several lines").hover()
    await question(page, "several lines").get_by_text("Edit", exact=True).click()
    await looks_right(page, sizes=[size])


async def test_without_script(plain, world):
    world.upstream.behave("One.")
    await plain.goto(world.conversation)
    await plain.get_by_label("Your question").fill("First?")
    await plain.get_by_role("button", name="Send").click()
    await reload_until(plain, answer(plain), "sent")
    await question(plain, "First?").get_by_text("Edit", exact=True).click(force=True)
    await question(plain, "First?").get_by_label("The question in other words").fill("First, again?")
    world.upstream.behave("Two.")
    await question(plain, "First?").get_by_role("button", name="Ask").click()
    await expect(bodies(plain).first).to_have_text("First, again?")
    await reload_until(plain, answer(plain), "sent")
    await expect(bodies(plain)).to_have_text(["First, again?", "Two."])
    await expect(plain.locator("[data-slot=beside]").first).to_have_text("2 of 2")
    await plain.get_by_role("button", name="Earlier version of the question").click()
    await expect(bodies(plain)).to_have_text(["First?", "One."])
    await plain.get_by_role("button", name="Later version of the question").click()
    await expect(bodies(plain)).to_have_text(["First, again?", "Two."])
