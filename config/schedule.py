"""What Parley does by the clock, in English. `manage.py sync_schedule` writes it to the table that Celery beat reads."""

from dataclasses import dataclass, field
from datetime import timedelta

from celery.schedules import crontab


@dataclass(frozen=True)
class Scheduled:
    """One periodic task. `when` is a distance in time or a `crontab` in UTC; `sentence` says what happens and why then."""

    name: str
    task: str
    when: timedelta | crontab
    sentence: str
    arguments: dict[str, object] = field(default_factory=dict)
    queue: str = "default"
    # A run that nobody took within this many seconds is dropped: the next one does its work.
    expires: int | None = None


SCHEDULE: tuple[Scheduled, ...] = ()
