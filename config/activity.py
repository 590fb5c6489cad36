"""Ninety days of what the demo's people did, in the logs, for the night to count.

The same seed gives the same days. Each entry has an id of its own making, so that a second run adds nothing.
"""

import random
import uuid
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pymongo

from analytics.choices import EventCategory, EventType
from analytics.documents import AiChatSession, UserActivity
from analytics.windows import ONE_DAY, Window, day_of, start_of
from config import mongo
from tenants.choices import Role
from tenants.models import Membership

U, S = mongo.names(UserActivity), mongo.names(AiChatSession)

SEED = "parley's demo"
SPACE = uuid.uuid5(uuid.NAMESPACE_URL, SEED)
# How many sittings a working day has for each role, on average; and what is done in one, with weights.
SITTINGS = {Role.OWNER: 1.6, Role.LEADER: 1.9, Role.MANAGER: 2.3, Role.AGENT: 1.2, Role.GUEST: 0.2}
DONE: Mapping[EventType, int] = {
    EventType.PAGE_VIEW: 40,
    EventType.BUTTON_CLICK: 14,
    EventType.AI_CHAT_MESSAGE: 16,
    EventType.SEARCH_PERFORMED: 8,
    EventType.FILTER_APPLIED: 6,
    EventType.DASHBOARD_LOAD: 7,
    EventType.NOTIFICATION_CLICKED: 3,
    EventType.EMPLOYEE_UPDATED: 3,
    EventType.EMPLOYEE_ADDED: 1,
    EventType.USER_MANAGED: 1,
}
CATEGORIES = {
    EventType.PAGE_VIEW: EventCategory.NAVIGATION,
    EventType.DASHBOARD_LOAD: EventCategory.DATA_ACCESS,
    EventType.SEARCH_PERFORMED: EventCategory.DATA_ACCESS,
    EventType.AI_CHAT_MESSAGE: EventCategory.FEATURE_USE,
    EventType.EMPLOYEE_ADDED: EventCategory.FEATURE_USE,
    EventType.EMPLOYEE_UPDATED: EventCategory.FEATURE_USE,
    EventType.USER_MANAGED: EventCategory.FEATURE_USE,
}
HOURS = (8, 9, 9, 10, 10, 11, 11, 13, 14, 14, 15, 15, 16, 17, 20)  # when a sitting begins, UTC
TOPICS = ("promotion_readiness", "team_formation", "conflict_resolution", "performance_optimization", "training_guidance")


def write(members: Mapping[str, Membership], *, now: datetime, days: int) -> int:
    """Writes what these people did on the `days` days before today; says how many entries that added."""
    today = day_of(now)
    # The log keeps a day 90 days long; the oldest is left out, for it would be gone the moment it is written.
    window = Window(today - min(days, 89) * ONE_DAY, today)
    events, sittings = [], []
    for email in sorted(members):
        for day in window.days():
            for entry in _sittings(members[email], email, day, quiet=(today - day).days / 90):
                events += entry[0]
                sittings += entry[1]
    return _insert(UserActivity, events) + _insert(AiChatSession, sittings)


def _insert(document: Any, entries: list[dict[str, Any]]) -> int:
    """What is there already is refused by its id."""
    if not entries:
        return 0
    with pymongo.timeout(60):
        try:
            return len(mongo.collection(document).insert_many(entries, ordered=False).inserted_ids)
        except pymongo.errors.BulkWriteError as error:
            if any(one["code"] != 11000 for one in error.details["writeErrors"]):
                raise
            return error.details["nInserted"]


def _sittings(
    membership: Membership, email: str, day: date, *, quiet: float
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """A person's sittings of a day: fewer on weekends, and fewer the longer ago (`quiet`, 0 to 1): word gets around."""
    chance = random.Random(f"{SEED} {email} {day}")
    busy = SITTINGS[Role(membership.role)] * (0.15 if day.weekday() >= 5 else 1) * (1 - 0.5 * quiet)
    for number in range(int(busy) + (chance.random() < busy % 1)):
        began = start_of(day) + timedelta(hours=chance.choice(HOURS), minutes=chance.randrange(60), seconds=chance.randrange(60))
        yield _sitting(membership, f"{email} {day} {number}", began, chance)


def _sitting(membership: Membership, key: str, began: datetime, chance: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    done = [EventType.LOGIN, *chance.choices(list(DONE), list(DONE.values()), k=chance.randint(3, 14))]
    session, moment, events, asked = str(uuid.uuid5(SPACE, key)), began, [], []
    for place, type in enumerate(done):
        moment = min(moment + timedelta(seconds=chance.randint(5, 240)), start_of(day_of(began) + ONE_DAY) - timedelta(seconds=1))
        if type == EventType.AI_CHAT_MESSAGE:
            asked.append(moment)
        events.append(_event(membership, session, f"{key} {place}", type, moment, chance))
    return events, [_talk(membership, key, asked, chance)] if asked else []


def _event(membership: Membership, session: str, key: str, type: EventType, moment: datetime, chance: random.Random) -> dict[str, Any]:
    return {
        U.organization_id: str(membership.organization_id),
        U.user_id: str(membership.user_id),
        U.session_id: session,
        U.event_type: type.value,
        U.event_category: CATEGORIES.get(type, EventCategory.INTERACTION).value,
        U.event_metadata: {"duration": round(chance.expovariate(1 / 20), 1), "success": chance.random() > 0.02},
        U.user_role: membership.role,
        U.department_id: membership.department_id and str(membership.department_id),
        U.client_id: str(uuid.uuid5(SPACE, key)),
        U.timestamp: moment,
        U.created_at: moment,
    }


def _talk(membership: Membership, key: str, asked: list[datetime], chance: random.Random) -> dict[str, Any]:
    topic = chance.choice(TOPICS)
    ended = asked[-1] + timedelta(seconds=chance.randint(3, 30))
    return {
        S.session_id: str(uuid.uuid5(SPACE, f"{key} talk")),
        S.conversation_id: str(uuid.uuid5(SPACE, f"{key} conversation")),
        S.user_id: str(membership.user_id),
        S.user_role: membership.role,
        S.organization_id: str(membership.organization_id),
        S.session_started: asked[0],
        S.session_ended: ended,
        S.messages: [],
        S.session_metrics: {
            "totalMessages": 2 * len(asked),
            "userMessages": len(asked),
            "aiResponses": len(asked),
            "totalTokens": sum(chance.randint(300, 1800) for _ in asked),
            "averageResponseTime": float(chance.randint(900, 4000)),
            "employeesDiscussed": [],
        },
        S.session_context: {"queryType": topic, "relatedReports": []},
        S.satisfaction_feedback: {"rating": float(chance.choice((3, 4, 4, 5, 5))), "wasHelpful": True} if chance.random() < 0.3 else None,
        S.created_at: ended,
        S.updated_at: ended,
    }
