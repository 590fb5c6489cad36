"""What the chat does when the apps to its left announce something."""

from typing import Any

from django.dispatch import receiver

from chat import tasks
from chat.realtime import keys
from config import redis
from tenants.signals import access_changed, person_erased


@receiver(access_changed)
def tell_the_sockets(sender: Any, user_id: str, **kwargs: Any) -> None:
    """Every web process asks again who is at that person's sockets. Where Redis is away they ask within seconds anyway."""
    try:
        redis.client().publish(keys.ACCESS_CHANNEL, user_id)
    except redis.AWAY:
        pass


@receiver(person_erased)
def erase_the_rest(sender: Any, **kwargs: Any) -> None:
    """Where the broker is away, the clock sees to it."""
    tasks.finish_erasures.apply_async(retry=False)
