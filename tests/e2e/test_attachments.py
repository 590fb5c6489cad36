"""Files are attached by button, drop and paste, sent, seen and downloaded, in a real browser, with and without the script."""

import asyncio
import base64
from pathlib import Path

import pytest
from playwright.async_api import expect

from chat.documents import Attachment
from config import mongo
from tests.chat.files import GOOD, HOSTILE, image
from tests.e2e.conftest import SMALL, looks_right
from tests.e2e.test_journey import answer
from tests.e2e.test_without_script import messages, plain

__all__ = ["plain"]

LOOKED_AT = 30_000  # milliseconds; each file is looked at by a process of its own, two at once
BIG = image(size=(1200, 800))
REPORT = ("Report of spring.pdf", GOOD["report.pdf"])


def as_upload(name: str, data: bytes) -> dict:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


async def choose(page, *files: tuple[str, bytes] | Path) -> None:
    """Small files as they are; what is large goes to the browser by its path."""
    async with page.expect_file_chooser() as asked:
        await page.get_by_role("button", name="Attach files").click()
    await (await asked.value).set_files([file if isinstance(file, Path) else as_upload(*file) for file in files])


async def choose_all(page, *files: tuple[str, bytes]) -> None:
    """Chooses the files and waits until they are there."""
    await choose(page, *files)
    await expect(chips(page)).to_have_count(len(files))
    await expect(chips(page).get_by_role("progressbar")).to_have_count(0, timeout=LOOKED_AT)


async def hand_over(page, event: str, name: str, data: bytes) -> None:
    """Drops or pastes a file, as the browser tells the page of it."""
    script = """([event, name, data]) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], name));
        const options = {bubbles: true, cancelable: true};
        const happened = event === "paste" ? new ClipboardEvent(event, {...options, clipboardData: transfer})
            : new DragEvent(event, {...options, dataTransfer: transfer});
        document.querySelector("[data-text]").dispatchEvent(happened);
    }"""
    await page.evaluate(script, [event, name, base64.b64encode(data).decode()])


def chips(page):
    return page.get_by_role("list", name="Files to send").get_by_role("listitem")


def attached(page):
    return page.locator("[data-message][data-role=user]").last.get_by_role("list", name="Attached files").get_by_role("listitem")


async def is_seen(picture) -> None:
    """The browser has the picture and could read it."""
    await expect(picture).to_have_js_property("complete", True)
    assert await picture.evaluate("picture => picture.naturalWidth") > 0


async def send(page, text: str = "What does it say?") -> None:
    await page.get_by_label("Your question").fill(text)
    await page.keyboard.press("Enter")


def kept(world) -> list[dict]:
    return list(mongo.collection(Attachment).find({"organizationId": str(world.cast.acme.pk)}, sort=[("_id", 1)]))


async def test_files_are_uploaded_with_progress_sent_seen_and_downloaded(page, world):
    await page.goto(world.conversation)
    go_on = asyncio.Event()

    async def hold(route):
        await go_on.wait()
        await route.continue_()

    await page.route("**/attachments", hold)
    await choose(page, REPORT, ("big.png", BIG))
    await expect(chips(page)).to_have_count(2)
    await expect(chips(page).get_by_role("progressbar", name="Uploading")).to_have_count(2)
    await send(page)
    await expect(page.get_by_role("alert")).to_have_text("A file is still on its way. Send when it is there.")
    go_on.set()
    await expect(chips(page).get_by_role("progressbar")).to_have_count(0, timeout=LOOKED_AT)
    await expect(chips(page).first).to_contain_text("Report of spring.pdf")
    await is_seen(chips(page).last.locator("img"))
    await page.get_by_label("Your question").focus()
    await page.keyboard.press("Enter")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await expect(chips(page)).to_have_count(0)
    for _ in range(2):
        await expect(attached(page)).to_have_count(2)
        await expect(attached(page).first).to_contain_text("PDF, 1 KB")
        await is_seen(attached(page).last.locator("img"))
        async with page.expect_download() as started:
            await attached(page).first.get_by_role("link").click()
        download = await started.value
        assert download.suggested_filename == "Report of spring.pdf"
        assert (await download.path()).read_bytes() == GOOD["report.pdf"]
        await page.reload()
    [asked] = [each for each in world.upstream.questions if each["messages"][-1]["content"] == "What does it say?"]
    assert "Sales rose by 12 percent" in asked["messages"][-2]["content"]
    assert "big.png" in asked["messages"][-2]["content"]


