"""Staff look after what organizations configure; what is secret is in no page of theirs."""

import pytest
from django.urls import reverse

from integrations import crypto
from integrations.models import Bridge, BridgeChange, ModelConfiguration
from integrations.services import versions
from tenants import scoping
from tests.cast import make_cast
from tests.integrations.test_configurations import KEY, make_bridge, make_model
from tests.integrations.test_settings import make_tool

pytestmark = pytest.mark.django_db


def kept(model, organization):
    with scoping.tenant(organization):
        return model.objects.for_tenant(organization).get()


TABLES = ("modelconfiguration", "template", "apicall", "bridge", "chatbot", "trial", "bridgeversion", "promptversion", "bridgechange")


@pytest.fixture
def cast(db):
    return make_cast()


@pytest.fixture
def staff(cast, client):
    client.force_login(cast.sam)
    return client


def configured(cast) -> tuple[ModelConfiguration, Bridge]:
    olive = cast.olive.membership
    with scoping.tenant(cast.acme):
        model = make_model(olive)
        make_tool(olive, secret_headers={"Authorization": KEY})
        bridge = make_bridge(olive, model_configuration=str(model.id), api_endpoints=["find_order"])
        versions.publish(bridge, olive)
    return model, bridge


def test_every_table_is_listed_searched_and_opened_without_a_secret(cast, staff):
    model, _ = configured(cast)
    blob = model.apikey
    for table in TABLES:
        shown = staff.get(reverse(f"admin:integrations_{table}_changelist"), {"q": "team"})
        assert shown.status_code == 200, table
    for row, table in ((model, "modelconfiguration"), (kept(Bridge, cast.acme), "bridge")):
        shown = staff.get(reverse(f"admin:integrations_{table}_change", args=[row.pk]))
        assert shown.status_code == 200
        assert KEY not in shown.content.decode()
        assert blob not in shown.content.decode()


def test_a_key_is_sealed_and_a_bad_address_is_told(cast, staff):
    add = reverse("admin:integrations_modelconfiguration_add")
    form = {
        "organization": cast.acme.pk,
        "name": "Ours",
        "service": "openai",
        "model": "m",
        "configuration": "{}",
        "is_active": "on",
        "key": KEY,
    }
    refused = staff.post(add, {**form, "base_url": "https://10.0.0.1/v1"})
    assert "private network" in refused.content.decode()
    assert staff.post(add, {**form, "base_url": "https://api.example.com/v1"}).status_code == 302
    row = kept(ModelConfiguration, cast.acme)
    assert crypto.take(row, "apikey") == KEY
    change = reverse("admin:integrations_modelconfiguration_change", args=[row.pk])
    staff.post(change, {**form, "base_url": "https://api.example.com/v1", "key": "", "name": "Renamed"})
    row = kept(ModelConfiguration, cast.acme)
    assert (row.name, crypto.take(row, "apikey")) == ("Renamed", KEY)
    staff.post(change, {**form, "base_url": "https://other.example.com/v1", "key": ""})
    assert kept(ModelConfiguration, cast.acme).apikey == ""


def test_what_was_published_is_only_looked_at(cast, staff):
    configured(cast)
    for table in ("bridgeversion", "promptversion", "bridgechange"):
        assert staff.get(reverse(f"admin:integrations_{table}_add")).status_code == 403
    with scoping.tenant(cast.acme):
        assert BridgeChange.objects.for_tenant(cast.acme).count() == 2
