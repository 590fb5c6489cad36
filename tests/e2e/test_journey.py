"""The whole way of a person through the pages, in a real browser, with a real worker and a provider that does what the test says."""

import re

import pytest
from django.template.loader import render_to_string
from playwright.async_api import expect

from chat.realtime import keys
from config import redis
from tests.cast import PASSWORD
from tests.e2e.conftest import LARGE, SMALL, fits_and_is_accessible, looks_right, sign_in, sign_in_by_form, watch

LONG = "\n\n".join(f"Paragraph {number} of the answer, with **weight** and 🙂." for number in range(1, 41))
CODE = "Run this:\n\n```python\nprint('<hello>')\n```\n\nThat is all."


def answer(page):
    return page.locator("[data-role=assistant]").last


async def ask(page, text):
    await page.get_by_label("Your question").fill(text)
    await page.keyboard.press("Enter")


async def test_from_signing_in_to_a_streamed_answer(context, world):
    world.upstream.behave(CODE)
    page = await context.new_page()
    troubles = watch(page)
    await sign_in_by_form(page, world.site, "olive@acme.example")
    await page.get_by_role("link", name="New consultation").first.click()
    await page.get_by_role("radio", name=re.compile("About one employee")).check()
    await page.get_by_label("Find people").fill("eri")
    await page.get_by_role("checkbox", name=re.compile("Erik Ek")).check()
    await page.get_by_label("Your first question").fill("What is Erik good at?")
    await page.get_by_role("button", name="Ask").click()
    await page.wait_for_url(re.compile(r"/o/acme/chat/[0-9a-f-]{36}/"))
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await expect(answer(page).locator("pre code")).to_have_text("print('<hello>')\n")
    await expect(page.locator("[data-role=user] [data-slot=body]")).to_have_text("What is Erik good at?")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Erik Ek")
    await expect(answer(page)).to_contain_text("test-model · 33 tokens")
    assert troubles == []


async def test_an_answer_appears_as_it_is_written(page, world):
    world.upstream.behave(LONG, hold_after=300)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_contain_text("Paragraph 5")
    await expect(answer(page)).to_have_attribute("data-status", "streaming")
    await expect(answer(page)).not_to_contain_text("Paragraph 9")
    world.upstream.go.set()
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await expect(answer(page)).to_contain_text("Paragraph 40")


async def test_a_reload_in_the_middle_shows_what_is_there_and_the_rest_as_it_comes(page, world):
    world.upstream.behave(LONG, hold_after=700)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_contain_text("Paragraph 10")
    await page.reload()
    await expect(answer(page)).to_contain_text("Paragraph 10")
    await expect(answer(page)).to_have_attribute("data-status", "streaming")
    world.upstream.go.set()
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    texts = await answer(page).locator("[data-slot=body] p").all_inner_texts()
    assert texts == [paragraph.replace("**", "") for paragraph in LONG.split("\n\n")]


async def test_stop_keeps_what_was_written_and_retry_writes_it_anew(page, world):
    world.upstream.behave(LONG, hold_after=300)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_contain_text("Paragraph 3")
    await page.get_by_role("button", name="Stop the answer").click()
    await expect(answer(page)).to_have_attribute("data-status", "cancelled")
    await expect(answer(page)).to_contain_text("Stopped.")
    await expect(answer(page)).to_contain_text("Paragraph 3")
    assert world.upstream.hung_up.wait(5), "The provider goes on writing for nobody."
    world.upstream.behave("Second thoughts.")
    await answer(page).get_by_role("button", name="Try again").click()
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await expect(answer(page).locator("[data-slot=body]")).to_have_text("Second thoughts.")
    await expect(page.locator("[data-role=assistant]")).to_have_count(1)


async def test_the_last_messages_of_a_minute_are_counted_aloud(page, world):
    world.upstream.behave("Yes.")
    olive = str(world.cast.olive.user.pk)
    redis.client().set(keys.limit(olive, "minute"), 88, ex=60)
    await page.goto(world.conversation)
    limit = page.locator("[data-limit]")
    await expect(limit).to_be_hidden()
    await ask(page, "One?")
    await expect(page.locator("[data-role=assistant][data-status=sent]")).to_have_count(1)
    await expect(limit).to_be_hidden()
    await ask(page, "Two?")
    await expect(limit).to_have_text("10 of 100 messages left this minute")
    await page.reload()
    await expect(limit).to_have_text("10 of 100 messages left this minute")
    redis.client().expire(keys.limit(olive, "minute"), 2)
    await ask(page, "Three?")
    await expect(limit).to_have_text("9 of 100 messages left this minute")
    await expect(limit).to_be_hidden()


async def test_escape_stops(page, world):
    world.upstream.behave(LONG, hold_after=100)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_contain_text("Paragraph 1")
    await page.keyboard.press("Escape")
    await expect(answer(page)).to_have_attribute("data-status", "cancelled")


async def test_a_provider_that_refuses_ends_in_a_sentence(page, world):
    world.upstream.behave(status=401)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_have_attribute("data-status", "error")
    await expect(answer(page).locator("[data-slot=state]")).to_contain_text(".")
    await expect(answer(page).get_by_role("button", name="Try again")).to_be_visible()


async def test_keyboard_only(context, world):
    world.upstream.behave("Yes.")
    page = await context.new_page()
    await page.goto(f"{world.site.url}/accounts/login/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.get_by_label("Email").focus()
    await page.keyboard.type("olive@acme.example")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/o/acme/")
    await page.goto(world.conversation)
    await page.get_by_label("Your question").focus()
    await page.keyboard.type("Line one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("line two")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-role=user] [data-slot=body]")).to_have_text("Line one\nline two")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    # Backwards from the question: the answer's buttons, in order, each with a focus that can be seen.
    await page.keyboard.press("Shift+Tab")
    focused = page.locator(":focus")
    for _ in range(6):
        if await focused.evaluate("element => element.matches('[data-copy]')"):
            break
        await page.keyboard.press("Shift+Tab")
    outline = await focused.evaluate("element => getComputedStyle(element).outlineStyle + getComputedStyle(element).outlineWidth")
    assert outline == "solid2px"


