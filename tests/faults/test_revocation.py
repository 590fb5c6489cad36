"""Whoever may no longer be there is shown out within two seconds: of the socket, with the code that says why, and of the event stream."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
import websockets
from allauth.usersessions.models import UserSession
from django.test import Client
from websockets.asyncio.client import connect

from chat.events import Close
from chat.services import conversations
from config import loop
from tenants import scoping
from tenants.choices import Role
from tenants.services import accounts, organizations
from tests.cast import Cast, Person, make_person
from tests.faults.house import House

pytestmark = pytest.mark.asyncio

WITHIN = 2.0


@pytest.fixture(scope="module")
def site(house: House) -> House:
    house.processes.web("web-a")
    house.processes.wait_until_ready()
    return house


class Visit:
    """A person with an open socket and an open event stream."""

    def __init__(self, site: House, person: Person, *, session: bool) -> None:
        self.site, self.person = site, person
        self.port = site.processes["web-a"].port
        self.slug = person.membership.organization.slug
        self.session_key = self.api_key = None
        if session:
            browser = Client()
            browser.force_login(person.user)
            self.session_key = browser.cookies["sessionid"].value
            UserSession.objects.create(user=person.user, session_key=self.session_key, ip="127.0.0.1", user_agent="a test")
            self.headers = {"Cookie": f"sessionid={self.session_key}", "Origin": f"http://127.0.0.1:{self.port}"}
        else:
            self.api_key, key = accounts.create_api_key(person.membership, name="visit")
            self.headers = {"Authorization": f"Bearer {key}"}
        with scoping.tenant(person.membership.organization):
            employee = (site.cast.strangers if self.slug == "globex" else site.cast.employees).values()
            self.conversation_id = conversations.start(
                person.membership, type="employee_specific", subject_employee_ids=[next(iter(employee)).pk]
            ).id
        self.closed: tuple[int, float] | None = None
        self.stream_ended: float | None = None
        self.joined = asyncio.Event()
        self.listening = asyncio.Event()

    async def __aenter__(self) -> "Visit":
        self.tasks = [asyncio.create_task(self.sit()), asyncio.create_task(self.listen())]
        await asyncio.wait_for(asyncio.gather(self.joined.wait(), self.listening.wait()), 20)
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def sit(self) -> None:
        address = f"ws://127.0.0.1:{self.port}/ws/o/{self.slug}/"
        async with connect(address, additional_headers=self.headers, proxy=None) as socket:
            await socket.send(f'{{"do": "join", "conversation": "{self.conversation_id}"}}')
            assert "joined" in await socket.recv()
            self.joined.set()
            try:
                async for _ in socket:
                    pass
            except websockets.ConnectionClosed:
                pass
            self.closed = (socket.close_code, time.monotonic())

    async def listen(self) -> None:
        address = f"http://127.0.0.1:{self.port}/api/v1/conversations/{self.conversation_id}/events"
        timeout = aiohttp.ClientTimeout(total=None)
        headers = {**self.headers, "X-Organization": self.slug}
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address, headers=headers) as response:
            assert response.status == 200
            async for _ in response.content.iter_any():
                self.listening.set()
            self.stream_ended = time.monotonic()

    async def shown_out(self, revoke: Callable[[], Any], *, code: int, stream: bool = True) -> None:
        """Both end within two seconds of this."""
        await loop.in_thread(revoke)
        since = time.monotonic()
        await asyncio.wait(self.tasks if stream else self.tasks[:1], timeout=WITHIN + 1)
        assert self.closed is not None, "the socket is still open"
        assert self.closed[0] == code
        assert self.closed[1] < since + WITHIN
        if stream:
            assert self.stream_ended is not None, "the event stream is still open"
            assert self.stream_ended < since + WITHIN
        else:
            assert self.stream_ended is None

    async def comes_back(self) -> int:
        """The close code when they try again; 0 if they are let in."""
        address = f"ws://127.0.0.1:{self.port}/ws/o/{self.slug}/"
        async with connect(address, additional_headers=self.headers, proxy=None) as socket:
            try:
                await socket.send(f'{{"do": "leave", "conversation": "{self.conversation_id}", "ref": 1}}')
                await asyncio.wait_for(socket.recv(), 5)
            except websockets.ConnectionClosed:
                return socket.close_code
        return 0


def owner(cast: Cast, name: str, organization: Any = None) -> Person:
    return make_person(organization or cast.acme, name, "Visitor", role=Role.OWNER)


async def visiting(site: House, name: str, *, session: bool = False) -> Visit:
    person = await loop.in_thread(owner, site.cast, name)
    return await loop.in_thread(lambda: Visit(site, person, session=session))


async def test_signed_out_in_another_tab(site: House):
    visit = await visiting(site, "Una", session=True)

    async def sign_out() -> int:
        cookies = {"sessionid": visit.session_key, "csrftoken": "a" * 32}
        async with aiohttp.ClientSession(cookies=cookies) as session:
            address = f"http://127.0.0.1:{visit.port}/accounts/logout/"
            async with session.post(address, headers={"X-CSRFToken": "a" * 32}, allow_redirects=False) as response:
                return response.status

    async with visit:
        await visit.shown_out(lambda: loop.run(sign_out()), code=Close.SIGNED_OUT)
        assert await visit.comes_back() == Close.SIGNED_OUT


async def test_signed_out_from_another_browser(site: House):
    visit = await visiting(site, "Ulla", session=True)

    def sign_out() -> None:
        [one] = accounts.sign_ins(visit.person.user)
        accounts.end_sign_in(visit.person.user, sign_in_id=one.pk)

    async with visit:
        await visit.shown_out(sign_out, code=Close.SIGNED_OUT)
        assert await visit.comes_back() == Close.SIGNED_OUT


@pytest.mark.parametrize("session", [True, False], ids=["browser", "program"])
async def test_no_longer_a_member(site: House, session: bool):
    visit = await visiting(site, f"Rolf{session}", session=session)
    async with visit:
        await visit.shown_out(lambda: accounts.remove_member(visit.person.membership), code=Close.NOT_ALLOWED)
        assert await visit.comes_back() in (Close.SIGNED_OUT, Close.NOT_ALLOWED)


@pytest.mark.parametrize("session", [True, False], ids=["browser", "program"])
async def test_another_role_comes_back_with_its_new_rights(site: House, session: bool):
    visit = await visiting(site, f"Pia{session}", session=session)

    def demote() -> None:
        accounts.change(visit.person.membership, role=Role.LEADER, branch=site.cast.north, department=None)

    async with visit:
        # Whoever may still read goes on reading: rights are asked again with every look at the conversation.
        await visit.shown_out(demote, code=Close.RESTART, stream=False)
        assert await visit.comes_back() == 0


async def test_the_key_is_revoked(site: House):
    visit = await visiting(site, "Kim")
    async with visit:
        await visit.shown_out(lambda: accounts.revoke_api_key(visit.api_key), code=Close.NOT_ALLOWED)
        assert await visit.comes_back() == Close.SIGNED_OUT


async def test_the_account_is_suspended(site: House):
    visit = await visiting(site, "Sven", session=True)
    async with visit:
        await visit.shown_out(lambda: accounts.suspend(visit.person.user), code=Close.SIGNED_OUT)
        assert await visit.comes_back() == Close.SIGNED_OUT


@pytest.mark.parametrize("session", [True, False], ids=["browser", "program"])
async def test_the_organization_is_suspended(site: House, session: bool):
    person = await loop.in_thread(owner, site.cast, f"Gil{session}", site.cast.globex)
    visit = await loop.in_thread(lambda: Visit(site, person, session=session))
    other = await visiting(site, f"Olaf{session}")
    try:
        async with visit, other:
            code = Close.SIGNED_OUT if session else Close.NOT_ALLOWED
            await visit.shown_out(lambda: organizations.suspend(site.cast.globex), code=code)
            assert await visit.comes_back() in (Close.SIGNED_OUT, Close.NOT_ALLOWED)
            assert other.closed is None
            assert other.stream_ended is None
    finally:
        await loop.in_thread(organizations.reinstate, site.cast.globex)
