"""Hostile model output at every prefix of its stream, and wherever it is shown later: no script runs, no request leaves the origin.

The content security policy would stop most of it by itself. Here it is off, so that what is tested is what we render; only where a
whole answer is streamed it is on, and may find nothing to refuse.
"""

from contextlib import asynccontextmanager
from urllib.parse import urljoin

import pymongo
import pytest
import pytest_asyncio
import uuid_utils.compat as uuid
from playwright.async_api import expect

from chat import access, markdown
from chat.choices import Audience
from chat.documents import Conversation, Message
from chat.services import shares
from config import mongo
from tenants import scoping
from tests.e2e.conftest import _serve_static, launched, sign_in, watch
from tests.e2e.hostile import HERE, PAYLOADS, RUN
from tests.e2e.proxy import BROWSERS_OWN, Proxy
from tests.e2e.test_journey import answer, ask

pytestmark = pytest.mark.timeout(600)  # where every core is busy a site is long in starting

ALIKE = 80  # payloads of one conversation, each as an answer; with each a page is slower at showing the next
MOMENTS = 4_000  # pieces of HTML that are handed to the browser at once

WATCHED = """
window.canary = () => { window.struck = (window.struck ?? 0) + 1; };
window.TAGS = new Set($TAGS);
window.ATTRIBUTES = new Set(["href", "target", "rel", "start", "class", "tabindex", "role", "aria-label"]);
/** What stands in rendered text that may not. */
window.offencesIn = (root) => {
  const found = [];
  for (const element of root.querySelectorAll("*")) {
    if (element.closest("[data-copy-code]")) continue;  // a button of ours
    if (!window.TAGS.has(element.localName) || element.namespaceURI !== "http://www.w3.org/1999/xhtml") found.push(element.outerHTML);
    for (const { name, value } of element.attributes) {
      if (name === "data-coloured" && element.localName === "code") continue;  // ours, when it has its colours
      if (!window.ATTRIBUTES.has(name)) found.push(element.outerHTML);
      if (name === "href" && !/^(https:\\/\\/[a-z0-9.:-]+([/?#]|$)|mailto:[^@]+@[a-z0-9.-]+)/i.test(value)) found.push(value);
    }
  }
  return found;
};
/** What stands on a page of ours that may not. */
window.offencesHere = () => {
  const found = [...document.querySelectorAll(".prose")].flatMap(window.offencesIn);
  for (const element of document.querySelectorAll("*")) {
    for (const { name } of element.attributes) if (/^on/.test(name)) found.push(element.outerHTML);
    const address = element.src || (element.localName === "link" && element.href) || element.action || element.data || "";
    if (typeof address === "string" && address && new URL(address, location).origin !== location.origin) found.push(element.outerHTML);
  }
  const never = "iframe, frame, object, embed, base, style, meta[http-equiv], img:not([src^='/'])";
  for (const element of document.querySelectorAll(never)) found.push(element.outerHTML);
  return found;
};
""".replace("$TAGS", str(sorted(markdown._TAGS)))

STREAM = """async (payloads) => {
  const {StreamedMarkdown} = await import("/static/chat/markdown.js");
  const found = [];
  let prefixes = 0;
  for (const payload of payloads) {
    const root = document.createElement("div");
    document.body.append(root);
    const stream = new StreamedMarkdown(root);
    for (const letter of payload) {
      stream.append(letter);
      prefixes += 1;
      await null;  // a picture that was made begins to load
      for (const offence of offencesIn(root)) found.push([payload, offence]);
    }
    await new Promise((go) => setTimeout(go));  // handlers run
    root.remove();
  }
  return {found, prefixes};
}"""

# Clicks until there is nothing to click.
EARLIER = """() => {
  const link = document.querySelector("a[data-earlier]");
  if (!link.parentElement.hidden) link.click();
  return link.parentElement.hidden;
}"""

MORE = """() => {
  const link = document.querySelector("[data-more]");
  link?.click();
  return !link;
}"""

SHOW = """async (pieces) => {
  const found = [];
  for (const html of pieces) {
    const root = document.createElement("div");
    document.body.append(root);
    root.innerHTML = html;
    await null;
    for (const offence of offencesIn(root)) found.push([html, offence]);
    root.remove();
  }
  await new Promise((go) => setTimeout(go));
  return found;
}"""


