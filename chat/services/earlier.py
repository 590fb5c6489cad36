"""Answers of the last hour, to be given again to whoever asks the same of the same (S0-98, D5).

An answer is found by what is known before anything is read, so that looking for it waits for nothing: who asks, with which rights, what,
in a conversation of which type and about whom, and which model would answer. It is given only where the whole prompt, facts, history and
memory included, would be the same again, and to nobody but the person who got it. A question with files is always asked anew.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone
from redis.asyncio.client import Pipeline

from chat import prompts
from chat.realtime import calls, keys
from chat.realtime.calls import Call
from chat.records import MessageRecord
from chat.services.contexts import AnswerContext
from config import redis
from integrations.providers.base import CompletionRequest, Finished, Usage

BRIDGE = "consultation"  # what answers; bridges of one's own come with the gateway


@dataclass(frozen=True, slots=True)
class Earlier:
    """An answer that was given before. `document` is what Redis keeps of it, under `key`."""

    key: str
    document: dict[str, Any]

    @property
    def text(self) -> str:
        return self.document["response"]

    @property
    def message_id(self) -> str:
        return self.document["messageId"]

    @property
    def generated_at(self) -> datetime:
        return datetime.fromisoformat(self.document["generatedAt"])

    def is_for(self, request: CompletionRequest) -> bool:
        return self.document["prompt"] == _digest(request)

    def as_finished(self) -> Finished:
        """It costs nothing, and took no call."""
        return Finished(
            finish_reason="stop",
            usage=Usage(0, 0),
            model=self.document["aiModel"],
            provider=self.document["provider"],
            cost=Decimal(0),
            cost_known=True,
            latency_ms=0,
            first_token_ms=None,
            confidence=self.document["confidenceScore"],
            sources=tuple(self.document["sources"]),
        )


async def find(call: Call) -> Earlier | None:
    """What may be given again in answer to this call. One round trip, none for an attempt that was asked for on purpose."""
    if not settings.AI_ANSWER_CACHE or not call.asked or call.attempt > 1 or call.rights is None:
        return None
    key = _key(call, asked=call.asked, rights=call.rights)
    try:
        raw = await redis.async_client().get(key)
    except redis.AWAY:
        return None
    document = orjson.loads(raw) if raw else None
    if document is None or document["owner"] != _owner(call, call.rights):
        return None
    return Earlier(key, document)


def note_hit(pipeline: Pipeline, earlier: Earlier) -> None:
    """It was given once more; it lives no longer for that."""
    counted = {**earlier.document, "cacheHits": earlier.document["cacheHits"] + 1}
    pipeline.set(earlier.key, orjson.dumps(counted), keepttl=True, xx=True)


def keep(
    pipeline: Pipeline, call: Call, context: AnswerContext, request: CompletionRequest, answer: MessageRecord, finished: Finished
) -> None:
    """Keeps the answer to this request if it was complete at the first call, of the model that is asked first."""
    files = any(message.attachments for message in (*context.history, context.question))
    if not settings.AI_ANSWER_CACHE or files or context.question.reply_to or finished.finish_reason != "stop" or len(finished.attempts) > 1:
        return
    rights = calls.rights_of(answer)
    document = {
        "owner": _owner(call, rights),
        "prompt": _digest(request),
        "messageId": answer.id,
        "query": context.question.text,
        "response": answer.text,
        "aiModel": finished.model,
        "provider": finished.provider,
        "tokensUsed": finished.usage.input_tokens + finished.usage.output_tokens,
        "confidenceScore": finished.confidence,
        "sources": finished.sources,
        "generatedAt": timezone.now().isoformat(),
        "cacheHits": 0,
    }
    key = _key(call, asked=calls.asked(context.question), rights=rights)
    pipeline.set(key, orjson.dumps(document), ex=keys.AI_CACHE_TTL)


def _owner(call: Call, rights: Sequence[str | None]) -> dict[str, Any]:
    return {"organization": call.organization_id, "user": call.user_id, "rights": list(rights)}


def _key(call: Call, *, asked: str, rights: Sequence[str | None]) -> str:
    models = [settings.OPENAI_BASE_URL, settings.OPENAI_MODEL, settings.OPENAI_FALLBACK_MODEL, bool(settings.OPENAI_API_KEY)]
    question = [call.user_id, rights, asked, call.conversation_type, call.subject_employee_ids, models]
    return keys.ai_cache(
        call.organization_id, bridge=BRIDGE, version=prompts.VERSION, digest=hashlib.sha256(orjson.dumps(question)).hexdigest()
    )


def _digest(request: CompletionRequest) -> str:
    """What the model would be asked, but for the names of this conversation and message."""
    said = [[message.role, message.text] for message in request.messages]
    asked = [said, request.model, request.temperature, request.max_tokens, request.conversation_type, request.facts, request.schema]
    return hashlib.sha256(orjson.dumps(asked, default=dict)).hexdigest()
