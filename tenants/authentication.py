"""Who is asking: a signed-in browser or a program with an API key, over HTTP or a socket. Both end in a membership."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from tenants import access, scoping
from tenants.choices import OrganizationStatus
from tenants.models import MAY_SIGN_IN, ApiKey, Membership, User

KEY_PREFIX = "parley_"
SHOWN = len(KEY_PREFIX) + 6  # characters of a key that stay visible
LAST_USED_EVERY = timedelta(minutes=1)
ORGANIZATION_HEADER = "X-Organization"


@dataclass(frozen=True, slots=True)
class Rights:
    """What decides what somebody may do; where it changes, they have to be looked up again."""

    membership_id: Any
    role: str
    branch_id: Any
    department_id: Any


@dataclass(frozen=True)
class Principal:
    """Who acts, and where. `api_key` or `session_key` says how they showed it."""

    user: User
    membership: Membership
    api_key: ApiKey | None = None
    session_key: str | None = None

    @property
    def rights(self) -> Rights:
        membership = self.membership
        return Rights(membership.pk, membership.role, membership.branch_id, membership.department_id)


# Keys ------------------------------------------------------------------------------------------------------------------


def new_key() -> str:
    """A fresh API key: 256 random bits behind a prefix that secret scanners can look for."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_of(key: str) -> str:
    """What is stored of a key, or of a link's token. They are random, so a plain hash cannot be guessed backwards."""
    return hashlib.sha256(key.encode()).hexdigest()


def api_key_of(key: str) -> ApiKey | None:
    """The usable key with `membership`, its `user` and its `organization` loaded; None for any other. Notes its use, once a minute."""
    if not key.startswith(KEY_PREFIX) or len(key) > 200:
        return None
    now = timezone.now()
    # The key names its organization: before it is found there is no tenant to act for.
    with scoping.across_tenants("whose API key is this?"):
        # Branch and department are told by their ids: to join them as well takes 2.5 ms, without them it is 1.4.
        found = scoping.one(
            ApiKey.across_tenants.select_related("membership__organization", "membership__user")
            .filter(key_hash=hash_of(key), membership__is_active=True)
            .filter(membership__organization__status=OrganizationStatus.ACTIVE)
        )
        if found is None or not found.is_usable(now=now) or not found.membership.user.is_active:
            return None
        if found.last_used_at is None or found.last_used_at < now - LAST_USED_EVERY:
            stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_EVERY)
            ApiKey.across_tenants.filter(stale, pk=found.pk).update(last_used_at=now)
    return found


def bearer(header: str | None) -> str | None:
    """The key in an `Authorization` header; None where there is none of that kind."""
    scheme, _, value = (header or "").partition(" ")
    return value.strip() or None if scheme.lower() == "bearer" else None


