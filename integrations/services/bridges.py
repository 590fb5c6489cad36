"""Answering by a bridge, for programs: the gateway, REST, and whoever comes later.

1. The version's prompt, template and variables go before what the caller says (pure).
2. Who asks the same of the same version within its time is given the same answer again, unless tools are at hand: what they say changes.
3. The model is asked. Where it wants tools of the bridge called, they are, and it is asked again, with what they said: data for the model,
   never instructions to us. Tools that the caller brought along are the caller's to call.
4. An answer that is to follow the bridge's schema is held back until it does. One that does not costs another try, and then an error.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

import orjson
from prometheus_client import Counter

from config import loop, redis
from integrations import cache, structures, tools, variables
from integrations.drafts import ROUNDS_LIMIT
from integrations.providers.base import Attempt, ChatMessage, Code, CompletionRequest, Finished, ProviderError, ToolUse, Usage
from integrations.services import budgets, completions, http_tools, rounds
from integrations.services.configurations import LiveBridge
from integrations.services.http_tools import ToolRun
from integrations.tools import Tool
from integrations.variables import VariableError
from tenants.models import Membership

log = logging.getLogger(__name__)

LOOKED_UP = Counter("parley_answer_cache_total", "Questions to bridges that were looked for among earlier answers.", ["result"])

PURPOSE = "bridge"
THREAD_LIMIT = 200  # characters of a program's names


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """For whom it is: a member, and the key that their program showed."""

    membership: Membership
    api_key_id: str | None = None
    api_key_name: str = ""

    @property
    def owner(self) -> dict[str, str]:
        """Whose answers are whose. By `user` they are found where a person is erased, as chat's own are that stand beside them."""
        return {"user": str(self.membership.user_id), "key": self.api_key_id or ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which thread of a bridge, and the program's name for this turn: the same again is answered with the same. `reset`: nothing that was
    said before counts from here on."""

    thread_id: str
    sub_thread_id: str = ""
    client_id: str = ""
    reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a program asks. `parameters` and `response_format` go before those of the bridge; `tools` are the caller's own; `values` are of
    the bridge's variables; `place` is the thread that it is said in, if any (`integrations/services/threads.py`)."""

    text: str = ""
    messages: tuple[ChatMessage, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = None
    response_format: Mapping[str, Any] | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The end of an answer: `usage` and `cost` are of all calls it took, cost is None where one's is unknown. `tool_uses` are the caller's
    to run. `attempts` are all calls of all rounds."""

    model: str
    finish_reason: str
    usage: Usage
    cost: Decimal | None
    tool_uses: tuple[ToolUse, ...] = ()
    tool_runs: tuple[ToolRun, ...] = ()
    from_cache: bool = False
    attempts: tuple[Attempt, ...] = ()
    provider: str = ""
    latency_ms: int = 0


def request_of(live: LiveBridge, caller: Caller, asked: Asked) -> CompletionRequest:
    """What a model is asked. Pure. Raises VariableError."""
    content = live.content
    if strange := variables.unknown(asked.values, content["variables"], (content["template"] or {"variables": []})["variables"]):
        raise VariableError(strange[0], f"There is no variable {strange[0][:63]!r}. Take it out.")
    before = messages(content, asked.text, asked.values)
    own = _functions(content) if content["is_api_call"] else ()
    membership = caller.membership
    return CompletionRequest(
        organization_id=live.organization_id,
        messages=(*before, *asked.messages),
        purpose=PURPOSE,
        schema=None if asked.response_format is not None else content["response_schema"],
        response_format=asked.response_format,
        variables=asked.values,
        user_id=membership.user_id,
        department_id=membership.department_id,
        api_key_id=caller.api_key_id,
        api_key_name=caller.api_key_name,
        bridge_id=live.id,
        version_id=live.version_id,
        targets=live.targets,
        parameters={**content["configuration"], **asked.parameters},
        tools=(*own, *asked.tools),
        tool_choice=asked.tool_choice,
    )


def messages(content: Mapping[str, Any], text: str, values: Mapping[str, Any]) -> tuple[ChatMessage, ...]:
    """What a model is told by a version's content: the filled system prompt, and the filled template with the question below it.
    Raises `variables.VariableError`."""
    template = content.get("template") or {"text": "", "variables": []}
    system = variables.fill(content["system_prompt"], content["variables"], values)
    asked = variables.fill(template["text"], template["variables"], values)
    question = "\n\n".join(part for part in (asked, text) if part.strip())
    return tuple(ChatMessage(role, part) for role, part in (("system", system), ("user", question)) if part.strip())


@dataclass(frozen=True, slots=True)
class Answering:
    """An answer under way. `source` yields text as it arrives, then one Answered; it raises ProviderError, and closing it ends the call at
    once."""

    source: AsyncGenerator[str | Answered, None]
    from_cache: bool = False
    begun: Sequence[completions.Completion] = ()  # grows

    @property
    def standing(self) -> budgets.Standing | None:
        """How the budget with the least left stood as the last call began; None where no budget concerns it."""
        return self.begun[-1].standing if self.begun else None


async def ask(
    live: LiveBridge, caller: Caller, request: CompletionRequest, *, streamed: bool = True, from_memory: bool = True
) -> Answering:
    """Looks whether it was answered before, unless not `from_memory`; nobody is asked until the source is read."""
    key = _cache_key(live, caller, request) if from_memory else None
    if key:
        found = await _remembered(key, caller)
        LOOKED_UP.labels("hit" if found else "miss").inc()
        if found:
            return Answering(said_before(*found), from_cache=True)
    begun: list[completions.Completion] = []
    return Answering(_answer(live, caller, request, begun, key=key, streamed=streamed), begun=begun)


async def said_before(text: str, answered: Answered) -> AsyncGenerator[str | Answered, None]:
    """An answer that is there, as one that is written."""
    if text:
        yield text
    yield answered


async def _answer(
    live: LiveBridge,
    caller: Caller,
    request: CompletionRequest,
    begun: list[completions.Completion],
    *,
    key: str | None,
    streamed: bool,
) -> AsyncGenerator[str | Answered, None]:
    own = {tool["name"]: tool for tool in live.content["tools"]} if live.content["is_api_call"] else {}
    offered = {tool.name: tool for tool in _offered(live.content)} if live.content["is_api_call"] else {}
    given = {tool["function"]["name"] for tool in request.tools} - own.keys() - offered.keys()  # those that the caller brought along
    most = min(int(live.content["api_call"].get("max_rounds") or ROUNDS_LIMIT), ROUNDS_LIMIT)
    runs: list[ToolRun] = []
    texts: list[str] = []
    attempts: list[Attempt] = []
    usage, cost = Usage(0, 0), Decimal(0)
    schema, tries, called = request.schema, 1, 0
    began = time.monotonic()
    known = True
    while True:
        said: list[str] = []
        finished: Finished | None = None
        source = completions.Completion(request, streamed=streamed)
        begun.append(source)
        try:
            async for piece in source:
                if isinstance(piece, Finished):
                    finished = piece
                else:
                    said.append(piece)
                    if schema is None:
                        yield piece
        except ProviderError as error:
            error.attempts = (*attempts, *error.attempts)
            raise
        finally:
            await source.aclose()
            attempts += source.attempts
        assert finished is not None
        usage = rounds.total(usage, finished.usage)
        known = known and finished.cost is not None
        cost += finished.cost or 0
        texts = said if schema is not None else texts + said
        theirs = tuple(use for use in finished.tool_uses if use.name in given)
        ours = [use for use in finished.tool_uses if use.name not in given]
        if ours and not theirs and called < most:
            called += 1
            results = list(await asyncio.gather(*(_run(live, caller, own, offered, use) for use in ours)))
            runs += results
            request = rounds.asked_again(request, "".join(said), ours, results, is_last=called == most)
            continue
        if schema is None or theirs:
            break
        wrong = await loop.in_thread(structures.problem, "".join(said), schema)
        if not wrong:
            break
        if tries == structures.TRIES:
            raise _unfit(wrong, attempts)
        tries += 1
        request = structures.once_more(request, said="".join(said), problem=wrong)
    if schema is not None and texts:
        yield "".join(texts)
    answered = Answered(
        model=finished.model,
        finish_reason=finished.finish_reason if theirs or not ours else "stop",
        usage=usage,
        cost=cost if known else None,
        tool_uses=theirs,
        tool_runs=tuple(runs),
        attempts=tuple(attempts),
        provider=finished.provider,
        latency_ms=round((time.monotonic() - began) * 1_000),
    )
    if key:
        await _remember(key, caller, "".join(texts), answered, seconds=live.content["cache_seconds"])
    yield answered


def _unfit(wrong: str, attempts: Sequence[Attempt]) -> ProviderError:
    sentence = f"The model was asked {structures.TRIES} times, and its answer does not follow the bridge's schema. {wrong}"
    error = ProviderError(Code.UNFIT, f"{sentence} Ask again, or ask for less.", detail=wrong)
    error.attempts = tuple(attempts)
    return error


async def _run(
    live: LiveBridge, caller: Caller, own: Mapping[str, Mapping[str, Any]], offered: Mapping[str, Tool], use: ToolUse
) -> ToolRun:
    """Calls what a model wants called, with the caller's own rights. Raises nothing: what went wrong is told to the model."""
    if use.name in own:
        return await http_tools.run(live, own[use.name], use)
    return await rounds.run(caller.membership, offered, use)


def _offered(content: Mapping[str, Any]) -> list[Tool]:
    return [tools.OFFERED[name] for name in content.get("offered", ()) if name in tools.OFFERED]


def _functions(content: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The bridge's tools in the words of OpenAI's interface."""
    known = [(tool["name"], tool["description"], tool["parameters"]) for tool in content["tools"]]
    known += [(tool.name, tool.description, tool.parameters) for tool in _offered(content)]
    return tuple(rounds.function(*one) for one in known)


# The cache -------------------------------------------------------------------------------------------------------------


def _cache_key(live: LiveBridge, caller: Caller, request: CompletionRequest) -> str | None:
    if not live.content["cache_seconds"] or request.tools:
        return None
    hashed = hashlib.sha256()
    said = [(message.role, message.text, [asdict(use) for use in message.tool_uses], message.tool_use_id) for message in request.messages]
    models = [(target.service, target.base_url, target.model, target.parameters) for target in request.targets]
    how = [caller.owner, said, models, request.parameters, request.schema, request.response_format]
    hashed.update(orjson.dumps(how, option=orjson.OPT_SORT_KEYS))
    for message in request.messages:
        for picture in message.pictures:
            hashed.update(hashlib.sha256(picture.data).digest())
    return cache.answer(live.organization_id, bridge=live.id, version=live.version_id, digest=hashed.hexdigest())


async def _remembered(key: str, caller: Caller) -> tuple[str, Answered] | None:
    try:
        raw = await redis.async_client().get(key)
    except redis.AWAY:
        return None
    found = orjson.loads(raw) if raw else {}
    if found.get("owner") != caller.owner:
        return None
    answered = Answered(
        model=found["model"],
        finish_reason=found["finish_reason"],
        usage=Usage(**found["usage"]),
        cost=Decimal(0),
        from_cache=True,
    )
    return found["text"], answered


async def _remember(key: str, caller: Caller, text: str, answered: Answered, *, seconds: int) -> None:
    if answered.finish_reason != "stop" or answered.tool_uses:
        return
    value = orjson.dumps(
        {
            "owner": caller.owner,
            "text": text,
            "model": answered.model,
            "finish_reason": answered.finish_reason,
            "usage": asdict(answered.usage),
        }
    )
    if len(value) > cache.ANSWER_BYTES:
        return
    try:
        await redis.async_client().set(key, value, ex=seconds)
    except redis.AWAY:
        pass  # it is asked again the next time
