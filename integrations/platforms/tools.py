"""The tools by which a model asks the platforms (S1-34): always with the caller's own connection, never with one that it names.

`run_analytics_report`, `ads_performance` and `meta_insights` read figures and give a table and a chart; `connect_platform` gives the button
that leads to where something is connected, as the others do where nothing is.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from config import json, loop
from integrations import access, tools
from integrations.choices import PlatformName
from integrations.models import PlatformConnection
from integrations.platforms import registry
from integrations.platforms.base import ROWS_LIMIT, Asked, Fault, Figures, Platform, PlatformError
from integrations.services import connections
from integrations.tools import Tool, ToolCall, ToolResult
from tenants import scoping
from tenants.errors import Forbidden

DAYS = 28  # that are read where nobody says which
DAYS_LIMIT = 366
METRICS_LIMIT, DIMENSIONS_LIMIT = 6, 3
CHART_LIMIT = 60  # points
ROWS = 25  # of a table, where nobody says how many
TIMES = ("date", "week", "month")

# What a button says that it does, of the chat's closed list of actions.
ACTIONS = {
    PlatformName.GOOGLE_ANALYTICS: "oauth_google",
    PlatformName.GOOGLE_ADS: "oauth_google",
    PlatformName.META_ADS: "oauth_meta",
}


def connect_button(platform: Platform, *, again: bool = False) -> tools.Part:
    """S1-28: the button that leads to where this platform is connected."""
    label = f"{'Reconnect' if again else 'Connect'} {platform.label}"
    return {"type": "button", "value": {"label": label, "action": ACTIONS[platform.name], "argument": platform.name.value}}


async def _connect(call: ToolCall) -> ToolResult:
    platform = registry.platform(call.arguments["platform"])
    try:
        have = await loop.in_thread(_connected, call, platform)
    except Forbidden as problem:
        return ToolResult(str(problem), error="forbidden")
    real = [one for one in have if one.is_usable and not one.is_demo]
    if real:
        return ToolResult(f"{platform.label} is connected already: {', '.join(one.account_name for one in real)}. Its tools can be used.")
    return ToolResult(f"A button to connect {platform.label} is shown below the answer.", (connect_button(platform),))


async def _read(name: PlatformName, call: ToolCall) -> ToolResult:
    platform = registry.platform(name)
    asked = _asked(platform, call)
    if isinstance(asked, str):
        return ToolResult(asked, error="bad_arguments")
    try:
        have = await loop.in_thread(_connected, call, platform)
    except Forbidden as problem:
        return ToolResult(str(problem), error="forbidden")
    usable = [one for one in have if one.is_usable]
    if not usable:
        return _not_connected(platform, have)
    wanted = call.arguments.get("account")
    chosen = next((one for one in usable if wanted in (None, one.account_name, one.account_id)), None)
    if chosen is None:
        names = ", ".join(one.account_name for one in usable)
        return ToolResult(f"No connected account of {platform.label} is called {wanted!r}. Connected are: {names}.", error="bad_arguments")
    if chosen.is_demo:
        return _told(platform, chosen, asked, _sample(platform, asked), connect_button(platform))
    try:
        figures = await _ask(platform, chosen, asked)
    except PlatformError as problem:
        parts = (connect_button(platform, again=True),) if problem.fault == Fault.REVOKED else ()
        return ToolResult(str(problem), parts, problem.fault.value)
    return _told(platform, chosen, asked, figures)


def _not_connected(platform: Platform, have: Sequence[PlatformConnection]) -> ToolResult:
    again = any(one.account_id for one in have)
    why = next((one.error_message for one in have if one.error_message), f"{platform.label} is not connected.")
    return ToolResult(f"{why} A button to connect it is shown.", (connect_button(platform, again=again),), "not_connected")


def _connected(call: ToolCall, platform: Platform) -> list[PlatformConnection]:
    """The caller's own connections to the platform, real ones before the demo."""
    with scoping.tenant(call.membership.organization_id):
        found = access.connections_for(call.membership).filter(platform=platform.name, is_connected=True)
        return list(found.order_by("is_demo", "-connected_at"))


async def _ask(platform: Platform, connection: PlatformConnection, asked: Asked) -> Figures:
    token = await connections.fresh_token(connection)
    try:
        figures = await platform.read(token, connection.platform_data, asked)
    except PlatformError as problem:
        await connections.note_problem(connection, problem)
        raise
    await connections.note_read(connection)
    return figures


def _asked(platform: Platform, call: ToolCall) -> Asked | str:
    """What the arguments ask for; a sentence where they contradict each other."""
    given, today = call.arguments, call.now.date()
    try:
        until = date.fromisoformat(given["until"]) if "until" in given else today - timedelta(days=1)
        since = date.fromisoformat(given["since"]) if "since" in given else until - timedelta(days=DAYS - 1)
    except (ValueError, OverflowError):
        return "since and until are days, such as 2026-01-31."
    if since > until:
        return f"The period ends ({until}) before it begins ({since})."
    if until > today or (until - since).days >= DAYS_LIMIT:
        return f"Ask for at most {DAYS_LIMIT} days, until today ({today}) at the latest."
    dimensions = tuple(given.get("dimensions", platform.dimensions[:1]))
    limit = given.get("limit", ROWS_LIMIT if _over_time(dimensions) else ROWS)
    return Asked(tuple(given["metrics"]), dimensions, since, until, limit)


