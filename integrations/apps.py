from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from integrations import receivers  # noqa: F401, PLC0415  (listens; the models it names are loaded only now)
        from integrations.platforms import tools  # noqa: F401, PLC0415  (offers its tools)
