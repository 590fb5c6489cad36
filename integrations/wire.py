"""A lean HTTP/1.1 client for answers that arrive over minutes, one small piece at a time.

A connection collects what arrives and wakes its reader, nothing else: a reader that is busy finds several pieces joined. One timer
per exchange looks at the clock when a limit may have been reached, rather than one being set anew for every piece. Why this and not
a client library: `docs/decisions/reading-the-upstream-stream.md`.

Connections are made by `egress.connect` alone. Redirects are handed to the caller like any other answer; compression is not asked
for. A client belongs to the event loop it was made in.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import httptools

from integrations import egress

LARGEST_HEAD = 64 * 1024  # bytes of headers
END_MARK_SECONDS = 1.0  # for the end mark of a body that is of no more interest
A_WHILE = 0.005  # seconds after which a reader that comes back finds something, as a rule
TAKEN_AT_ONCE = 64 * 1024  # bytes
KEPT_ALIVE = 15.0  # seconds; below what servers commonly allow, so that a reused connection is seldom a dead one


class WireError(Exception):
    """The exchange broke off. `heard` says whether any byte of the answer had arrived."""

    heard = False


class Cut(WireError):
    """The connection was closed before the answer was complete."""


class Garbled(WireError):
    """What arrived is not HTTP, or is larger than allowed."""


class TimedOut(WireError):
    """A limit was reached; `which` names it: `first`, `idle` or `total`."""

    def __init__(self, which: str, seconds: float) -> None:
        super().__init__(f"{which} limit of {seconds:g} seconds")
        self.which = which
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect, until the first byte of the body, between two reads, and altogether; bytes of the body."""

    connect: float
    first: float
    idle: float
    total: float
    body: int = 64 * 1024 * 1024


