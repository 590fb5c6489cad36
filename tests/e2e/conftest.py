"""Tests in a real browser. Nothing is skipped where it is missing: the tests fail and say what to install."""

import inspect
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from allauth.account.internal.flows.login import record_authentication
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.staticfiles import finders
from django.db import connection
from django.test import RequestFactory
from playwright.async_api import Browser, BrowserContext, Page, Playwright, Route, TimeoutError, ViewportSize, async_playwright, expect

from chat.services import conversations
from tenants import scoping
from tenants.models import User
from tests import chromium
from tests.cast import PASSWORD, Cast, make_cast
from tests.e2e.site import Shared, Site, shared
from tests.e2e.upstream import Upstream

# A new window costs Chromium more than most tests do with it: pages for its own toolbar, and a process kept ready for the next page.
WITHOUT_ITS_OWN_PAGES = (
    *("InitialWebUI", "PreloadTopChromeWebUI", "SpareRendererForSitePerProcess", "WebUILocationBar", "WebUIOmniboxAimPopup"),
    *("WebUIOmniboxFullPopup", "WebUIOmniboxPopup", "WebUIReloadButton", "WebUIToolbar"),
)
# What Playwright leaves out: of two lists Chromium reads the last.
AS_PLAYWRIGHT = (
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades"),
    *("LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding", "PreconnectToSearch"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "ThirdPartyStoragePartitioning"),
)
ARGUMENTS = (
    # One process for all pages of a context. It stays while one of them is open, and has read our scripts already.
    "--renderer-process-limit=1",
    *("--no-sandbox", "--disable-gpu", "--in-process-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    f"--disable-features={','.join(WITHOUT_ITS_OWN_PAGES + AS_PLAYWRIGHT)}",
)
HERE = Path(__file__).parent
SMALL: ViewportSize = {"width": 360, "height": 640}
LARGE: ViewportSize = {"width": 1280, "height": 800}
# Axe's rules that look at colours. Nothing but colours follows the scheme (test_looks.py).
OF_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
SCRIPTS = "http://scripts.test/"
FAILED = pytest.StashKey[bool]()

# Playwright's own five seconds are too few where four processes of tests and three of Parley share two cores.
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items) -> None:
    """They share one event loop, which the browser belongs to."""
    for item in items:
        if HERE in item.path.parents and inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> None:
    if call.excinfo is not None:
        item.stash[FAILED] = True


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright():
    if not (settings.BASE_DIR / "node_modules" / "marked").is_dir():
        pytest.fail("The pages' JavaScript libraries are missing. Install them: npm ci", pytrace=False)
    async with async_playwright() as playwright:
        yield playwright


async def launched(playwright: Playwright, **options: Any) -> Browser:
    return await playwright.chromium.launch(executable_path=chromium.executable(), args=list(ARGUMENTS), **options)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(playwright: Playwright):
    browser = await launched(playwright)
    yield browser
    await browser.close()


async def _serve_static(route: Route) -> None:
    """Our own files, and nothing else, at an address without a server."""
    path = urlsplit(route.request.url).path
    if path == "/":
        await route.fulfill(body="<!doctype html><html lang=en><title>Scripts</title><body></body></html>", content_type="text/html")
        return
    found = finders.find(path.removeprefix("/static/")) if path.startswith("/static/") else None
    if found is None:
        await route.fulfill(status=404)
    else:
        kind = "text/css" if found.endswith(".css") else "image/svg+xml" if found.endswith(".svg") else "text/javascript"
        await route.fulfill(path=found, content_type=kind)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _our_scripts(browser: Browser) -> BrowserContext:
    context = await browser.new_context()
    await context.route("**/*", _serve_static)
    await (await context.new_page()).goto(SCRIPTS)  # stays, as does its process
    return context


@pytest_asyncio.fixture(loop_scope="session")
async def scripts(_our_scripts: BrowserContext):
    """An empty page on which our modules can be imported."""
    page = await _our_scripts.new_page()
    await page.goto(SCRIPTS)
    yield page
    await page.close()


@pytest.fixture(scope="session")
def upstream():
    with Upstream().serving() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def _shared_site(_mongo_migrated):
    """Ends before the database does, which its processes hold."""
    yield shared
    shared.end()


@pytest.fixture(scope="module")
def _running_site(_mongo_migrated, upstream: Upstream, tmp_path_factory, _shared_site: Shared) -> Site:
    name = connection.settings_dict["NAME"]
    return _shared_site.site(lambda: tmp_path_factory.mktemp("site"), database_url=_database_url(name), provider=upstream.url)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None):
    """A worker left running would write the answers of the tests that come next, elsewhere."""
    try:
        return (yield)
    finally:
        if nextitem is None or HERE not in nextitem.path.parents:
            shared.end()


def _database_url(name: str) -> str:
    """The address of the tests' database on the server that DATABASE_URL names."""
    parts = urlsplit(settings.DATABASE_URL)
    return parts._replace(path=f"/{name}").geturl()


@cache
def _password() -> str:
    hasher = Argon2PasswordHasher()
    return hasher.encode(PASSWORD, hasher.salt())


@dataclass
class World:
    """Everything a test in the browser starts from."""

    site: Site
    upstream: Upstream
    cast: Cast
    conversation_id: str

    def address(self, path: str = "") -> str:
        return f"{self.site.url}/o/acme/{path}"

    @property
    def conversation(self) -> str:
        return self.address(f"chat/{self.conversation_id}/")


