"""Threads of programs: what was said under a program's `thread_id` before, and where what is said now is kept.

Conversations are kept by the room to the right of this one, which says at start-up how (`keep_with`); here is what we want of it.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from integrations.providers.base import ChatMessage, CompletionRequest, ProviderError
from integrations.services import bridges, budgets
from integrations.services.bridges import Answered, Answering, Asked, Caller, Place
from integrations.services.configurations import LiveBridge


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a turn ended: with an answer, an error, or neither, where the program hung up. `text` is what was written by then."""

    text: str
    answered: Answered | None = None
    error: ProviderError | None = None


class Thread(Protocol):
    """A thread as it is when a turn begins."""

    conversation_id: str
    message_id: str  # of the answer that is to come, or of the one that was given before
    history: Sequence[ChatMessage]
    repeated: tuple[str, Answered] | None  # what was answered to the same `client_id`

    async def keep(self, said: Sequence[ChatMessage], outcome: Outcome) -> None:
        """Keeps a turn durably. Raises what the store raises while it is away."""


class Keeper(Protocol):
    async def begin(self, live: LiveBridge, caller: Caller, place: Place, said: Sequence[ChatMessage]) -> Thread:
        """Finds the thread, and what was said in it. Raises ThreadRefused."""


_keepers: list[Keeper] = []


def keep_with(keeper: Keeper) -> None:
    """Says, at start-up, who keeps threads."""
    _keepers[:] = [keeper]


@dataclass(frozen=True, slots=True)
class Asking:
    """An answer that is about to be written, and the thread it is in."""

    source: AsyncGenerator[str | Answered, None]
    thread: Thread | None
    answering: Answering | None = None  # None: it was answered before, to the same `client_id`

    @property
    def from_cache(self) -> bool:
        return self.answering is not None and self.answering.from_cache

    def headers(self) -> dict[str, str]:
        """What is said of the caller's budget beside an answer that has begun: as it stood as the last call began."""
        standing = None if self.answering is None else self.answering.standing
        return {} if standing is None else {budgets.HEADER: standing.as_header()}


async def ask(live: LiveBridge, caller: Caller, asked: Asked, request: CompletionRequest, *, streamed: bool = True) -> Asking:
    """Asks what `bridges.request_of` made; in a thread, where one is named, with what was said there before. Close the source, whatever
    happens. Raises ThreadRefused, and the store's errors while it is away."""
    place = asked.place
    if place is None:
        found = await bridges.ask(live, caller, request, streamed=streamed)
        return Asking(found.source, None, found)
    own = _own(request, asked)
    said = request.messages[own:]
    thread = await _keepers[0].begin(live, caller, place, said)
    if thread.repeated is not None:
        return Asking(bridges.said_before(*thread.repeated), thread)
    request = replace(
        request,
        messages=(*request.messages[:own], *thread.history, *said),
        conversation_id=thread.conversation_id,
        message_id=thread.message_id,
        thread_id=place.thread_id,
    )
    found = await bridges.ask(live, caller, request, streamed=streamed)
    return Asking(_kept(thread, said, found.source), thread, found)


def _own(request: CompletionRequest, asked: Asked) -> int:
    """How many messages at the beginning are the bridge's own, which no thread keeps: the version says them."""
    first = request.messages[0]
    return int(first.role == "system" and not (asked.messages and first is asked.messages[0]))


async def _kept(
    thread: Thread, said: Sequence[ChatMessage], source: AsyncGenerator[str | Answered, None]
) -> AsyncGenerator[str | Answered, None]:
    """The same answer, kept before its end is told. What failed or was broken off is kept, too, with what was written by then."""
    texts: list[str] = []
    is_kept = False
    try:
        async for piece in source:
            if isinstance(piece, Answered):
                is_kept = True
                await thread.keep(said, Outcome(text="".join(texts), answered=piece))
            else:
                texts.append(piece)
            yield piece
    except BaseException as error:
        if not is_kept:
            await thread.keep(said, Outcome(text="".join(texts), error=error if isinstance(error, ProviderError) else None))
        raise
    finally:
        await source.aclose()
