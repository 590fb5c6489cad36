"""A security key as the second factor, from adding it to signing in with it, with the virtual key that Chromium brings."""

import re
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import expect

from tests.cast import PASSWORD
from tests.e2e.conftest import fits_and_is_accessible, watch

KEY = {"protocol": "ctap2", "transport": "usb", "hasResidentKey": False, "hasUserVerification": False, "isUserVerified": False}


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser, world):
    """Mona's browser, not signed in yet. Keys work on a named host only, so it meets the site as localhost."""
    context = await browser.new_context(base_url=f"http://localhost:{world.site.port}", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(15_000)
    page = await context.new_page()
    troubles = watch(page)
    yield page
    await context.close()
    assert troubles == [], f"The browser complained: {troubles}\n{world.site.logs()}"


@asynccontextmanager
async def plugged_in(page, **properties):
    """A key in the browser's slot, touched whenever it is asked for."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {**KEY, "automaticPresenceSimulation": True, **properties}
    found = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    try:
        yield
    finally:
        await devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": found["authenticatorId"]})
        await devtools.detach()


async def give_password(page):
    await page.goto("/accounts/login/")
    await page.get_by_label("Email").fill("mona@acme.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def add_key(page, *, name="Blue key"):
    await page.goto("/accounts/2fa/webauthn/")
    await page.get_by_role("link", name="Add a key").click()
    if "/reauthenticate/" in page.url:
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Confirm").click()
    await page.get_by_label("What to call it").fill(name)
    await page.get_by_role("button", name="Add the key").click()


async def add_first_key(page):
    """The first key brings recovery codes along."""
    await add_key(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")


async def sign_out_and_give_password(page):
    await page.goto("/accounts/logout/")
    await page.get_by_role("button", name="Sign out").click()
    await give_password(page)


async def test_a_key_is_added_and_then_needed_to_sign_in(desk, world):
    page = desk
    await give_password(page)
    await page.wait_for_url("**/o/acme/")
    async with plugged_in(page):
        await add_first_key(page)
        codes = await page.locator(".codes li").all_inner_texts()
        await fits_and_is_accessible(page, 1280)
        await page.goto("/accounts/2fa/webauthn/")
        await expect(page.get_by_role("list").last).to_contain_text("Blue key")
        await expect(page.get_by_role("list").last).to_contain_text("not used yet")
        await fits_and_is_accessible(page, 1280)

        await sign_out_and_give_password(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your second factor")
        await fits_and_is_accessible(page, 1280)
        await page.goto("/o/acme/")
        assert urlsplit(page.url).path.startswith("/accounts/"), "The password alone opened the door."

        await page.goto("/accounts/2fa/authenticate/")
        await page.get_by_role("button", name="Use a security key").click()
        await page.wait_for_url("**/o/acme/")

    await sign_out_and_give_password(page)
    await page.get_by_label(re.compile("code", re.IGNORECASE)).fill(codes[0])
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url("**/o/acme/")
    await page.goto("/accounts/2fa/webauthn/")
    await expect(page.get_by_role("list").last).to_contain_text("last used")


async def test_without_the_key_one_stays_outside_and_is_told_why(desk, world):
    page = desk
    await give_password(page)
    await page.wait_for_url("**/o/acme/")
    async with plugged_in(page):
        await add_first_key(page)
        await add_key(page, name="The same again")
        await expect(page.locator("[data-problem]")).to_have_text("This key is one of yours already. Use another one.")
    await sign_out_and_give_password(page)
    async with plugged_in(page):  # another key
        await page.get_by_role("button", name="Use a security key").click()
        await expect(page.locator("[data-problem]")).to_have_text(
            "No key was used. Try again, and touch the key when the browser asks for it."
        )
    await page.goto("/o/acme/")
    assert urlsplit(page.url).path.startswith("/accounts/")


async def test_a_key_is_renamed_and_removed(desk, world):
    page = desk
    await give_password(page)
    await page.wait_for_url("**/o/acme/")
    async with plugged_in(page):
        await add_first_key(page)
    await page.goto("/accounts/2fa/webauthn/")
    await page.get_by_role("link", name="Rename Blue key").click()
    await page.get_by_label("Name").fill("Green key")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="Remove Green key").click()
    await page.get_by_role("button", name="Remove the key").click()
    await expect(page.get_by_text("You have no security key.")).to_be_visible()
    await sign_out_and_give_password(page)
    await page.wait_for_url("**/o/acme/")
