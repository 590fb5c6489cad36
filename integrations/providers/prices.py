"""What a call cost, by the prices of its day. Unknown is None, never 0.

Staff's own prices (`ModelPrice`, edited in admin) come first: they name a server and a model, from a date on. Otherwise the prices
that `genai-prices` knows for the server's address; a model of the same name on a server that it does not know has no price, since
whoever runs it decides what it costs.
"""

import fnmatch
import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

import genai_prices
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from integrations.models import ModelPrice
from integrations.providers.base import Usage

log = logging.getLogger(__name__)

MILLION = Decimal(1_000_000)
FRESH_SECONDS = 60.0  # staff's change of a price counts within this time


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens, from `since` on, for models of a server that match `pattern`."""

    host: str
    pattern: str
    since: datetime
    input: Decimal
    cached_input: Decimal
    output: Decimal
    reasoning: Decimal

    def matches(self, *, host: str, model: str, at: datetime) -> bool:
        return self.since <= at and self.host in ("", host) and fnmatch.fnmatchcase(model, self.pattern)

    def of(self, usage: Usage) -> Decimal:
        fresh = usage.input_tokens - usage.cached_input_tokens
        said = usage.output_tokens - usage.reasoning_tokens
        read = fresh * self.input + usage.cached_input_tokens * self.cached_input
        return (read + said * self.output + usage.reasoning_tokens * self.reasoning) / MILLION


class _Own:
    """Staff's prices, as this process last read them. None until it could."""

    prices: tuple[Price, ...] | None = None
    due = 0.0
    lock = threading.Lock()


def cost(usage: Usage, *, model: str, base_url: str, at: datetime) -> Decimal | None:
    """US dollars, or None where the price or the usage is unknown. Call `refresh` before; this one waits for nothing."""
    if usage.estimated or _Own.prices is None:
        return None
    if usage.cached_input_tokens > usage.input_tokens or usage.reasoning_tokens > usage.output_tokens:
        return None  # the server counts in some way of its own
    host = urlsplit(base_url).hostname or ""
    for price in _Own.prices:
        if price.matches(host=host, model=model.lower(), at=at):
            return price.of(usage)
    try:
        known = genai_prices.calc_price(
            genai_prices.Usage(
                input_tokens=usage.input_tokens,
                cache_read_tokens=usage.cached_input_tokens or None,
                output_tokens=usage.output_tokens,
                output_reasoning_tokens=usage.reasoning_tokens or None,
            ),
            model,
            provider_api_url=base_url,
            genai_request_timestamp=at,
        )
    except (LookupError, ValueError) as problem:
        log.debug("The price of %s at %s is not known: %s", model, host, problem)
        return None
    return known.total_price


def preload() -> None:
    """Reads the known prices into memory, which takes a second: at a worker's start, in a thread, instead of at its first answer's end."""
    genai_prices.calc_price(genai_prices.Usage(input_tokens=1, output_tokens=1), "gpt-4o-mini", provider_id="openai")


async def refresh() -> None:
    """Reads staff's prices anew if what is known is older than a minute. Without PostgreSQL the old ones stay."""
    seen = _Own.prices
    if seen is not None:
        if time.monotonic() < _Own.due:
            return
        _Own.due = time.monotonic() + FRESH_SECONDS  # one reads, the others go on with what there is
    try:
        await sync_to_async(_read, thread_sensitive=False)(seen)
    except DatabaseError as problem:
        log.warning("The prices could not be read, the last known ones count: %s", problem)


def forget() -> None:
    """The next refresh reads them again: somebody changed a price, or a test did."""
    _Own.prices = None


def _read(seen: tuple[Price, ...] | None) -> None:
    with _Own.lock:
        if _Own.prices is not seen:
            return  # another thread has read them meanwhile
        try:
            _Own.prices = tuple(
                Price(
                    host=row.host,
                    pattern=row.model.lower(),
                    since=row.since,
                    input=row.input,
                    cached_input=row.cached_input,
                    output=row.output,
                    reasoning=row.output if row.reasoning is None else row.reasoning,
                )
                # Newest first, and a pattern without wildcards before one with.
                for row in sorted(ModelPrice.objects.all(), key=lambda row: ("*" in row.model, row.host == "", -row.since.timestamp()))
            )
            _Own.due = time.monotonic() + FRESH_SECONDS
        finally:
            connection.close()  # a thread of the loop's pool must not keep a connection for itself
