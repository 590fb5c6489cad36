"""The registry of tools: arguments are checked, time and size are bounded, and what a model gets wrong is told to it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations import tools
from integrations.tools import Tool, ToolCall, ToolResult

SCHEMA = {
    "type": "object",
    "required": ["since"],
    "properties": {"since": {"type": "string", "format": "date"}},
    "additionalProperties": False,
}


def call(arguments: Any) -> ToolCall:
    return ToolCall(None, arguments, now=datetime(2026, 11, 23, tzinfo=UTC))  # type: ignore[arg-type]  # this tool asks for nobody


def tool(answer: Any) -> Tool:
    async def run(call: ToolCall) -> ToolResult:
        return await answer(call)

    return Tool("look", "Looks.", SCHEMA, run)


async def say(call: ToolCall) -> ToolResult:
    return ToolResult(f"since {call.arguments['since']}")


async def test_checked_arguments_reach_the_tool():
    assert await tools.run(tool(say), call({"since": "2026-11-01"})) == ToolResult("since 2026-11-01")


@pytest.mark.parametrize("wrong", [{}, [], None, "x", {"since": 1}, {"since": "soon"}, {"since": "2026-11-01", "user_id": "greta"}])
async def test_wrong_arguments_are_told_and_run_nothing(wrong):
    async def never(call: ToolCall) -> ToolResult:
        raise AssertionError("it ran")

    result = await tools.run(tool(never), call(wrong))

    assert (result.error, result.parts) == ("bad_arguments", ())
    assert "not what look takes" in result.content


async def test_a_tool_that_does_not_come_back_is_ended():
    async def hang(call: ToolCall) -> ToolResult:
        await asyncio.Event().wait()
        raise AssertionError("it came back")

    assert (await tools.run(tool(hang), call({"since": "2026-11-01"}), seconds=0.01)).error == "timeout"


async def test_a_model_is_told_no_more_than_it_can_read():
    async def much(call: ToolCall) -> ToolResult:
        return ToolResult("x" * (2 * tools.CONTENT_LIMIT))

    result = await tools.run(tool(much), call({"since": "2026-11-01"}))

    assert len(result.content) < tools.CONTENT_LIMIT + 20


def test_two_tools_cannot_have_one_name(monkeypatch):
    monkeypatch.setattr(tools, "OFFERED", {})
    tools.offer(tool(say))
    with pytest.raises(ValueError, match="two tools"):
        tools.offer(tool(say))
