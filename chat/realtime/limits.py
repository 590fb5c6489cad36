"""How many messages a person may send (D6): per minute by role, twenty times that per hour, a hundred times per day.

One script takes all windows of a message or none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from chat.realtime import keys
from chat.services import errors
from config import redis
from tenants.choices import Role

PER_MINUTE = {Role.OWNER: 100, Role.LEADER: 75, Role.MANAGER: 50, Role.AGENT: 50, Role.GUEST: 20}
TIMES = {"minute": 1, "hour": 20, "day": 100}

# KEYS: one counter a window. ARGV: limit and seconds, window by window. Returns {index of the full window, seconds to wait}, or
# {0, used, seconds to its end, …} of each window.
_TAKE = """
for i, key in ipairs(KEYS) do
  local used = tonumber(redis.call('GET', key) or '0')
  if used >= tonumber(ARGV[2 * i - 1]) then
    local wait = redis.call('TTL', key)
    return {i, wait > 0 and wait or 1}
  end
end
local found = {0}
for i, key in ipairs(KEYS) do
  local used = redis.call('INCR', key)
  if used == 1 then redis.call('EXPIRE', key, ARGV[2 * i]) end
  found[2 * i] = used
  found[2 * i + 1] = redis.call('TTL', key)
end
return found
"""


@dataclass(frozen=True, slots=True)
class Left:
    """How many messages a person may still send in the window that ends their sending first; it begins anew after so many seconds."""

    messages: int
    limit: int
    window: str
    seconds: int

    def as_json(self) -> dict[str, int | str]:
        return {"left": self.messages, "of": self.limit, "window": self.window, "seconds": self.seconds}


def limits_of(role: str) -> dict[str, int]:
    """Messages by window, for a role."""
    return {window: PER_MINUTE[Role(role)] * times for window, times in TIMES.items()}


async def take(*, user_id: str, role: str) -> Left | None:
    """Takes one message from every window and says what is left, or raises `LimitReached`. Where Redis is away nobody is held up, and
    nothing is known."""
    if not settings.ROLE_LIMITS:
        return None
    client = redis.async_client()
    limits = limits_of(role)
    arguments = [number for window in limits for number in (limits[window], keys.LIMIT_WINDOWS[window])]
    try:
        full, *found = await client.register_script(_TAKE)(keys=[keys.limit(user_id, window) for window in limits], args=arguments)
    except redis.AWAY:
        return None
    if full:
        window = list(limits)[full - 1]
        raise errors.LimitReached(limit=limits[window], window=window, retry_after=found[0])
    return _tightest(limits, dict(zip(limits, zip(found[::2], found[1::2], strict=True), strict=True)))


async def left(*, user_id: str, role: str) -> Left | None:
    """What is left, without taking anything; None where there are no limits, or Redis is away."""
    if not settings.ROLE_LIMITS:
        return None
    limits = limits_of(role)
    pipeline = redis.async_client().pipeline(transaction=False)
    for window in limits:
        pipeline.get(keys.limit(user_id, window))
        pipeline.ttl(keys.limit(user_id, window))
    try:
        found = await pipeline.execute()
    except redis.AWAY:
        return None
    used = {window: (int(found[2 * place] or 0), max(found[2 * place + 1], 0)) for place, window in enumerate(limits)}
    return _tightest(limits, used)


def _tightest(limits: Mapping[str, int], used: Mapping[str, tuple[int, int]]) -> Left:
    """`used`: messages and seconds until the window's end."""
    found = [Left(max(limits[window] - count, 0), limits[window], window, seconds) for window, (count, seconds) in used.items()]
    return min(found, key=lambda one: one.messages)
