"""Keeping what a message said before it is given another text (D12)."""

from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from chat.choices import RevisionReason
from chat.documents import Message, MessageRevision
from config import mongo
from tenants.models import Membership

M, R = mongo.names(Message), mongo.names(MessageRevision)

KEPT = sorted({*vars(M).values()} & {*vars(R).values()} - {"_id"})


async def keep(raw: dict[str, Any], *, by: Membership, now: datetime) -> None:
    """Keeps an answer, as it was read from MongoDB, as the revision of its attempt. Raises `mongo.AWAY` errors.

    Where that attempt is kept already, by somebody else or before a crash, the later state of it stays: feedback may have come since.
    """
    revision = {name: raw[name] for name in KEPT if name in raw} | {
        R.reason: RevisionReason.REGENERATED.value,
        R.revised_by: str(by.user_id),
        R.revised_at: now,
    }
    same = {name: revision[name] for name in (R.organization_id, R.message_id, R.attempt)}
    older = {R.updated_at: {"$lt": revision[R.updated_at]}}
    try:
        await mongo.async_collection(MessageRevision).replace_one({**same, **older}, revision, upsert=True)
    except DuplicateKeyError:
        pass  # kept already, as it is or later
