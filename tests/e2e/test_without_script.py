"""Everything works by plain form posts: the script only makes it quicker."""

import asyncio
import re

import pytest_asyncio
from playwright.async_api import expect

from chat.choices import MessageStatus
from chat.documents import Conversation, Message
from config import mongo
from tests.e2e.conftest import sign_in

M = mongo.names(Message)


@pytest_asyncio.fixture(loop_scope="session")
async def plain(lend, world):
    """Olive's browser without JavaScript, signed in."""
    page = await (await lend(java_script_enabled=False)).new_page()
    await sign_in(page, world.site, "olive@acme.example")
    return page


async def reload_until(page, locator, status):
    for _ in range(60):
        if await locator.get_attribute("data-status") == status:
            return
        await asyncio.sleep(0.25)
        await page.reload()
    raise AssertionError(f"The answer is {await locator.get_attribute('data-status')}, not {status}.")


async def test_start_ask_stop_and_retry(plain, world):
    page = plain
    world.upstream.behave("One two three four five. " * 20, hold_after=100)
    await page.goto(world.address("chat/new/"))
    await page.get_by_role("radio", name=re.compile("Team compatibility")).check()
    await page.get_by_role("checkbox", name=re.compile("Erik Ek")).check()
    await page.get_by_label("Your first question").fill("How do they fit?")
    await page.get_by_label("Find people").fill("dina")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_role("checkbox", name=re.compile("Erik Ek"))).to_be_checked()
    await expect(page.get_by_label("Your first question")).to_have_value("How do they fit?")
    await expect(page.get_by_role("radio", name=re.compile("Team compatibility"))).to_be_checked()
    await expect(page.get_by_role("checkbox", name=re.compile("Wim Wolf"))).to_have_count(0)
    await page.get_by_role("checkbox", name=re.compile("Dina Dahl")).check()
    await page.get_by_role("button", name="Ask").click()
    await page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}/#m-"))
    answer = page.locator("[data-role=assistant]")
    await expect(page.locator("noscript p")).to_contain_text("The answer is being written.")
    await reload_until(page, answer, "streaming")
    await page.get_by_role("button", name="Stop").click()
    await reload_until(page, answer, "cancelled")
    await expect(answer).to_contain_text("One two three")
    world.upstream.behave("Well, **very** well.")
    await page.get_by_role("button", name="Try again").click()
    await reload_until(page, answer, "sent")
    await expect(answer.locator("[data-slot=body]")).to_have_text("Well, very well.")
    await page.get_by_label("Your question").fill("Line one\nline two")
    await page.get_by_role("button", name="Send").click()
    await reload_until(page, answer.nth(1), "sent")
    assert [raw[M.content] for raw in messages(world, role="user")] == ["How do they fit?", "Line one\nline two"]


async def test_what_is_wrong_is_said_and_what_was_written_comes_back(plain, world):
    await plain.goto(world.address("chat/new/"))
    await plain.get_by_role("radio", name=re.compile("Team compatibility")).check()
    await plain.get_by_role("checkbox", name=re.compile("Erik Ek")).check()
    await plain.get_by_label("Your first question").fill("How do they fit?")
    await plain.get_by_role("button", name="Ask").click()
    await expect(plain.locator("#id_employees_error")).to_contain_text("is about 2 to 20 employees; 1 were chosen")
    await expect(plain.get_by_label("Your first question")).to_have_value("How do they fit?")
    await expect(plain.get_by_role("checkbox", name=re.compile("Erik Ek"))).to_be_checked()


async def test_the_same_form_sent_twice_asks_once(plain, world):
    await plain.goto(world.conversation)
    await plain.get_by_label("Your question").fill("Once?")
    form = {
        "csrfmiddlewaretoken": await plain.locator("[data-composer] [name=csrfmiddlewaretoken]").input_value(),
        "client_id": await plain.locator("[data-composer] [name=client_id]").input_value(),
        "text": "Once?",
    }
    for _ in range(2):
        response = await plain.request.post(f"{world.conversation}send/", form=form, headers={"Referer": world.conversation})
        assert response.status == 200
    assert len(messages(world, role="user")) == 1


