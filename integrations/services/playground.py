"""Trying a bridge before it goes live: one question to a draft or a version, and the trials that were kept of it.

A try is answered as the bridge would answer it, its tools called and its schema kept to, but never from the cache. It is a call like any
other, in the ledger with the purpose `playground`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError

from config import loop
from integrations import access, schemas, structures, variables
from integrations.models import Bridge, ModelConfiguration, Trial
from integrations.providers.base import CompletionRequest, ProviderError
from integrations.services import bridges, configurations, versions
from integrations.services.bridges import Asked, Caller
from integrations.services.configurations import LiveBridge
from integrations.services.http_tools import ToolRun
from tenants import roles
from tenants.models import Membership

PURPOSE = "playground"
AT_ONCE = 4
TRIALS_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try. `error` is a sentence where there is no answer; what is None is not known."""

    text: str = ""
    error: str = ""
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None
    latency_ms: int | None = None
    first_token_ms: int | None = None
    tools: tuple[ToolRun, ...] = ()


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait of a trial, and whether the answer has it; None where that cannot be known, as of a cost without a price."""

    type: str
    value: Any
    holds: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial that was run."""

    trial: Trial
    outcome: Outcome
    traits: tuple[Trait, ...]

    @property
    def passed(self) -> bool:
        return not self.outcome.error and all(trait.holds for trait in self.traits)


@dataclass(frozen=True, slots=True)
class _Asked:
    live: LiveBridge
    caller: Caller
    request: CompletionRequest


def run(
    bridge: Bridge,
    membership: Membership,
    *,
    text: str = "",
    values: Mapping[str, Any] | None = None,
    version: int | None = None,
    model_configuration: Any = None,
) -> Outcome:
    """Asks the draft, or a version, perhaps with another model. Waits for the answer.

    Raises `Forbidden`, `NotFound` for a version that is not there, `ModelsGone`, and `ValidationError` for variables that do not fit.
    """
    content = _content(bridge, membership, version=version, model_configuration=model_configuration)
    return loop.run(_ask(_asked(bridge, membership, content, text=text, values=values or {}, version=version)))


def run_trials(bridge: Bridge, membership: Membership, *, version: int | None = None) -> list[Tried]:
    """Runs all trials of a bridge, some at once. Raises as `run` does; a variable that does not fit fails its trial alone."""
    content = _content(bridge, membership, version=version)
    trials = list(Trial.objects.for_tenant(bridge.organization_id).filter(bridge=bridge)[:TRIALS_LIMIT])
    asked: list[_Asked | Outcome] = []
    for trial in trials:
        try:
            asked.append(_asked(bridge, membership, content, text=trial.text, values=trial.values, version=version))
        except ValidationError as error:
            asked.append(Outcome(error=" ".join(error.messages)))
    outcomes = loop.run(_ask_all(asked))
    return [Tried(trial, outcome, judge(trial.traits, outcome)) for trial, outcome in zip(trials, outcomes, strict=True)]


def judge(traits: Sequence[Mapping[str, Any]], outcome: Outcome) -> tuple[Trait, ...]:
    """Whether an answer has these traits. Pure."""
    return tuple(Trait(trait["type"], trait["value"], *_judged(trait["type"], trait["value"], outcome)) for trait in traits)


def _judged(kind: str, value: Any, outcome: Outcome) -> tuple[bool | None, str]:
    text = outcome.text
    if outcome.error:
        return None, "There is no answer."
    if kind == "contains":
        return value in text, ""
    if kind == "lacks":
        return value not in text, ""
    if kind == "matches":
        return bool(schemas.pattern(value).search(text)), ""
    if kind == "max_length":
        return len(text) <= value, f"{len(text):,} characters"
    if kind == "max_cost":
        if outcome.cost is None:
            return None, "The price is unknown."
        return outcome.cost <= Decimal(str(value)), f"${outcome.cost.normalize():f}"
    wrong = structures.problem(text, value)
    return not wrong, wrong


def _content(bridge: Bridge, membership: Membership, *, version: int | None, model_configuration: Any = None) -> dict[str, Any]:
    roles.require(membership, access.CALL)
    content = versions.content_of(bridge) if version is None else versions.numbered(bridge, version).content
    if model_configuration is not None:
        other = access.found(ModelConfiguration, membership, pk=model_configuration)
        content = {**content, "models": [versions.model_content(other)]}
    return content


def _asked(
    bridge: Bridge, membership: Membership, content: Mapping[str, Any], *, text: str, values: Mapping[str, Any], version: int | None
) -> _Asked:
    version_id = "" if version is None else str(versions.numbered(bridge, version).id)
    live = configurations.with_keys(bridge, content, version_id=version_id, number=version or 0)
    caller = Caller(membership=membership)
    try:
        request = bridges.request_of(live, caller, Asked(text=text, values=values))
    except variables.VariableError as error:
        raise ValidationError({"variables": error.sentence}) from error
    if not any(message.role == "user" for message in request.messages):
        raise ValidationError({"text": "Ask something: neither the template nor the question says anything."})
    return _Asked(live, caller, replace(request, purpose=PURPOSE, version_id=live.version_id or None))


async def _ask_all(asked: Sequence[_Asked | Outcome]) -> list[Outcome]:
    some = asyncio.Semaphore(AT_ONCE)

    async def one(asked: _Asked | Outcome) -> Outcome:
        if isinstance(asked, Outcome):
            return asked
        async with some:
            return await _ask(asked)

    return list(await asyncio.gather(*map(one, asked)))


async def _ask(asked: _Asked) -> Outcome:
    texts: list[str] = []
    answering = await bridges.ask(asked.live, asked.caller, asked.request, streamed=False, from_memory=False)
    try:
        async for piece in answering.source:
            if isinstance(piece, str):
                texts.append(piece)
            else:
                answered = piece
    except ProviderError as error:
        return Outcome(error=error.sentence)
    return Outcome(
        text="".join(texts),
        model=answered.model,
        input_tokens=answered.usage.input_tokens,
        output_tokens=answered.usage.output_tokens,
        cost=answered.cost,
        latency_ms=answered.latency_ms,
        first_token_ms=next((call.first_token_ms for call in answered.attempts if call.first_token_ms is not None), None),
        tools=answered.tool_runs,
    )
