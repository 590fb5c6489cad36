"""How many messages a person may send (D6): per minute by role, twenty times that per hour, a hundred times per day.

What the organization, and the conversation, may do in a minute (`integrations.limits`) is taken with them: one script takes all windows
of a message or none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from chat.realtime import keys
from chat.services import errors
from config import redis
from integrations import limits as shared_limits
from integrations.limits import THREAD, Window
from tenants.choices import Role
from tenants.models import Membership

PER_MINUTE = {Role.OWNER: 100, Role.LEADER: 75, Role.MANAGER: 50, Role.AGENT: 50, Role.GUEST: 20}
ENDPOINT = "messages"
TIMES = {"minute": 1, "hour": 20, "day": 100}


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


async def take(*, user_id: str, role: str, organization_id: str = "", conversation_id: str = "") -> Left | None:
    """Takes one message from every window and says what is left of the person's, or raises `LimitReached`. Where Redis is away nobody is
    held up, and nothing is known."""
    if not settings.ROLE_LIMITS:
        return None
    limits = limits_of(role)
    own = [Window(window, keys.limit(user_id, window), limits[window], keys.LIMIT_WINDOWS[window]) for window in limits]
    shared = shared_limits.windows(organization_id, ENDPOINT, thread_id=conversation_id) if organization_id else ()
    found = await shared_limits.take_all([*own, *shared])
    if found and found[0].wait:
        full = found[0]
        if full.window in shared:
            raise errors.LimitReachedTogether(thread=full.window.name == THREAD, limit=full.window.limit, retry_after=full.seconds)
        raise errors.LimitReached(limit=full.window.limit, window=full.window.name, retry_after=full.seconds)
    used = {one.window.name: (one.window.limit - one.left, one.seconds) for one in found[: len(own)]}
    return _tightest(limits, used) if used else None


async def take_for(membership: Membership, *, conversation_id: str) -> Left | None:
    """`take`, for a message of a member's in a conversation."""
    return await take(
        user_id=str(membership.user_id),
        role=membership.role,
        organization_id=str(membership.organization_id),
        conversation_id=conversation_id,
    )


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
