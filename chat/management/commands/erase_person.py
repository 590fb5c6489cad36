"""`manage.py erase_person`: erases somebody for good, or says what that would take."""

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chat.services import erasure as conversations
from config import mongo, redis
from tenants import scoping
from tenants.errors import OnlyOwner
from tenants.models import Organization, User
from tenants.services import erasure


class Command(BaseCommand):
    help = (
        "Erases the account with this address in every organization: its private conversations go, what others can read becomes a former "
        "member's. A killed run is finished by the clock. Exit codes: 0 done, 1 not everything or refused, 2 a wrong address."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the address that they sign in with")
        parser.add_argument("--dry-run", action="store_true", help="say what would go, erase nothing")

    def handle(self, *, email: str, dry_run: bool, **options: Any) -> None:
        user = User.objects.filter(email=email.strip().lower(), deleted_at=None).first()
        if user is None:
            raise CommandError(f"There is no account {email!r}. Give the address of one that exists.", returncode=2)
        names = {str(pk): slug for pk, slug in Organization.objects.values_list("pk", "slug")}
        try:
            held = conversations.holdings(str(user.pk))
            for one in held:
                name = names.get(one.organization_id, one.organization_id)
                self.stdout.write(f"{name}: {one.private} conversations go, {one.shared} stay; {one.messages} messages are theirs")
            if dry_run:
                self.stdout.write("Would erase them.")
                return
            with scoping.because(command="erase_person"):
                erasure.erase(user)
            # The bar goes to standard error, so that what is piped on stays clean.
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("Erasing", total=sum(one.private for one in held))
                whole = conversations.erase(str(user.pk), now=timezone.now(), step=lambda: progress.advance(task))
        except OnlyOwner as error:
            raise CommandError(str(error)) from error
        except (*mongo.AWAY, *redis.AWAY) as error:
            raise CommandError("MongoDB or Redis cannot be reached. What was begun is finished by the clock.") from error
        if not whole:
            raise CommandError("A file cannot be removed now. Mend that: the clock tries again every minute.")
        self.stdout.write("Erased. The clock looks once more in a minute.")
