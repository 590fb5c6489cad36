"""Which provider answers, by the configuration."""

import asyncio

import pytest

from integrations.providers import registry
from integrations.providers.base import Code, ProviderError, Target
from integrations.providers.offline import Offline
from integrations.providers.openai import OpenAI


@pytest.fixture(autouse=True)
def _nothing_configured(settings):
    settings.OPENAI_API_KEY = settings.OPENAI_BASE_URL = settings.OPENAI_FALLBACK_MODEL = ""
    settings.OPENAI_MODEL = "gpt-4o-mini"


def routes(request) -> list[tuple[type, str]]:
    return [(type(route.provider), route.model) for route in registry.routes(request)]


async def test_without_key_and_address_it_is_the_offline_consultant(ask):
    assert routes(ask()) == [(Offline, "offline consultant")]
    assert routes(ask(model="gpt-4o")) == [(Offline, "offline consultant")], "which does not pose as another"


async def test_a_key_is_for_openai(ask, settings):
    settings.OPENAI_API_KEY = "sk-1"
    (route,) = registry.routes(ask())
    assert (route.provider.base_url, route.model) == ("https://api.openai.com/v1", "gpt-4o-mini")


async def test_an_address_needs_no_key(ask, settings):
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    assert routes(ask()) == [(OpenAI, "gpt-4o-mini")]


async def test_the_requests_model_comes_first_and_the_fallback_last(ask, settings):
    settings.OPENAI_API_KEY = "sk-1"
    settings.OPENAI_FALLBACK_MODEL = "gpt-4o"
    assert [model for _, model in routes(ask(model="o3"))] == ["o3", "gpt-4o"]
    assert [model for _, model in routes(ask())] == ["gpt-4o-mini", "gpt-4o"]
    assert [model for _, model in routes(ask(model="gpt-4o"))] == ["gpt-4o"]


async def test_without_a_model_there_is_a_sentence(ask, settings):
    settings.OPENAI_API_KEY, settings.OPENAI_MODEL = "sk-1", ""
    with pytest.raises(ProviderError, match="OPENAI_MODEL") as caught:
        registry.routes(ask())
    assert (caught.value.code, caught.value.permanent) == (Code.NO_MODEL, True)


@pytest.mark.parametrize("url", ["ftp://models.example/v1", "not an address", "http://"])
async def test_an_address_that_cannot_be_used_is_a_sentence_that_names_the_variable(url, ask, settings):
    settings.OPENAI_BASE_URL = url
    with pytest.raises(ProviderError, match="OPENAI_BASE_URL") as caught:
        registry.routes(ask())
    assert caught.value.permanent


async def test_one_client_serves_all_requests_of_a_configuration(ask, settings):
    settings.OPENAI_API_KEY = "sk-1"
    (first,), (second,) = registry.routes(ask()), registry.routes(ask())
    assert first.provider is second.provider
    settings.OPENAI_API_KEY = "sk-2"
    assert registry.routes(ask())[0].provider is not first.provider


def test_each_event_loop_has_clients_of_its_own(ask, settings):
    settings.OPENAI_API_KEY = "sk-1"

    async def provider():
        return registry.routes(ask())[0].provider

    assert asyncio.run(provider()) is not asyncio.run(provider())


async def test_a_bridge_s_targets_come_in_their_order_each_with_its_own_server_and_key(ask, settings):
    settings.OPENAI_API_KEY = "sk-platform"
    own = Target("openai", "m-1", base_url="https://api.example.com/v1", key="sk-own", parameters={"temperature": 0.5})
    targets = (own, Target("openai", "m-2"), Target("offline", "x"))
    first, second, third = registry.routes(ask(targets=targets))
    assert (first.provider.base_url, first.provider._headers["Authorization"]) == ("https://api.example.com/v1", "Bearer sk-own")
    assert (second.provider.base_url, second.provider._headers["Authorization"]) == ("https://api.openai.com/v1", "Bearer sk-platform")
    assert isinstance(third.provider, Offline)
    assert (first.parameters, first.model, second.model) == ({"temperature": 0.5}, "m-1", "m-2")
    assert registry.routes(ask(targets=targets))[0].provider is first.provider
    other = registry.routes(ask(targets=(Target("openai", "m-1", base_url="https://api.example.com/v1"),)))[0]
    assert "Authorization" not in other.provider._headers


async def test_a_target_s_address_that_cannot_be_used_is_a_sentence(ask):
    with pytest.raises(ProviderError, match="the model's address") as caught:
        registry.routes(ask(targets=(Target("openai", "m", base_url="http://api.example.com/v1", key="sk-own"),)))
    assert caught.value.permanent


async def test_parameters_are_sent_by_the_names_that_the_server_knows(ask, settings):
    asked = ask(parameters={"temperature": 0.5, "max_tokens": 7})
    own, openais = (
        registry.routes(ask(targets=(Target("openai", "m", base_url=url),)))[0].provider._body(asked, model="m", streamed=False)
        for url in ("https://api.example.com/v1", "https://api.openai.com/v1")
    )
    assert (own["temperature"], own["max_tokens"]) == (0.5, 7)
    assert (openais["max_completion_tokens"], "max_tokens" in openais) == (7, False)
