"""The connection goes away: what was written stays, what was missed comes, and nothing is said twice."""

import asyncio
import re

import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.test_journey import LONG, answer, ask
from tests.e2e.test_without_script import fill, messages

PARAGRAPHS = [paragraph.replace("**", "") for paragraph in LONG.split("\n\n")]


@pytest_asyncio.fixture(loop_scope="session")
async def interrupted(world):
    """The site's web process may be ended; afterwards it runs again."""
    yield world.site
    if not world.site.is_web_running:
        await asyncio.to_thread(world.site.start_web)


async def paragraphs(page):
    return await answer(page).locator("[data-slot=body] p").all_inner_texts()


async def test_the_web_process_dies_in_the_middle_and_the_rest_comes_from_the_next_one(page, world, interrupted):
    world.upstream.behave(LONG, hold_after=500)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_contain_text("Paragraph 7")
    await asyncio.to_thread(interrupted.end_web)
    await expect(page.get_by_text("Reconnecting…").first).to_be_visible()
    world.upstream.go.set()
    await asyncio.sleep(0.5)
    await asyncio.to_thread(interrupted.start_web)
    await expect(answer(page)).to_have_attribute("data-status", "sent", timeout=30_000)
    assert await paragraphs(page) == PARAGRAPHS
    await expect(page.locator("[data-connection]")).to_be_hidden()


async def test_a_question_asked_while_nobody_is_there_is_delivered_once(page, world, interrupted):
    world.upstream.behave("Here I am.")
    await page.goto(world.conversation)
    await expect(page.get_by_label("Your question")).to_be_visible()
    await asyncio.to_thread(interrupted.end_web)
    await ask(page, "Anybody there?")
    waiting = page.locator("[data-status=sending]")
    await expect(waiting).to_contain_text("Anybody there?")
    await expect(waiting).to_contain_text("It is kept on this device")
    await asyncio.to_thread(interrupted.start_web)
    await expect(answer(page)).to_have_attribute("data-status", "sent", timeout=30_000)
    await expect(waiting).to_have_count(0)
    assert [raw["content"] for raw in messages(world, role="user")] == ["Anybody there?"]
    await expect(page.locator("[data-role=user]")).to_have_count(1)


async def test_a_question_survives_the_tab(context, page, world, interrupted):
    world.upstream.behave("Here I am.")
    await page.goto(world.conversation)
    await asyncio.to_thread(interrupted.end_web)
    await ask(page, "Do you hear me?")
    await expect(page.locator("[data-status=sending]")).to_contain_text("It is kept on this device")
    await page.close()
    await asyncio.to_thread(interrupted.start_web)
    again = await context.new_page()
    await again.goto(world.conversation)
    await expect(answer(again)).to_have_attribute("data-status", "sent", timeout=30_000)
    assert [raw["content"] for raw in messages(world, role="user")] == ["Do you hear me?"]


async def test_the_socket_is_cut_again_and_again_and_the_answer_is_whole(page, world):
    """Every connection lets a few more frames through than the one before."""
    allowed = iter(range(3, 1_000, 3))
    closing = set()

    def relay(socket):
        left = next(allowed)
        server = socket.connect_to_server()

        def pass_on(frame):
            nonlocal left
            left -= 1
            if left < 0:
                cut(server, socket)
            else:
                socket.send(frame)

        server.on_message(pass_on)
        server.on_close(lambda code, reason: cut(socket))

    def cut(*ends):
        for end in ends:
            closing.add(asyncio.ensure_future(end.close(code=1012)))

    await page.route_web_socket(re.compile("/ws/o/"), relay)
    world.upstream.behave(LONG, size=20, pause=0.04)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_have_attribute("data-status", "sent", timeout=60_000)
    assert await paragraphs(page) == PARAGRAPHS
    assert next(allowed) > 12, "The socket was not cut often enough to prove anything."
    assert len(messages(world, role="user")) == 1


