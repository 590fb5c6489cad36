"""`python -m benchmarks.upstream FD`: a provider of a fixed token rate, OpenAI-compatible, on the listening socket that it inherits.

The question says how the answer is to be (`tokens.question`): `mock-n<tokens>-d<ms between>-f<ms before the first>`, in the text of the
last message, or else in the name of the model. Callbacks only, one write a token: it shares the machine with what it measures.
"""

import asyncio
import re
import signal
import socket
import sys
import time

import orjson
import uvloop

from benchmarks.tokens import token

SHAPE = re.compile(r"mock-n(\d+)(?:-d([\d.]+))?(?:-f([\d.]+))?")
NAMES = ("mock-n3-d0", "mock-n20-d1", "mock-n250-d20")
CHUNK = (
    b'data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock",'
    b'"choices":[{"index":0,"delta":%b,"finish_reason":%b}]%b}\n\n'
)
PRE, POST = CHUNK.split(b"%b")[0] + b'{"content":"', b'"},"finish_reason":null}]}\n\n'
LENGTH = len(PRE) + 13 + len(POST)
PRE, POST = b"%x\r\n" % LENGTH + PRE, POST + b"\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


ROLE = chunked(CHUNK % (b'{"role":"assistant","content":""}', b"null", b""))


class Upstream(asyncio.Protocol):
    """One connection; one answer at a time on it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.received = b""
        self.timer: asyncio.Handle | None = None
        self.paused = False
        self.place = self.tokens = 0
        self.every = self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, problem: Exception | None) -> None:
        self.transport = None
        if self.timer is not None:
            self.timer.cancel()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.every == 0 and self.place < self.tokens:
            self.timer = self.loop.call_soon(self.rush)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end]
            length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < size:
                return
            body, self.received = self.received[end + 4 : size], self.received[size:]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            models = [{"id": name, "object": "model", "created": 1, "owned_by": "mock"} for name in NAMES]
            self.reply({"object": "list", "data": models})
            return
        asked = orjson.loads(body)
        text = asked["messages"][-1]["content"]
        shape = SHAPE.search(text if isinstance(text, str) else "") or SHAPE.search(asked.get("model", "")) or SHAPE.search("mock-n50")
        assert shape is not None
        tokens, every, first = int(shape[1]), float(shape[2] or 0) / 1_000, float(shape[3] or 0) / 1_000
        if not asked.get("stream"):
            now = time.monotonic()
            self.reply(whole("".join(token(place, now).decode() for place in range(tokens)), tokens))
            return
        self.tokens, self.every, self.place = tokens, every, 0
        assert self.transport is not None
        self.transport.write(HEAD + ROLE)
        self.due = self.loop.time() + first
        step = self.pace if every else self.rush
        if first:
            self.timer = self.loop.call_at(self.due, step)
        else:
            step()

    def reply(self, value: object) -> None:
        body = orjson.dumps(value)
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    def pace(self) -> None:
        """The next token, at its due time whatever the ones before took."""
        if self.write():
            self.due += self.every
            self.timer = self.loop.call_at(self.due, self.pace)

    def rush(self) -> None:
        """One token a turn of the loop, as fast as the reader reads."""
        if not self.paused and self.write():
            self.timer = self.loop.call_soon(self.rush)

    def write(self) -> bool:
        """Writes a token, and the end behind the last. True if more are to come."""
        if self.transport is None:
            return False
        self.transport.write(PRE + token(self.place, time.monotonic()) + POST)
        self.place += 1
        if self.place < self.tokens:
            return True
        usage = b',"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}' % (self.tokens, self.tokens + 10)
        self.transport.write(chunked(CHUNK % (b"{}", b'"stop"', usage) + b"data: [DONE]\n\n") + b"0\r\n\r\n")
        return False


def whole(text: str, tokens: int) -> dict[str, object]:
    return {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "mock",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": tokens + 10},
    }


async def serve(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await loop.create_server(Upstream, sock=listener, backlog=4096)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve(socket.socket(fileno=int(sys.argv[1]))))
