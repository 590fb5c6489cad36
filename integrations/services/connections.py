"""Connecting a platform, and keeping it connected (S1-37…48, D8).

1. `begin` sends the browser to the platform. A state says where it has to come back from: this session, person, organization, platform,
   within ten minutes, once.
2. `complete` takes the browser back, changes the code for tokens, and asks which accounts there are. One is taken, of several the person
   chooses (`choose`).
3. `fresh_token` gives whoever asks a token that is good for a minute more. Of many who find it too old one refreshes it, by a
   compare-and-swap in PostgreSQL, whatever process they are of; the others wait for what it gets.
4. `disconnect` takes the tokens away at once, and has the platform forget its consent: now, or whenever it is there again.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from config import loop, redis
from integrations import access, crypto, keys
from integrations.choices import ConnectionStatus, PlatformName
from integrations.errors import ConnectionRefused, NotOurs
from integrations.models import PlatformConnection
from integrations.platforms import registry
from integrations.platforms.base import Account, Fault, Platform, PlatformError, Tokens
from tenants import access as people
from tenants import scoping
from tenants.errors import NotFound
from tenants.models import Membership, User

log = logging.getLogger(__name__)

DEMO = "demo"
GOOD_FOR = timedelta(seconds=60)  # what a token is given out for
REFRESHING = timedelta(seconds=40)  # longer than a request may take; whoever refreshes has died by then
WAIT_SECONDS = 0.1  # between two looks whether somebody else has refreshed
AGAIN = (timedelta(minutes=1), timedelta(hours=6))  # a platform that was away is told again: at first, at most
AT_ONCE = 2_000  # connections of one run of the clock
SIDE_BY_SIDE = 10
WHY = "platform connections are kept, whosever they are; each is then changed for its organization"


# Connecting --------------------------------------------------------------------------------------------------------------


def begin(membership: Membership, platform: str, *, session_key: str | None, redirect_uri: str) -> str:
    """The address at the platform to send the browser to. Raises NotFound, Forbidden, ConnectionRefused."""
    access.connections_for(membership)
    found = _platform(platform)
    if not session_key:
        sentence = "A platform is connected in a browser: sign in, and connect it there."
        raise ConnectionRefused("browser_needed", sentence)
    if not found.is_configured:
        sentence = f"{found.label} is not set up here. Ask your administrator to set its id and secret, or use the demo."
        raise ConnectionRefused("platform_unconfigured", sentence)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    name = _hash(state)
    begun = {
        "session": _hash(session_key),
        "user": str(membership.user_id),
        "organization": str(membership.organization_id),
        "platform": found.name.value,
        "redirect_uri": redirect_uri,
        "verifier": crypto.seal(verifier, _place(name)),
    }
    redis.client().set(keys.connecting(name), json.dumps(begun), ex=keys.CONNECTING_SECONDS)
    return found.authorization_url(state=state, verifier=verifier, redirect_uri=redirect_uri)


@dataclass(frozen=True, slots=True)
class Returned:
    """What a browser brings back."""

    platform: str
    state: str
    code: str
    error: str


def complete(user: User, returned: Returned, *, session_key: str | None, now: datetime) -> tuple[Membership, PlatformConnection]:
    """The connection that was begun in this browser, with its person's place. Raises NotOurs, ConnectionRefused, PlatformError.

    Whatever comes of it, its state is good for nothing any more.
    """
    begun = _take(returned.state)
    is_theirs = (
        begun is not None
        and session_key is not None
        and hmac.compare_digest(begun["session"], _hash(session_key))
        and hmac.compare_digest(begun["user"], str(user.pk))
        and hmac.compare_digest(begun["platform"].encode(), returned.platform.encode(errors="replace"))
    )
    if begun is None or not is_theirs:
        raise NotOurs
    try:
        membership = people.membership_in(begun["organization"], user_id=user.pk)
    except NotFound:
        raise NotOurs from None
    found = _platform(begun["platform"])
    with scoping.tenant(membership.organization_id):
        access.connections_for(membership)
        if returned.error:
            raise Declined(membership, found, returned.error)
        if not returned.code or len(returned.code) > 4_000:
            raise NotOurs
        verifier = crypto.unseal(begun["verifier"], _place(_hash(returned.state)))
        try:
            tokens, accounts = loop.run(_fetch(found, returned.code, verifier=verifier, redirect_uri=begun["redirect_uri"]))
        except PlatformError as problem:
            raise Declined(membership, found, sentence=str(problem)) from None
        return membership, _keep(membership, found, tokens, accounts, now=now)


class Declined(ConnectionRefused):
    """The person, or the platform, did not agree. `membership` says to which page they go back."""

    def __init__(self, membership: Membership, platform: Platform, error: str = "", *, sentence: str = "") -> None:
        if not sentence and error == "access_denied":
            sentence = f"You did not let Parley read your {platform.label}. Nothing was connected."
        sentence = sentence or f"{platform.vendor} did not connect {platform.label}. Nothing changed; try once more."
        super().__init__("connect_declined", sentence)
        self.membership = membership


async def _fetch(platform: Platform, code: str, *, verifier: str, redirect_uri: str) -> tuple[Tokens, list[Account]]:
    tokens = await platform.exchange(code, verifier=verifier, redirect_uri=redirect_uri)
    return tokens, await platform.accounts(tokens.access)


def _take(state: str) -> dict[str, str] | None:
    """What was begun with this state: once."""
    if not state or len(state) > 200:
        return None
    raw = redis.client().getdel(keys.connecting(_hash(state)))
    return None if raw is None else json.loads(raw)  # type: ignore[arg-type]  # bytes


def _keep(membership: Membership, platform: Platform, tokens: Tokens, accounts: Sequence[Account], *, now: datetime) -> PlatformConnection:
    if not accounts:
        sentence = f"There is nothing in {platform.label} that you may read with the account you chose. Nothing was connected."
        raise Declined(membership, platform, sentence=sentence)
    account = accounts[0] if len(accounts) == 1 else None
    if account is None and (again := _the_one_before(membership, platform, accounts)):
        account = again
    data: dict[str, Any] = dict(account.data) if account else {"accounts": [_written(one) for one in accounts]}
    facts = {"account_name": account.name if account else "", "platform_data": data, "scope": list(tokens.scope)}
    return _save(membership, platform.name, account.id if account else "", tokens, now=now, **facts)


def _the_one_before(membership: Membership, platform: Platform, accounts: Sequence[Account]) -> Account | None:
    """Who connects again, with one connection that waits for that, means the same account."""
    lapsed = access.connections_for(membership).filter(platform=platform.name, is_connected=True, is_demo=False)
    waiting = [row.account_id for row in lapsed if row.status != ConnectionStatus.ACTIVE and row.account_id]
    return next((one for one in accounts if waiting == [one.id]), None)


def _save(
    membership: Membership, platform: PlatformName, account_id: str, tokens: Tokens | None, *, now: datetime, **facts: Any
) -> PlatformConnection:
    """The person's connection to this account, connected (again). What the platform was still to be told of an earlier time is moot: its
    consent is wanted again."""
    mine = access.connections_for(membership)
    names = {"platform": platform.value, "account_id": account_id}
    with transaction.atomic():
        mine.model.objects.for_tenant(membership.organization_id).bulk_create(
            [PlatformConnection(organization_id=membership.organization_id, user_id=membership.user_id, **names, connected_at=now)],
            ignore_conflicts=True,
        )
        row = mine.select_for_update().get(**names)
        _connect(row, now=now, token_expiry=tokens.expires_at if tokens else None, **facts)
        if tokens is not None:
            crypto.put(row, "access_token", tokens.access)
            crypto.put(row, "refresh_token", tokens.refresh)
        row.save(update_fields=[*CONNECTING, *facts])
    return row


# What is written when something is connected.
CONNECTING = (
    *("access_token", "refresh_token", "token_expiry", "is_connected", "status", "error_message", "connected_at", "refreshing_until"),
    *("revocation_token", "revoke_after", "revocation_tries", "updated_at"),
)


def _connect(row: PlatformConnection, *, now: datetime, **facts: Any) -> None:
    row.is_connected, row.status, row.error_message = True, ConnectionStatus.ACTIVE, ""
    row.connected_at, row.refreshing_until = now, None
    row.revocation_token, row.revoke_after, row.revocation_tries = "", None, 0
    for name, value in facts.items():
        setattr(row, name, value)


def connect_demo(membership: Membership, platform: str, *, now: datetime) -> PlatformConnection:
    """A connection to sample data, for who has none. Raises NotFound, Forbidden."""
    found = _platform(platform)
    return _save(membership, found.name, DEMO, None, now=now, account_name="Sample data", is_demo=True)


def choose(connection: PlatformConnection, account_id: str) -> PlatformConnection:
    """Takes one of the accounts that the platform named. Raises ConnectionRefused."""
    chosen = next((one for one in connection.platform_data.get("accounts", ()) if one["id"] == account_id), None)
    if not connection.needs_account or chosen is None:
        raise ConnectionRefused("unknown_account", "This account is not among those to choose from. Choose one of them.")
    rows = PlatformConnection.objects.for_tenant(connection.organization_id)
    with transaction.atomic():
        row = rows.select_for_update().get(pk=connection.pk)
        others = rows.select_for_update().filter(user_id=row.user_id, platform=row.platform, account_id=account_id)
        if (before := others.first()) is not None:
            # This account was connected before: that connection gets the tokens, sealed for its own place.
            held = {name: crypto.take(row, name) for name in ("access_token", "refresh_token")}
            _connect(before, now=row.connected_at, token_expiry=row.token_expiry, scope=row.scope)
            for name, token in held.items():
                crypto.put(before, name, token)
            rows.filter(pk=row.pk).delete()
            row = before
        row.account_id, row.account_name, row.platform_data = chosen["id"], chosen["name"], chosen["data"]
        row.save(update_fields=[*CONNECTING, "scope", "account_id", "account_name", "platform_data"])
    return row


# Disconnecting -------------------------------------------------------------------------------------------------------------


def disconnect(connection: PlatformConnection, *, now: datetime) -> None:
    """Nothing can be asked with it from now on. The platform is told by `revoke_waiting`."""
    _cut_off(connection, now=now)


def disconnect_the_gone(*, now: datetime) -> int:
    """Disconnects what is of people who were erased, or are no longer in the organization; how many connections those are."""
    here = Membership.across_tenants.filter(user=OuterRef("user"), organization=OuterRef("organization"), is_active=True)
    gone = _everybodys(Q(Q(user__deleted_at__isnull=False) | ~Q(Exists(here)), is_connected=True))
    for connection in gone:
        with scoping.tenant(connection.organization_id):
            _cut_off(connection, now=now)
    return len(gone)


def revoke_waiting(*, now: datetime) -> int:
    """Tells platforms what they were not told yet; of how many connections they know now."""
    done = 0
    for connection in _everybodys(Q(revoke_after__lte=now), order="revoke_after"):
        with scoping.tenant(connection.organization_id):
            done += _tell(connection, now=now)
    return done


def _cut_off(connection: PlatformConnection, *, now: datetime) -> None:
    """In one transaction: no token is left but the one by which the platform is told."""
    rows = PlatformConnection.objects.for_tenant(connection.organization_id)
    with transaction.atomic():
        row = rows.select_for_update().filter(pk=connection.pk).first()
        if row is None or not row.is_connected:
            return
        try:
            held = crypto.take(row, "access_token"), crypto.take(row, "refresh_token")
        except crypto.Unreadable:  # its key is gone: there is nothing to tell the platform with
            held = "", ""
        token = registry.platform(row.platform).revocable(access=held[0], refresh=held[1])
        crypto.put(row, "revocation_token", token)
        row.access_token = row.refresh_token = ""
        row.token_expiry = row.refreshing_until = None
        row.is_connected, row.status, row.error_message = False, ConnectionStatus.REVOKED, ""
        row.account_name, row.platform_data = "", {}
        row.revoke_after, row.revocation_tries = now, 0
        row.save(update_fields=[*CONNECTING, "account_name", "platform_data"])


def _tell(connection: PlatformConnection, *, now: datetime) -> bool:
    """Has the platform revoke; the row goes when it has. False where it is to be tried again."""
    rows = PlatformConnection.objects.for_tenant(connection.organization_id)
    row = rows.filter(pk=connection.pk, is_connected=False, revoke_after__isnull=False).first()
    if row is None:
        return False
    wait = min(AGAIN[0] * 2 ** min(row.revocation_tries, 12), AGAIN[1])
    # Whoever moves the time on is the one who tells it now.
    moved = {"revoke_after": now + wait, "revocation_tries": F("revocation_tries") + 1}
    claimed = rows.filter(pk=row.pk, revoke_after=row.revoke_after).update(**moved)
    if not claimed:
        return False
    try:
        token = crypto.take(row, "revocation_token")
        if token:
            loop.run(registry.platform(row.platform).revoke(token))
    except PlatformError as problem:
        log.warning("The connection %s could not be revoked at its platform yet: %s", row.pk, problem.fault.value)
        return False
    except crypto.Unreadable:
        log.error("The connection %s cannot be revoked at its platform: its key is not in FIELD_ENCRYPTION_KEYS.", row.pk)
    rows.filter(pk=row.pk, is_connected=False).delete()
    return True


# Tokens --------------------------------------------------------------------------------------------------------------------


async def fresh_token(connection: PlatformConnection) -> str:
    """An access token that is good for a minute more. Raises PlatformError: then the connection says why, too."""
    return await _fresh(connection, need=GOOD_FOR)


async def refresh_due(*, now: datetime) -> int:
    """Refreshes what ends soon, and tries again what failed; how many those are."""
    due = await loop.in_thread(_due, now)
    gate = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(connection: PlatformConnection) -> None:
        async with gate:
            try:
                await _fresh(connection, need=registry.platform(connection.platform).refreshes_before)
            except PlatformError:
                pass  # the connection says why

    await asyncio.gather(*map(one, due))
    return len(due)


def _due(now: datetime) -> list[PlatformConnection]:
    usable = Q(is_connected=True, is_demo=False, status__in=(ConnectionStatus.ACTIVE, ConnectionStatus.ERROR))
    ends = Q()
    for name, platform in registry.PLATFORMS.items():
        ends |= Q(platform=name, token_expiry__lt=now + platform.refreshes_before)
    return _everybodys(usable & ends, order="token_expiry")


async def _fresh(connection: PlatformConnection, *, need: timedelta) -> str:
    deadline = asyncio.get_running_loop().time() + REFRESHING.total_seconds()
    while True:
        look = await loop.in_thread(_look, connection.organization_id, connection.pk, need)
        if look.token:
            return look.token
        if look.claimed is not None:
            return await _refresh(look.claimed)
        if asyncio.get_running_loop().time() > deadline:
            raise PlatformError(Fault.AWAY, "The connection could not be refreshed in time. Try again.")
        await asyncio.sleep(WAIT_SECONDS)


@dataclass(frozen=True, slots=True)
class _Look:
    """A token that is good enough, or the row that is ours to refresh; neither: somebody else is at it."""

    token: str = ""
    claimed: PlatformConnection | None = None


def _look(organization_id: Any, pk: Any, need: timedelta) -> _Look:
    now = timezone.now()
    with scoping.tenant(organization_id):
        rows = PlatformConnection.objects.for_tenant(organization_id)
        row = rows.filter(pk=pk, is_connected=True).first()
        if row is None or row.status in (ConnectionStatus.EXPIRED, ConnectionStatus.REVOKED):
            sentence = row.error_message if row else ""
            raise PlatformError(Fault.REVOKED, sentence or "This is no longer connected. Connect it again.")
        if row.token_expiry is None or row.token_expiry > now + need:
            return _Look(token=_taken(rows, row, now=now))
        claimed = rows.filter(
            Q(refreshing_until=None) | Q(refreshing_until__lt=now), pk=pk, is_connected=True, token_expiry=row.token_expiry
        ).update(refreshing_until=now + REFRESHING)
        return _Look(claimed=row) if claimed else _Look()


def _taken(rows: Any, row: PlatformConnection, *, now: datetime) -> str:
    try:
        return crypto.take(row, "access_token")
    except crypto.Unreadable:
        problem = PlatformError(Fault.REVOKED, "What Parley kept of this connection cannot be read any more. Connect it again.")
        _record_problem(rows, row, problem, now=now)
        raise problem from None


async def _refresh(row: PlatformConnection) -> str:
    """Asks the platform for fresh tokens, as the only one who does. Raises PlatformError."""
    platform = registry.platform(row.platform)
    try:
        held = await loop.in_thread(_held, row)
        if not platform.revocable(access=held[0], refresh=held[1]) or (platform.vendor == "Google" and not held[1]):
            raise PlatformError(Fault.REVOKED, f"{platform.vendor} gave no way to renew this connection. Connect it again.")
        tokens = await platform.refresh(access=held[0], refresh=held[1])
    except PlatformError as problem:
        await loop.in_thread(_failed, row, problem)
        raise
    except BaseException:
        await loop.in_thread(_released, row)
        raise
    await loop.in_thread(_refreshed, row, tokens)
    return tokens.access


def _held(row: PlatformConnection) -> tuple[str, str]:
    try:
        return crypto.take(row, "access_token"), crypto.take(row, "refresh_token")
    except crypto.Unreadable:
        sentence = "What Parley kept of this connection cannot be read any more. Connect it again."
        raise PlatformError(Fault.REVOKED, sentence) from None


def _mine(row: PlatformConnection) -> Any:
    """The row, if it is still the one that was read: neither disconnected nor connected anew since."""
    rows = PlatformConnection.objects.for_tenant(row.organization_id)
    return rows.filter(pk=row.pk, is_connected=True, token_expiry=row.token_expiry, connected_at=row.connected_at)


def _refreshed(row: PlatformConnection, tokens: Tokens) -> None:
    with scoping.tenant(row.organization_id):
        mine = _mine(row)
        crypto.put(row, "access_token", tokens.access)
        changes: dict[str, Any] = {"access_token": row.access_token}
        if tokens.refresh:
            crypto.put(row, "refresh_token", tokens.refresh)
            changes["refresh_token"] = row.refresh_token
        mine.update(
            **changes,
            token_expiry=tokens.expires_at,
            status=ConnectionStatus.ACTIVE,
            error_message="",
            refreshing_until=None,
            updated_at=timezone.now(),
        )


def _failed(row: PlatformConnection, problem: PlatformError) -> None:
    with scoping.tenant(row.organization_id):
        _record_problem(_mine(row), row, problem, now=timezone.now())


def _released(row: PlatformConnection) -> None:
    with scoping.tenant(row.organization_id):
        _mine(row).update(refreshing_until=None)


def _record_problem(rows: Any, row: PlatformConnection, problem: PlatformError, *, now: datetime) -> None:
    """What a person reads beside the connection. Only what they can help ends it; the rest is tried again."""
    status = ConnectionStatus.ERROR
    if problem.fault == Fault.REVOKED:
        ran_out = row.token_expiry is not None and row.token_expiry <= now and not row.refresh_token
        status = ConnectionStatus.EXPIRED if ran_out else ConnectionStatus.REVOKED
    rows.filter(pk=row.pk).update(status=status, error_message=str(problem)[:500], refreshing_until=None, updated_at=now)


async def note_read(connection: PlatformConnection) -> None:
    """Something was read from the platform just now."""
    await loop.in_thread(_note, connection, None)


async def note_problem(connection: PlatformConnection, problem: PlatformError) -> None:
    """The platform refused a token that we took for good."""
    await loop.in_thread(_note, connection, problem)


def _note(connection: PlatformConnection, problem: PlatformError | None) -> None:
    now = timezone.now()
    with scoping.tenant(connection.organization_id):
        rows = PlatformConnection.objects.for_tenant(connection.organization_id).filter(pk=connection.pk, is_connected=True)
        if problem is None:
            rows.update(last_synced_at=now)
        elif problem.fault == Fault.REVOKED:
            _record_problem(rows, connection, problem, now=now)


# The rest ------------------------------------------------------------------------------------------------------------------


def _everybodys(where: Q, *, order: str = "pk") -> list[PlatformConnection]:
    with scoping.across_tenants(WHY):
        return list(PlatformConnection.across_tenants.filter(where).order_by(order)[:AT_ONCE])


def _platform(name: str) -> Platform:
    try:
        return registry.platform(name)
    except KeyError:
        raise NotFound("There is no such platform.") from None


def _written(account: Account) -> dict[str, Any]:
    return {"id": account.id, "name": account.name, "data": dict(account.data)}


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _place(state_hash: str) -> str:
    return f"connecting/{state_hash}"
