"""What an answer may rest on: its conversation, its history, and what the asker is allowed to see of the employees discussed."""

import asyncio
from dataclasses import dataclass

from chat.choices import MessageRole, MessageStatus
from chat.documents import Message
from chat.realtime.calls import Call
from chat.records import MessageRecord
from config import loop, mongo
from integrations.providers.base import Code, ProviderError
from tenants import access, roles, scoping
from tenants.models import Employee

M = mongo.names(Message)

HISTORY_MESSAGES = 40


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
    messages, subjects = await asyncio.gather(_messages_before(call), loop.in_thread(_subjects, call))
    question = next((message for message in reversed(messages) if message.id == call.answer_to), None)
    if question is None:
        raise ProviderError(Code.NO_MODEL, "The question of this answer is gone. Ask again.", permanent=True)
    history = tuple(message for message in messages if message.seq < question.seq)
    return AnswerContext(conversation_type=call.conversation_type, question=question, history=history, subjects=subjects)


async def _messages_before(call: Call) -> list[MessageRecord]:
    cursor = (
        mongo.async_collection(Message)
        .find({M.organization_id: call.organization_id, M.conversation_id: call.conversation_id, M.seq: {"$lt": call.seq}})
        .sort(M.seq, -1)
        .limit(HISTORY_MESSAGES)
    )
    found = [MessageRecord.read(raw) for raw in await cursor.to_list() if raw.get(M.deleted_at) is None]
    return [message for message in reversed(found) if _tells_something(message)]


def _tells_something(message: MessageRecord) -> bool:
    return message.role == MessageRole.USER or (message.status == MessageStatus.SENT and bool(message.text))


def _subjects(call: Call) -> tuple[Subject, ...]:
    employee_ids = call.subject_employee_ids
    with scoping.tenant(call.organization_id):
        try:
            membership = access.membership_in(call.organization_id, user_id=call.user_id)
            roles.require(membership, "chat:message:send")
        except (access.NotFound, access.Forbidden) as error:
            raise ProviderError(
                Code.REFUSED, "You may not ask here any more. Ask an owner of your organization.", permanent=True
            ) from error
        if not employee_ids:
            return ()
        employees = access.employees_for(membership).filter(pk__in=employee_ids).select_related("department")
        found = {str(employee.pk): _subject(employee) for employee in employees}
    return tuple(found[pk] for pk in employee_ids if pk in found)


def _subject(employee: Employee) -> Subject:
    compatibility = {
        "job role": employee.compatibility_job_role,
        "department": employee.compatibility_department,
        "company": employee.compatibility_company,
        "industry": employee.compatibility_industry,
    }
    signs = {"sun": employee.sun_sign, "moon": employee.moon_sign, "rising": employee.rising_sign}
    return Subject(
        id=str(employee.pk),
        name=employee.name,
        job_title=employee.job_title,
        department=employee.department.name if employee.department else "",
        traits=tuple(employee.personality_traits),
        patterns=tuple(employee.behavioral_patterns),
        strengths=tuple(employee.strengths),
        development_areas=tuple(employee.development_areas),
        training_needs=tuple(employee.training_needs),
        compatibility={name: float(value) for name, value in compatibility.items() if value is not None},
        performance=employee.performance_indicators,
        signs={name: value for name, value in signs.items() if value},
    )
