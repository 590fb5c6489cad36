"""Making, changing and removing what an organization configures."""

import pytest
from django.core.exceptions import ValidationError

from integrations import crypto
from integrations.errors import InUse
from integrations.models import ApiCall, Bridge, BridgeChange, BridgeVersion, Chatbot, ModelConfiguration, PromptVersion, Template, Trial
from integrations.services import settings, versions
from tenants import scoping
from tenants.errors import Forbidden, NotFound
from tests.cast import make_cast
from tests.integrations.test_configurations import KEY, make_bridge, make_model

pytestmark = pytest.mark.django_db

ARGUMENTS = {"type": "object", "properties": {"id": {"type": "string"}}}


@pytest.fixture
def cast(db):
    return make_cast()


@pytest.fixture
def olive(cast):
    with scoping.tenant(cast.acme):
        yield cast.olive.membership


def make_tool(membership, **fields) -> ApiCall:
    wanted = {"name": "find_order", "description": "Finds it.", "parameters": ARGUMENTS, "url": "https://shop.example.com/orders/{id}"}
    return settings.create(ApiCall, membership, **{**wanted, **fields})


def refused(work) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as error:
        work()
    return error.value.message_dict


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Team Summary"),
        ("slug", "-team"),
        ("configuration", {"temperature": 3}),
        ("configuration", {"api_key": "x"}),
        ("configuration", {"stop": []}),
        ("system_prompt", "Of {{ team }}."),
        ("system_prompt", "x" * 50_001),
        ("variables", [{"name": "team"}]),
        ("response_schema", {"type": 7}),
        ("fallbacks", ["0190f5f0-0000-7000-8000-000000000000"]),
        ("model_configuration", "0190f5f0-0000-7000-8000-000000000000"),
        ("template", "0190f5f0-0000-7000-8000-000000000000"),
        ("api_endpoints", ["nothing"]),
        ("api_endpoints", [["nothing"]]),
        ("api_call", {"max_rounds": 9}),
        ("default_questions", ["x" * 201]),
        ("actions", {"Open it": {}}),
        ("cache_seconds", 86_401),
    ],
)
def test_a_bridge_is_checked_whole_and_told_by_field(olive, field, value):
    assert field in refused(lambda: make_bridge(olive, **{field: value}))
    assert not Bridge.objects.for_tenant(olive.organization_id).exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://shop.example.com/"),
        ("url", "https://{id}.example.com/"),
        ("url", "https://shop.example.com:22/"),
        ("url", "https://user:pass@shop.example.com/"),
        ("url", "https://127.0.0.1/"),
        ("url", "https://[::ffff:10.0.0.1]/"),
        ("url", "https://shop.example.com/{order}"),
        ("url", "https://shop.example.com/{"),
        ("headers", {"Host": "evil.example"}),
        ("headers", {"X-A": "a\r\nX-B: b"}),
        ("secret_headers", {"X-A": 7}),
        ("parameters", {"type": "string"}),
        ("name", "find order"),
        ("method", "TRACE"),
    ],
)
def test_a_tool_is_checked_whole(olive, field, value):
    assert field in refused(lambda: make_tool(olive, **{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_url", "https://10.0.0.1/v1"),
        ("base_url", "https://api.example.com/v1?x=1"),
        ("base_url", "ftp://api.example.com"),
        ("key", "sk\nx"),
        ("configuration", []),
        ("service", "telepathy"),
    ],
)
def test_a_model_is_checked_whole(olive, field, value):
    assert field in refused(lambda: make_model(olive, **{field: value}))


def test_a_key_without_a_server_is_refused(olive):
    assert "key" in refused(lambda: make_model(olive, base_url=""))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowed_origins", ["https://www.example.com/page"]),
        ("allowed_origins", ["*"]),
        ("allowed_origins", ["http://www.example.com"]),
        ("config", {"themeColor": "red; background: url(//evil)"}),
        ("config", {"height": 0}),
        ("config", {"onclick": "x"}),
        ("bridge", ["0190f5f0-0000-7000-8000-000000000000"]),
    ],
)
def test_a_chatbot_is_checked_whole(olive, field, value):
    assert field in refused(lambda: settings.create(Chatbot, olive, title="Help", **{field: value}))


@pytest.mark.parametrize(
    "trait", [{}, {"type": "smells", "value": 1}, {"type": "matches", "value": "("}, {"type": "max_cost", "value": "1"}, "contains"]
)
def test_a_trial_is_checked_whole(olive, trait):
    bridge = make_bridge(olive)
    assert "traits" in refused(lambda: settings.create(Trial, olive, bridge_id=bridge.id, name="One", traits=[trait]))


def test_names_are_taken_once(olive):
    make_bridge(olive), make_model(olive), make_tool(olive)
    settings.create(Template, olive, name="Hello", text="Hello.")
    assert "slug" in refused(lambda: make_bridge(olive, name="Other"))
    assert "name" in refused(lambda: make_model(olive))
    assert "name" in refused(lambda: make_tool(olive))
    assert "name" in refused(lambda: settings.create(Template, olive, name="Hello", text="Hello."))


def test_another_organizations_model_cannot_be_used(cast, olive):
    with scoping.tenant(cast.globex):
        theirs = make_model(cast.greta.membership)
    assert "model_configuration" in refused(lambda: make_bridge(olive, model_configuration=str(theirs.id)))
    assert "fallbacks" in refused(lambda: make_bridge(olive, model_configuration=str(make_model(olive).id), fallbacks=[str(theirs.id)]))


