"""From where somebody acts: with which sign-in or key, on which device, at which address. For what is announced of their doings.

A ContextVar, as `tenants.acting` has: it follows `await`, `sync_to_async` and tasks started inside. Work that no person started (a worker,
a command) has no origin.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from tenants.models import Membership

_SESSIONS = uuid.UUID("6d0c2c5e-33b4-5a52-9a2e-0f6f5d0f8f11")
USER_AGENT_READ = 512  # characters; longer ones are no browser's


@dataclass(frozen=True, slots=True)
class Origin:
    """`membership` is None for staff, who act in organizations that are not theirs. `session_id` tells sign-ins apart and gives none of
    them away. Texts are empty where nothing is known."""

    user_id: str
    membership: Membership | None
    session_id: str | None
    user_agent: str
    address: str


_read: ContextVar[Callable[[], Origin | None] | None] = ContextVar("tenants.origin", default=None)


def current() -> Origin | None:
    """Who acts here, and from where; None where nobody does."""
    read = _read.get()
    return None if read is None else read()


@contextmanager
def of_request(request: HttpRequest, *, membership: Membership | None = None) -> Iterator[None]:
    """Inside, what is done is done by this member, or by whoever the request turns out to be from: the API finds that out later than pages
    do."""
    token = _read.set(lambda: request_origin(request, membership=membership))
    try:
        yield
    finally:
        _read.reset(token)


def enter_socket(scope: Mapping[str, Any], principal: Any) -> None:
    """From here to the end of the running task: for a socket, whose frames are all of one person. Read at the first use: most sockets
    never do what is told of."""
    _read.set(cache(lambda: socket_origin(scope, principal)))


def request_origin(request: HttpRequest, *, membership: Membership | None = None) -> Origin | None:
    """Causes no query where the request's user was looked up before, as pages and the API do."""
    membership = membership or getattr(request, "membership", None)
    user = membership.user if membership is not None else getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    key = getattr(request, "auth", None)
    if key is not None:
        session_id: str | None = session_of_key(key.pk)
    else:
        session_id = session_of(request.session.session_key)
    headers = request.headers
    return Origin(
        user_id=str(user.pk),
        membership=membership,
        session_id=session_id,
        user_agent=headers.get("User-Agent", "")[:USER_AGENT_READ],
        address=address_of(request.META.get("REMOTE_ADDR", ""), headers.get("X-Forwarded-For", "")),
    )


def socket_origin(scope: Mapping[str, Any], principal: Any) -> Origin:
    """As `request_origin`, for a socket and its `tenants.authentication.Principal`."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
    by_key = principal.api_key is not None
    return Origin(
        user_id=str(principal.user.pk),
        membership=principal.membership,
        session_id=session_of_key(principal.api_key.pk) if by_key else session_of(principal.session_key),
        user_agent=headers.get("user-agent", "")[:USER_AGENT_READ],
        address=address_of((scope.get("client") or ("",))[0], headers.get("x-forwarded-for", "")),
    )


def session_of(session_key: str | None) -> str | None:
    """A name for a sign-in from which its secret key cannot be told."""
    return None if session_key is None else str(uuid.uuid5(_SESSIONS, session_key))


def session_of_key(api_key_id: Any) -> str:
    """What a program does with a key on one UTC day is one session."""
    return str(uuid.uuid5(_SESSIONS, f"{api_key_id}:{timezone.now().date().isoformat()}"))


def address_of(peer: str, forwarded: str) -> str:
    """The address of whoever is at the other end: what our own proxy says, where there is one."""
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT:
        return forwarded.rpartition(",")[2].strip() or peer
    return peer
