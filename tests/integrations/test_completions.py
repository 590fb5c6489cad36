"""Asking a model: retry and fallback before the first text, one Finished at the end, every call in the ledger."""

import asyncio
import contextlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from integrations.models import ModelCall, ModelPrice
from integrations.providers.base import Code, Finished, Outcome, ProviderError, Usage
from integrations.providers.openai import OpenAI
from integrations.services import completions, ledger
from tenants import scoping
from tenants.models import Organization
from tests.integrations.upstream import Exchange, chunk, event, fails, says, upstream

DAY = datetime(2020, 1, 1, tzinfo=UTC)
CONVERSATION, MESSAGE = "01234567-89ab-7def-8123-456789abcdef", "fedcba98-7654-7210-8fed-cba987654321"


@pytest.fixture
def acme(stores):
    return Organization.objects.create(name="Acme", slug="acme")


@pytest.fixture
def globex(stores):
    return Organization.objects.create(name="Globex", slug="globex")


@pytest.fixture
def request_(ask, acme):
    return ask(organization_id=acme.pk, conversation_id=CONVERSATION, message_id=MESSAGE, attempt=2, model="m-1")


@pytest.fixture
def configured(settings, monkeypatch):
    """Configures a server: `configured(server.url)`. Pauses between calls are short."""
    monkeypatch.setattr(completions, "PAUSES", (0.01, 0.02))

    def configure(url: str, **more) -> None:
        settings.OPENAI_BASE_URL = url
        for name, value in more.items():
            setattr(settings, name, value)

    return configure


async def drained(stream) -> tuple[str, Finished]:
    pieces = [piece async for piece in stream]
    assert [type(piece) for piece in pieces[:-1]] == [str] * (len(pieces) - 1)
    assert isinstance(pieces[-1], Finished)
    return "".join(pieces[:-1]), pieces[-1]


@sync_to_async
def rows(organization, *columns: str) -> list[tuple]:
    assert ledger.flush(timeout=10)
    try:
        with scoping.tenant(organization):
            return list(ModelCall.objects.for_tenant(organization).order_by("id").values_list(*columns))
    finally:
        connection.close()  # this thread is asgiref's and outlives the test


async def test_an_answer_and_its_cost_are_finished_once_and_in_the_ledger(request_, acme, globex, configured):
    await ModelPrice.objects.acreate(
        host="127.0.0.1", model="m-*", since=DAY, input=Decimal(2), cached_input=Decimal("0.5"), output=Decimal(10)
    )
    # 8 fresh tokens at 2, 4 cached at 0.5 and 5 written at 10 dollars a million.
    cost = Decimal("0.000068")
    async with upstream(says("Erik ", "is ", "well.")) as server:
        configured(server.url)
        text, finished = await drained(completions.stream(request_))
        assert text == "Erik is well."
        assert (finished.finish_reason, finished.model, finished.provider) == ("stop", "m-1", "openai")
        assert finished.usage == Usage(12, 5, 4, 2)
        assert (finished.cost, finished.cost_known) == (cost, True)
        assert [attempt.outcome for attempt in finished.attempts] == [Outcome.ANSWERED]
        whole_text, whole = await completions.complete(request_)
        assert whole_text == text
        timeless = {"latency_ms": 0, "first_token_ms": 0, "attempts": ()}
        assert replace(whole, **timeless) == replace(finished, **timeless)
    expected = {
        "authkey_name": "",
        "service": "openai",
        "status": True,
        "outcome": "answered",
        "error_code": "",
        "error": "none",
        "first_attempt_error": "",
        "model": "m-1",
        "input_tokens": 12,
        "cached_input_tokens": 4,
        "output_tokens": 5,
        "reasoning_tokens": 2,
        "tokens_estimated": False,
        "expected_cost": cost,
        "purpose": "answer",
        "attempt": 2,
        "call": 1,
        "finish_reason": "stop",
        "is_present": False,
        "chat_id": uuid.UUID(CONVERSATION),
        "message_id": uuid.UUID(MESSAGE),
    }
    assert await rows(acme, *expected) == [tuple(expected.values())] * 2
    assert await rows(globex, "id") == []


async def test_a_price_that_nobody_knows_is_unknown_and_not_nothing(request_, acme, configured):
    async with upstream(says("ok")) as server:
        configured(server.url)
        _, finished = await drained(completions.stream(request_))
    assert (finished.cost, finished.cost_known) == (None, False)
    assert await rows(acme, "expected_cost", "input_tokens") == [(None, 12)]


