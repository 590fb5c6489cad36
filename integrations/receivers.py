"""What integrations do when the app to their left announces something."""

from typing import Any

from django.dispatch import receiver

from integrations import tasks
from tenants.signals import person_erased


@receiver(person_erased)
def disconnect_the_gone(sender: Any, **kwargs: Any) -> None:
    tasks.tell_platforms()
