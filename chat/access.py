"""The one door to conversations and messages, for page, API and socket alike.

Missing and forbidden look the same: `tenants.access.NotFound`. Identifiers are coerced to UUIDs here, so that an operator never
reaches a query.
"""

import uuid
from typing import Any

from chat.choices import ConversationStatus
from chat.documents import Conversation, Message
from chat.realtime import keys
from chat.records import ConversationRecord, MessageRecord
from config import loop, mongo, redis
from tenants import access, roles
from tenants.models import Membership
from tenants.services import audit

C, M = mongo.names(Conversation), mongo.names(Message)


def key(value: object) -> str:
    """The identifier in canonical form; `NotFound` for whatever is none."""
    if not isinstance(value, (str, uuid.UUID)) or len(str(value)) > 64:
        raise access.NotFound
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise access.NotFound from None


def readable_by(membership: Membership) -> dict[str, Any]:
    """The filter for what this member may read within the organization: own conversations, and those shared with them."""
    scope = C.access_scope
    return {
        "$or": [
            {C.user_id: str(membership.user_id)},
            {f"{scope}.allowedRoles": str(membership.role), f"{scope}.isPrivate": False},
            {f"{scope}.allowedUserIds": str(membership.user_id), f"{scope}.isPrivate": False},
        ]
    }


def may_read(membership: Membership, conversation: ConversationRecord) -> bool:
    """The same rule as `readable_by`, of one conversation."""
    user = str(membership.user_id)
    if conversation.organization_id != str(membership.organization_id):
        return False
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
    if conversation.user_id != str(membership.user_id):
        _record_reading(membership, conversation)
    return conversation


async def aconversation_for(membership: Membership, conversation_id: object) -> ConversationRecord:
    await roles.refresh()
    found = mongo.async_collection(Conversation).find_one(_conversation_filter(membership, conversation_id))
    conversation = _admit(membership, await found)
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
