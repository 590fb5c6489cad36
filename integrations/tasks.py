"""Work of the integrations that somebody else's clock starts."""

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from config import loop, partitions
from integrations.services import budgets, connections


@shared_task(name="integrations.maintain_partitions")
def maintain_partitions() -> None:
    """Makes partitions ahead and drops those past retention."""
    partitions.maintain(timezone.now())


@shared_task(name="integrations.refresh_connections", ignore_result=True)
def refresh_connections() -> None:
    """Every five minutes. What a killed run left is found again by the next one."""
    loop.run(connections.refresh_due(now=timezone.now()), timeout=280)


def tell_platforms() -> None:
    """Asks a worker to tell platforms what was disconnected. Where the broker is away, the clock sees to it."""
    try:
        revoke_connections.apply_async(retry=False)
    except OperationalError:
        pass


@shared_task(name="integrations.revoke_connections", ignore_result=True)
def revoke_connections() -> None:
    """When something was disconnected, and every minute: platforms that were away are told when they are there again."""
    now = timezone.now()
    connections.disconnect_the_gone(now=now)
    connections.revoke_waiting(now=now)


@shared_task(name="integrations.release_lapsed_holds")
def release_lapsed_holds() -> None:
    """Gives budgets back what processes that died had reserved of them."""
    budgets.release_lapsed()
