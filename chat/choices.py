"""The words that conversations and messages are described with; every status is typed once, here."""

from django.db.models import TextChoices


class Kind(TextChoices):
    """What sort of conversation it is (D1)."""

    ASSISTANT = "assistant", "Consultation"
    DIRECT = "direct", "Direct"
    GROUP = "group", "Group"
    SUPPORT = "support", "Support"
    ESCALATED = "escalated", "Escalated"
    API = "api", "API thread"
    WIDGET = "widget", "Widget"


class CallType(TextChoices):
    """What a program asked of a bridge (S2-15, D15)."""

    CHAT = "chat", "Chat"
    COMPLETION = "completion", "Completion"
    EMBEDDING = "embedding", "Embedding"
    IMAGE = "image", "Image"


class ConsultationType(TextChoices):
    """What a consultation is about (S0-7)."""

    EMPLOYEE_SPECIFIC = "employee_specific", "About one employee"
    TEAM_COMPATIBILITY = "team_compatibility", "Team compatibility"
    ONE_TO_ONE = "one_to_one", "Preparing a one-to-one"
    PROMOTION_READINESS = "promotion_readiness", "Promotion readiness"
    TEAM_FORMATION = "team_formation", "Forming a team"
    CONFLICT_RESOLUTION = "conflict_resolution", "Resolving a conflict"
    PERFORMANCE_OPTIMIZATION = "performance_optimization", "Improving performance"
    TRAINING_GUIDANCE = "training_guidance", "Training guidance"


class SubjectType(TextChoices):
    """Who is discussed (S0-10)."""

    SINGLE_EMPLOYEE = "single_employee", "One employee"
    TEAM = "team", "A team"
    DEPARTMENT = "department", "A department"
    COMPARISON = "comparison", "A comparison"


class ConversationStatus(TextChoices):
    ACTIVE = "active", "Active"
    ARCHIVED = "archived", "Archived"
    DELETED = "deleted", "Deleted"


class MessageRole(TextChoices):
    USER = "user", "Person"
    ASSISTANT = "assistant", "Assistant"
    SYSTEM = "system", "System"
    FUNCTION = "function", "Function"


class MessageStatus(TextChoices):
    """Where a message is on its way. Only the first two are on their way; the others are ends."""

    PENDING = "pending", "Waiting"
    STREAMING = "streaming", "Being written"
    SENT = "sent", "Sent"
    INTERRUPTED = "interrupted", "Interrupted"
    ERROR = "error", "Failed"
    CANCELLED = "cancelled", "Stopped"


class WaitingStatus(TextChoices):
    """Where a question is that waits for an answer's end."""

    WAITING = "waiting", "Waiting"
    ASKING = "asking", "Being asked"


class ContentType(TextChoices):
    """S0-33."""

    TEXT = "text", "Text"
    STRUCTURED_DATA = "structured_data", "Structured data"
    REPORT_REFERENCE = "report_reference", "Report reference"


class RevisionReason(TextChoices):
    """Why a message was given another text (D12)."""

    REGENERATED = "regenerated", "Written again"


class ScopeType(TextChoices):
    """What a conversation remembers something of (S0-50)."""

    CONVERSATION = "conversation", "Conversation"
    EMPLOYEE = "employee", "Employee"
    TEAM = "team", "Team"
    DEPARTMENT = "department", "Department"


class Audience(TextChoices):
    """Who may open a link to a copy of a conversation."""

    ORGANIZATION = "organization", "People of the organization"
    ANYONE = "anyone", "Anyone with the link"


class ExportFormat(TextChoices):
    """What a conversation can be downloaded as."""

    MARKDOWN = "markdown", "Markdown"
    JSON = "json", "JSON"
    PDF = "pdf", "PDF"


class PresenceStatus(TextChoices):
    """How a person is there (S0-86). The best of their tabs counts, in this order."""

    BUSY = "busy", "Busy"
    ONLINE = "online", "Here"
    AWAY = "away", "Away"


class SessionStatus(TextChoices):
    """What became of an open tab (S0-83): used, idle for a while, closed, or lost with the process that held its socket."""

    ACTIVE = "active", "In use"
    IDLE = "idle", "Idle"
    DISCONNECTED = "disconnected", "Closed"
    EXPIRED = "expired", "Lost"


class DeviceType(TextChoices):
    """S0-85."""

    DESKTOP = "desktop", "Computer"
    MOBILE = "mobile", "Phone"
    TABLET = "tablet", "Tablet"


OPEN_SESSIONS = (SessionStatus.ACTIVE, SessionStatus.IDLE)
RETRYABLE = (MessageStatus.INTERRUPTED, MessageStatus.ERROR, MessageStatus.CANCELLED)
ON_THEIR_WAY = (MessageStatus.PENDING, MessageStatus.STREAMING)
SETTLED = tuple(status for status in MessageStatus if status not in ON_THEIR_WAY)
