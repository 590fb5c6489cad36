"""Consultations of a day (S0-67…80): of the organization, of each branch, department and person."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bson import Decimal128
from django.conf import settings

from analytics.choices import PeriodType
from analytics.documents import ReportAccessed
from analytics.models import ChatAnalytics
from analytics.rollups import logs
from analytics.rollups.base import Rollup, Row, Source
from analytics.rollups.sittings import storable
from analytics.windows import Day
from chat.choices import SETTLED, Kind, MessageRole, MessageStatus
from chat.documents import Conversation, Message
from config import mongo, periods
from tenants.choices import NOBODY

C, M, R = mongo.names(Conversation), mongo.names(Message), mongo.names(ReportAccessed)

MOST = 10  # employees and topics that are named
CONVERSATIONS = 1_000  # that are asked for at once
FAILED = (MessageStatus.ERROR.value, MessageStatus.INTERRUPTED.value)
SETTLED_VALUES = [status.value for status in SETTLED]
IS_QUESTION = {"$eq": [f"${M.role}", MessageRole.USER.value]}
IS_ANSWER = {"$eq": [f"${M.role}", MessageRole.ASSISTANT.value]}
TOOK, SAID = f"${M.ai_response_metadata}", f"${M.feedback}"

# What is summed of a person's messages of an hour in a conversation.
SUMS = (
    "questions",
    "answers",
    "failed_answers",
    "retry_count",
    "total_tokens_used",
    "total_cost",
    "unpriced_answers",
    "timed_answers",
    "response_milliseconds",
    "confident_answers",
    "confidence_sum",
    "total_ratings",
    "rating_sum",
    "helpful_count",
    "unhelpful_count",
    "feedback_comments",
)


def _how_many(*conditions: Any) -> dict[str, Any]:
    return {"$sum": {"$cond": [{"$and": list(conditions)}, 1, 0]}}


def _is_number(path: str) -> dict[str, Any]:
    return {"$isNumber": path}


def _exact(path: str, digits: int) -> dict[str, Any]:
    """The sum of rounded numbers, which does not depend on their order."""
    return {"$sum": {"$cond": [_is_number(path), {"$toDecimal": {"$round": [path, digits]}}, 0]}}


PIPELINE_GROUP: dict[str, Any] = {
    "_id": {
        "o": f"${M.organization_id}",
        "c": f"${M.conversation_id}",
        "u": f"${M.user_id}",
        "b": f"${M.branch_id}",
        "d": f"${M.department_id}",
        "h": {"$hour": f"${M.created_at}"},
    },
    "first": {"$min": f"${M.created_at}"},
    "last": {"$max": f"${M.created_at}"},
    "mentions": {"$push": f"${M.referenced_employees}.employeeId"},
    "questions": _how_many(IS_QUESTION),
    "answers": _how_many(IS_ANSWER),
    "failed_answers": _how_many(IS_ANSWER, {"$in": [f"${M.status}", list(FAILED)]}),
    "retry_count": {"$sum": {"$cond": [IS_ANSWER, {"$subtract": [{"$ifNull": [f"${M.attempt}", 1]}, 1]}, 0]}},
    "total_tokens_used": {"$sum": f"{TOOK}.tokensUsed"},
    "total_cost": {"$sum": f"{TOOK}.cost"},
    "unpriced_answers": _how_many(IS_ANSWER, {"$not": [_is_number(f"{TOOK}.cost")]}),
    "timed_answers": _how_many(_is_number(f"{TOOK}.responseTime")),
    "response_milliseconds": _exact(f"{TOOK}.responseTime", 3),
    "confident_answers": _how_many(_is_number(f"{TOOK}.confidenceScore")),
    "confidence_sum": _exact(f"{TOOK}.confidenceScore", 6),
    "total_ratings": _how_many(_is_number(f"{SAID}.rating")),
    "rating_sum": {"$sum": f"{SAID}.rating"},
    "helpful_count": _how_many({"$eq": [f"{SAID}.isHelpful", True]}),
    "unhelpful_count": _how_many({"$eq": [f"{SAID}.isHelpful", False]}),
    "feedback_comments": _how_many({"$eq": [{"$type": f"{SAID}.comment"}, "string"]}),
}


@dataclass(frozen=True, slots=True)
class Talked:
    """What is known of a conversation: when it began, its type, and what was wanted of it."""

    began: datetime
    type: str | None
    topic: str | None


@dataclass
class Messages:
    """A day's messages, grouped, and the conversations that they are of."""

    groups: list[dict[str, Any]]
    conversations: dict[str, Talked]


