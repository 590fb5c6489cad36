"""Asking providers in tests: requests, and providers whose limits are short."""

import uuid

import pytest

from integrations import wire
from integrations.providers import prices
from integrations.providers.base import ChatMessage, CompletionRequest, Ending
from integrations.providers.openai import OpenAI

# For tests that are not about time: a machine under load must not make them fail.
AMPLE = wire.Limits(connect=20, first=30, idle=30, total=60)


@pytest.fixture(autouse=True)
def _prices_are_read_anew():
    prices.forget()
    yield
    prices.forget()


@pytest.fixture
def ask():
    """Makes a request: `ask("How is Erik?", max_tokens=5)`."""

    def make(question: str = "How is Erik?", **fields) -> CompletionRequest:
        fields.setdefault("organization_id", uuid.UUID(int=7))
        return CompletionRequest(messages=(ChatMessage("system", "Be brief."), ChatMessage("user", question)), **fields)

    return make


@pytest.fixture
def openai_at(settings):
    """Makes a provider for a server that the operator configured: `openai_at(server.url)`."""
    made = []

    def make(url: str, *, limits: wire.Limits = AMPLE, api_key: str = "sk-test") -> OpenAI:
        settings.OPENAI_BASE_URL = url
        made.append(OpenAI(base_url=url, api_key=api_key, limits=limits))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


async def read(provider: OpenAI, request: CompletionRequest, *, model: str = "m") -> tuple[str, Ending]:
    """All of an answer that streams."""
    text = ""
    ending = None
    async for piece in provider.stream(request, model=model):
        assert ending is None, "nothing comes after the ending"
        if isinstance(piece, Ending):
            ending = piece
        else:
            assert piece, "no empty pieces"
            text += piece
    assert ending is not None
    return text, ending
