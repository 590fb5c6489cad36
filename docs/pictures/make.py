"""The pictures of docs/pages.md, taken of a running `make run OFFLINE_WORDS_PER_SECOND=8` with its demo data: `make pictures` (PORT, as
there). Answers are that slow so that there is time to look at one being written.

Each state is taken in light and dark at 1280 pixels and in light at 360. The consultation that is begun for it is deleted again.
"""

import asyncio
import io
import os
import re
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from config import demo

HERE = Path(__file__).parent
ADDRESS = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "small": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light", "has_touch": True, "is_mobile": True},
}
NOTE = "Goals for the second half of the year\n\n1. Lead the new project.\n2. Coach two colleagues.\n"


async def main() -> None:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chromium-headless-shell")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for name, look in LOOKS.items():
            await pictures(browser, name, look)
        await browser.close()
    sys.stdout.write(f"{sum(path.stat().st_size for path in HERE.glob('*.webp')):,} bytes in {HERE}\n")


async def pictures(browser: Browser, name: str, look: dict) -> None:
    context = await browser.new_context(locale="en-GB", reduced_motion="reduce", **look)
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    page = await context.new_page()

    async def take(state: str) -> None:
        raw = await page.screenshot()
        Image.open(io.BytesIO(raw)).save(HERE / f"{state}-{name}.webp", quality=70, method=6)

    await page.goto(f"{ADDRESS}/accounts/login/")
    await page.get_by_label("Email").fill("olive@acme.example")
    await page.get_by_label("Password").fill(demo.PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{ADDRESS}/o/**")
    chat = f"{page.url.split('/o/')[0]}/o/acme/chat/"

    await page.goto(f"{page.url.split('/o/')[0]}/o/acme/dashboard/")
    if name == "small":  # what is out of sight is not drawn
        await page.get_by_role("figure").first.scroll_into_view_if_needed()
    await expect(page.locator("[data-drawn]").first).to_be_visible()
    await take("dashboard")
    await page.goto(chat.replace("/chat/", "/connections/"))
    for button in await page.get_by_role("button", name="Try with sample data of Google Analytics").all():
        await button.click()
    await take("connections")
    await settings(page, chat.replace("/chat/", "/settings/"), take)
    await page.goto(chat)
    await take("inbox")
    await page.goto(f"{chat}search/?q=strengths")
    await take("search")
    await page.goto(f"{chat}new/?type=employee_specific")
    await take("start")
    await page.get_by_role("radio", name="About one employee").check(force=True)
    await page.locator("[data-people] input[type=checkbox]").first.check()
    await page.get_by_label("Your first question").fill("What are the strengths, and what should come next?")
    await page.get_by_role("button", name="Ask").click()
    await page.wait_for_url(re.compile("/chat/[0-9a-f-]{36}/"))
    await conversation(context, page, take)


async def settings(page: Page, address: str, take) -> None:
    await page.goto(address)
    await take("settings")
    await page.goto(f"{address}bridges/team-summary/")
    await take("bridge")
    await page.goto(f"{address}bridges/team-summary/playground/")
    await page.get_by_label("team").fill("Engineering")
    await page.get_by_label("Question").fill("How did the week go?")
    await page.get_by_label("Beside it").select_option(index=2)
    await page.get_by_role("button", name="Ask").click()
    await page.locator(".outcomes").scroll_into_view_if_needed()
    await take("playground")
    await page.goto(f"{address}budgets/")
    await take("budgets")
    await page.goto(f"{address}chatbots/")
    await page.locator(".entry-name").first.click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await take("chatbot")


async def conversation(context: BrowserContext, page: Page, take) -> None:
    answer = page.locator("[data-role=assistant]").last
    field = page.get_by_label("Your question")
    await expect(answer).to_have_attribute("data-status", "sent")
    await expect(answer.locator(".analysis")).to_be_visible()
    await answer.locator(".analysis").scroll_into_view_if_needed()
    await take("analysis")
    await page.locator("[data-file-input]").set_input_files({"name": "goals.txt", "mimeType": "text/plain", "buffer": NOTE.encode()})
    await expect(page.locator("[data-files] [data-file]")).to_be_visible()
    await field.fill("Do these goals fit?")
    await take("attachments")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("[data-role=user][data-message]")).to_have_count(2)
    await expect(answer).to_have_attribute("data-status", "streaming")
    await field.fill("And who could help with the second?")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("region", name="Questions that wait")).to_be_visible()
    await take("streaming")
    await expect(page.locator("[data-role=user][data-message]")).to_have_count(3)
    await expect(answer).to_have_attribute("data-status", "sent")
    await context.set_offline(True)
    await field.fill("What did we decide last time?")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("It is kept on this device")).to_be_visible()
    await take("offline")
    await context.set_offline(False)
    await expect(page.locator("[data-role=user][data-message]")).to_have_count(4)
    await page.keyboard.press("Control+/")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await take("shortcuts")
    await page.keyboard.press("Escape")
    await expect(answer).to_have_attribute("data-status", "sent")
    await field.fill("How many sessions did our website have last week?")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("[data-role=user][data-message]")).to_have_count(5)
    await expect(answer.locator(".part-chart[data-drawn] canvas")).to_be_visible()
    await expect(answer).to_have_attribute("data-status", "sent")
    await answer.locator(".part-chart").scroll_into_view_if_needed()
    await take("figures")
    address = page.url.partition("#")[0]
    await page.goto(f"{address}context/")
    await take("context")
    await page.goto(address)
    await page.get_by_text("More about this consultation").click(force=True)
    await page.get_by_text("Delete…").click()
    await page.get_by_role("button", name="Delete this consultation").click()
    await page.wait_for_url("**/chat/")


if __name__ == "__main__":
    asyncio.run(main())
