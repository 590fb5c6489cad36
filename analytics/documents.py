"""The six logs of what people do (S4-76…121): written by `tracking.py`, read by the rollups, removed by their TTL.

`timestamp` is when something happened, `createdAt` when it was written here: a day is counted by the first, and counted again when
something of it was written later (X-26). A `clientId` makes a resend harmless. Names in MongoDB are the specification's, in camelCase.

No log holds what was said: `ai_chat_session_logs` names messages by their ids and never copies their text (D1).
"""

from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    LongField,
    MapField,
    ObjectIdField,
    StringField,
)

from analytics.choices import (
    BufferMetric,
    BufferStatus,
    DashboardType,
    DeliveryChannel,
    EventCategory,
    EventType,
    NotificationInteraction,
    NotificationPriority,
    NotificationType,
    ReportAccess,
    ReportAccessMethod,
    ReportType,
    SessionMessageRole,
    WidgetInteraction,
    WidgetType,
)
from config import periods
from tenants.choices import Role
from tenants.scoping import TenantDocument


class DeviceInfo(EmbeddedDocument):
    """S4-78."""

    type = StringField(null=True)
    os = StringField(null=True)
    browser = StringField(null=True)
    screen_resolution = StringField(db_field="screenResolution", null=True)
    user_agent = StringField(db_field="userAgent", null=True)


class Geolocation(EmbeddedDocument):
    """S4-78. The address is truncated before it gets here."""

    country = StringField(null=True)
    city = StringField(null=True)
    ip_address = StringField(db_field="ipAddress", null=True)
    timezone = StringField(null=True)


class EventMetadata(EmbeddedDocument):
    """S4-77."""

    page = StringField(null=True)
    component = StringField(null=True)
    feature = StringField(null=True)  # one of `features.py`
    duration = FloatField(null=True)  # seconds
    success = BooleanField(null=True)
    error_message = StringField(db_field="errorMessage", null=True)
    custom_data = DictField(db_field="customData", null=True)


