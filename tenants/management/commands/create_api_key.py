"""`manage.py create_api_key --organization acme --user olive@acme.example --name NAME`: prints the key alone on the last line."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tenants import scoping
from tenants.errors import NotFound
from tenants.models import Organization
from tenants.services import accounts


class Command(BaseCommand):
    help = "Makes an API key with a member's rights and prints it, alone on the last line. It is shown this once; only a hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--user", required=True, metavar="EMAIL", help="the member whose rights the key has")
        parser.add_argument("--name", required=True, help="what will use it, e.g. 'Nightly export'")
        parser.add_argument("--days", type=int, metavar="N", help="stop working after N days (default: never)")

    def handle(self, *, organization: str, user: str, name: str, days: int | None, **options: object) -> None:
        found = Organization.objects.filter(slug=organization).first()
        if found is None:
            raise CommandError(f"There is no organization {organization!r}. Give the slug of one that exists.")
        if days is not None and not 1 <= days <= 3650:
            raise CommandError("--days takes a number of days from 1 to 3650.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        try:
            membership = accounts.member_by_email(found, email=user)
            with scoping.because(command="create_api_key"):
                _, key = accounts.create_api_key(membership, name=name, expires_at=expires_at)
        except NotFound as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if options["verbosity"]:
            self.stderr.write(f"A key for {membership.user.email} of {found.name}. Keep it now: it is not shown again.")
        self.stdout.write(key)
