"""Links to a copy of a conversation: made, revoked, opened. The copy is frozen: what is said later does not enter it."""

import secrets
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import uuid_utils.compat as uuid
from django.utils import timezone

from chat import access, parts, strands
from chat.choices import ON_THEIR_WAY, Audience
from chat.documents import Message, Share
from chat.records import ConversationRecord, ShareRecord
from chat.services import errors
from config import mongo
from config.failpoints import failpoint
from tenants import access as people
from tenants import authentication, roles
from tenants.models import Membership
from tenants.services import audit

M, S = mongo.names(Message), mongo.names(Share)

TOKEN_BYTES = 32
MESSAGES_LIMIT = 500
BYTES_LIMIT = 8 * 1024 * 1024  # of text
LIVE_LIMIT = 20  # links of one conversation that are open at the same time
KEPT = timedelta(days=30)  # after a link expired


@dataclass(frozen=True, slots=True)
class NewShare:
    """A link that was just made. Its token is known here and never again."""

    share: ShareRecord
    token: str


def create(
    membership: Membership, conversation: ConversationRecord, *, audience: Audience, days: int, now: datetime | None = None
) -> NewShare:
    """A link to a copy of the newest messages that have ended, on the strand that its maker looked at last; open for so many days. The
    conversation is this member's own.

    Raises `Forbidden`, `TooManyShares`.
    """
    roles.require(membership, "chat:share:create")
    if audience == Audience.ANYONE:
        roles.require(membership, "chat:share:open")
    now = now or timezone.now()
    live = {**_of(conversation), S.expires_at: {"$gt": now}, S.revoked_at: None}
    if mongo.collection(Share).count_documents(live) >= LIVE_LIMIT:
        raise errors.TooManyShares(limit=LIVE_LIMIT)
    messages, is_whole = _copy(conversation, strand=conversation.shown_to(membership.user_id))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now + timedelta(days=days)
    raw = {
        **_of(conversation),
        S.share_id: str(uuid.uuid7()),
        S.user_id: str(membership.user_id),
        S.token_hash: authentication.hash_of(token),
        S.audience: audience.value,
        S.title: conversation.title,
        S.messages: messages,
        S.is_whole: is_whole,
        S.views: 0,
        S.created_at: now,
        S.expires_at: expires_at,
        S.remove_at: expires_at + KEPT,
    }
    mongo.collection(Share).insert_one(raw)
    failpoint("share.recorded")
    return NewShare(share=ShareRecord.read(raw), token=token)


def revoke(membership: Membership, conversation: ConversationRecord, *, share_id: object, now: datetime | None = None) -> None:
    """Nobody can open the link any more, and its copy is gone. Revoked again it stays as it is. `NotFound` where there is none."""
    changed = mongo.collection(Share).update_one(
        {**_of(conversation), S.share_id: access.key(share_id)},
        {"$min": {S.revoked_at: now or timezone.now()}, "$set": {S.messages: []}},
    )
    if not changed.matched_count:
        raise people.NotFound


def opened(found: access.OpenedShare) -> None:
    """Counts the view; a member's look at another person's conversation is recorded (D12)."""
    share = found.share
    if found.reader is not None:
        audit.record_access(found.reader, owner_id=share.user_id, conversation_id=share.conversation_id, reason="opened a shared link")
    mongo.collection(Share).update_one({S.organization_id: share.organization_id, S.share_id: share.id}, {"$inc": {S.views: 1}})


def _of(conversation: ConversationRecord) -> dict[str, Any]:
    return {S.organization_id: conversation.organization_id, S.conversation_id: conversation.id}


def _copy(conversation: ConversationRecord, *, strand: int) -> tuple[list[dict[str, Any]], bool]:
    """The newest messages of a strand's path with something in them, in the order they were said, and whether these are all there are.
    A question quotes only what is in the copy itself: what was deleted is not there, nor what was said on another strand."""
    wanted: dict[str, Any] = {
        M.organization_id: conversation.organization_id,
        M.conversation_id: conversation.id,
        M.deleted_at: None,
        M.status: {"$nin": [status.value for status in ON_THEIR_WAY]},
        M.content: {"$gt": ""},
    }
    hint = None
    if path := conversation.path(strand):
        wanted["$or"], hint = strands.clauses(path, most=strands.MOST), strands.INDEX
    found = mongo.collection(Message).find(
        wanted,
        {M.message_id: 1, M.role: 1, M.user_name: 1, M.content: 1, M.parts: 1, M.reply_to: 1, M.created_at: 1},
        sort=[(M.seq, -1)],
        limit=MESSAGES_LIMIT + 1,
        hint=hint,
    )
    copied, size = list[dict[str, Any]](), 0
    quoting = defaultdict[str, list[tuple[dict[str, Any], dict[str, Any]]]](list)  # by the id of what is quoted, which comes later
    for raw in found:
        size += len(raw[M.content].encode())
        if len(copied) == MESSAGES_LIMIT or size > BYTES_LIMIT:
            return copied[::-1], False
        said = {"role": raw[M.role], "author": raw.get(M.user_name), "text": raw[M.content], "createdAt": raw[M.created_at]}
        if parts.are_whole(held := raw.get(M.parts) or ()):
            said["parts"] = parts.as_copied(held, for_strangers=True)
        for question, quoted in quoting[raw[M.message_id]]:
            question["replyTo"] = {"role": quoted["role"], "author": quoted.get("userName"), "text": quoted["content"]}
        if quoted := raw.get(M.reply_to):
            quoting[quoted["messageId"]].append((said, quoted))
        copied.append(said)
    return copied[::-1], True
