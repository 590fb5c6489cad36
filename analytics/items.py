"""What programs and pages may tell us that happened: the shapes of one item, and what becomes of it in its log.

An item never says whose it is: that is whoever sends it, in the organization that they act for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from analytics import features, tracking
from analytics.choices import (
    DashboardType,
    DeliveryChannel,
    EventCategory,
    EventType,
    NotificationInteraction,
    NotificationPriority,
    NotificationType,
    WidgetInteraction,
    WidgetType,
)
from analytics.documents import DashboardInteraction, NotificationInteracted, UserActivity
from analytics.tracking import Entry
from config.api import NON_FIELD, Flag, Id, Strict, Text, Word
from tenants.models import Membership
from tenants.scoping import TenantDocument, tenant_key

AHEAD = timedelta(days=1)  # further in the future nobody's clock is
KEPT = timedelta(days=90)
SKEW = timedelta(seconds=1)  # more than the way here takes
CUSTOM_NAMES = 20
CUSTOM_TEXT = 500
DAY_SECONDS = 86_400.0


class Moment(serializers.DateTimeField):
    """A time with its zone, such as 2026-11-22T09:41:00Z."""

    default_error_messages = {"invalid": "Send a time with its zone, such as 2026-11-22T09:41:00Z."}

    def to_internal_value(self, value: Any) -> datetime:  # type: ignore[override]
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) and 20 <= len(value) <= 40 else None
            found = found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
        except (ValueError, OverflowError):
            found = None
        if found is None:
            self.fail("invalid", format="")
        return found


class Measure(serializers.FloatField):
    """A number that is not negative."""

    default_error_messages = {"invalid": "Send a number."}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class Facts(serializers.DictField):
    """An object of names and plain values: texts, numbers, true, false and null. No name begins with `$` or has a dot in it."""

    default_error_messages = {
        "not_a_dict": "Send an object.",
        "bad_name": "Give names of 1 to 100 characters that do not begin with $ and have no dot.",
        "bad_value": f"Give plain values: texts of at most {CUSTOM_TEXT} characters, numbers, true, false or null.",
        "too_many": f"Give at most {CUSTOM_NAMES} names.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type="")
        if len(data) > CUSTOM_NAMES:
            self.fail("too_many")
        for name, value in data.items():
            if not 0 < len(name) <= 100 or name.startswith("$") or "." in name or "\0" in name:
                self.fail("bad_name")
            is_number = isinstance(value, int | float) and abs(value) < 2**63
            if not (value is None or is_number or (isinstance(value, str) and len(value) <= CUSTOM_TEXT)):
                self.fail("bad_value")
        return data


def _text(most: int, help_text: str = "") -> Text:
    return Text(required=False, max_length=most, help_text=help_text)


class Item(Strict):
    """What every item has. `client_id` is the sender's name for it: sent again under the same name, it is the same."""

    client_id = Text(max_length=100, help_text="Your own name for it. The same from you again is a duplicate, and changes nothing.")
    timestamp = Moment(required=False, help_text="When it happened; by default, now.")


class EventMetadata(Strict):
    page = _text(500)
    component = _text(100)
    feature = Word(required=False, choices=list(features.CATEGORIES))
    duration = Measure(required=False, min_value=0, max_value=DAY_SECONDS, help_text="Seconds.")
    success = Flag(required=False)
    error_message = _text(500)
    custom_data = Facts(required=False)


class EventItem(Item):
    log = Word(required=False, choices=["activity"], default="activity")
    event_type = Word(choices=EventType.choices)
    event_category = Word(required=False, choices=EventCategory.choices)
    event_action = _text(100)
    event_target = _text(200)
    metadata = EventMetadata(required=False)
    screen = serializers.RegexField(r"^\d{1,5}x\d{1,5}$", required=False, help_text="Width and height, such as 1280x800.")
    timezone = _text(64, "The sender's, such as Europe/Oslo.")


class InteractionData(Strict):
    action = _text(100)
    previous_state = Facts(required=False)
    new_state = Facts(required=False)
    duration = Measure(required=False, min_value=0, max_value=DAY_SECONDS, help_text="Seconds.")
    data_loaded = Flag(required=False)
    error_occurred = Flag(required=False)


class PerformanceMetrics(Strict):
    """Milliseconds."""

    load_time = Measure(required=False, min_value=0, max_value=1000 * DAY_SECONDS)
    render_time = Measure(required=False, min_value=0, max_value=1000 * DAY_SECONDS)
    data_fetch_time = Measure(required=False, min_value=0, max_value=1000 * DAY_SECONDS)
    total_time = Measure(required=False, min_value=0, max_value=1000 * DAY_SECONDS)


