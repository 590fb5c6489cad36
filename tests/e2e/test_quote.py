"""Quoting an answer into the next question, by mouse and by keyboard."""

from playwright.async_api import expect

from tests.e2e.test_journey import answer, ask

SELECT = """body => {
  const range = document.createRange();
  range.selectNodeContents(body.querySelector("strong"));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}"""


async def test_what_is_selected_or_all_of_it_is_quoted(page, world):
    world.upstream.behave("Erik is **good** at it.\n\nSo is Dina.")
    await page.goto(world.conversation)
    await ask(page, "Who is good at it?")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    field = page.get_by_label("Your question")
    await answer(page).locator("[data-slot=body]").evaluate(SELECT)
    await answer(page).get_by_role("button", name="Quote").click()
    await expect(field).to_have_value("> good\n\n")
    await expect(field).to_be_focused()
    await page.keyboard.type("Why?")
    await page.evaluate("getSelection().removeAllRanges()")
    await answer(page).get_by_role("button", name="Quote").focus()
    await page.keyboard.press("Enter")
    await expect(field).to_have_value("> good\n\nWhy?\n\n> Erik is **good** at it.\n>\n> So is Dina.\n\n")
    await page.wait_for_timeout(400)
    await page.reload()
    await expect(field).to_have_value("> good\n\nWhy?\n\n> Erik is **good** at it.\n>\n> So is Dina.\n\n")
