"""The one door to conversations and messages, for page, API and socket alike.

Missing and forbidden look the same: `tenants.access.NotFound`. Identifiers are coerced to UUIDs here, so that an operator never
reaches a query.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chat.choices import Audience, ConversationStatus, Kind
from chat.documents import Attachment, Conversation, Message, Share
from chat.realtime import keys
from chat.records import ConversationRecord, MessageRecord, ShareRecord
from chat.services import cold
from config import loop, mongo, redis
from integrations import access as bridges
from tenants import access, authentication, roles
from tenants.models import Membership
from tenants.scoping import ACROSS_COMMENT
from tenants.services import audit

C, M, S = mongo.names(Conversation), mongo.names(Message), mongo.names(Share)
A = mongo.names(Attachment)

WHY_ACROSS = ACROSS_COMMENT + "whose shared copy does this link open?"


def key(value: object) -> str:
    """The identifier in canonical form; `NotFound` for whatever is none."""
    if not isinstance(value, (str, uuid.UUID)) or len(str(value)) > 64:
        raise access.NotFound
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise access.NotFound from None


def readable_by(membership: Membership, *, kind: str | None = None) -> dict[str, Any]:
    """The filter for what this member may read within the organization: own conversations, and those shared with them. Threads of programs
    (`kind` api) come only where they are asked for: all of them, for who may see bridges."""
    if kind == Kind.API and roles.may(membership, bridges.VIEW):
        return {C.kind: Kind.API.value}
    scope = C.access_scope
    return {
        C.kind: {"$ne": Kind.API.value},
        "$or": [
            {C.user_id: str(membership.user_id)},
            {f"{scope}.allowedRoles": str(membership.role), f"{scope}.isPrivate": False},
            {f"{scope}.allowedUserIds": str(membership.user_id), f"{scope}.isPrivate": False},
        ],
    }


def may_read(membership: Membership, conversation: ConversationRecord) -> bool:
    """The same rule as `readable_by`, of one conversation; and a thread of programs for who began it."""
    user = str(membership.user_id)
    if conversation.organization_id != str(membership.organization_id):
        return False
    if conversation.kind == Kind.API:
        return conversation.user_id == user or roles.may(membership, bridges.VIEW)
    if conversation.user_id == user:
        return True
    if conversation.is_private:
        return False
    return membership.role in conversation.allowed_roles or user in conversation.allowed_user_ids


def _conversation_filter(membership: Membership, conversation_id: object) -> dict[str, Any]:
    return {
        C.organization_id: str(membership.organization_id),
        C.conversation_id: key(conversation_id),
        C.status: {"$ne": ConversationStatus.DELETED.value},
    }


def _message_filter(membership: Membership, message_id: object) -> dict[str, Any]:
    return {
        M.organization_id: str(membership.organization_id),
        M.message_id: key(message_id),
        M.deleted_at: None,
    }


def _admit(membership: Membership, raw: dict[str, Any] | None) -> ConversationRecord:
    if raw is None or not roles.may(membership, "chat:conversation:read"):
        raise access.NotFound
    record = ConversationRecord.read(raw)
    if not may_read(membership, record):
        raise access.NotFound
    return record


def conversation_for(membership: Membership, conversation_id: object) -> ConversationRecord:
    """The conversation if this member may read it. That somebody reads another's is recorded (D12)."""
    found = mongo.collection(Conversation).find_one(_conversation_filter(membership, conversation_id))
    conversation = _admit(membership, found)
    if found and C.cold in found:
        cold.bring_back(conversation.organization_id, conversation.id)
    if conversation.user_id != str(membership.user_id):
        _record_reading(membership, conversation)
    return conversation


def restorable_conversation_for(membership: Membership, conversation_id: object) -> ConversationRecord:
    """The conversation if this member may read it, and one of their own also when it was deleted and not yet removed for good."""
    wanted = {**_conversation_filter(membership, conversation_id), C.status: {"$exists": True}, C.removed_at: None}
    conversation = _admit(membership, mongo.collection(Conversation).find_one(wanted))
    if conversation.user_id != str(membership.user_id):
        return conversation_for(membership, conversation_id)
    return conversation


async def aconversation_for(membership: Membership, conversation_id: object) -> ConversationRecord:
    await roles.refresh()
    found = await mongo.async_collection(Conversation).find_one(_conversation_filter(membership, conversation_id))
    conversation = _admit(membership, found)
    if found and C.cold in found:
        await loop.in_thread(cold.bring_back, conversation.organization_id, conversation.id)
    if conversation.user_id != str(membership.user_id):
        await loop.in_thread(_record_reading, membership, conversation)
    return conversation


