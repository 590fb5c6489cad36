"""What an answer may rest on: its conversation, its history, and what the asker is allowed to see of the employees discussed."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import InterfaceError, OperationalError
from redis.asyncio.client import Pipeline

from chat import strands
from chat.choices import MessageRole, MessageStatus, ScopeType
from chat.documents import Context, ConversationMemory, EmployeeContext, Message
from chat.realtime import facts
from chat.realtime.calls import Call
from chat.records import ConversationRecord, MessageRecord, as_time
from chat.services import attachments
from chat.services.attachments import FileText
from config import loop, mongo
from integrations.providers.base import Code, Picture, ProviderError
from tenants import access, changes, roles, scoping
from tenants.models import Membership

M, X = mongo.names(Message), mongo.names(Context)
CM, EC = mongo.names(ConversationMemory), mongo.names(EmployeeContext)

HISTORY_MESSAGES = 40
_SAID = (
    *(M.message_id, M.organization_id, M.conversation_id, M.seq, M.strand),
    *(M.role, M.content, M.reply_to, M.attachments, M.status, M.created_at, M.deleted_at),
)
AGAIN_SECONDS = (0.5, 1.0)  # between tries to read in PostgreSQL
KNOWN_LIMIT = 1_000  # of what this process read of employees
KNOWN_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class Subject:
    """An employee who is discussed, as the asker may see them. Scores are 0 to 100."""

    id: str
    name: str
    job_title: str
    department: str
    traits: tuple[str, ...]
    patterns: tuple[str, ...]
    strengths: tuple[str, ...]
    development_areas: tuple[str, ...]
    training_needs: tuple[str, ...]
    compatibility: dict[str, float]
    performance: dict[str, object]
    signs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a conversation remembers of what was said before its newest messages."""

    through: int  # the place up to which it reaches
    summary: str
    strand: int = strands.FIRST  # of the message at this place
    key_points: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    follow_up_items: tuple[str, ...] = ()
    previous_queries: tuple[str, ...] = ()
    insights: dict[str, tuple[str, ...]] = field(default_factory=dict)  # found of an employee, by id
    updated_at: datetime | None = None
    expires_at: datetime | None = None

    @classmethod
    def read(cls, contexts: Iterable[dict[str, Any]]) -> "Memory | None":
        """From a conversation's contexts; None where there are none. Before the first summary, the insights are all there is."""
        of_conversation: dict[str, Any] = {}
        insights = dict[str, tuple[str, ...]]()
        for raw in contexts:
            if raw[X.scope_type] == ScopeType.CONVERSATION:
                of_conversation = raw
            elif found := raw.get(X.employee_context):
                insights[found[EC.employee_id]] = tuple(found.get(EC.recent_insights, ()))
        if not of_conversation and not insights:
            return None
        memory = of_conversation.get(X.conversation_memory) or {}
        return cls(
            through=of_conversation.get(X.through) or 0,
            summary=memory.get(CM.context_window, ""),
            strand=of_conversation.get(X.strand) or strands.FIRST,
            key_points=tuple(memory.get(CM.key_points, ())),
            decisions=tuple(memory.get(CM.decisions, ())),
            follow_up_items=tuple(memory.get(CM.follow_up_items, ())),
            previous_queries=tuple(memory.get(CM.previous_queries, ())),
            insights=insights,
            updated_at=of_conversation.get(X.last_updated),
            expires_at=of_conversation.get(X.expires_at),
        )

    def on(self, path: strands.Path) -> "Memory":
        """What of it concerns this path: notes on what was said elsewhere do not; what was found of an employee does."""
        if strands.holds(path, seq=self.through, strand=self.strand):
            return self
        return Memory(through=0, summary="", insights=self.insights, expires_at=self.expires_at)


@dataclass(frozen=True, slots=True)
class AnswerContext:
    conversation_type: str
    question: MessageRecord
    history: tuple[MessageRecord, ...]  # before the question, oldest first
    subjects: tuple[Subject, ...]
    subjects_read_at: float | None = None  # seconds since the epoch; None where what was kept is still right, or there are none
    files: Mapping[str, FileText] = field(default_factory=dict)  # what the files of question and history say, by their ids
    pictures: Mapping[str, Picture] = field(default_factory=dict)  # what a model is shown of their images, by their ids
    memory: Memory | None = None


