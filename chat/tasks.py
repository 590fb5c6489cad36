"""What a worker does for the chat. Celery starts and stops it; answers wait, hundreds at once, on the process's own event loop."""

import asyncio
import concurrent.futures
import logging
from datetime import timedelta

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from django.conf import settings
from django.utils import timezone

from chat.services import answers, attachments, cold, erasure, reconciliation, retention, sessions, sweeper
from config import loop, mongo
from integrations.providers import prices

log = logging.getLogger(__name__)

RESTORED = timedelta(hours=3)

_drained: "concurrent.futures.Future[None] | None" = None


@shared_task(name="chat.close_lost_sessions", ignore_result=True, expires=60)
def close_lost_sessions() -> None:
    """Every minute."""
    loop.run(sessions.sweep(), timeout=50)


@shared_task(name="chat.restore_ledger", ignore_result=True)
def restore_ledger() -> None:
    """Every hour, for the answers of the last three: nothing that was paid for is missing."""
    reconciliation.restore_ledger(since=timezone.now() - RESTORED)


@shared_task(name="chat.remove_unsent_files", ignore_result=True)
def remove_unsent_files() -> None:
    """Every hour."""
    attachments.remove_unsent(now=timezone.now())


@shared_task(name="chat.remove_deleted", ignore_result=True)
def remove_deleted() -> None:
    """Every hour. What a killed run left is found again by the next one."""
    retention.remove_overdue(now=timezone.now())


@shared_task(name="chat.archive_idle", ignore_result=True)
def archive_idle() -> None:
    """Every night. What a killed run left is found again by the next one."""
    retention.archive_idle(now=timezone.now())


@shared_task(name="chat.put_away", ignore_result=True)
def put_away() -> None:
    """Every night. What a killed run left is found again by the next one."""
    now = timezone.now()
    cold.run(now=now)
    retention.remove_cold(now=now)


@shared_task(name="chat.finish_erasures", ignore_result=True)
def finish_erasures() -> None:
    """When somebody was erased, and every minute: what a killed run left is found again by the next one."""
    erasure.erase_all(now=timezone.now())


@worker_ready.connect
def take_calls(**kwargs) -> None:
    """Every worker with room for answers takes calls to them; each of them sweeps, since beat may be down."""
    if settings.ANSWERS_PER_WORKER:
        prices.preload()
        loop.settle()
        loop.submit(answers.serve())
    loop.submit(_sweep_forever())


@worker_shutting_down.connect
def take_no_more_calls(**kwargs) -> None:
    global _drained
    _drained = loop.submit(answers.drain())


@worker_shutdown.connect
def let_answers_end(**kwargs) -> None:
    """Celery has nothing left to do; the process ends when this returns, and what it still writes would be cut off."""
    if _drained is not None:
        _drained.result(2 * settings.SHUTDOWN_SECONDS)


async def _sweep_forever() -> None:
    while True:
        await asyncio.sleep(settings.SWEEP_SECONDS)
        try:
            await sweeper.sweep()
        except mongo.AWAY:
            sweeper.be_patient()
        except Exception:
            log.exception("The sweeper stumbled and goes on.")
