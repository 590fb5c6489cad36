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
        name="put conversations away",
        task="chat.put_away",
        when=crontab(minute="20", hour="1"),
        sentence="At 01:20 UTC, messages of conversations with which nobody did anything for a year go into compressed files.",
        queue="night",
        expires=6 * 3600,
    ),
    Scheduled(
        name="remove old audit",
        task="tenants.remove_past_audit",
        when=crontab(minute="0", hour="3", day_of_month="1"),
        sentence="On the first of a month at 03:00 UTC, records of changes and of reading are removed that are past their period.",
        queue="night",
        expires=20 * 3600,
    ),
    Scheduled(
        name="erase people from analytics",
        task="analytics.erase_recent",
        when=crontab(minute="40"),
        sentence="Every hour at :40, what analytics keeps of people who were erased of late says nothing of them any more.",
        expires=3600,
    ),
    Scheduled(
        name="apply retention",
        task="analytics.apply_retention",
        when=crontab(minute="0", hour="4"),
        sentence="At 04:00 UTC, after the night's counts, what is past its period is removed, or moved into compressed files.",
        queue="night",
        expires=6 * 3600,
    ),
    Scheduled(
        name="fold the metrics buffer",
        task="analytics.fold_buffer",
        when=timedelta(minutes=5),
        sentence="Every five minutes, what people did since is added to the live counters, and open dashboards are told.",
        expires=300,
    ),
    Scheduled(
        name="refresh connections",
        task="integrations.refresh_connections",
        when=timedelta(minutes=5),
        sentence="Every five minutes, tokens of connected platforms that end soon are renewed, and what failed is tried again.",
        expires=300,
    ),
    Scheduled(
        name="revoke connections",
        task="integrations.revoke_connections",
        when=timedelta(minutes=1),
        sentence="Every minute, platforms hear of what was disconnected, and whoever was erased or left loses their connections.",
        expires=60,
    ),
    Scheduled(
        name="release lapsed holds",
        task="integrations.release_lapsed_holds",
        when=timedelta(seconds=5),
        sentence="Every five seconds, what calls whose process died had reserved of budgets is given back.",
        expires=10,
    ),
    Scheduled(
        name="maintain partitions",
        task="integrations.maintain_partitions",
        when=crontab(minute="30", hour="1"),
        sentence="At 01:30 UTC, the ledger and the metric tables get the partitions ahead and lose those past their retention.",
        # Only a worker whose login owns the tables may do that; in production that is a worker of its own.
        queue="owner",
        expires=6 * 3600,
    ),
    Scheduled(
        name="fill the metric tables",
        task="analytics.fill",
        when=crontab(minute="0", hour="2"),
        sentence="At 02:00 UTC, the days up to yesterday are counted into the metric tables, and those of which something came late.",
        queue="night",
        expires=20 * 3600,
    ),
)
