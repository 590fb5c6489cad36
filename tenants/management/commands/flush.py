"""`flush`, acting as the login role: the application's role may not TRUNCATE, which row-level security does not look at."""

from typing import Any

from django.core.management.commands import flush

from tenants.database import roles


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        with roles.as_owner(using=options["database"]):
            super().handle(**options)