def read(day: Day) -> Messages:
    """Our people's messages with the AI that have ended. What was imported is nobody's, and was counted where it was said."""
    match = {
        M.status: {"$in": SETTLED_VALUES},
        **logs.of_day(M.created_at, day),
        M.user_id: {"$type": "string"},
        M.role: {"$in": [MessageRole.USER.value, MessageRole.ASSISTANT.value]},
    }
    with logs.patiently():
        pipeline: list[dict[str, Any]] = [{"$match": match}, {"$group": PIPELINE_GROUP}]
        groups = logs.collection(Message).aggregate(pipeline, allowDiskUse=True, comment=logs.WHY_ACROSS).to_list()
        talked = _talked(sorted({group["_id"]["c"] for group in groups}))
    return Messages([group for group in groups if group["_id"]["c"] in talked], talked)


def _talked(ids: list[str]) -> dict[str, Talked]:
    """The consultations among these conversations."""
    shown = {C.conversation_id: 1, C.created_at: 1, C.type: 1, C.context: 1, "_id": 0}
    found = {}
    for start in range(0, len(ids), CONVERSATIONS):
        wanted = {C.conversation_id: {"$in": ids[start : start + CONVERSATIONS]}, C.kind: Kind.ASSISTANT.value}
        for raw in logs.collection(Conversation).find(wanted, shown, comment=logs.WHY_ACROSS):
            topic = (raw.get(C.context) or {}).get("userIntent")
            found[raw[C.conversation_id]] = Talked(raw[C.created_at], raw.get(C.type), topic)
    return found


def read_reports(day: Day) -> list[dict[str, Any]]:
    """How often reports of each type were read, by organization, person and department."""
    by = {"o": f"${R.organization_id}", "u": f"${R.accessed_by}.userId", "d": f"${R.department_id}", "t": f"${R.report_type}"}
    pipeline: list[dict[str, Any]] = [{"$match": logs.of_day(R.timestamp, day)}, {"$group": {"_id": by, "n": {"$sum": 1}}}]
    with logs.patiently():
        return logs.collection(ReportAccessed).aggregate(pipeline, comment=logs.WHY_ACROSS).to_list()


@dataclass
class Tally:
    """What is counted of one scope."""

    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)  # first and last message of each conversation
    asked_in: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    hours: Counter[int] = field(default_factory=Counter)
    mentions: Counter[str] = field(default_factory=Counter)
    reports: Counter[str] = field(default_factory=Counter)
    sums: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(SUMS, 0))

    def add(self, group: Mapping[str, Any]) -> None:
        key = group["_id"]
        first, last = self.spans.get(key["c"], (group["first"], group["last"]))
        self.spans[key["c"]] = min(first, group["first"]), max(last, group["last"])
        if group["questions"]:
            self.asked_in.add(key["c"])
            self.people.add(key["u"])
        self.hours[key["h"]] += group["questions"] + group["answers"]
        self.mentions.update(employee for named in group["mentions"] for employee in named)
        for name in SUMS:
            value = group[name]
            self.sums[name] += value.to_decimal() if isinstance(value, Decimal128) else value


Scope = tuple[str, str | None, str | None, str | None]  # organization, branch, department, person


