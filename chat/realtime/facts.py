"""What was read of a conversation's employees for one answer, kept for the next ones (S0-108).

It is used as long as nothing changed in the organization's employees and departments (`tenants.changes`), for the same subjects, and
for the rights it was read with: who has other rights has it read anew. Where in doubt, it is not there.
"""

import time
from collections.abc import Sequence
from typing import Any

import orjson
from redis.asyncio.client import Pipeline

from chat.realtime import keys
from chat.realtime.calls import Call
from config import redis
from integrations.providers.base import about_tokens
from tenants import changes


async def kept(call: Call) -> list[dict[str, Any]] | None:
    """The employees' facts, in the subjects' order; None where they have to be read. One round trip."""
    if not changes.listening().is_current(call.organization_id, read_at=time.time()):
        return None
    try:
        raw = await redis.async_client().getex(keys.context(call.conversation_id), ex=keys.CONTEXT_TTL)
    except redis.AWAY:
        return None
    if raw is None:
        return None
    found = orjson.loads(raw)
    is_for_this = found["organization"] == call.organization_id and found["for"] == _meant_for(call)
    if not is_for_this or not changes.listening().is_current(call.organization_id, read_at=found["lastUpdated"]):
        return None
    return found["employeeData"]


def keep(pipeline: Pipeline, call: Call, facts: Sequence[Any], *, messages: Sequence[str], read_at: float) -> None:
    """Keeps the facts (dataclasses of JSON values) that were asked for at `read_at` (seconds since the epoch), and the ids of the
    messages that the answer rested on beside them."""
    data = orjson.dumps(facts)
    document = {
        "organization": call.organization_id,
        "for": _meant_for(call),
        "employeeData": orjson.Fragment(data),
        "recentMessages": messages,
        "reportReferences": [],
        "lastUpdated": read_at,
        "tokenCount": about_tokens(len(data)),
    }
    pipeline.set(keys.context(call.conversation_id), orjson.dumps(document), ex=keys.CONTEXT_TTL)


def _meant_for(call: Call) -> list[Any]:
    return [list(call.rights or ()), list(call.subject_employee_ids)]
