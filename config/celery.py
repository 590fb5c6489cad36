"""The Celery app. Three queues: `chat` hands answers to this process's event loop, `default` is short work, `night` is long."""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("parley")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_routes = {"chat.answer": {"queue": "chat"}, "analytics.fill": {"queue": "night"}}
app.autodiscover_tasks()


@setup_logging.connect
def keep_the_logging_of_settings(**kwargs) -> None:
    """Without a listener Celery replaces Django's logging configuration with its own."""
