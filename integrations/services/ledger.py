"""Writes every call to a provider into the ledger, beside the answer's way: no answer waits for PostgreSQL.

`record` puts an attempt on this process's list and returns; a thread writes what has gathered, all organizations' in one statement.
While PostgreSQL is away the attempts stay on the list and are tried again.

What a crash may lose: attempts that ended within the last moments (`GATHER_SECONDS`), or since PostgreSQL went away; and what the call
cost that was going on (`Outcome.LOST`). Of the ended ones none that a message tells of is lost for good: the message
carries its attempts (`Finished.attempts`, `ProviderError.attempts`, `Completion.attempts`) into MongoDB as `as_document` writes them,
and `restore` writes whatever of them the ledger does not have. An attempt's id and time are fixed when the call begins, so writing
one twice adds nothing.
"""

import atexit
import dataclasses
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction

from integrations.models import CallMetric, ModelCall
from integrations.providers.base import Attempt, Outcome, Usage
from tenants import scoping

log = logging.getLogger(__name__)

GATHER_SECONDS = 1.0
AT_ONCE = 500  # rows of one statement
PAUSES = (0.5, 10.0)  # seconds between tries while PostgreSQL is away, first and most
KEPT = 200_000  # attempts held while PostgreSQL is away, some 200 MB; beyond, the oldest go and `restore` must bring them back
AT_EXIT_SECONDS = 5.0


class _Waiting:
    """What this process has not written yet. A forked child begins with nothing: the parent writes its own."""

    def __init__(self) -> None:
        self.attempts: deque[Attempt] = deque()
        self.changed = threading.Condition()
        self.writing = 0
        self.thread: threading.Thread | None = None
        self.hurry = False


_waiting = _Waiting()


def record(attempt: Attempt) -> None:
    """Puts an attempt on the list. Waits for nothing; may be called in a coroutine, a thread, and while a generator closes."""
    with _waiting.changed:
        if len(_waiting.attempts) >= KEPT:
            lost = _waiting.attempts.popleft()
            log.error("The ledger's list is full; attempt %s of message %s must be restored.", lost.id, lost.message_id)
        _waiting.attempts.append(attempt)
        if _waiting.thread is None:
            _waiting.thread = threading.Thread(target=_write_forever, args=(_waiting,), name="parley-ledger", daemon=True)
            _waiting.thread.start()
        _waiting.changed.notify_all()


def flush(*, timeout: float) -> bool:
    """Has everything written at once and waits for it, at most `timeout` seconds. False if something still waits."""
    deadline = time.monotonic() + timeout
    with _waiting.changed:
        _waiting.hurry = True
        _waiting.changed.notify_all()
        try:
            return _waiting.changed.wait_for(lambda: not _waiting.attempts and not _waiting.writing, deadline - time.monotonic())
        finally:
            _waiting.hurry = False


def write(attempts: Iterable[Attempt]) -> None:
    """Writes attempts in one transaction; those that are there already stay as they are. Raises DatabaseError."""
    attempts = list(attempts)
    rows = [_row(attempt) for attempt in attempts]
    with scoping.across_tenants("the ledger writes the calls of all organizations at once"), transaction.atomic():
        # Across tenants: each row names the organization that its request named, and one statement serves them all.
        ModelCall.across_tenants.bulk_create(rows, ignore_conflicts=True)
        CallMetric.across_tenants.bulk_create(map(_figures, rows, attempts), ignore_conflicts=True)


def restore(documents: Iterable[Mapping[str, Any]]) -> None:
    """Writes those of a message's attempts that the ledger does not have. Raises DatabaseError."""
    write(map(from_document, documents))


def as_document(attempt: Attempt) -> dict[str, Any]:
    """An attempt as plain strings, numbers and None, to be kept with its message."""
    document = {field.name: getattr(attempt, field.name) for field in dataclasses.fields(attempt)}
    return {
        **document,
        "id": str(attempt.id),
        "started_at": attempt.started_at.isoformat(),
        "outcome": attempt.outcome.value,
        "usage": None if attempt.usage is None else dataclasses.asdict(attempt.usage),
        "cost": None if attempt.cost is None else str(attempt.cost),
        "variables": dict(attempt.variables),
    }


def from_document(document: Mapping[str, Any]) -> Attempt:
    """What `as_document` wrote."""
    usage, cost = document["usage"], document["cost"]
    return Attempt(
        **{
            **document,
            "id": UUID(document["id"]),
            "started_at": datetime.fromisoformat(document["started_at"]),
            "outcome": Outcome(document["outcome"]),
            "usage": None if usage is None else Usage(**usage),
            "cost": None if cost is None else Decimal(cost),
        }
    )


