"""A provider's server for a whole test module, in a thread of its own: real processes are told its address once. What it says, and
how, goes by the question it is asked; it counts the calls and notes when a caller hung up."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Self

from tests.integrations.upstream import USAGE, Exchange, Upstream, chunk, event

# Emoji with joiners and skin tones, right-to-left and combining marks, an astral letter, an escape: each a chunk that must arrive.
PIECES = (
    "👩‍👩‍👧‍👦 ", "Grüße, ", "שלום ", "עולם! ", "مرحبا ", "بالعالم ", "e\u0301 ", "𝒳 ", "“quoted” ", "\\u0041 ", "👋🏽\n\n", "1. ", "first ",
    "line\n", "2. ", "‏RTL‎ ", "🇳🇴 ", "\t", "end", ".",
)  # fmt: skip
TEXT = "".join(PIECES)

Script = Callable[[Exchange], Awaitable[None]]


def writes(
    *pieces: str, pause: float = 0.04, finish: str | None = "stop", then: Callable[[Exchange], Awaitable[None]] | None = None
) -> Script:
    """Streams these pieces, one chunk each, `pause` seconds apart; `then` takes over before the end."""

    async def script(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream", transfer_encoding="chunked", connection="close")
        for piece in pieces:
            await exchange.chunks(event(chunk(piece)), last=False)
            await asyncio.sleep(pause)
        if then is not None:
            await then(exchange)
        if finish is not None:
            await exchange.chunks(event(chunk(finish=finish)), event(chunk(usage=USAGE)), b"data: [DONE]\n\n")

    return script


def calls_tool(name: str, **arguments: object) -> Script:
    """Wants a tool called; what it says about the tool's words is `TEXT`."""

    async def script(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream", transfer_encoding="chunked", connection="close")
        use = {"index": 0, "id": "call-1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        said = {"id": "c", "object": "chat.completion.chunk", "model": "m-1", "created": 1}
        wanted = said | {"choices": [{"index": 0, "delta": {"tool_calls": [use]}, "finish_reason": None}]}
        end = said | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
        await exchange.chunks(event(wanted), event(end), event(chunk(usage=USAGE)), b"data: [DONE]\n\n")

    return script


def refuses(status: str, *, message: str = "no", **headers: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.json(status, {"error": {"code": None, "message": message}}, connection="close", **headers)

    return script


def gives(said: dict) -> Script:
    """Answers at once, with JSON."""

    async def script(exchange: Exchange) -> None:
        message = {"role": "assistant", "content": json.dumps(said)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "c", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": USAGE}
        await exchange.json("200 OK", body, connection="close")

    return script


class Provider:
    """`provider.scripts["How is Erik?"] = writes("Well.")`; whatever is not in there is answered with `TEXT`, as `pause` says. Who asks for
    JSON is given the one of `structures` whose name the request holds."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.structures: dict[str, dict] = {}
        self.calls: Counter[str] = Counter()
        self.hung_up: dict[str, float] = {}  # when (monotonic) the caller closed a connection it was being answered on
        self.pause = 0.04
        self._upstream = Upstream([self._play])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider", daemon=True)

    @property
    def url(self) -> str:
        return self._upstream.url

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def forget(self) -> None:
        """What was asked so far, and who hung up."""
        self.calls.clear()
        self.hung_up.clear()

    async def _start(self) -> None:
        self._listener = await asyncio.start_server(self._upstream.accept, "127.0.0.1", 0)
        self._upstream.port = self._listener.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._listener.close()
        for task in self._upstream.tasks:
            task.cancel()
        await asyncio.gather(*self._upstream.tasks, return_exceptions=True)

    async def _play(self, exchange: Exchange) -> None:
        question = exchange.body["messages"][-1]["content"]
        self.calls[question] += 1
        script = asyncio.create_task(self._script_for(exchange, question)(exchange))
        gone = asyncio.create_task(exchange.until_gone())
        await asyncio.wait({script, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not script.done() or (script.exception() is not None and isinstance(script.exception(), ConnectionError)):
            self.hung_up[question] = time.monotonic()
        for task in (script, gone):
            task.cancel()
        await asyncio.gather(script, gone, return_exceptions=True)
        exchange.writer.close()

    def _script_for(self, exchange: Exchange, question: str) -> Script:
        if exchange.body.get("stream"):
            return self.scripts.get(question, writes(*PIECES, pause=self.pause))
        asked = json.dumps(exchange.body)
        return gives(next(said for name, said in self.structures.items() if f'"{name}"' in asked or f'\\"{name}\\"' in asked))
