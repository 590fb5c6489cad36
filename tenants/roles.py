"""What a person may do in an organization: roles (D4) and the permissions `domain:function:action` that staff grant to them."""

import asyncio
import threading
import time

from config import loop
from tenants.choices import Role
from tenants.errors import Forbidden
from tenants.models import Grant, Membership

# How long a process may go on believing the grants it read, in seconds. A change acts everywhere within this.
FRESH_SECONDS = 1.5

_lock = threading.Lock()
_granted: frozenset[tuple[Role, str]] = frozenset()
_read_at = float("-inf")


def granted() -> frozenset[tuple[Role, str]]:
    """Every (role, permission) there is. Causes a query at most every `FRESH_SECONDS`; none on an event loop, see `refresh`."""
    global _granted, _read_at
    now = time.monotonic()
    if now - _read_at < FRESH_SECONDS or asyncio._get_running_loop() is not None:
        return _granted
    with _lock:
        if now - _read_at >= FRESH_SECONDS:
            pairs = Grant.objects.values_list("role", "permission__code")
            _granted, _read_at = frozenset((Role(role), code) for role, code in pairs), now
    return _granted


async def refresh() -> None:
    """For code on an event loop, which may not wait for a query: awaited before the first question, it makes `may` up to date."""
    if time.monotonic() - _read_at >= FRESH_SECONDS:
        await loop.in_thread(granted)


def forget() -> None:
    """The next question reads the grants anew: after a change in this process."""
    global _read_at
    _read_at = float("-inf")


def may(membership: Membership, permission: str) -> bool:
    """True if the membership's role is granted `domain:function:action`, e.g. `chat:message:send`. May cause a query."""
    return (membership.role, permission) in granted()


def require(membership: Membership, permission: str) -> None:
    """Raises `Forbidden` unless `may`."""
    if not may(membership, permission):
        raise Forbidden(
            f"The role {membership.get_role_display().lower()} may not do this here. Ask an owner of {membership.organization.name}.",
            permission=permission,
        )