async def test_usage_that_was_not_reported_is_estimated_and_not_charged(request_, acme, configured):
    await ModelPrice.objects.acreate(model="*", since=DAY, input=1, cached_input=1, output=1)
    async with upstream(says("twelve chars", usage=None)) as server:
        configured(server.url)
        _, finished = await drained(completions.stream(request_))
    # "Be brief." and "How is Erik?" are 21 characters.
    assert finished.usage == Usage(6, 3, estimated=True)
    assert finished.cost is None
    assert await rows(acme, "input_tokens", "output_tokens", "tokens_estimated", "expected_cost") == [(6, 3, True, None)]


@pytest.mark.parametrize(("status", "headers"), [("500", {}), ("429", {"retry_after": "0"})])
async def test_what_may_pass_is_tried_again(status, headers, request_, acme, configured):
    fault = fails(f"{status} Oops", message="oops", **headers)
    async with upstream(fault, fault, says("at last")) as server:
        configured(server.url)
        text, finished = await drained(completions.stream(request_))
    assert text == "at last"
    assert [attempt.outcome for attempt in finished.attempts] == [Outcome.FAILED, Outcome.FAILED, Outcome.ANSWERED]
    said = f"HTTP {status}: oops"
    assert await rows(acme, "call", "outcome", "error", "first_attempt_error") == [
        (1, "failed", said, ""),
        (2, "failed", said, said),
        (3, "answered", "none", said),
    ]


async def test_it_is_not_tried_for_ever(request_, acme, configured):
    async with upstream(fails("503 Away")) as server:
        configured(server.url)
        with pytest.raises(ProviderError) as caught:
            await drained(completions.stream(request_))
        assert len(server.exchanges) == completions.CALLS
    assert caught.value.code == Code.UNAVAILABLE
    assert len(caught.value.attempts) == completions.CALLS
    assert await rows(acme, "error_code", "status") == [("provider_unavailable", False)] * completions.CALLS


async def test_what_cannot_pass_is_not_tried_again(request_, acme, configured):
    async with upstream(fails("401 Unauthorized")) as server:
        configured(server.url)
        with pytest.raises(ProviderError):
            await drained(completions.stream(request_))
        assert len(server.exchanges) == 1
    assert await rows(acme, "error_code") == [("provider_unauthorized",)]


async def test_a_wait_longer_than_our_patience_is_told_to_the_person(request_, configured):
    async with upstream(fails("429 Slow", retry_after="60")) as server:
        configured(server.url)
        with pytest.raises(ProviderError) as caught:
            await drained(completions.stream(request_))
        assert len(server.exchanges) == 1
    assert (caught.value.retry_after, caught.value.sentence) == (
        60.0,
        "The AI provider has too many requests. Try again in 60 seconds.",
    )


async def test_a_wait_that_a_provider_asks_for_is_kept(request_, configured):
    async with upstream(fails("429 Slow", retry_after_ms="300"), says("ok")) as server:
        configured(server.url)
        began = asyncio.get_running_loop().time()
        await drained(completions.stream(request_))
        assert asyncio.get_running_loop().time() - began >= 0.3


async def test_the_fallback_model_answers_when_the_first_cannot(request_, acme, configured):
    async with upstream(fails("404 Not Found", code="model_not_found"), says("from the second")) as server:
        configured(server.url, OPENAI_FALLBACK_MODEL="m-2")
        text, finished = await drained(completions.stream(request_))
        assert text == "from the second"
        assert [exchange.body["model"] for exchange in server.exchanges] == ["m-1", "m-2"]
    assert [attempt.model for attempt in finished.attempts] == ["m-1", "m-1"], "the server names its model in its answer"


async def test_a_timeout_goes_to_the_fallback_at_once(request_, configured):
    async def silent(exchange: Exchange) -> None:
        await exchange.until_gone()

    async with upstream(silent, says("quick")) as server:
        configured(server.url, OPENAI_FALLBACK_MODEL="m-2", PROVIDER_FIRST_BYTE_TIMEOUT=1.5)
        assert (await drained(completions.stream(request_)))[0] == "quick"
        assert len(server.exchanges) == 2


async def breaks_off(exchange: Exchange) -> None:
    await exchange.stream_head()
    await exchange.send(event(chunk("half an answer ")))
    exchange.writer.close()


async def test_after_the_first_text_nothing_is_tried_again(request_, acme, configured):
    async with upstream(breaks_off, says("another answer")) as server:
        configured(server.url, OPENAI_FALLBACK_MODEL="m-2")
        pieces = []
        with pytest.raises(ProviderError) as caught:
            async for piece in completions.stream(request_):
                pieces.append(piece)
        assert (pieces, len(server.exchanges)) == (["half an answer "], 1)
    assert caught.value.code == Code.INCOMPLETE
    assert await rows(acme, "outcome", "tokens_estimated", "output_tokens", "expected_cost") == [("failed", True, 4, None)]


