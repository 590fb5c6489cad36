"""Connecting a platform in a real browser, with and without the script, at an OAuth server on this machine."""

import re

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import connection
from playwright.async_api import expect
from pytest_httpserver import HTTPServer

from integrations.choices import ConnectionStatus
from integrations.models import PlatformConnection
from tenants import scoping
from tests.e2e.conftest import SMALL, World, _database_url, looks_right
from tests.e2e.site import running
from tests.e2e.test_journey import answer, ask
from tests.e2e.test_without_script import plain
from tests.integrations import platforms
from tests.integrations.platforms import addresses, agreeing

__all__ = ["plain"]


@pytest.fixture(scope="module")
def _running_site(_mongo_migrated, upstream, tmp_path_factory):
    """A site whose platforms are on this machine."""
    with agreeing() as oauth, HTTPServer() as rest, pytest.MonkeyPatch.context() as patch:
        rest.expect_request("/admin/accountSummaries").respond_with_json(platforms.SUMMARIES)
        patch.setenv("GOOGLE_CLIENT_ID", "google-id")
        patch.setenv("GOOGLE_CLIENT_SECRET", "google-secret")
        for name, address in addresses(oauth=oauth.url, rest=rest.url_for("").rstrip("/")).items():
            patch.setenv(name, address)
        name = connection.settings_dict["NAME"]
        with running(folder=tmp_path_factory.mktemp("site"), database_url=_database_url(name), provider=upstream.url) as site:
            yield site


@pytest_asyncio.fixture(loop_scope="session")
async def both(request, page, plain):
    return {"script": page, "no script": plain}[request.param]


@sync_to_async
def rows(world: World) -> list[PlatformConnection]:
    with scoping.tenant(world.cast.acme):
        return list(PlatformConnection.objects.for_tenant(world.cast.acme))


def section(page, label: str):
    return page.get_by_role("region", name=label)


@pytest.mark.parametrize("both", ["script", "no script"], indirect=True)
async def test_an_account_is_connected_chosen_and_disconnected(both, world):
    page = both
    await page.goto(world.address("connections/?platform=google_analytics"))
    connect = section(page, "Google Analytics").get_by_role("button", name="Connect")
    await connect.click()
    await expect(page).to_have_url(re.compile("/oauth2/authorize"))
    await page.get_by_placeholder("sub").fill("olive@example.com")
    await page.get_by_role("button", name="Authorize").click()
    await expect(page.get_by_text("Google agreed. Choose which account to connect.")).to_be_visible()
    await page.get_by_label("Which account").select_option(label="Acme: App (2002)")
    await page.get_by_role("button", name="Use this account").click()
    await expect(page.get_by_text("Google Analytics Acme: App is connected. Ask the AI about it.")).to_be_visible()
    await expect(section(page, "Google Analytics").get_by_text("Active", exact=True)).to_be_visible()
    [row] = await rows(world)
    assert (row.account_id, row.is_usable) == ("2002", True)
    await page.get_by_role("button", name="Disconnect Google Analytics Acme: App").click()
    await expect(page.get_by_text("Nothing is asked with it any more.")).to_be_visible()
    assert [row for row in await rows(world) if row.is_connected] == []


async def test_who_says_no_there_reads_so_here(page, world):
    await page.goto(world.address("connections/"))
    await section(page, "Google Analytics").get_by_role("button", name="Connect").click()
    await page.get_by_role("button", name="Deny").click()
    await expect(page.get_by_text("You did not let Parley read your Google Analytics. Nothing was connected.")).to_be_visible()
    assert await rows(world) == []


async def test_asked_to_connect_the_answer_has_the_button_that_leads_there(page, world):
    world.upstream.behave("Here is the button.")
    await page.goto(world.conversation)
    await ask(page, "Connect Google Analytics, please.")
    await expect(answer(page)).to_have_attribute("data-status", "sent")
    await answer(page).get_by_role("link", name="Connect Google Analytics").click()
    await expect(page).to_have_url(world.address("connections/?platform=google_analytics"))
    await expect(section(page, "Google Analytics").get_by_role("button", name="Connect")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/oauth2/authorize"))


@sync_to_async
def in_every_state(world: World) -> None:
    with scoping.tenant(world.cast.acme):
        make = PlatformConnection.objects.for_tenant(world.cast.acme).create
        mine = {"user": world.cast.olive.user}
        make(**mine, platform="google_analytics", account_id="1", account_name="Acme: Website")
        make(
            **mine,
            platform="google_analytics",
            account_id="2",
            account_name="Acme: Shop with a long name that has to go somewhere",
            status=ConnectionStatus.REVOKED,
            error_message="Google no longer accepts this connection. Connect it again.",
        )
        make(**mine, platform="google_analytics", platform_data={"accounts": [{"id": "2002", "name": "Acme: App", "data": {}}]})
        make(**mine, platform="google_ads", account_id="demo", account_name="Sample data", is_demo=True)
        make(**mine, platform="google_ads", account_id="3", is_connected=False, status=ConnectionStatus.REVOKED)


async def test_every_state_fits_and_is_accessible(page, world):
    await in_every_state(world)
    await page.set_viewport_size(SMALL)
    await page.goto(world.address("connections/"))
    await expect(page.get_by_text("not set up here")).to_have_count(2)
    await expect(page.get_by_role("button", name="Reconnect")).to_be_visible()
    await looks_right(page)
