"""What a conversation remembers (S0-49…66): notes on what was said before its newest messages, and what was found of whom it is about.

Notes are made after an answer has ended, when enough was said since the last ones, once in `EVERY_TURNS` turns at most: whoever moves
`askedAt` on makes them. A claim is never given back: where the model fails, or its worker dies, the next turns try again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import uuid_utils.compat as uuid
from django.conf import settings
from django.utils import timezone
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from chat import events, prompts
from chat.choices import ConsultationType, MessageRole, ScopeType
from chat.documents import (
    AstrologyData,
    CompatibilityScores,
    Context,
    Conversation,
    ConversationMemory,
    EmployeeContext,
    Message,
    TeamContext,
)
from chat.realtime import stream
from chat.realtime.calls import Call
from chat.records import ConversationRecord, MessageRecord
from chat.services import structures
from chat.services.contexts import AnswerContext, Memory, Subject
from chat.structures import Analysis, Notes, read_notes
from config import mongo, periods
from config.failpoints import failpoint
from integrations.services import ledger

C, M, X = mongo.names(Conversation), mongo.names(Message), mongo.names(Context)
CM, EC, TC = mongo.names(ConversationMemory), mongo.names(EmployeeContext), mongo.names(TeamContext)
CS, AD = mongo.names(CompatibilityScores), mongo.names(AstrologyData)

TOUCHED = timedelta(days=1)  # a use within so long of the last one is not written down
EVERY_TURNS = 4
WAITING_MESSAGES = 16  # that are not in the memory, from which on there are notes of them
WAITING_TOKENS = prompts.TOKEN_BUDGET // 2
NEWEST = 4  # messages that stay out of the memory
QUERIES, QUERY_LIMIT = 10, 200  # questions remembered, and characters of each
INSIGHTS = 10  # of one employee
CONFLICT, SYNERGY = 50, 75  # scores of a pair: below the first, from the second on


async def keep(call: Call, context: AnswerContext, answer: MessageRecord) -> None:
    """Brings the memory up to date if it is due; raises `mongo.AWAY` errors. What is read of the conversation is at hand already."""
    if not settings.AI_MEMORY or not call.conversation_type:
        return
    now = timezone.now()
    through = context.memory.through if context.memory else 0
    waiting = [message for message in (*context.history, context.question, answer) if message.seq > through]
    if not is_due(waiting):
        await _touch(call, context.memory, now=now)
        return
    claimed, memory = await _claim(call, answer, now=now)
    if not claimed:
        return
    failpoint("memory.claimed")
    said = [message for message in waiting[:-NEWEST] if memory is None or message.seq > memory.through]
    if not said:
        return
    request = prompts.memory_request(answer, context, memory=memory, said=said)
    notes, attempts = await structures.ask(request, read=read_notes)
    await mongo.async_collection(Message, journaled=False).update_one(
        {M.organization_id: answer.organization_id, M.message_id: answer.id},
        {"$push": {M.calls: {"$each": [ledger.as_document(attempt) for attempt in attempts]}}},
    )
    if notes is not None:
        await _save(call, answer, notes, queries=_queries(memory, said), through=said[-1])


def is_due(waiting: Sequence[MessageRecord]) -> bool:
    """True if these messages, which no memory holds, are many, or half of what a prompt may take."""
    older = waiting[:-NEWEST]
    return bool(older) and (len(waiting) >= WAITING_MESSAGES or sum(prompts.tokens(message.text) for message in waiting) >= WAITING_TOKENS)


def _of(call: Call, scope: ScopeType, reference: str) -> dict[str, Any]:
    return {
        X.organization_id: call.organization_id,
        X.conversation_id: call.conversation_id,
        X.scope_type: scope.value,
        X.scope_reference: reference,
    }


def _stamps(now: datetime) -> dict[str, Any]:
    return {X.last_updated: now, X.expires_at: now + periods.CONTEXTS.period, X.updated_at: now}


def _new(now: datetime) -> dict[str, Any]:
    return {X.context_id: str(uuid.uuid7()), X.created_at: now}


async def _claim(call: Call, answer: MessageRecord, *, now: datetime) -> tuple[bool, Memory | None]:
    """Whether it is ours to make notes now, and the memory as it is."""
    mine = _of(call, ScopeType.CONVERSATION, call.conversation_id)
    try:
        before = await mongo.async_collection(Context).find_one_and_update(
            {**mine, X.asked_at: {"$lte": answer.seq - 2 * EVERY_TURNS}},
            {"$set": {X.asked_at: answer.seq, **_stamps(now)}, "$setOnInsert": _new(now)},
            upsert=True,
            return_document=ReturnDocument.BEFORE,
        )
    except DuplicateKeyError:
        return False, None  # there is one, and a model was asked for it within the last turns
    memory = Memory.read([before]) if before else None
    return True, memory and memory.on(call.path)


async def _save(call: Call, answer: MessageRecord, notes: Notes, *, queries: list[str], through: MessageRecord) -> None:
    """The memory first, then the conversation, which says that there is one. Nobody else's notes are later than ours."""
    now = timezone.now()
    memory = {
        CM.key_points: list(notes.key_points),
        CM.decisions: list(notes.decisions),
        CM.follow_up_items: list(notes.follow_up_items),
        CM.previous_queries: queries,
        CM.context_window: notes.summary,
    }
    size = sum(prompts.tokens(text) for text in (notes.summary, *notes.key_points, *notes.decisions, *notes.follow_up_items, *queries))
    mine = {**_of(call, ScopeType.CONVERSATION, call.conversation_id), X.asked_at: answer.seq}
    saved = await mongo.async_collection(Context, journaled=False).update_one(
        mine,
        {"$set": {X.conversation_memory: memory, X.through: through.seq, X.strand: through.strand, X.token_count: size, **_stamps(now)}},
    )
    failpoint("memory.recorded")
    if saved.matched_count:
        raw = await mongo.async_collection(Conversation, journaled=False).find_one_and_update(
            {C.organization_id: call.organization_id, C.conversation_id: call.conversation_id},
            {"$set": {C.context_summary: notes.summary, C.key_insights: list(notes.key_insights), C.updated_at: now}},
            return_document=ReturnDocument.AFTER,
        )
        if raw is not None:
            await stream.announce([events.conversation(ConversationRecord.read(raw).as_json())])


