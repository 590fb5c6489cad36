"""The figures of people's own accounts with platforms, in a chat's answer (S1-34).

A model is told of these tools only where the question, or one shortly before it, speaks of such figures: they cost every prompt some
seven hundred tokens, and asking first who has connected what would cost every question a query. What a tool says goes to the model as
data; its table, chart or button goes below the answer.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from chat import parts
from chat.parts import Part, PartWrong
from config.failpoints import failpoint
from integrations import tools
from integrations.drafts import ROUNDS_LIMIT
from integrations.providers.base import CompletionRequest, Finished, ProviderError
from integrations.services import completions, rounds
from integrations.services.http_tools import ToolRun
from integrations.tools import Tool
from tenants.models import Membership

log = logging.getLogger(__name__)

NAMES = ("run_analytics_report", "ads_performance", "meta_insights", "connect_platform")
SHOWN = 8  # parts of one answer
ASKED_BEFORE = 3  # questions that still say what it is about
SPOKEN_OF = re.compile(
    r"\b(?:google|analytics|ga4|adwords|meta|facebook|instagram|ads?|advert\w*|campaigns?|kampagnen?|campagnes?|campañas?|marketing"
    r"|website|web ?site|page ?views?|visitors?|besucher\w*|visiteurs?|visitantes?|traffic|impressions?|clicks?|conversions?|sessions?)\b",
    re.IGNORECASE,
)

Tools = Mapping[str, Tool]


def offered(asked: Iterable[str]) -> Tools:
    """The tools that a model is told of, by these questions: the latest and those before it, newest first."""
    recent = (text for _, text in zip(range(ASKED_BEFORE), asked, strict=False))
    if not any(SPOKEN_OF.search(text) for text in recent):
        return {}
    return {name: tools.OFFERED[name] for name in NAMES}


def functions(offered: Tools) -> tuple[dict[str, Any], ...]:
    return tuple(rounds.function(tool.name, tool.description, tool.parameters) for tool in offered.values())


async def stream(request: CompletionRequest, membership: Membership, runs: list[ToolRun]) -> AsyncGenerator[str | Finished, None]:
    """As `completions.stream`, over as many rounds as the model wants, 8 at most; what was called is added to `runs`.

    The Finished has tokens, cost and attempts of all rounds. Raises ProviderError, with the attempts of all rounds.
    """
    told_of = {tool["function"]["name"] for tool in request.tools}
    offered = {name: tool for name, tool in tools.OFFERED.items() if name in told_of}
    before: Finished | None = None
    has_spoken = False
    for number in range(1, ROUNDS_LIMIT + 2):
        said: list[str] = []
        finished: Finished | None = None
        source = completions.stream(request)
        try:
            async for piece in source:
                if isinstance(piece, Finished):
                    finished = piece
                    continue
                yield f"\n\n{piece}" if has_spoken and not said else piece  # what was said before the tools is a paragraph of its own
                said.append(piece)
        except ProviderError as error:
            error.attempts = (*(before.attempts if before else ()), *error.attempts)
            raise
        finally:
            await source.aclose()
        if finished is None:
            return
        has_spoken = has_spoken or bool(said)
        before = finished if before is None else _both(before, finished)
        if not finished.tool_uses or number > ROUNDS_LIMIT:
            break
        results = list(await asyncio.gather(*(rounds.run(membership, offered, use) for use in finished.tool_uses)))
        runs += results
        failpoint("answer.tools_called")
        request = rounds.asked_again(request, "".join(said), finished.tool_uses, results, is_last=number == ROUNDS_LIMIT)
    assert before is not None
    yield before


def _both(before: Finished, last: Finished) -> Finished:
    """The end of an answer that took several rounds."""
    costs = (before.cost, last.cost)
    return replace(
        last,
        usage=rounds.total(before.usage, last.usage),
        cost=None if None in costs else sum(filter(None, costs), Decimal(0)),
        cost_known=before.cost_known and last.cost_known,
        latency_ms=before.latency_ms + last.latency_ms,
        first_token_ms=last.first_token_ms if before.first_token_ms is None else before.first_token_ms,
        attempts=(*before.attempts, *last.attempts),
    )


def beside(runs: Iterable[ToolRun]) -> list[Part]:
    """What the tools show to the person, each once, in the order that it came."""
    found: list[Part] = []
    for part in (dict(part) for run in runs for part in run.parts):
        try:
            part = parts.fitted(part)
        except PartWrong as error:
            log.warning("What a tool shows is no part of a message: %s %s", error.path, error.sentence)
            continue
        if part not in found:
            found.append(part)
    return found[:SHOWN]


def as_stored(runs: Iterable[ToolRun]) -> list[dict[str, Any]]:
    """What was called, as its message keeps it; shortened."""
    return [
        {
            "name": run.name,
            "arguments": run.arguments[: rounds.SHOWN],
            "result": run.content[: rounds.SHOWN],
            "status": run.status,
            "error": run.error,
            "latency": run.latency_ms,
        }
        for run in runs
    ]
