"""Work of the tenants that somebody else's clock starts."""

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from tenants.services import audit


@shared_task(name="tenants.forget_ended_sessions")
def forget_ended_sessions() -> None:
    """Removes sessions whose time is over."""
    call_command("clearsessions")


@shared_task(name="tenants.remove_past_audit")
def remove_past_audit() -> None:
    """Removes records of changes and of reading that are past their period. What a killed run left is found again by the next one."""
    audit.remove_past(now=timezone.now())
