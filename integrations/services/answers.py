"""A bridge's answer for synchronous code: REST, in one piece or as events. The answer itself is made on the process's own loop."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from django.core.exceptions import ValidationError

from config import loop
from integrations import access, variables
from integrations.errors import NotAnswered
from integrations.providers.base import ChatMessage, ProviderError
from integrations.services import bridges, configurations, threads
from integrations.services.bridges import Answered, Asked, Caller, Place
from integrations.services.configurations import LiveBridge
from integrations.services.threads import Asking
from tenants import roles
from tenants.models import ApiKey, Membership


@dataclass(frozen=True, slots=True)
class Saying:
    """An answer under way: its first piece is there, so that what goes wrong before it can be told as an error."""

    live: LiveBridge
    asking: Asking
    first: str | Answered
    rest: AsyncGenerator[str | Answered, None]


def begin(
    membership: Membership,
    slug: str,
    *,
    label: str = "",
    text: str = "",
    messages: Sequence[tuple[str, str]] = (),
    values: dict[str, Any],
    place: Place | None = None,
    api_key: ApiKey | None = None,
    streamed: bool = False,
) -> Saying:
    """Asks and waits for the first piece. Raises `Forbidden`, `NoSuchBridge`, `ValidationError`, ThreadRefused and NotAnswered."""
    roles.require(membership, access.CALL)
    live = configurations.published(membership.organization_id, slug, label=label)
    caller = Caller(
        membership=membership,
        api_key_id=None if api_key is None else str(api_key.pk),
        api_key_name="" if api_key is None else api_key.name,
    )
    said = tuple(ChatMessage(role, words) for role, words in messages)
    asked = Asked(text=text, messages=said, values=values, place=place)
    try:
        request = bridges.request_of(live, caller, asked)
    except variables.VariableError as error:
        raise ValidationError({"variables": error.sentence}) from error
    if not any(message.role == "user" for message in request.messages):
        raise ValidationError({"text": "Ask something: neither the template nor the question says anything."})
    asking = loop.run(threads.ask(live, caller, asked, request, streamed=streamed))
    try:
        return Saying(live, asking, loop.run(_next(asking.source)), asking.source)
    except ProviderError as error:
        raise NotAnswered(error) from error


def whole(saying: Saying) -> dict[str, Any]:
    """The whole answer. Raises NotAnswered."""
    texts: list[str] = []
    piece = saying.first
    try:
        while not isinstance(piece, Answered):
            texts.append(piece)
            piece = loop.run(_next(saying.rest))
    except ProviderError as error:
        raise NotAnswered(error) from error
    return _as_json(saying, "".join(texts), piece)


async def events(saying: Saying) -> AsyncIterator[bytes]:
    """As server-sent events. Whoever hangs up ends the call."""
    texts: list[str] = []
    piece = saying.first
    try:
        while not isinstance(piece, Answered):
            texts.append(piece)
            yield _event({"text": piece})
            piece = await asyncio.wrap_future(loop.submit(_next(saying.rest)))
        yield _event({"answer": _as_json(saying, "".join(texts), piece)})
    except ProviderError as error:
        yield _event({"error": {"code": error.code.value, "detail": error.sentence}})
    finally:
        loop.submit(saying.rest.aclose())


async def _next(source: AsyncGenerator[str | Answered, None]) -> str | Answered:
    return await anext(source)


def _event(said: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(said) + b"\n\n"


def _as_json(saying: Saying, text: str, answered: Answered) -> dict[str, Any]:
    thread = saying.asking.thread
    return {
        "text": text,
        "conversation": None if thread is None else thread.conversation_id,
        "message": None if thread is None else thread.message_id,
        "model": answered.model,
        "version": saying.live.number,
        "finish_reason": answered.finish_reason,
        "usage": {
            "input_tokens": answered.usage.input_tokens,
            "output_tokens": answered.usage.output_tokens,
            "cost": None if answered.cost is None else f"{answered.cost.normalize():f}",
        },
        "tools": [asdict(run) for run in answered.tool_runs],
        "from_cache": answered.from_cache,
    }
