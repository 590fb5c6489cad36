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


SCHEDULE: tuple[Scheduled, ...] = (
    Scheduled(
        name="sweep answers",
        task="chat.sweep",
        when=timedelta(seconds=5),
        sentence="Every five seconds, answers whose worker died are given to another one or ended with a sentence.",
        expires=10,
    ),
    Scheduled(
        name="close lost sessions",
        task="chat.close_lost_sessions",
        when=timedelta(minutes=1),
        sentence="Every minute, sessions whose web process died are closed, and whoever viewed a conversation with them is told.",
        expires=60,
    ),
    Scheduled(
        name="remove unsent files",
        task="chat.remove_unsent_files",
        when=timedelta(hours=1),
        sentence="Every hour, files that were uploaded more than a day ago and never sent with a message are removed.",
        expires=3600,
    ),
    Scheduled(
        name="remove deleted conversations",
        task="chat.remove_deleted",
        when=crontab(minute="20"),
        sentence="Every hour at :20, conversations that were deleted longer ago than their period are removed for good, with all of them.",
        expires=3600,
    ),
    Scheduled(
        name="finish erasures",
        task="chat.finish_erasures",
        when=timedelta(minutes=1),
        sentence="Every minute, what is left of people who were erased is removed, wherever a run before was broken off.",
        expires=60,
    ),
    Scheduled(
        name="archive idle conversations",
        task="chat.archive_idle",
        when=crontab(minute="10", hour="1"),
        sentence="At 01:10 UTC, conversations in which nobody wrote for a long period are archived, unless they are pinned.",
        expires=6 * 3600,
    ),
    Scheduled(
        name="maintain partitions",
        task="integrations.maintain_partitions",
        when=crontab(minute="30", hour="1"),
        sentence="At 01:30 UTC, the ledger gets the partitions of the days ahead and loses those past their retention.",
        # Only a worker whose login owns the tables may do that; in production that is a worker of its own.
        queue="owner",
        expires=6 * 3600,
    ),
)
