"""The event stream of each conversation: numbered, resumable, disposable.

One Lua script takes the next number, appends the event to a capped Redis stream and publishes it as a hint. Numbers are
contiguous. Where Redis has forgotten a conversation, numbering starts again far above any number used before (it starts at the
time in milliseconds), so a reader with an old number always sees a gap, never another event under the same number.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError

from chat import events
from chat.realtime import calls, keys, progress
from chat.realtime.calls import Call
from chat.records import MessageRecord
from config import redis

AT_ONCE = 50  # events a script appends: Redis does nothing else meanwhile

# KEYS: number and stream, for each event. ARGV: events kept, seconds to live; then for each event its conversation, body, channel,
# and the number of an event that must still be there or ''. Returns for each {number, 1 if numbering began}; {0, 0} where that event
# is not there, and then nothing was done. The latest event is there as long as its number is. Seconds to live count from every eighth
# event: saying so each time is a third of the script.
_APPEND = """
local placed = {}
for i = 1, #KEYS / 2 do
  local counter, stream = KEYS[2 * i - 1], KEYS[2 * i]
  local conversation, body, channel, follows = ARGV[4 * i - 1], ARGV[4 * i], ARGV[4 * i + 1], ARGV[4 * i + 2]
  local n = redis.call('INCR', counter)
  local number = string.format('%.0f', n)
  if follows ~= '' and follows ~= string.format('%.0f', n - 1) and #redis.call('XRANGE', stream, follows .. '-0', follows .. '-0') == 0 then
    redis.call(n == 1 and 'DEL' or 'DECR', counter)
    placed[i] = {0, 0}
  else
    local fresh = 0
    if n == 1 then
      local now = redis.call('TIME')
      n = now[1] * 1000 + math.floor(now[2] / 1000)
      number = string.format('%.0f', n)
      redis.call('SET', counter, number)
      redis.call('DEL', stream)
      fresh = 1
    end
    local event = '{"conversation":"' .. conversation .. '","n":' .. number .. ',' .. body
    redis.call('XADD', stream, 'MAXLEN', '~', ARGV[1], number .. '-0', 'e', event)
    if fresh == 1 or n % 8 == 0 then
      redis.call('EXPIRE', counter, ARGV[2])
      redis.call('EXPIRE', stream, ARGV[2])
    end
    redis.call('PUBLISH', channel, event)
    placed[i] = {n, fresh}
  end
end
return placed
"""

_APPEND_SHA = hashlib.sha1(_APPEND.encode()).hexdigest()

# KEYS: number, stream. ARGV: seconds to live. Returns {number, 1 if numbering began}; begins it where there is none.
_POSITION = """
local found = redis.call('GET', KEYS[1])
if found then return {tonumber(found), 0} end
local now = redis.call('TIME')
local n = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('SET', KEYS[1], string.format('%.0f', n), 'EX', ARGV[1])
redis.call('DEL', KEYS[2])
return {n, 1}
"""


_POSITION_SHA = hashlib.sha1(_POSITION.encode()).hexdigest()

# KEYS: number, stream. ARGV: the first event wanted. Returns {number or nil, entries}, both of the same moment: where Redis has forgotten
# a conversation and numbers it anew, the stream may be empty still.
_SINCE = """
return {redis.call('GET', KEYS[1]), redis.call('XRANGE', KEYS[2], ARGV[1], '+')}
"""

_SINCE_SHA = hashlib.sha1(_SINCE.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an event went: its number (0: nowhere, see `Draft.follows`), and whether it is the first since Redis forgot the rest."""

    n: int
    fresh: bool


Beside = Callable[[Pipeline], Callable[[list[Any]], None]]
"""Puts commands into a pipeline and returns what their answers are handed to."""


async def publish(
    client: Redis,
    drafts: Sequence[events.Draft],
    *,
    call: Call | None = None,
    ended: Sequence[MessageRecord] = (),
    beside: Beside | None = None,
) -> list[Placed]:
    """Appends the events in one round trip, in order, and calls a worker to the pending answer `call` in the same one, in which it is
    also said that these answers have ended, and done what `beside` wants.

    Raises `redis.AWAY` errors; then any of them may be out or not.
    """
    try:
        answers = await _append(client, drafts, call, ended, beside)
    except NoScriptError:  # a server that has not seen the script yet, or was emptied: then none of the events was appended
        await client.script_load(_APPEND)
        answers = await _append(client, drafts, call, ended, beside)
    return [Placed(n=n, fresh=bool(fresh)) for n, fresh in answers]


