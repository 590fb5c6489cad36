"""What a bridge answers with: remembered, forgotten when something changed anywhere, and never without its keys' servers."""

import os
import subprocess
import sys
import time

import orjson
import pytest
from django.db import connection

from config import loop, redis
from integrations import cache
from integrations.errors import ModelsGone, NoSuchBridge
from integrations.models import ApiCall, Bridge, ModelConfiguration
from integrations.services import configurations, settings, versions
from tenants import changes, scoping
from tests import services as plugin
from tests.cast import make_cast

KEY = "sk-planted-key"


@pytest.fixture
def cast(stores):
    configurations.forget()
    yield make_cast()
    configurations.forget()


@pytest.fixture
def olive(cast):
    with scoping.tenant(cast.acme):
        yield cast.olive.membership


@pytest.fixture
def listens():
    wait(lambda: changes.of_process().hears)


def wait(condition, *, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


def make_model(membership, **fields) -> ModelConfiguration:
    return settings.create(
        ModelConfiguration,
        membership,
        **{"name": "Ours", "model": "gpt-4o-mini", "base_url": "https://api.example.com/v1", "key": KEY, **fields},
    )


def make_bridge(membership, **fields) -> Bridge:
    return settings.create(Bridge, membership, **{"name": "Team summary", "slug": "team-summary", **fields})


def test_what_is_published_is_found_and_remembered(olive, listens, django_assert_num_queries):
    bridge = make_bridge(olive, system_prompt="Be brief.")
    with pytest.raises(NoSuchBridge):
        configurations.published(olive.organization_id, bridge.slug)
    version, _ = versions.publish(bridge, olive)
    wait(lambda: configurations.published(olive.organization_id, bridge.slug).version_id == str(version.id))
    found = configurations.published(olive.organization_id, bridge.slug)
    assert (found.number, found.content["system_prompt"], found.targets) == (1, "Be brief.", ())
    wait(lambda: configurations._remembered(str(olive.organization_id), bridge.slug, ""))
    with django_assert_num_queries(0):
        assert configurations.published(olive.organization_id, bridge.slug) is configurations.published(olive.organization_id, bridge.slug)
        assert loop.run(configurations.live_bridge(olive.organization_id, bridge.slug)).number == 1


def test_another_organization_does_not_find_it(cast, olive):
    versions.publish(make_bridge(olive), olive)
    configurations.published(cast.acme, "team-summary")
    with pytest.raises(NoSuchBridge):
        configurations.published(cast.globex, "team-summary")


@pytest.mark.parametrize("hears", [True, False])
def test_a_change_in_another_process_is_seen_within_two_seconds(cast, olive, hears, monkeypatch):
    bridge = make_bridge(olive, system_prompt="One.")
    versions.publish(bridge, olive)
    wait(lambda: changes.of_process().hears)
    if not hears:
        monkeypatch.setattr(changes, "_of_process", (loop.background(), changes.Listening()))
    assert configurations.published(cast.acme, bridge.slug).content["system_prompt"] == "One."
    environment = {**os.environ, "DATABASE_URL": plugin.services.postgres.url(connection.settings_dict["NAME"])}
    subprocess.run([sys.executable, "-c", OTHER, str(cast.acme.id), str(cast.olive.user.id)], check=True, env=environment)
    wait(lambda: configurations.published(cast.acme, bridge.slug).content["system_prompt"] == "Two.")


OTHER = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django; django.setup()
from django.conf import settings as conf
from tenants import scoping
from tenants.models import Membership
from integrations.models import Bridge
from integrations.services import settings, versions
organization, user = sys.argv[1:]
with scoping.tenant(organization):
    olive = Membership.objects.for_tenant(organization).select_related("organization", "user").get(user_id=user)
    bridge = settings.change(Bridge.objects.for_tenant(organization).get(slug="team-summary"), olive, system_prompt="Two.")
    versions.publish(bridge, olive)
"""


def test_redis_keeps_contents_without_keys(cast, olive):
    model = make_model(olive)
    tool = settings.create(
        ApiCall,
        olive,
        name="find_order",
        description="Finds one.",
        parameters={"type": "object", "properties": {"id": {"type": "string"}}},
        url="https://shop.example.com/orders/{id}",
        secret_headers={"Authorization": KEY},
    )
    bridge = make_bridge(olive, model_configuration=str(model.id), api_endpoints=[tool.name], is_api_call=True)
    version, _ = versions.publish(bridge, olive)
    found = configurations.published(cast.acme, bridge.slug)
    assert found.targets[0].key == KEY
    assert KEY not in repr(found)
    raw = redis.client().get(cache.config(str(cast.acme.id), str(bridge.id)))
    assert orjson.loads(raw) == {"version": str(version.id), "content": version.content}
    assert KEY.encode() not in raw
    assert 1_700 < redis.client().ttl(cache.config(str(cast.acme.id), str(bridge.id))) <= cache.CONFIG_TTL
    assert settings.secret_headers(tool) == {"Authorization": KEY}


def test_what_redis_has_of_an_older_version_is_not_taken(cast, olive):
    bridge = make_bridge(olive, system_prompt="One.")
    versions.publish(bridge, olive)
    configurations.published(cast.acme, bridge.slug)
    versions.publish(settings.change(bridge, olive, system_prompt="Two."), olive)
    configurations.forget()
    assert configurations.published(cast.acme, bridge.slug).content["system_prompt"] == "Two."


def test_it_works_without_redis(cast, olive, monkeypatch):
    versions.publish(make_bridge(olive), olive)

    def away(*args, **kwargs):
        raise redis.AWAY[0]("away")

    monkeypatch.setattr(redis.client(), "get", away)
    assert configurations.published(cast.acme, "team-summary").number == 1


def test_a_key_goes_to_the_server_it_was_given_for_and_to_no_other(cast, olive):
    model = make_model(olive)
    bridge = make_bridge(olive, model_configuration=str(model.id))
    versions.publish(bridge, olive)
    model = settings.change(model, olive, base_url="https://other.example.com/v1")
    assert (model.apikey, model.key_set_at) == ("", None)
    model = settings.change(model, olive, key="sk-of-other")
    configurations.forget()
    assert [(target.base_url, target.key) for target in configurations.published(cast.acme, bridge.slug).targets] == [
        ("https://api.example.com/v1", "")
    ]


def test_a_path_on_the_same_server_keeps_its_key(olive):
    model = make_model(olive)
    assert settings.change(model, olive, base_url="https://api.example.com/v2").apikey
    assert not settings.change(model, olive, base_url="https://api.example.com:8443/v2").apikey


def test_nobody_answers_in_the_place_of_models_that_are_gone(cast, olive):
    model = make_model(olive)
    versions.publish(make_bridge(olive, model_configuration=str(model.id)), olive)
    settings.change(model, olive, is_active=False)
    configurations.forget()
    with pytest.raises(ModelsGone):
        configurations.published(cast.acme, "team-summary")


def test_a_label_names_another_version(cast, olive):
    bridge = make_bridge(olive, system_prompt="One.")
    versions.publish(bridge, olive)
    versions.label(bridge, olive, number=1, label="stable")
    versions.publish(settings.change(bridge, olive, system_prompt="Two."), olive)
    configurations.forget()
    assert configurations.published(cast.acme, bridge.slug).number == 2
    assert configurations.published(cast.acme, bridge.slug, label="stable").number == 1
    with pytest.raises(NoSuchBridge):
        configurations.published(cast.acme, bridge.slug, label="gone")
