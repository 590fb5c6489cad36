"""Who is let in, and asked for again: what changes while somebody is being looked up is not passed by."""

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest
from django.db import DatabaseError

from chat.events import Close
from chat.realtime import doorkeeper as doorkeepers
from chat.realtime import keys
from chat.realtime.hub import hub
from config import redis
from tenants import authentication, roles
from tests.tenants.test_changes import until

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("stores")]


class People:
    """In PostgreSQL's place: rights that change, and how often somebody was asked for."""

    def __init__(self) -> None:
        self.rights, self.asked, self.asked_for_all = "owner", 0, 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def principal_of(self, credential, *, organization):
        self.asked += 1
        found = SimpleNamespace(user=SimpleNamespace(pk="olive"), rights=self.rights)
        assert self.may_answer.wait(10)
        return found

    def rights_now(self, principals):
        self.asked_for_all += 1
        return [self.rights for _ in principals]


class Guest:
    credential, organization = "a key", "acme"

    def __init__(self, principal) -> None:
        self.principal, self.heard_at, self.code = principal, time.monotonic(), None

    async def turn_away(self, code: int) -> None:
        self.code = code


@pytest.fixture
async def people(monkeypatch):
    found = People()

    async def refresh() -> None:
        pass

    monkeypatch.setattr(roles, "refresh", refresh)
    monkeypatch.setattr(authentication, "credential_of", lambda scope: "a key")
    monkeypatch.setattr(authentication, "principal_of", found.principal_of)
    monkeypatch.setattr(authentication, "rights_now", found.rights_now)
    yield found
    await hub().close()


async def come(door: doorkeepers.Doorkeeper) -> Guest:
    admitted = await door.admit({}, organization="acme")
    assert admitted is not None
    guest = Guest(admitted[1])
    door.enter(guest)
    return guest


async def listening_door() -> doorkeepers.Doorkeeper:
    door = doorkeepers.Doorkeeper()
    await come(door)
    await until(lambda: hub().connected_at < time.monotonic() and not door._is_about_to_ask)
    return door


async def test_rights_that_change_while_somebody_is_looked_up_are_asked_for_again(people):
    door = await listening_door()
    door._known.clear()
    people.may_answer.clear()
    coming = asyncio.create_task(come(door))
    await until(lambda: people.asked == 2)
    people.rights = "manager"
    await redis.async_client().publish(keys.ACCESS_CHANNEL, "olive")
    await until(lambda: "olive" in door._doubted)
    people.may_answer.set()
    guest = await coming
    assert guest.principal.rights == "owner"
    await until(lambda: guest.code == Close.RESTART)


async def test_tabs_that_open_at_once_are_one_look_up(people):
    door = await listening_door()
    door._known.clear()
    people.may_answer.clear()
    coming = [asyncio.create_task(come(door)) for _ in range(50)]
    await until(lambda: people.asked == 2)
    people.may_answer.set()
    guests = await asyncio.gather(*coming)
    assert people.asked == 2
    assert {guest.code for guest in guests} == {None}


async def test_who_comes_after_a_change_does_not_wait_for_a_look_up_from_before(people):
    door = await listening_door()
    door._known.clear()
    people.may_answer.clear()
    before = asyncio.create_task(come(door))
    await until(lambda: people.asked == 2)
    people.rights = "manager"
    door._doubt("olive")
    after = asyncio.create_task(come(door))
    await until(lambda: people.asked == 3)
    people.may_answer.set()
    await before
    assert (await after).principal.rights == "manager"


async def test_everybody_is_asked_for_at_once_when_announcements_are_heard_again(people):
    door = await listening_door()
    guest = await come(door)
    asked, people.rights = people.asked_for_all, "manager"
    await hub()._connection.disconnect(nowait=True)
    await until(lambda: people.asked_for_all > asked and guest.code == Close.RESTART)


async def test_a_look_up_that_fails_fails_for_all_who_wait_and_is_not_remembered(people, monkeypatch):
    door = await listening_door()
    door._known.clear()

    def away(credential, *, organization):
        raise DatabaseError("away")

    monkeypatch.setattr(authentication, "principal_of", away)
    failures = await asyncio.gather(*(come(door) for _ in range(3)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [DatabaseError] * 3
    monkeypatch.setattr(authentication, "principal_of", people.principal_of)
    assert (await come(door)).code is None