async def test_an_empty_answer_is_not_an_answer(request_, configured):
    async with upstream(says(), says("something")) as server:
        configured(server.url)
        assert (await drained(completions.stream(request_)))[0] == "something"
        assert len(server.exchanges) == 2


async def endless(exchange: Exchange) -> None:
    await exchange.stream_head()
    await exchange.send(event(chunk("first ")))
    await exchange.until_gone()


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_stopping_closes_the_connection_at_once_and_is_in_the_ledger(how, request_, acme, configured):
    async with upstream(endless) as server:
        configured(server.url)
        stream = completions.stream(request_)
        if how == "close":
            assert await anext(stream) == "first "
            await stream.aclose()
        else:
            task = asyncio.create_task(drained(stream))
            await server.asked.wait()
            await asyncio.sleep(0.05)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.wait_for(server.exchanges[0].gone.wait(), 2)
    assert [attempt.outcome for attempt in stream.attempts] == [Outcome.CANCELLED]
    assert await rows(acme, "outcome", "status", "output_tokens", "tokens_estimated") == [("cancelled", False, 2, True)]


async def test_stopping_during_a_pause_ends_it(request_, acme, configured):
    async with upstream(fails("429 Slow", retry_after="9")) as server:
        configured(server.url)
        task = asyncio.create_task(drained(completions.stream(request_)))
        await server.asked.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
    assert await rows(acme, "outcome") == [("failed",)]


async def test_closing_does_not_rely_on_nobody_holding_the_providers_stream(request_, configured, monkeypatch):
    held = []
    stream_of = OpenAI.stream

    def held_stream(*args, **kwargs):
        held.append(stream_of(*args, **kwargs))
        return held[-1]

    monkeypatch.setattr(OpenAI, "stream", held_stream)
    async with upstream(endless) as server:
        configured(server.url)
        stream = completions.stream(request_)
        assert await anext(stream) == "first "
        await stream.aclose()
        await asyncio.wait_for(server.exchanges[0].gone.wait(), 2)


async def test_leaving_the_loop_early_closes_the_connection_too(request_, configured):
    async with upstream(endless) as server:
        configured(server.url)
        async with contextlib.aclosing(completions.stream(request_)) as stream:
            async for _ in stream:
                break
        await asyncio.wait_for(server.exchanges[0].gone.wait(), 2)


async def test_llmock_finds_that_we_treat_providers_well(request_, configured, llmock):
    """llmock judges how a client behaved under its faults: whether it waited as asked, tried again, and not too often."""
    configured(llmock.base_url())
    llmock.rate_limit(times=2, retry_after=0.2)
    assert (await completions.complete(request_))[0]
    llmock.fail(500)
    assert (await drained(completions.stream(request_)))[0]
    llmock.assert_resilient(strict=True)


async def test_without_a_provider_the_offline_consultant_answers_and_says_so(request_, acme, settings):
    settings.OFFLINE_WORDS_PER_SECOND = 0
    facts = ({"id": "e-1", "name": "Erik Ek", "strengths": ("calm",)},)
    request = replace(request_, facts=facts)
    text, finished = await drained(completions.stream(request))
    assert "Erik Ek" in text
    assert (finished.provider, finished.model, finished.cost, finished.cost_known) == (
        "offline",
        "offline consultant",
        Decimal(0),
        True,
    )
    assert finished.sources == ("employee:e-1",)
    whole_text, whole = await completions.complete(request)
    assert (whole_text, whole.usage, whole.cost) == (text, finished.usage, finished.cost)
    assert await rows(acme, "service", "model", "expected_cost") == [("offline", "offline consultant", Decimal(0))] * 2


@pytest.fixture
def postgres(stores, services):
    """The server, to be stopped and started: the tests' own connection is made anew afterwards."""
    yield services.postgres
    connection.close()


async def test_the_first_text_does_not_wait_for_postgresql(request_, acme, configured, postgres):
    """Prices and ledger come after the answer: an answer that streams needs no database."""
    async with upstream(says("ok")) as server:
        configured(server.url)
        await drained(completions.stream(request_))
        postgres.stop()
        try:
            text, finished = await asyncio.wait_for(drained(completions.stream(request_)), 20)
            assert text == "ok"
        finally:
            postgres.start()
            await sync_to_async(lambda: connection.close())()  # it was cut too
    assert len(await rows(acme, "id")) == 2, "what ended while PostgreSQL was away is written when it is back"