async def test_rename_pin_archive_restore_delete(plain, world):
    await plain.goto(world.conversation)
    await plain.locator(".room-head .menu > summary").click()
    await plain.get_by_label("Title", exact=True).fill("Erik, next year")
    await plain.get_by_role("button", name="Rename").click()
    await expect(plain.get_by_role("heading", level=1)).to_have_text("Erik, next year")
    await plain.get_by_role("button", name="Pinned", exact=True).click()
    await expect(plain.get_by_role("button", name="Pinned", exact=True)).to_have_attribute("aria-pressed", "true")
    await plain.goto(world.address("chat/?pinned=true"))
    await expect(plain.locator(".conversation-link")).to_have_count(1)
    await plain.goto(world.conversation)
    await plain.locator(".room-head .menu > summary").click()
    await plain.get_by_role("button", name="Archive", exact=True).click()
    await expect(plain.get_by_text("This consultation is archived.")).to_be_visible()
    await expect(plain.get_by_label("Your question")).to_have_count(0)
    await plain.goto(world.address("chat/"))
    await expect(plain.locator(".conversation-link")).to_have_count(0)
    await plain.goto(world.address("chat/?status=archived"))
    await plain.locator(".conversation-link").click()
    await plain.get_by_role("button", name="Restore it").click()
    await expect(plain.get_by_label("Your question")).to_be_visible()
    await plain.locator(".room-head .menu > summary").click()
    await plain.get_by_text("Delete…").click()
    await plain.get_by_role("button", name="Delete this consultation").click()
    await expect(plain.get_by_text("Deleted.")).to_be_visible()
    await expect(plain.locator(".conversation-link")).to_have_count(0)
    gone = await plain.goto(world.conversation)
    assert gone.status == 404


async def test_a_conversation_is_opened_to_a_colleague_and_closed_again(plain, world, lend):
    await plain.goto(world.conversation)
    await plain.locator(".room-head .menu > summary").click()
    await plain.get_by_role("link", name="Who may read it").click()
    await plain.get_by_label("People of Acme").fill("liam@acme.example, nobody@acme.example")
    await plain.get_by_role("button", name="Save").click()
    await expect(plain.get_by_text("Not a member of Acme: nobody@acme.example.")).to_be_visible()
    await plain.get_by_label("People of Acme").fill("liam@acme.example")
    await plain.get_by_role("button", name="Save").click()
    await expect(plain.get_by_text("Who may read it has changed.")).to_be_visible()
    await expect(plain.locator(".room-about")).to_contain_text("Shared")
    liam = await (await lend()).new_page()
    await sign_in(liam, world.site, "liam@acme.example")
    await liam.goto(world.conversation)
    await expect(liam.get_by_label("Your question")).to_be_visible()
    await expect(liam.get_by_role("link", name="Who may read it")).to_have_count(0)
    assert (await liam.goto(f"{world.conversation}readers/")).status == 403
    await liam.goto(world.conversation)
    await plain.goto(f"{world.conversation}readers/")
    await expect(plain.get_by_label("People of Acme")).to_have_value("liam@acme.example")
    await plain.get_by_label("People of Acme").fill("")
    await plain.get_by_role("button", name="Save").click()
    await expect(plain.get_by_text("Only you can read it now.")).to_be_visible()
    await expect(liam.get_by_text("This conversation is no longer there.")).to_be_visible()
    assert (await liam.goto(world.conversation)).status == 404


async def test_history_by_links(plain, world):
    fill(world, 120)
    await plain.goto(world.conversation)
    shown = plain.locator("[data-message]")
    await expect(shown).to_have_count(50)
    await expect(shown.first).to_have_attribute("data-seq", "71")
    await plain.get_by_role("link", name="Earlier messages").click()
    await expect(shown.first).to_have_attribute("data-seq", "21")
    await plain.get_by_role("link", name="Earlier messages").click()
    await expect(shown.first).to_have_attribute("data-seq", "1")
    await expect(plain.get_by_role("link", name="Earlier messages")).to_have_count(0)
    await plain.get_by_role("link", name="The newest messages").click()
    await expect(shown.last).to_have_attribute("data-seq", "120")


def messages(world, **wanted):
    return list(mongo.collection(Message).find({M.organization_id: str(world.cast.acme.pk), **wanted}).sort(M.seq, 1))


def fill(world, count):
    """So many messages in the conversation, questions and answers by turns."""
    organization = str(world.cast.acme.pk)
    conversation = mongo.collection(Conversation).find_one({"organizationId": organization, "conversationId": world.conversation_id})
    mongo.collection(Message).insert_many(
        {
            M.message_id: f"01a201c6-0000-7000-8000-{seq:012d}",
            M.organization_id: organization,
            M.conversation_id: world.conversation_id,
            M.seq: seq,
            M.role: "user" if seq % 2 else "assistant",
            M.content: f"Message **{seq}**.\n\nA second paragraph.",
            M.content_type: "text",
            M.user_id: conversation["userId"],
            M.status: MessageStatus.SENT.value,
            M.attempt: 1,
            M.created_at: conversation["createdAt"],
            M.updated_at: conversation["createdAt"],
        }
        for seq in range(1, count + 1)
    )
