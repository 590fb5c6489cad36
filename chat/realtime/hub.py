"""The hub: one subscription of a web process, which hands the events of conversations to the process's listeners.

Whatever Redis publishes is a hint that may be lost. A listener knows the number of the last event it was handed; it is handed the
next one at once, and where there is a gap the stream is read. In case a hint was lost, the hub compares numbers: every second where
something was heard a moment ago, in turn elsewhere. Where the stream cannot help (Redis emptied, restarted, or too far behind) the
listener is told to reset.
"""

import asyncio
import logging
import math
import random
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from redis.asyncio.connection import AbstractConnection

from chat import events
from chat.realtime import keys, stream
from config import redis

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0
LATELY = 5  # looks after which a conversation in which nothing was heard is looked at only in its turn
TURNS = 30  # looks in which every conversation has its turn
SILENT_LOOKS = 5  # without an answer, after which the subscription counts as dead
RECONNECT_SECONDS = (0.05, 1.0)

EVERYBODY = ""  # in the place of a person's id

_hubs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = weakref.WeakKeyDictionary()


class Sink(Protocol):
    """What a listener hands events to. Both are called on the event loop and must not wait."""

    def deliver(self, conversation_id: str, event: bytes) -> None:
        """The next event, as JSON text."""

    def reset(self, conversation_id: str) -> None:
        """Events were missed that cannot be had any more: start again from a snapshot, then call `Listener.resume`."""


class Listener:
    """One reader of one conversation, and how far it has come."""

    __slots__ = ("_ahead", "_busy", "_hub", "_lost", "conversation_id", "n", "sink")

    def __init__(self, hub: "Hub", conversation_id: str, sink: Sink) -> None:
        self.conversation_id = conversation_id
        self.sink = sink
        self.n = -1  # -1: not started, hints are ignored
        self._hub = hub
        self._busy = False
        self._lost = False
        self._ahead: dict[int, bytes] | None = None  # hints that came while the stream was being read

    @property
    def is_live(self) -> bool:
        """True if whatever is announced from now on is handed over, or a reset is."""
        return self.n >= 0 and not self._lost

    async def missed(self, *, after: int) -> list[bytes] | None:
        """Reads what came after event `after`; None where the stream no longer has all of it, or Redis is away. Otherwise `go_on` is
        to follow, and hints that come until then are kept."""
        self.n, self._busy = after, True
        found = None
        try:
            found = await stream.since(redis.async_client(), self.conversation_id, after=after)
        except redis.AWAY:
            pass
        finally:
            if found is None or self.n < 0:
                self._rest()
                self.n = -1
        return found

    def go_on(self, missed: Iterable[bytes]) -> None:
        """Hands over what `missed` found and, from then on, what follows."""
        for event in missed:
            self._hand_over(events.number_of(event), event)
        kept = self._ahead or {}
        self._rest()
        for n in sorted(kept):
            self.hint(n, kept[n])

    def resume(self, *, after: int) -> None:
        """From here on events with numbers above `after` are handed over."""
        self.n = after
        self._lost = False
        self._hub.look_again(self)

    def _rest(self) -> None:
        self._busy = False
        self._ahead = None

    def hint(self, n: int, event: bytes) -> None:
        if self.n < 0 or self._lost or n <= self.n:
            return
        if self._busy:
            self._keep(n, event)
        elif n == self.n + 1:
            self._hand_over(n, event)
        else:
            self._hub.look_again(self)

    def _keep(self, n: int, event: bytes) -> None:
        if self._ahead is None:
            self._ahead = {}
        self._ahead[n] = event

    def _hand_over(self, n: int, event: bytes) -> None:
        self.n = n
        self.sink.deliver(self.conversation_id, event)

    def lose(self) -> None:
        if self.is_live:
            self._lost = True
            self.sink.reset(self.conversation_id)

    async def catch_up(self) -> None:
        """Reads the stream until nothing is missing. One at a time for a listener."""
        if self._busy or self._lost or self.n < 0:
            return
        self._busy = True
        try:
            while True:
                missed = await stream.since(redis.async_client(), self.conversation_id, after=self.n)
                if self.n < 0 or self._lost:
                    return  # who listened has left meanwhile
                if missed is None:
                    self.lose()
                    return
                for event in missed:
                    self._hand_over(events.number_of(event), event)
                while self._ahead and self.n + 1 in self._ahead:
                    self._hand_over(self.n + 1, self._ahead.pop(self.n + 1))
                if not missed or not self._ahead or max(self._ahead) <= self.n:
                    return
        except redis.AWAY:
            pass  # the hub's own connection notices, too, and everybody resets when Redis is back
        finally:
            self._rest()