class Connection(asyncio.Protocol):
    """One connection, and the one exchange that is going on over it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.socket: int | None = None  # its number, where what arrives there is the answer as it is: without TLS
        self.waiter: asyncio.Future[None] | None = None
        self.watch: asyncio.TimerHandle | None = None
        self.busy = False
        self.reused = False
        self.then: Callable[[], None] | None = None
        self.forget = lambda connection: None

    # An exchange -------------------------------------------------------------------------------------------------------

    def begin(self, limits: Limits, *, deadline: float) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.limits = limits
        self.deadline = deadline
        self.started = self.heard_at = self.loop.time()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head_bytes = 0
        self.head_done = False
        self.body_begun = False
        self.body_bytes = 0
        self.pieces: list[bytes] = []
        self.paused = False
        self.complete = False
        self.reusable = False
        self.spoiled = False
        self.heard = False
        self.error: WireError | None = None
        self.busy = True
        self._look_at_the_clock()

    def send(self, request: bytes) -> None:
        if self.transport is None or self.transport.is_closing():
            self._fail(Cut("the connection is closed"))
            return
        self.transport.write(request)

    async def head(self) -> None:
        """Waits until status and headers are here. Raises WireError."""
        while not self.head_done:
            if self.error is not None:
                raise self.error
            await self._wait()

    async def read(self) -> bytes:
        """What has arrived since the last call, at least one byte; b"" once the body is complete. Raises WireError.

        Between two calls nothing is read: what arrives piece by piece waits in the kernel, and is taken at once.
        """
        if not (self.paused and self.loop.time() - self.heard_at > A_WHILE and self._take()):
            self.go_on()
        while not (pieces := self.pieces):
            if self.error is not None:
                raise self.error
            if self.complete:
                return b""
            await self._wait()
        joined = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._pause()
        return joined

    def release(self) -> bool:
        """Ends the exchange. True if the connection may serve another; otherwise it is closed at once."""
        self.busy = False
        self.then = None
        self.go_on()
        if self.watch is not None:
            self.watch.cancel()
            self.watch = None
        sound = self.complete and self.error is None and self.reusable and not self.spoiled
        if sound and self.transport is not None and not self.transport.is_closing():
            return True
        self.abort()
        return False

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def look_again(self) -> None:
        """A limit was changed."""
        if self.watch is not None:
            self.watch.cancel()
        self._look_at_the_clock()

    def _pause(self) -> None:
        if not self.paused and not self.complete and self.transport is not None and not self.transport.is_closing():
            self.paused = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        if self.paused:
            self.paused = False
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()

    def _take(self) -> bool:
        """Takes what waits in the kernel past the event loop, which would have to be told to look there, and to look away again. True
        where there was something, or the end of the connection is known."""
        if self.socket is None or self.transport is None or self.transport.is_closing():
            return False
        try:
            data = os.read(self.socket, TAKEN_AT_ONCE)
        except BlockingIOError:
            return False
        except OSError as problem:
            self._fail(Cut(f"the connection broke: {problem.strerror}"))
            return True
        if data:
            self.data_received(data)
        return bool(data)

    async def _wait(self) -> None:
        self.waiter = self.loop.create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None

    def _wake(self) -> None:
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: WireError) -> None:
        if self.error is None and not self.complete:
            error.heard = self.heard
            self.error = error
        self.abort()
        self._wake()

    def _look_at_the_clock(self) -> None:
        now = self.loop.time()
        limits = self.limits
        if self.body_begun:
            which, seconds, at = "idle", limits.idle, self.heard_at + limits.idle
        else:
            which, seconds, at = "first", limits.first, self.started + limits.first
        if self.deadline < at:
            which, seconds, at = "total", limits.total, self.deadline
        if self.complete:
            self.watch = None
        elif now < at:
            self.watch = self.loop.call_later(at - now + 0.001, self._look_at_the_clock)
        elif (self.pieces or self.paused) and which != "total":
            # The reader is the slow one. It may have what is here; the limit is looked at again.
            self.heard_at = now
            self.watch = self.loop.call_later(1.0, self._look_at_the_clock)
        else:
            self.watch = None
            self._fail(TimedOut(which, seconds))

    @property
    def delimited(self) -> bool:
        """Whether the body's end is said, rather than shown by closing the connection."""
        return "content-length" in self.headers or "chunked" in self.headers.get("transfer-encoding", "").lower()

    # asyncio -----------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        if transport.get_extra_info("ssl_object") is None:
            self.socket = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        if not self.busy or self.complete:
            # Nothing was asked for. What comes unasked must not be taken for the next answer.
            self.abort()
            return
        self.heard = True
        self.heard_at = self.loop.time()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as problem:
            self._fail(Garbled(f"the answer is not HTTP: {problem}"))
            return
        self._wake()

    def connection_lost(self, problem: Exception | None) -> None:
        self.transport = None
        self.forget(self)
        if self.busy and not self.complete and self.error is None:
            if problem is None and self.head_done and not self.delimited:
                self.complete = True
            else:
                self._fail(Cut("the connection was closed before the answer was complete"))
        self._wake()

    # httptools ---------------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.head_done:
            # A second answer to one request: neither is to be trusted for the next.
            self.spoiled = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.complete:
            return
        self.head_bytes += len(name) + len(value)
        if self.head_bytes > LARGEST_HEAD:
            raise httptools.HttpParserError("too many headers")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        status = self.parser.get_status_code()
        if status < 200:
            self.headers.clear()
            return
        self.status = status
        self.reusable = self.parser.should_keep_alive()  # the parser forgets it with the end of the message
        self.head_done = True

    def on_body(self, piece: bytes) -> None:
        if self.complete:
            return
        if not self.body_begun:
            self.body_begun = True
            self.look_again()  # another limit counts from here
        self.body_bytes += len(piece)
        if self.body_bytes > self.limits.body:
            raise httptools.HttpParserError("the body is larger than allowed")
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        if self.head_done and not self.complete:
            self.complete = True
            if self.then is not None:
                # Not yet: what follows in the same read is not ours, and shows that this connection is not to be trusted.
                self.loop.call_soon(self.then)