async def for_answer(call: Call) -> AnswerContext:
    """Reads it with the rights of the person who asked, as they are now. Raises `ProviderError` where they have lost them."""
    messages, (subjects, read_at), memory = await asyncio.gather(_messages_before(call), _subjects_kept_or_read(call), _memory(call))
    question = next((message for message in reversed(messages) if message.id == call.answer_to), None)
    if question is None:
        raise ProviderError(Code.NO_MODEL, "The question of this answer is gone. Ask again.", permanent=True)
    history = tuple(message for message in messages if message.seq < question.seq)
    return AnswerContext(
        conversation_type=call.conversation_type,
        question=question,
        history=history,
        subjects=subjects,
        subjects_read_at=read_at,
        files=await attachments.texts_of(messages),
        pictures=await attachments.pictures_of(messages),
        memory=memory,
    )


def keep(pipeline: Pipeline, call: Call, context: AnswerContext) -> None:
    """Keeps what was read of the subjects for the conversation's next answers."""
    if context.subjects_read_at is not None:
        messages = [message.id for message in context.history]
        facts.keep(pipeline, call, context.subjects, messages=messages, read_at=context.subjects_read_at)


async def _memory(call: Call) -> Memory | None:
    """No query where the conversation says that it has none."""
    if not call.remembers:
        return None
    cursor = mongo.async_collection(Context).find({X.organization_id: call.organization_id, X.conversation_id: call.conversation_id})
    memory = Memory.read(await cursor.to_list())
    return memory and memory.on(call.path)


@dataclass(frozen=True, slots=True)
class Given:
    """What a model would be told now of whom a conversation is about, and of what was said in it long ago."""

    subjects: tuple[Subject, ...]
    memory: Memory | None

    def as_json(self) -> dict[str, Any]:
        insights = self.memory.insights if self.memory else {}
        notes = None
        if self.memory and self.memory.summary:
            notes = {name: value for name, value in asdict(self.memory).items() if name not in ("insights", "expires_at")}
            notes["updated_at"] = as_time(self.memory.updated_at)
        employees = [asdict(subject) | {"insights": list(insights.get(subject.id, ()))} for subject in self.subjects]
        return {"employees": employees, "memory": notes}


def given(membership: Membership, conversation: ConversationRecord) -> Given:
    """With this member's rights, whoever asked. The conversation came through the door. Causes two queries."""
    of_conversation = {X.organization_id: conversation.organization_id, X.conversation_id: conversation.id}
    return Given(
        subjects=subjects_for(membership, conversation.subject_employee_ids),
        memory=Memory.read(mongo.collection(Context).find(of_conversation)),
    )


async def _messages_before(call: Call) -> list[MessageRecord]:
    """The latest messages on the answer's path: what was said, without what a prompt has no use for. One query, unless the call says that
    the question is the first and is to be believed."""
    if call.alone is not None and call.rights is not None:
        return [_first(call, *call.alone)]
    wanted: dict[str, Any] = {M.organization_id: call.organization_id, M.conversation_id: call.conversation_id, M.seq: {"$lt": call.seq}}
    cursor = mongo.async_collection(Message).find(wanted, _SAID).sort(M.seq, -1).limit(HISTORY_MESSAGES)
    if call.path:
        wanted["$or"] = strands.clauses(call.path, most=HISTORY_MESSAGES, before=call.seq)
        cursor = cursor.hint(strands.INDEX)
    found = [MessageRecord.read(raw) for raw in await cursor.to_list() if raw.get(M.deleted_at) is None]
    return [message for message in reversed(found) if _tells_something(message)]


def _first(call: Call, text: str, asked_at: float) -> MessageRecord:
    return MessageRecord(
        id=call.answer_to,
        organization_id=call.organization_id,
        conversation_id=call.conversation_id,
        seq=1,
        role=MessageRole.USER.value,
        text=text,
        status=MessageStatus.SENT.value,
        attempt=1,
        created_at=datetime.fromtimestamp(asked_at, UTC),
    )


def _tells_something(message: MessageRecord) -> bool:
    return message.role == MessageRole.USER or (message.status == MessageStatus.SENT and bool(message.text))


_known: dict[tuple[Any, ...], tuple[tuple[Subject, ...], float]] = {}  # by organization, rights and ids: what was read, and when


