"""The parts of a message in a real browser: as served, as they come with a live answer, and what their buttons do."""

import json

import pytest
from playwright.async_api import expect

from chat.serializers import NewImport
from chat.services import imports
from tenants import scoping
from tenants.models import Employee
from tests.api.test_import import a_file
from tests.chat.test_parts import EACH
from tests.e2e.conftest import SMALL, looks_right
from tests.e2e.test_attachments import BIG, choose_all, is_seen, send
from tests.e2e.test_journey import answer, ask

ASK = {"type": "button", "value": {"label": "Ask how ready he is", "action": "ask", "argument": "How ready is he?"}}


@pytest.fixture
def imported(world) -> str:
    """A consultation of Olive's whose answer holds every type of part; its address."""
    file = a_file()
    file["messages"][1] |= {"status": "sent", "error": None, "structured_data": None, "parts": [*EACH, ASK]}
    checked = NewImport(data=json.loads(json.dumps(file)))
    checked.is_valid(raise_exception=True)
    with scoping.tenant(world.cast.acme):
        made = imports.take(
            world.cast.olive.membership, conversation=checked.validated_data["conversation"], messages=checked.validated_data["messages"]
        )
    return world.address(f"chat/{made.id}/")


@pytest.fixture
def _thin_record(world):
    with scoping.tenant(world.cast.acme):
        Employee.objects.for_tenant(world.cast.acme).update(personality_traits=[], strengths=[], training_needs=[], behavioral_patterns=[])


async def test_every_type_is_shown_and_a_button_does_what_is_listed_or_nothing(page, imported):
    await page.goto(imported)
    message = page.locator("[data-role=assistant] [data-slot=parts]").last
    await expect(message.locator("strong", has_text="click")).to_be_visible()
    await expect(message.locator("code.language-python")).to_contain_text("x = 1 < 2")
    await expect(message.get_by_text("[image: plan.png]")).to_be_visible()
    await expect(message.get_by_role("region", name="Goals")).to_contain_text("Erik")
    await expect(message.get_by_role("region", name="Sessions").get_by_role("cell")).to_have_text(["<b>1</b> May", "3", "2 May", "0.5"])
    await expect(message.get_by_text("Connect", exact=True)).to_be_visible()
    await expect(message.get_by_role("link", name="Connect")).to_have_count(0)
    button = message.get_by_role("link", name="Ask how ready he is")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Your question")).to_have_value("How ready is he?")
    await expect(page.get_by_label("Your question")).to_be_focused()
    await expect(page.locator("[data-role=user]")).to_have_count(1)


async def test_what_is_not_on_record_comes_with_the_live_answer_and_leads_to_the_record(page, world, _thin_record):
    world.upstream.behave("It depends.")
    await page.goto(world.conversation)
    await ask(page, "What is Erik good at?")
    card = answer(page).get_by_role("region", name="Not on record")
    await expect(card).to_contain_text("no personality, behavior, strengths")
    live = await answer(page).locator("[data-slot=parts]").evaluate("parts => [...parts.children].map(each => each.outerHTML)")
    await page.reload()
    served = await answer(page).locator("[data-slot=parts]").evaluate("parts => [...parts.children].map(each => each.outerHTML)")
    assert [len(live), len(served)] == [2, 2]
    await expect(card).to_contain_text("no personality, behavior, strengths")
    await answer(page).get_by_role("link", name="See what the AI is told").click()
    await expect(page.get_by_role("heading", name="Erik Ek")).to_be_visible()
    assert "#e-" in page.url


async def test_a_picture_that_the_model_was_not_shown_is_named(page, world):
    world.upstream.behave("I see nothing.")
    await page.goto(world.conversation)
    await choose_all(page, ("wall.png", BIG))
    await send(page)
    await expect(answer(page).get_by_role("region", name="Not seen")).to_contain_text("wall.png")
    await is_seen(page.locator("[data-role=user] img").last)


async def test_axe_finds_nothing_in_parts(page, imported):
    await page.set_viewport_size(SMALL)
    await page.goto(imported)
    await expect(page.get_by_role("region", name="Goals")).to_be_visible()
    await looks_right(page)
