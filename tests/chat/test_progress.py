"""How far an answer is, as Redis tells it (S0-107)."""

import asyncio
from functools import partial

import pytest

from chat import access
from chat.realtime import keys
from chat.services import answers, sweeper, turns
from chat.services.turns import call_to
from config import redis
from integrations.providers.base import Code, ProviderError
from integrations.services import completions
from tests.chat.test_presence import eventually

pytestmark = pytest.mark.asyncio


async def told(answer) -> dict[str, str]:
    found = await redis.async_client().hgetall(keys.ai_queue(answer.conversation_id, answer.id))
    return {name.decode(): value.decode() for name, value in found.items()}


async def is_told(answer, status: str) -> bool:
    return (await told(answer))["status"] == status


async def ask(consultation):
    membership, conversation = consultation
    return (await turns.asubmit(membership, conversation, text="How is Erik?", client_id="one")).answer


async def test_an_answer_is_queued_processed_and_completed(consultation, settings):
    settings.OFFLINE_WORDS_PER_SECOND = 20
    answer = await ask(consultation)
    queued = await told(answer)
    assert (set(queued), queued["status"], queued["retryCount"]) == ({"status", "queuedAt", "retryCount"}, "queued", "0")
    writing = asyncio.create_task(answers.produce(await call_to(answer)))
    await eventually(partial(is_told, answer, "processing"), seconds=10)
    processing = await told(answer)
    assert (processing["status"], processing["queuedAt"]) == ("processing", queued["queuedAt"])
    assert processing["processingStartedAt"] >= queued["queuedAt"]
    settings.OFFLINE_WORDS_PER_SECOND = 0
    await turns.astop(consultation[0], answer)
    await writing
    completed = await told(answer)
    assert completed == processing | {"status": "completed", "completedAt": completed["completedAt"], "error": ""}
    assert completed["completedAt"] >= processing["processingStartedAt"]


async def test_one_that_failed_says_why_and_asked_for_again_it_is_queued_again(consultation, monkeypatch):
    async def refuses(request):
        raise ProviderError(Code.TIMEOUT, "Too slow.")
        yield

    monkeypatch.setattr(completions, "stream", refuses)
    answer = await ask(consultation)
    await answers.produce(await call_to(answer))
    failed = await told(answer)
    assert (failed["status"], failed["error"]) == ("failed", "provider_timeout")
    again = await turns.aretry(consultation[0], await access.amessage_for(consultation[0], answer.id))
    queued = await told(again)
    assert (set(queued), queued["status"], queued["retryCount"]) == ({"status", "queuedAt", "retryCount"}, "queued", "1")


async def test_what_the_sweeper_ends_has_failed(consultation, settings):
    settings.PICKUP_SECONDS = settings.PICKUP_AGAIN_SECONDS = 0
    answer = await ask(consultation)
    assert await sweeper.sweep() == 1
    assert ((await told(answer))["status"], (await told(answer))["error"]) == ("failed", "interrupted")