class UserActivity(TenantDocument):
    """One thing that somebody did (S4-76…86)."""

    user_id = StringField(db_field="userId", required=True)
    session_id = StringField(db_field="sessionId", null=True)
    event_type = StringField(db_field="eventType", choices=EventType.values, required=True)
    event_category = StringField(db_field="eventCategory", choices=EventCategory.values, null=True)
    event_action = StringField(db_field="eventAction", null=True)
    event_target = StringField(db_field="eventTarget", null=True)
    event_metadata = EmbeddedDocumentField(EventMetadata, db_field="eventMetadata", null=True)
    user_role = StringField(db_field="userRole", choices=Role.values, null=True)
    department_id = StringField(db_field="departmentId", null=True)
    device_info = EmbeddedDocumentField(DeviceInfo, db_field="deviceInfo", null=True)
    geolocation = EmbeddedDocumentField(Geolocation, null=True)
    client_id = StringField(db_field="clientId", null=True)
    clock_skew = FloatField(db_field="clockSkew", null=True)  # seconds that the sender's clock was ahead
    timestamp = DateTimeField(required=True)
    created_at = DateTimeField(db_field="createdAt", required=True)

    meta = {
        "collection": "user_activity_logs",
        "auto_create_index": False,
        "indexes": [
            # What one person did, newest first (S4-80).
            {"name": "userId_1_timestamp_-1", "fields": ["user_id", "-timestamp"]},
            # What was done in an organization, newest first: the rows behind a number (S4-81).
            {"name": "organizationId_1_timestamp_-1", "fields": ["organization_id", "-timestamp"]},
            # One sort of event, newest first (S4-82).
            {"name": "eventType_1_timestamp_-1", "fields": ["event_type", "-timestamp"]},
            # What was done in one sitting (S4-83).
            {"name": "sessionId_1", "fields": ["session_id"]},
            # A day of everybody's: the night (S4-84).
            {"name": "timestamp_-1", "fields": ["-timestamp"]},
            # Uses of a feature (S4-85).
            {"name": "eventMetadata.feature_1", "fields": ["event_metadata.feature"]},
            # What MongoDB removes by itself (S4-86).
            {"name": "createdAt_1", "fields": ["created_at"], "expireAfterSeconds": periods.ACTIVITY.seconds},
            # The days of which something was written since the last night; the index alone answers.
            {"name": "late", "fields": ["created_at", "timestamp"]},
            # The same event sent twice is one event.
            {
                "name": "send_once",
                "fields": ["organization_id", "user_id", "client_id"],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
        ],
    }


class MetricData(EmbeddedDocument):
    """S4-87."""

    user_id = StringField(db_field="userId", null=True)
    value = FloatField(required=True)
    dimensions = DictField()
    tags = ListField(StringField())


class BufferedMetric(TenantDocument):
    """What was counted and is not in the live counters yet (S4-87…91).

    Removed by MongoDB seven days after it was folded (D2): what is PENDING or FAILED has no `aggregatedAt` and stays.
    """

    metric_type = StringField(db_field="metricType", choices=BufferMetric.values, required=True)
    metric_data = EmbeddedDocumentField(MetricData, db_field="metricData", required=True)
    aggregation_status = StringField(db_field="aggregationStatus", choices=BufferStatus.values, required=True)
    aggregated_at = DateTimeField(db_field="aggregatedAt", null=True)
    reason = StringField(null=True)  # why it is FAILED
    timestamp = DateTimeField(required=True)
    created_at = DateTimeField(db_field="createdAt", required=True)

    meta = {
        "collection": "metrics_buffer",
        "auto_create_index": False,
        "indexes": [
            # S4-88.
            {"name": "organizationId_1_timestamp_-1", "fields": ["organization_id", "-timestamp"]},
            # S4-89.
            {"name": "metricType_1_aggregationStatus_1", "fields": ["metric_type", "aggregation_status"]},
            # What waits to be folded, oldest first (S4-90).
            {"name": "aggregationStatus_1_createdAt_1", "fields": ["aggregation_status", "created_at"]},
            # Whose entries wait, and those of one organization.
            {"name": "pending", "fields": ["organization_id", "created_at"], "partialFilterExpression": {"aggregationStatus": "PENDING"}},
            # What MongoDB removes by itself (S4-91, D2).
            {"name": "aggregatedAt_1", "fields": ["aggregated_at"], "expireAfterSeconds": periods.BUFFER.seconds},
        ],
    }


class BufferClaim(TenantDocument):
    """Entries of the buffer that a worker is folding, or that were given up (S4-131). `entries` and `days` are missing until they are read;
    what they say then does not change."""

    name = StringField(required=True)  # by which a day knows that the claim is in it
    token = StringField(required=True)  # of the worker who has it
    is_open = BooleanField(db_field="isOpen", required=True)  # False: given up
    claimed_at = DateTimeField(db_field="claimedAt", required=True)
    tries = IntField(required=True)
    entries = ListField(ObjectIdField())
    days = ListField(DictField())  # for each day the sums, by counter, and whom and what to count once

    meta = {
        "collection": "metrics_buffer_claims",
        "auto_create_index": False,
        "indexes": [
            # Who folds an organization's entries is one.
            {"name": "open", "fields": ["organization_id"], "unique": True, "partialFilterExpression": {"isOpen": True}},
            # A claim, and those that were given up.
            {"name": "organizationId_1_name_1", "fields": ["organization_id", "name"]},
            # Claims whose worker died.
            {"name": "isOpen_1_claimedAt_1", "fields": ["is_open", "claimed_at"]},
        ],
    }


class InteractionData(EmbeddedDocument):
    """S4-93."""

    action = StringField(null=True)
    previous_state = DictField(db_field="previousState", null=True)
    new_state = DictField(db_field="newState", null=True)
    duration = FloatField(null=True)  # seconds
    data_loaded = BooleanField(db_field="dataLoaded", null=True)
    error_occurred = BooleanField(db_field="errorOccurred", null=True)


class PerformanceMetrics(EmbeddedDocument):
    """S4-93, in milliseconds."""

    load_time = FloatField(db_field="loadTime", null=True)
    render_time = FloatField(db_field="renderTime", null=True)
    data_fetch_time = FloatField(db_field="dataFetchTime", null=True)
    total_time = FloatField(db_field="totalTime", null=True)


class DashboardInteraction(TenantDocument):
    """What was done with one widget of a dashboard (S4-92…98)."""

    user_id = StringField(db_field="userId", required=True)
    session_id = StringField(db_field="sessionId", null=True)
    dashboard_type = StringField(db_field="dashboardType", choices=DashboardType.values, required=True)
    interaction_type = StringField(db_field="interactionType", choices=WidgetInteraction.values, required=True)
    widget_id = StringField(db_field="widgetId", null=True)
    widget_type = StringField(db_field="widgetType", choices=WidgetType.values, null=True)
    interaction_data = EmbeddedDocumentField(InteractionData, db_field="interactionData", null=True)
    performance_metrics = EmbeddedDocumentField(PerformanceMetrics, db_field="performanceMetrics", null=True)
    client_id = StringField(db_field="clientId", null=True)
    timestamp = DateTimeField(required=True)
    created_at = DateTimeField(db_field="createdAt", required=True)

    meta = {
        "collection": "dashboard_interactions",
        "auto_create_index": False,
        "indexes": [
            # S4-94.
            {"name": "userId_1_timestamp_-1", "fields": ["user_id", "-timestamp"]},
            # S4-95.
            {"name": "organizationId_1_dashboardType_1", "fields": ["organization_id", "dashboard_type"]},
            # S4-96.
            {"name": "widgetType_1_timestamp_-1", "fields": ["widget_type", "-timestamp"]},
            # S4-97.
            {"name": "sessionId_1", "fields": ["session_id"]},
            # S4-98.
            {"name": "createdAt_1", "fields": ["created_at"], "expireAfterSeconds": periods.DASHBOARDS.seconds},
            # The same interaction sent twice is one.
            {
                "name": "send_once",
                "fields": ["organization_id", "user_id", "client_id"],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
        ],
    }


class AccessedBy(EmbeddedDocument):
    """S4-99."""

    user_id = StringField(db_field="userId", required=True)
    user_name = StringField(db_field="userName", null=True)
    user_role = StringField(db_field="userRole", choices=Role.values, null=True)


class ReportAccessed(TenantDocument):
    """Somebody read, downloaded, shared or printed a report (S4-99…106)."""

    report_id = StringField(db_field="reportId", required=True)
    report_type = StringField(db_field="reportType", choices=ReportType.values, required=True)
    employee_id = StringField(db_field="employeeId", null=True)
    employee_name = StringField(db_field="employeeName", null=True)
    accessed_by = EmbeddedDocumentField(AccessedBy, db_field="accessedBy", required=True)
    department_id = StringField(db_field="departmentId", null=True)
    access_type = StringField(db_field="accessType", choices=ReportAccess.values, required=True)
    access_method = StringField(db_field="accessMethod", choices=ReportAccessMethod.values, null=True)
    access_duration = FloatField(db_field="accessDuration", null=True)  # seconds
    page_views = IntField(db_field="pageViews", null=True)
    device_info = EmbeddedDocumentField(DeviceInfo, db_field="deviceInfo", null=True)
    geolocation = EmbeddedDocumentField(Geolocation, null=True)
    timestamp = DateTimeField(required=True)
    created_at = DateTimeField(db_field="createdAt", required=True)

    meta = {
        "collection": "report_access_logs",
        "auto_create_index": False,
        "indexes": [
            # Who read a report (S4-101).
            {"name": "reportId_1_timestamp_-1", "fields": ["report_id", "-timestamp"]},
            # What a person read (S4-102).
            {"name": "accessedBy.userId_1_timestamp_-1", "fields": ["accessed_by.user_id", "-timestamp"]},
            # What was read in an organization (S4-103).
            {"name": "organizationId_1_timestamp_-1", "fields": ["organization_id", "-timestamp"]},
            # What was read of an employee (S4-104).
            {"name": "employeeId_1_timestamp_-1", "fields": ["employee_id", "-timestamp"]},
            # S4-105.
            {"name": "reportType_1_accessType_1", "fields": ["report_type", "access_type"]},
            # A day of everybody's: the night.
            {"name": "timestamp_-1", "fields": ["-timestamp"]},
            # S4-106.
            {"name": "createdAt_1", "fields": ["created_at"], "expireAfterSeconds": periods.REPORT_ACCESS.seconds},
        ],
    }


class SessionMessageMetadata(EmbeddedDocument):
    """S4-107."""

    employee_ids_referenced = ListField(StringField(), db_field="employeeIdsReferenced")
    query_type = StringField(db_field="queryType", null=True)
    confidence = FloatField(null=True)
    sources = ListField(StringField())


class SessionMessage(EmbeddedDocument):
    """S4-107, without the text (D1)."""

    message_id = StringField(db_field="messageId", required=True)
    role = StringField(choices=SessionMessageRole.values, required=True)
    token_count = LongField(db_field="tokenCount", null=True)
    response_time = FloatField(db_field="responseTime", null=True)  # milliseconds, of an answer
    timestamp = DateTimeField(required=True)
    metadata = EmbeddedDocumentField(SessionMessageMetadata, null=True)


class SessionMetrics(EmbeddedDocument):
    """S4-108."""

    total_messages = IntField(db_field="totalMessages", default=0)
    user_messages = IntField(db_field="userMessages", default=0)
    ai_responses = IntField(db_field="aiResponses", default=0)
    total_tokens = LongField(db_field="totalTokens", default=0)
    average_response_time = FloatField(db_field="averageResponseTime", null=True)  # milliseconds
    employees_discussed = ListField(StringField(), db_field="employeesDiscussed")


class SessionContext(EmbeddedDocument):
    """S4-108. `initialQuery` is the id of the first question: its text stays in its conversation (D1)."""

    initial_query = StringField(db_field="initialQuery", null=True)
    query_type = StringField(db_field="queryType", null=True)
    department_id = StringField(db_field="departmentId", null=True)
    related_reports = ListField(StringField(), db_field="relatedReports")


class SatisfactionFeedback(EmbeddedDocument):
    """S4-108: what was said last about an answer of the session."""

    rating = FloatField(min_value=1, max_value=5, null=True)
    was_helpful = BooleanField(db_field="wasHelpful", null=True)
    feedback_text = StringField(db_field="feedbackText", null=True)
    submitted_at = DateTimeField(db_field="submittedAt", null=True)


class AiChatSession(TenantDocument):
    """A sitting of a person with the AI in one conversation, which ends when nothing is said for long (S4-107…114, D1)."""

    session_id = StringField(db_field="sessionId", required=True)
    conversation_id = StringField(db_field="conversationId", required=True)
    user_id = StringField(db_field="userId", required=True)
    user_role = StringField(db_field="userRole", choices=Role.values, null=True)
    session_started = DateTimeField(db_field="sessionStarted", required=True)
    session_ended = DateTimeField(db_field="sessionEnded", required=True)  # the latest moment of it so far
    messages = EmbeddedDocumentListField(SessionMessage)
    session_metrics = EmbeddedDocumentField(SessionMetrics, db_field="sessionMetrics")
    session_context = EmbeddedDocumentField(SessionContext, db_field="sessionContext")
    satisfaction_feedback = EmbeddedDocumentField(SatisfactionFeedback, db_field="satisfactionFeedback", null=True)
    created_at = DateTimeField(db_field="createdAt", required=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)

    meta = {
        "collection": "ai_chat_session_logs",
        "auto_create_index": False,
        "indexes": [
            # One session by its id (S4-109).
            {"name": "sessionId_1", "fields": ["session_id"], "unique": True},
            # A person's sessions, newest first (S4-110).
            {"name": "userId_1_sessionStarted_-1", "fields": ["user_id", "-session_started"]},
            # An organization's sessions, newest first (S4-111).
            {"name": "organizationId_1_sessionStarted_-1", "fields": ["organization_id", "-session_started"]},
            # S4-112.
            {"name": "sessionContext.queryType_1", "fields": ["session_context.query_type"]},
            # S4-113.
            {"name": "satisfactionFeedback.rating_1", "fields": ["satisfaction_feedback.rating"]},
            # The session that a message continues.
            {
                "name": "running",
                "fields": ["organization_id", "conversation_id", "user_id", "-session_ended"],
            },
            # The session that an answer is in, when it is rated.
            {"name": "messages.messageId_1", "fields": ["messages.message_id"]},
            # A day of everybody's: the night.
            {"name": "sessionStarted_-1", "fields": ["-session_started"]},
            # What changed since the last night.
            {"name": "updatedAt_1", "fields": ["updated_at"]},
            # S4-114.
            {"name": "createdAt_1", "fields": ["created_at"], "expireAfterSeconds": periods.AI_SESSIONS.seconds},
        ],
    }


class NotificationInteractionData(EmbeddedDocument):
    """S4-116."""

    time_to_view = FloatField(db_field="timeToView", null=True)  # seconds
    time_to_click = FloatField(db_field="timeToClick", null=True)  # seconds
    click_target = StringField(db_field="clickTarget", null=True)
    device_type = StringField(db_field="deviceType", null=True)


class NotificationContent(EmbeddedDocument):
    """S4-116."""

    title = StringField(null=True)
    message = StringField(null=True)
    priority = StringField(choices=NotificationPriority.values, null=True)
    category = StringField(null=True)


class NotificationInteracted(TenantDocument):
    """What became of a notification (S4-115…121)."""

    notification_id = StringField(db_field="notificationId", required=True)
    user_id = StringField(db_field="userId", required=True)
    notification_type = StringField(db_field="notificationType", choices=NotificationType.values, required=True)
    interaction_type = StringField(db_field="interactionType", choices=NotificationInteraction.values, required=True)
    delivery_channel = StringField(db_field="deliveryChannel", choices=DeliveryChannel.values, null=True)
    interaction_data = EmbeddedDocumentField(NotificationInteractionData, db_field="interactionData", null=True)
    notification_content = EmbeddedDocumentField(NotificationContent, db_field="notificationContent", null=True)
    client_id = StringField(db_field="clientId", null=True)
    timestamp = DateTimeField(required=True)
    created_at = DateTimeField(db_field="createdAt", required=True)

    meta = {
        "collection": "notification_interaction_logs",
        "auto_create_index": False,
        "indexes": [
            # What became of a notification (S4-117).
            {"name": "notificationId_1", "fields": ["notification_id"]},
            # S4-118.
            {"name": "userId_1_timestamp_-1", "fields": ["user_id", "-timestamp"]},
            # S4-119.
            {"name": "organizationId_1_timestamp_-1", "fields": ["organization_id", "-timestamp"]},
            # S4-120.
            {"name": "notificationType_1_interactionType_1", "fields": ["notification_type", "interaction_type"]},
            # S4-121.
            {"name": "createdAt_1", "fields": ["created_at"], "expireAfterSeconds": periods.NOTIFICATIONS.seconds},
            # The same interaction sent twice is one.
            {
                "name": "send_once",
                "fields": ["organization_id", "user_id", "client_id"],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
        ],
    }


class LiveDay(TenantDocument):
    """What was counted of an organization's UTC day so far, until the night says it (S4-132).

    `folded` are the claims on the buffer that are in `counts`: what is folded again changes nothing.
    """

    day = StringField(required=True)  # as ISO writes it
    counts = MapField(IntField())
    folded = ListField(StringField())
    updated_at = DateTimeField(db_field="updatedAt", required=True)

    meta = {
        "collection": "live_days",
        "auto_create_index": False,
        "indexes": [
            # An organization's day.
            {"name": "organizationId_1_day_1", "fields": ["organization_id", "day"], "unique": True},
            # What MongoDB removes by itself: the nights have counted it long since.
            {"name": "updatedAt_1", "fields": ["updated_at"], "expireAfterSeconds": 30 * 86_400},
        ],
    }


class LiveMember(TenantDocument):
    """Somebody, or a session, that is counted once in a day, whichever claim it came with."""

    day = StringField(required=True)  # as ISO writes it
    kind = StringField(required=True)  # the counter
    member = StringField(required=True)
    created_at = DateTimeField(db_field="createdAt", required=True)

    meta = {
        "collection": "live_members",
        "auto_create_index": False,
        "indexes": [
            # Each once; and how many a counter has.
            {"name": "once", "fields": ["organization_id", "day", "kind", "member"], "unique": True},
            # What MongoDB removes by itself.
            {"name": "createdAt_1", "fields": ["created_at"], "expireAfterSeconds": 30 * 86_400},
        ],
    }
