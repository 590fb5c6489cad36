from importlib import import_module

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Who is who, and the wall between organizations."""

    name = "tenants"
    verbose_name = "Organizations and people"

    def ready(self) -> None:
        for module in ("checks", "receivers"):
            import_module(f"tenants.{module}")
