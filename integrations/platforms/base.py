"""What every platform takes and gives: the way to tokens, accounts, figures and errors."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db.models import TextChoices
from django.utils import timezone

from integrations import egress, transport, wire
from integrations.choices import PlatformName

ROWS_LIMIT = 100  # of a table that is shown
ACCOUNTS_LIMIT = 200  # that somebody chooses from
WORDS_LIMIT = 200  # characters of a name or value that a platform gives
NO_REASON = "it gave no reason"
OAUTH_REFUSALS = frozenset({"invalid_grant", "unauthorized_client", "access_denied", "invalid_token"})


class Fault(TextChoices):
    """Why a platform did not do what it was asked."""

    AWAY = "platform_away", "it does not answer"
    LIMITED = "platform_limited", "it was asked too often"
    REVOKED = "platform_revoked", "it no longer lets us"
    FORBIDDEN = "platform_forbidden", "the account may not"
    MALFORMED = "platform_malformed", "it answers something else"
    UNCONFIGURED = "platform_unconfigured", "Parley has no key for it"


class PlatformError(Exception):
    """A platform did not do it. The sentence is for the person; it holds nothing that the platform was sent."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a platform gave. `expires_at` None: never. A refresh may leave `refresh` empty: the one before stays good."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime | None
    scope: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """One of those that a person may choose. `data` is what S1-43 keeps of it."""

    id: str
    name: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be read: dimensions and metrics by the platform's own names, of whole days."""

    metrics: tuple[str, ...]
    dimensions: tuple[str, ...]
    since: date
    until: date  # included
    limit: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What was read: a row has a text for each dimension and a number for each metric. `is_whole` says whether there are no more."""

    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]
    is_whole: bool = True


class Platform(ABC):
    """One platform. Nothing here knows a person or a table of ours."""

    name: PlatformName
    vendor: str
    scopes: tuple[str, ...]
    # Names of `metrics` and `dimensions` that a tool may ask for, by the platform's own documentation.
    metrics: tuple[str, ...]
    dimensions: tuple[str, ...]
    refreshes_before = timedelta(minutes=10)  # the end of an access token

    @abstractmethod
    def credentials(self) -> tuple[str, str]:
        """Parley's own id and secret there; empty where the operator has none."""

    @abstractmethod
    def authorization_url(self, *, state: str, verifier: str, redirect_uri: str) -> str:
        """Where the person's browser is sent to agree."""

    @abstractmethod
    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        """What the platform gives for a code. Raises PlatformError."""

    @abstractmethod
    async def refresh(self, *, access: str, refresh: str) -> Tokens:
        """Fresh tokens. Raises PlatformError; `Fault.REVOKED` where only the person can help."""

    @abstractmethod
    async def revoke(self, token: str) -> None:
        """Has the platform forget its consent. A token that it no longer knows is no error. Raises PlatformError."""

    @abstractmethod
    async def accounts(self, access: str) -> list[Account]:
        """What this person may read there. Raises PlatformError."""

    @abstractmethod
    async def read(self, access: str, account: Mapping[str, str], asked: Asked) -> Figures:
        """Figures of an account, whose `data` this is. Raises PlatformError."""

    @abstractmethod
    def revocable(self, *, access: str, refresh: str) -> str:
        """Which of the two tokens `revoke` takes."""

    @property
    def label(self) -> str:
        return str(self.name.label)

    @property
    def is_configured(self) -> bool:
        return all(self.credentials())

    # What they share ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        """An OAuth client; whatever goes wrong in it is a PlatformError."""
        client_id, client_secret = self.credentials()
        if not self.is_configured:
            sentence = f"{self.label} is not set up here. Ask your administrator to set its id and secret, or use the demo."
            raise PlatformError(Fault.UNCONFIGURED, sentence)
        try:
            async with transport.oauth_client(client_id=client_id, client_secret=client_secret) as client:
                yield client
        except transport.OAuthError as problem:
            if problem.error in OAUTH_REFUSALS:
                raise PlatformError(Fault.REVOKED, f"{self.vendor} no longer accepts this connection. Connect it again.") from None
            raise PlatformError(Fault.FORBIDDEN, f"{self.vendor} refused: {_plain(problem.error)}.") from None
        except (wire.WireError, egress.Unreachable, transport.HTTPError):
            raise PlatformError(Fault.AWAY, f"{self.vendor} does not answer at the moment. Try again later.") from None
        except egress.Refused:
            raise PlatformError(Fault.AWAY, f"The address of {self.vendor} cannot be used. Ask your administrator to check it.") from None
        except (ValueError, KeyError):
            raise PlatformError(Fault.MALFORMED, f"{self.vendor} answered something that Parley does not understand.") from None

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Around whatever reads an answer: what cannot be read is the platform's fault, not ours."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise PlatformError(Fault.MALFORMED, f"{self.vendor} answered something that Parley does not understand.") from None

    async def ask(
        self,
        method: str,
        url: str,
        *,
        access: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request with the person's token: the answer's JSON. Raises PlatformError."""
        content = None if body is None else orjson.dumps(body)
        said = {"Authorization": f"Bearer {access}", "Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
        async with self.client() as client:
            answer = await client.request(method, url, params=query, content=content, headers=said, withhold_token=True)
            if answer.status_code != 200:
                raise self.refusal(answer.status_code, answer.content)
            return orjson.loads(answer.content)

    def refusal(self, status: int, content: bytes) -> PlatformError:
        """What an answer other than 200 says, in a sentence of ours with the platform's own reason."""
        if status == 401:
            return PlatformError(Fault.REVOKED, f"{self.vendor} no longer accepts this connection. Connect it again.")
        if status == 429:
            return PlatformError(Fault.LIMITED, f"{self.vendor} was asked too often. Try again later.")
        if status >= 500:
            return PlatformError(Fault.AWAY, f"{self.vendor} does not answer at the moment ({status}). Try again later.")
        return PlatformError(Fault.FORBIDDEN, f"{self.vendor} refused: {_reason(content)}.")

    def tokens(self, given: Mapping[str, Any]) -> Tokens:
        """What a token endpoint answered."""
        access = given["access_token"]
        if not isinstance(access, str) or not access:
            raise ValueError("no access token")
        seconds = given.get("expires_in")
        expires_at = None if seconds is None else timezone.now() + timedelta(seconds=int(seconds))
        granted = given.get("scope")
        scope = tuple(granted.replace(",", " ").split()) if isinstance(granted, str) and granted else self.scopes
        return Tokens(access, str(given.get("refresh_token") or ""), expires_at, tuple(one[:200] for one in scope[:50]))


def address(name: str) -> str:
    """One of the platforms' addresses, as the operator has it."""
    return settings.PLATFORM_ADDRESSES[name]


def short(value: Any) -> str:
    """A name or value that a platform gave, as it may be kept and shown."""
    return str(value).replace("\0", "")[:WORDS_LIMIT]


def number(value: Any) -> float:
    found = float(value)
    if found != found or found in (float("inf"), float("-inf")):
        raise ValueError("not a number")
    return int(found) if found.is_integer() else found


def cut(rows: Sequence[Any], limit: int) -> tuple[Any, ...]:
    return tuple(rows[: min(limit, ROWS_LIMIT)])


def _reason(content: bytes) -> str:
    """The platform's own words for a refusal, if it has some that can be read."""
    try:
        error = orjson.loads(content)
        error = error[0] if isinstance(error, list) else error
        return _plain(error["error"]["message"])
    except (ValueError, KeyError, TypeError, IndexError):
        return NO_REASON


def _plain(words: Any) -> str:
    """A line of what a platform said. Something as long as a token is left out: it might be one."""
    return " ".join(word if len(word) < 40 else "…" for word in str(words).replace("\0", "").split())[:300].rstrip(".") or NO_REASON
