"""What Parley is compared with on its own server: consumers that relay an answer in process and keep nothing.

`relay` reads the provider's stream with aiohttp and a fast JSON parser, `sdk` the same with the OpenAI SDK, `idle` accepts and waits.
Each is an ASGI application for uvicorn: `benchmarks.bare:relay`. A client sends `{"text": question}` and gets `{"t": text}` frames, then
`{"end":1}`. What it was asked for in which way is `BENCH_UPSTREAM`, the provider's address.
"""

import asyncio
import os
from collections.abc import AsyncIterator

import aiohttp
import httpx2
import openai
import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

UPSTREAM = os.environ.get("BENCH_UPSTREAM", "")

_session: aiohttp.ClientSession | None = None
_client: openai.AsyncOpenAI | None = None


def body(text: str) -> dict:
    return {"model": "mock", "stream": True, "messages": [{"role": "user", "content": text}]}


async def lean(text: str) -> AsyncIterator[str]:
    """The text of one network read at a time."""
    global _session
    if _session is None:
        _session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    headers = {"Content-Type": "application/json"}
    async with _session.post(f"{UPSTREAM}/chat/completions", data=orjson.dumps(body(text)), headers=headers) as response:
        rest = b""
        async for data in response.content.iter_any():
            *lines, rest = (rest + data).split(b"\n")
            said = [orjson.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
            if joined := "".join(part["choices"][0]["delta"].get("content", "") for part in said):
                yield joined


async def by_sdk(text: str) -> AsyncIterator[str]:
    """One token at a time, as the SDK gives them."""
    global _client
    if _client is None:
        http = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=None), timeout=600)
        _client = openai.AsyncOpenAI(base_url=UPSTREAM, api_key="mock", http_client=http)
    async for part in await _client.chat.completions.create(**body(text)):
        if part.choices and (token := part.choices[0].delta.content):
            yield token


class Idle(AsyncWebsocketConsumer):
    """Accepts, and waits."""


class Relay(AsyncWebsocketConsumer):
    """Relays the answer to one question at a time."""

    read = staticmethod(lean)
    task: asyncio.Task | None = None

    async def disconnect(self, code: int) -> None:
        if self.task is not None:
            self.task.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.task = asyncio.create_task(self.relay(orjson.loads(text_data or "{}")["text"]))

    async def relay(self, text: str) -> None:
        async for said in self.read(text):
            await self.send(text_data=orjson.dumps({"t": said}).decode())
        await self.send(text_data='{"end":1}')


class SdkRelay(Relay):
    read = staticmethod(by_sdk)


def application(consumer: type[AsyncWebsocketConsumer]) -> ProtocolTypeRouter:
    return ProtocolTypeRouter({"websocket": URLRouter([path("ws", consumer.as_asgi())])})


idle, relay, sdk = application(Idle), application(Relay), application(SdkRelay)
