"""Work of the integrations that somebody else's clock starts."""

from celery import shared_task
from django.utils import timezone

from config import partitions


@shared_task(name="integrations.maintain_partitions")
def maintain_partitions() -> None:
    """Makes the ledger's partitions ahead and drops those past retention."""
    partitions.maintain(timezone.now())