async def _subjects_kept_or_read(call: Call) -> tuple[tuple[Subject, ...], float | None]:
    """The subjects, and when they were read; None where they need not be kept. This process knows them, or Redis, or PostgreSQL."""
    if call.rights is None:
        return await _subjects_at_last(call), None
    if not call.subject_employee_ids:
        return (), None
    same = call.organization_id, call.rights, call.subject_employee_ids
    subjects, read_at = _known.pop(same, ((), 0.0))
    if not _is_current(call, read_at):
        if (kept := await facts.kept(call)) is not None:
            return tuple(map(_kept_subject, kept)), None
        read_at = time.time()
        subjects = await _subjects_at_last(call)
    if len(_known) >= KNOWN_LIMIT:
        _known.clear()
    _known[same] = subjects, read_at
    return subjects, read_at


def _is_current(call: Call, read_at: float) -> bool:
    """Whether what this process read then, for whatever conversation, is what PostgreSQL has now."""
    return time.time() - read_at < KNOWN_SECONDS and changes.listening().is_current(call.organization_id, read_at=read_at, skew=0.0)


async def _subjects_at_last(call: Call) -> tuple[Subject, ...]:
    """PostgreSQL may be starting again: a few seconds are waited for it before the answer is given up."""
    for pause in AGAIN_SECONDS:
        try:
            return await loop.in_thread(_subjects, call)
        except (InterfaceError, OperationalError):
            await asyncio.sleep(pause)
    return await loop.in_thread(_subjects, call)


def _subjects(call: Call) -> tuple[Subject, ...]:
    with scoping.tenant(call.organization_id):
        membership = _asker(call)
        return subjects_for(membership, call.subject_employee_ids)


def subjects_for(membership: Membership, employee_ids: tuple[str, ...]) -> tuple[Subject, ...]:
    """Those of these employees whom this member may see, as a model is told of them. Causes a query."""
    if not employee_ids:
        return ()
    employees = access.employees_for(membership).filter(pk__in=employee_ids).order_by().values(*FIELDS)
    found = {str(row["pk"]): _subject(row) for row in employees}
    return tuple(found[pk] for pk in employee_ids if pk in found)


async def asker(call: Call) -> Membership:
    """Who asked, with the rights that their answer is written with. Raises `ProviderError` where they have lost them."""

    def read() -> Membership:
        with scoping.tenant(call.organization_id):
            return _asker(call)

    return read() if call.rights is not None else await loop.in_thread(read)


def _asker(call: Call) -> Membership:
    """With whose rights the employees are read. Causes a query unless the call says whose (see `answers.produce`)."""
    if call.rights is not None:
        role, branch_id, department_id = call.rights
        return Membership(
            organization_id=call.organization_id,
            user_id=call.user_id,
            role=role,
            branch_id=branch_id,
            department_id=department_id,
        )
    try:
        membership = access.membership_in(call.organization_id, user_id=call.user_id)
        roles.require(membership, "chat:message:send")
    except (access.NotFound, access.Forbidden) as error:
        raise ProviderError(Code.REFUSED, "You may not ask here any more. Ask an owner of your organization.", permanent=True) from error
    return membership


def _kept_subject(kept: dict[str, Any]) -> Subject:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
    return Subject(**fields)


FIELDS = (
    *("pk", "first_name", "last_name", "job_title", "department__name", "personality_traits", "behavioral_patterns"),
    *("strengths", "development_areas", "training_needs", "performance_indicators", "sun_sign", "moon_sign", "rising_sign"),
    *("compatibility_job_role", "compatibility_department", "compatibility_company", "compatibility_industry"),
)


def _subject(row: dict[str, Any]) -> Subject:
    compatibility = {
        "job role": row["compatibility_job_role"],
        "department": row["compatibility_department"],
        "company": row["compatibility_company"],
        "industry": row["compatibility_industry"],
    }
    signs = {"sun": row["sun_sign"], "moon": row["moon_sign"], "rising": row["rising_sign"]}
    return Subject(
        id=str(row["pk"]),
        name=f"{row['first_name']} {row['last_name']}".strip(),
        job_title=row["job_title"],
        department=row["department__name"] or "",
        traits=tuple(row["personality_traits"]),
        patterns=tuple(row["behavioral_patterns"]),
        strengths=tuple(row["strengths"]),
        development_areas=tuple(row["development_areas"]),
        training_needs=tuple(row["training_needs"]),
        compatibility={name: float(value) for name, value in compatibility.items() if value is not None},
        performance=row["performance_indicators"],
        signs={name: value for name, value in signs.items() if value},
    )
