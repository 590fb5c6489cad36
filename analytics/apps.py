from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "analytics"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from analytics import documents, live, receivers  # noqa: F401, PLC0415  (listens, offers; the models they name load only now)
