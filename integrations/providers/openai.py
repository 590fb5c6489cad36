"""Anything that speaks OpenAI's chat completions: OpenAI itself, vLLM, llama.cpp, Ollama, Azure, OpenRouter.

The SDK gives the types that the request is checked against and nothing at run time: it builds a dozen objects per chunk, which
costs more than everything else we do with a token (`docs/decisions/reading-the-upstream-stream.md`). The tests read the same streams
with the SDK and compare.
"""

import email.utils
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from integrations import egress, wire
from integrations.providers import prices
from integrations.providers.base import ChatMessage, Code, CompletionRequest, Ending, ProviderError, ToolUse, Usage
from integrations.providers.event_stream import EventStream, EventTooLarge

if TYPE_CHECKING:
    from openai.types.chat.completion_create_params import CompletionCreateParams

OPENAI = "https://api.openai.com/v1"
AFTER_THE_END = 5.0  # seconds that a server may take for usage and the end mark once it has said why it stopped
ERROR_BODY = 16 * 1024  # bytes of an error's body that are read


class OpenAI:
    """One server and one key; `own` as `egress.destination` has it. Belongs to the event loop that it is first used in."""

    name = "openai"

    def __init__(self, *, base_url: str, api_key: str, limits: wire.Limits, own: Iterable[str] | None = None) -> None:
        self.base_url = base_url or OPENAI
        self._client = wire.Client(egress.destination(self.base_url, own=own), limits=limits)
        self._whole = replace(limits, first=limits.total)
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "parley",
            **({"Authorization": f"Bearer {api_key}"} if api_key else {}),
        }
        self._openais_own = self._client.to.host == "api.openai.com"

    async def stream(self, request: CompletionRequest, *, model: str) -> AsyncGenerator[str | Ending, None]:
        """Yields the text of one network read as one string, then the Ending. Closing it closes the connection at once."""
        response = await self._ask(request, model=model, streamed=True)
        answer = Reading(model=model)
        events = EventStream()
        try:
            while not answer.over:
                data = await response.read()
                if text := answer.take(events.feed(data) if data else events.close(), cut=not data):
                    yield text
                if answer.problem is not None:
                    raise answer.problem
                if not data:
                    break
                if answer.finish_reason and not answer.over:
                    response.shorten(AFTER_THE_END)
        except EventTooLarge as problem:
            raise _malformed("an event larger than allowed") from problem
        except wire.WireError as problem:
            if not answer.finish_reason:
                raise _broken(problem, begun=answer.begun) from problem
        finally:
            response.close(over=answer.over)
        yield answer.ending()

    async def complete(self, request: CompletionRequest, *, model: str) -> tuple[str, Ending]:
        """The whole answer in one piece."""
        # Nothing arrives before all is written: the wait for the first byte is the wait for the whole answer.
        response = await self._ask(request, model=model, streamed=False)
        try:
            body = await response.whole(at_most=self._client.limits.body)
        except wire.WireError as problem:
            raise _broken(problem, begun=False) from problem
        finally:
            response.close()
        answer = Reading(model=model)
        text = answer.take_whole(body)
        return text, answer.ending()

    def price(self, usage: Usage, *, model: str, at: datetime) -> Decimal | None:
        return prices.cost(usage, model=model, base_url=self.base_url, at=at)

    def close(self) -> None:
        self._client.close()

    async def _ask(self, request: CompletionRequest, *, model: str, streamed: bool) -> wire.Response:
        """Sends the request. What comes back has status 200; everything else is raised as a ProviderError."""
        headers = {**self._headers, "Accept": "text/event-stream" if streamed else "application/json"}
        body = orjson.dumps(self._body(request, model=model, streamed=streamed))
        try:
            response = await self._client.request(
                "POST", "/chat/completions", headers=headers, body=body, limits=None if streamed else self._whole
            )
        except egress.Refused as problem:
            raise ProviderError(
                Code.REFUSED,
                "The AI provider's address is not one that may be called. Ask your administrator to check it.",
                permanent=True,
                detail=str(problem),
            ) from problem
        except egress.Unreachable as problem:
            raise _unavailable(detail=str(problem)) from problem
        except wire.WireError as problem:
            raise _broken(problem, begun=False) from problem
        if response.status == 200:
            encoding = response.headers.get("content-encoding", "identity")
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            wanted = "text/event-stream" if streamed else "application/json"
            if encoding == "identity" and (kind == wanted or not kind):
                return response
            response.close()
            raise _malformed(f"an answer of type {kind or 'unknown'}, encoded {encoding}, where {wanted} was asked for")
        try:
            said = await response.whole(at_most=ERROR_BODY)
        except wire.WireError:
            said = b""  # the status alone says enough
        finally:
            response.close()
        raise _error_for(response.status, response.headers, said)

    def _body(self, request: CompletionRequest, *, model: str, streamed: bool) -> "CompletionCreateParams":
        body: dict[str, Any] = {"model": model, "messages": list(map(_message, request.messages))}
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.max_tokens is not None:
            # OpenAI's newer models refuse the old name, other servers know only that.
            body["max_completion_tokens" if self._openais_own else "max_tokens"] = request.max_tokens
        if request.parameters:
            body.update(request.parameters)
            if self._openais_own and "max_tokens" in request.parameters:
                body["max_completion_tokens"] = body.pop("max_tokens")
        if request.schema is not None:
            shape = {"name": request.purpose, "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        if request.response_format is not None:
            body["response_format"] = request.response_format
        if request.tools:
            body["tools"] = list(request.tools)
            if request.tool_choice is not None:
                body["tool_choice"] = request.tool_choice
        if streamed:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        return body  # type: ignore[return-value]


def _message(message: ChatMessage) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_uses:
        said["content"] = message.text or None
        said["tool_calls"] = [
            {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": use.arguments}} for use in message.tool_uses
        ]
    if message.tool_use_id:
        said["tool_call_id"] = message.tool_use_id
    return said


def _content(message: ChatMessage) -> str | list[dict[str, Any]]:
    if not message.pictures:
        return message.text
    shown = [f"data:{picture.type};base64,{b64encode(picture.data).decode()}" for picture in message.pictures]
    return [{"type": "text", "text": message.text}, *({"type": "image_url", "image_url": {"url": address}} for address in shown)]


class Reading:
    """What an answer has said so far. Pure: fed with payloads of events, or with one whole body."""

    __slots__ = ("_uses", "begun", "finish_reason", "model", "over", "problem", "usage")

    def __init__(self, *, model: str) -> None:
        self.model = model
        self.begun = False  # some text was given out
        self.finish_reason = ""
        self.usage: Usage | None = None
        self.over = False
        self.problem: ProviderError | None = None
        self._uses: dict[int, list[str]] = {}  # id, name and arguments, by their place

    def take(self, payloads: list[bytes], *, cut: bool = False) -> str:
        """The text in these payloads. `cut` says that they are what the end of the connection left.

        Does not raise: text that came before a payload that cannot be read is still text. Look at `problem` afterwards.
        """
        texts: list[str] = []
        for payload in payloads:
            if payload == b"[DONE]":
                self.over = True
                break
            try:
                said = orjson.loads(payload)
                if choices := said.get("choices"):
                    choice = choices[0]
                    delta = choice.get("delta")
                    if delta and (text := delta.get("content") or delta.get("refusal")):
                        if not isinstance(text, str):
                            raise TypeError("text must be a string")
                        texts.append(text)
                    if delta and (uses := delta.get("tool_calls")):
                        self._take_uses(uses)
                    if reason := choice.get("finish_reason"):
                        self.finish_reason = str(reason)
                        self.model = str(said.get("model") or self.model)
                if usage := said.get("usage"):
                    self.usage = _usage(usage)
                elif choices is None:
                    self.problem = _problem_in(payload)
                    break
            except orjson.JSONDecodeError:
                if cut:
                    continue  # half an event, left by a connection that was closed: the missing finish reason tells
                self.problem = _malformed(f"a chunk that is not JSON: {payload[:200]!r}")
                break
            except (KeyError, TypeError, AttributeError, IndexError, ValueError):
                self.problem = _problem_in(payload)
                break
        if not texts:
            return ""
        self.begun = True
        return texts[0] if len(texts) == 1 else "".join(texts)

    def take_whole(self, body: bytes) -> str:
        """The text of an answer that came in one piece. Raises ProviderError."""
        try:
            said = orjson.loads(body)
            if isinstance(said, dict) and said.get("error"):
                raise _error_for(_status_of(said["error"]), {}, body)
            choice = said["choices"][0]
            message = choice["message"]
            text = message.get("content") or message.get("refusal") or ""
            if not isinstance(text, str):
                raise TypeError("text must be a string")
            if uses := message.get("tool_calls"):
                self._take_uses(uses)
            self.finish_reason = str(choice.get("finish_reason") or "")
            self.model = str(said.get("model") or self.model)
            if usage := said.get("usage"):
                self.usage = _usage(usage)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, IndexError, ValueError) as problem:
            raise _malformed(f"an answer of another shape: {body[:200]!r}") from problem
        return text

    def ending(self) -> Ending:
        """Raises ProviderError unless the provider said why it stopped, and stopped for a reason that completes an answer."""
        if not self.finish_reason:
            raise _incomplete("the answer ended without a finish reason")
        if self.finish_reason == "content_filter":
            raise ProviderError(
                Code.CONTENT_FILTERED,
                "The AI provider's content filter stopped this answer. Put the question in other words.",
                permanent=True,
            )
        uses = tuple(ToolUse(*self._uses[place]) for place in sorted(self._uses))
        return Ending(finish_reason=self.finish_reason, usage=self.usage, model=self.model, tool_uses=uses)

    def _take_uses(self, said: list[Any]) -> None:
        """A tool's call comes in pieces: first its id and name, then its arguments bit by bit. A whole one has no place but its own."""
        for at, piece in enumerate(said):
            use = self._uses.setdefault(piece.get("index", at), ["", "", ""])
            function = piece.get("function") or {}
            for part, text in enumerate((piece.get("id"), function.get("name"), function.get("arguments"))):
                if text is None:
                    continue
                if not isinstance(text, str):
                    raise TypeError("a tool's call is made of texts")
                use[part] += text if part == 2 or not use[part] else ""


def _problem_in(payload: bytes) -> ProviderError:
    """What a chunk says that is JSON but not a chunk: an error in the middle of a stream, or nonsense."""
    said = orjson.loads(payload)
    if isinstance(said, dict) and said.get("error"):
        return _error_for(_status_of(said["error"]), {}, payload)
    return _malformed(f"a chunk of another shape: {payload[:200]!r}")


def _usage(said: Any) -> Usage | None:
    """The tokens, or None where they are not said as the interface describes: an answer is no worse for that."""
    try:
        return _counted(said)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _counted(said: Any) -> Usage:
    cached = (said.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    reasoning = (said.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    figures = (said["prompt_tokens"], said.get("completion_tokens") or 0, cached, reasoning)
    if not all(isinstance(figure, int) and figure >= 0 for figure in figures):
        raise ValueError("tokens are whole numbers")
    return Usage(*figures)


def _status_of(error: Any) -> int:
    """The status that an error within a stream stands for: the answer itself had begun with 200."""
    if isinstance(error, dict):
        for key in ("status", "code"):
            if isinstance(error.get(key), int) and 400 <= error[key] <= 599:
                return error[key]
        if "rate_limit" in str(error.get("type")) or "rate_limit" in str(error.get("code")):
            return 429
    return 500


def _error_for(status: int, headers: dict[str, str], body: bytes) -> ProviderError:
    """Turns a provider's refusal into a sentence for the person who asked, and keeps its own words for staff."""
    code, message = _their_words(body)
    detail = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    retry_after = _retry_after(headers)

    def error(kind: Code, sentence: str, *, permanent: bool) -> ProviderError:
        return ProviderError(kind, sentence, permanent=permanent, retry_after=retry_after, http_status=status, detail=detail)

    if status == 401 or status == 403:
        return error(
            Code.UNAUTHORIZED,
            "The AI provider does not accept the platform's key. Ask your administrator to check OPENAI_API_KEY.",
            permanent=True,
        )
    if status == 402 or code == "insufficient_quota":
        return error(
            Code.RATE_LIMITED,
            "The platform's credit with the AI provider is used up. Ask your administrator to renew it.",
            permanent=True,
        )
    if status == 429:
        wait = f"in {retry_after:.0f} seconds" if retry_after and retry_after >= 1 else "in a moment"
        return error(Code.RATE_LIMITED, f"The AI provider has too many requests. Try again {wait}.", permanent=False)
    if code == "model_not_found" or (status == 404 and "model" in message.lower()):
        return error(
            Code.NO_MODEL,
            "The AI provider does not have the chosen model. Choose another, or ask your administrator to check OPENAI_MODEL.",
            permanent=True,
        )
    if code == "context_length_exceeded":
        return error(
            Code.TOO_LONG,
            "The conversation is too long for this model. Start a new one, or ask a shorter question.",
            permanent=True,
        )
    if code == "content_filter":
        return error(
            Code.CONTENT_FILTERED,
            "The AI provider's content filter refused this question. Put it in other words.",
            permanent=True,
        )
    if status in (408, 504):
        return error(Code.TIMEOUT, "The AI provider took too long. Try again.", permanent=False)
    if status >= 500 or status in (409, 425):
        return _unavailable(detail=detail, retry_after=retry_after, http_status=status)
    if 300 <= status < 400:
        return error(
            Code.REFUSED,
            "The AI provider has moved to another address. Ask your administrator to update OPENAI_BASE_URL.",
            permanent=True,
        )
    return error(
        Code.REFUSED,
        "The AI provider refused the request. Change the question, or ask your administrator if it happens again.",
        permanent=True,
    )


def _their_words(body: bytes) -> tuple[str, str]:
    """(code, message) of an error's body; empty where it has none."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", body[:500].decode(errors="replace").strip()
    error = said.get("error", said) if isinstance(said, dict) else said
    if not isinstance(error, dict):
        return "", str(error)[:500]
    return str(error.get("code") or ""), str(error.get("message") or "")[:500]


def _retry_after(headers: dict[str, str]) -> float | None:
    """Seconds, from the header in its three forms: milliseconds, seconds, a date."""
    readers: tuple[tuple[str, Callable[[str], float]], ...] = (
        ("retry-after-ms", lambda value: float(value) / 1000),
        ("retry-after", float),
        ("retry-after", lambda value: (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()),
    )
    for name, read in readers:
        try:
            seconds = read(headers[name])
        except (KeyError, ValueError, TypeError, OverflowError):
            continue
        if 0 <= seconds < 1e6:
            return seconds
    return None


def _broken(problem: wire.WireError, *, begun: bool) -> ProviderError:
    """The error for an exchange that broke off; `begun` says that the person has seen text of it."""
    detail = str(problem)
    if isinstance(problem, wire.Garbled):
        return _malformed(detail)
    if isinstance(problem, wire.TimedOut):
        sentence = {
            "first": f"The AI provider did not begin to answer within {problem.seconds:g} seconds. Try again.",
            "idle": f"The AI provider fell silent for {problem.seconds:g} seconds in the middle of the answer. Try again.",
            "total": f"The answer was not complete after {problem.seconds:g} seconds. Ask for a shorter one, or try again.",
        }[problem.which]
        return ProviderError(Code.TIMEOUT, sentence, permanent=False, detail=detail)
    return _incomplete(detail) if begun else _unavailable(detail=detail)


def _unavailable(*, detail: str, retry_after: float | None = None, http_status: int | None = None) -> ProviderError:
    return ProviderError(
        Code.UNAVAILABLE,
        "The AI provider cannot be reached at the moment. Try again in a minute.",
        permanent=False,
        retry_after=retry_after,
        http_status=http_status,
        detail=detail,
    )


def _incomplete(detail: str) -> ProviderError:
    return ProviderError(
        Code.INCOMPLETE,
        "The AI provider broke off before the answer was complete. Try again.",
        permanent=False,
        detail=detail,
    )


def _malformed(what: str) -> ProviderError:
    return ProviderError(
        Code.MALFORMED,
        "The AI provider sent an answer that cannot be read. Try again, or ask your administrator if it happens again.",
        permanent=False,
        detail=f"The provider sent {what}.",
    )
