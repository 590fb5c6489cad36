"""What people did on a day (S4-18…24), and how features were used (S4-34…42): both from one reading of the activity log."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from analytics import features
from analytics.choices import EventType
from analytics.documents import UserActivity
from analytics.models import FeatureUtilization, UserEngagement
from analytics.rollups import logs, sittings
from analytics.rollups.base import Rollup, Row, Source
from analytics.rollups.events import FEATURES, NONE, ROLES, TYPES, Events, U, read
from analytics.windows import Day
from config import periods

EVENTS = Source(
    name="events",
    read=read,
    first=lambda: logs.first(UserActivity, U.timestamp),
    changed=lambda since, before: logs.days_written(UserActivity, happened=U.timestamp, written=U.created_at, since=since, before=before),
    period=periods.ACTIVITY.name,
    kept_days=periods.ACTIVITY.days - 1,  # its TTL takes the first event of a day 90 days later
)

# Columns that count the events of one type.
COUNTED = {
    "reports_viewed": EventType.REPORT_VIEW,
    "reports_downloaded": EventType.REPORT_DOWNLOAD,
    "ai_chat_messages_sent": EventType.AI_CHAT_MESSAGE,
    "employees_added": EventType.EMPLOYEE_ADDED,
    "employees_updated": EventType.EMPLOYEE_UPDATED,
    "dashboard_visits": EventType.DASHBOARD_LOAD,
}
MINUTE = 60_000  # milliseconds


def engagement_rows(day: Day, found: Mapping[str, Any]) -> Iterator[Row]:
    """Whoever did something, or began a sitting with the AI."""
    events: Events = found["events"]
    began = Counter((sitting.organization_id, sitting.user_id) for sitting in found["sittings"])
    people, who = np.unique(events.organization.astype(np.int64) * len(events.users) + events.user, return_inverse=True)
    many = len(people)
    counts = {name: np.bincount(who[events.type == TYPES.index(type)], minlength=many).tolist() for name, type in COUNTED.items()}
    logins, minutes = _sessions(events, who, many)
    latest = _latest(events.time, who, many)
    used = events.feature >= 0
    uses = (
        np.bincount(who[used] * len(FEATURES) + events.feature[used], minlength=many * len(FEATURES)).reshape(many, len(FEATURES)).tolist()
    )
    for place, person in enumerate(people.tolist()):
        organization, user = divmod(person, len(events.users))
        key = events.organizations[organization], events.users[user]
        by_feature = {name: n for name, n in zip(FEATURES, uses[place], strict=True) if n}
        yield (
            *key,
            day.first,
            logins[place],
            minutes[place],
            *(counts[name][place] for name in COUNTED),
            began.pop(key, 0),
            json.dumps(by_feature),
            datetime.fromtimestamp(latest[place] / 1000, UTC),
        )
    for key, sittings_begun in began.items():
        yield (*key, day.first, 0, 0, *(0 for _ in COUNTED), sittings_begun, "{}", None)


def _sessions(events: Events, who: np.ndarray, many: int) -> tuple[list[int], list[int]]:
    """Of each person, how many sessions, and the whole minutes from the first to the last event of each, together."""
    in_one = events.session != NONE
    pairs, first, last = _spans(who[in_one] * events.sessions + events.session[in_one], events.time[in_one])
    owner = pairs // events.sessions
    lasted = np.bincount(owner, weights=last - first, minlength=many).astype(np.int64) // MINUTE
    return np.bincount(owner, minlength=many).tolist(), lasted.tolist()


def _spans(keys: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different keys, and the first and last time of each."""
    order = np.argsort(keys, kind="stable")
    keys, time = keys[order], time[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    if not len(starts):
        return keys, time, time
    return keys[starts], np.minimum.reduceat(time, starts), np.maximum.reduceat(time, starts)


def _latest(time: np.ndarray, who: np.ndarray, many: int) -> list[int]:
    latest = np.zeros(many, np.int64)
    np.maximum.at(latest, who, time)
    return latest.tolist()


def feature_rows(day: Day, found: Mapping[str, Any]) -> Iterator[Row]:
    """A feature's uses by people of each role, and by all of them (role `""`)."""
    events: Events = found["events"]
    of_all = np.full(len(events), len(ROLES), np.int64)
    yield from _uses(day, events, np.flatnonzero(events.feature >= 0), of_all)
    yield from _uses(day, events, np.flatnonzero((events.feature >= 0) & (events.role >= 0)), events.role)


def _uses(day: Day, events: Events, chosen: np.ndarray, roles: np.ndarray) -> Iterator[Row]:
    """Rows by organization, feature and role of the chosen events."""
    key = (events.organization[chosen].astype(np.int64) * len(FEATURES) + events.feature[chosen]) * (len(ROLES) + 1) + roles[chosen]
    groups, group = np.unique(key, return_inverse=True)
    many = len(groups)

    def counted(condition: np.ndarray | None = None, weights: np.ndarray | None = None) -> list[int]:
        which = group if condition is None else group[condition]
        return np.bincount(which, weights=weights, minlength=many).astype(np.int64).tolist()

    people = np.unique(group.astype(np.int64) * len(events.users) + events.user[chosen]) // len(events.users)
    distinct = np.bincount(people, minlength=many).tolist()
    duration, success = events.duration[chosen], events.success[chosen]
    timed = duration >= 0
    hour = (events.time[chosen] // (60 * MINUTE)) % 24
    hourly = np.bincount(group * 24 + hour, minlength=many * 24).reshape(many, 24).tolist()
    departments = _by_department(events, group, events.department[chosen])
    uses, timed_uses, microseconds = counted(), counted(timed), counted(timed, duration[timed].astype(np.float64))
    succeeded, failed, said = counted(success == 1), counted(success == 0), counted(success >= 0)
    for place, packed in enumerate(groups.tolist()):
        rest, role = divmod(packed, len(ROLES) + 1)
        organization, feature = divmod(rest, len(FEATURES))
        name = FEATURES[feature]
        distribution = {
            "hourly": {str(hour): n for hour, n in enumerate(hourly[place]) if n},
            "by_department": departments[place],
        }
        yield (
            events.organizations[organization],
            name,
            features.CATEGORIES[name].value,
            ROLES[role] if role < len(ROLES) else "",
            day.first,
            uses[place],
            distinct[place],
            timed_uses[place],
            Decimal(microseconds[place]) / 1_000_000,
            succeeded[place],
            failed[place],
            said[place],
            json.dumps(distribution),
        )


def _by_department(events: Events, group: np.ndarray, department: np.ndarray) -> dict[int, dict[str, int]]:
    known = department != NONE
    pairs, uses = np.unique(group[known].astype(np.int64) * len(events.departments) + department[known], return_counts=True)
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for pair, n in zip(pairs.tolist(), uses.tolist(), strict=True):
        place, which = divmod(pair, len(events.departments))
        found[place][events.departments[which]] = n
    return found


ENGAGEMENT = Rollup(
    name="engagement",
    model=UserEngagement,
    day_column="metric_date",
    columns=(
        "organization_id",
        "user_id",
        "metric_date",
        "login_count",
        "session_duration_minutes",
        *COUNTED,
        "ai_chat_sessions",
        "feature_interactions",
        "last_activity_at",
    ),
    sources=(EVENTS, sittings.SITTINGS),
    rows=engagement_rows,
)

FEATURE_USE = Rollup(
    name="features",
    model=FeatureUtilization,
    day_column="metric_date",
    columns=(
        "organization_id",
        "feature_name",
        "feature_category",
        "user_role",
        "metric_date",
        "total_uses",
        "unique_users",
        "timed_uses",
        "duration_seconds",
        "success_count",
        "error_count",
        "outcome_count",
        "usage_distribution",
    ),
    sources=(EVENTS,),
    rows=feature_rows,
)
