"""Rating an answer and having it written anew, in a real browser, with and without the script."""

import re

from playwright.async_api import expect

from tests.e2e.conftest import SMALL, looks_right, sign_in
from tests.e2e.test_journey import answer, ask
from tests.e2e.test_without_script import messages, plain, reload_until

__all__ = ["plain"]

TEXT = "Erik is **good** at listening."


async def asked(page, world):
    """A conversation with one finished answer."""
    world.upstream.behave(TEXT)
    await page.goto(world.conversation)
    await ask(page, "What is Erik good at?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")


def feedback(world):
    """What is kept of each answer's feedback: thumb, stars, comment."""
    kept = [raw.get("feedback", {}) for raw in messages(world, role="assistant")]
    return [(each.get("isHelpful"), each.get("rating"), each.get("comment")) for each in kept]


def thumb(page, name):
    return answer(page).get_by_role("button", name=name, exact=True)


async def test_a_thumb_acts_at_once_and_opens_the_panel(page, world):
    await asked(page, world)
    await expect(answer(page).get_by_label("Comment")).to_be_hidden()
    await thumb(page, "Helpful").click()
    await expect(thumb(page, "Helpful")).to_have_attribute("aria-pressed", "true")
    await expect(answer(page).get_by_label("Comment")).to_be_visible()
    assert feedback(world) == [(True, None, None)]
    await answer(page).get_by_label("Comment").fill("Half a thou")
    await thumb(page, "Not helpful").click()
    await expect(thumb(page, "Not helpful")).to_have_attribute("aria-pressed", "true")
    await expect(thumb(page, "Helpful")).to_have_attribute("aria-pressed", "false")
    await expect(answer(page).get_by_label("Comment")).to_have_value("Half a thou")
    await thumb(page, "Not helpful").click()
    await expect(thumb(page, "Not helpful")).to_have_attribute("aria-pressed", "false")
    assert feedback(world) == [(None, None, None)]


async def test_stars_and_a_comment_by_keyboard_and_another_tab_sees_them(page, context, world):
    await asked(page, world)
    other = await context.new_page()
    await other.goto(world.conversation)
    await answer(page).get_by_text("Rate", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(answer(page).get_by_role("radio", name="None")).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(answer(page).get_by_role("radio", name="5 of 5")).to_be_checked()
    await page.keyboard.press("ArrowLeft")
    await expect(answer(page).get_by_role("radiogroup", name="Stars").get_by_role("radio", name="4 of 5")).to_be_checked()
    filled = await answer(page).locator(".star .icon").evaluate_all("icons => icons.map(icon => getComputedStyle(icon).fill !== 'none')")
    assert filled == [True, True, True, True, False]
    await page.keyboard.press("Tab")
    await page.keyboard.type("Clear & short <b>")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-said]")).to_have_text("Your feedback is saved.")
    await expect(answer(page).locator("summary", has_text="Rated 4 of 5")).to_be_focused()
    assert feedback(world) == [(None, 4, "Clear & short <b>")]
    for tab in (page, other):
        await expect(answer(tab).locator("[data-rating] summary")).to_have_text("Rated 4 of 5")
        await expect(tab.locator("[data-satisfaction]")).to_have_text("Rated 4.0 of 5")
    await page.reload()
    await answer(page).get_by_text("Rated 4 of 5").click()
    await expect(answer(page).get_by_role("radio", name="4 of 5")).to_be_checked()
    await expect(answer(page).get_by_label("Comment")).to_have_value("Clear & short <b>")


async def test_an_answer_is_written_anew_and_what_it_said_is_stepped_through(page, world):
    await asked(page, world)
    await thumb(page, "Not helpful").click()
    await expect(thumb(page, "Not helpful")).to_have_attribute("aria-pressed", "true")
    world.upstream.behave("Second thoughts: `x < y`.")
    await page.get_by_role("button", name="Write anew").click()
    await expect(answer(page).locator("[data-slot=body]")).to_have_text("Second thoughts: x < y.")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await expect(page.locator("[data-role=assistant]")).to_have_count(1)
    await expect(answer(page).locator("[data-slot=place]")).to_have_text("2/2")
    await expect(thumb(page, "Not helpful")).to_have_attribute("aria-pressed", "false")
    earlier, later = (answer(page).get_by_role("button", name=name) for name in ("Earlier version", "Later version"))
    await earlier.click()
    await expect(answer(page).locator("[data-slot=body] strong")).to_have_text("good")
    await expect(answer(page)).to_contain_text("An earlier version, 1 of 2.")
    await expect(page.locator("[data-said]")).to_have_text("Version 1 of 2, an earlier one.")
    await expect(thumb(page, "Helpful")).to_be_hidden()
    await expect(page.get_by_role("button", name="Write anew")).to_be_hidden()
    await expect(earlier).to_have_attribute("aria-disabled", "true")
    await answer(page).locator("[data-copy]").click()
    assert await page.evaluate("navigator.clipboard.readText()") == TEXT
    await later.click()
    await expect(answer(page).locator("[data-slot=body]")).to_have_text("Second thoughts: x < y.")
    await expect(answer(page).locator("[data-slot=note]")).to_be_hidden()
    await page.reload()
    await expect(answer(page).locator("[data-slot=place]")).to_have_text("2/2")
    await earlier.click()
    world.upstream.behave("Third.")
    await later.click()
    await page.get_by_role("button", name="Write anew").click()
    await expect(answer(page).locator("[data-slot=place]")).to_have_text("3/3")
    await expect(answer(page).locator("[data-slot=body]")).to_have_text("Third.")