def _row(attempt: Attempt) -> ModelCall:
    usage = attempt.usage
    return ModelCall(
        id=attempt.id,
        organization_id=attempt.organization_id,
        authkey_name=attempt.api_key_name[:200],
        latency=attempt.latency_ms,
        first_token_latency=attempt.first_token_ms,
        service=attempt.provider[:100],
        status=attempt.outcome == Outcome.ANSWERED,
        outcome=attempt.outcome,
        error_code=attempt.error_code[:50],
        error=_storable(attempt.error) or "none",
        first_attempt_error=_storable(attempt.first_attempt_error),
        model=_storable(attempt.model)[:200],
        input_tokens=None if usage is None else usage.input_tokens,
        cached_input_tokens=None if usage is None else usage.cached_input_tokens,
        output_tokens=None if usage is None else usage.output_tokens,
        reasoning_tokens=None if usage is None else usage.reasoning_tokens,
        tokens_estimated=usage is not None and usage.estimated,
        expected_cost=attempt.cost,
        created_at=attempt.started_at,
        chat_id=attempt.conversation_id,
        message_id=attempt.message_id,
        purpose=attempt.purpose[:50],
        attempt=attempt.attempt,
        call=attempt.call,
        finish_reason=_storable(attempt.finish_reason)[:50],
        variables=dict(attempt.variables),
        is_present=bool(attempt.variables),
    )


def _figures(call: ModelCall, attempt: Attempt) -> CallMetric:
    total = None if call.input_tokens is None or call.output_tokens is None else call.input_tokens + call.output_tokens
    return CallMetric(
        id=call.id,
        organization_id=call.organization_id,
        bridge_id=attempt.bridge_id,
        version_id=attempt.version_id,
        thread_id=_storable(attempt.thread_id)[:200] or str(call.chat_id or ""),
        apikey_id=attempt.api_key_id,
        user_id=attempt.user_id,
        department_id=attempt.department_id,
        model=call.model,
        service=call.service,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        total_tokens=total,
        created_at=call.created_at,
        latency=call.latency,
        success=call.status,
        cost=call.expected_cost,
    )


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL, and a provider may say anything."""
    return text.replace("\0", "�")


def _write_forever(waiting: _Waiting) -> None:
    pause = PAUSES[0]
    while True:
        with waiting.changed:
            waiting.changed.wait_for(lambda: waiting.attempts)
            waiting.changed.wait_for(lambda: waiting.hurry or len(waiting.attempts) >= AT_ONCE, GATHER_SECONDS)
            batch = [waiting.attempts.popleft() for _ in range(min(AT_ONCE, len(waiting.attempts)))]
            waiting.writing = len(batch)
        try:
            _write_or_set_aside(batch)
            pause = PAUSES[0]
        except (OperationalError, InterfaceError) as problem:
            log.warning("PostgreSQL is away, %d attempts wait for the ledger: %s", len(batch), problem)
            with waiting.changed:
                waiting.attempts.extendleft(reversed(batch))
                waiting.writing = 0
                waiting.changed.wait(pause)
            pause = min(pause * 2, PAUSES[1])
        except Exception:
            # The thread is the only writer: whatever happens to a batch, the next one gets its turn.
            log.exception("%d attempts could not be written to the ledger; restore them from their messages.", len(batch))
        finally:
            connection.close()
            with waiting.changed:
                waiting.writing = 0
                waiting.changed.notify_all()


def _write_or_set_aside(batch: list[Attempt]) -> None:
    """One statement; where a row is not acceptable (its organization was deleted meanwhile), one by one without it."""
    try:
        write(batch)
    except (OperationalError, InterfaceError):
        raise
    except Exception as problem:  # a row that PostgreSQL, or Django before it, does not take: it must not take the others along
        if len(batch) == 1:
            log.error("Attempt %s cannot be written to the ledger: %s", batch[0].id, problem)
            return
        for attempt in batch:
            _write_or_set_aside([attempt])


def _begin_anew() -> None:
    global _waiting
    _waiting = _Waiting()


def _at_exit() -> None:
    if _waiting.attempts and not flush(timeout=AT_EXIT_SECONDS):
        log.error("%d attempts did not reach the ledger; restore them from their messages.", len(_waiting.attempts))


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_begin_anew)
