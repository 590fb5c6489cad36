"""What a model may have done for the person who asked it: tools with typed arguments. The registry of those that Parley itself offers.

    result = await tools.run(tools.OFFERED["run_analytics_report"], ToolCall(membership, arguments, now=now))

A tool acts with the caller's own rights and connections, whatever the model says: whom it runs for is never among its arguments.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

from tenants.models import Membership

SECONDS = 30.0  # that one call of a tool may take altogether
CONTENT_LIMIT = 24_000  # characters that a model is told
PROBLEM_LIMIT = 300  # characters of what was wrong, told to the model

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One use of a tool: for whom, with which arguments (checked by `run`), and when, which says what "today" is."""

    membership: Membership
    arguments: Mapping[str, Any]
    now: datetime


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of it. `content` is for the model, in words or JSON. `parts` are for the person, as plain data `{"type", "value"}`:

        table   {"title", "columns": [name, …], "rows": [[text or number, …], …]}
        chart   {"title", "kind": "line" | "bar", "labels": [text, …], "series": [{"name", "values": [number, …]}, …]}
        button  {"label", "action", "argument"?}      as of a message

    `error` is a word for programs where there is no result: `bad_arguments`, `timeout`, `not_connected`, …
    """

    content: str
    parts: tuple[Part, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is the JSON schema of an object, with `additionalProperties: false`; `description` tells a model when to use it."""

    name: str
    description: str
    parameters: dict[str, Any] = field(repr=False)
    run: Callable[[ToolCall], Awaitable[ToolResult]] = field(repr=False)


OFFERED: dict[str, Tool] = {}


def offer(tool: Tool) -> Tool:
    """Puts a tool of Parley's own into the registry, at start-up."""
    Draft202012Validator.check_schema(tool.parameters)
    if OFFERED.setdefault(tool.name, tool) is not tool:
        raise ValueError(f"There are two tools named {tool.name}.")
    return tool


async def run(tool: Tool, call: ToolCall, *, seconds: float = SECONDS) -> ToolResult:
    """Checks the arguments, then runs the tool, for at most this long. Whatever a model got wrong is a result that tells it so."""
    if wrong := problem(tool, call.arguments):
        return ToolResult(f"The arguments are not what {tool.name} takes: {wrong}", error="bad_arguments")
    try:
        async with asyncio.timeout(seconds):
            result = await tool.run(call)
    except TimeoutError:
        return ToolResult(f"{tool.name} took longer than {seconds:g} seconds and was ended. Ask for less, or later.", error="timeout")
    if len(result.content) > CONTENT_LIMIT:
        return ToolResult(result.content[:CONTENT_LIMIT] + " … (cut)", result.parts, result.error)
    return result


def problem(tool: Tool, arguments: Any) -> str:
    """What is wrong with these arguments, in a sentence; "" where nothing is."""
    found = best_match(Draft202012Validator(tool.parameters, format_checker=FormatChecker()).iter_errors(arguments))
    if found is None:
        return ""
    place = "/".join(map(str, found.absolute_path))
    return f"{place + ': ' if place else ''}{found.message}"[:PROBLEM_LIMIT]
