"""The features whose use is counted, each with its category (S4-34, 35), and what an event is a use of."""

from analytics.choices import EventType, FeatureCategory

CATEGORIES: dict[str, FeatureCategory] = {
    "employee_management": FeatureCategory.EMPLOYEE_MANAGEMENT,
    "report_generation": FeatureCategory.REPORT_GENERATION,
    "ai_consultation": FeatureCategory.AI_CONSULTATION,
    "department_setup": FeatureCategory.DEPARTMENT_SETUP,
    "user_management": FeatureCategory.USER_MANAGEMENT,
    "analytics_viewing": FeatureCategory.ANALYTICS_VIEWING,
    "notification_interaction": FeatureCategory.NOTIFICATION_INTERACTION,
}

# What an event is a use of where it does not say so itself (`eventMetadata.feature`).
OF_EVENT: dict[str, str] = {
    EventType.REPORT_VIEW: "report_generation",
    EventType.REPORT_DOWNLOAD: "report_generation",
    EventType.AI_CHAT_MESSAGE: "ai_consultation",
    EventType.EMPLOYEE_ADDED: "employee_management",
    EventType.EMPLOYEE_UPDATED: "employee_management",
    EventType.DEPARTMENT_SETUP: "department_setup",
    EventType.USER_MANAGED: "user_management",
    EventType.DASHBOARD_LOAD: "analytics_viewing",
    EventType.NOTIFICATION_CLICKED: "notification_interaction",
}