@pytest.mark.parametrize("event", ["drop", "paste"])
async def test_files_are_dropped_and_pasted(page, world, event):
    await page.goto(world.conversation)
    await expect(page.get_by_role("button", name="Attach files")).to_be_visible()
    await hand_over(page, event, "note.txt", GOOD["note.txt"])
    await expect(chips(page).get_by_role("progressbar")).to_have_count(0, timeout=LOOKED_AT)
    await expect(chips(page)).to_have_count(1)
    await send(page)
    await expect(attached(page)).to_contain_text("note.txt")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    [question] = messages(world, role="user")
    assert [each["fileName"] for each in question["attachments"]] == ["note.txt"]


async def test_what_is_refused_is_said_and_the_rest_stays(page, world, tmp_path):
    await page.goto(world.conversation)
    name, data = HOSTILE["an svg called png"]
    await choose(page, ("note.txt", GOOD["note.txt"]), (name, data))
    await expect(page.get_by_role("alert")).to_have_text(
        "drawing.png: What is in this file is not what its name says. Save it again in the right format.",
        timeout=LOOKED_AT,
    )
    await expect(chips(page)).to_have_count(1)
    await choose(page, *[(f"{n}.txt", b"x") for n in range(5)])
    await expect(page.get_by_role("alert")).to_have_text("A message takes 5 files at most. Send the others with the next one.")
    await expect(chips(page)).to_have_count(5)
    await chips(page).first.get_by_role("button").click()
    large = tmp_path / "large.txt"
    large.write_bytes(b"x" * 11_000_000)
    await choose(page, large)
    await expect(page.get_by_role("alert")).to_have_text("large.txt: a file has 10 MB at most.")


async def test_a_chip_stays_over_a_reload_and_is_removed_by_keyboard(page, world):
    await page.goto(world.conversation)
    await choose_all(page, ("red.png", GOOD["red.png"]))
    await page.reload()
    await is_seen(chips(page).locator("img"))
    await chips(page).get_by_role("button", name="Remove red.png").focus()
    async with page.expect_response("**/api/v1/attachments/*") as response:
        await page.keyboard.press("Enter")
    assert (await response.value).status == 204
    await expect(chips(page)).to_have_count(0)
    await expect(page.get_by_label("Your question")).to_be_focused()
    assert kept(world) == []


async def test_a_refused_question_gives_its_files_back(page, world):
    await page.goto(world.conversation)
    await choose_all(page, ("note.txt", GOOD["note.txt"]))
    [raw] = kept(world)
    one = {"organizationId": raw["organizationId"], "attachmentId": raw["attachmentId"]}
    mongo.collection(Attachment).delete_one(one)
    await send(page)
    await expect(page.get_by_role("alert")).to_have_text("One of the files is not there any more. Attach it again.")
    await expect(chips(page)).to_have_count(1)
    await expect(page.get_by_label("Your question")).to_have_value("What does it say?")


async def test_another_tab_and_another_person_see_the_files(page, context, world):
    await page.goto(world.conversation)
    other = await context.new_page()
    await other.goto(world.conversation)
    await choose_all(page, ("red.png", GOOD["red.png"]))
    await send(page)
    await is_seen(attached(other).locator("img"))
    await other.close()


async def test_without_script(plain, world):
    await plain.goto(world.conversation)
    await expect(plain.get_by_role("button", name="Attach files")).to_be_hidden()
    await plain.get_by_label("Your question").fill("What does it say?")
    await plain.get_by_label("Files, 5 at most").set_input_files([as_upload(*REPORT), as_upload("red.png", GOOD["red.png"])])
    await plain.get_by_role("button", name="Send").click()
    await expect(attached(plain)).to_have_count(2)
    await is_seen(attached(plain).last.locator("img"))
    await plain.get_by_label("Your question").fill("And this?")
    await plain.get_by_label("Files, 5 at most").set_input_files([as_upload(*HOSTILE["a page called text"])])
    await plain.get_by_role("button", name="Send").click()
    await expect(plain.get_by_role("alert")).to_contain_text("not a plain text")
    await expect(plain.get_by_label("Your question")).to_have_value("And this?")


async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(page, world):
    await page.set_viewport_size(SMALL)
    await page.goto(world.conversation)
    long_name = ("A report with a name that is longer than anybody would want it to be.pdf", GOOD["report.pdf"])
    await choose_all(page, long_name, ("big.png", BIG), ("people.csv", GOOD["people.csv"]))
    await send(page)
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await choose_all(page, long_name, ("big.png", BIG))
    await looks_right(page)
