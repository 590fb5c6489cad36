"""What an answer may rest on: its conversation, its history, and what the asker is allowed to see of the employees discussed."""

import asyncio
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError

from chat import strands
from chat.choices import MessageRole, MessageStatus
from chat.documents import Message
from chat.realtime.calls import Call
from chat.records import MessageRecord
from config import loop, mongo
from integrations.providers.base import Code, ProviderError
from tenants import access, roles, scoping
from tenants.models import Membership

M = mongo.names(Message)

HISTORY_MESSAGES = 40
AGAIN_SECONDS = (0.5, 1.0)  # between tries to read in PostgreSQL


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
class AnswerContext:
    conversation_type: str
    question: MessageRecord
    history: tuple[MessageRecord, ...]  # before the question, oldest first
    subjects: tuple[Subject, ...]


async def for_answer(call: Call) -> AnswerContext:
    """Reads it with the rights of the person who asked, as they are now. Raises `ProviderError` where they have lost them."""
    messages, subjects = await asyncio.gather(_messages_before(call), _subjects_at_last(call))
    question = next((message for message in reversed(messages) if message.id == call.answer_to), None)
    if question is None:
        raise ProviderError(Code.NO_MODEL, "The question of this answer is gone. Ask again.", permanent=True)
    history = tuple(message for message in messages if message.seq < question.seq)
    return AnswerContext(conversation_type=call.conversation_type, question=question, history=history, subjects=subjects)


async def _messages_before(call: Call) -> list[MessageRecord]:
    """The latest messages on the answer's path. One query."""
    wanted: dict[str, Any] = {M.organization_id: call.organization_id, M.conversation_id: call.conversation_id, M.seq: {"$lt": call.seq}}
    cursor = mongo.async_collection(Message).find(wanted).sort(M.seq, -1).limit(HISTORY_MESSAGES)
    if call.path:
        wanted["$or"] = strands.clauses(call.path, most=HISTORY_MESSAGES, before=call.seq)
        cursor = cursor.hint(strands.INDEX)
    found = [MessageRecord.read(raw) for raw in await cursor.to_list() if raw.get(M.deleted_at) is None]
    return [message for message in reversed(found) if _tells_something(message)]


def _tells_something(message: MessageRecord) -> bool:
    return message.role == MessageRole.USER or (message.status == MessageStatus.SENT and bool(message.text))


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
        if not call.subject_employee_ids:
            return ()
        employees = access.employees_for(membership).filter(pk__in=call.subject_employee_ids).order_by().values(*FIELDS)
        found = {str(row["pk"]): _subject(row) for row in employees}
    return tuple(found[pk] for pk in call.subject_employee_ids if pk in found)


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