def _over_time(dimensions: Sequence[str]) -> bool:
    return len(dimensions) == 1 and dimensions[0] in TIMES


# What is told ------------------------------------------------------------------------------------------------------------


def _told(platform: Platform, connection: PlatformConnection, asked: Asked, figures: Figures, *more: tools.Part) -> ToolResult:
    title = f"{platform.label}: {connection.account_name}, {asked.since} to {asked.until}"
    if connection.is_demo:
        title = f"{title} (not real)"
    columns = [*figures.dimensions, *figures.metrics]
    table: tools.Part = {"type": "table", "value": {"title": title, "columns": columns, "rows": [list(row) for row in figures.rows]}}
    said = {"source": title, "is_sample_data": connection.is_demo, "is_whole": figures.is_whole, **table["value"]}
    charts = (_chart(title, figures),) if figures.rows and figures.dimensions else ()
    return ToolResult(json.dumps(said).decode(), (table, *charts, *more))


def _chart(title: str, figures: Figures) -> tools.Part:
    shown = figures.rows[:CHART_LIMIT]
    first = len(figures.dimensions)
    series = [{"name": name, "values": [row[first + place] for row in shown]} for place, name in enumerate(figures.metrics)]
    labels = [" · ".join(str(cell) for cell in row[:first]) for row in shown]
    kind = "line" if _over_time(figures.dimensions) else "bar"
    return {"type": "chart", "value": {"title": title, "kind": kind, "labels": labels, "series": series}}


# Sample data -------------------------------------------------------------------------------------------------------------

SAMPLE_WORDS = ("Alpha", "Beta", "Gamma", "Delta", "Epsilon")


def _sample(platform: Platform, asked: Asked) -> Figures:
    """Figures of nobody, the same for the same question."""
    days = [asked.since + timedelta(days=place) for place in range((asked.until - asked.since).days + 1)]
    along = [day.isoformat() for day in days] if "date" in asked.dimensions else list(SAMPLE_WORDS)
    keys = [
        tuple(one if name == "date" else f"{name} {SAMPLE_WORDS[place % len(SAMPLE_WORDS)]}" for name in asked.dimensions)
        for place, one in enumerate(along if asked.dimensions else along[:1])
    ]
    rows: tuple[tuple[str | float, ...], ...] = tuple(
        (*key, *(_number(platform.name, name, key) for name in asked.metrics)) for key in keys[: asked.limit]
    )
    return Figures(asked.dimensions, asked.metrics, rows, len(keys) <= asked.limit)


def _number(*of: Any) -> float:
    digest = hashlib.sha256(repr(of).encode()).digest()
    return 100 + int.from_bytes(digest[:2]) % 900


# The registry ------------------------------------------------------------------------------------------------------------


def _parameters(platform: Platform) -> dict[str, Any]:
    day = {"type": "string", "format": "date", "description": "Such as 2026-01-31."}
    return {
        "type": "object",
        "required": ["metrics"],
        "additionalProperties": False,
        "properties": {
            "metrics": {
                "type": "array",
                "items": {"type": "string", "enum": list(platform.metrics)},
                "minItems": 1,
                "maxItems": METRICS_LIMIT,
                "uniqueItems": True,
            },
            "dimensions": {
                "type": "array",
                "items": {"type": "string", "enum": list(platform.dimensions)},
                "maxItems": DIMENSIONS_LIMIT,
                "uniqueItems": True,
                "description": f"What the rows are of; {platform.dimensions[0]} where it is left out.",
            },
            "since": {**day, "description": f"The first day. {DAYS} days are read where it is left out."},
            "until": {**day, "description": "The last day; yesterday where it is left out."},
            "limit": {"type": "integer", "minimum": 1, "maximum": ROWS_LIMIT, "description": "Rows at most."},
            "account": {"type": "string", "maxLength": 200, "description": "Of several connected accounts, the name of one."},
        },
    }


def _offer_reading(name: str, platform: PlatformName, what: str) -> None:
    found = registry.platform(platform)
    description = f"{what} of the asker's own {found.label} account. Where it is not connected, a button to connect it is shown."
    tools.offer(Tool(name, description, _parameters(found), partial(_read, platform)))


_offer_reading("run_analytics_report", PlatformName.GOOGLE_ANALYTICS, "Visitors, sessions, pages and events")
_offer_reading("ads_performance", PlatformName.GOOGLE_ADS, "Impressions, clicks, cost and conversions")
_offer_reading("meta_insights", PlatformName.META_ADS, "Impressions, reach, clicks and spending")
tools.offer(
    Tool(
        "connect_platform",
        "Shows a button by which the asker connects one of their accounts, such as Google Analytics.",
        {
            "type": "object",
            "required": ["platform"],
            "additionalProperties": False,
            "properties": {"platform": {"type": "string", "enum": PlatformName.values}},
        },
        _connect,
    )
)
