"""Sittings: what a person and the AI said to each other in one conversation until nothing was said for half an hour (S4-107…114).

A sitting names messages by their ids and never copies their text (D1). All its figures are made from its messages each time, in MongoDB,
so that the same message told twice changes nothing, and a further attempt at an answer takes the place of the one before.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from analytics.choices import SessionMessageRole
from analytics.documents import AiChatSession, SatisfactionFeedback, SessionContext, SessionMessage, SessionMessageMetadata, SessionMetrics
from config import mongo

GAP = timedelta(minutes=30)
DUPLICATE = 11000

S, M, D = mongo.names(AiChatSession), mongo.names(SessionMessage), mongo.names(SessionMessageMetadata)
F, X, T = mongo.names(SatisfactionFeedback), mongo.names(SessionContext), mongo.names(SessionMetrics)

_SITTINGS = uuid.UUID("a3c65a1e-8a1d-5d6f-9d8e-5e0f31d1c7b2")


@dataclass(frozen=True, slots=True)
class Said:
    """A question, or an answer that was written to its end. `user_id` is who asked; `response_time` is in milliseconds."""

    organization_id: str
    conversation_id: str
    user_id: str
    user_role: str | None
    department_id: str | None
    message_id: str
    role: SessionMessageRole
    timestamp: datetime
    token_count: int | None = None
    response_time: float | None = None
    employee_ids: tuple[str, ...] = ()
    query_type: str | None = None
    confidence: float | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rated:
    """What is said of an answer now; all of it None where it was taken back."""

    answer: Said
    rating: float | None
    was_helpful: bool | None
    comment: str | None
    submitted_at: datetime


def say(those_said: Iterable[Said], *, now: datetime) -> list[dict[str, Any]]:
    """Puts messages into their sittings: one look for them in each organization, one write for all. Returns the sittings that began with
    one of them. Raises `mongo.AWAY` errors."""
    waiting, all_begun = list(those_said), []
    while waiting:
        near = [sitting for _, same in groupby(sorted(waiting, key=_organization), key=_organization) for sitting in _near(list(same))]
        begun, writes = {}, []
        for place, said in enumerate(waiting):
            sitting = _sitting_of(said, near)
            if sitting is None:
                sitting = _Sitting.of(said)
                near.append(sitting)
                begun[place] = _begun(said, sitting, now=now)
            sitting.add(said)
            kept = {name: {"$ifNull": [f"${name}", value]} for name, value in _begun(said, sitting, now=now).items()}
            stages = [{"$set": {**kept, S.messages: _with(_message(said))}}, *_figures(said, now=now)]
            writes.append(UpdateOne(_one(said, sitting.id), stages, upsert=place in begun, hint="sessionId_1"))
        try:
            upserted = mongo.collection(AiChatSession).bulk_write(writes).upserted_ids or {}
            waiting = []
        except BulkWriteError as error:
            if error.details["writeConcernErrors"]:
                raise mongo.AWAY[0]("What was written is not acknowledged.") from error
            (failed,) = error.details["writeErrors"]
            if failed["code"] != DUPLICATE:
                raise
            # Another process was told of a part of this sitting at the same time: from here on once more.
            upserted, waiting = {one["index"]: one["_id"] for one in error.details["upserted"]}, waiting[failed["index"] :]
        all_begun += [begun[place] for place in upserted]
    return all_begun


def rate(rated: Rated, *, now: datetime) -> None:
    """What was said last of an answer is what is said of its sitting. An answer that no sitting has was never told of: one of long ago, or
    brought in from elsewhere. Raises `mongo.AWAY` errors."""
    if now - rated.answer.timestamp < GAP:
        say([rated.answer], now=now)  # its end may be told only now
    said = {F.rating: rated.rating, F.was_helpful: rated.was_helpful, F.feedback_text: rated.comment, F.submitted_at: rated.submitted_at}
    mongo.collection(AiChatSession).update_one(
        {
            S.organization_id: rated.answer.organization_id,
            f"{S.messages}.{M.message_id}": rated.answer.message_id,
            "$or": [
                {f"{S.satisfaction_feedback}.{F.submitted_at}": None},
                {f"{S.satisfaction_feedback}.{F.submitted_at}": {"$lt": rated.submitted_at}},
            ],
        },
        {"$set": {S.satisfaction_feedback: said, S.updated_at: now}},
    )


@dataclass(slots=True)
class _Sitting:
    """What is known of a sitting while messages are put into it."""

    id: str
    whose: tuple[str, str, str]  # organization, conversation, person
    started: datetime
    ended: datetime
    messages: set[str]

    @classmethod
    def of(cls, said: Said) -> "_Sitting":
        """The one that begins with this message: whoever is told of it gives it the same id."""
        named = str(uuid.uuid5(_SITTINGS, f"{said.organization_id}/{said.message_id}/{said.user_id}"))
        return cls(named, _whose(said), said.timestamp, said.timestamp, set())

    def add(self, said: Said) -> None:
        self.started, self.ended = min(self.started, said.timestamp), max(self.ended, _end(said))
        self.messages.add(said.message_id)


def _organization(said: Said) -> str:
    return said.organization_id


def _whose(said: Said) -> tuple[str, str, str]:
    return said.organization_id, said.conversation_id, said.user_id


def _near(those_said: list[Said]) -> list[_Sitting]:
    """The sittings of one organization that any of these messages may belong to."""
    filters = {
        S.organization_id: those_said[0].organization_id,
        S.conversation_id: {"$in": sorted({said.conversation_id for said in those_said})},
        S.user_id: {"$in": sorted({said.user_id for said in those_said})},
        S.session_ended: {"$gte": min(said.timestamp for said in those_said) - GAP},
        S.session_started: {"$lte": max(said.timestamp for said in those_said) + GAP},
    }
    shown = [S.session_id, S.conversation_id, S.user_id, S.session_started, S.session_ended, f"{S.messages}.{M.message_id}"]
    found = mongo.collection(AiChatSession).find(filters, shown, hint="running")
    return [
        _Sitting(
            one[S.session_id],
            (those_said[0].organization_id, one[S.conversation_id], one[S.user_id]),
            one[S.session_started],
            one[S.session_ended],
            {each[M.message_id] for each in one.get(S.messages, ())},
        )
        for one in found
    ]


def _sitting_of(said: Said, near: list[_Sitting]) -> _Sitting | None:
    """The sitting that has this message, or that it goes on with. A message keeps its time, so the one that has it is among those near."""
    found = [one for one in near if one.whose == _whose(said) and one.ended >= said.timestamp - GAP and one.started <= said.timestamp + GAP]
    with_it = (one for one in found if said.message_id in one.messages)
    return next(with_it, None) or max(found, key=lambda one: one.ended, default=None)


def _begun(said: Said, sitting: _Sitting, *, now: datetime) -> dict[str, Any]:
    """A sitting as it begins with this message."""
    return {
        S.organization_id: said.organization_id,
        S.session_id: sitting.id,
        S.conversation_id: said.conversation_id,
        S.user_id: said.user_id,
        S.user_role: said.user_role,
        S.session_started: said.timestamp,
        S.session_ended: said.timestamp,
        S.created_at: now,
    }


def _one(said: Said, session_id: str) -> dict[str, Any]:
    """The sitting, unless it has exactly this message already."""
    return {
        S.organization_id: said.organization_id,
        S.session_id: session_id,
        S.messages: {"$not": {"$elemMatch": _message(said)}},
    }


def _message(said: Said) -> dict[str, Any]:
    return {
        M.message_id: said.message_id,
        M.role: said.role.value,
        M.token_count: said.token_count,
        M.response_time: said.response_time,
        M.timestamp: said.timestamp.replace(microsecond=said.timestamp.microsecond // 1_000 * 1_000),  # as MongoDB keeps it
        M.metadata: {
            D.employee_ids_referenced: list(said.employee_ids),
            D.query_type: said.query_type,
            D.confidence: said.confidence,
            D.sources: list(said.sources),
        },
    }


def _with(message: dict[str, Any]) -> dict[str, Any]:
    """The sitting's messages with this one, by their time; a question before its answer, which is as old."""
    others = {"$filter": {"input": {"$ifNull": [f"${S.messages}", []]}, "cond": {"$ne": [f"$$this.{M.message_id}", message[M.message_id]]}}}
    by_time = {M.timestamp: 1, M.role: -1}
    return {"$sortArray": {"input": {"$concatArrays": [others, [{"$literal": message}]]}, "sortBy": by_time}}


