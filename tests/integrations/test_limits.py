"""Limits of an organization and of a thread: taken atomically, told in headers, another organization's are others."""

import asyncio
import time
import uuid

import pytest

from config import redis
from integrations import keys, limits
from integrations.errors import LimitReached
from tests.api.conftest import with_key
from tests.api.test_conversations import start
from tests.cast import make_cast

ACME, GLOBEX = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))

pytestmark = pytest.mark.usefixtures("stores")


@pytest.fixture(autouse=True)
def _few(settings):
    settings.ROLE_LIMITS = True
    settings.ENDPOINT_LIMITS = {"completions": 10, "thread": 4}


async def test_racers_of_an_organization_never_get_more_than_there_is():
    async def one() -> bool:
        try:
            await limits.take(ACME, "completions")
        except LimitReached:
            return False
        return True

    assert sum(await asyncio.gather(*(one() for _ in range(64)))) == 10
    assert (await limits.take(GLOBEX, "completions")).left == 9


async def test_a_full_thread_takes_nothing_from_the_organization():
    for left in (3, 2, 1, 0):
        assert (await limits.take(ACME, "completions", "t-1")).left == left
    with pytest.raises(LimitReached) as refused:
        await limits.take(ACME, "completions", "t-1")
    assert 0 < refused.value.retry_after <= 60
    assert "this thread" in str(refused.value)
    assert refused.value.headers["X-RateLimit-Remaining"] == "0"
    assert await redis.async_client().get(keys.limit(ACME, "completions")) == b"4"


async def test_a_thread_of_the_same_name_is_another_organizations_own():
    for _ in range(4):
        await limits.take(ACME, "completions", "t-1")
    assert (await limits.take(GLOBEX, "completions", "t-1")).left == 3


async def test_a_thread_cannot_be_named_so_that_an_endpoint_is_meant():
    assert keys.thread_limit(ACME, "x") != keys.limit(ACME, "x")


async def test_counters_run_out_with_their_window():
    taken = await limits.take(ACME, "completions", "t-1")
    assert 0 < taken.seconds <= 60
    for key in (keys.limit(ACME, "completions"), keys.thread_limit(ACME, "t-1")):
        assert 0 < await redis.async_client().ttl(key) <= 60


async def test_what_is_not_named_has_the_limit_of_all_others_and_none_is_none(settings):
    settings.ENDPOINT_LIMITS = {"*": 7, "completions": 0}
    assert (await limits.take(ACME, "employees")).window.limit == 7
    assert await limits.take(ACME, "completions") is None


async def test_while_redis_is_away_nobody_is_held_up(services, monkeypatch):
    monkeypatch.setattr(limits, "_away_until", 0.0)
    services.valkey.stop()
    try:
        assert await limits.take(ACME, "completions") is None
        assert await asyncio.to_thread(limits.take_now, ACME, "completions") is None
        assert limits._away_until > time.monotonic(), "it is not asked again for a while"
    finally:
        services.valkey.start()


def test_rest_says_what_is_left_and_refuses_with_how_long_to_wait(settings):
    settings.ENDPOINT_LIMITS = {"me": 2}
    olive = with_key(make_cast().olive)
    assert [olive.get("me").headers["X-RateLimit-Remaining"] for _ in range(2)] == ["1", "0"]
    refused = olive.get("me")
    assert (refused.status_code, refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == (429, "2", "0")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.json()["errors"][0]["code"] == "limit_reached"
    assert olive.get("employees").status_code == 200, "another endpoint has its own"


def test_a_message_is_taken_from_the_person_the_organization_and_the_conversation_at_once(settings):
    settings.ENDPOINT_LIMITS = {"messages": 50, "thread": 1}
    cast = make_cast()
    olive = with_key(cast.olive)
    conversation = start(olive, cast)["id"]
    assert olive.post(f"conversations/{conversation}/messages", {"text": "Hello."}).status_code == 201
    refused = olive.post(f"conversations/{conversation}/messages", {"text": "Again."})
    assert refused.status_code == 429
    assert "This conversation takes 1 messages a minute" in refused.json()["errors"][0]["detail"]
    assert redis.client().get(keys.limit(str(cast.acme.pk), "messages")) == b"1", "what is refused takes nothing"
