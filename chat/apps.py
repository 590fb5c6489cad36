from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chat import receivers  # noqa: F401, PLC0415  (listens; the models it names are loaded only now)
        from chat.services import threads  # noqa: F401, PLC0415  (keeps those of programs)
