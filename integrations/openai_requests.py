"""What a program sends to `/v1/chat/completions`, read and checked. What OpenAI documents is taken, or ignored where it means nothing here
(`store`, `user`, `service_tier`); what nobody documents is refused by name, since a typing error would otherwise go unseen."""

import asyncio
import base64
import binascii
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from PIL import Image

from integrations.providers.base import ChatMessage, Picture, ToolUse
from integrations.services.bridges import THREAD_LIMIT, Asked, Place

MESSAGES_LIMIT = 2_000
TOOLS_LIMIT = 128
PICTURES_LIMIT = 20
PICTURE_BYTES = 10 * 1024 * 1024
PICTURE_PIXELS = 40_000_000
PICTURE_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
PICTURE_TOKENS = 1_000  # about
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}

IGNORED = frozenset(
    {
        "store",
        "user",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prediction",
        "modalities",
        "metadata",
    }
)


class BadRequest(Exception):
    """What is wrong, and with which parameter."""

    def __init__(self, param: str | None, sentence: str, *, code: str = "bad_value") -> None:
        super().__init__(sentence)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`model` as the caller wrote it."""

    model: str
    asked: Asked
    streamed: bool
    include_usage: bool


async def read(body: bytes) -> ChatRequest:
    """Raises BadRequest. Images are looked at in a thread."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest(None, "The request's body is no JSON.", code="not_json") from None
    if not isinstance(said, dict):
        raise BadRequest(None, "Send a JSON object.", code="not_json")
    request = _read(said)
    if any(message.pictures for message in request.asked.messages):
        await asyncio.to_thread(_look_at, request)
    return request


def _read(said: dict[str, Any]) -> ChatRequest:
    for name in said:
        if name not in _KNOWN:
            raise BadRequest(name[:100], f"There is no parameter {name[:100]!r}. Take it out.", code="unknown_parameter")
    model = said.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= 200:
        raise BadRequest("model", "Name a model: the slug of a bridge.")
    parameters = {name: said[name] for name in _PARAMETERS if said.get(name) is not None}
    for name, value in parameters.items():
        fits, wanted = _PARAMETERS[name]
        if not fits(value):
            raise BadRequest(name, f"{name} must be {wanted}.")
    most = said.get("max_completion_tokens", said.get("max_tokens"))
    if most is not None:
        if not _is_count(most):
            raise BadRequest("max_tokens", "max_tokens must be a whole number from 1 to 1,000,000.")
        parameters["max_tokens"] = most
    if said.get("n") not in (None, 1):
        raise BadRequest("n", "One answer at a time: n must be 1.")
    if said.get("logprobs") or said.get("top_logprobs"):
        raise BadRequest("logprobs", "logprobs are not given here.")
    streamed = _flag(said, "stream")
    options = said.get("stream_options") or {}
    if not isinstance(options, dict) or options.keys() - {"include_usage", "include_obfuscation"}:
        raise BadRequest("stream_options", "stream_options may say include_usage.")
    asked = Asked(
        messages=_messages(said.get("messages")),
        values=_object(said, "variables"),
        parameters=parameters,
        tools=_tools(said.get("tools")),
        tool_choice=_tool_choice(said.get("tool_choice")),
        response_format=_response_format(said.get("response_format")),
        place=_place(said),
    )
    return ChatRequest(model, asked, streamed, streamed and _flag(options, "include_usage"))


def _flag(said: dict[str, Any], name: str) -> bool:
    value = said.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(name, f"{name} must be true or false.")
    return bool(value)


def _object(said: dict[str, Any], name: str) -> dict[str, Any]:
    value = said.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadRequest(name, f"{name} must be an object.")
    return value or {}