def _record_reading(membership: Membership, conversation: ConversationRecord) -> None:
    """Once an hour for each reader and conversation, or more often; where Redis is away, each time."""
    recorded = keys.reading(conversation.id, user_id=str(membership.user_id))
    try:
        if redis.client().exists(recorded):
            return
    except redis.AWAY:
        pass
    audit.record_access(membership, owner_id=conversation.user_id, conversation_id=conversation.id)
    try:
        redis.client().set(recorded, 1, ex=keys.READING_TTL)
    except redis.AWAY:
        pass


def message_for(membership: Membership, message_id: object) -> MessageRecord:
    raw = mongo.collection(Message).find_one(_message_filter(membership, message_id))
    if raw is None:
        raise access.NotFound
    conversation_for(membership, raw[M.conversation_id])
    return MessageRecord.read(raw)


async def amessage_for(membership: Membership, message_id: object) -> MessageRecord:
    raw = await mongo.async_collection(Message).find_one(_message_filter(membership, message_id))
    if raw is None:
        raise access.NotFound
    await aconversation_for(membership, raw[M.conversation_id])
    return MessageRecord.read(raw)


async def amessage_in(conversation: ConversationRecord, message_id: object) -> MessageRecord:
    """A message of a conversation that was opened already. One query; `NotFound` for what is in another."""
    raw = await mongo.async_collection(Message).find_one(
        {
            M.organization_id: conversation.organization_id,
            M.message_id: key(message_id),
            M.conversation_id: conversation.id,
            M.deleted_at: None,
        }
    )
    if raw is None:
        raise access.NotFound
    return MessageRecord.read(raw)


def attachment_for(membership: Membership, attachment_id: object) -> dict[str, Any]:
    """The stored `Attachment`, without its text, if this member may read its conversation; one that was not sent is its uploader's."""
    raw = mongo.collection(Attachment).find_one(
        {
            A.organization_id: str(membership.organization_id),
            A.attachment_id: key(attachment_id),
            A.removed_at: None,
        },
        {A.text: 0},
    )
    if raw is None or not roles.may(membership, "chat:file:read"):
        raise access.NotFound
    conversation_for(membership, raw[A.conversation_id])
    if not raw[A.is_sent] and raw[A.user_id] != str(membership.user_id):
        raise access.NotFound
    return raw


# Links to copies ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenedShare:
    """A copy behind a link, and its reader where that is one of the organization's people."""

    share: ShareRecord
    reader: Membership | None


def owned_conversation_for(membership: Membership, conversation_id: object) -> ConversationRecord:
    """A conversation of this member's own; `Forbidden` for one that was only shared with them."""
    conversation = conversation_for(membership, conversation_id)
    if conversation.user_id != str(membership.user_id):
        raise access.Forbidden("Only the person who started this conversation can share it.")
    return conversation


def may_share(membership: Membership, *, audience: Audience) -> bool:
    if audience == Audience.ANYONE and not roles.may(membership, "chat:share:open"):
        return False
    return roles.may(membership, "chat:share:create")


def shared_copy(token: str, *, user_id: object, now: datetime) -> OpenedShare:
    """The copy that this link opens for this visitor (None where nobody is signed in). Causes up to four queries.

    `NotFound`, always the same, where the link is unknown, expired or revoked, where it is for the organization and the visitor is
    none of its people, where its conversation was deleted, and where the person who made it is gone or may share it no longer.
    """
    # The link names its organization: before its copy is found there is no tenant to act for.
    raw = mongo.collection(Share).find_one({S.token_hash: authentication.hash_of(token)}, comment=WHY_ACROSS)
    if raw is None or not (share := ShareRecord.read(raw)).is_live(now=now):
        raise access.NotFound
    reader = _member(share, user_id=user_id)
    if share.audience == Audience.ORGANIZATION and reader is None:
        raise access.NotFound
    maker = _member(share, user_id=share.user_id)
    if maker is None or not may_share(maker, audience=share.audience):
        raise access.NotFound
    conversation_for(maker, share.conversation_id)
    return OpenedShare(share=share, reader=reader)


def _member(share: ShareRecord, *, user_id: object) -> Membership | None:
    try:
        return access.membership_in(share.organization_id, user_id=user_id)
    except access.NotFound:
        return None
