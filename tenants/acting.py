"""For whom a thread or task acts. Imported by the database backend, so it knows no model; import it from `tenants.scoping`."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from tenants.errors import BadTenant, UnscopedQuery


class Scope(NamedTuple):
    """For whom we act: one organization, or (with the reason) across all; neither means nobody's rows are visible."""

    tenant: str | None = None
    across: str = ""


_scope: ContextVar[Scope] = ContextVar("tenants.scope", default=Scope())  # noqa: B039  # a NamedTuple does not change


class Cause(NamedTuple):
    """Who changes something and why: what the audit's triggers write beside every change (D12)."""

    id: str
    facts: str  # JSON


_cause: ContextVar[Cause | None] = ContextVar("tenants.cause", default=None)

# What a PostgreSQL session believes when nobody acts: (rls.current_tenant, rls.is_admin, and for the audit, why).
NOBODY = ("", "false", "", "")


def current() -> Scope:
    """For whom this thread or task acts."""
    return _scope.get()


def settings_of_session() -> tuple[str, str, str, str]:
    """What a PostgreSQL session has to believe now: (rls.current_tenant, rls.is_admin, pghistory.context_id, …context_metadata)."""
    scope, cause = _scope.get(), _cause.get()
    return (scope.tenant or "", "true" if scope.across else "false", *(cause or ("", "")))


@contextmanager
def tenant(organization: Any) -> Iterator[str]:
    """Inside, row-level security shows this organization's rows and no others. Takes an Organization or its id.

    A ContextVar: it follows `await`, `sync_to_async` and tasks started inside. `BadTenant` if it is no UUID.
    """
    key = tenant_key(organization)
    token = _scope.set(Scope(tenant=key))
    try:
        yield key
    finally:
        _scope.reset(token)


@contextmanager
def across_tenants(reason: str) -> Iterator[None]:
    """Inside, row-level security shows every organization's rows: sign-in, staff in admin, nightly work. Say why."""
    if not reason:
        raise UnscopedQuery("Acting across organizations needs a reason. Pass it: across_tenants('sign-in').")
    token = _scope.set(Scope(across=reason))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def nobody() -> Iterator[None]:
    """Inside, nobody's rows are visible at first, and whatever `act_for` says inside ends here."""
    token = _scope.set(Scope())
    try:
        yield
    finally:
        _scope.reset(token)


def act_for(organization: Any) -> None:
    """From here to the end of the surrounding block (`nobody`, `tenant`, …) we act for this organization.

    For authentication, which finds the organization after its caller's block began.
    """
    _scope.set(Scope(tenant=tenant_key(organization)))


@contextmanager
def because(**facts: Any) -> Iterator[None]:
    """Inside, every audited change carries these facts, e.g. `user`, `url`, `request_id`, `task`. Nested facts add up."""
    token = _cause.set(_with_facts(_cause.get(), facts))
    try:
        yield
    finally:
        _cause.reset(token)


def also_because(**facts: Any) -> None:
    """Adds facts to the surrounding `because`; nothing where there is none (reading is not audited)."""
    if (outer := _cause.get()) is not None:
        _cause.set(_with_facts(outer, facts))


def _with_facts(outer: Cause | None, facts: dict[str, Any]) -> Cause:
    known = json.loads(outer.facts) if outer else {}
    kept = {name: str(value) for name, value in facts.items() if value is not None}
    return Cause(outer.id if outer else str(uuid.uuid4()), json.dumps({**known, **kept}))


def tenant_key(value: Any) -> str:
    """The canonical UUID string of an organization (an Organization, a UUID, or text); `BadTenant` for anything else."""
    value = getattr(value, "pk", value)  # an Organization
    if isinstance(value, uuid.UUID):
        key = value
    elif type(value) is str and len(value) == 36:
        try:
            key = uuid.UUID(value)
        except ValueError:
            raise BadTenant("An organization is named by its UUID.") from None
        if str(key) != value.lower():
            raise BadTenant("An organization is named by its UUID.")
    else:
        raise BadTenant("An organization is named by its UUID.")
    if key.int == 0:
        raise BadTenant("The nil UUID names no organization.")
    return str(key)
