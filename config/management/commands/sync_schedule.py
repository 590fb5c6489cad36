"""`manage.py sync_schedule`: makes the table that Celery beat reads say what `config/schedule.py` says."""

import json
from datetime import timedelta

from django.core.management import BaseCommand
from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from config import schedule

OURS = "parley: "  # marks the rows this command owns; rows that staff add by hand stay as they are


class Command(BaseCommand):
    help = "Registers the periodic tasks of config/schedule.py, and removes those that are no longer in it. Safe to run twice."

    def handle(self, **options: object) -> None:
        with transaction.atomic():
            changed = [task.name for task in schedule.SCHEDULE if register(task)]
            gone = PeriodicTask.objects.filter(name__startswith=OURS).exclude(name__in=[OURS + task.name for task in schedule.SCHEDULE])
            removed = [task.name.removeprefix(OURS) for task in gone]
            gone.delete()
            if changed or removed:
                PeriodicTasks.update_changed()
        self.stdout.write(f"{len(schedule.SCHEDULE)} periodic tasks: {len(changed)} new or changed, {len(removed)} removed.")


def register(task: schedule.Scheduled) -> bool:
    """Writes one row; True if that changed anything. What staff switched off stays off."""
    interval, crontab = moments(task)
    wanted = {
        "task": task.task,
        "interval": interval,
        "crontab": crontab,
        "description": task.sentence,
        "kwargs": json.dumps(task.arguments, sort_keys=True),
        "queue": task.queue,
        "expire_seconds": task.expires,
    }
    row = PeriodicTask.objects.filter(name=OURS + task.name).first()
    if row is None:
        PeriodicTask.objects.create(name=OURS + task.name, **wanted)
        return True
    if all(getattr(row, name) == value for name, value in wanted.items()):
        return False
    for name, value in wanted.items():
        setattr(row, name, value)
    row.save()
    return True


def moments(task: schedule.Scheduled) -> tuple[IntervalSchedule | None, CrontabSchedule | None]:
    """The row that holds the task's distance in time, or the one that holds its crontab."""
    if isinstance(task.when, timedelta):
        seconds = round(task.when.total_seconds())
        return IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)[0], None
    fields = {
        "minute": task.when._orig_minute,
        "hour": task.when._orig_hour,
        "day_of_month": task.when._orig_day_of_month,
        "month_of_year": task.when._orig_month_of_year,
        "day_of_week": task.when._orig_day_of_week,
        "timezone": "UTC",
    }
    return None, CrontabSchedule.objects.get_or_create(**{name: str(value) for name, value in fields.items()})[0]
