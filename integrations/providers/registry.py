"""Which provider answers a request, and with which model."""

import asyncio
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from integrations import egress, wire
from integrations.choices import Service
from integrations.providers.base import Code, CompletionRequest, Provider, ProviderError, Target
from integrations.providers.offline import Offline
from integrations.providers.openai import OpenAI

PROVIDERS_LIMIT = 256  # clients of one event loop


@dataclass(frozen=True, slots=True)
class Route:
    """A provider and the model to ask it for."""

    provider: Provider
    model: str
    takes_pictures: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)


# Connections belong to an event loop; a loop that is gone takes its providers along.
_providers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple, OpenAI]] = weakref.WeakKeyDictionary()
_offline = Offline()


def routes(request: CompletionRequest) -> tuple[Route, ...]:
    """The ways to answer, the preferred one first. Raises ProviderError where none is configured well.

    With a key or an address of an OpenAI-compatible server, that server with the request's model (or OPENAI_MODEL), then with
    OPENAI_FALLBACK_MODEL. With neither, the offline consultant. It never stands in for a server that failed: a person who asked a
    language model is told that there was no answer, rather than given another kind of one. A bridge's targets come in their order, each
    with its own server, key and parameters.
    """
    if request.targets:
        return tuple(map(_route, request.targets))
    if not (settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL):
        return (Route(_offline, _offline.model),)
    models = dict.fromkeys(filter(None, (request.model or settings.OPENAI_MODEL, settings.OPENAI_FALLBACK_MODEL)))
    if not models:
        raise ProviderError(
            Code.NO_MODEL,
            "No AI model is chosen. Ask your administrator to set OPENAI_MODEL.",
            permanent=True,
        )
    provider = _openai(settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY)
    return tuple(Route(provider, model, takes_pictures=model in settings.OPENAI_PICTURE_MODELS) for model in models)


def takes_pictures() -> bool:
    """Whether a model that would be asked as things are set now is said to take pictures."""
    if not (settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL):
        return False
    return not {settings.OPENAI_MODEL, settings.OPENAI_FALLBACK_MODEL}.isdisjoint(settings.OPENAI_PICTURE_MODELS)


def _route(target: Target) -> Route:
    if target.service == Service.OFFLINE or not (target.base_url or settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL):
        return Route(_offline, _offline.model)
    if target.base_url:  # an organization's own server is one of the internet, also where it is written like the operator's
        provider = _openai(target.base_url, target.key, own=())
    else:
        provider = _openai(settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY)
    return Route(provider, target.model, takes_pictures=target.takes_pictures, parameters=target.parameters)


def _openai(base_url: str, api_key: str, *, own: tuple[str, ...] | None = None) -> OpenAI:
    """The process's one provider for a server and a key, the present limits and this event loop. Raises ProviderError."""
    of_loop = _providers.setdefault(asyncio.get_running_loop(), {})
    limits = wire.Limits(
        connect=settings.PROVIDER_CONNECT_TIMEOUT,
        first=settings.PROVIDER_FIRST_BYTE_TIMEOUT,
        idle=settings.PROVIDER_IDLE_TIMEOUT,
        total=settings.PROVIDER_TOTAL_TIMEOUT,
    )
    configuration = (base_url, api_key, limits, own)
    if configuration not in of_loop:
        while len(of_loop) >= PROVIDERS_LIMIT:
            of_loop.pop(next(iter(of_loop)))  # the oldest; who still streams from it holds it until the answer ends
        try:
            of_loop[configuration] = OpenAI(base_url=base_url, api_key=api_key, limits=limits, own=own)
        except egress.Refused as problem:
            raise ProviderError(
                Code.REFUSED,
                f"The AI provider's address cannot be used. Ask your administrator to check {_whose(base_url)}.",
                permanent=True,
                detail=str(problem),
            ) from problem
    return of_loop[configuration]


def _whose(base_url: str) -> str:
    return "OPENAI_BASE_URL" if base_url == settings.OPENAI_BASE_URL else f"the model's address {base_url}"
