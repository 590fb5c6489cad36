"""What a worker does for analytics, by the clock."""

from datetime import date

from celery import shared_task
from django.utils import timezone

from analytics.services import buffer, erasure, retention
from analytics.windows import Day


@shared_task(name="analytics.apply_retention", ignore_result=True)
def apply_retention() -> None:
    """Every night. What a killed run left is found again by the next one."""
    for _ in retention.apply(now=timezone.now()):
        pass


@shared_task(name="analytics.fold_buffer", ignore_result=True)
def fold_buffer() -> None:
    """Every five minutes. What a killed run left is found again by the next one."""
    buffer.fold(now=timezone.now())


@shared_task(name="analytics.fill", ignore_result=True)
def fill_tables() -> None:
    """Every night. What a killed run left is found again by the next one."""
    from analytics.services import fill  # noqa: PLC0415  (brings NumPy along, which no process needs before the night)

    fill.catch_up(now=timezone.now())


@shared_task(name="analytics.refill", ignore_result=True)
def refill_day(*, rollup: str, day: str) -> None:
    """When staff ask for it."""
    from analytics.services import fill  # noqa: PLC0415

    fill.refill(Day.of(date.fromisoformat(day)), now=timezone.now(), rollups=[fill.rollup_named(rollup)])


@shared_task(name="analytics.erase_recent", ignore_result=True)
def erase_recent() -> None:
    """When somebody was erased, and every hour: what a killed run left is found again by the next one."""
    erasure.erase_recent(now=timezone.now())
