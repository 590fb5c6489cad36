"""`migrate`, acting as the login role, which owns the tables; everything else acts as `settings.DATABASE_ROLE`."""

from typing import Any

from django.core.management.commands import migrate

from tenants.database import roles


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> str | None:
        """Around the checks too, which ask the database before there is anybody else to act as."""
        with roles.as_owner(using=options["database"]):
            return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> str | None:
        result = super().handle(*args, **options)
        roles.grant(using=options["database"], missing_ok=bool(options["app_label"]))
        return result
