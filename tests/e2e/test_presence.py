"""Two people in one consultation, each in a browser of their own: who is here, who types, and what is unread."""

import re
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import expect

from chat import access
from chat.services import conversations
from tenants import scoping
from tests.e2e.conftest import fits_and_is_accessible, sign_in, watch
from tests.e2e.test_journey import answer, ask


@pytest.fixture
def shared(world):
    """The world's consultation, which leaders may read."""
    with scoping.tenant(world.cast.acme):
        olive = world.cast.olive.membership
        conversations.open_to(olive, access.conversation_for(olive, world.conversation_id), to_roles=["leader"], user_ids=[])
    return world


@asynccontextmanager
async def liams_page(browser, world, **options):
    context = await browser.new_context(**options)
    context.set_default_timeout(15_000)
    page = await context.new_page()
    troubles = watch(page)
    await sign_in(page, world.site, "liam@acme.example")
    yield page
    assert troubles == []
    await context.close()


def here(page):
    return page.locator("[data-here]")


def badge(page, world):
    return page.locator(f'.conversation-link[data-conversation="{world.conversation_id}"] [data-slot=unread]')


async def test_two_people_see_each_other_come_type_be_busy_go_idle_and_leave(page, browser, shared):
    olive, liam = shared.cast.olive.user.name, shared.cast.liam.user.name
    await page.goto(shared.conversation)
    await expect(here(page)).to_be_hidden()
    async with liams_page(browser, shared) as his:
        await his.clock.install()
        await his.goto(shared.conversation)
        await expect(here(page)).to_have_text(f"{liam} is here")
        await expect(here(his)).to_have_text(f"{olive} is here")
        await page.get_by_label("Your question").press_sequentially("How is Er")
        await expect(here(his)).to_have_text(f"{olive} is typing…")
        await expect(here(page)).to_have_text(f"{liam} is here")
        await page.get_by_label("Your question").fill("")
        await expect(here(his)).to_have_text(f"{olive} is here")
        await page.get_by_text("Your account").locator("xpath=..").click()
        await page.get_by_role("button", name="Busy").click()
        await expect(page.get_by_role("button", name="Busy")).to_have_attribute("aria-pressed", "true")
        await expect(here(his)).to_have_text(f"{olive} (busy) is here")
        await page.reload()
        await expect(here(his)).to_have_text(f"{olive} (busy) is here")
        await his.clock.fast_forward("05:01")
        await expect(here(page)).to_have_text(f"{liam} (away) is here")
        await his.mouse.move(200, 200)
        await his.mouse.move(210, 210)
        await expect(here(page)).to_have_text(f"{liam} is here")
    await expect(here(page)).to_be_hidden()


async def test_what_is_unread_is_counted_in_the_list_and_the_title_and_gone_when_it_was_read(page, browser, shared):
    async with liams_page(browser, shared) as his:
        await his.goto(shared.address("chat/"))
        await expect(badge(his, shared)).to_be_hidden()
        assert not (await his.title()).startswith("(")
        shared.upstream.behave("He is calm.")
        await page.goto(shared.conversation)
        await ask(page, "How is Erik?")
        await expect(answer(page)).to_have_attribute("data-status", "sent")
        await expect(badge(his, shared)).to_have_text("2 unread")
        await expect(his).to_have_title(re.compile(r"^\(1\) Consultations"))
        await expect(badge(page, shared)).to_be_hidden()

        other = await his.context.new_page()
        await other.goto(shared.conversation)
        await expect(badge(his, shared)).to_be_hidden()
        await expect(his).to_have_title(re.compile("^Consultations"))
        await his.reload()
        await expect(badge(his, shared)).to_be_hidden()

        await ask(page, "And how is he today?")
        await expect(answer(other)).to_have_attribute("data-status", "sent")
        await expect(badge(other, shared)).to_be_hidden()
        await other.close()


async def test_without_a_script_opening_it_is_reading_it(browser, page, shared):
    shared.upstream.behave("He is calm.")
    await page.goto(shared.conversation)
    await ask(page, "How is Erik?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    async with liams_page(browser, shared, java_script_enabled=False) as his:
        await his.goto(shared.address("chat/"))
        await expect(badge(his, shared)).to_have_text("2 unread")
        await his.goto(shared.conversation)
        await expect(badge(his, shared)).to_be_hidden()
        await his.goto(shared.address("chat/"))
        await expect(badge(his, shared)).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(360, 640), (1280, 800)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, browser, shared, width, height, scheme):
    await page.set_viewport_size({"width": width, "height": height})
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    shared.upstream.behave("He is calm.")
    await page.goto(shared.conversation)
    await ask(page, "How is Erik?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    async with liams_page(browser, shared, viewport={"width": width, "height": height}, color_scheme=scheme) as his:
        await his.goto(shared.address("chat/"))
        await expect(badge(his, shared)).to_have_text("2 unread")
        await fits_and_is_accessible(his, width)
        await his.goto(shared.conversation)
        await expect(here(page)).to_be_visible()
        await fits_and_is_accessible(page, width)
