"""The live counters: what was counted of an organization's UTC day so far, and the tabs that watch it (S4-130…133).

Each counts what the night counts of the same day, by the same definitions; the night's figures take their place.
"""

import asyncio
from datetime import date, datetime
from typing import Any

import orjson
from django.utils import timezone

from analytics import windows
from analytics.choices import EventType
from analytics.documents import LiveDay
from chat.events import Watched
from chat.realtime import watches
from config import mongo
from tenants.scoping import tenant_key

D = mongo.names(LiveDay)

PERMISSION = "analytics:metrics:view"

# Counted once in a day each, by what stands for it in a buffer's entry: sessions in which something was done, people who did something,
# sittings with the AI that began.
DISTINCT = {"logins": "session", "active_users": "user", "ai_chat_sessions": "sitting"}
# Every event of this sort.
EVENTS = {
    "ai_chat_messages_sent": EventType.AI_CHAT_MESSAGE,
    "reports_viewed": EventType.REPORT_VIEW,
    "dashboard_visits": EventType.DASHBOARD_LOAD,
}
USES = "feature_uses"  # every event that is a use of a feature
COUNTERS = ("logins", "active_users", "ai_chat_messages_sent", "ai_chat_sessions", "reports_viewed", "dashboard_visits", USES)


def counters(organization_id: Any, *, day: date) -> dict[str, int]:
    """Every counter of this UTC day. Raises `mongo.AWAY` errors."""
    found = mongo.collection(LiveDay).find_one({D.organization_id: tenant_key(organization_id), D.day: day.isoformat()}, {D.counts: 1})
    counts = (found or {}).get(D.counts, {})
    return {name: counts.get(name, 0) for name in COUNTERS}


def frame(organization_id: Any, *, now: datetime) -> bytes:
    """Today's counters as a socket's frame."""
    day = windows.day_of(now)
    return orjson.dumps({"metrics": {"day": day.isoformat(), "counters": counters(organization_id, day=day)}})


def tell(organization_id: str, *, now: datetime) -> None:
    """Tells the tabs that watch. Raises `mongo.AWAY` and `redis.AWAY` errors."""
    watches.publish(organization_id, Watched.METRICS, frame(organization_id, now=now))


async def _read(organization_id: str) -> bytes:
    return await asyncio.to_thread(frame, organization_id, now=timezone.now())


watches.offer(Watched.METRICS, permission=PERMISSION, read=_read)
