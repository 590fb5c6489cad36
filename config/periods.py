"""How long everything is kept (D2): the one table. What is not in it is kept until somebody deletes it.

An organization may shorten a period, never lengthen it (`tenants.models.RetentionPeriod`). `analytics.services.retention` sees to the
shortened ones, to the tables of PostgreSQL and to their archives (`organization_days` goes with the rows that it is made of); the rest is
removed by who is named in `by`. For the whole installation, DELETED_KEPT_DAYS and ARCHIVED_AFTER_DAYS may shorten theirs, too.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

YEAR = 365


class By(Enum):
    """Who removes it."""

    INDEX = "MongoDB, by an index"
    CLOCK = "a task of the clock"
    PARTITION = "whole partitions are dropped"


@dataclass(frozen=True, slots=True)
class Place:
    """A collection or table, and the moment or day in it from which the period counts."""

    name: str
    since: str


@dataclass(frozen=True, slots=True)
class Kept:
    """`days` online, then `archived_days` more in compressed files (0: removed at once)."""

    name: str  # by which an organization shortens it
    sentence: str
    by: By
    days: int
    documents: tuple[Place, ...] = ()
    tables: tuple[Place, ...] = ()
    archived_days: int = 0

    @property
    def period(self) -> timedelta:
        return timedelta(days=self.days)

    @property
    def seconds(self) -> int:
        return self.days * 86_400


IDLE = Kept("idle_conversations", "Conversations in which nobody writes are archived, unless they are pinned.", By.CLOCK, 90)
CONVERSATIONS = Kept(
    "conversations",
    "Messages of conversations with which nobody did anything go into files, and come back when somebody opens them.",
    By.CLOCK,
    YEAR,
    archived_days=7 * YEAR,
)
DELETED = Kept("deleted_conversations", "Deleted conversations can be restored, then they are removed for good.", By.CLOCK, 30)
CONTEXTS = Kept(
    "memories", "What a conversation remembers, from its last use.", By.INDEX, 90, documents=(Place("chat_contexts", "lastUpdated"),)
)
SESSIONS = Kept("sessions", "Open tabs: device, browser and times.", By.INDEX, 90, documents=(Place("chat_sessions", "lastActivity"),))
ACTIVITY = Kept("activity", "What people did, event by event.", By.INDEX, 90, documents=(Place("user_activity_logs", "timestamp"),))
BUFFER = Kept("live_counts", "What was folded into the live counters.", By.INDEX, 7)
DASHBOARDS = Kept(
    "dashboard_interactions", "What was done with dashboards.", By.INDEX, 30, documents=(Place("dashboard_interactions", "timestamp"),)
)
REPORT_ACCESS = Kept("report_access", "Who read reports.", By.INDEX, 180, documents=(Place("report_access_logs", "timestamp"),))
AI_SESSIONS = Kept(
    "ai_sessions",
    "Sittings with the AI, without what was said.",
    By.INDEX,
    365,
    documents=(Place("ai_chat_session_logs", "sessionStarted"),),
)
NOTIFICATIONS = Kept(
    "notification_interactions",
    "What became of notifications.",
    By.INDEX,
    90,
    documents=(Place("notification_interaction_logs", "timestamp"),),
)
LEDGER = Kept(
    "ledger",
    "Calls to providers, with tokens and cost.",
    By.PARTITION,
    2 * YEAR,
    tables=(Place("raw_data", "created_at"), Place("metrics_raw_data", "created_at")),
)
AUDIT = Kept("audit", "Who changed what, and who read another's conversation.", By.CLOCK, 10 * YEAR)
CHAT_ANALYTICS = Kept(
    "chat_analytics",
    "Counts of consultations by day.",
    By.CLOCK,
    5 * YEAR,
    tables=(Place("chat_analytics", "period_start"),),
    archived_days=2 * YEAR,
)
METRICS = Kept(
    "metrics",
    "All other counts by day.",
    By.CLOCK,
    2 * YEAR,
    tables=(
        Place("user_engagement_metrics", "metric_date"),
        Place("feature_utilization_metrics", "metric_date"),
        Place("platform_adoption_metrics", "metric_date"),
        Place("business_impact_metrics", "metric_date"),
        Place("report_generation_stats", "generation_date"),
        Place("ai_chat_analytics", "session_date"),
        Place("model_usage_metrics", "metric_date"),
    ),
    archived_days=5 * YEAR,
)

TABLE = (
    IDLE,
    CONVERSATIONS,
    DELETED,
    CONTEXTS,
    SESSIONS,
    ACTIVITY,
    BUFFER,
    DASHBOARDS,
    REPORT_ACCESS,
    AI_SESSIONS,
    NOTIFICATIONS,
    LEDGER,
    AUDIT,
    CHAT_ANALYTICS,
    METRICS,
)
BY_NAME = {kept.name: kept for kept in TABLE}
