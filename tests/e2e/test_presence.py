"""Two people in one consultation, each in a browser of their own: who is here, who types, and what is unread."""

import re
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import expect

from chat import access
from chat.services import conversations
from tenants import scoping
from tests.e2e.conftest import SMALL, looks_right, sign_in, watch
from tests.e2e.test_journey import answer, ask


@pytest.fixture
def shared(world):
    """The world's consultation, which leaders may read."""
    with scoping.tenant(world.cast.acme):
        olive = world.cast.olive.membership
        conversations.open_to(olive, access.conversation_for(olive, world.conversation_id), to_roles=["leader"], user_ids=[])
    return world


@asynccontextmanager
async def liams_page(context, world):
    page = await context.new_page()
    troubles = watch(page)
    await sign_in(page, world.site, "liam@acme.example")
    yield page
    assert troubles == []
    await page.close()


def here(page):
    return page.locator("[data-here]")


def badge(page, world):
    return page.locator(f'.conversation-link[data-conversation="{world.conversation_id}"] [data-slot=unread]')


async def test_two_people_see_each_other_come_type_be_busy_go_idle_and_leave(page, browser, shared):
    olive, liam = shared.cast.olive.user.name, shared.cast.liam.user.name
    await page.goto(shared.conversation)
    await expect(here(page)).to_be_hidden()
    context = await browser.new_context()
    async with liams_page(context, shared) as his:
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
    await context.close()


async def test_what_is_unread_is_counted_in_the_list_and_the_title_and_gone_when_it_was_read(page, lend, shared):
    async with liams_page(await lend(), shared) as his:
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


async def test_without_a_script_opening_it_is_reading_it(lend, page, shared):
    shared.upstream.behave("He is calm.")
    await page.goto(shared.conversation)
    await ask(page, "How is Erik?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    async with liams_page(await lend(java_script_enabled=False), shared) as his:
        await his.goto(shared.address("chat/"))
        await expect(badge(his, shared)).to_have_text("2 unread")
        await his.goto(shared.conversation)
        await expect(badge(his, shared)).to_be_hidden()
        await his.goto(shared.address("chat/"))
        await expect(badge(his, shared)).to_be_hidden()


async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, lend, shared):
    await page.set_viewport_size(SMALL)
    shared.upstream.behave("He is calm.")
    await page.goto(shared.conversation)
    await ask(page, "How is Erik?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    async with liams_page(await lend(), shared) as his:
        await his.goto(shared.address("chat/"))
        await expect(badge(his, shared)).to_have_text("2 unread")
        await looks_right(his)
        await his.goto(shared.conversation)
        await expect(here(page)).to_be_visible()
        await looks_right(page)
