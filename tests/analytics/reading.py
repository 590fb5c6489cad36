"""What tests read from the logs and the buffer."""

from typing import Any

from analytics import tracking
from analytics.documents import AiChatSession, BufferedMetric, UserActivity
from config import mongo


def kept(kind: Any, organization: Any, **where: Any) -> list[dict[str, Any]]:
    """Everything of a log, once what waits is written, oldest first."""
    assert tracking.flush(timeout=10)
    found = mongo.collection(kind).find({"organizationId": str(organization.pk), **where})
    return sorted(found, key=lambda row: (row.get("timestamp") or row["createdAt"], row["_id"]))


def events(organization: Any, **where: Any) -> list[dict[str, Any]]:
    return kept(UserActivity, organization, **where)


def types(organization: Any, **where: Any) -> list[str]:
    return [event["eventType"] for event in events(organization, **where)]


def buffered(organization: Any, **where: Any) -> list[dict[str, Any]]:
    return kept(BufferedMetric, organization, **where)


def sittings(organization: Any) -> list[dict[str, Any]]:
    return kept(AiChatSession, organization)
