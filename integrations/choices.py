"""The words that integrations' columns may hold."""

from django.db.models import TextChoices


class Service(TextChoices):
    """Who answers."""

    OPENAI = "openai", "OpenAI, or a server that speaks as it does"
    OFFLINE = "offline", "The offline consultant"


class BridgeType(TextChoices):
    """What a bridge is for."""

    API = "api", "Programs"
    CHATBOT = "chatbot", "Chatbots"


class ChatbotType(TextChoices):
    """S2-11 names one."""

    CHATBOT = "chatbot", "Chatbot"


class HttpMethod(TextChoices):
    """How a tool is called."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class ChangeType(TextChoices):
    """What somebody did to a bridge."""

    CREATED = "created", "Made"
    UPDATED = "updated", "Changed the draft"
    PUBLISHED = "published", "Published"
    ROLLED_BACK = "rolled_back", "Rolled back"
    LABELLED = "labelled", "Labelled"
    DELETED = "deleted", "Deleted"


class PlatformName(TextChoices):
    GOOGLE_ANALYTICS = "google_analytics", "Google Analytics"
    GOOGLE_ADS = "google_ads", "Google Ads"
    META_ADS = "meta_ads", "Meta Ads"


class ConnectionStatus(TextChoices):
    """S1-45. Only an active connection is used; one in error is tried again, the other two need their person."""

    ACTIVE = "active", "Active"
    EXPIRED = "expired", "Expired"
    REVOKED = "revoked", "Revoked"
    ERROR = "error", "Error"


class BudgetScope(TextChoices):
    """Whose calls a budget holds."""

    ORGANIZATION = "organization", "The whole organization"
    DEPARTMENT = "department", "A department"
    PERSON = "person", "A person"
    KEY = "key", "An API key"
    BRIDGE = "bridge", "A bridge"


class BudgetPeriodLength(TextChoices):
    """For how long a budget is; days and months are UTC."""

    DAY = "day", "A day"
    MONTH = "month", "A month"