@pytest.fixture(scope="module")
def proxy():
    with Proxy().serving() as proxy:
        yield proxy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(playwright, proxy):
    """A browser that reaches everything through the proxy, itself too."""
    browser = await launched(playwright, proxy={"server": proxy.url, "bypass": "<-loopback>"})
    yield browser
    await browser.close()


@asynccontextmanager
async def watched_page(browser, proxy, **options):
    """A page that has the canary. At its end nothing has run, no dialog was opened and nobody else was asked."""
    context = await browser.new_context(locale="en-GB", **options)
    context.set_default_timeout(60_000)
    await context.add_init_script(WATCHED)
    page = await context.new_page()
    dialogs: list[str] = []

    async def dismiss(dialog) -> None:
        dialogs.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", dismiss)
    proxy.strangers.clear()
    yield page
    await nothing_happened(page, proxy)
    assert dialogs == []
    await context.close()


async def nothing_happened(page, proxy) -> None:
    await page.wait_for_timeout(150)  # what was begun arrives at the proxy
    assert await page.evaluate("window.struck ?? 0") == 0
    assert proxy.strangers == []


async def is_harmless(page) -> None:
    assert await page.evaluate("offencesHere()") == []
    assert await page.evaluate("window.struck ?? 0") == 0


@asynccontextmanager
async def blank_page(guarded, proxy):
    """A page without any policy on which our modules can be imported."""
    async with watched_page(guarded, proxy) as page:
        await page.context.route("http://scripts.test/**", _serve_static)
        await page.goto("http://scripts.test/")
        yield page


def prefixes() -> list[str]:
    return list(dict.fromkeys(payload[:end] for payload in PAYLOADS for end in range(1, len(payload) + 1)))


def test_there_are_more_than_three_hundred_payloads():
    assert len(set(PAYLOADS)) == len(PAYLOADS) > 500
    assert not [payload for payload in PAYLOADS for own in BROWSERS_OWN if own in payload]


async def test_the_oracle_sees_a_script_that_runs_a_request_that_leaves_and_markup_that_may_not_be(guarded, proxy):
    """A preconnection and a picture that is gone at once are seen, too."""
    asking = f"<img src=x onerror={RUN}><link rel=preconnect href={HERE}><p style='color:red' onclick=x>x</p>"
    with pytest.raises(AssertionError):
        async with blank_page(guarded, proxy) as page:
            found = await page.evaluate(SHOW, [asking, f"<img src=http://{HERE[8:]}/i.png>"])
            assert len(found) >= 6
            await page.wait_for_function("window.struck")
            await page.wait_for_timeout(150)
            assert sorted(proxy.strangers) == ["CONNECT evil.example:443", "GET http://evil.example/i.png"]
            await nothing_happened(page, proxy)


async def test_at_every_prefix_of_its_stream_it_does_nothing(guarded, proxy):
    async with blank_page(guarded, proxy) as page:
        said = await page.evaluate(STREAM, PAYLOADS)
        assert said["found"] == []
        assert said["prefixes"] == sum(map(len, PAYLOADS))


async def test_broken_off_anywhere_it_does_nothing_as_the_server_renders_it(guarded, proxy):
    pieces = sorted({markdown.render(prefix) for prefix in prefixes()})
    async with blank_page(guarded, proxy) as page:
        for start in range(0, len(pieces), MOMENTS):
            assert await page.evaluate(SHOW, pieces[start : start + MOMENTS]) == []


@pytest.mark.parametrize("part", range(3))
async def test_streamed_by_a_worker_it_does_nothing_and_the_policy_has_nothing_to_refuse(guarded, proxy, world, part):
    proxy.origin = world.site.url.removeprefix("http://")
    world.upstream.behave("\n\n".join(PAYLOADS[part::7]), size=16, pause=0.004)
    async with watched_page(guarded, proxy) as page:
        troubles = watch(page)
        await sign_in(page, world.site, "olive@acme.example")
        await page.goto(world.conversation)
        await ask(page, "Well?")
        await expect(answer(page)).to_have_attribute("data-status", "sent")
        await is_harmless(page)
        await page.reload()
        await is_harmless(page)
        assert troubles == []
    assert proxy.passed > 10


