"""Readers of a conversation that behave as the page does: over the socket, and over server-sent events.

Both keep a transcript by the contract alone, connect again wherever they can, resume with the last number they have, and send again
what was not acknowledged. Whatever breaks the contract raises at once: an event out of turn, a delta behind a hole.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Sequence
from typing import Any, Self

import aiohttp
import websockets
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.transcript import Transcript

PAUSE = 0.05  # seconds before connecting again
ACK_SECONDS = 10.0  # as the page waits for an acknowledgement


class Kept:
    """What a reader knows: the transcript, and the number of the last event."""

    def __init__(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self.transcript = Transcript()
        self.n = 0
        self.resets = 0
        self.joins = 0
        self.events = 0
        self.changed = asyncio.Event()

    def take(self, frame: dict[str, Any]) -> None:
        """Applies one frame of the contract."""
        if "reset" in frame or "joined" in frame:
            resumed = frame.get("joined") is not None and frame["snapshot"] is None
            if resumed:
                assert frame["n"] == self.n, f"asked to resume after {self.n}, was resumed after {frame['n']}"
            else:
                self.resets += "reset" in frame
                self.n = frame["n"]
                self.transcript.reset(frame["snapshot"])
            self.joins += 1
        elif "event" in frame:
            assert frame["conversation"] == self.conversation_id
            assert frame["n"] == self.n + 1, f"event {frame['n']} came after {self.n}"
            self.n = frame["n"]
            self.events += 1
            if frame["event"] in ("message", "delta"):
                self.transcript.apply(frame)
        self.changed.set()


class Page(Kept):
    """The socket of a tab. `ports` are web processes; a lost connection is followed by one to the next of them."""

    def __init__(self, conversation_id: str, *, ports: Sequence[int], key: str, organization: str = "acme") -> None:
        super().__init__(conversation_id)
        self.ports, self.headers, self.organization = list(ports), {"Authorization": f"Bearer {key}"}, organization
        self.unacknowledged: dict[str, str] = {}  # client_id → text
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.refused: list[dict[str, Any]] = []
        self.closed_with: list[int] = []
        self.drops = 0
        self.cut_every: int | None = None  # hang up after so many events of each connection
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._socket: websockets.asyncio.client.ClientConnection | None = None
        self._task: asyncio.Task | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await self.until(lambda: self.joins > 0)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def send(self, text: str) -> str:
        """Asks; comes back at once with the `client_id`, under which it is sent until somebody acknowledges it."""
        client_id = str(uuid.uuid4())
        self.unacknowledged[client_id] = text
        await self._send_what_waits(self._socket)
        return client_id

    async def request(self, **frame: Any) -> dict[str, Any]:
        """One frame and its answer; sent once. `ConnectionError` where the connection is lost meanwhile."""
        ref = str(uuid.uuid4())
        answer = self._answers[ref] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({**frame, "ref": ref}))
        return await asyncio.wait_for(answer, ACK_SECONDS)

    async def until(self, condition, *, seconds: float = 20.0, what: str = "") -> None:
        """Waits until the condition holds, looking again after every frame."""
        async with asyncio.timeout(seconds):
            while not condition():
                if self._task is not None and self._task.done():
                    self._task.result()
                    raise AssertionError("the reader ended")
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.2)

    def statuses(self) -> list[str]:
        return [message["status"] for message in self.transcript.messages()]

    def answer(self) -> dict[str, Any] | None:
        """The last answer as far as it is known."""
        return next((m for m in reversed(self.transcript.messages()) if m["role"] == "assistant"), None)

    async def _run(self) -> None:
        turn = 0
        while True:
            port = self.ports[turn % len(self.ports)]
            turn += 1
            headers = {name: value.replace("PORT", str(port)) for name, value in self.headers.items()}
            try:
                address = f"ws://127.0.0.1:{port}/ws/o/{self.organization}/"
                async with connect(address, additional_headers=headers, open_timeout=20, proxy=None, close_timeout=0.1) as socket:
                    await socket.send(
                        json.dumps({"do": "join", "conversation": self.conversation_id, **({"after": self.n} if self.n else {})})
                    )
                    self._socket = socket
                    await self._send_what_waits(socket)
                    await self._read(socket)
            except websockets.ConnectionClosed as closed:
                if closed.rcvd is not None:
                    self.closed_with.append(closed.rcvd.code)
            except (OSError, WebSocketException, TimeoutError, EOFError):
                pass
            finally:
                self._socket = None
                self.changed.set()
                for ref in list(self._answers):
                    if not (answer := self._answers.pop(ref)).done():
                        answer.set_exception(ConnectionError("the socket is gone"))
            await asyncio.sleep(PAUSE)

    async def _read(self, socket) -> None:
        heard = 0
        async for text in socket:
            frame = json.loads(text)
            self._settle(frame)
            if "event" in frame and "n" not in frame:
                continue  # who is there: said in passing, and no part of the transcript
            self.take(frame)
            heard += "event" in frame
            if self.cut_every is not None and heard >= self.cut_every:
                self.drops += 1
                socket.transport.abort()
                return

    def _settle(self, frame: dict[str, Any]) -> None:
        ref = frame.get("ack") or frame.get("ref")
        if ref in self._answers and not self._answers[ref].done():
            self._answers.pop(ref).set_result(frame)
        elif "ack" in frame and frame["ack"] in self.unacknowledged:
            del self.unacknowledged[frame["ack"]]
            self.acknowledged[frame["ack"]] = frame
        elif "error" in frame:
            self.refused.append(frame["error"])
            if frame.get("ref") in self.unacknowledged and frame["error"].get("retry_after"):
                asyncio.get_running_loop().call_later(0.3, lambda: asyncio.ensure_future(self._send_what_waits(self._socket)))

    async def _send_what_waits(self, socket) -> None:
        for client_id, text in list(self.unacknowledged.items()):
            if socket is None:
                return
            with contextlib.suppress(WebSocketException, OSError):
                await socket.send(
                    json.dumps({"do": "send", "conversation": self.conversation_id, "client_id": client_id, "text": text, "ref": client_id})
                )


class EventSource(Kept):
    """A reader of server-sent events, as browsers have it: `Last-Event-ID` when it connects again."""

    def __init__(self, conversation_id: str, *, ports: Sequence[int], key: str) -> None:
        super().__init__(conversation_id)
        self.ports, self.key = list(ports), key
        self.drops = 0
        self.cut_every: int | None = None
        self.refusals: list[int] = []
        self.ends = 0
        self._task: asyncio.Task | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await self.until(lambda: self.joins > 0)
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def until(self, condition, *, seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                if self._task.done():
                    self._task.result()
                    raise AssertionError("the reader ended")
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.2)

    async def _run(self) -> None:
        turn = 0
        timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                port = self.ports[turn % len(self.ports)]
                turn += 1
                headers = {"Authorization": f"Bearer {self.key}", "Accept": "text/event-stream"}
                if self.n:
                    headers["Last-Event-ID"] = str(self.n)
                address = f"http://127.0.0.1:{port}/api/v1/conversations/{self.conversation_id}/events"
                try:
                    async with session.get(address, headers=headers) as response:
                        if response.status == 200:
                            await self._read(response)
                            self.ends += 1
                        else:
                            self.refusals.append(response.status)
                except (aiohttp.ClientError, OSError, TimeoutError):
                    pass
                self.changed.set()
                await asyncio.sleep(PAUSE)

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        n, waiting, heard = None, b"", 0
        async for received in response.content.iter_any():
            *lines, waiting = (waiting + received).split(b"\n")
            for line in lines:
                if line.startswith(b"id: "):
                    n = int(line[4:])
                elif line.startswith(b"data: "):
                    frame = json.loads(line[6:])
                    assert n is None or frame["n"] == n, "the event's id is its number"
                    self.take(frame)
                    n = None
                    heard += "event" in frame
                    if self.cut_every is not None and heard >= self.cut_every:
                        self.drops += 1
                        response.close()
                        return