def _place(said: dict[str, Any]) -> Place | None:
    """`metadata.thread_id`, with `sub_thread_id` and `client_id`; other metadata is the caller's own."""
    metadata = _object(said, "metadata")
    found = {name: metadata[name] for name in ("thread_id", "sub_thread_id", "client_id") if name in metadata}
    for name, value in found.items():
        if not isinstance(value, str) or not 0 < len(value) <= THREAD_LIMIT or not value.isprintable():
            raise BadRequest(f"metadata.{name}", f"{name} is a text of 1 to {THREAD_LIMIT} characters.")
    if found and "thread_id" not in found:
        raise BadRequest("metadata.thread_id", f"Name the thread, too: thread_id belongs to {min(found)}.")
    return Place(**found) if found else None


# Messages --------------------------------------------------------------------------------------------------------------


def _messages(said: Any) -> tuple[ChatMessage, ...]:
    if not isinstance(said, list) or not 0 < len(said) <= MESSAGES_LIMIT:
        raise BadRequest("messages", f"messages must be a list of 1 to {MESSAGES_LIMIT:,}.")
    messages = tuple(_message(one, f"messages.{at}") for at, one in enumerate(said))
    if sum(len(message.pictures) for message in messages) > PICTURES_LIMIT:
        raise BadRequest("messages", f"{PICTURES_LIMIT} images are the most.")
    return messages


def _message(said: Any, at: str) -> ChatMessage:
    if not isinstance(said, dict):
        raise BadRequest(at, "A message must be an object.")
    if strange := said.keys() - {
        "role",
        "content",
        "name",
        "tool_calls",
        "tool_call_id",
        "refusal",
        "audio",
        "annotations",
        "function_call",
    }:
        name = str(min(strange))[:100]
        raise BadRequest(f"{at}.{name}", f"A message has no {name!r}.", code="unknown_parameter")
    role = ROLES.get(str(said.get("role")))
    if role is None:
        raise BadRequest(f"{at}.role", f"role must be one of {', '.join(ROLES)}.")
    uses = _uses(said.get("tool_calls"), f"{at}.tool_calls") if role == "assistant" else ()
    text, pictures = _content(said.get("content"), f"{at}.content", may_be_empty=role == "assistant")
    if pictures and role != "user":
        raise BadRequest(f"{at}.content", "Only a user's message has images.")
    answers = said.get("tool_call_id", "") if role == "tool" else ""
    if not isinstance(answers, str) or (role == "tool" and not answers):
        raise BadRequest(f"{at}.tool_call_id", "A tool's message says which call it answers.")
    return ChatMessage(role, text, pictures, uses, answers)


def _content(said: Any, at: str, *, may_be_empty: bool) -> tuple[str, tuple[Picture, ...]]:
    if said is None and may_be_empty:
        return "", ()
    if isinstance(said, str):
        return said, ()
    if not isinstance(said, list):
        raise BadRequest(at, "content must be a text, or a list of parts.")
    texts: list[str] = []
    pictures: list[Picture] = []
    for place, part in enumerate(said):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "refusal") and isinstance(part.get(kind), str):
            texts.append(part[kind])
        elif kind == "image_url" and isinstance(part.get("image_url"), dict):
            pictures.append(_picture(part["image_url"].get("url"), f"{at}.{place}", len(pictures) + 1))
        else:
            raise BadRequest(f"{at}.{place}", "A part is {type: text, text} or {type: image_url, image_url: {url}}.")
    return "\n".join(texts), tuple(pictures)


def _picture(url: Any, at: str, number: int) -> Picture:
    if not isinstance(url, str) or not url.startswith("data:"):
        raise BadRequest(at, "Send an image itself, as a data: URL. Addresses of images are not fetched.")
    head, _, text = url.partition(",")
    if not head.endswith(";base64"):
        raise BadRequest(at, "An image's data: URL is written in base64.")
    if len(text) > PICTURE_BYTES * 4 // 3 + 4:
        raise BadRequest(at, f"An image may have {PICTURE_BYTES // 1024**2} MiB.")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise BadRequest(at, "The image is not written in base64.") from None
    return Picture(f"image {number}", head[5:-7], data, PICTURE_TOKENS)


