"""A provider's server under a test's command, byte by byte: for what llmock cannot play."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Play = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the connection to answer it on."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    headers: dict[str, str]
    body: dict
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # the client has closed the connection

    async def head(self, status: str = "200 OK", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def stream_head(self) -> None:
        """An answer whose end is the end of the connection: the body's bytes are the test's own."""
        await self.head(content_type="text/event-stream", connection="close")

    async def json(self, status: str, said: object, **headers: str) -> None:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        await self.head(status, content_type="application/json", content_length=str(len(body)), **headers)
        await self.send(body)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def chunks(self, *pieces: bytes, last: bool = True) -> None:
        for piece in pieces:
            await self.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        if last:
            await self.send(b"0\r\n\r\n")

    async def until_gone(self) -> None:
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1024):
                pass
        self.gone.set()


@dataclass
class Upstream:
    """Plays its plays in turn, one for each request; the last one again and again."""

    plays: list[Play]
    port: int = 0
    connections: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    tasks: list[asyncio.Task] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)  # a request has arrived

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.append(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
                exchange = Exchange(reader, writer, headers, body)
                self.exchanges.append(exchange)
                self.asked.set()
                play = self.plays[min(len(self.exchanges), len(self.plays)) - 1]
                await play(exchange)
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def upstream(*plays: Play) -> AsyncIterator[Upstream]:
    server = Upstream(list(plays))
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


# What servers say ------------------------------------------------------------------------------------------------------

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def chunk(text: str | None = None, *, finish: str | None = None, usage: dict | None = None, ascii_only: bool = False) -> dict:
    choices = [] if usage and not finish else [{"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": choices, "usage": usage}


def event(said: object) -> bytes:
    return b"data: " + json.dumps(said, ensure_ascii=False).encode() + b"\n\n"


def answer(*texts: str, finish: str = "stop", usage: dict | None = USAGE) -> bytes:
    """A whole stream of events as OpenAI writes it."""
    events = [event(chunk(text)) for text in texts]
    events.append(event(chunk(finish=finish)))
    if usage:
        events.append(event(chunk(usage=usage)))
    return b"".join(events) + b"data: [DONE]\n\n"


def whole(text: str, *, finish: str = "stop", usage: dict | None = USAGE) -> dict:
    """The same answer, not streamed."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    }


def says(*texts: str, **how) -> Play:
    """Answers as asked: streamed or not."""

    async def play(exchange: Exchange) -> None:
        if exchange.body.get("stream"):
            await exchange.head(content_type="text/event-stream", transfer_encoding="chunked")
            await exchange.chunks(answer(*texts, **how))
        else:
            await exchange.json("200 OK", whole("".join(texts), **how))

    return play


def fails(status: str, *, code: str = "", message: str = "", **headers: str) -> Play:
    async def play(exchange: Exchange) -> None:
        await exchange.json(status, {"error": {"code": code or None, "message": message}}, **headers)

    return play
