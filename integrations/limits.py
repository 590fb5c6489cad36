"""How many calls an organization may make to an endpoint, and within a thread, in a minute (S2-41, 42, D6).

One script takes all windows of a request or none of them. Where Redis is away nobody is held up, and nothing is known.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from config import redis
from integrations import keys
from integrations.errors import LimitReached

THREAD = "thread"
ALL_OTHERS = "*"
# Calls a minute, unless ENDPOINT_LIMITS says otherwise.
DEFAULTS = {"completions": 3_000, THREAD: 120, ALL_OTHERS: 6_000}
AWAY_SECONDS = 5.0
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

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
class Window:
    """So many calls in so many seconds, counted in a key; `name` is for whoever asks which one is full."""

    name: str
    key: str
    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a window, which begins anew after so many seconds. `wait`: it was full, and nothing was taken."""

    window: Window
    left: int
    seconds: int
    wait: bool = False

    def headers(self) -> dict[str, str]:
        return dict(zip(HEADERS, map(str, (self.window.limit, self.left, self.seconds)), strict=True))


def windows(organization_id: Any, endpoint: str, *, thread_id: str | None = None) -> tuple[Window, ...]:
    """Those of a call. `endpoint` is a word of ours, `thread_id` a name of at most 200 characters. A limit of 0 is none."""
    if not settings.ROLE_LIMITS:
        return ()
    found = [Window(endpoint, keys.limit(str(organization_id), endpoint), limit_of(endpoint), keys.LIMIT_SECONDS)]
    if thread_id:
        found.append(Window(THREAD, keys.thread_limit(str(organization_id), thread_id), limit_of(THREAD), keys.LIMIT_SECONDS))
    return tuple(window for window in found if window.limit)


def limit_of(endpoint: str) -> int:
    """Calls a minute."""
    known = DEFAULTS | settings.ENDPOINT_LIMITS
    return known.get(endpoint, known[ALL_OTHERS])


async def take(organization_id: Any, endpoint: str, thread_id: str | None = None) -> Left | None:
    """Takes one call from the organization's window of this endpoint, and from the thread's, and says what is left of the one that ends
    first; None without limits. Raises LimitReached (429, with `retry_after` and `headers`)."""
    return settled(await take_all(windows(organization_id, endpoint, thread_id=thread_id)))


def take_now(organization_id: Any, endpoint: str, thread_id: str | None = None) -> Left | None:
    """`take`, for synchronous code. Where Redis did not answer it is not asked again for a while: who asks for what has nothing to do with
    it must not wait for it."""
    global _away_until
    wanted = windows(organization_id, endpoint, thread_id=thread_id)
    if not wanted or time.monotonic() < _away_until:
        return None
    try:
        return settled(_read(wanted, redis.client().eval(_TAKE, len(wanted), *_arguments(wanted))))
    except redis.AWAY:
        _away_until = time.monotonic() + AWAY_SECONDS
        return None


_away_until = 0.0


async def take_all(wanted: Sequence[Window]) -> list[Left]:
    """Takes one from each of the windows, or from none: then the one that is full comes back alone. Nothing where Redis is away."""
    if not wanted:
        return []
    keys_and_numbers = _arguments(wanted)
    script = redis.async_client().register_script(_TAKE)
    try:
        return _read(wanted, await script(keys=keys_and_numbers[: len(wanted)], args=keys_and_numbers[len(wanted) :]))
    except redis.AWAY:
        return []


def settled(found: Sequence[Left]) -> Left | None:
    """Of what `take_all` found, the window that ends first. Raises LimitReached."""
    if not found:
        return None
    least = min(found, key=lambda one: one.left)
    if least.wait:
        whose = "this thread" if least.window.name == THREAD else "your organization"
        raise LimitReached(
            f"{least.window.limit} calls a minute are what {whose} may make here. Go on in {least.seconds} seconds.",
            retry_after=least.seconds,
            headers=least.headers(),
        )
    return least


def _arguments(wanted: Sequence[Window]) -> list[Any]:
    return [*(window.key for window in wanted), *(number for window in wanted for number in (window.limit, window.seconds))]


def _read(wanted: Sequence[Window], said: Any) -> list[Left]:
    full, *found = said
    if full:
        return [Left(wanted[full - 1], 0, found[0], wait=True)]
    counts = zip(wanted, found[::2], found[1::2], strict=True)
    return [Left(window, max(window.limit - used, 0), seconds) for window, used, seconds in counts]
