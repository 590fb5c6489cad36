from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Who is who, and the wall between organizations."""

    name = "tenants"
    verbose_name = "Organizations and people"