def _queries(memory: Memory | None, said: Iterable[MessageRecord]) -> list[str]:
    """The latest questions that the memory covers."""
    asked = [" ".join(message.text.split())[:QUERY_LIMIT] for message in said if message.role == MessageRole.USER]
    return [*(memory.previous_queries if memory else ()), *asked][-QUERIES:]


async def _touch(call: Call, memory: Memory | None, *, now: datetime) -> None:
    """It was used, so it lives on; all that the conversation remembers lives as long."""
    if memory is None or memory.expires_at is None or memory.expires_at > now + periods.CONTEXTS.period - TOUCHED:
        return
    await mongo.async_collection(Context, journaled=False).update_many(
        {X.organization_id: call.organization_id, X.conversation_id: call.conversation_id},
        {"$set": {X.expires_at: now + periods.CONTEXTS.period}},
    )


# What an analysis found ------------------------------------------------------------------------------------------------


async def note(call: Call, context: AnswerContext, analysis: Analysis) -> None:
    """Remembers what an analysis found of its subjects, and of them as a team. Made again by the next one where it is lost."""
    if not context.subjects:
        return
    now = timezone.now()
    changes = [change for subject in context.subjects for change in _employee(call, subject, analysis, now=now)]
    if len(context.subjects) > 1:
        changes.append(_team(call, context.subjects, analysis, now=now))
    await mongo.async_collection(Context, journaled=False).bulk_write(changes)


def _employee(call: Call, subject: Subject, analysis: Analysis, *, now: datetime) -> tuple[UpdateOne, UpdateOne]:
    about = f"{X.employee_context}.{{}}".format
    only = len(call.subject_employee_ids) == 1
    found = [insight for insight in analysis.insights if only or subject.name in insight]
    facts = {
        EC.employee_id: subject.id,
        EC.employee_name: subject.name,
        EC.personality_traits: list(subject.traits),
        EC.behavioral_patterns: list(subject.patterns),
        EC.compatibility_scores: {
            stored: subject.compatibility[name]
            for stored, name in (
                (CS.job_role, "job role"),
                (CS.department, "department"),
                (CS.company, "company"),
                (CS.industry, "industry"),
            )
            if name in subject.compatibility
        },
        EC.astrology_data: {
            stored: subject.signs[name]
            for stored, name in ((AD.sun_sign, "sun"), (AD.moon_sign, "moon"), (AD.rising_sign, "rising"))
            if name in subject.signs
        },
        EC.performance_indicators: subject.performance,
        EC.training_needs: list(subject.training_needs),
        EC.strengths: list(subject.strengths),
        EC.development_areas: list(subject.development_areas),
    }
    text = " ".join([*subject.traits, *subject.patterns, *subject.strengths, *subject.development_areas, *subject.training_needs])
    mine = _of(call, ScopeType.EMPLOYEE, subject.id)
    said_again = UpdateOne({**mine, about(EC.recent_insights): {"$in": found}}, {"$pullAll": {about(EC.recent_insights): found}})
    noted = UpdateOne(
        mine,
        {
            "$set": {**{about(name): value for name, value in facts.items()}, X.token_count: prompts.tokens(text), **_stamps(now)},
            "$push": {about(EC.recent_insights): {"$each": found, "$slice": -INSIGHTS}},
            "$addToSet": {about(EC.discussion_topics): str(analysis.type.label)},
            "$setOnInsert": _new(now),
        },
        upsert=True,
    )
    return said_again, noted


def _team(call: Call, subjects: Sequence[Subject], analysis: Analysis, *, now: datetime) -> UpdateOne:
    """The scores of pairs, where the consultation is about how people work together; high ones are synergies, low ones conflict areas."""
    pairs = analysis.scores if analysis.type == ConsultationType.TEAM_COMPATIBILITY else {}
    dynamics = " ".join(analysis.insights)
    team = {
        TC.team_member_ids: [subject.id for subject in subjects],
        TC.team_dynamics: dynamics,
        TC.compatibility_matrix: pairs,
        TC.conflict_areas: [pair for pair, score in pairs.items() if score < CONFLICT],
        TC.synergies: [pair for pair, score in pairs.items() if score >= SYNERGY],
    }
    return UpdateOne(
        _of(call, ScopeType.TEAM, call.conversation_id),
        {
            "$set": {X.team_context: team, X.token_count: prompts.tokens(dynamics), **_stamps(now)},
            "$setOnInsert": _new(now),
        },
        upsert=True,
    )
