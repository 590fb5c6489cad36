"""Role limits: all windows of a message are taken, or none."""

import asyncio

import pytest

from chat.realtime import keys, limits
from chat.services import errors
from config import redis
from tenants.choices import Role

pytestmark = pytest.mark.usefixtures("stores")


@pytest.mark.parametrize(("role", "most"), [("owner", 100), ("leader", 75), ("manager", 50), ("agent", 50), ("guest", 20)])
async def test_each_role_has_its_number_a_minute(role, most):
    for _ in range(most):
        await limits.take(user_id="u", role=role)
    with pytest.raises(errors.LimitReached) as refused:
        await limits.take(user_id="u", role=role)
    assert 0 < refused.value.retry_after <= 60
    assert f"{most} messages within one minute" in refused.value.sentence


async def test_racers_never_get_more_than_there_is():
    async def one() -> bool:
        try:
            await limits.take(user_id="u", role="guest")
        except errors.LimitReached:
            return False
        return True

    assert sum(await asyncio.gather(*(one() for _ in range(60)))) == 20


async def test_a_full_window_takes_nothing_from_the_others():
    client = redis.async_client()
    await client.set(keys.limit("u", "hour"), limits.PER_MINUTE[Role.GUEST] * 20, ex=1_000)
    with pytest.raises(errors.LimitReached) as refused:
        await limits.take(user_id="u", role="guest")
    assert 990 <= refused.value.retry_after <= 1_000
    assert await client.get(keys.limit("u", "minute")) is None
    assert await client.get(keys.limit("u", "day")) is None


async def test_every_counter_runs_out():
    await limits.take(user_id="u", role="owner")
    client = redis.async_client()
    for window, seconds in keys.LIMIT_WINDOWS.items():
        assert 0 < await client.ttl(keys.limit("u", window)) <= seconds


async def test_it_says_what_is_left_of_the_window_that_ends_first():
    assert await limits.left(user_id="u", role="guest") == limits.Left(messages=20, limit=20, window="minute", seconds=0)
    taken = await limits.take(user_id="u", role="guest")
    assert (taken.messages, taken.limit, taken.window) == (19, 20, "minute")
    assert 0 < taken.seconds <= 60
    await redis.async_client().set(keys.limit("u", "day"), 100 * 20 - 5, ex=1_000)
    assert (await limits.left(user_id="u", role="guest")).as_json() == {"left": 5, "of": 2_000, "window": "day", "seconds": 1_000}
    assert (await limits.take(user_id="u", role="guest")).messages == 4
    assert (await limits.left(user_id="u", role="guest")).messages == 4


async def test_without_limits_nothing_is_said(settings):
    settings.ROLE_LIMITS = False
    assert await limits.take(user_id="u", role="guest") is None
    assert await limits.left(user_id="u", role="guest") is None