class DashboardItem(Item):
    log = Word(choices=["dashboard"])
    dashboard_type = Word(choices=DashboardType.choices)
    interaction_type = Word(choices=WidgetInteraction.choices)
    widget_id = _text(100)
    widget_type = Word(required=False, choices=WidgetType.choices)
    interaction_data = InteractionData(required=False)
    performance_metrics = PerformanceMetrics(required=False)


class NotificationData(Strict):
    time_to_view = Measure(required=False, min_value=0, help_text="Seconds.")
    time_to_click = Measure(required=False, min_value=0, help_text="Seconds.")
    click_target = _text(200)
    device_type = _text(50)


class NotificationContent(Strict):
    title = _text(200)
    message = _text(1000)
    priority = Word(required=False, choices=NotificationPriority.choices)
    category = _text(100)


class NotificationItem(Item):
    log = Word(choices=["notification"])
    notification_id = Id()
    notification_type = Word(choices=NotificationType.choices)
    interaction_type = Word(choices=NotificationInteraction.choices)
    delivery_channel = Word(required=False, choices=DeliveryChannel.choices)
    interaction_data = NotificationData(required=False)
    notification_content = NotificationContent(required=False)


@dataclass(frozen=True)
class Shape:
    """How the items of one log are read and kept."""

    log: type[TenantDocument]
    serializer: type[Item]
    keep: Callable[[Mapping[str, Any], Membership], dict[str, Any]]

    @cached_property
    def reader(self) -> Item:
        """One serializer for all items: making one costs ten times what reading with it does. It keeps nothing of what it read."""
        return self.serializer(data=None)


def _event(given: Mapping[str, Any], membership: Membership) -> dict[str, Any]:
    kept = {name: given[name] for name in ("event_category", "event_action", "event_target") if name in given}
    kept.setdefault("event_category", str(tracking.CATEGORIES.get(given["event_type"], EventCategory.FEATURE_USE)))
    kept |= {"event_type": given["event_type"], "user_role": str(membership.role)}
    kept["department_id"] = membership.department_id and str(membership.department_id)
    if "metadata" in given:
        kept["event_metadata"] = given["metadata"]
    if "screen" in given:
        kept["device_info"] = {"screen_resolution": given["screen"]}
    if "timezone" in given:
        kept["geolocation"] = {"timezone": given["timezone"]}
    return kept


def _as_given(given: Mapping[str, Any], membership: Membership) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in ("log", "timestamp", "client_id")}


SHAPES = {
    "activity": Shape(UserActivity, EventItem, _event),
    "dashboard": Shape(DashboardInteraction, DashboardItem, _as_given),
    "notification": Shape(NotificationInteracted, NotificationItem, _as_given),
}


def read(data: Any, membership: Membership, *, now: datetime) -> Entry:
    """The entry that an item asks for. Raises `serializers.ValidationError` where it is none."""
    if not isinstance(data, dict):
        raise serializers.ValidationError({NON_FIELD: ErrorDetail("Send one JSON object.", code="invalid")})
    log = data.get("log", "activity")
    shape = SHAPES.get(log) if isinstance(log, str) else None
    if shape is None:
        raise serializers.ValidationError({"log": ErrorDetail(f"Send one of {', '.join(SHAPES)}.", code="invalid_choice")})
    given = shape.reader.run_validation(data)
    happened = given.get("timestamp", now)
    if happened > now + AHEAD:
        raise serializers.ValidationError(
            {"timestamp": ErrorDetail("This is more than a day ahead. Set your clock.", code="in_the_future")}
        )
    if happened < now - KEPT:
        raise serializers.ValidationError({"timestamp": ErrorDetail("This is older than what is kept, 90 days.", code="too_old")})
    document = _stored(shape.log, shape.keep(given, membership))
    document |= {
        "_id": tracking.named(membership.organization_id, f"{membership.user_id}/{given['client_id']}"),
        "organizationId": tenant_key(membership.organization_id),
        "userId": str(membership.user_id),
        "clientId": given["client_id"],
        "timestamp": min(happened, now),
    }
    if shape.log is UserActivity and happened > now + SKEW:
        document["clockSkew"] = (happened - now).total_seconds()
    return Entry(shape.log, document)


def _stored(document: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The same under its stored names, however deep the document's class goes."""
    found = {}
    for name, value in given.items():
        field = document._fields[name]
        inner = getattr(field, "document_type", None)
        found[field.db_field] = _stored(inner, value) if inner is not None else value
    return found
