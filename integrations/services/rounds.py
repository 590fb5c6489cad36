"""A round of tools: what a model wants called is called for who asks, and the model is asked again, with what the tools said.

That is data for the model, never instructions to us. Bridges and chat go through here.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from django.utils import timezone

from integrations import tools
from integrations.providers.base import ChatMessage, CompletionRequest, ToolUse, Usage
from integrations.services.http_tools import ToolRun
from integrations.tools import Tool, ToolCall
from tenants.models import Membership

NAME_SHOWN, SHOWN = 200, 4_000  # characters of what a model wrote that are kept


def function(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in the words of OpenAI's interface."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


async def run(membership: Membership, offered: Mapping[str, Tool], use: ToolUse) -> ToolRun:
    """Calls one of Parley's own tools, with this member's rights. Raises nothing: what went wrong is told to the model."""
    if use.name not in offered:
        return ToolRun(use.name[:NAME_SHOWN], use.arguments[:SHOWN], "There is no tool of this name.", error="no_such_tool")
    began = time.monotonic()
    try:
        arguments = orjson.loads(use.arguments or "{}")
    except orjson.JSONDecodeError:
        return ToolRun(use.name, use.arguments[:SHOWN], "The arguments are no JSON.", error="bad_arguments")
    result = await tools.run(offered[use.name], ToolCall(membership, arguments, now=timezone.now()))
    took = round((time.monotonic() - began) * 1_000)
    return ToolRun(use.name, use.arguments[:SHOWN], result.content, error=result.error, latency_ms=took, parts=result.parts)


def asked_again(
    request: CompletionRequest, text: str, uses: Sequence[ToolUse], runs: Sequence[ToolRun], *, is_last: bool
) -> CompletionRequest:
    said = ChatMessage("assistant", text, tool_uses=tuple(uses))
    told = tuple(ChatMessage("tool", run.content, tool_use_id=use.id) for use, run in zip(uses, runs, strict=True))
    # Whoever has called enough tools has to answer now; asked for a certain tool, a model would call it for ever.
    return replace(request, messages=(*request.messages, said, *told), tool_choice="none" if is_last else None)


def total(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_input_tokens + other.cached_input_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
        estimated=one.estimated or other.estimated,
    )
