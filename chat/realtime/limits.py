"""How many messages a person may send (D6): per minute by role, twenty times that per hour, a hundred times per day.

One script takes all windows of a message or none of them.
"""

from django.conf import settings

from chat.realtime import keys
from chat.services import errors
from config import redis
from tenants.choices import Role

PER_MINUTE = {Role.OWNER: 100, Role.LEADER: 75, Role.MANAGER: 50, Role.AGENT: 50, Role.GUEST: 20}
TIMES = {"minute": 1, "hour": 20, "day": 100}

# KEYS: one counter a window. ARGV: limit and seconds, window by window. Returns {} or {index of the full window, seconds to wait}.
_TAKE = """
for i, key in ipairs(KEYS) do
  local used = tonumber(redis.call('GET', key) or '0')
  if used >= tonumber(ARGV[2 * i - 1]) then
    local wait = redis.call('TTL', key)
    return {i, wait > 0 and wait or 1}
  end
end
for i, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[2 * i]) end
end
return {}
"""


async def take(*, user_id: str, role: str) -> None:
    """Takes one message from every window, or raises `LimitReached`. Where Redis is away nobody is held up."""
    if not settings.ROLE_LIMITS:
        return
    client = redis.async_client()
    limits = {window: PER_MINUTE[Role(role)] * times for window, times in TIMES.items()}
    arguments = [number for window in limits for number in (limits[window], keys.LIMIT_WINDOWS[window])]
    try:
        full = await client.register_script(_TAKE)(keys=[keys.limit(user_id, window) for window in limits], args=arguments)
    except redis.AWAY:
        return
    if full:
        window = list(limits)[full[0] - 1]
        raise errors.LimitReached(limit=limits[window], window=window, retry_after=full[1])