def rows(day: Day, found: Mapping[str, Any]) -> Iterator[Row]:
    messages: Messages = found["messages"]
    tallies: dict[Scope, Tally] = {}
    for group in messages.groups:
        key = group["_id"]
        for scope in _scopes(key["o"], key.get("b"), key.get("d"), key["u"]):
            tallies.setdefault(scope, Tally()).add(group)
    for group in found["reports_read"]:
        key = group["_id"]
        for scope in _scopes(key["o"], None, key.get("d"), key["u"]):
            tallies.setdefault(scope, Tally()).reports[key["t"]] += group["n"]
    for scope, tally in tallies.items():
        yield _row(day, scope, tally, messages.conversations)


def _scopes(organization: str, branch: str | None, department: str | None, user: str) -> Iterator[Scope]:
    yield organization, None, None, None
    if branch:
        yield organization, branch, None, None
    if department:
        yield organization, None, department, None
    if user != NOBODY:
        yield organization, None, None, user


def _row(day: Day, scope: Scope, tally: Tally, talked: Mapping[str, Talked]) -> Row:
    types = Counter(talked[one].type for one in tally.asked_in)
    topics = Counter(talked[one].topic for one in tally.asked_in)
    lasted = sum((last - first for first, last in tally.spans.values()), timedelta())
    busiest = max(tally.hours.values(), default=0)
    sums = tally.sums
    return (
        *scope,
        PeriodType.DAILY.value,
        day.since,
        day.until,
        len(tally.asked_in),
        sum(day.since <= talked[one].began < day.until for one in tally.asked_in),
        sums["questions"] + sums["answers"],
        len(tally.people),
        (Decimal(lasted // timedelta(milliseconds=1)) / 60_000).quantize(Decimal("0.000001")),
        json.dumps({str(hour): tally.hours[hour] for hour in sorted(tally.hours)}),
        sorted(hour for hour, n in tally.hours.items() if n == busiest),
        *(sums[name] for name in SUMS[1:]),
        json.dumps({type: types[type] for type in sorted(filter(None, types))}),
        json.dumps([{"employeeId": id, "mentionCount": n} for id, n in _most(tally.mentions)]),
        json.dumps([{"topic": topic, "frequency": n} for topic, n in _most(topics)]),
        json.dumps(dict(sorted(tally.reports.items()))),
    )


def _most(counted: Counter[Any]) -> list[tuple[str, int]]:
    named = [(storable(name), n) for name, n in counted.items() if name]
    return sorted(named, key=lambda one: (-one[1], one[0]))[:MOST]


MESSAGES = Source(
    name="messages",
    read=read,
    first=lambda: logs.first(Message, M.created_at, **{M.status: {"$in": SETTLED_VALUES}}),
    changed=lambda since, before: logs.days_written(
        Message, happened=M.created_at, written=M.updated_at, since=since, before=before, **{M.status: {"$in": SETTLED_VALUES}}
    ),
    period=periods.DELETED.name,
    kept_days=settings.DELETED_KEPT_DAYS - 1,  # then what was deleted on the day may be gone
)

REPORTS_READ = Source(
    name="reports_read",
    read=read_reports,
    first=lambda: logs.first(ReportAccessed, R.timestamp),
    changed=lambda since, before: logs.days_written(ReportAccessed, happened=R.timestamp, written=R.created_at, since=since, before=before),
    period=periods.REPORT_ACCESS.name,
    kept_days=periods.REPORT_ACCESS.days - 1,  # its TTL takes the first reading of a day 180 days later
)

CHAT = Rollup(
    name="chat",
    model=ChatAnalytics,
    day_column="period_start",
    columns=(
        "organization_id",
        "branch_id",
        "department_id",
        "user_id",
        "period_type",
        "period_start",
        "period_end",
        "total_conversations",
        "new_conversations",
        "total_messages",
        "unique_users",
        "conversation_minutes",
        "hourly_messages",
        "peak_usage_hours",
        *SUMS[1:],
        "feature_usage",
        "most_discussed_employees",
        "common_topics",
        "report_access_count",
    ),
    sources=(MESSAGES, REPORTS_READ),
    rows=rows,
)
