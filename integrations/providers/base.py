"""What every provider takes and gives: requests, usage, endings and errors. No I/O."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from django.db.models import TextChoices

CHARACTERS_PER_TOKEN = 4  # about; nobody here knows every model's own way to count


class Code(TextChoices):
    """Why there is no answer, in a word that programs can act on."""

    REFUSED = "provider_refused"
    TIMEOUT = "provider_timeout"
    UNAUTHORIZED = "provider_unauthorized"
    RATE_LIMITED = "provider_rate_limited"
    UNAVAILABLE = "provider_unavailable"
    MALFORMED = "provider_malformed"
    INCOMPLETE = "provider_incomplete"
    CONTENT_FILTERED = "content_filtered"
    TOO_LONG = "context_length_exceeded"
    NO_MODEL = "no_model"
    BUDGET = "budget_exceeded"
    UNFIT = "schema_not_followed"


class Outcome(TextChoices):
    """How one call to a provider ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"  # its process died: whether it was made, and what it cost, nobody knows


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that goes with a message; `type` is a media type, `tokens` what it costs, about."""

    name: str
    type: str
    data: bytes = field(repr=False)
    tokens: int


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A model wants a tool called. `arguments` are JSON as the model wrote it: nobody has looked at them."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the prompt; `role` is `system`, `user`, `assistant` or `tool`. What an assistant wanted called are its `tool_uses`; a
    tool's message says by `tool_use_id` which of them it answers."""

    role: str
    text: str
    pictures: tuple[Picture, ...] = ()
    tool_uses: tuple[ToolUse, ...] = ()
    tool_use_id: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A model to ask: where, with which key, and with what. `base_url` and `key` are empty for the platform's own."""

    service: str
    model: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    takes_pictures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """What is asked of a model, for whom, and on behalf of which message.

    `facts` are plain dicts about the subjects, for the offline consultant, which reads no prompt; their keys are in
    `providers/offline.py`. `conversation_type` is one of the eight types of a consultation, or empty. `attempt` counts the
    answer's attempts from 1 (a retry by a person), not the calls made within one. `schema` is a JSON schema that the text must follow,
    of the sort that providers' strict modes take; not all keep to it, so the caller looks. `unseen` are the names of images that came with
    the question and are not in `messages`. `user_id` and `department_id` say whose budget it is, `api_key_id` which program asked,
    `bridge_id` and `version_id` by which bridge; `thread_id` is the program's own name for the conversation.
    `targets` are the bridge's models, the preferred one first; without any the platform's is asked. `parameters` (temperature and the
    like, as `integrations.drafts.PARAMETERS`) go before those of a target. `tools`, `tool_choice` and `response_format` are in the words of
    OpenAI's interface and sent as they are: whoever fills them has checked them.
    """

    organization_id: UUID | str
    messages: tuple[ChatMessage, ...]
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    purpose: str = "answer"
    conversation_id: UUID | str | None = None
    message_id: UUID | str | None = None
    attempt: int = 1
    facts: tuple[Mapping[str, Any], ...] = ()
    conversation_type: str = ""
    api_key_name: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    unseen: tuple[str, ...] = ()
    user_id: UUID | str | None = None
    department_id: UUID | str | None = None
    api_key_id: UUID | str | None = None
    bridge_id: UUID | str | None = None
    version_id: UUID | str | None = None
    thread_id: str = ""
    targets: tuple[Target, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = None
    response_format: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `cached_input_tokens` is part of `input_tokens`, `reasoning_tokens` of `output_tokens`.

    `estimated` says that the provider did not report usage (it does not for an answer that was cut off), and that the figures
    are a count of characters; nothing is charged by them.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a provider knows when its answer is complete. `usage` is None where it did not say."""

    finish_reason: str
    usage: Usage | None
    model: str
    confidence: float | None = None
    sources: tuple[str, ...] = ()
    tool_uses: tuple[ToolUse, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to a provider, as the ledger keeps it. Its `id` makes writing it twice harmless.

    Latencies are milliseconds. `cost` is in US dollars, None where the price or the usage is unknown.
    """

    id: UUID
    started_at: datetime
    organization_id: str
    provider: str
    model: str
    outcome: Outcome
    error_code: str
    error: str
    first_attempt_error: str
    usage: Usage | None
    cost: Decimal | None
    finish_reason: str
    latency_ms: int
    first_token_ms: int | None
    purpose: str
    attempt: int
    call: int
    conversation_id: str | None
    message_id: str | None
    api_key_name: str
    variables: Mapping[str, Any]
    api_key_id: str | None = None
    bridge_id: str | None = None
    version_id: str | None = None
    thread_id: str = ""
    user_id: str | None = None
    department_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of a complete answer. `cost` is None, and `cost_known` false, where the price is unknown.

    `attempts` are all calls it took, the last one being the one that answered: kept with the message, they let the ledger be
    made whole after a crash (`services/ledger.py`). `unseen` are the names of the images that the model was not shown.
    """

    finish_reason: str
    usage: Usage
    model: str
    provider: str
    cost: Decimal | None
    cost_known: bool
    latency_ms: int
    first_token_ms: int | None
    confidence: float | None
    sources: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    tool_uses: tuple[ToolUse, ...] = ()


class ProviderError(Exception):
    """There is no (complete) answer. `sentence` is for the person who asked; `permanent` says that asking again cannot help.

    `retry_after` is in seconds; `http_status` is the provider's; `detail` is what the provider said, for staff and the ledger.
    """

    def __init__(
        self,
        code: Code,
        sentence: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        http_status: int | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(sentence)
        self.code = Code(code)
        self.sentence = sentence
        self.permanent = permanent
        self.retry_after = retry_after
        self.http_status = http_status
        self.detail = detail
        self.attempts: tuple[Attempt, ...] = ()

    def __repr__(self) -> str:
        return f"ProviderError({self.code.value}, {self.sentence!r}, detail={self.detail!r})"


class Provider(Protocol):
    """A way to reach models."""

    name: str

    def stream(self, request: CompletionRequest, *, model: str) -> AsyncGenerator[str | Ending, None]:
        """Yields text as it arrives, then exactly one Ending. Raises ProviderError. Closing it ends the call at once."""

    async def complete(self, request: CompletionRequest, *, model: str) -> tuple[str, Ending]:
        """The whole text and its Ending. Raises ProviderError. Cancelling it ends the call at once."""

    def price(self, usage: Usage, *, model: str, at: datetime) -> Decimal | None:
        """US dollars, or None where the price is unknown. May wait for nothing."""


def estimate(*, prompt: int, text: int, pictures: int = 0) -> Usage:
    """Usage that nobody reported, from the characters read and written and the tokens of pictures."""
    return Usage(about_tokens(prompt) + pictures, about_tokens(text), estimated=True)


def without_pictures(request: CompletionRequest) -> CompletionRequest:
    """The same, for a model that takes none: it is told by name what it cannot see."""
    if not any(message.pictures for message in request.messages):
        return request
    unseen = [picture.name for message in request.messages for picture in message.pictures]
    messages = tuple(_told(message) if message.pictures else message for message in request.messages)
    return replace(request, messages=messages, unseen=(*request.unseen, *unseen))


def _told(message: ChatMessage) -> ChatMessage:
    told = f"{message.text}\n\n[You are not shown these images and cannot see what is on them.]"
    return replace(message, pictures=(), text=told)


def about_tokens(characters: int) -> int:
    """About how many tokens a text of so many characters is."""
    return -(-characters // CHARACTERS_PER_TOKEN)
