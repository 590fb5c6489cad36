"""What a provider says it was asked for, beside what the ledger has, by day and model.

Takes OpenAI's exports as documented, CSV or JSON: of usage (`/v1/organization/usage/completions`: requests and tokens by model) and of
costs (`/v1/organization/costs`: dollars by line item, or by day alone). A line item is named for its model first: `gpt-4o-mini, input`.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, TruncDate

from integrations.choices import Service
from integrations.models import ModelCall
from integrations.providers.base import Outcome
from tenants import scoping

PROVIDERS = {"openai": Service.OPENAI}
ALL_MODELS = ""  # of costs that are told by day alone
FIGURES = ("requests", "input_tokens", "cached_input_tokens", "output_tokens", "cost")

Key = tuple[date, str]


class Unreadable(ValueError):
    """The file is not such an export; the sentence says where."""


@dataclass
class Figures:
    """What is known of a day and model; None is not told, or not known."""

    requests: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None
    unknown: int = 0  # of ours: calls whose cost is not known

    def add(self, name: str, value: Any) -> None:
        if value is not None:
            setattr(self, name, (getattr(self, name) or 0) + value)


@dataclass(frozen=True, slots=True)
class Difference:
    """A day and model, what they say and what we say. `differs` are the names of the figures beyond the tolerance."""

    day: date
    model: str
    theirs: Figures
    ours: Figures
    differs: tuple[str, ...] = field(default=())


def compare(
    theirs: Mapping[Key, Figures], *, service: str, first: date | None, until: date | None, organization: Any, tolerance: Decimal
) -> list[Difference]:
    """Each day and model that either has, in order. `tolerance` is relative: 0.01 is one per cent. Days of the file alone are compared
    unless `first` and `until` (which is not meant itself) say which."""
    days = {day for day, _ in theirs}
    first, until = first or min(days), until or max(days) + timedelta(days=1)
    theirs = {key: figures for key, figures in theirs.items() if first <= key[0] < until}
    by_day_alone = any(model == ALL_MODELS for _, model in theirs)
    ours = _ledger(service, first, until, organization=organization, by_day_alone=by_day_alone)
    rows = []
    for day, model in sorted({*theirs, *ours}):
        said, known = theirs.get((day, model), Figures(requests=0)), ours.get((day, model), Figures(0, 0, 0, 0, Decimal(0)))
        differs = tuple(name for name in FIGURES if _differ(getattr(said, name), getattr(known, name), tolerance))
        rows.append(Difference(day, model, said, known, differs))
    return rows


def _differ(theirs: Any, ours: Any, tolerance: Decimal) -> bool:
    if theirs is None:
        return False  # this export does not tell
    return abs(Decimal(theirs) - Decimal(ours or 0)) > tolerance * Decimal(theirs)


def _ledger(service: str, first: date, until: date, *, organization: Any, by_day_alone: bool) -> dict[Key, Figures]:
    # Across tenants unless one is named: the platform's own key is asked for everybody, and its account's export is of all of them.
    with scoping.across_tenants("a provider's export is of all organizations"):
        calls = ModelCall.across_tenants.filter(
            service=service,
            created_at__gte=datetime.combine(first, time(), UTC),
            created_at__lt=datetime.combine(until, time(), UTC),
        ).exclude(Q(outcome=Outcome.LOST) | Q(outcome=Outcome.FAILED, output_tokens=None))
        if organization is not None:
            calls = calls.filter(organization=organization)
        by = {"day": TruncDate("created_at", tzinfo=UTC)} | ({} if by_day_alone else {"of": F("model")})
        rows = calls.annotate(**by).order_by().values(*by).annotate(
            requests=Count("pk"),
            read=Coalesce(Sum("input_tokens"), 0),
            cached=Coalesce(Sum("cached_input_tokens"), 0),
            written=Coalesce(Sum("output_tokens"), 0),
            dollars=Sum("expected_cost"),
            unknown=Count("pk", filter=Q(expected_cost=None)),
        )  # fmt: skip
        return {
            (row["day"], row.get("of", ALL_MODELS)): Figures(
                row["requests"], row["read"], row["cached"], row["written"], row["dollars"], row["unknown"]
            )
            for row in rows
        }


# Reading ---------------------------------------------------------------------------------------------------------------


def read(content: bytes, *, advance: Callable[[int], None] = lambda _: None) -> dict[Key, Figures]:
    """An export's figures by day and model; `advance` hears of rows that were read. Raises Unreadable."""
    found: defaultdict[Key, Figures] = defaultdict(Figures)
    number = 0
    for number, row in enumerate(_rows(content), 1):
        try:
            _take(row, found)
        except (KeyError, TypeError, ValueError, InvalidOperation, OverflowError, OSError) as error:
            raise Unreadable(f"Row {number} is not one of OpenAI's usage or cost exports ({error!r:.120}).") from error
        advance(1)
    if not found:
        raise Unreadable("The file has no rows of usage or costs. Export completions usage, or costs, as CSV or JSON.")
    return dict(found)


def _rows(content: bytes) -> Iterator[Mapping[str, Any]]:
    """The results of all buckets, each with its bucket's begin; or the rows of a table."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("The file is no text in UTF-8.") from error
    if text.lstrip()[:1] in ("{", "["):
        yield from _buckets(text)
        return
    dialect: type[csv.Dialect] = csv.excel_tab if "\t" in text.partition("\n")[0] else csv.excel
    yield from csv.DictReader(io.StringIO(text), dialect=dialect)


def _buckets(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"The file is not JSON: {error}.") from error
    pages: Iterable[Any] = said if isinstance(said, list) else [said]
    try:
        for page in pages:
            for bucket in page.get("data", [page]):
                for result in bucket["results"]:
                    yield {**result, "start_time": bucket["start_time"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable("The file is not a page of buckets with results, as OpenAI's usage and cost endpoints give it.") from error


def _take(row: Mapping[str, Any], found: defaultdict[Key, Figures]) -> None:
    day = datetime.fromtimestamp(int(row["start_time"]), UTC).date()
    if "amount" in row or "amount_value" in row:
        amount = row.get("amount") or {"value": row.get("amount_value"), "currency": row.get("amount_currency")}
        if amount["value"] in (None, ""):
            return  # a day without costs
        if str(amount["currency"]).lower() != "usd":
            raise ValueError(f"costs in {amount['currency']}")
        model = str(row.get("line_item") or "").partition(",")[0].strip().lower()
        found[day, model].add("cost", _money(amount["value"]))
        return
    if row.get("num_model_requests") in (None, ""):
        return  # a day without calls
    figures = found[day, str(row.get("model") or "").lower()]
    figures.add("requests", _count(row["num_model_requests"]))
    figures.add("input_tokens", _count(row["input_tokens"]))
    figures.add("cached_input_tokens", _count(row.get("input_cached_tokens") or 0))
    figures.add("output_tokens", _count(row["output_tokens"]))


def _count(value: Any) -> int:
    found = Decimal(str(value))
    if not found.is_finite() or found < 0 or found != found.to_integral_value():
        raise ValueError(f"{value!r:.40} is no count")
    return int(found)


def _money(value: Any) -> Decimal:
    found = Decimal(str(value))
    if not found.is_finite():
        raise ValueError(f"{value!r:.40} is no amount")
    return found
