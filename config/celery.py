"""The Celery app. Two queues: `default` is short work, `night` is long. Answers are not tasks: see chat/services/answers.py."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import setup_logging, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("parley")
app.config_from_object("django.conf:settings", namespace="CELERY")
NIGHT = ("analytics.fill", "analytics.refill", "analytics.apply_retention", "chat.put_away", "tenants.remove_past_audit")
app.conf.task_routes = {name: {"queue": "night"} for name in NIGHT}
app.autodiscover_tasks()


@setup_logging.connect
def keep_the_logging_of_settings(**kwargs) -> None:
    """Without a listener Celery replaces Django's logging configuration with its own."""


@worker_ready.connect
def say_that_work_is_taken(**kwargs) -> None:
    """Who waits for this worker (`manage.py up`, a health check) names a file in READY_FILE and looks for it."""
    if path := os.environ.get("READY_FILE"):
        Path(path).touch()
