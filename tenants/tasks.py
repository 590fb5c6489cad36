"""Work of the tenants that somebody else's clock starts."""

from celery import shared_task
from django.core.management import call_command


@shared_task(name="tenants.forget_ended_sessions")
def forget_ended_sessions() -> None:
    """Removes sessions whose time is over."""
    call_command("clearsessions")
