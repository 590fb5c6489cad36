"""How far answers are, for whoever watches (S0-107): a hash for each, for a quarter of an hour.

It is said along with what is sent anyway: that an answer is queued with the call to it, that somebody is at it with a look for stops, its
end with the event that tells of it. MongoDB knows better (`Message.status`); this may be gone at any second, or a moment behind.
"""

from datetime import datetime

from django.db.models import TextChoices
from redis.asyncio.client import Pipeline

from chat.choices import MessageStatus
from chat.realtime import keys
from chat.records import MessageRecord, as_time


class Progress(TextChoices):
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


FAILED = (MessageStatus.ERROR, MessageStatus.INTERRUPTED)


def queue(pipeline: Pipeline, *, conversation_id: str, message_id: str, attempt: int, now: datetime) -> None:
    """A worker was called to it, for the first time or again: what was known of an attempt before is gone."""
    key = keys.ai_queue(conversation_id, message_id)
    pipeline.delete(key)
    _set(pipeline, key, {"status": Progress.QUEUED.value, "queuedAt": as_time(now), "retryCount": attempt - 1})


def process(pipeline: Pipeline, answer: MessageRecord, *, now: datetime) -> None:
    """A worker has had it since `now`."""
    started = {"status": Progress.PROCESSING.value, "processingStartedAt": as_time(now), "retryCount": answer.attempt - 1}
    _set(pipeline, keys.ai_queue(answer.conversation_id, answer.id), started)


def end(pipeline: Pipeline, answer: MessageRecord, *, now: datetime) -> None:
    """It has ended; `error` says why it failed, in a word. One that a person stopped is completed."""
    status = Progress.FAILED if answer.status in FAILED else Progress.COMPLETED
    ended = {"status": status.value, "completedAt": as_time(now), "retryCount": answer.attempt - 1, "error": answer.error_code or ""}
    _set(pipeline, keys.ai_queue(answer.conversation_id, answer.id), ended)


def _set(pipeline: Pipeline, key: str, fields: dict) -> None:
    pipeline.hset(key, mapping=fields)
    pipeline.expire(key, keys.AI_QUEUE_TTL)
