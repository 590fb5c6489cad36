"""The table that Celery beat reads says what config/schedule.py says."""

from datetime import timedelta
from io import StringIO

import pytest
from celery.schedules import crontab
from django.core.management import call_command
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from config import schedule
from config.celery import app
from config.schedule import Scheduled

SWEEP = Scheduled(name="sweep", task="chat.close_lost_sessions", when=timedelta(seconds=5), sentence="Every five seconds.", expires=10)
NIGHT = Scheduled(name="night", task="analytics.fill", when=crontab(minute="0", hour="2"), sentence="At 02:00 UTC.", queue="night")


def sync() -> str:
    out = StringIO()
    call_command("sync_schedule", stdout=out)
    return out.getvalue().strip()


def rows() -> list[tuple]:
    columns = ("name", "task", "interval__every", "crontab__hour", "queue", "expire_seconds", "description", "enabled")
    return sorted(PeriodicTask.objects.values_list(*columns))


@pytest.fixture
def schedule_of_two(db, monkeypatch):
    monkeypatch.setattr(schedule, "SCHEDULE", (SWEEP, NIGHT))


def test_what_is_declared_is_registered_and_a_second_run_changes_nothing(schedule_of_two):
    assert sync() == "2 periodic tasks: 2 new or changed, 0 removed."
    expected = [
        ("parley: night", "analytics.fill", None, "2", "night", None, "At 02:00 UTC.", True),
        ("parley: sweep", "chat.close_lost_sessions", 5, None, "default", 10, "Every five seconds.", True),
    ]
    assert rows() == expected
    told = PeriodicTasks.last_change()
    assert sync() == "2 periodic tasks: 0 new or changed, 0 removed."
    assert rows() == expected
    assert PeriodicTasks.last_change() == told


def test_a_change_reaches_the_table_and_beat_is_told(schedule_of_two, monkeypatch):
    sync()
    told = PeriodicTasks.last_change()
    monkeypatch.setattr(schedule, "SCHEDULE", (Scheduled(**{**vars(SWEEP), "when": timedelta(seconds=9)}),))
    assert sync() == "1 periodic tasks: 1 new or changed, 1 removed."
    assert [row[:3] for row in rows()] == [("parley: sweep", "chat.close_lost_sessions", 9)]
    assert PeriodicTasks.last_change() > told


def test_what_staff_added_or_switched_off_stays(schedule_of_two):
    sync()
    theirs = PeriodicTask.objects.create(
        name="a task of theirs", task="chat.close_lost_sessions", interval=PeriodicTask.objects.get(name="parley: sweep").interval
    )
    PeriodicTask.objects.filter(name="parley: night").update(enabled=False)
    sync()
    assert PeriodicTask.objects.filter(pk=theirs.pk).exists()
    assert not PeriodicTask.objects.get(name="parley: night").enabled


def test_every_task_that_is_scheduled_exists_and_is_said_in_a_sentence():
    app.loader.import_default_modules()
    for task in schedule.SCHEDULE:
        assert task.task in app.tasks
        assert task.sentence.endswith(".")
    names = [task.name for task in schedule.SCHEDULE]
    assert len(names) == len(set(names)) > 0