class Hub:
    """Belongs to one event loop; `hub()` finds it."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}
        self._connection: AbstractConnection | None = None
        self._subscribed: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task] = set()
        self._running: list[asyncio.Task] = []
        self._access_listeners: set[Callable[[str], None]] = set()
        self._passing: Callable[[str, bytes], None] = lambda conversation_id, event: None
        self._followed: dict[str, Callable[[bytes], None]] = {}
        self._heard: deque[set[str]] = deque([set()], maxlen=LATELY)  # where something was heard, look by look
        self._in_turn: list[str] = []
        self._unanswered = 0  # looks since the subscription was asked for a sign of life
        self._memory: bytes | None = None  # what Redis remembers us by, until it is emptied
        self.connected_at = math.inf  # by the monotonic clock: since when every announcement is heard

    # Who listens ------------------------------------------------------------------------------------------------------

    async def listen(self, conversation_id: str, sink: Sink) -> Listener:
        """A listener that hears nothing until `resume`. The subscription stands when this returns, unless Redis is away."""
        self._start()
        listener = Listener(self, conversation_id, sink)
        self._listeners.setdefault(conversation_id, set()).add(listener)
        self._heard[-1].add(conversation_id)
        try:
            async with asyncio.timeout(1.0):
                await asyncio.shield(self._subscribe(conversation_id))
        except TimeoutError:
            pass  # heard of every second all the same
        return listener

    def leave(self, listener: Listener) -> None:
        listener.n = -1
        listeners = self._listeners.get(listener.conversation_id)
        if listeners is None:
            return
        listeners.discard(listener)
        if not listeners:
            del self._listeners[listener.conversation_id]
            self._subscribed.pop(listener.conversation_id, None)
            self._send("UNSUBSCRIBE", keys.event_channel(listener.conversation_id))
        if not self._listeners:
            self._memory = None  # nobody is here who could miss something: who comes next is not told of what was before

    def on_access_change(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """`callback` is called with the id of each person whose rights changed, and with `EVERYBODY` where announcements may have been
        missed until now. Returns what ends that."""
        self._start()
        self._access_listeners.add(callback)
        return lambda: self._access_listeners.discard(callback)

    def on_passing(self, callback: Callable[[str, bytes], None]) -> None:
        """`callback` is called with the conversation of each event that has no number, and with the event: for listeners it is none."""
        self._passing = callback

    def follow(self, channel: str, callback: Callable[[bytes], None]) -> None:
        """From now on `callback` is called with what is published on this channel; some of it may be lost."""
        self._start()
        self._followed[channel] = callback
        self._send("SUBSCRIBE", channel)

    def unfollow(self, channel: str) -> None:
        self._followed.pop(channel, None)
        self._send("UNSUBSCRIBE", channel)

    def look_again(self, listener: Listener) -> None:
        self._spawn(listener.catch_up())

    # The subscription -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if not self._running:
            self._running = [asyncio.create_task(self._read_forever()), asyncio.create_task(self._look_every_second())]

    async def close(self) -> None:
        # Again, where a library took one cancellation for the end of what it waited for.
        while going_on := [task for task in (*self._running, *self._tasks) if not task.done()]:
            for task in going_on:
                task.cancel()
            await asyncio.wait(going_on, timeout=1.0)
        if self._connection is not None:
            await self._connection.disconnect()

    def _spawn(self, coroutine) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _subscribe(self, conversation_id: str) -> "asyncio.Future[None]":
        found = self._subscribed.get(conversation_id)
        if found is None:
            found = self._subscribed[conversation_id] = asyncio.get_running_loop().create_future()
            self._send("SUBSCRIBE", keys.event_channel(conversation_id))
        return found

    def _send(self, *command: str) -> None:
        if self._connection is not None:
            self._spawn(self._send_on(self._connection, command))

    async def _send_on(self, connection: AbstractConnection, command: tuple[str, ...]) -> None:
        try:
            await connection.send_command(*command, check_health=False)
        except redis.AWAY:
            pass  # the reader notices and connects again, with everything that is wanted by then

    async def _read_forever(self) -> None:
        """Connects, subscribes to all that is wanted, reads; again and again."""
        pause, first = RECONNECT_SECONDS[0], True
        while True:
            connection = redis.async_client().connection_pool.make_connection()
            try:
                await connection.connect()
                self._unanswered = 0
                self._connection = connection  # before what is wanted is read: who comes from here on subscribes for itself
                wanted = [keys.ACCESS_CHANNEL, *self._followed, *map(keys.event_channel, self._listeners)]
                await connection.send_command("SUBSCRIBE", *wanted, check_health=False)
                if not first:
                    self._everybody_resets()
                first, pause = False, RECONNECT_SECONDS[0]
                while True:
                    self._received(await connection.read_response(disable_decoding=True, timeout=math.inf))
            except redis.AWAY as error:
                log.warning("The hub lost Redis and connects again: %s", error)
            finally:
                self._connection = None
                self.connected_at = math.inf
                await connection.disconnect(nowait=True)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause, first = min(pause * 2, RECONNECT_SECONDS[1]), False

    def _received(self, reply: list) -> None:
        kind, channel = reply[0], reply[1].decode()
        if kind == b"message":
            if channel == keys.ACCESS_CHANNEL:
                for callback in tuple(self._access_listeners):
                    callback(reply[2].decode())
                return
            if (follower := self._followed.get(channel)) is not None:
                follower(reply[2])
                return
            event, conversation = reply[2], channel.removeprefix(_CHANNEL_PREFIX)
            if events.is_passing(event):
                self._passing(conversation, event)
                return
            self._heard[-1].add(conversation)
            listeners = self._listeners.get(conversation)
            if listeners:
                n = events.number_of(event)
                for listener in tuple(listeners):
                    listener.hint(n, event)
        elif kind == b"subscribe":
            if channel == keys.ACCESS_CHANNEL:
                self.connected_at = time.monotonic()
                for callback in tuple(self._access_listeners):
                    callback(EVERYBODY)
                return
            done = self._subscribed.get(channel.removeprefix(_CHANNEL_PREFIX))
            if done is not None and not done.done():
                done.set_result(None)
        else:
            self._unanswered = 0

    def _everybody_resets(self) -> None:
        for listeners in tuple(self._listeners.values()):
            for listener in tuple(listeners):
                listener.lose()

    async def _look_every_second(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            if self._listeners:
                try:
                    await self._look()
                except redis.AWAY:
                    continue

    async def _look(self) -> None:
        """Asks Redis whether it was emptied, whether the subscription lives, and whether a hint was lost."""
        await self._ping()
        conversations = [*self._due()]
        # Read before Redis is asked: what a listener hears meanwhile, and who begins meanwhile, is newer than the answer.
        came = [(listener, listener.n) for conversation in conversations for listener in self._listeners[conversation] if listener.n >= 0]
        memory, latest = await stream.memory_and_positions(redis.async_client(), conversations, new=uuid.uuid4().bytes)
        if memory != self._memory:
            emptied, self._memory = self._memory is not None, memory
            if emptied:
                self._everybody_resets()
                return
        numbers = dict(zip(conversations, latest, strict=True))
        for listener, before in came:
            n = numbers[listener.conversation_id]
            if n is None or n < before:
                listener.lose()
            elif n > listener.n >= 0:
                self.look_again(listener)

    async def _ping(self) -> None:
        """Asks the subscription for a sign of life; gives it up where the last one is long overdue. Looks are counted, not seconds:
        where this process itself stood still, the answer is here and was not read yet."""
        if (connection := self._connection) is None:
            return
        self._unanswered += 1
        if self._unanswered == 1:
            await self._send_on(connection, ("PING",))
        elif self._unanswered > SILENT_LOOKS:
            await connection.disconnect(nowait=True)  # its reader notices, and connects again

    def _due(self) -> set[str]:
        """The conversations in which something was heard a moment ago, and those whose turn it is."""
        if not self._in_turn:
            self._in_turn = list(self._listeners)
        share = -(-len(self._listeners) // TURNS)
        turn, self._in_turn = self._in_turn[:share], self._in_turn[share:]
        due = set().union(turn, *self._heard)
        self._heard.append(set())
        return due & self._listeners.keys()


_CHANNEL_PREFIX = keys.event_channel("")


def hub() -> Hub:
    """The running event loop's hub."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub()
    return found
