"""The words that what happened is described with (S4, D13). Values are the specification's."""

from django.db.models import TextChoices


class EventType(TextChoices):
    """What somebody did (S4-79, D13)."""

    PAGE_VIEW = "PAGE_VIEW", "Opened a page"
    BUTTON_CLICK = "BUTTON_CLICK", "Pressed a button"
    REPORT_VIEW = "REPORT_VIEW", "Read a report"
    REPORT_DOWNLOAD = "REPORT_DOWNLOAD", "Downloaded a report"
    SEARCH_PERFORMED = "SEARCH_PERFORMED", "Searched"
    FILTER_APPLIED = "FILTER_APPLIED", "Filtered a list"
    AI_CHAT_MESSAGE = "AI_CHAT_MESSAGE", "Asked the AI"
    EMPLOYEE_ADDED = "EMPLOYEE_ADDED", "Added an employee"
    EMPLOYEE_UPDATED = "EMPLOYEE_UPDATED", "Changed an employee"
    DASHBOARD_LOAD = "DASHBOARD_LOAD", "Opened a dashboard"
    NOTIFICATION_CLICKED = "NOTIFICATION_CLICKED", "Followed a notification"
    LOGIN = "LOGIN", "Signed in"
    LOGOUT = "LOGOUT", "Signed out"
    DEPARTMENT_SETUP = "DEPARTMENT_SETUP", "Set up a department"
    USER_MANAGED = "USER_MANAGED", "Managed a person's access"


class EventCategory(TextChoices):
    NAVIGATION = "NAVIGATION", "Navigation"
    INTERACTION = "INTERACTION", "Interaction"
    DATA_ACCESS = "DATA_ACCESS", "Data access"
    FEATURE_USE = "FEATURE_USE", "Feature use"


class FeatureCategory(TextChoices):
    """S4-35."""

    EMPLOYEE_MANAGEMENT = "EMPLOYEE_MANAGEMENT", "Employees"
    REPORT_GENERATION = "REPORT_GENERATION", "Reports"
    AI_CONSULTATION = "AI_CONSULTATION", "Consultations"
    DEPARTMENT_SETUP = "DEPARTMENT_SETUP", "Departments"
    USER_MANAGEMENT = "USER_MANAGEMENT", "People and access"
    ANALYTICS_VIEWING = "ANALYTICS_VIEWING", "Dashboards"
    NOTIFICATION_INTERACTION = "NOTIFICATION_INTERACTION", "Notifications"


class BufferMetric(TextChoices):
    """S4-87."""

    USER_ENGAGEMENT = "USER_ENGAGEMENT", "Engagement"
    REPORT_GENERATION = "REPORT_GENERATION", "Reports"
    FEATURE_UTILIZATION = "FEATURE_UTILIZATION", "Features"


class BufferStatus(TextChoices):
    PENDING = "PENDING", "Pending"
    PROCESSING = "PROCESSING", "Being folded"
    AGGREGATED = "AGGREGATED", "Folded"
    FAILED = "FAILED", "Failed"


class DashboardType(TextChoices):
    OWNER = "OWNER_DASHBOARD", "Owner's dashboard"
    LEADER = "LEADER_DASHBOARD", "Leader's dashboard"
    MANAGER = "MANAGER_DASHBOARD", "Manager's dashboard"


class WidgetInteraction(TextChoices):
    LOAD = "WIDGET_LOAD", "Loaded"
    REFRESH = "WIDGET_REFRESH", "Refreshed"
    RESIZE = "WIDGET_RESIZE", "Resized"
    REORDER = "WIDGET_REORDER", "Moved"


class WidgetType(TextChoices):
    METRICS_CARD = "METRICS_CARD", "Card"
    CHART = "CHART", "Chart"
    TABLE = "TABLE", "Table"
    AI_CHAT = "AI_CHAT", "Consultation"
    NOTIFICATIONS = "NOTIFICATIONS", "Notifications"