async def test_where_writing_anew_fails_the_earlier_text_can_be_read(page, world):
    await asked(page, world)
    world.upstream.behave(status=401)
    await page.get_by_role("button", name="Write anew").click()
    await expect(answer(page)).to_have_attribute("data-status", "error")
    await answer(page).get_by_role("button", name="Earlier version").click()
    await expect(answer(page).locator("[data-slot=body]")).to_have_text("Erik is good at listening.")
    world.upstream.behave("At last.")
    await answer(page).get_by_role("button", name="Try again").click()
    await expect(answer(page).locator("[data-slot=body]")).to_have_text("At last.")
    await expect(answer(page).locator("[data-slot=note]")).to_be_hidden()
    await expect(answer(page).locator("[data-slot=place]")).to_have_text("2/2")


async def test_only_the_newest_answer_offers_it(page, world):
    await asked(page, world)
    await ask(page, "And then?")
    await expect(page.locator("[data-role=assistant]")).to_have_count(2)
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await expect(page.get_by_role("button", name="Write anew")).to_have_count(1)
    await expect(answer(page).get_by_role("button", name="Write anew")).to_be_visible()


async def test_without_script(plain, world):
    page = plain
    world.upstream.behave(TEXT)
    await page.goto(world.conversation)
    await page.get_by_label("Your question").fill("What is Erik good at?")
    await page.get_by_role("button", name="Send").click()
    await reload_until(page, answer(page), "sent")
    await thumb(page, "Helpful").click()
    await expect(thumb(page, "Helpful")).to_have_attribute("aria-pressed", "true")
    await answer(page).get_by_text("Rate", exact=True).click()
    await answer(page).get_by_role("radio", name="2 of 5").check()
    await answer(page).get_by_label("Comment").fill("Line one\nline two")
    await answer(page).get_by_role("button", name="Save").click()
    await expect(answer(page).locator("[data-rating] summary")).to_have_text("Rated 2 of 5")
    assert feedback(world) == [(True, 2, "Line one\nline two")]
    await expect(page.locator("[data-satisfaction]")).to_have_text("Rated 2.0 of 5")
    await thumb(page, "Helpful").click()
    await expect(thumb(page, "Helpful")).to_have_attribute("aria-pressed", "false")
    assert feedback(world) == [(None, 2, "Line one\nline two")]
    world.upstream.behave("Second thoughts.")
    await page.get_by_role("button", name="Write anew").click()
    await reload_until(page, answer(page), "sent")
    await expect(answer(page).locator("[data-slot=body]")).to_have_text("Second thoughts.")
    await page.get_by_role("link", name="2 versions").click()
    await expect(page.get_by_role("region", name=re.compile("Version 1 of 2"))).to_contain_text("Erik is good at listening.")
    await expect(page.get_by_role("region", name="Version 2 of 2, the present one")).to_contain_text("Second thoughts.")
    await page.get_by_role("link", name=re.compile("Back to")).click()
    await expect(answer(page)).to_contain_text("Second thoughts.")


async def test_axe_finds_nothing_in_the_panel_and_the_versions(page, world):
    await page.set_viewport_size(SMALL)
    await asked(page, world)
    await page.get_by_role("button", name="Write anew").click()
    await expect(answer(page).locator("[data-slot=place]")).to_have_text("2/2")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await thumb(page, "Helpful").click()
    await answer(page).get_by_role("radio", name="3 of 5").check()
    await looks_right(page)
    await answer(page).get_by_role("button", name="Earlier version").click()
    await expect(answer(page).locator("[data-slot=note]")).to_be_visible()
    await looks_right(page)
    await page.goto(f"{world.conversation}messages/{await answer(page).get_attribute('data-message')}/versions/")
    await looks_right(page)


async def test_a_stranger_cannot_open_the_versions(lend, page, world):
    await asked(page, world)
    message = await answer(page).get_attribute("data-message")
    theirs = await (await lend()).new_page()
    await sign_in(theirs, world.site, "greta@globex.example")
    for organization in ("acme", "globex"):
        response = await theirs.goto(f"{world.conversation.replace('/acme/', f'/{organization}/')}messages/{message}/versions/")
        assert response.status == 404
