"""The analysis beside an answer (S0-39): scores, recommendations, insights and data points, asked for when the prose is out."""

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone
from pymongo import ReturnDocument

from chat import events, prompts
from chat.choices import ConsultationType, MessageStatus
from chat.documents import AiResponseMetadata, Message, ReferencedEmployee, StructuredData
from chat.realtime import stream
from chat.realtime.calls import Call
from chat.records import MessageRecord
from chat.services import memories, structures
from chat.services.contexts import AnswerContext
from chat.structures import NAMED, Analysis, named_in, read_analysis
from config import mongo
from config.failpoints import failpoint
from integrations.services import ledger

M, A = mongo.names(Message), mongo.names(AiResponseMetadata)
S, R = mongo.names(StructuredData), mongo.names(ReferencedEmployee)


async def give(call: Call, context: AnswerContext, answer: MessageRecord) -> None:
    """Puts an analysis beside an answer that has ended well, and says so to its readers.

    Where the model gives none that fits, or the answer is written anew meanwhile, the answer stays as it is. Raises `mongo.AWAY`
    errors.
    """
    if not settings.AI_ANALYSES or not call.conversation_type:
        return
    read = partial(read_analysis, type=ConsultationType(call.conversation_type))
    analysis, attempts = await structures.ask(prompts.analysis_request(answer, context), read=read)
    raw = None
    calls = {"$push": {M.calls: {"$each": [ledger.as_document(attempt) for attempt in attempts]}}}
    messages = mongo.async_collection(Message)
    this = {M.organization_id: answer.organization_id, M.message_id: answer.id}
    if analysis is not None:
        raw = await messages.find_one_and_update(
            {**this, M.attempt: answer.attempt, M.status: MessageStatus.SENT.value},
            {"$set": _fields(analysis, context, answer, now=timezone.now()), **calls},
            return_document=ReturnDocument.AFTER,
        )
    if analysis is None or raw is None:
        await messages.update_one(this, calls)  # they were made, whatever became of them
        return
    failpoint("analysis.recorded")
    await stream.announce([events.message(MessageRecord.read(raw).as_json())])
    await memories.note(call, context, analysis)


async def repeat(answer: MessageRecord, *, of: str) -> bool:
    """Puts the analysis beside an answer that stands beside the earlier one (its id) whose words it repeats; False where that has none.
    Raises `mongo.AWAY` errors."""
    messages = mongo.async_collection(Message)
    of_both = {M.organization_id: answer.organization_id, M.content: answer.text}
    earlier = await messages.find_one({**of_both, M.message_id: of, M.structured_data: {"$ne": None}})
    if earlier is None:
        return False
    same = {name: earlier[name] for name in (M.structured_data, M.follow_ups, M.referenced_employees) if name in earlier}
    raw = await messages.find_one_and_update(
        {**of_both, M.message_id: answer.id, M.attempt: answer.attempt, M.status: MessageStatus.SENT.value},
        {"$set": {**same, M.updated_at: timezone.now()}},
        return_document=ReturnDocument.AFTER,
    )
    if raw is not None:
        await stream.announce([events.message(MessageRecord.read(raw).as_json())])
    return True


def references(text: str, context: AnswerContext) -> list[dict[str, str]]:
    """The subjects whom an answer names (S0-37)."""
    people = [(subject.id, subject.name) for subject in context.subjects]
    return [{R.employee_id: id, R.employee_name: name, R.relevance: NAMED} for id, name in named_in(text, people)]


def _fields(analysis: Analysis, context: AnswerContext, answer: MessageRecord, *, now: datetime) -> dict[str, Any]:
    data = asdict(analysis)
    fields: dict[str, Any] = {
        M.structured_data: {
            S.analysis_type: analysis.type.value,
            **{getattr(S, name): data[name] for name in ("scores", "recommendations", "insights", "data_points")},
        },
        M.follow_ups: list(analysis.follow_ups),
        M.referenced_employees: _with_reasons(analysis, context, answer),
        M.updated_at: now,
    }
    if answer.confidence is None:
        fields[f"{M.ai_response_metadata}.{A.confidence_score}"] = analysis.confidence
    return fields


def _with_reasons(analysis: Analysis, context: AnswerContext, answer: MessageRecord) -> list[dict[str, str]]:
    """Who is named in the answer or by the analysis, with the model's reason where it gave one."""
    named = {one[R.employee_id] for one in answer.referenced_employees}
    reasons = analysis.reasons
    return [
        {R.employee_id: one.id, R.employee_name: one.name, R.relevance: reasons.get(one.name.casefold(), NAMED)}
        for one in context.subjects
        if one.id in named or one.name.casefold() in reasons
    ]
