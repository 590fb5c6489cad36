"""Which provider answers a request, and with which model."""

import asyncio
import weakref
from dataclasses import dataclass

from django.conf import settings

from integrations import egress, wire
from integrations.providers.base import Code, CompletionRequest, Provider, ProviderError
from integrations.providers.offline import Offline
from integrations.providers.openai import OpenAI


@dataclass(frozen=True, slots=True)
class Route:
    """A provider and the model to ask it for."""

    provider: Provider
    model: str
    takes_pictures: bool = False


# Connections belong to an event loop; a loop that is gone takes its providers along.
_providers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple, OpenAI]] = weakref.WeakKeyDictionary()
_offline = Offline()


def routes(request: CompletionRequest) -> tuple[Route, ...]:
    """The ways to answer, the preferred one first. Raises ProviderError where none is configured well.

    With a key or an address of an OpenAI-compatible server, that server with the request's model (or OPENAI_MODEL), then with
    OPENAI_FALLBACK_MODEL. With neither, the offline consultant. It never stands in for a server that failed: a person who asked a
    language model is told that there was no answer, rather than given another kind of one.
    """
    if not (settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL):
        return (Route(_offline, _offline.model),)
    models = dict.fromkeys(filter(None, (request.model or settings.OPENAI_MODEL, settings.OPENAI_FALLBACK_MODEL)))
    if not models:
        raise ProviderError(
            Code.NO_MODEL,
            "No AI model is chosen. Ask your administrator to set OPENAI_MODEL.",
            permanent=True,
        )
    provider = _openai()
    return tuple(Route(provider, model, takes_pictures=model in settings.OPENAI_PICTURE_MODELS) for model in models)


def takes_pictures() -> bool:
    """Whether a model that would be asked as things are set now is said to take pictures."""
    if not (settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL):
        return False
    return not {settings.OPENAI_MODEL, settings.OPENAI_FALLBACK_MODEL}.isdisjoint(settings.OPENAI_PICTURE_MODELS)


def _openai() -> OpenAI:
    """The process's one provider for the present configuration and event loop. Raises ProviderError."""
    of_loop = _providers.setdefault(asyncio.get_running_loop(), {})
    limits = wire.Limits(
        connect=settings.PROVIDER_CONNECT_TIMEOUT,
        first=settings.PROVIDER_FIRST_BYTE_TIMEOUT,
        idle=settings.PROVIDER_IDLE_TIMEOUT,
        total=settings.PROVIDER_TOTAL_TIMEOUT,
    )
    configuration = (settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, limits)
    if configuration not in of_loop:
        try:
            of_loop[configuration] = OpenAI(base_url=settings.OPENAI_BASE_URL, api_key=settings.OPENAI_API_KEY, limits=limits)
        except egress.Refused as problem:
            raise ProviderError(
                Code.REFUSED,
                "The AI provider's address cannot be used. Ask your administrator to check OPENAI_BASE_URL.",
                permanent=True,
                detail=str(problem),
            ) from problem
    return of_loop[configuration]
