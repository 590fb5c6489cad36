"""`migrate`, acting as the login role, which owns the tables; everything else acts as `settings.DATABASE_ROLE`."""

from typing import Any

from django.core.management.commands import migrate

from tenants.database import roles


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        using = options["database"]
        with roles.as_owner(using=using):
            result = super().handle(*args, **options)
            roles.grant(using=using, missing_ok=bool(options["app_label"]))
        return result