async def _append(
    client: Redis, drafts: Sequence[events.Draft], call: Call | None, ended: Sequence[MessageRecord], beside: Beside | None
) -> list:
    pipeline = client.pipeline(transaction=False)
    for start in range(0, len(drafts), AT_ONCE):
        some = drafts[start : start + AT_ONCE]
        where = [key(draft.conversation_id) for draft in some for key in (keys.event_number, keys.events)]
        what: list[Any] = [settings.EVENTS_KEPT, keys.EVENTS_TTL]
        for draft in some:
            what += draft.conversation_id, draft.body, keys.event_channel(draft.conversation_id), draft.follows or ""
        pipeline.execute_command("EVALSHA", _APPEND_SHA, len(where), *where, *what)
    if call is not None:
        calls.push(pipeline, call)
        progress.queue(pipeline, conversation_id=call.conversation_id, message_id=call.message_id, attempt=call.attempt, now=timezone.now())
    for answer in ended:
        progress.end(pipeline, answer, now=timezone.now())
    before = len(pipeline)
    hear = beside(pipeline) if beside is not None else None
    answers = await pipeline.execute()
    if hear is not None:
        hear(answers[before:])
    return [placed for answer in answers[: -(-len(drafts) // AT_ONCE)] for placed in answer]


async def announce(drafts: Sequence[events.Draft], *, call: Call | None = None, ended: Sequence[MessageRecord] = ()) -> bool:
    """Publishes what is already saved. Where Redis is away the events are given up: readers reset when it returns, and the
    sweeper calls again."""
    try:
        await publish(redis.async_client(), drafts, call=call, ended=ended)
    except redis.AWAY:
        return False
    return True


async def forget(conversation_id: str) -> None:
    """Takes the events of a conversation back: its readers reset, to what is saved. Where Redis is away they do so anyway."""
    try:
        await redis.async_client().delete(keys.event_number(conversation_id), keys.events(conversation_id))
    except redis.AWAY:
        pass


async def position(client: Redis, conversation_id: str) -> Placed:
    """The number of the latest event; `fresh` where Redis knew of none, so that whatever a reader has is too old."""
    where = (2, keys.event_number(conversation_id), keys.events(conversation_id), keys.EVENTS_TTL)
    try:
        n, fresh = await client.evalsha(_POSITION_SHA, *where)
    except NoScriptError:
        n, fresh = await client.eval(_POSITION, *where)
    return Placed(n=n, fresh=bool(fresh))


async def memory_and_positions(client: Redis, conversation_ids: Sequence[str], *, new: bytes) -> tuple[bytes, list[int | None]]:
    """What Redis remembers us by, which becomes `new` where it was emptied; and the numbers of the latest events of these
    conversations, None where Redis has forgotten one. One round trip."""
    pipeline = client.pipeline(transaction=False)
    pipeline.set(keys.MEMORY, new, nx=True, get=True)
    if conversation_ids:
        pipeline.mget([keys.event_number(conversation) for conversation in conversation_ids])
    before, *found = await pipeline.execute()
    return before or new, [int(value) if value is not None else None for value in (found[0] if found else [])]


async def since(client: Redis, conversation_id: str, *, after: int) -> list[bytes] | None:
    """The events after number `after`, oldest first; None where the stream no longer has all of them."""
    where = (2, keys.event_number(conversation_id), keys.events(conversation_id), f"{after + 1}-0")
    try:
        n, entries = await client.evalsha(_SINCE_SHA, *where)
    except NoScriptError:
        n, entries = await client.eval(_SINCE, *where)
    if n is None or int(n) < after:
        return None
    found = [fields[1] for _, fields in entries]
    if int(n) > after and (not found or events.number_of(found[0]) != after + 1):
        return None
    return found


async def all_kept(client: Redis, conversation_id: str) -> list[bytes]:
    """Every event the stream still has, oldest first."""
    entries: Any = await client.xrange(keys.events(conversation_id))
    return [fields[b"e"] for _, fields in entries]