async def test_wherever_it_is_shown_later_it_does_nothing(guarded, proxy, world):
    """As an answer in the history, live and without a script; in the analysis, the sources, the questions that may come next, the
    model's name and the reason of an error; as a title; in what a search found; quoted; behind a shared link."""
    proxy.origin = world.site.url.removeprefix("http://")
    talks = fill(world)
    with scoping.tenant(world.cast.acme):
        olive = world.cast.olive.membership
        links = [shares.create(olive, access.conversation_for(olive, talk), audience=Audience.ANYONE, days=1).token for talk in talks]
    async with watched_page(guarded, proxy, bypass_csp=True) as page:
        await sign_in(page, world.site, "olive@acme.example")
        for talk in talks:
            await page.goto(world.address(f"chat/{talk}/"))
            await page.wait_for_function(EARLIER, polling=100)
            await expect(page.locator("[data-messages] > .message")).to_have_count(ALIKE)
            await page.evaluate("for (const button of document.querySelectorAll('[data-messages] [data-quote]')) button.click()")
            # Not by its label, nor a link by its role: for that Playwright walks all of a page, which takes it seconds here.
            assert (await page.locator("textarea#text").input_value()).count("> ") > ALIKE / 3
            await is_harmless(page)
        for token in links:
            await page.goto(f"{world.site.url}/s/{token}/")
            await expect(page.locator(".message")).to_have_count(ALIKE)
            await is_harmless(page)
        await page.goto(world.address("chat/"))
        await page.wait_for_function(MORE, polling=100)
        assert await page.locator(".conversation-link").count() > len(PAYLOADS)
        await is_harmless(page)
    async with watched_page(guarded, proxy, bypass_csp=True) as page:
        await sign_in(page, world.site, "olive@acme.example")
        await page.goto(world.address("chat/search/?q=needle"))
        found = 0
        while True:
            found += await page.locator(".result").count()
            await is_harmless(page)
            if not await (more := page.locator("p.more a")).count():
                break
            await page.goto(urljoin(page.url, await more.get_attribute("href")))
        assert found >= sum("\0" not in payload for payload in PAYLOADS)  # MongoDB's search reads a text up to there
        for talk in talks:
            for before, shown in ((ALIKE - 49, ALIKE - 50), (ALIKE + 1, 50)):
                await page.goto(world.address(f"chat/{talk}/?before={before}"))
                assert await page.locator("[data-messages] > .message").count() == shown
                await is_harmless(page)


def fill(world) -> list[str]:
    """Conversations in which each payload is an answer, with everything beside it that a model writes; and as many titles."""
    organization = str(world.cast.acme.pk)
    model = mongo.collection(Conversation).find_one({"organizationId": organization, "conversationId": world.conversation_id}, {"_id": 0})
    titled = [{**model, "conversationId": str(uuid.uuid7()), "title": payload} for payload in PAYLOADS]
    with pymongo.timeout(60):
        mongo.collection(Conversation).insert_many(titled)
    talks = [world.conversation_id, *(each["conversationId"] for each in titled[1 : len(PAYLOADS) // ALIKE])]
    at = model["createdAt"]
    messages = []
    for number, payload in enumerate(PAYLOADS):
        talk, place = divmod(number, ALIKE)
        analysis = {
            "analysisType": "employee_specific",
            "scores": {payload.replace("$", "").replace(".", "").replace("\0", ""): 50.0},
            "recommendations": [payload],
            "insights": [payload],
            "dataPoints": {"said": payload},
        }
        messages.append(
            {
                "messageId": str(uuid.uuid7()),
                "organizationId": organization,
                "conversationId": talks[talk],
                "seq": place + 1,
                "role": "assistant",
                "content": f"needle {payload}" if number % 2 else f"{payload}\n\nneedle",
                "contentType": "text",
                "status": "sent" if number % 3 else "error",
                "errorDetails": {"errorCode": "refused", "errorMessage": payload},
                "aiModel": payload,
                "aiResponseMetadata": {"sources": [payload], "outputTokens": 1},
                "structuredData": analysis,
                "followUps": [PAYLOADS[number - 1]],
                "attempt": 1,
                "createdAt": at,
                "updatedAt": at,
            }
        )
    with pymongo.timeout(60):
        mongo.collection(Message).insert_many(messages)
    return talks