def test_secrets_are_sealed_and_forgotten_with_their_server(olive):
    model, tool = make_model(olive), make_tool(olive, secret_headers={"Authorization": KEY})
    assert KEY not in model.apikey + tool.secret_headers + repr(settings.values_of(model)) + repr(settings.values_of(tool))
    assert crypto.take(model, "apikey") == KEY
    assert model.key_set_at is not None
    assert settings.change(tool, olive, url="https://shop.example.com/v2/{id}").secret_headers
    assert not settings.change(tool, olive, url="https://evil.example.com/{id}").secret_headers


def test_who_may_not_change_is_refused(cast, olive):
    bridge = make_bridge(olive)
    with pytest.raises(Forbidden):
        settings.change(bridge, cast.liam.membership, name="Mine")
    with pytest.raises(Forbidden):
        settings.create(ModelConfiguration, cast.mona.membership, name="Mine", model="m")
    with pytest.raises(Forbidden):
        versions.publish(bridge, cast.liam.membership)


def test_changes_say_who_what_before_and_after(cast, olive):
    bridge = make_bridge(olive)
    settings.change(bridge, olive, name="Sum", system_prompt="Be brief.")
    settings.change(bridge, olive, name="Sum")
    version, _ = versions.publish(bridge, olive, note="First.")
    versions.label(bridge, olive, number=1, label="stable")
    kept = BridgeChange.objects.for_tenant(cast.acme).order_by("id").values_list("type", "user_id", "version_id", "changes")
    me = cast.olive.user.id
    assert [row[0] for row in kept] == ["created", "updated", "published", "labelled"]
    assert kept[1] == ("updated", me, "", {"name": ["Team summary", "Sum"], "system_prompt": ["", "Be brief."]})
    assert kept[2] == ("published", me, str(version.id), {"version": [None, 1]})


def test_publishing_freezes_and_the_same_again_is_said(cast, olive):
    bridge = make_bridge(olive, system_prompt="One.")
    first, is_new = versions.publish(bridge, olive)
    assert is_new
    assert versions.publish(bridge, olive) == (first, False)
    settings.change(bridge, olive, name="Only a name")
    assert versions.publish(bridge, olive) == (first, False)
    settings.change(Bridge.objects.for_tenant(cast.acme).get(), olive, cache_seconds=0)
    second, _ = versions.publish(bridge, olive)
    assert (second.number, second.prompt_id) == (2, first.prompt_id)
    settings.change(Bridge.objects.for_tenant(cast.acme).get(), olive, system_prompt="Two.")
    third, _ = versions.publish(bridge, olive)
    first.refresh_from_db()
    assert first.content["system_prompt"] == "One."
    assert list(PromptVersion.objects.for_tenant(cast.acme).order_by("id").values_list("system_prompt", flat=True)) == ["One.", "Two."]
    assert third.number == 3


def test_rolling_back_makes_the_version_live_again_and_leaves_the_draft(cast, olive):
    bridge = make_bridge(olive, system_prompt="One.")
    versions.publish(bridge, olive)
    bridge = settings.change(Bridge.objects.for_tenant(cast.acme).get(), olive, system_prompt="Two.")
    versions.publish(bridge, olive)
    version, is_new = versions.roll_back(bridge, olive, number=1)
    assert (version.number, is_new) == (1, True)
    bridge.refresh_from_db()
    assert (bridge.published.number, bridge.system_prompt) == (1, "Two.")
    assert versions.roll_back(bridge, olive, number=1)[1] is False
    assert BridgeVersion.objects.for_tenant(cast.acme).count() == 2
    with pytest.raises(NotFound):
        versions.roll_back(bridge, olive, number=9)


def test_a_label_moves(cast, olive):
    bridge = make_bridge(olive, system_prompt="One.")
    versions.publish(bridge, olive)
    versions.publish(settings.change(Bridge.objects.for_tenant(cast.acme).get(), olive, system_prompt="Two."), olive)
    versions.label(bridge, olive, number=1, label="stable")
    versions.label(bridge, olive, number=2, label="stable")
    assert list(BridgeVersion.objects.for_tenant(cast.acme).order_by("number").values_list("label", flat=True)) == ["", "stable"]
    assert "label" in refused(lambda: versions.label(bridge, olive, number=1, label="Not this"))


def test_a_diff_goes_field_by_field_and_prompts_line_by_line():
    before = {"system_prompt": "a\nb\nc", "cache_seconds": 1, "models": []}
    after = {"system_prompt": "a\nB\nc", "cache_seconds": 1, "models": [{"model": "m"}]}
    prompt, models = versions.diff(before, after)
    assert [(line.sign, line.text) for line in prompt.lines] == [(" ", "a"), ("-", "b"), ("+", "B"), (" ", "c")]
    assert (models.field, models.before, models.after) == ("models", [], [{"model": "m"}])
    assert versions.diff(after, after) == []


def test_what_is_used_is_not_deleted(cast, olive):
    model, tool = make_model(olive), make_tool(olive)
    template = settings.create(Template, olive, name="Hello", text="Hello.")
    bridge = make_bridge(olive, model_configuration=str(model.id), template=str(template.id), api_endpoints=[tool.name])
    chatbot = settings.create(Chatbot, olive, title="Help", bridge=[str(bridge.id)])
    versions.publish(bridge, olive)
    for row in (model, tool, template, bridge):
        with pytest.raises(InUse):
            settings.delete(row, olive)
    settings.change(bridge, olive, model_configuration=None, template=None, api_endpoints=[])
    for row in (model, tool):
        with pytest.raises(InUse):  # the published version still asks it
            settings.delete(row, olive)
    for row in (template, chatbot, bridge, model, tool):
        settings.delete(row, olive)
    assert BridgeChange.objects.for_tenant(cast.acme).first().type == "deleted"
