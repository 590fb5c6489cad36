"""Threads of programs, kept as conversations (D1): one for each bridge, `thread_id` and `sub_thread_id` of an organization.

A turn is written when it has ended, its question and its answer in one write, before the program is told of the end. What a process
that died was about to write is lost with the connection that its program held: it asks again.

Whoever began a thread goes on with it, and so does who may look at bridges; to all others it is taken. Nobody has it in their inbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import uuid_utils.compat as uuid
from bson import Decimal128
from django.utils import timezone
from pymongo.errors import BulkWriteError, DuplicateKeyError

from chat.choices import CallType, ContentType, ConversationStatus, Kind, MessageRole, MessageStatus
from chat.documents import Conversation, Message
from chat.services import platforms, turns
from config import mongo
from integrations import access
from integrations.errors import ThreadRefused
from integrations.providers.base import ChatMessage, ToolUse, Usage, about_tokens
from integrations.services import ledger, threads
from integrations.services.bridges import Answered, Caller, Place
from integrations.services.configurations import LiveBridge
from integrations.services.threads import Outcome
from tenants import roles

HISTORY_TOKENS = 12_000  # about, of what was said before
HISTORY_MESSAGES = 200
MESSAGE_LIMIT = 100_000  # characters of a message that is kept
SHORTENED = 4_000  # characters of a tool's arguments, and of its result
TITLE_LIMIT = 200

C, M = mongo.names(Conversation), mongo.names(Message)

ROLES = {"user": MessageRole.USER, "assistant": MessageRole.ASSISTANT, "system": MessageRole.SYSTEM, "tool": MessageRole.FUNCTION}
ROLES_SAID = {kept: said for said, kept in ROLES.items()}


class Keeper:
    """How `integrations.services.threads` has threads kept."""

    async def begin(self, live: LiveBridge, caller: Caller, place: Place, said: Sequence[ChatMessage]) -> "Thread":
        """Causes one query, in a thread that is there already two or three. Raises ThreadRefused."""
        for message in said:
            if len(message.text) > MESSAGE_LIMIT:
                sentence = f"A message in a thread may have {MESSAGE_LIMIT:,} characters. Ask without a thread, or shorten it."
                raise ThreadRefused("too_long", sentence, http_status=400, field="text")
        raw = await mongo.async_collection(Conversation).find_one(_where(live, place))
        if raw is None:
            return Thread(live, caller, place, conversation=None)
        if raw[C.user_id] != str(caller.membership.user_id) and not roles.may(caller.membership, access.VIEW):
            sentence = "This thread was begun by somebody else. Use a thread_id of your own."
            raise ThreadRefused("thread_taken", sentence, http_status=403, field="thread_id")
        thread = Thread(live, caller, place, conversation=raw)
        await thread.look_back(said)
        return thread


@dataclass(frozen=True, slots=True)
class _Before:
    """A question of the same `client_id`, with the answer that it was given."""

    question: Mapping[str, Any]
    answer: Mapping[str, Any]


class Thread:
    """One turn in a thread."""

    def __init__(self, live: LiveBridge, caller: Caller, place: Place, *, conversation: Mapping[str, Any] | None) -> None:
        self.live, self.caller, self.place = live, caller, place
        self.conversation_id = str(uuid.uuid7()) if conversation is None else conversation[C.conversation_id]
        self.message_id = str(uuid.uuid7())
        self.history: Sequence[ChatMessage] = ()
        self.repeated: tuple[str, Answered] | None = None
        self._is_new = conversation is None
        self._last = 0 if conversation is None else conversation.get(C.message_count, 0)
        self._before: _Before | None = None
        self._began = timezone.now()

    async def look_back(self, said: Sequence[ChatMessage]) -> None:
        """Reads what was said before, and what became of the same question. Raises ThreadRefused."""
        messages = mongo.async_collection(Message)
        if self.place.client_id and (question := await messages.find_one(self._asked_before())):
            answer = await messages.find_one({M.organization_id: self.live.organization_id, M.answer_to: question[M.message_id]})
            if question[M.content] != (said[-1].text if said else "") or answer is None:
                sentence = "This client_id was used for another question. Use a new one for each."
                raise ThreadRefused("client_id_reused", sentence, http_status=422, field="client_id")
            self.message_id = answer[M.message_id]
            if answer[M.status] == MessageStatus.SENT:
                self.repeated = (answer[M.content], _answered(answer))
                return
            self._before = _Before(question, answer)
        if self.place.reset:
            return
        wanted = {
            M.organization_id: self.live.organization_id,
            M.conversation_id: self.conversation_id,
            M.deleted_at: None,
        }
        if self._before is not None:
            wanted[M.seq] = {"$lt": self._before.question[M.seq]}
        newest = await messages.find(wanted).sort(M.seq, -1).limit(HISTORY_MESSAGES).to_list()
        self.history = tuple(_history(newest))

    async def keep(self, said: Sequence[ChatMessage], outcome: Outcome) -> None:
        """Keeps what was said and how it ended. Raises `mongo.AWAY` errors."""
        now = timezone.now()
        if self._is_new:
            await self._start(said, now=now)
        answer = self._answer(outcome, now=now)
        if self._before is not None:
            await self._keep_again(answer, outcome, now=now)
        else:
            rows = self._rows(said, now=now)
            answer[M.answer_to] = rows[-1][M.message_id]
            if not await self._insert([*rows, answer]):
                return  # the same question was asked at the same time, and answered sooner
        await self._count(outcome, now=now)

    async def _start(self, said: Sequence[ChatMessage], *, now: datetime) -> None:
        membership = self.caller.membership
        asked = next((message.text for message in said if message.role == "user"), "")
        raw = {
            **_where(self.live, self.place),
            C.conversation_id: self.conversation_id,
            C.branch_id: str(membership.branch_id) if membership.branch_id else None,
            C.department_id: str(membership.department_id) if membership.department_id else None,
            C.user_id: str(membership.user_id),
            C.user_role: str(membership.role),
            C.kind: Kind.API.value,
            C.title: " ".join(asked.split())[:TITLE_LIMIT] or self.place.thread_id,
            C.status: ConversationStatus.ACTIVE.value,
            C.is_pinned: False,
            C.last_message_at: now,
            C.message_count: 0,
            # Of the organization rather than of a person: it stays where who began it is erased.
            C.access_scope: {"allowedRoles": [], "allowedUserIds": [], "isPrivate": False},
            C.total_tokens_used: 0,
            C.answer_count: 0,
            C.created_at: now,
            C.updated_at: now,
        }
        try:
            await mongo.async_collection(Conversation).insert_one(raw)
        except DuplicateKeyError:
            there = await mongo.async_collection(Conversation).find_one(_where(self.live, self.place))
            assert there is not None  # of this name there was one a moment ago, and threads are never removed at once
            self.conversation_id = there[C.conversation_id]
        self._is_new = False

    def _rows(self, said: Sequence[ChatMessage], *, now: datetime) -> list[dict[str, Any]]:
        rows = [self._row(message, now=self._began) for message in said]
        if self.place.client_id:
            rows[-1][M.client_id] = self.place.client_id
        if self.place.reset:
            rows[0][M.is_reset] = True
        return rows

    def _row(self, message: ChatMessage, *, now: datetime) -> dict[str, Any]:
        row = {
            **self._everywhere(now),
            M.message_id: str(uuid.uuid7()),
            M.role: ROLES[message.role].value,
            M.content: message.text,
            M.attempt: 1,
            M.status: MessageStatus.SENT.value,
        }
        if message.tool_uses:
            row[M.tools_call_data] = [_of_caller(use) for use in message.tool_uses]
        if message.tool_use_id:
            row[M.function] = {"id": message.tool_use_id}
        return row

    def _everywhere(self, now: datetime) -> dict[str, Any]:
        membership = self.caller.membership
        return {
            M.organization_id: self.live.organization_id,
            M.conversation_id: self.conversation_id,
            M.content_type: ContentType.TEXT.value,
            M.conversation_type: CallType.CHAT.value,
            M.bridge_id: self.live.id,
            M.version_id: self.live.version_id,
            M.user_id: str(membership.user_id),
            M.user_role: str(membership.role),
            M.user_name: membership.user.name,
            M.branch_id: str(membership.branch_id) if membership.branch_id else None,
            M.department_id: str(membership.department_id) if membership.department_id else None,
            M.created_at: now,
            M.updated_at: now,
        }

    def _answer(self, outcome: Outcome, *, now: datetime) -> dict[str, Any]:
        answered, error = outcome.answered, outcome.error
        row = {
            **self._everywhere(now),
            M.message_id: self.message_id,
            M.role: MessageRole.ASSISTANT.value,
            M.content: outcome.text,
            M.attempt: 1,
            M.version: f"{self.live.slug}@{self.live.number}",
            M.ai_config: dict(self.live.content["configuration"]),
        }
        if answered is not None:
            calls = platforms.as_stored(answered.tool_runs) + [_of_caller(use) for use in answered.tool_uses]
            row |= {
                M.status: MessageStatus.SENT.value,
                M.ai_model: answered.model,
                M.finish_reason: answered.finish_reason,
                M.ai_response_metadata: _metadata(answered, now=now),
                M.tools_call_data: calls,
                M.calls: [ledger.as_document(attempt) for attempt in answered.attempts],
            }
        elif error is not None:
            told = {"errorCode": error.code.value, "errorMessage": error.sentence, "retryCount": 0}
            row |= {
                M.status: MessageStatus.ERROR.value,
                M.error_details: told,
                M.calls: [ledger.as_document(attempt) for attempt in error.attempts],
            }
        else:
            row[M.status] = MessageStatus.CANCELLED.value
        return row

    async def _insert(self, rows: list[dict[str, Any]]) -> bool:
        """At the next places; false where the same question is there already."""
        waiting, last = rows, self._last
        while waiting:
            for place, raw in enumerate(waiting, start=last + 1):
                raw[M.seq] = place
                raw.pop("_id", None)
            try:
                await mongo.async_collection(Message).insert_many(waiting, ordered=True)
                break
            except BulkWriteError as error:
                failure = error.details["writeErrors"][0]
                if failure.get("code") != 11000:
                    raise
                if M.client_id in failure.get("keyPattern", {}):
                    return False
                waiting = waiting[failure["index"] :]
            last = await turns.last_place(self.live.organization_id, self.conversation_id)
        self._last = rows[-1][M.seq]
        return True

    async def _keep_again(self, answer: dict[str, Any], outcome: Outcome, *, now: datetime) -> None:
        """The next attempt at an answer that had failed. One that has succeeded meanwhile stays."""
        assert self._before is not None
        kept = self._before.answer
        changes = {name: value for name, value in answer.items() if name not in (M.message_id, M.created_at, M.attempt, M.calls)}
        await mongo.async_collection(Message).update_one(
            {
                M.organization_id: self.live.organization_id,
                M.message_id: kept[M.message_id],
                M.attempt: kept[M.attempt],
                M.status: {"$ne": MessageStatus.SENT.value},
            },
            {
                "$set": {**changes, M.attempt: kept[M.attempt] + 1},
                "$push": {M.calls: {"$each": answer.get(M.calls, [])}},
                **({} if outcome.error else {"$unset": {M.error_details: ""}}),
            },
        )
        self._last = kept[M.seq]

    async def _count(self, outcome: Outcome, *, now: datetime) -> None:
        tokens = 0
        if outcome.answered is not None and not outcome.answered.from_cache:
            tokens = outcome.answered.usage.input_tokens + outcome.answered.usage.output_tokens
        await mongo.async_collection(Conversation).update_one(
            {C.organization_id: self.live.organization_id, C.conversation_id: self.conversation_id},
            {
                "$max": {C.message_count: self._last, C.last_message_at: now, C.updated_at: now},
                "$inc": {C.total_tokens_used: tokens},
                "$set": {C.status: ConversationStatus.ACTIVE.value, C.archived_at: None},
            },
        )

    def _asked_before(self) -> dict[str, Any]:
        return {
            M.organization_id: self.live.organization_id,
            M.conversation_id: self.conversation_id,
            M.user_id: str(self.caller.membership.user_id),
            M.client_id: self.place.client_id,
        }


def _where(live: LiveBridge, place: Place) -> dict[str, Any]:
    return {
        C.organization_id: live.organization_id,
        C.bridge_id: live.id,
        C.thread_id: place.thread_id,
        C.sub_thread_id: place.sub_thread_id,
        C.status: {"$in": [ConversationStatus.ACTIVE.value, ConversationStatus.ARCHIVED.value]},
    }


def _history(newest: Sequence[Mapping[str, Any]]) -> list[ChatMessage]:
    """What was said since the last reset, as much as the budget holds, oldest first. It begins with a question: a tool's answer without
    the call that it answers is refused by every provider. What failed was not said."""
    left, found = HISTORY_TOKENS, []
    for raw in newest:
        if raw[M.status] != MessageStatus.SENT:
            continue
        left -= about_tokens(len(raw.get(M.content) or ""))
        if left < 0:
            break
        found.append(raw)
        if raw.get(M.is_reset):
            break
    while found and found[-1][M.role] != MessageRole.USER:
        found.pop()
    return [_said(raw) for raw in reversed(found)]


def _said(raw: Mapping[str, Any]) -> ChatMessage:
    called = raw.get(M.tools_call_data) or ()
    return ChatMessage(
        ROLES_SAID[MessageRole(raw[M.role])],
        raw.get(M.content) or "",
        tool_uses=tuple(ToolUse(one["id"], one["name"], one["arguments"]) for one in called if one.get("byCaller")),
        tool_use_id=(raw.get(M.function) or {}).get("id", ""),
    )


def _of_caller(use: ToolUse) -> dict[str, Any]:
    return {"id": use.id, "name": use.name, "arguments": use.arguments, "byCaller": True}


def _metadata(answered: Answered, *, now: datetime) -> dict[str, Any]:
    usage = answered.usage
    return {
        "tokensUsed": usage.input_tokens + usage.output_tokens,
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cost": None if answered.cost is None else Decimal128(answered.cost),
        "responseTime": float(answered.latency_ms),
        "provider": answered.provider,
        **({"generatedAt": now} if answered.from_cache else {}),
    }


def _answered(answer: Mapping[str, Any]) -> Answered:
    """What was told of an answer when it was given."""
    figures = answer.get(M.ai_response_metadata) or {}
    cost = figures.get("cost")
    return Answered(
        model=answer[M.ai_model],
        finish_reason=answer[M.finish_reason],
        usage=Usage(figures.get("inputTokens", 0), figures.get("outputTokens", 0)),
        cost=None if cost is None else Decimal(cost.to_decimal()),
        tool_uses=_said(answer).tool_uses,
    )


threads.keep_with(Keeper())
