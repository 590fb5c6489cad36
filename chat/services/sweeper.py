"""Finds answers that nobody works on and puts them right, by compare-and-swap. Any number may run at once.

- Ended, and perhaps nobody was told: announced.
- Pending, and its worker was never called or is gone: it is called again; nobody had room within `PICKUP_SECONDS`: given up.
- Its worker died before any text: pending again, as the next attempt, at most `ATTEMPTS` times.
- Its worker died with text written: `interrupted`, the text kept, to be retried by whoever reads it.
- A question that waits, and whoever was to ask it died: asked.

The call that a worker was making when it died goes into the ledger, its cost unknown.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any

import uuid_utils.compat as uuid
from django.conf import settings
from django.utils import timezone
from pymongo import ReturnDocument

from chat import events
from chat.choices import ON_THEIR_WAY, MessageStatus
from chat.documents import Message
from chat.realtime import stream
from chat.records import MessageRecord
from chat.services import queues, totals, turns
from config import mongo
from config.failpoints import failpoint
from integrations.providers.base import Attempt
from integrations.services import completions, ledger
from tenants.scoping import ACROSS_COMMENT

log = logging.getLogger(__name__)

M = mongo.names(Message)

ATTEMPTS = 3
AT_ONCE = 500
WHY_ACROSS = ACROSS_COMMENT + "the sweeper looks for answers that nobody works on"

NOBODY_FREE = "Nobody was free to write this answer. Try again."
BROKEN_OFF = "The answer broke off. Try again to have it written anew."

_patient_until = 0.0  # monotonic seconds


def be_patient() -> None:
    """MongoDB is away. Once it is back, leases have run out that nobody could renew: workers that live get the time to do so."""
    global _patient_until
    _patient_until = time.monotonic() + settings.LEASE_SECONDS


async def sweep(now: datetime | None = None) -> int:
    """Puts right what it finds and returns how many answers that were."""
    now = now or timezone.now()
    due = (
        mongo.async_collection(Message)
        .find({"lease.expiresAt": {"$lt": now}}, comment=WHY_ACROSS)
        .sort("lease.expiresAt", 1)
        .limit(AT_ONCE)
    )
    done = 0
    for raw in [raw async for raw in due]:
        failpoint("sweep.found")
        done += await _put_right(raw, now=now)
    return done + await queues.sweep(now, comment=WHY_ACROSS)


async def _put_right(raw: dict[str, Any], *, now: datetime) -> bool:
    if raw[M.status] not in ON_THEIR_WAY:
        changed = await _swap(raw, {"$set": {M.lease: _lease(now)}})
        return changed is not None and await _tell(changed)
    if raw[M.status] == MessageStatus.PENDING:
        if now - raw[M.queued_at] >= timedelta(seconds=settings.PICKUP_SECONDS):
            return await _end(raw, NOBODY_FREE, now=now)
        return await _call_again(raw, {M.lease: _waiting(now)})
    if time.monotonic() < _patient_until:
        return False
    if not raw.get(M.content) and raw[M.attempt] < ATTEMPTS and raw.get(M.stop_requested_at) is None:
        again = {M.status: MessageStatus.PENDING.value, M.attempt: raw[M.attempt] + 1, M.queued_at: now, M.lease: _waiting(now)}
        return await _call_again(raw, again, lost=_lost(raw))
    return await _end(raw, BROKEN_OFF, now=now, lost=_lost(raw))


def _lost(raw: dict[str, Any]) -> Attempt:
    """The call that a worker was making when it died."""
    return completions.lost(
        organization_id=raw[M.organization_id],
        conversation_id=raw[M.conversation_id],
        message_id=raw[M.message_id],
        attempt=raw[M.attempt],
        started_at=raw[M.started_at],
        seen_at=raw[M.updated_at],
        written=len(raw.get(M.content) or ""),
    )


async def _call_again(raw: dict[str, Any], changes: dict[str, Any], *, lost: Attempt | None = None) -> bool:
    changed = await _swap(raw, {"$set": changes}, lost=lost)
    if changed is None:
        return False
    failpoint("sweep.released")
    # Whoever died may have done so before anybody was told of the question.
    drafts = [events.message(question.as_json())] if (question := await _question(changed)) else []
    if changed.attempt != raw[M.attempt]:
        drafts.append(events.message(changed.as_json()))
    await stream.announce(drafts, call=await turns.call_to(changed, unheard_of=True))
    return True


async def _question(answer: MessageRecord) -> MessageRecord | None:
    raw = await mongo.async_collection(Message).find_one(
        {M.organization_id: answer.organization_id, M.message_id: answer.answer_to, M.deleted_at: None}
    )
    return None if raw is None else MessageRecord.read(raw)


async def _end(raw: dict[str, Any], sentence: str, *, now: datetime, lost: Attempt | None = None) -> bool:
    stopped = raw.get(M.stop_requested_at) is not None
    changes: dict[str, Any] = {
        M.status: (MessageStatus.CANCELLED if stopped else MessageStatus.INTERRUPTED).value,
        M.updated_at: now,
    }
    if not stopped:
        changes[M.error_details] = {"errorCode": "interrupted", "errorMessage": sentence}
    changed = await _swap(raw, {"$set": {**changes, M.lease: _lease(now)}}, lost=lost)
    if changed is None:
        return False
    failpoint("sweep.released")
    return await _tell(changed)


async def _tell(ended: MessageRecord) -> bool:
    """Announces an end and counts it. Its lease goes only then: until it is known to be out, this is done again."""
    is_told = await stream.announce([events.message(ended.as_json())], ended=[ended])
    if ended.lets_next_be_asked:
        await queues.ago_on(ended.organization_id, ended.conversation_id, strand=ended.strand)
    if is_told:
        await totals.note_end(ended, now=timezone.now())
    return True


def _waiting(now: datetime) -> dict[str, Any]:
    return {"token": None, "expiresAt": now + timedelta(seconds=settings.PICKUP_AGAIN_SECONDS)}


def _lease(now: datetime) -> dict[str, Any]:
    return {"token": str(uuid.uuid7()), "expiresAt": now + timedelta(seconds=settings.PICKUP_AGAIN_SECONDS)}


async def _swap(raw: dict[str, Any], update: dict[str, Any], *, lost: Attempt | None = None) -> MessageRecord | None:
    """The change, if nobody else made one since: the lease is still the one that was read. A call that was lost is kept with it."""
    if lost is not None:
        update = {**update, "$push": {M.calls: ledger.as_document(lost)}}
    changed = await mongo.async_collection(Message).find_one_and_update(
        {
            M.organization_id: raw[M.organization_id],
            M.message_id: raw[M.message_id],
            M.status: raw[M.status],
            M.lease: raw[M.lease],
        },
        update,
        return_document=ReturnDocument.AFTER,
    )
    if changed is None:
        return None
    if lost is not None:
        ledger.record(lost)
    return MessageRecord.read(changed)
