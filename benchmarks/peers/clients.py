"""How a reader talks to each peer: as its own page does, with the same lean sockets that read Parley."""

import asyncio
import time
import uuid
from typing import Any, Self

import orjson

from benchmarks.sockets import Refused, Socket
from benchmarks.tokens import Heard


class SocketIo(Socket):
    """Socket.IO over one WebSocket: `0` opens, `2` and `3` are ping and pong, `40` joins, `42` is an event."""

    def __init__(self, *, auth: dict[str, Any]) -> None:
        super().__init__()
        self.auth = auth
        self.sid = ""
        self.heard = Heard()
        self.joined: asyncio.Future[None] = self.loop.create_future()
        self.ended: asyncio.Future[str] = self.loop.create_future()

    @classmethod
    async def enter(cls, address: tuple[str, int], **details: Any):
        socket = await cls.open(address, "/ws/socket.io/?EIO=4&transport=websocket", **details)
        await asyncio.wait_for(socket.joined, 20)
        return socket

    def receive(self, now: float, frame: bytes) -> None:
        if frame.startswith(b"42"):
            self.event(now, frame)
        elif frame == b"2":
            self._write(0x81, b"3")
        elif frame.startswith(b"40"):
            self.sid = orjson.loads(frame[2:])["sid"]
            self.joined.set_result(None)
        elif frame.startswith(b"44"):
            self.joined.set_exception(Refused(frame.decode()))
        elif frame.startswith(b"0"):
            self._write(0x81, b"40" + orjson.dumps(self.auth))

    def event(self, now: float, frame: bytes) -> None:
        raise NotImplementedError

    def emit(self, *event: Any) -> None:
        self._write(0x81, b"42" + orjson.dumps(event))

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result("sent")

    def fault(self) -> str:
        return ""

    def connection_lost(self, problem: Exception | None) -> None:
        super().connection_lost(problem)
        for future in (self.joined, self.ended):
            if not future.done():
                future.set_exception(Refused("The server closed the socket."))
                future.exception()


class ChainlitSocket(SocketIo):
    """A tab of a Chainlit application."""

    def __init__(self) -> None:
        auth = {"clientType": "webapp", "sessionId": str(uuid.uuid4()), "threadId": "", "userEnv": "{}", "chatProfile": ""}
        super().__init__(auth=auth)

    @classmethod
    async def enter(cls, address: tuple[str, int], **details: Any) -> "ChainlitSocket":
        socket = await super().enter(address, **details)
        socket.emit("connection_successful")
        await asyncio.sleep(0.05)
        return socket

    def event(self, now: float, frame: bytes) -> None:
        if b"stream_token" in frame[:20] or b"stream_start" in frame[:20]:
            self.heard.frames.append((now, frame))
        elif b"task_end" in frame[:14]:
            self.end()

    def begin(self, text: str) -> None:
        self.ended = self.loop.create_future()
        message = {"id": str(uuid.uuid4()), "threadId": "", "name": "user", "type": "user_message", "output": text}
        self.emit("client_message", {"message": {**message, "createdAt": "2026-01-01T00:00:00Z"}, "fileReferences": []})


class OpenWebUiSocket(SocketIo):
    """A tab of Open WebUI: questions go by HTTP, the answer comes over the socket. One person a tab: it tells all tabs of a person."""

    def __init__(self, *, token: str, model: str) -> None:
        super().__init__(auth={"token": token})
        self.token, self.model = token, model
        self.heard.cumulative = True
        self.http: Http | None = None

    @classmethod
    async def enter(cls, address: tuple[str, int], **details: Any) -> "OpenWebUiSocket":
        socket = await super().enter(address, **details)
        socket.emit("user-join", {"auth": {"token": socket.token}})
        socket.http = await Http.open(address)
        await asyncio.sleep(0.02)
        return socket

    def event(self, now: float, frame: bytes) -> None:
        if b"chat:completion" in frame or b"chat:message" in frame or b"response." in frame:
            self.heard.frames.append((now, frame))
            if b'"done":true' in frame or b'"done": true' in frame:
                self.end()

    def begin(self, text: str) -> None:
        self.ended = self.loop.create_future()
        asked = {
            "model": self.model,
            "stream": True,
            "messages": [{"role": "user", "content": text}],
            "session_id": self.sid,
            "chat_id": f"local:{self.sid}",
            "id": str(uuid.uuid4()),
            "params": {},
            "features": {},
            "background_tasks": {},
        }
        assert self.http is not None
        self.http.post("/api/chat/completions", asked, token=self.token)

    async def close(self) -> None:
        if self.http is not None:
            self.http.drop()
        await super().close()


class Http(asyncio.Protocol):
    """One HTTP connection, which streams the answers to what is posted on it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.authority = f"{address[0]}:{address[1]}"
        self.transport: asyncio.Transport | None = None
        self.heard = Heard()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._rest = b""

    @classmethod
    async def open(cls, address: tuple[str, int]) -> Self:
        _, connection = await asyncio.get_running_loop().create_connection(lambda: cls(address), *address)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, problem: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(Refused("The server closed the connection."))
            self.ended.exception()

    def post(self, path: str, value: Any, *, token: str) -> None:
        body = orjson.dumps(value)
        lines = (
            f"POST {path} HTTP/1.1",
            f"Host: {self.authority}",
            "Content-Type: application/json",
            f"Authorization: Bearer {token}",
            f"Content-Length: {len(body)}",
        )
        assert self.transport is not None
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def data_received(self, data: bytes) -> None:
        """Whole lines are kept, so that no token is cut in two."""
        now = time.monotonic()
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        self.heard.frames.append((now, data[:end]))
        if data.endswith(b"0\r\n\r\n") and not self.ended.done():
            self.ended.set_result("sent")

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class OpenAiReader(Http):
    """A program that reads from a gateway as OpenAI's clients do."""

    path, model, token = "/v1/chat/completions", "mock", "sk-bench"

    @classmethod
    async def enter(cls, address: tuple[str, int], *, model: str, token: str, path: str = path) -> "OpenAiReader":
        reader = await cls.open(address)
        reader.model, reader.token, reader.path = model, token, path
        return reader

    def begin(self, text: str, *, stream: bool = True) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        asked = {"model": self.model, "stream": stream, "messages": [{"role": "user", "content": text}]}
        self.post(self.path, asked, token=self.token)

    def fault(self) -> str:
        return ""

    async def close(self) -> None:
        self.drop()