class Client:
    """Sends requests to one destination and keeps connections for reuse. One per destination, configuration and event loop."""

    def __init__(self, to: egress.Destination, *, limits: Limits) -> None:
        self.to = to
        self.limits = limits
        self._idle: list[tuple[Connection, asyncio.TimerHandle]] = []

    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"", limits: Limits | None = None
    ) -> "Response":
        """Sends the request and waits for status and headers. Close the response, whatever happens, to free its connection.

        `limits` replace the client's for this one exchange.

        Raises WireError, egress.Refused, egress.Unreachable.
        """
        loop = asyncio.get_running_loop()
        limits = limits or self.limits
        deadline = loop.time() + limits.total
        message = self._message(method, path, headers, body)
        while True:
            connection = self._take()
            if connection is None:
                connection = await egress.connect(self.to, Connection, timeout=limits.connect)
                connection.forget = self._forget
            connection.begin(limits, deadline=deadline)
            connection.send(message)
            try:
                await connection.head()
            except Cut as problem:
                connection.release()
                if connection.reused and not problem.heard:
                    continue  # the server had closed a connection it kept for us: it has not seen this request
                raise
            except BaseException:
                connection.release()
                raise
            return Response(self, connection)

    def close(self) -> None:
        """Closes the connections that wait for reuse."""
        while self._idle:
            connection, timer = self._idle.pop()
            timer.cancel()
            connection.abort()

    def _message(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{method} {self.to.path}{path} HTTP/1.1", f"Host: {self.to.authority}", f"Content-Length: {len(body)}"]
        for name, value in headers.items():
            if "\r" in value or "\n" in value or "\0" in value:
                raise ValueError(f"The header {name} must be one line.")
            lines.append(f"{name}: {value}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    def _take(self) -> Connection | None:
        while self._idle:
            connection, timer = self._idle.pop()
            timer.cancel()
            if connection.transport is not None and not connection.transport.is_closing():
                connection.reused = True
                return connection
        return None

    def _end(self, connection: Connection) -> None:
        if not connection.release():
            return
        timer = connection.loop.call_later(KEPT_ALIVE, connection.abort)
        self._idle.append((connection, timer))

    def _forget(self, connection: Connection) -> None:
        for at, (kept, timer) in enumerate(self._idle):
            if kept is connection:
                timer.cancel()
                del self._idle[at]
                return


class Response:
    """An answer under way: status and headers are here, the body comes with `read`."""

    __slots__ = ("_client", "_connection", "headers", "read", "status")

    def __init__(self, client: Client, connection: Connection) -> None:
        self._client = client
        self._connection: Connection | None = connection
        self.status = connection.status
        self.headers = connection.headers
        self.read = connection.read

    async def whole(self, *, at_most: int) -> bytes:
        """The rest of the body, or its first `at_most` bytes. Raises WireError."""
        pieces: list[bytes] = []
        size = 0
        while size < at_most and (piece := await self.read()):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)[:at_most]

    def shorten(self, seconds: float) -> None:
        """From now on the exchange may take at most this long."""
        connection = self._connection
        if connection is not None and not connection.complete:
            connection.deadline = min(connection.deadline, connection.loop.time() + seconds)
            connection.look_again()

    def close(self, *, over: bool = False) -> None:
        """Frees the connection: for reuse if the answer was read to its end, otherwise the server sees it closed at once.

        `over` says that nothing of the body is wanted any more but its end mark, which a server may send a moment later: it is
        waited for, by the connection and not by the caller.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if over and not connection.complete and connection.error is None:
            connection.deadline = min(connection.deadline, connection.loop.time() + END_MARK_SECONDS)
            connection.then = partial(self._client._end, connection)
            connection.go_on()
            connection.look_again()
            return
        self._client._end(connection)