@pytest.fixture
def world(_running_site: Site, upstream: Upstream, stores) -> World:
    """Acme and Globex, and a consultation of Olive's about Erik in which nothing has been said."""
    upstream.behave()
    cast = make_cast()
    # The site's processes know only the real hasher, not the quick one of the other tests.
    User.objects.update(password=_password())
    with scoping.tenant(cast.acme):
        started = conversations.start(cast.olive.membership, type="employee_specific", subject_employee_ids=[cast.employees["Erik Ek"].pk])
    return World(site=_running_site, upstream=upstream, cast=cast, conversation_id=started.id)


class Contexts:
    """Browser contexts that one test after another is lent, without anything of the last one's: a new one has a process of its own, which
    reads and compiles every script anew. A first page stays open, so that its process does."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._idle: dict[str, list[BrowserContext]] = defaultdict(list)

    @asynccontextmanager
    async def lent(self, item: pytest.Item, site: Site, **options: Any) -> AsyncIterator[BrowserContext]:
        """Its pages are closed at the end. Who changes more of it than pages and what they keep makes one (`browser.new_context`), and a
        test that fails takes its own with it."""
        idle = self._idle[repr(options)]
        context = idle.pop() if idle else await self._new(site, options)
        try:
            yield context
        finally:
            if item.stash.get(FAILED, False):
                await context.close()
            else:
                await self._empty(context, site)
                idle.append(context)

    async def _new(self, site: Site, options: dict[str, Any]) -> BrowserContext:
        usual = {"viewport": LARGE, "locale": "en-GB", "timezone_id": "Europe/Berlin"}
        context = await self._browser.new_context(**(usual | options))
        context.set_default_timeout(15_000)
        first = await context.new_page()
        await first.goto(f"{site.url}/healthz")
        return context

    async def _empty(self, context: BrowserContext, site: Site) -> None:
        first, *others = context.pages
        for page in others:
            await page.close()
        await context.clear_cookies()
        await context.clear_permissions()
        devtools = await context.new_cdp_session(first)
        await devtools.send("Storage.clearDataForOrigin", {"origin": site.url, "storageTypes": "all"})
        await devtools.detach()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def contexts(browser: Browser) -> Contexts:
    return Contexts(browser)


@pytest_asyncio.fixture(loop_scope="session")
async def lend(request: pytest.FixtureRequest, contexts: Contexts, world: World):
    """`await lend()` is a context until the test ends: somebody's own browser, in which nobody is signed in."""
    async with AsyncExitStack() as until_the_end:

        async def lend(**options: Any) -> BrowserContext:
            return await until_the_end.enter_async_context(contexts.lent(request.node, world.site, **options))

        yield lend


@pytest_asyncio.fixture(loop_scope="session")
async def context(lend, world: World):
    context = await lend()
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=world.site.url)
    return context


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, world: World):
    """Olive's browser, signed in. A script error or a refused resource on any page fails the test."""
    page = await context.new_page()
    troubles = watch(page)
    await sign_in(page, world.site, "olive@acme.example")
    yield page
    assert troubles == [], f"The browser complained: {troubles}\n{world.site.logs()}"


def watch(page: Page) -> list[str]:
    """What a developer would see as red lines: script errors, and what the content security policy refused."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda line: troubles.append(line.text) if line.type == "error" and "Content Security Policy" in line.text else None,
    )
    return troubles


async def sign_in(page: Page, site: Site, email: str) -> None:
    """A session as the form begins one (`sign_in_by_form`), in the browser's cookies. No page is opened."""
    key = await sync_to_async(_sign_in)(email)
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": key, "url": site.url, "httpOnly": True, "sameSite": "Lax"}
    await page.context.add_cookies([cookie])


def _sign_in(email: str) -> str:
    """The key of a new session, in which the password has just been given."""
    user = User.objects.get(email=email)
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.user = user
    login(request, user)
    record_authentication(request, user, "password", email=email)
    request.session.save()
    UserSession.objects.create_from_request(request)
    return request.session.session_key


async def sign_in_by_form(page: Page, site: Site, email: str) -> None:
    await page.goto(f"{site.url}/accounts/login/")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    try:
        await page.wait_for_url(f"{site.url}/o/**")
    except TimeoutError:
        pytest.fail(f"Signing in did not work. The page says: {await page.inner_text('body')}\n{site.logs()}")


async def fits_and_is_accessible(page: Page, width: int, options: dict[str, Any] | None = None) -> None:
    """Axe has nothing to say, and nothing is wider than the screen."""
    await page.wait_for_load_state()  # with its stylesheet
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    options = {"resultTypes": ["violations"], **(options or {})}
    violations = await page.evaluate("options => axe.run(options).then(({ violations }) => violations)", options)
    assert violations == [], f"{page.url}\n{AxeResults({'violations': violations}).generate_report()}"
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, page.url


async def looks_right(page: Page, *, sizes: Iterable[ViewportSize] = (LARGE, SMALL), shot: str = "") -> None:
    """It fits and is accessible in every size, light and dark. The last size stays. SHOTS=folder keeps pictures."""
    for size in sizes:
        width = size["width"]
        await page.set_viewport_size(size)
        for scheme, options in (("light", None), ("dark", OF_COLOURS)):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            if shot and (folder := os.environ.get("SHOTS")):
                await page.screenshot(path=Path(folder, f"{shot}-{scheme}-{width}.png"), full_page=True)
            await fits_and_is_accessible(page, width, options)
