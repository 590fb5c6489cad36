"""What it costs to read a provider's stream, by the ways there are: CPU microseconds a token in one event loop.

    python -m benchmarks.upstream_readers [--sessions 225] [--seconds 8]

The mock provider on loopback, in a process of its own, writes 50 tokens a second to every session; each way, in a process of its
own too, reads the same streams to plain text. The figures are its CPU time over tokens, and its CPU time for one whole request.
Run it on a machine that does nothing else: where CPU is short, tokens wait, are read several at once, and look cheap.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
import django
import httpx2
import openai
import orjson
import uvloop

from benchmarks.tokens import tally

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DEBUG", "1")
django.setup()

from integrations import wire  # noqa: E402 (settings first)
from integrations.providers.base import ChatMessage, CompletionRequest, Ending  # noqa: E402
from integrations.providers.event_stream import EventStream  # noqa: E402
from integrations.providers.openai import OpenAI, Reading  # noqa: E402

RATE = 50  # tokens a second and session
ANY = 10**6
SDK_SESSIONS = 40  # more of them than the SDK can serve would measure its queue

NAMES = (
    "ours (httptools, EventStream, orjson)",
    "aiohttp, EventStream, orjson",
    "SDK's bytes over aiohttp, EventStream, orjson",
    "httpx2, EventStream, orjson",
    "SDK's bytes over httpx2, EventStream, orjson",
    "SDK's objects over aiohttp",
    "SDK's objects over httpx2",
)


def ways(url: str) -> dict[str, tuple[Callable[[str], AsyncIterator[str]], int]]:
    """Name → (reader of one answer of a model, most sessions it is asked to serve)."""
    limits = wire.Limits(connect=5, first=60, idle=30, total=600)
    ours = OpenAI(base_url=url, api_key="", limits=limits)
    request = CompletionRequest(organization_id="o", messages=(ChatMessage("user", "hi"),))

    def body(model: str) -> dict:
        messages = [{"role": "user", "content": "hi"}]
        return {"model": model, "stream": True, "stream_options": {"include_usage": True}, "messages": messages}

    async def texts(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
        events, answer = EventStream(), Reading(model="")
        async for data in chunks:
            if text := answer.take(events.feed(data)):
                yield text

    async def our_reader(model: str) -> AsyncIterator[str]:
        async for piece in ours.stream(request, model=model):
            if not isinstance(piece, Ending):
                yield piece

    session: list[aiohttp.ClientSession] = []

    async def with_aiohttp(model: str) -> AsyncIterator[str]:
        if not session:
            session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        async with session[0].post(f"{url}/chat/completions", data=orjson.dumps(body(model))) as response:
            async for text in texts(response.content.iter_any()):
                yield text

    client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=2000), timeout=60)

    async def with_httpx2(model: str) -> AsyncIterator[str]:
        async with client.stream("POST", f"{url}/chat/completions", content=orjson.dumps(body(model))) as response:
            async for text in texts(response.aiter_raw()):
                yield text

    def sdk_bytes(http_client) -> Callable[[str], AsyncIterator[str]]:
        sdk = openai.AsyncOpenAI(api_key="x", base_url=url, http_client=http_client)

        async def read(model: str) -> AsyncIterator[str]:
            async with sdk.chat.completions.with_streaming_response.create(**body(model)) as response:
                async for text in texts(response.iter_bytes()):
                    yield text

        return read

    def sdk_objects(http_client) -> Callable[[str], AsyncIterator[str]]:
        sdk = openai.AsyncOpenAI(api_key="x", base_url=url, http_client=http_client)

        async def read(model: str) -> AsyncIterator[str]:
            async for chunk in await sdk.chat.completions.create(**body(model)):
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

        return read

    readers = (
        (our_reader, ANY),
        (with_aiohttp, ANY),
        (sdk_bytes(openai.DefaultAioHttpClient()), ANY),
        (with_httpx2, ANY),
        (sdk_bytes(openai.DefaultAsyncHttpxClient()), ANY),
        (sdk_objects(openai.DefaultAioHttpClient()), SDK_SESSIONS),
        (sdk_objects(openai.DefaultAsyncHttpxClient()), SDK_SESSIONS),
    )
    return dict(zip(NAMES, readers, strict=True))


async def measure(name: str, url: str, *, sessions: int, seconds: float) -> tuple[int, float, float, float, float]:
    """(sessions, CPU µs a token, tokens a piece, p95 added milliseconds, CPU ms a request)."""
    read, most = ways(url)[name]
    sessions = min(sessions, most)
    heard: list[list[tuple[float, bytes]]] = [[] for _ in range(sessions)]

    async def one(nth: int) -> None:
        await asyncio.sleep(nth / sessions)  # not all in step
        async for text in read(f"mock-n{int(seconds * RATE)}-d{1000 // RATE}"):
            heard[nth].append((time.monotonic(), text.encode()))

    began = time.process_time()
    await asyncio.gather(*(one(nth) for nth in range(sessions)))
    spent = time.process_time() - began
    tallies = [tally(frames) for frames in heard]
    if not all(one.in_order and one.tokens == int(seconds * RATE) for one in tallies):
        raise SystemExit(f"{name}: tokens are missing or out of order.")
    added = sorted(delay for one in tallies for delay in one.delays)

    async def short() -> None:
        async for _ in read("mock-n1-d0"):
            pass

    for _ in range(20):
        await short()
    began = time.process_time()
    for _ in range(200):
        await short()
    request = (time.process_time() - began) / 200
    apiece = len(added) / sum(one.frames for one in tallies)
    return sessions, spent / len(added) * 1e6, apiece, added[int(len(added) * 0.95)] * 1e3, request * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=225)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--only", nargs=2, metavar=("WAY", "URL"), help="measure this way in this process, print it as JSON")
    arguments = parser.parse_args()
    if arguments.only:
        name, url = arguments.only
        found = uvloop.run(measure(name, url, sessions=arguments.sessions, seconds=arguments.seconds))
        print(orjson.dumps(found).decode(), flush=True)
        os._exit(0)  # connections that are kept alive need no farewell
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    command = [sys.executable, "-m", "benchmarks.upstream", str(listener.fileno())]
    mock = subprocess.Popen(command, pass_fds=[listener.fileno()])
    try:
        least = None
        print(f"{'':48}{'sessions':>9}{'µs/token':>10}{'ratio':>7}{'tokens/piece':>14}{'p95 ms':>8}{'ms/request':>12}")
        for name in NAMES:
            command = [sys.executable, "-m", "benchmarks.upstream_readers", *sys.argv[1:], "--only", name, url]
            run = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"OPENAI_BASE_URL": url})
            sessions, cpu, apiece, p95, request = orjson.loads(run.stdout.splitlines()[-1])
            least = least or cpu
            print(f"{name:48}{sessions:>9}{cpu:>10.1f}{cpu / least:>7.1f}{apiece:>14.2f}{p95:>8.2f}{request:>12.2f}", flush=True)
    finally:
        mock.terminate()
        mock.wait(5)


if __name__ == "__main__":
    main()
