"""The analysis beside an answer, the questions that may come next and what the AI is told, in a real browser, with and without script."""

import asyncio

import pytest
from django.db import connection
from playwright.async_api import expect

from tests.e2e.conftest import SMALL, _database_url, looks_right
from tests.e2e.site import running
from tests.e2e.test_journey import answer, ask
from tests.e2e.test_without_script import messages, plain, reload_until

__all__ = ["plain"]

STRUCTURE = {
    "scores": [{"name": "role fit", "score": 82.5}, {"name": "performance", "score": 92}],
    "recommendations": ["Let him lead <b>one</b> pilot, with a date on which both of you look at how it went."],
    "insights": ["Erik listens well."],
    "data_points": [{"name": "goals reached", "value": 1234.5}, {"name": "mood", "value": "calm"}],
    "employees": [{"name": "Erik Ek", "why": "He is the one discussed."}],
    "confidence": 0.8,
    "follow_ups": ["Which training would help Erik most?", "How do I tell him?"],
}


@pytest.fixture(scope="module")
def _running_site(_mongo_migrated, upstream, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI_ANALYSES", "true")
        name = connection.settings_dict["NAME"]
        with running(folder=tmp_path_factory.mktemp("site"), database_url=_database_url(name), provider=upstream.url) as site:
            yield site


def card(page):
    return answer(page).get_by_role("group", name="Analysis")


def behave(world, text="Erik is **good** at listening."):
    world.upstream.behave(text)
    world.upstream.structure = STRUCTURE


async def is_the_whole_card(page):
    await expect(card(page).get_by_role("meter", name="role fit")).to_have_attribute("value", "82.5")
    await expect(card(page).get_by_role("list", name="Scores").get_by_role("listitem").nth(1)).to_have_text("performance92")
    await expect(card(page).get_by_role("list", name="Recommendations")).to_contain_text("Let him lead <b>one</b> pilot")
    await expect(card(page).get_by_role("list", name="Insights")).to_have_text("Erik listens well.")
    assert await card(page).get_by_role("list", name="Data").get_by_role("listitem").all_inner_texts() == [
        "goals reached 1,234.5",
        "mood calm",
    ]


async def test_the_card_comes_after_the_answer_and_is_the_same_after_a_reload(page, world):
    behave(world)
    await page.goto(world.conversation)
    await ask(page, "What is Erik good at?")
    await is_the_whole_card(page)
    await answer(page).get_by_text("Employees", exact=True).click()
    await expect(answer(page).get_by_role("link", name="Erik Ek")).to_be_visible()
    await page.reload()
    await is_the_whole_card(page)
    await answer(page).get_by_text("Employees", exact=True).click()
    await expect(answer(page).get_by_text("He is the one discussed.")).to_be_visible()
    await answer(page).get_by_role("link", name="Erik Ek").click()
    await expect(page.get_by_role("heading", name="Erik Ek")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text="Erik listens well.")).to_be_visible()


async def test_a_suggestion_asks_it_and_stands_only_under_the_newest_answer(page, world):
    behave(world)
    await page.goto(world.conversation)
    await ask(page, "What is Erik good at?")
    suggestion = page.get_by_role("button", name="Which training would help Erik most?")
    await suggestion.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-role=user]").last.locator("[data-slot=body]")).to_have_text("Which training would help Erik most?")
    await expect(page.get_by_label("Your question")).to_be_focused()
    await expect(page.locator("[data-role=assistant]")).to_have_count(2)
    await is_the_whole_card(page)
    await expect(suggestion).to_have_count(1)
    assert [raw["content"] for raw in messages(world, role="user")] == ["What is Erik good at?", "Which training would help Erik most?"]


async def test_an_answer_without_an_analysis_has_no_card(page, world):
    world.upstream.behave("It depends.")
    await page.goto(world.conversation)
    await ask(page, "What is Erik good at?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    while len(messages(world, role="assistant")[0]["calls"]) < 3:  # noqa: ASYNC110  # one for the answer, two for what is no analysis
        await asyncio.sleep(0.05)
    await expect(card(page)).to_be_hidden()
    behave(world, "Second thoughts.")
    await page.get_by_role("button", name="Write anew").click()
    await is_the_whole_card(page)
    await answer(page).get_by_role("button", name="Earlier version").click()
    await expect(card(page)).to_be_hidden()


async def test_without_script(plain, world):
    page = plain
    behave(world)
    await page.goto(world.conversation)
    await page.get_by_label("Your question").fill("What is Erik good at?")
    await page.get_by_role("button", name="Send").click()
    await reload_until(page, answer(page), "sent")
    for _ in range(20):
        if await card(page).is_visible():
            break
        await page.reload()
    await is_the_whole_card(page)
    await page.get_by_role("button", name="How do I tell him?").click()
    await reload_until(page, answer(page), "sent")
    assert [raw["content"] for raw in messages(world, role="user")] == ["What is Erik good at?", "How do I tell him?"]
    await page.locator(".room-head .menu > summary").click()
    await page.get_by_role("link", name="What the AI is told").click()
    await page.get_by_role("link", name="Correct what is recorded of Erik Ek").click()
    await page.get_by_label("Strengths").fill("listening\nselling")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".notices")).to_contain_text("Corrected.")
    await expect(page.locator(".given")).to_contain_text("listening, selling")


async def test_axe_finds_nothing_in_the_card_and_the_pages(page, world):
    await page.set_viewport_size(SMALL)
    behave(world)
    await page.goto(world.conversation)
    await ask(page, "What is Erik good at?")
    await is_the_whole_card(page)
    await answer(page).get_by_text("Employees", exact=True).click()
    await looks_right(page)
    await page.goto(f"{world.conversation}context/")
    await looks_right(page)
    await page.get_by_role("link", name="Correct what is recorded of Erik Ek").click()
    await page.wait_for_url("**/context/*/")
    await looks_right(page)