async def test_copy_gives_the_answer_as_markdown_and_the_code_as_code(page, world):
    world.upstream.behave(CODE)
    await page.goto(world.conversation)
    await ask(page, "How?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await answer(page).locator("[data-copy]").click()
    await expect(answer(page).locator("[data-copy]")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == CODE
    await answer(page).locator("[data-copy-code]").click()
    await expect(answer(page).locator("[data-copy-code]")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "print('<hello>')\n"
    await expect(answer(page).locator(".hljs-string")).to_have_count(1)


async def test_the_answer_is_said_to_screen_readers_by_sentences(page, world):
    world.upstream.behave("First **sentence** here. Second one follows! And a third")
    await page.goto(world.conversation)
    await ask(page, "Say")
    await expect(page.locator("[data-announcements]")).to_contain_text("And a third The answer is complete.")
    lines = await page.locator("[data-announcements] p").all_inner_texts()
    assert " ".join(lines) == "First sentence here. Second one follows! And a third The answer is complete."


async def test_a_draft_is_kept_for_each_conversation(page, world):
    await page.goto(world.conversation)
    await page.get_by_label("Your question").fill("Half a thou")
    await page.reload()
    await expect(page.get_by_label("Your question")).to_have_value("Half a thou")
    world.upstream.behave("Yes.")
    await page.keyboard.press("Control+End")
    await page.get_by_label("Your question").press("Enter")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await page.reload()
    await expect(page.get_by_label("Your question")).to_have_value("")


async def test_dark_mode_is_the_systems_until_one_is_chosen_and_then_stays(browser, page, world):
    ground = "getComputedStyle(document.body).backgroundColor"
    await page.goto(world.conversation)
    await page.emulate_media(color_scheme="light")
    light = await page.evaluate(ground)
    await page.emulate_media(color_scheme="dark")
    dark = await page.evaluate(ground)
    assert light != dark
    await page.emulate_media(color_scheme="light")
    await page.locator(".account > summary").click()
    await page.get_by_role("button", name="Dark").click()
    assert await page.evaluate(ground) == dark
    response = await page.goto(world.conversation)
    assert 'data-theme="dark"' in await response.text(), "The first paint would be in the wrong colours."
    assert await page.evaluate(ground) == dark
    await page.goto(world.address())
    await page.locator(".account > summary").click()
    await page.get_by_role("button", name="System").click()
    assert await page.evaluate(ground) == light


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, world, size):
    world.upstream.behave(CODE + "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[link](https://example.com/)")
    await page.set_viewport_size(size)
    for address in (
        world.conversation,
        world.address(),
        world.address("chat/"),
        world.address("chat/new/"),
        f"{world.conversation}readers/",
    ):
        await page.goto(address)
        if address == world.conversation:
            await ask(page, "What do you see?")
            await expect(answer(page)).to_have_attribute("data-status", "sent")
        await looks_right(page, sizes=[size])
        for summary in await page.locator("summary:visible").all():
            await summary.press("Enter")  # the menu that is open already may cover it
        await looks_right(page, sizes=[size])


async def test_axe_finds_nothing_before_signing_in(context, world):
    page = await context.new_page()
    troubles = watch(page)
    for path in ("accounts/login/", "accounts/password/reset/", "accounts/signup/"):
        await page.goto(f"{world.site.url}/{path}")
        await looks_right(page)
    assert troubles == []


ACCOUNT_PAGES = (
    *("2fa/", "2fa/totp/activate/", "2fa/webauthn/", "2fa/webauthn/add/"),
    *("password/change/", "email/", "sessions/", "logout/", "reauthenticate/"),
)


async def test_axe_finds_nothing_on_the_account_pages(page, world):
    for path in ACCOUNT_PAGES:
        await page.goto(f"{world.site.url}/accounts/{path}")
        if "/accounts/reauthenticate/" in page.url and path != "reauthenticate/":
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Confirm").click()
            await page.wait_for_url(f"**/accounts/{path}")
        for width in (1280, 360):
            await page.set_viewport_size({"width": width, "height": 740})
            await fits_and_is_accessible(page, width)


async def test_axe_finds_nothing_on_the_error_pages(scripts):
    """As Django renders them without a request, which is how it does when everything else has failed."""
    for template in ("400.html", "403.html", "403_csrf.html", "404.html", "500.html", "503.html", "chat/away.html"):
        await scripts.set_content(render_to_string(template, {"kept": [("text", "What I wrote"), ("client_id", "1")]}))
        await scripts.wait_for_function("getComputedStyle(document.body).margin === '0px'")
        for width in (360, 1280):
            await scripts.set_viewport_size({"width": width, "height": 700})
            await fits_and_is_accessible(scripts, width)


async def test_another_organizations_conversation_is_not_there(page, world):
    for address in (world.conversation.replace("/acme/", "/globex/"), world.address("chat/01a201c6-0000-7000-8000-000000000000/")):
        response = await page.goto(address)
        assert response.status == 404


async def test_a_stranger_is_told_nothing(context, world):
    page = await context.new_page()
    await sign_in(page, world.site, "greta@globex.example")
    for address in (world.conversation, world.address("chat/"), world.address()):
        response = await page.goto(address)
        assert response.status == 404
        assert "Erik" not in await page.content()
