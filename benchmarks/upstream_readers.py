"""What it costs to read a provider's stream, by the ways there are: CPU microseconds a token in one event loop.

    python benchmarks/upstream_readers.py [--sessions 225] [--seconds 8]

A mock provider on loopback, in a process of its own, writes 50 tokens a second to every session; each way reads the same streams
to plain text and counts what it got. The figures are this process's CPU time over tokens, and its time for one whole request.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import django
import httpx2
import openai
import orjson
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DEBUG", "1")
RATE = 50  # tokens a second and session
SDK_SESSIONS = 40  # more of them than the SDK can serve would measure its queue


def ways(url: str) -> dict[str, tuple[Callable[[str], AsyncIterator[str]], int]]:
    """Name → (reader of one answer of a model, most sessions it is asked to serve)."""
    import aiohttp

    from integrations import wire
    from integrations.providers.base import ChatMessage, CompletionRequest, Ending
    from integrations.providers.event_stream import EventStream
    from integrations.providers.openai import OpenAI, Reading

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

    return {
        "ours (httptools, EventStream, orjson)": (our_reader, 10**6),
        "aiohttp, EventStream, orjson": (with_aiohttp, 10**6),
        "SDK's bytes over aiohttp, EventStream, orjson": (sdk_bytes(openai.DefaultAioHttpClient()), 10**6),
        "httpx2, EventStream, orjson": (with_httpx2, 10**6),
        "SDK's bytes over httpx2, EventStream, orjson": (sdk_bytes(openai.DefaultAsyncHttpxClient()), 10**6),
        "SDK's objects over aiohttp": (sdk_objects(openai.DefaultAioHttpClient()), SDK_SESSIONS),
        "SDK's objects over httpx2": (sdk_objects(openai.DefaultAsyncHttpxClient()), SDK_SESSIONS),
    }


async def measure(name: str, url: str, *, sessions: int, seconds: float) -> tuple[int, float, float, float]:
    """(sessions, CPU µs a token, p95 added milliseconds, CPU ms a request)."""
    read, most = ways(url)[name]
    sessions = min(sessions, most)
    added: list[float] = []

    async def one(nth: int) -> None:
        await asyncio.sleep(nth / sessions)  # not all in step
        async for text in read(f"mock-n{int(seconds * RATE)}-d{1000 // RATE}"):
            now = time.monotonic()
            added.extend(now - float(written) for written in text.split())

    began = time.process_time()
    await asyncio.gather(*(one(nth) for nth in range(sessions)))
    spent = time.process_time() - began
    if len(added) != sessions * int(seconds * RATE):
        raise SystemExit(f"{name}: {len(added)} tokens arrived of {sessions * int(seconds * RATE)}")

    async def short() -> None:
        async for _ in read("mock-n1-d0"):
            pass

    for _ in range(20):
        await short()
    began = time.process_time()
    for _ in range(200):
        await short()
    request = (time.process_time() - began) / 200
    return sessions, spent / len(added) * 1e6, sorted(added)[int(len(added) * 0.95)] * 1e3, request * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mock", required=True, help="the mock upstream's script: MOCK.py PORT")
    parser.add_argument("--port", type=int, default=9177)
    parser.add_argument("--sessions", type=int, default=225)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--only", help="measure this way in this process, and print it as JSON")
    arguments = parser.parse_args()
    url = f"http://127.0.0.1:{arguments.port}/v1"
    os.environ["OPENAI_BASE_URL"] = url
    django.setup()
    if arguments.only:
        found = uvloop.run(measure(arguments.only, url, sessions=arguments.sessions, seconds=arguments.seconds))
        print(orjson.dumps(found).decode(), flush=True)
        os._exit(0)  # connections that are kept alive need no farewell
    mock = subprocess.Popen([sys.executable, arguments.mock, str(arguments.port)])
    try:
        time.sleep(1)
        least = None
        print(f"{'':48}{'sessions':>9}{'µs/token':>10}{'ratio':>7}{'p95 ms':>8}{'ms/request':>12}")
        for name in ways(url):
            run = subprocess.run([sys.executable, *sys.argv, "--only", name], check=True, capture_output=True, text=True)
            sessions, cpu, p95, request = orjson.loads(run.stdout.splitlines()[-1])
            least = least or cpu
            print(f"{name:48}{sessions:>9}{cpu:>10.1f}{cpu / least:>7.1f}{p95:>8.2f}{request:>12.2f}", flush=True)
    finally:
        mock.terminate()
        mock.wait(5)


if __name__ == "__main__":
    main()