# HTTP ------------------------------------------------------------------------------------------------------------------


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <key>`: ends in `request.user`, `request.auth` (the ApiKey) and `request.membership`."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        key = bearer(request.headers.get("Authorization"))
        if key is None:
            return None
        found = api_key_of(key)
        if found is None:
            raise exceptions.AuthenticationFailed("This API key is not valid. Ask staff for a new one.")
        wanted = request.headers.get(ORGANIZATION_HEADER)
        if wanted is not None and wanted != found.membership.organization.slug:
            raise exceptions.NotFound("This API key belongs to another organization.")
        bind(request, found.membership)
        return found.membership.user, found

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Parley"'


class SessionAuthentication(authentication.SessionAuthentication):
    """A signed-in browser, with CSRF. The organization is the header `X-Organization`, or the only one the person has."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user, _ = found
        wanted = request.headers.get(ORGANIZATION_HEADER)
        if wanted is not None:
            bind(request, access.membership_for(user, wanted))
        else:
            memberships = access.memberships_of(user)
            bind(request, memberships[0] if len(memberships) == 1 else None)
        return user, None


def bind(request: Request, membership: Membership | None) -> None:
    """From here to the end of the request, it acts for this membership."""
    request._request.membership = membership  # type: ignore[attr-defined]
    if membership is not None:
        scoping.act_for(membership.organization_id)
        scoping.also_because(user=membership.user_id)


# Sockets ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody shows at a socket: a key, or the session of a page of ours."""

    api_key: str | None = None
    session_key: str | None = None


def credential_of(scope: Mapping[str, Any]) -> Credential | None:
    """What this socket shows. Causes no query.

    A browser shows its session cookie and its Origin, which must be ours (a foreign page could open a socket with the cookie); a
    program shows `Authorization: Bearer <key>`.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", [])}
    key = bearer(headers.get("authorization"))
    if key is not None:
        return Credential(api_key=key)
    session_key = cookie(headers.get("cookie", ""), settings.SESSION_COOKIE_NAME)
    if session_key is None or not is_own_origin(headers):
        return None
    return Credential(session_key=session_key)


def principal_of(credential: Credential, *, organization: str) -> Principal | None:
    """Who shows this, in the organization with this slug; None where they may not be there. Causes at most two queries."""
    if credential.api_key is not None:
        found = api_key_of(credential.api_key)
        if found is None or found.membership.organization.slug != organization:
            return None
        return Principal(user=found.membership.user, membership=found.membership, api_key=found)
    assert credential.session_key is not None
    session = _session(credential.session_key)
    try:
        membership = access.membership_for(session.get(SESSION_KEY), organization)
    except access.NotFound:
        return None
    if not constant_time_compare(session.get(HASH_SESSION_KEY, ""), membership.user.get_session_auth_hash()):
        return None  # the password was changed since
    return Principal(user=membership.user, membership=membership, session_key=credential.session_key)


def scope_principal(scope: Mapping[str, Any], *, organization: str) -> Principal | None:
    """Who opens this socket on the organization with this slug; None where they may not. Causes queries."""
    credential = credential_of(scope)
    return None if credential is None else principal_of(credential, organization=organization)


def is_signed_out(credential: Credential) -> bool:
    """True if the sign-in itself is gone: the session ended. A revoked key was never one."""
    return credential.session_key is not None and SESSION_KEY not in _session(credential.session_key)


def rights_now(principals: Sequence[Principal]) -> list[Rights | None]:
    """What each of them may be now, in their order; None who may no longer be there. Three queries, however many they are."""
    now = timezone.now()
    # They are of many organizations, and each is only compared with what it was.
    with scoping.across_tenants("who is still at the sockets?"):
        members = Membership.across_tenants.filter(
            pk__in={principal.membership.pk for principal in principals},
            is_active=True,
            organization__status=OrganizationStatus.ACTIVE,
            user__current_account_status__in=MAY_SIGN_IN,
            user__deleted_at=None,
        )
        rights = {row[0]: Rights(*row) for row in members.values_list("pk", "role", "branch_id", "department_id")}
        keys = ApiKey.across_tenants.filter(
            Q(expires_at=None) | Q(expires_at__gt=now),
            pk__in={principal.api_key.pk for principal in principals if principal.api_key},
            revoked_at=None,
        )
        usable = set(keys.values_list("pk", flat=True))
    sessions = Session.objects.filter(
        session_key__in={principal.session_key for principal in principals if principal.session_key}, expire_date__gt=now
    )
    open_sessions = set(sessions.values_list("session_key", flat=True))
    return [
        rights.get(principal.membership.pk)
        if (principal.api_key.pk in usable if principal.api_key else principal.session_key in open_sessions)
        else None
        for principal in principals
    ]


def _session(session_key: str) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(session_key)


def cookie(header: str, name: str) -> str | None:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return found.value if found else None


def is_own_origin(headers: Mapping[str, str]) -> bool:
    """True if the page that opens the socket is ours or one of CSRF_TRUSTED_ORIGINS. A browser always says."""
    origin = headers.get("origin")
    if origin is None:
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return urlsplit(origin).netloc == headers.get("host")