def _figures(said: Said, *, now: datetime) -> list[dict[str, Any]]:
    """What a sitting's messages add up to."""
    messages = f"${S.messages}"

    def of(role: SessionMessageRole) -> dict[str, Any]:
        return {"$filter": {"input": messages, "cond": {"$eq": [f"$$this.{M.role}", role.value]}}}

    employees = {
        "$reduce": {
            "input": f"{messages}.{M.metadata}.{D.employee_ids_referenced}",
            "initialValue": [],
            "in": {"$setUnion": ["$$value", "$$this"]},
        }
    }
    first = {"$first": of(SessionMessageRole.USER)}
    figures = {
        S.session_started: {"$min": [f"${S.session_started}", {"$min": f"{messages}.{M.timestamp}"}]},
        S.session_ended: {"$max": [f"${S.session_ended}", _end(said)]},
        S.session_metrics: {
            T.total_messages: {"$size": messages},
            T.user_messages: {"$size": of(SessionMessageRole.USER)},
            T.ai_responses: {"$size": of(SessionMessageRole.ASSISTANT)},
            T.total_tokens: {"$sum": f"{messages}.{M.token_count}"},
            T.average_response_time: {"$avg": f"{messages}.{M.response_time}"},
            T.employees_discussed: employees,
        },
        S.session_context: {
            X.initial_query: {"$ifNull": [{"$getField": {"field": M.message_id, "input": first}}, None]},
            X.query_type: {"$ifNull": [{"$first": {"$filter": {"input": _types(), "cond": {"$ne": ["$$this", None]}}}}, None]},
            X.department_id: {"$ifNull": [f"${S.session_context}.{X.department_id}", said.department_id]},
            X.related_reports: [],
        },
        S.updated_at: now,
    }
    return [{"$set": figures}]


def _types() -> dict[str, Any]:
    return {"$map": {"input": f"${S.messages}", "in": {"$ifNull": [f"$$this.{M.metadata}.{D.query_type}", None]}}}


def _end(said: Said) -> datetime:
    """An answer is said when it is complete."""
    return said.timestamp + timedelta(milliseconds=said.response_time or 0)
