"""Starts each peer on loopback beside the same mock provider and measures it with the same load."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import load, references
from benchmarks.findings import Findings, System, Tell
from benchmarks.load import Flow, Flowed
from benchmarks.meters import percentile
from benchmarks.peers import setup
from benchmarks.peers.clients import ChainlitSocket, OpenAiReader, OpenWebUiSocket
from benchmarks.scenarios import sessions
from benchmarks.scenarios.first_token import PAUSE, SHORT, TURNS, WARM, figures
from benchmarks.world import NotReady, World

START_SECONDS = 120.0
STEPS = (10, 15, 20, 25, 40, 50, 75, 100, 150)
HERE = Path(__file__).resolve().parent
MODEL = "mock-n3-d0"  # one that the mock lists; the question says how the answer is to be


@dataclass(frozen=True)
class Peer:
    """How a peer is started and read. `enter` opens so many readers."""

    title: str
    name: str
    command: Callable[[int], tuple[str, ...]]
    environment: Callable[[World], Mapping[str, str]]
    ready: str
    enter: Callable[[tuple[str, int], int], Awaitable[list[Any]]]


def _chainlit(port: int) -> tuple[str, ...]:
    return (setup.CHAINLIT.program("chainlit"), "run", str(HERE / "chainlit_app.py"), "--headless", "--port", str(port))


def _litellm(port: int) -> tuple[str, ...]:
    options = ("--config", "litellm.yaml", "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    return (setup.LITELLM.program("litellm"), *options)


def _open_webui(port: int) -> tuple[str, ...]:
    return (setup.OPEN_WEBUI.program("open-webui"), "serve", "--host", "127.0.0.1", "--port", str(port))


def _of_open_webui(world: World) -> dict[str, str]:
    """Without what is not a relay of text: titles, tags, follow-ups, retrieval, updates, telemetry."""
    upstream = world.environment["OPENAI_BASE_URL"]
    off = (
        *("ENABLE_OLLAMA_API", "ENABLE_VERSION_UPDATE_CHECK", "ENABLE_TITLE_GENERATION", "ENABLE_TAGS_GENERATION"),
        *("ENABLE_FOLLOW_UP_GENERATION", "ENABLE_AUTOCOMPLETE_GENERATION", "ANONYMIZED_TELEMETRY"),
    )
    on = ("OFFLINE_MODE", "DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "BYPASS_MODEL_ACCESS_CONTROL", "ENABLE_SIGNUP")
    return {
        "DATA_DIR": str(world.folder / "open-webui"),
        "OPENAI_API_BASE_URL": upstream,
        "OPENAI_API_KEY": "mock",
        "RAG_EMBEDDING_ENGINE": "openai",
        "RAG_OPENAI_API_BASE_URL": upstream,
        "RAG_OPENAI_API_KEY": "mock",
        "HF_HUB_OFFLINE": "1",
        "WEBUI_SECRET_KEY": world.environment["SECRET_KEY"],
        "DEFAULT_USER_ROLE": "user",
        "GLOBAL_LOG_LEVEL": "WARNING",
        **dict.fromkeys(off, "false"),
        **dict.fromkeys(on, "true"),
    }


async def _enter_chainlit(address: tuple[str, int], count: int) -> list[ChainlitSocket]:
    return list(await asyncio.gather(*(ChainlitSocket.enter(address) for _ in range(count))))


async def _enter_litellm(address: tuple[str, int], count: int) -> list[OpenAiReader]:
    return list(await asyncio.gather(*(OpenAiReader.open(address) for _ in range(count))))


_tokens: dict[tuple[str, int], list[str]] = {}


async def _enter_open_webui(address: tuple[str, int], count: int) -> list[OpenWebUiSocket]:
    """Adds as many people as are missing. The first signs up and is its administrator, who adds the others."""
    tokens = _tokens.setdefault(address, [])
    async with aiohttp.ClientSession(f"http://{address[0]}:{address[1]}") as http:
        while len(tokens) < count:
            number = len(tokens)
            person = {"name": f"Person {number}", "email": f"person-{number}@bench.example", "password": "correct-horse-battery"}
            where, headers = ("add", {"Authorization": f"Bearer {tokens[0]}"}) if tokens else ("signup", {})
            async with http.post(f"/api/v1/auths/{where}", json={**person, "role": "user"}, headers=headers) as response:
                said = await response.json()
                if response.status != 200:
                    raise NotReady(f"Open WebUI did not take person {number}: {said}")
            tokens.append(said["token"])
        # It knows a model only once somebody has asked for the list.
        async with http.get("/api/models", headers={"Authorization": f"Bearer {tokens[0]}"}) as response:
            await response.read()
    return list(await asyncio.gather(*(OpenWebUiSocket.enter(address, token=token, model=MODEL) for token in tokens[:count])))


PEERS = (
    Peer(references.OPEN_WEBUI, "openwebui", _open_webui, _of_open_webui, "/health", _enter_open_webui),
    Peer(references.CHAINLIT, "chainlit", _chainlit, lambda world: {"CHAINLIT_APP_ROOT": str(world.folder)}, "/", _enter_chainlit),
    Peer(references.LITELLM, "litellm", _litellm, lambda world: {"LITELLM_MASTER_KEY": "sk-bench"}, "/health/liveliness", _enter_litellm),
)


async def started_litellm(world: World) -> tuple[str, int]:
    """LiteLLM's proxy, started beside the world and ready; `world.end("litellm")` ends it."""
    (peer,) = (peer for peer in PEERS if peer.name == "litellm")
    _write_litellm_configuration(world)
    address = _start(world, peer)
    await _until_ready(world, peer, address)
    return address


