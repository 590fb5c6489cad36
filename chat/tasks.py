"""What Celery runs for the chat. A task hands its coroutine to the worker's event loop; hundreds of answers wait there cheaply."""

import asyncio
import logging

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from chat.services import answers, sweeper
from config import loop, mongo

log = logging.getLogger(__name__)

SWEEP_SECONDS = 2.0


@shared_task(name="chat.answer", ignore_result=True)
def answer(organization_id: str, message_id: str) -> None:
    loop.submit(_produce(organization_id, message_id))


@shared_task(name="chat.sweep", ignore_result=True, expires=10)
def sweep() -> None:
    loop.run(sweeper.sweep(), timeout=30)


async def _produce(organization_id: str, message_id: str) -> None:
    try:
        await answers.produce(organization_id, message_id)
    except mongo.AWAY as error:
        log.warning("MongoDB is away, answer %s waits for the sweeper: %s", message_id, error)
    except Exception:
        log.exception("Answer %s could not be taken up; the sweeper comes back to it.", message_id)


@worker_ready.connect
def keep_sweeping(**kwargs) -> None:
    """Every worker sweeps by itself, too: beat may be down as well."""
    loop.submit(_sweep_forever())


@worker_shutting_down.connect
def let_answers_end(**kwargs) -> None:
    loop.submit(answers.drain())


async def _sweep_forever() -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            await sweeper.sweep()
        except mongo.AWAY:
            pass
        except Exception:
            log.exception("The sweeper stumbled and goes on.")