class ReportType(TextChoices):
    """S4-27."""

    PERSONALITY_ROLE = "PERSONALITY_ROLE", "Personality and role"
    BEHAVIOR_COMPANY = "BEHAVIOR_COMPANY", "Behaviour in the company"
    COMPATIBILITY_JOB = "COMPATIBILITY_JOB", "Compatibility with the job"
    COMPATIBILITY_DEPARTMENT = "COMPATIBILITY_DEPARTMENT", "Compatibility with the department"
    COMPATIBILITY_COMPANY = "COMPATIBILITY_COMPANY", "Compatibility with the company"
    COMPATIBILITY_INDUSTRY = "COMPATIBILITY_INDUSTRY", "Compatibility with the industry"
    QA_QUESTIONNAIRE = "QA_QUESTIONNAIRE", "Questionnaire"
    TRAINING_DEVELOPMENT = "TRAINING_DEVELOPMENT", "Training and development"


class ReportStatus(TextChoices):
    SUCCESS = "SUCCESS", "Made"
    FAILED = "FAILED", "Failed"
    PENDING = "PENDING", "Waiting"
    PROCESSING = "PROCESSING", "Being made"


class ReportAccess(TextChoices):
    VIEW = "VIEW", "Read"
    DOWNLOAD = "DOWNLOAD", "Downloaded"
    SHARE = "SHARE", "Shared"
    PRINT = "PRINT", "Printed"


class ReportAccessMethod(TextChoices):
    DIRECT_LINK = "DIRECT_LINK", "By its link"
    DASHBOARD = "DASHBOARD", "From a dashboard"
    SEARCH = "SEARCH", "From the search"
    NOTIFICATION = "NOTIFICATION", "From a notification"


class SessionMessageRole(TextChoices):
    USER = "USER", "Person"
    ASSISTANT = "ASSISTANT", "Assistant"
    SYSTEM = "SYSTEM", "System"


class NotificationType(TextChoices):
    REPORT_READY = "REPORT_READY", "A report is ready"
    QUARTERLY_UPDATE = "QUARTERLY_UPDATE", "Quarterly update"
    SYSTEM_ALERT = "SYSTEM_ALERT", "System alert"
    USER_MENTION = "USER_MENTION", "Mention"


class NotificationInteraction(TextChoices):
    DELIVERED = "DELIVERED", "Delivered"
    VIEWED = "VIEWED", "Seen"
    CLICKED = "CLICKED", "Followed"
    DISMISSED = "DISMISSED", "Dismissed"
    SNOOZED = "SNOOZED", "Put off"


class DeliveryChannel(TextChoices):
    IN_APP = "IN_APP", "In the app"
    EMAIL = "EMAIL", "Email"
    WEBSOCKET = "WEBSOCKET", "Socket"
    SMS = "SMS", "SMS"


class NotificationPriority(TextChoices):
    HIGH = "HIGH", "High"
    MEDIUM = "MEDIUM", "Medium"
    LOW = "LOW", "Low"


class SubscriptionState(TextChoices):
    """S4-13."""

    ACTIVE = "ACTIVE", "Active"
    TRIAL = "TRIAL", "Trial"
    EXPIRED = "EXPIRED", "Expired"
    CANCELLED = "CANCELLED", "Cancelled"


class PeriodType(TextChoices):
    """S0-68. Only days are stored; weeks and months are sums of them."""

    DAILY = "daily", "Day"
    WEEKLY = "weekly", "Week"
    MONTHLY = "monthly", "Month"


class Metric(TextChoices):
    """What can be seen of an organization (`metrics/{…}` of the API)."""

    ENGAGEMENT = "engagement", "Engagement"
    ADOPTION = "adoption", "Adoption"
    FEATURES = "features", "Features"
    REPORTS = "reports", "Reports"
    IMPACT = "impact", "Business impact"
    CHAT = "chat", "Consultations"
    USAGE = "usage", "Models"


class Grain(TextChoices):
    """How finely a period is looked at."""

    DAY = "day", "Day"
    WEEK = "week", "Week"
    MONTH = "month", "Month"


class TableFormat(TextChoices):
    JSON = "json", "JSON"
    CSV = "csv", "CSV"
    XLSX = "xlsx", "Excel"