async def test_without_any_socket_questions_go_by_request_and_answers_are_fetched(page, world):
    await page.route_web_socket(re.compile("/ws/o/"), lambda socket: asyncio.ensure_future(socket.close(code=1012)))
    world.upstream.behave(LONG, hold_after=300)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_contain_text("Paragraph 3", timeout=15_000)
    world.upstream.go.set()
    await expect(answer(page)).to_have_attribute("data-status", "sent", timeout=15_000)
    assert await paragraphs(page) == PARAGRAPHS
    await expect(page.get_by_text("Reconnecting…").first).to_be_visible()
    world.upstream.behave(LONG, hold_after=300)
    await ask(page, "Again?")
    await expect(answer(page)).to_contain_text("Paragraph 3", timeout=15_000)
    await page.get_by_role("button", name="Stop the answer").click()
    await expect(answer(page)).to_have_attribute("data-status", "cancelled", timeout=15_000)


async def test_signed_out_elsewhere_says_so_and_keeps_what_was_written(context, page, world):
    await page.goto(world.conversation)
    await page.get_by_label("Your question").fill("Half a thought")
    other = await context.new_page()
    await other.goto(world.address())
    await other.locator(".account > summary").click()
    await other.get_by_role("button", name="Sign out").click()
    await expect(page.locator("[data-problem]")).to_contain_text("You are signed out.", timeout=10_000)
    await expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
    await expect(page.get_by_label("Your question")).to_have_value("Half a thought")


async def test_a_refused_question_comes_back_with_the_reason(page, world):
    await page.goto(world.conversation)
    field = page.get_by_label("Your question")
    await field.evaluate("(field) => { field.removeAttribute('maxlength'); field.value = 'x'.repeat(32_001); }")
    await field.press("Enter")
    await expect(page.locator("[data-problem]")).to_contain_text("The message is too long.")
    assert len(await field.input_value()) == 32_001
    await expect(page.locator("[data-status=sending]")).to_have_count(0)
    assert messages(world) == []


async def test_history_comes_as_one_scrolls_up_and_the_page_does_not_jump(page, world):
    fill(world, 160)
    await page.goto(world.conversation)
    shown = page.locator("[data-message]")
    await expect(shown).to_have_count(50)
    await expect(shown.last).to_be_in_viewport()
    thread = page.locator("[data-thread]")
    await thread.evaluate("(thread) => { thread.scrollTop = 300; }")
    before = await shown.filter(has_text="Message 114.").bounding_box()
    await expect(shown).to_have_count(100)
    after = await shown.filter(has_text="Message 114.").bounding_box()
    assert abs(before["y"] - after["y"]) < 2
    for count in (150, 160):
        await thread.evaluate("(thread) => { thread.scrollTop = 0; }")
        await expect(shown).to_have_count(count)
    assert await shown.evaluate_all("(all) => all.map((one) => Number(one.dataset.seq))") == list(range(1, 161))
    await expect(page.locator("a[data-earlier]")).to_be_hidden()


async def test_the_end_is_followed_only_while_the_reader_is_there(page, world):
    world.upstream.behave(LONG * 3, size=40, pause=0.02, hold_after=1_500)
    await page.goto(world.conversation)
    await ask(page, "And then?")
    await expect(answer(page)).to_contain_text("Paragraph 20")
    distance = "(thread) => thread.scrollHeight - thread.scrollTop - thread.clientHeight"
    thread = page.locator("[data-thread]")
    assert await thread.evaluate(distance) < 2
    await thread.hover()
    await page.mouse.wheel(0, -400)
    await expect(page.get_by_role("button", name="Latest")).to_be_visible()
    place = await thread.evaluate("(thread) => thread.scrollTop")
    world.upstream.go.set()
    await expect(answer(page)).to_have_attribute("data-status", "sent", timeout=20_000)
    assert abs(await thread.evaluate("(thread) => thread.scrollTop") - place) < 2
    await page.get_by_role("button", name="Latest").click()
    assert await thread.evaluate(distance) < 2
