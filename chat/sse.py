"""A conversation's events as server-sent events: the same objects as on the socket, one a `data:` line, `id:` their number.

1. Without a number to resume from, the stream begins with `{"joined": id, "n": n, "snapshot": …}`.
2. Then come the events, each once and in order. Where some cannot be had any more comes `{"reset": id, "n": n, "snapshot": …}`.
3. A comment every 15 seconds keeps the line open. The stream ends when its reader may no longer read, or reads too slowly; who
   may still read connects again with `Last-Event-ID` and misses nothing.

A stream waits on the web process's event loop, and holds no database connection while it waits.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from asgiref.sync import sync_to_async
from django.db import OperationalError, close_old_connections
from django.http import StreamingHttpResponse
from rest_framework.exceptions import APIException

from chat import events, selectors
from chat.realtime.hub import hub
from chat.records import ConversationRecord
from config import json, loop, mongo
from tenants.errors import Forbidden, NotFound

HEARTBEAT_SECONDS = 15.0
RECONNECT_MILLISECONDS = 1_000
RESET_AGAIN_SECONDS = 1.0
BACKLOG_LIMIT = 4 * 1024 * 1024  # bytes waiting for a reader that does not keep up

REFUSED = (NotFound, Forbidden, APIException)

Admit = Callable[[], ConversationRecord]


class Reader:
    """What the hub hands one stream, until the stream takes it. Both sides are on the event loop."""

    def __init__(self, *, user_id: str) -> None:
        self.user_id = user_id
        self.is_lost = False
        self.is_doubted = False
        self.is_too_slow = False
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._something = asyncio.Event()

    def deliver(self, conversation_id: str, event: bytes) -> None:
        self._bytes += len(event)
        if self._bytes > BACKLOG_LIMIT:
            self.is_too_slow = True
        else:
            self._waiting.append(event)
        if events.is_about_conversation(event):
            self.is_doubted = True  # it may have been closed to this reader
        self._something.set()

    def reset(self, conversation_id: str) -> None:
        self.is_lost = True
        self._something.set()

    def access_changed(self, user_id: str) -> None:
        if user_id == self.user_id:
            self.is_doubted = True
            self._something.set()

    async def wait(self) -> bool:
        """Returns when there is something to do: True; or after the heartbeat's time: False. Not by `wait_for`, which takes no notice of
        being cancelled where there is something to do at that moment (3.11): then a reader who hung up would be told for ever."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._something.wait()
        except TimeoutError:
            return False
        self._something.clear()
        return True

    def take(self) -> bytes:
        """Everything that waits, as frames."""
        frames = b"".join(frame(event, n=events.number_of(event)) for event in self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return frames

    def drop(self) -> None:
        self.is_lost = False
        self._waiting.clear()
        self._bytes = 0


def frame(data: bytes, *, n: int) -> bytes:
    """One event. JSON holds no line break, so it is one `data:` line; without a number it does not move the reader's place."""
    return b"id: %d\ndata: %b\n\n" % (n, data) if n else b"data: %b\n\n" % data


def response(conversation: ConversationRecord, *, user_id: str, admit: Admit, after: int | None, strand: int) -> StreamingHttpResponse:
    """The stream of a conversation that came through the door and has the strand. `admit` asks at the door again (in a thread)."""
    events = stream(conversation, user_id=user_id, admit=admit, after=after, strand=strand)
    answer = StreamingHttpResponse(events, content_type="text/event-stream")
    answer.headers["Cache-Control"] = "no-cache, no-transform"
    answer.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back otherwise
    return answer


async def stream(conversation: ConversationRecord, *, user_id: str, admit: Admit, after: int | None, strand: int) -> AsyncIterator[bytes]:
    # The request counts as unfinished while this runs; its connection must not wait with it, the pool has only a few.
    await sync_to_async(close_old_connections)()
    reader = Reader(user_id=user_id)
    listener = await hub().listen(conversation.id, reader)
    no_longer_told = hub().on_access_change(reader.access_changed)
    try:
        yield b"retry: %d\n\n" % RECONNECT_MILLISECONDS
        missed = None if after is None else await listener.missed(after=after)
        if missed is not None:
            listener.go_on(missed)
        else:
            shown = await selectors.snapshot(conversation, strand=strand)
            yield _whole("joined" if after is None else "reset", shown)
            listener.resume(after=shown.n)
        while True:
            woken = await reader.wait()
            if reader.is_too_slow:
                return
            if reader.is_doubted or reader.is_lost or not woken:
                reader.is_doubted = False
                try:
                    conversation = await loop.in_thread(admit)
                except REFUSED:
                    return
                except OperationalError:
                    pass  # nobody can say now; asked again with the next heartbeat
            if reader.is_lost:
                reader.drop()
                shown = await _snapshot_at_last(conversation, strand=strand)
                yield _whole("reset", shown)
                listener.resume(after=shown.n)
            elif frames := reader.take():
                yield frames
            elif not woken:
                yield b": still here\n\n"
    except mongo.AWAY:
        return  # it connects again, and hears of 503 where MongoDB is still away
    finally:
        no_longer_told()
        hub().leave(listener)


async def _snapshot_at_last(conversation: ConversationRecord, *, strand: int) -> selectors.Snapshot:
    """A snapshot with a number to go on from: waits for Redis to be there again."""
    while True:
        shown = await selectors.snapshot(conversation, strand=strand)
        if shown.n:
            return shown
        await asyncio.sleep(RESET_AGAIN_SECONDS)


def _whole(name: str, shown: selectors.Snapshot) -> bytes:
    return frame(json.dumps({name: shown.conversation.id, "n": shown.n, "snapshot": shown.as_json()}), n=shown.n)
