"""The gateway that any OpenAI client can talk to: `/v1/chat/completions` and `/v1/models`. A `model` is a bridge's slug.

It stands before Django, whose middleware is made for pages and costs more than everything that is done here. So it sees to itself what
they would: whose key it is, what may be asked, and that who hangs up is not written for any longer. Errors have OpenAI's shape.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import orjson
import uuid_utils.compat as uuid
from django.db import DatabaseError, InterfaceError
from prometheus_client import Counter

from config import loop, mongo, redis
from integrations import access, limits, openai_requests
from integrations.errors import BudgetExceeded, LimitReached, NoSuchBridge, ThreadRefused
from integrations.models import Bridge
from integrations.openai_requests import BadRequest, ChatRequest
from integrations.providers.base import Code, ProviderError, Usage
from integrations.services import bridges, configurations, threads
from integrations.services.bridges import Answered, Caller
from integrations.services.threads import Asking
from integrations.variables import VariableError
from tenants import authentication, roles, scoping
from tenants.authentication import bearer, hash_of

log = logging.getLogger(__name__)

PREFIX = "/v1/"
BODY_LIMIT = 20 * 1024 * 1024
REMEMBERED_SECONDS = 1.7  # that a key is believed without being looked up: a revoked one is out within two seconds
LOOK_AGAIN_SECONDS = 0.7  # after which a key in use is looked up again, beside the request: who asks all the time never waits for it
REMEMBERED_KEYS = 10_000
AWAY_SECONDS = 2

REQUESTS = Counter("parley_gateway_requests_total", "Requests to the OpenAI-compatible gateway, by their status.", ["status"])

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Refused(Exception):
    """What is answered instead, in OpenAI's shape."""

    def __init__(
        self, status: int, kind: str, sentence: str, *, code: str, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.body = {"error": {"message": sentence, "type": kind, "param": param, "code": code}}
        self.retry_after = retry_after


class _Gone(Exception):
    """The client hung up before it had said what it wants."""


class Gateway:
    """ASGI: `/v1/…` is answered here, everything else by Django."""

    def __init__(self, django: Any) -> None:
        self.django = django

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(PREFIX):
            await self.django(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            await _serve(scope, receive, answer)
        except _Gone:
            return
        except Refused as refused:
            await answer.refuse(refused)
        except ProviderError as error:
            await answer.refuse(refusal_of(error), error.headers if isinstance(error, BudgetExceeded) else {})
        except LimitReached as limit:
            sentence = str(limit)
            await answer.refuse(Refused(429, "rate_limit_error", sentence, code=limit.code, retry_after=limit.retry_after), limit.headers)
        except (DatabaseError, InterfaceError, *mongo.AWAY, *redis.AWAY) as problem:
            log.warning("A store is away: %s", problem)
            sentence = "A store is away at the moment. Try again in a few seconds."
            await answer.refuse(Refused(503, "server_error", sentence, code="store_away", retry_after=AWAY_SECONDS))
        except Exception:
            log.exception("A request to the gateway failed.")
            await answer.refuse(Refused(500, "server_error", "Something went wrong here. It is in our log.", code="internal_error"))
        REQUESTS.labels(answer.status).inc()


class _Answer:
    """What goes to the client. `begun` once its status has left: then an error can only be told in the stream."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.streamed = False
        self.status = 0
        self.headers: dict[str, str] = {}  # sent with whatever is answered

    async def begin(self, status: int, kind: bytes, headers: Mapping[str, str], *, length: int | None = None) -> None:
        self.begun, self.status = True, status
        self.streamed = length is None
        sent = [(b"content-type", kind), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
        sent += [(name.lower().encode(), value.encode()) for name, value in {**self.headers, **headers}.items()]
        if length is not None:
            sent.append((b"content-length", str(length).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": sent})

    async def more(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": data})

    async def json(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
        data = orjson.dumps(body)
        await self.begin(status, b"application/json", headers, length=len(data))
        await self.end(data)

    async def refuse(self, refused: Refused, more: Mapping[str, str] = MappingProxyType({})) -> None:
        if self.begun:
            if self.streamed:
                await self.end(b"data: " + orjson.dumps(refused.body) + b"\n\n")
            return
        headers = dict(more)
        if refused.retry_after is not None:
            headers["retry-after"] = str(max(1, round(refused.retry_after)))
        if refused.status == 401:
            headers["www-authenticate"] = 'Bearer realm="Parley"'
        await self.json(refused.status, refused.body, headers)


# Who asks --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    may_call: bool
    at: float


_known: dict[str, _Known] = {}
_looking: dict[str, asyncio.Task[_Known | None]] = {}


def forget() -> None:
    """Every key is looked up again."""
    _known.clear()


async def _caller(scope: Scope) -> Caller:
    header = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"), None)
    key = bearer(header)
    if key is None:
        sentence = "Send the API key of your organization: Authorization: Bearer parley_…"
        raise Refused(401, "invalid_request_error", sentence, code="missing_api_key")
    hashed = hash_of(key)
    known = _known.get(hashed)
    age = time.monotonic() - known.at if known else float("inf")
    if age > LOOK_AGAIN_SECONDS and hashed not in _looking:
        _looking[hashed] = task = asyncio.ensure_future(_look_up(key, hashed))
        task.add_done_callback(partial(_looked, hashed))
    if age > REMEMBERED_SECONDS:
        known = await asyncio.shield(_looking[hashed])
    if known is None:
        raise Refused(401, "invalid_request_error", "This API key is not valid. Ask staff for a new one.", code="invalid_api_key")
    if not known.may_call:
        sentence = "The role of this key's member may not ask bridges. Ask an owner of your organization."
        raise Refused(403, "invalid_request_error", sentence, code="forbidden")
    return known.caller


def _looked(hashed: str, task: "asyncio.Task[_Known | None]") -> None:
    _looking.pop(hashed, None)
    if not task.cancelled() and (problem := task.exception()) is not None:
        log.warning("A key could not be looked up: %s", problem)  # who waits for it is told


async def _look_up(key: str, hashed: str) -> _Known | None:
    """Whose key it is, remembered as of the moment when it began to look."""
    at = time.monotonic()
    await roles.refresh()
    found = await loop.in_thread(authentication.api_key_of, key)
    if found is None:
        _known.pop(hashed, None)
        return None
    if len(_known) >= REMEMBERED_KEYS:
        _known.clear()
    caller = Caller(membership=found.membership, api_key_id=str(found.pk), api_key_name=found.name)
    known = _known[hashed] = _Known(caller, roles.may(found.membership, access.CALL), at)
    return known


# What is asked ---------------------------------------------------------------------------------------------------------


async def _serve(scope: Scope, receive: Receive, answer: _Answer) -> None:
    method, path = scope["method"], scope["path"].removeprefix(PREFIX).rstrip("/")
    caller = await _caller(scope)
    if path == "models" or path.startswith("models/"):
        _require(method, "GET")
        await _models(caller, path.removeprefix("models").strip("/"), answer)
    elif path == "chat/completions":
        _require(method, "POST")
        await _complete(caller, await _body(receive), receive, answer)
    else:
        raise Refused(404, "invalid_request_error", f"There is no {PREFIX}{path[:100]} here.", code="unknown_url")


def _require(method: str, wanted: str) -> None:
    if method != wanted:
        raise Refused(405, "invalid_request_error", f"Ask with {wanted} here.", code="method_not_allowed")


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_LIMIT:
            sentence = f"The request is larger than {BODY_LIMIT // 1024**2} MiB. Send less."
            raise Refused(413, "invalid_request_error", sentence, code="too_large")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _models(caller: Caller, name: str, answer: _Answer) -> None:
    organization_id = caller.membership.organization_id

    def read() -> list[Bridge]:
        with scoping.tenant(organization_id):
            return list(Bridge.objects.for_tenant(organization_id).filter(is_active=True, published__isnull=False).order_by("slug")[:1_000])

    found = [_model(bridge) for bridge in await loop.in_thread(read)]
    if not name:
        await answer.json(200, {"object": "list", "data": found}, {})
        return
    for model in found:
        if model["id"] == name:
            await answer.json(200, model, {})
            return
    raise _no_such_model(name)


def _model(bridge: Bridge) -> dict[str, Any]:
    return {"id": bridge.slug, "object": "model", "created": int(bridge.created_at.timestamp()), "owned_by": "parley"}


def _no_such_model(name: str) -> Refused:
    sentence = f"The model {name[:100]!r} does not exist, or you have no access to it. GET /v1/models lists those there are."
    return Refused(404, "invalid_request_error", sentence, code="model_not_found", param="model")


async def _complete(caller: Caller, body: bytes, receive: Receive, answer: _Answer) -> None:
    try:
        asked = await openai_requests.read(body)
    except BadRequest as problem:
        raise Refused(400, "invalid_request_error", str(problem), code=problem.code, param=problem.param) from None
    place = asked.asked.place
    left = await limits.take(caller.membership.organization_id, "completions", place.thread_id if place else None)
    answer.headers |= {} if left is None else left.headers()
    slug, label = configurations.named(asked.model)
    try:
        live = await configurations.live_bridge(caller.membership.organization_id, slug, label=label)
        request = bridges.request_of(live, caller, asked.asked)
    except NoSuchBridge:
        raise _no_such_model(asked.model) from None
    except VariableError as problem:
        raise Refused(400, "invalid_request_error", problem.sentence, code="bad_variable", param=f"variables.{problem.name}") from None
    if not any(message.role != "system" for message in request.messages):
        raise Refused(400, "invalid_request_error", "Send at least one message.", code="bad_value", param="messages")
    try:
        asking = await threads.ask(live, caller, asked.asked, request, streamed=asked.streamed)
    except ThreadRefused as problem:
        param = problem.field and f"metadata.{problem.field}"
        raise Refused(problem.http_status, "invalid_request_error", str(problem), code=problem.code, param=param) from None
    answer.headers |= {"X-Parley-Version": str(live.number), "X-Parley-Cache": "hit" if asking.from_cache else "miss"}
    work = asyncio.ensure_future((_streamed if asked.streamed else _whole)(asked, asking, answer))
    gone = asyncio.ensure_future(_hung_up(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        await asking.source.aclose()
    if not work.cancelled():
        work.result()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _whole(asked: ChatRequest, asking: Asking, answer: _Answer) -> None:
    texts: list[str] = []
    async for piece in asking.source:
        if isinstance(piece, Answered):
            message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None, "refusal": None}
            if piece.tool_uses:
                message["tool_calls"] = _tool_calls(piece)
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(piece)}
            body = {**_head("chat.completion", asked), "choices": [choice], "usage": _usage(piece.usage)}
            await answer.json(200, body, asking.headers())
        else:
            texts.append(piece)


async def _streamed(asked: ChatRequest, asking: Asking, answer: _Answer) -> None:
    """Nothing leaves before the first text, so that what goes wrong until then has a status of its own."""
    head = orjson.dumps(_head("chat.completion.chunk", asked))[:-1]
    nothing = b',"usage":null' if asked.include_usage else b""
    before, after = (
        b"data: " + head + nothing + b',"choices":[{"index":0,"delta":{"content":',
        b'},"logprobs":null,"finish_reason":null}]}\n\n',
    )

    def chunk(delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return b"data: " + head + nothing + b',"choices":[' + orjson.dumps(choice) + b"]}\n\n"

    async for piece in asking.source:
        if not answer.begun:
            await answer.begin(200, b"text/event-stream; charset=utf-8", asking.headers())
            await answer.more(chunk({"role": "assistant", "content": "", "refusal": None}))
        if not isinstance(piece, Answered):
            await answer.more(before + orjson.dumps(piece) + after)
            continue
        last = b""
        if piece.tool_uses:
            last += chunk({"tool_calls": [{"index": at, **call} for at, call in enumerate(_tool_calls(piece))]})
        last += chunk({}, _reason(piece))
        if asked.include_usage:
            last += b"data: " + head + b',"choices":[],"usage":' + orjson.dumps(_usage(piece.usage)) + b"}\n\n"
        await answer.end(last + b"data: [DONE]\n\n")


def _head(kind: str, asked: ChatRequest) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid7().hex}", "object": kind, "created": int(time.time()), "model": asked.model}


def _reason(answered: Answered) -> str:
    return "tool_calls" if answered.tool_uses else answered.finish_reason


def _tool_calls(answered: Answered) -> list[dict[str, Any]]:
    return [{"id": use.id, "type": "function", "function": {"name": use.name, "arguments": use.arguments}} for use in answered.tool_uses]


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


_STATUS: dict[Code, tuple[int, str]] = {
    Code.BUDGET: (402, "insufficient_quota"),
    Code.RATE_LIMITED: (429, "rate_limit_error"),
    Code.TIMEOUT: (504, "upstream_error"),
    Code.UNAVAILABLE: (503, "upstream_error"),
    Code.CONTENT_FILTERED: (400, "invalid_request_error"),
    Code.TOO_LONG: (400, "invalid_request_error"),
}


def refusal_of(error: ProviderError) -> Refused:
    """A provider's error as ours: that it does not take our key is not that we do not take the caller's."""
    status, kind = _STATUS.get(error.code, (502, "upstream_error"))
    if error.code == Code.REFUSED and error.http_status is not None and 400 <= error.http_status < 500:
        status, kind = 400, "invalid_request_error"
    if error.code == Code.RATE_LIMITED and error.permanent:
        status, kind = 502, "upstream_error"  # our credit is used up: asking again does not help
    return Refused(status, kind, error.sentence, code=error.code.value, retry_after=error.retry_after)
