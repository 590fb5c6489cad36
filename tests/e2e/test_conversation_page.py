"""What is measured of the conversation's page, and that each of its actions is in reach: by touch, mouse and keyboard; and its states."""

import gzip
import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import SMALL, looks_right, sign_in, watch
from tests.e2e.test_journey import CODE, answer, ask

ROW = "| Erik | 92 | leads by example |\n"
MARKDOWN = "\n\n".join(
    f"## Part {number}\n\nA paragraph with **weight**, a [link](https://example.com/{number}) and `code`, long enough for several lines of "
    f"a small screen.\n\n- one\n- two\n  - three\n\n```python\nfor each in range({number}):\n    print(each)\n```\n\n"
    f"| name | score | why |\n|---|---|---|\n{ROW * 3}\n> A quotation of what was said."
    for number in range(1, 9)
)
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) {
      const parts = entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? node?.textContent);
      window.shifts.push([entry.value, entry.startTime, parts]);
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""
DRAWN = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => go(performance.now()))))"
SMALL_TARGETS = """
() => [...document.querySelectorAll(".room :is(button, summary, a[href], input:not([type=hidden]), textarea)")]
  .filter((element) => element.checkVisibility({ checkVisibilityCSS: true }) && !element.closest(".visually-hidden, .prose"))
  .map((element) => (element.type === "radio" ? element.closest("label") : element))
  .map((element) => [element, element.getBoundingClientRect()])
  .filter(([, { width, height }]) => width > 0 && (width < 24 || height < 24))
  .map(([element, { width, height }]) => `${element.outerHTML.slice(0, 90)}: ${width} by ${height}`)
"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 740)])
async def test_nothing_jumps_while_a_long_answer_is_written(page, world, width, height):
    await page.set_viewport_size({"width": width, "height": height})
    await page.emulate_media(color_scheme="light")
    await page.add_init_script(SHIFTS)
    world.upstream.behave(MARKDOWN, size=40, pause=0.02)
    await page.goto(world.conversation)
    asked = await page.evaluate("performance.now()")
    await ask(page, "Tell me all.")
    await expect(answer(page)).to_be_attached()
    stands = await page.evaluate(DRAWN)
    await expect(answer(page)).to_have_attribute("data-status", "sent", timeout=60_000)
    await expect(answer(page).locator(".hljs-keyword").first).to_be_attached()
    await page.wait_for_timeout(500)  # what follows the end: colours, facts, suggestions
    # The question and the place of its answer are meant to appear. A browser forgives that half a second; a busy machine needs longer.
    shifts = [shift for shift in await page.evaluate("window.shifts") if not asked <= shift[1] <= stands]
    assert sum(value for value, *_ in shifts) < 0.02, sorted(shifts, reverse=True)[:5]


async def test_all_scripts_of_the_page_are_small(page, world):
    world.upstream.behave(CODE)
    await page.goto(world.conversation)
    await ask(page, "How?")
    await expect(answer(page).locator(".hljs-string")).to_have_count(1)
    loaded = await page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    scripts = {url for url in loaded if urlsplit(url).path.endswith((".js", ".mjs"))}
    sizes = {url: len(gzip.compress(await (await page.request.get(url)).body())) for url in scripts}
    assert any("highlight" in url for url in sizes)
    assert len(sizes) > 10
    assert sum(sizes.values()) < 200 * 1024, sizes


async def test_every_action_of_a_message_is_in_reach_of_a_finger(lend, world):
    world.upstream.behave(CODE)
    context = await lend(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=world.site.url)
    page = await context.new_page()
    troubles = watch(page)
    await sign_in(page, world.site, "olive@acme.example")
    await page.goto(world.conversation)
    await page.get_by_label("Your question").fill("How?")
    await page.get_by_role("button", name="Send").tap()
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    question = page.locator("[data-role=user]").last
    await question.get_by_role("button", name="Copy").tap()
    await expect(question.locator("[data-copy]")).to_have_text("Copied")
    await answer(page).locator("[data-copy]").tap()
    await expect(answer(page).locator("[data-copy]")).to_have_text("Copied")
    await answer(page).locator("[data-copy-code]").tap()
    await expect(answer(page).locator("[data-copy-code]")).to_have_text("Copied")
    await answer(page).get_by_role("button", name="Quote").tap()
    await expect(page.get_by_label("Your question")).to_have_value(re.compile("^> Run this:"))
    await page.get_by_label("Your question").fill("")
    await answer(page).get_by_role("button", name="Helpful", exact=True).tap()
    await expect(answer(page).locator("[data-helpful=true]")).to_have_attribute("aria-pressed", "true")
    await answer(page).locator(".star").nth(3).tap()
    assert await page.evaluate(SMALL_TARGETS) == []
    await answer(page).get_by_role("button", name="Save").tap()
    await expect(answer(page).locator("[data-slot=rating]")).to_contain_text("4")
    world.upstream.behave("Otherwise.")
    await answer(page).get_by_role("button", name="Write anew").tap()
    await expect(answer(page)).to_contain_text("Otherwise.")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await answer(page).get_by_role("button", name="Earlier version", exact=True).tap()
    await expect(answer(page)).to_contain_text("An earlier version, 1 of 2.")
    await question.get_by_text("Edit", exact=True).tap()
    await question.get_by_label("The question in other words").fill("How else?")
    assert await page.evaluate(SMALL_TARGETS) == []
    await question.get_by_role("button", name="Ask").tap()
    await expect(page.locator("[data-role=user] [data-slot=body]")).to_have_text("How else?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await page.get_by_role("button", name="Earlier version of the question").tap()
    await expect(page.locator("[data-role=user] [data-slot=body]")).to_have_text("How?")
    assert troubles == []


async def test_every_action_of_a_message_is_in_reach_of_the_keyboard(page, world):
    world.upstream.behave(CODE)
    await page.goto(world.conversation)
    await ask(page, "How?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    reached = set()
    await page.get_by_label("Your question").focus()
    for _ in range(20):
        await page.keyboard.press("Shift+Tab")
        focused = page.locator(":focus")
        said = "element => element.innerText.trim().split('\\n').pop() || element.title"
        seen = "element => element.checkVisibility({ opacityProperty: true }) && element.getBoundingClientRect().height >= 24"
        if await focused.evaluate("element => Boolean(element.closest('.message'))"):
            reached.add(await focused.evaluate(said))
            assert await focused.evaluate(seen), await focused.evaluate("element => element.outerHTML")
    assert reached >= {"Copy", "Quote", "Edit", "Write anew", "Helpful", "Not helpful"}, reached


async def test_offline_is_said_on_every_page_and_nothing_is_lost(page, context, world):
    await page.set_viewport_size(SMALL)
    banner = page.locator("[data-offline]")
    for path in ("", "chat/", "chat/new/", "chat/search/", f"chat/{world.conversation_id}/context/", f"chat/{world.conversation_id}/"):
        await page.goto(world.address(path))
        await expect(banner).to_be_empty()
        await context.set_offline(True)
        await expect(banner).to_contain_text("You are offline.")
        await looks_right(page)
        await context.set_offline(False)
        await expect(banner).to_be_empty()


async def test_a_list_that_cannot_be_fetched_stays_and_is_tried_again(page, context, world):
    await page.goto(world.address("chat/"))
    await context.set_offline(True)
    await page.get_by_label("Search in titles").fill("nobody")
    again = page.get_by_role("button", name="Try again")
    await expect(again).to_be_visible()
    await expect(page.locator(".conversation-link")).to_have_count(1)
    await context.set_offline(False)
    await again.click()
    await expect(page.get_by_text("No consultation fits.").first).to_be_visible()
    await expect(again).to_be_hidden()