def _look_at(request: ChatRequest) -> None:
    """That each image is one, of the type that it says."""
    for at, message in enumerate(request.asked.messages):
        for picture in message.pictures:
            try:
                with Image.open(io.BytesIO(picture.data), formats=tuple(PICTURE_TYPES)) as image:
                    kind, pixels = PICTURE_TYPES[image.format or ""], image.width * image.height
                    if pixels <= PICTURE_PIXELS:
                        image.verify()
            except Exception:
                raise BadRequest(f"messages.{at}", f"{picture.name} cannot be read. Send PNG, JPEG, WebP or GIF.") from None
            if pixels > PICTURE_PIXELS:
                raise BadRequest(f"messages.{at}", f"{picture.name} has more than {PICTURE_PIXELS:,} pixels. Make it smaller.")
            if kind != picture.type:
                raise BadRequest(f"messages.{at}", f"{picture.name} is {kind}, and says that it is {picture.type[:50]!r}.")


# Tools -----------------------------------------------------------------------------------------------------------------


def _uses(said: Any, at: str) -> tuple[ToolUse, ...]:
    if said is None:
        return ()
    try:
        uses = tuple(ToolUse(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in said)
    except (TypeError, KeyError):
        raise BadRequest(at, "A tool's call is {id, type: function, function: {name, arguments}}.") from None
    if not all(isinstance(part, str) for use in uses for part in (use.id, use.name, use.arguments)):
        raise BadRequest(at, "id, name and arguments of a tool's call are texts.")
    return uses


def _tools(said: Any) -> tuple[dict[str, Any], ...]:
    if said is None:
        return ()
    if not isinstance(said, list) or len(said) > TOOLS_LIMIT:
        raise BadRequest("tools", f"tools must be a list of {TOOLS_LIMIT} at most.")
    for at, tool in enumerate(said):
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadRequest(f"tools.{at}", "A tool is {type: function, function: {name, description, parameters}}.")
    return tuple(said)


def _tool_choice(said: Any) -> Any:
    if said is None or said in ("none", "auto", "required"):
        return said
    if isinstance(said, dict) and said.get("type") == "function" and isinstance(said.get("function"), dict):
        return said
    raise BadRequest("tool_choice", "tool_choice is none, auto, required, or {type: function, function: {name}}.")


def _response_format(said: Any) -> dict[str, Any] | None:
    if said is None:
        return None
    kind = said.get("type") if isinstance(said, dict) else None
    if kind == "text":
        return None
    if kind == "json_object" or (kind == "json_schema" and isinstance(said.get("json_schema"), dict)):
        return said
    raise BadRequest("response_format", "response_format is {type: text}, {type: json_object} or {type: json_schema, json_schema}.")


# Parameters ------------------------------------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000


def _between(least: float, most: float) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: _is_number(value) and least <= value <= most), f"a number from {least:g} to {most:g}"


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and len(value) <= 4 and all(isinstance(one, str) for one in value))


def _is_bias(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= 1_000 and all(_is_number(one) for one in value.values())


_PARAMETERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "temperature": _between(0, 2),
    "top_p": _between(0, 1),
    "presence_penalty": _between(-2, 2),
    "frequency_penalty": _between(-2, 2),
    "stop": (_is_stop, "a text, or a list of four at most"),
    "seed": (lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63, "a whole number"),
    "logit_bias": (_is_bias, "an object of numbers"),
    "parallel_tool_calls": (lambda value: isinstance(value, bool), "true or false"),
    "reasoning_effort": (lambda value: value in ("none", "minimal", "low", "medium", "high", "xhigh"), "low, medium or high"),
    "verbosity": (lambda value: value in ("low", "medium", "high"), "low, medium or high"),
}

_KNOWN = {
    *("model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format", "n", "logprobs", "top_logprobs"),
    *("max_tokens", "max_completion_tokens", "variables"),
    *IGNORED,
    *_PARAMETERS,
}