async def run(world: World, *, seconds: float, tell: Tell) -> Findings:
    found = Findings()
    _write_litellm_configuration(world)
    for peer in PEERS:
        tell(f"Starting {peer.title}")
        address = _start(world, peer)
        await _until_ready(world, peer, address)
        await _first_token(peer, address, found=found, tell=tell)

        async def ask(flow: Flow, peer: Peer = peer, address: tuple[str, int] = address) -> Flowed:
            return await load.ask_readers(world, peer.name, await peer.enter(address, flow.sessions), flow)

        await sessions.climb(peer.title, STEPS, ask=ask, groups=(peer.name,), seconds=seconds, found=found, tell=tell)
        world.end(peer.name)
    return found


async def _first_token(peer: Peer, address: tuple[str, int], *, found: Findings, tell: Tell) -> None:
    tell(f"{peer.title}: first token")
    (reader,) = await peer.enter(address, 1)
    times = []
    for turn in range(WARM + TURNS):
        reader.heard.frames.clear()
        began = time.monotonic()
        reader.begin(SHORT)
        await asyncio.wait_for(reader.ended, 20)
        first = load.first_token_at(reader)
        if turn >= WARM and first:
            times.append(first - began)
        await asyncio.sleep(PAUSE)
    await reader.close()
    found.systems.append(System(peer.title, first_token_ms=percentile(times, 0.5) * 1e3))
    found.figures[f"{peer.title}, first token ms"] = figures(times)


def _start(world: World, peer: Peer) -> tuple[str, int]:
    """The peers open their port themselves: a free one is looked for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    extra = {"OPENAI_BASE_URL": world.environment["OPENAI_BASE_URL"], **peer.environment(world)}
    ours = ("PYTHONPATH", "DJANGO_SETTINGS_MODULE", "DATABASE_URL", "MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL")
    command = ("env", *(f"--unset={name}" for name in ours if name not in extra), "-C", str(world.folder), *peer.command(port))
    world.run(peer.name, command, extra=extra)
    return ("127.0.0.1", port)


async def _until_ready(world: World, peer: Peer, address: tuple[str, int]) -> None:
    end = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as http:
        while True:
            world.check()
            if time.monotonic() > end:
                raise NotReady(f"{peer.title} was not ready within {START_SECONDS:g} s. Its log is {world.folder / 'log' / peer.name}.log.")
            try:
                async with http.get(f"http://{address[0]}:{address[1]}{peer.ready}") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)


def _write_litellm_configuration(world: World) -> None:
    upstream = world.environment["OPENAI_BASE_URL"]
    (world.folder / "litellm.yaml").write_text(
        "model_list:\n"
        f"  - model_name: mock\n    litellm_params: {{model: openai/mock, api_base: {upstream}, api_key: mock}}\n"
        "litellm_settings: {num_retries: 0, request_timeout: 120, callbacks: []}\n"
        "general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}\n"
    )
