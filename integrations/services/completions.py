"""Asking a model: the one way to an answer, whoever the provider is.

1. The registry says which routes there are, a provider and a model each.
2. A route is asked. Before its first text, an error that may pass is tried again, with a pause that grows, and one that does not
   pass moves on to the next route. After the first text every error is the end: half an answer is never followed by another one.
3. What a call may cost is reserved in the budgets that concern it before it is made, and settled when it has ended.
4. Every call goes to the ledger, also the failed and the cancelled, when it has ended.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import uuid_utils.compat as uuid

from integrations.errors import BudgetExceeded
from integrations.providers import prices, registry
from integrations.providers.base import (
    Attempt,
    Code,
    CompletionRequest,
    Ending,
    Finished,
    Outcome,
    ProviderError,
    Usage,
    estimate,
    without_pictures,
)
from integrations.services import budgets, ledger

CALLS = 3  # to one route
PAUSES = (0.25, 4.0)  # seconds before the second call, and most
PATIENCE = 10.0  # seconds that we wait because a provider says so (Retry-After); longer is told to the person instead
# A time-out has already cost the person a minute: the next route may be quicker, the same one hardly.
NOT_AGAIN = (Code.TIMEOUT,)


class Completion:
    """An answer under way. Iterate it for `str` pieces and one `Finished` at the end; close it to end the call at once.

    `attempts` are the calls that have ended so far, also after it was closed or failed. `standing` is how the budget with the least left
    stood as the last call began, None where no budget concerns it.
    """

    def __init__(self, request: CompletionRequest, *, streamed: bool = True) -> None:
        self._attempts: list[Attempt] = []
        self._holds: list[budgets.Hold] = []
        self._generator = _answer(request, self._attempts, self._holds, streamed=streamed)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts)

    @property
    def standing(self) -> budgets.Standing | None:
        return self._holds[-1].standing if self._holds else None

    def __aiter__(self) -> AsyncIterator[str | Finished]:
        return self._generator  # not self: one call less for every piece

    async def __anext__(self) -> str | Finished:
        return await anext(self._generator)

    async def aclose(self) -> None:
        await self._generator.aclose()


def stream(request: CompletionRequest) -> Completion:
    """Yields text as it arrives, one string for each read, then exactly one Finished. Raises ProviderError.

    Closing it, or cancelling the task that iterates it, closes the connection to the provider at once.
    """
    return Completion(request)


def lost(
    *, organization_id: str, conversation_id: str, message_id: str, attempt: int, started_at: datetime, seen_at: datetime, written: int
) -> Attempt:
    """What is known of a call whose process died: since when it was under way, until when at least, and how many characters had been
    written by then. Provider, tokens and cost are unknown."""
    return Attempt(
        id=uuid.uuid7(),
        started_at=started_at,
        organization_id=organization_id,
        provider="",
        model="",
        outcome=Outcome.LOST,
        error_code=Code.INCOMPLETE.value,
        error=f"The process that made this call died. {written:,} characters had been kept.",
        first_attempt_error="",
        usage=None,
        cost=None,
        finish_reason="",
        latency_ms=max(round((seen_at - started_at).total_seconds() * 1_000), 0),
        first_token_ms=None,
        purpose="answer",
        attempt=attempt,
        call=1,
        conversation_id=conversation_id,
        message_id=message_id,
        api_key_name="",
        variables={},
    )


async def complete(request: CompletionRequest) -> tuple[str, Finished]:
    """The whole text and its Finished: the same text, tokens and cost that `stream` gives. Raises ProviderError."""
    text = ""
    async for piece in Completion(request, streamed=False):
        if isinstance(piece, Finished):
            return text, piece
        text += piece
    raise AssertionError("A completion ends with Finished or raises.")


class _Call:
    """One call to a route, while it goes on."""

    def __init__(self, request: CompletionRequest, route: registry.Route, *, number: int, first_attempt_error: str) -> None:
        self.request = request
        self.route = route
        self.number = number
        self.first_attempt_error = first_attempt_error
        self.began = time.monotonic()
        now = datetime.now(UTC)
        # Milliseconds, as MongoDB keeps them: a restored attempt must have the very same key.
        self.started_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.first_text_at: float | None = None
        self.length = 0  # code points of text

    def ended(
        self,
        outcome: Outcome,
        *,
        error: ProviderError | None = None,
        ending: Ending | None = None,
        usage: Usage | None = None,
        cost: Decimal | None = None,
    ) -> Attempt:
        request = self.request
        return Attempt(
            id=uuid.uuid7(),
            started_at=self.started_at,
            organization_id=str(request.organization_id),
            provider=self.route.provider.name,
            model=ending.model if ending else self.route.model,
            outcome=outcome,
            error_code=error.code.value if error else "",
            error=(error.detail or error.sentence) if error else "",
            first_attempt_error=self.first_attempt_error,
            usage=usage,
            cost=cost,
            finish_reason=ending.finish_reason if ending else "",
            latency_ms=_milliseconds(self.began, time.monotonic()),
            first_token_ms=None if self.first_text_at is None else _milliseconds(self.began, self.first_text_at),
            purpose=request.purpose,
            attempt=request.attempt,
            call=self.number,
            conversation_id=_text(request.conversation_id),
            message_id=_text(request.message_id),
            api_key_name=request.api_key_name,
            variables=request.variables,
            api_key_id=_text(request.api_key_id),
            bridge_id=_text(request.bridge_id),
            version_id=_text(request.version_id),
            thread_id=request.thread_id,
            user_id=_text(request.user_id),
            department_id=_text(request.department_id),
        )

    def usage_so_far(self) -> Usage | None:
        """For a call that broke off: what was read and written by then, by a count of characters."""
        return _estimated(self.request, self.length) if self.length else None


async def _answer(
    request: CompletionRequest, attempts: list[Attempt], holds: list[budgets.Hold], *, streamed: bool
) -> AsyncGenerator[str | Finished, None]:
    began = time.monotonic()
    first_attempt_error = ""
    routes = registry.routes(request)
    number = 0

    def keep(attempt: Attempt) -> None:
        attempts.append(attempt)
        ledger.record(attempt)

    given = request
    for route, is_last in zip(routes, [False] * (len(routes) - 1) + [True], strict=True):
        request = given if route.takes_pictures else without_pictures(given)
        if route.parameters:
            request = replace(request, parameters={**route.parameters, **request.parameters})
        for nth in range(1, CALLS + 1):
            number += 1
            hold = await _held(request, route, attempts)
            holds[:] = [hold]
            call = _Call(request, route, number=number, first_attempt_error=first_attempt_error)
            source = route.provider.stream(request, model=route.model) if streamed else _in_one_piece(route, request)
            ending: Ending | None = None
            try:
                async for piece in source:
                    if isinstance(piece, Ending):
                        ending = piece
                        break
                    if call.first_text_at is None:
                        call.first_text_at = time.monotonic()
                    call.length += len(piece)
                    yield piece
                if ending is None or not (call.length or ending.tool_uses):
                    raise ProviderError(Code.INCOMPLETE, "The AI provider sent an empty answer. Try again.")
            except ProviderError as error:
                keep(call.ended(Outcome.FAILED, error=error, ending=ending, usage=call.usage_so_far()))
                first_attempt_error = first_attempt_error or error.detail or error.sentence
                again = not error.permanent and error.code not in NOT_AGAIN and nth < CALLS
                pause = _pause(nth, error.retry_after)
                if call.length or (is_last and not (again and pause is not None)):
                    error.attempts = tuple(attempts)
                    raise
                if not again or pause is None:
                    break
            except (GeneratorExit, asyncio.CancelledError):
                keep(call.ended(Outcome.CANCELLED, usage=call.usage_so_far()))
                raise
            else:
                usage = ending.usage or _estimated(request, call.length)
                try:
                    await prices.refresh()
                finally:  # the answer is complete, whoever loses interest now
                    cost = route.provider.price(usage, model=ending.model, at=call.started_at)
                    keep(call.ended(Outcome.ANSWERED, ending=ending, usage=usage, cost=cost))
                    await _settle(hold, call, usage, cost)
                yield Finished(
                    finish_reason=ending.finish_reason,
                    usage=usage,
                    model=ending.model,
                    provider=route.provider.name,
                    cost=cost,
                    cost_known=cost is not None,
                    latency_ms=_milliseconds(began, time.monotonic()),
                    first_token_ms=_milliseconds(began, call.first_text_at or time.monotonic()),
                    confidence=ending.confidence,
                    sources=ending.sources,
                    unseen=request.unseen,
                    attempts=tuple(attempts),
                    tool_uses=ending.tool_uses,
                )
                return
            finally:
                # `async for` does not close what it leaves early, and an open generator is an open connection.
                await source.aclose()
                await _settle(hold, call, (ending and ending.usage) or call.usage_so_far(), None)
            await asyncio.sleep(pause)


async def _held(request: CompletionRequest, route: registry.Route, attempts: list[Attempt]) -> budgets.Hold:
    """What this call may cost, held in its budgets; without any, nothing is asked of anybody. Raises BudgetExceeded."""
    if not await budgets.concerning(request):
        return budgets.NONE
    await prices.refresh()
    estimate = route.provider.price(budgets.most_likely(request), model=route.model, at=datetime.now(UTC))
    try:
        return await budgets.reserve(request, estimate)
    except BudgetExceeded as error:
        error.attempts = tuple(attempts)
        raise


async def _settle(hold: budgets.Hold, call: _Call, usage: Usage | None, cost: Decimal | None) -> None:
    """Counts what the call did cost. Of one that broke off nobody reports the usage; a budget that did not count it could be passed by
    stopping each answer before its end, so its tokens are counted in characters there. Without any text it cost nothing."""
    if hold is budgets.NONE:
        return
    if usage is None:
        await hold.release()
        return
    if cost is None:
        cost = call.route.provider.price(replace(usage, estimated=False), model=call.route.model, at=call.started_at)
    await hold.settle(cost, is_estimate=usage.estimated)


async def _in_one_piece(route: registry.Route, request: CompletionRequest) -> AsyncGenerator[str | Ending, None]:
    text, ending = await route.provider.complete(request, model=route.model)
    if text:
        yield text
    yield ending


def _pause(nth: int, retry_after: float | None) -> float | None:
    """Seconds before the call after the nth; None if the provider asks for more than we wait."""
    if retry_after is not None:
        return retry_after if retry_after <= PATIENCE else None
    first, most = PAUSES
    return min(first * 2 ** (nth - 1), most) * random.uniform(0.5, 1.0)


def _estimated(request: CompletionRequest, length: int) -> Usage:
    pictures = sum(picture.tokens for message in request.messages for picture in message.pictures)
    return estimate(prompt=sum(len(message.text) for message in request.messages), text=length, pictures=pictures)


def _milliseconds(since: float, until: float) -> int:
    return round((until - since) * 1000)


def _text(identifier: object) -> str | None:
    return None if identifier is None else str(identifier)
