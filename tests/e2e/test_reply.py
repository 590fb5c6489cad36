"""Replying to a message: with the mouse, by keyboard, while an answer is written, and without a script."""

from playwright.async_api import expect

from chat.documents import Message
from config import mongo
from tests.e2e.conftest import SMALL, looks_right
from tests.e2e.test_journey import answer, ask
from tests.e2e.test_queue import waiting
from tests.e2e.test_without_script import messages, plain, reload_until

__all__ = ["plain"]

TEXT = "Erik is **good** at listening."
WORDS = "Erik is good at listening."
M = mongo.names(Message)


def questions(page):
    return page.locator(".messages [data-role=user]")


def replying(page):
    return page.locator("[data-replying]")


async def asked(page, world):
    world.upstream.behave(TEXT)
    await page.goto(world.conversation)
    await ask(page, "What is Erik good at?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")


def replied(world):
    """What each question replies to."""
    return [(raw.get("replyTo") or {}).get("content") for raw in messages(world, role="user")]


async def test_by_mouse_and_keyboard_it_is_shown_above_and_leads_to_its_message(page, context, world):
    await asked(page, world)
    other = await context.new_page()
    await other.goto(world.conversation)
    await answer(page).get_by_role("link", name="Reply", exact=True).click()
    await expect(page.get_by_label("Your question")).to_be_focused()
    await expect(replying(page).locator("[data-slot=replied-text]")).to_have_text(WORDS)
    await replying(page).get_by_role("link", name="Do not reply to it").click()
    await expect(replying(page)).to_be_hidden()
    await answer(page).get_by_role("link", name="Reply", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Your question")).to_be_focused()
    await page.keyboard.type("Since when?")
    await page.keyboard.press("Enter")
    await expect(replying(page)).to_be_hidden()
    for tab in (page, other):
        link = questions(tab).nth(1).locator(".replied")
        await expect(link).to_have_accessible_name(f"In reply to Parley : {WORDS}")
        await expect(answer(tab)).to_have_attribute("data-status", "sent")
    assert replied(world) == [None, WORDS]
    [request] = [each["messages"] for each in world.upstream.questions if each["messages"][-1]["content"] == "Since when?"]
    assert request[-2]["content"] == f'<reply to="consultant">\n{WORDS}\n</reply>'
    await ask(page, "And else?")
    await expect(questions(page)).to_have_count(3)
    await expect(questions(page).nth(2).locator(".replied")).to_be_hidden()
    await questions(page).nth(1).locator(".replied").click()
    await expect(page.locator("[data-role=assistant]").first).to_be_focused()
    await page.reload()
    await expect(questions(page).nth(1).locator(".replied")).to_contain_text("good")


async def test_it_waits_with_its_question_and_comes_back_with_it(page, world):
    await asked(page, world)
    world.upstream.behave("One two three. " * 20, hold_after=10)
    await ask(page, "And then?")
    await expect(answer(page)).to_have_attribute("data-status", "streaming")
    first = page.locator("[data-role=assistant]").first
    await first.get_by_role("link", name="Reply", exact=True).click()
    await ask(page, "Since when?")
    await expect(waiting(page).locator(".waiting-note")).to_have_text("Reply to Parley")
    await waiting(page).get_by_role("button", name="Edit").click()
    await expect(replying(page)).to_be_visible()
    await expect(replying(page).locator("[data-slot=replied-text]")).to_have_text(WORDS)
    await ask(page, "Since when exactly?")
    await expect(waiting(page).get_by_role("listitem")).to_have_count(1)
    world.upstream.go.set()
    await expect(questions(page).nth(2).locator(".replied")).to_contain_text("good")


async def test_without_a_script_a_link_chooses_it_and_the_form_posts_it(plain, world):
    world.upstream.behave(TEXT)
    await plain.goto(world.conversation)
    await plain.get_by_label("Your question").fill("What is Erik good at?")
    await plain.get_by_role("button", name="Send").click()
    await reload_until(plain, answer(plain), "sent")
    await answer(plain).get_by_role("link", name="Reply", exact=True).click()
    await expect(replying(plain)).to_contain_text("good")
    await plain.get_by_role("link", name="Do not reply to it").click()
    await expect(replying(plain)).to_be_hidden()
    await answer(plain).get_by_role("link", name="Reply", exact=True).click()
    await plain.get_by_label("Your question").fill("Since when?")
    await plain.get_by_role("button", name="Send").click()
    await expect(questions(plain).nth(1).locator(".replied")).to_contain_text("good")
    assert replied(world) == [None, WORDS]
    await questions(plain).nth(1).locator(".replied").click()
    assert f"around=2&strand=0#m-{messages(world, role='assistant')[0][M.message_id]}" in plain.url


async def test_it_fits_and_is_accessible(page, world):
    await page.set_viewport_size(SMALL)
    await asked(page, world)
    await answer(page).get_by_role("link", name="Reply", exact=True).click()
    await ask(page, "Since when?")
    await expect(questions(page).nth(1).locator(".replied")).to_be_visible()
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await questions(page).nth(1).get_by_role("link", name="Reply", exact=True).click()
    await expect(replying(page)).to_be_visible()
    await looks_right(page)
