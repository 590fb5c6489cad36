"""Sittings with the AI (S4-69…75): a row for each that began on the day."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from analytics.documents import AiChatSession
from analytics.models import AiChatAnalytics
from analytics.rollups import logs
from analytics.rollups.base import Rollup, Row, Source
from analytics.windows import Day
from config import mongo, periods

S = mongo.names(AiChatSession)

SHOWN = {
    "_id": 0,
    S.session_id: 1,
    S.organization_id: 1,
    S.user_id: 1,
    S.session_started: 1,
    S.session_ended: 1,
    "total": f"${S.session_metrics}.totalMessages",
    "tokens": f"${S.session_metrics}.totalTokens",
    "employees": f"${S.session_metrics}.employeesDiscussed",
    "type": f"${S.session_context}.queryType",
    "types": f"${S.messages}.metadata.queryType",
    "feedback": f"${S.satisfaction_feedback}",
}


@dataclass(frozen=True, slots=True)
class Sitting:
    """What the log says of one. `rating` is 1 to 5."""

    session_id: str
    organization_id: str
    user_id: str
    started: datetime
    ended: datetime
    messages: int
    tokens: int
    employees: tuple[str, ...]
    query_types: tuple[str, ...]
    rating: int | None
    helpful: bool | None
    comment: str | None


def read(day: Day) -> list[Sitting]:
    with logs.patiently():
        found = logs.collection(AiChatSession).find(logs.of_day(S.session_started, day), SHOWN, comment=logs.WHY_ACROSS)
        return [_sitting(raw) for raw in found]


def _sitting(raw: Mapping[str, Any]) -> Sitting:
    feedback = raw.get("feedback") or {}
    rating = feedback.get("rating")
    return Sitting(
        session_id=raw[S.session_id],
        organization_id=raw[S.organization_id],
        user_id=raw[S.user_id],
        started=raw[S.session_started],
        ended=max(raw[S.session_started], raw[S.session_ended]),
        messages=raw.get("total") or 0,
        tokens=raw.get("tokens") or 0,
        employees=tuple(sorted(set(filter(is_uuid, raw.get("employees") or ())))),
        query_types=tuple(sorted({storable(type) for type in (raw.get("type"), *(raw.get("types") or ())) if type})),
        rating=None if rating is None else int(Decimal(str(rating)).quantize(Decimal(1), ROUND_HALF_UP)),
        helpful=feedback.get("wasHelpful"),
        comment=None if feedback.get("feedbackText") is None else storable(feedback["feedbackText"]),
    )


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def storable(text: str) -> str:
    """PostgreSQL's text holds no NUL."""
    return text.replace("\0", "�")


def rows(day: Day, found: Mapping[str, Any]) -> Iterator[Row]:
    sittings: Iterable[Sitting] = found["sittings"]
    for one in sittings:
        if is_uuid(one.session_id):
            yield (
                one.organization_id,
                one.user_id,
                one.session_id,
                day.first,
                one.messages,
                one.tokens,
                int((one.ended - one.started).total_seconds()),
                json.dumps(one.query_types),
                list(one.employees),
                one.rating,
                one.helpful,
                one.comment,
                one.started,
                one.ended,
            )


SITTINGS = Source(
    name="sittings",
    read=read,
    first=lambda: logs.first(AiChatSession, S.session_started),
    changed=lambda since, before: logs.days_written(
        AiChatSession, happened=S.session_started, written=S.updated_at, since=since, before=before
    ),
    period=periods.AI_SESSIONS.name,
    kept_days=periods.AI_SESSIONS.days - 1,  # its TTL takes the first sitting of a day 365 days later
)

AI_CHAT = Rollup(
    name="ai_chat",
    model=AiChatAnalytics,
    day_column="session_date",
    columns=(
        "organization_id",
        "user_id",
        "session_id",
        "session_date",
        "message_count",
        "total_tokens_used",
        "session_duration_seconds",
        "query_types",
        "employee_ids_discussed",
        "satisfaction_rating",
        "was_helpful",
        "feedback_text",
        "started_at",
        "ended_at",
    ),
    sources=(SITTINGS,),
    rows=rows,
)
