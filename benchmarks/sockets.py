"""A lean WebSocket client: it shares two cores with what it measures, so nothing is parsed while frames arrive.

An event is kept as bytes with its time of arrival. Only answers to what was asked (`joined`, `ack`, `error`) are decoded.
"""

import asyncio
import base64
import os
import re
import time
from collections import deque
from typing import Any

import orjson

from benchmarks.tokens import Heard

_ENDED = re.compile(rb'"status":"(sent|interrupted|error|cancelled)"')
STRAND = 0  # the first one, which a page names when it asks there
REF = 1  # every frame's `ref`: answers come in the order of the frames
_NUMBER = re.compile(rb'"n":(\d+)')


class Refused(Exception):
    """The server did not open the socket, or answered with an error."""


class Socket(asyncio.Protocol):
    """One connection. A frame is handed to `receive` with its time of arrival, in monotonic seconds."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = self.loop.create_future()
        self.closed = asyncio.Event()
        self._rest = b""

    @classmethod
    async def open(cls, address: tuple[str, int], path: str, *, headers: dict[str, str] | None = None, **details: Any):
        host, port = address
        _, socket = await asyncio.get_running_loop().create_connection(lambda: cls(**details), host, port)
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        socket.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        await socket.opened
        return socket

    def receive(self, now: float, frame: bytes) -> None:
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, problem: Exception | None) -> None:
        self.closed.set()
        if not self.opened.done():
            self.opened.set_exception(Refused("The connection was closed before the socket was open."))
            self.opened.exception()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self._rest:
            data = self._rest + data
        at = 0
        if not self.opened.done():
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(Refused(data[:200].decode(errors="replace")))
                return
            self.opened.set_result(None)
            at = end + 4
        size = len(data)
        while size - at >= 2:
            kind, length, begin = data[at], data[at + 1], at + 2
            if length == 126:
                if size < begin + 2:
                    break
                length, begin = int.from_bytes(data[begin : begin + 2]), begin + 2
            elif length == 127:
                if size < begin + 8:
                    break
                length, begin = int.from_bytes(data[begin : begin + 8]), begin + 8
            if size < begin + length:
                break
            frame, at = data[begin : begin + length], begin + length
            if kind == 0x81:
                self.receive(now, frame)
            elif kind == 0x89:
                self._write(0x8A, frame)
            elif kind == 0x88:
                self.transport.close()
            else:
                raise Refused(f"A frame of kind {kind:#x} was not expected.")
        self._rest = data[at:]

    def say(self, value: dict[str, Any]) -> None:
        self._write(0x81, orjson.dumps(value))

    def drop(self) -> None:
        """Hangs up without a word, as a lost network does."""
        if self.transport is not None:
            self.transport.abort()

    async def close(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._write(0x88, b"\x03\xe8")
            try:
                await asyncio.wait_for(self.closed.wait(), 2)
            except TimeoutError:
                self.drop()

    def _write(self, kind: int, frame: bytes) -> None:
        """The mask is all zeros: it protects proxies from browsers, and there are neither."""
        length = len(frame)
        if length < 126:
            head = bytes((kind, 0x80 | length))
        elif length < 1 << 16:
            head = bytes((kind, 0x80 | 126)) + length.to_bytes(2)
        else:
            head = bytes((kind, 0x80 | 127)) + length.to_bytes(8)
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(head + b"\0\0\0\0" + frame)


class ParleySocket(Socket):
    """A tab of Parley."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = Heard()  # every event of every joined conversation
        self.ended: asyncio.Future[str] = self.loop.create_future()  # the status of the next answer that ends
        self.joined: dict[str, Any] = {}  # the answer to the latest join
        self.unasked: list[dict[str, Any]] = []  # a reset, an error that no frame of ours caused
        self._asked: deque[asyncio.Future[dict[str, Any]]] = deque()

    @classmethod
    async def enter(cls, address: tuple[str, int], *, organization: str, key: str) -> "ParleySocket":
        return await cls.open(address, f"/ws/o/{organization}/", headers={"Authorization": f"Bearer {key}"})

    def receive(self, now: float, frame: bytes) -> None:
        if not frame.startswith(b'{"conversation":'):
            answer = orjson.loads(frame)
            if answer.get("ref") == REF or answer.get("ack") == REF:
                self._asked.popleft().set_result(answer)
            else:
                self.unasked.append(answer)
            return
        self.heard.frames.append((now, frame))
        is_answer = b'"event":"message"' in frame[:110] and b'"role":"assistant"' in frame
        if is_answer and not self.ended.done() and (found := _ENDED.search(frame)):
            self.ended.set_result(found[1].decode())

    def connection_lost(self, problem: Exception | None) -> None:
        super().connection_lost(problem)
        for future in (*self._asked, self.ended):
            if not future.done():
                future.set_exception(Refused("The server closed the socket."))
                future.exception()

    async def ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        """Sends a frame and gives its answer; answers come in the order of the frames."""
        future: asyncio.Future[dict[str, Any]] = self.loop.create_future()
        self._asked.append(future)
        self.say({**frame, "ref": REF})
        answer = await future
        if "error" in answer:
            raise Refused(f"{frame['do']}: {answer['error']}")
        return answer

    async def join(self, conversation: str, *, after: int | None = None) -> dict[str, Any]:
        self.joined = await self.ask({"do": "join", "conversation": conversation, **({} if after is None else {"after": after})})
        return self.joined

    async def send(self, conversation: str, text: str, *, client_id: str) -> dict[str, Any]:
        """Returns when the question is acknowledged. `ended` is anew the end of the answer to it."""
        self.ended = self.loop.create_future()
        return await self.ask({"do": "send", "conversation": conversation, "text": text, "client_id": client_id, "strand": STRAND})

    def fault(self) -> str:
        """What is wrong with the events of the one conversation that was joined, in a sentence; empty where nothing is."""
        if self.unasked:
            return f"The server said {str(self.unasked[0])[:200]}"
        number, length = self.joined["n"], 0
        for _, frame in self.heard.frames:
            event = orjson.loads(frame)
            if event["n"] != number + 1:
                return f"Event {event['n']} came after event {number}."
            number = event["n"]
            if event["event"] == "delta":
                if event["offset"] != length:
                    return f"The delta at {event['offset']} came after {length} characters, as event {number}."
                length += len(event["text"])
            elif event["event"] == "message" and event["message"]["role"] == "assistant":
                length = len(event["message"]["text"])
        return ""


class BareSocket(Socket):
    """A tab of the bare consumer (bare.py): one question, its tokens, an end."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = Heard()
        self.ended: asyncio.Future[str] = self.loop.create_future()

    def fault(self) -> str:
        return ""

    def receive(self, now: float, frame: bytes) -> None:
        if frame == b'{"end":1}':
            if not self.ended.done():
                self.ended.set_result("sent")
            return
        self.heard.frames.append((now, frame))

    def connection_lost(self, problem: Exception | None) -> None:
        super().connection_lost(problem)
        if not self.ended.done():
            self.ended.set_exception(Refused("The server closed the socket."))
            self.ended.exception()

    def begin(self, text: str) -> None:
        self.ended = self.loop.create_future()
        self.say({"text": text})


def number_of(event: bytes) -> int:
    """The number of an event, as it came."""
    found = _NUMBER.search(event, 0, 100)
    assert found is not None
    return int(found[1])
