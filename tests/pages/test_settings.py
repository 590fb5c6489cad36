"""The settings' pages: forms that work without a script, errors beside their fields, and nothing secret in what is sent."""

import pytest
from django.test import Client

from integrations.models import ApiCall, Bridge, Chatbot, ModelConfiguration, Template, Trial
from integrations.services import playground, versions
from integrations.services.http_tools import ToolRun
from tenants import scoping
from tests.cast import make_cast
from tests.integrations.test_configurations import KEY, make_bridge, make_model
from tests.integrations.test_settings import make_tool

HERE = "/o/acme/settings/"
DRAFT = {"name": "Team summary", "slug": "team-summary", "bridge_type": "api", "cache_seconds": "60", "is_active": "on"}


@pytest.fixture
def cast(stores):
    return make_cast()


@pytest.fixture
def olive(cast):
    with scoping.tenant(cast.acme):
        yield cast.olive.membership


@pytest.fixture
def browser(cast):
    client = Client()
    client.force_login(cast.olive.user)
    return client


def page(browser, address: str, status: int = 200) -> str:
    response = browser.get(HERE + address)
    assert response.status_code == status, address
    return response.content.decode()


def test_a_bridge_is_drafted_published_labelled_and_rolled_back_by_forms(cast, olive, browser):
    rows = {"variable-1-name": "team", "variable-1-type": "text", "variable-1-default": "Sales", "variable-2-name": ""}
    made = browser.post(HERE + "bridges/new/", {**DRAFT, "system_prompt": "Sum up {{ team }}.", "temperature": "0.5", **rows})
    assert made.status_code == 302, made.content.decode()
    bridge = Bridge.objects.for_tenant(cast.acme).get()
    assert bridge.variables == [{"name": "team", "type": "text", "required": True, "default": "Sales"}]
    assert (bridge.configuration, bridge.cache_seconds) == ({"temperature": 0.5}, 60)
    assert "Sum up {{ team }}." in page(browser, "bridges/team-summary/")
    browser.post(HERE + "bridges/team-summary/versions/", {"note": "The first."})
    browser.post(HERE + "bridges/team-summary/", {**DRAFT, "system_prompt": "Be <brief>."})
    assert "3 fields would change" in page(browser, "bridges/team-summary/versions/")
    browser.post(HERE + "bridges/team-summary/versions/", {"note": "Briefer."})
    browser.post(HERE + "bridges/team-summary/versions/1/label/", {"label": "stable"})
    browser.post(HERE + "bridges/team-summary/versions/1/publish/")
    bridge.refresh_from_db()
    assert (bridge.published.number, bridge.published.label) == (1, "stable")
    shown = page(browser, "bridges/team-summary/versions/2/")
    assert "Be &lt;brief&gt;." in shown
    assert 'data-sign="-"' in shown
    assert "Rolled back" not in page(browser, "bridges/team-summary/changes/")
    assert "rolled back version 1" in " ".join(page(browser, "bridges/team-summary/changes/").split())
    assert "Team summary" in page(browser, "bridges/")
    assert browser.get(HERE).headers["Location"] == HERE + "bridges/"


def test_what_is_wrong_stands_beside_its_field_and_what_was_written_stays(browser, olive):
    response = browser.post(HERE + "bridges/new/", {**DRAFT, "system_prompt": "Sum up {{ team }}.", "response_schema": '{"type": 7}'})
    assert response.status_code == 400
    shown = response.content.decode()
    assert "which is not declared" in shown
    assert "no valid JSON schema" in shown
    assert "Sum up {{ team }}." in shown
    assert "This is not JSON" in browser.post(HERE + "bridges/new/", {**DRAFT, "actions": "{"}).content.decode()
    wrong = browser.post(HERE + "models/new/", {"name": "Ours", "service": "openai", "model_name": "m", "base_url": "https://10.0.0.1/v1"})
    assert "private network" in wrong.content.decode()
    assert not Bridge.objects.for_tenant(olive.organization_id).exists()


def test_models_templates_tools_and_chatbots_are_kept_by_forms(cast, olive, browser):
    model = {"name": "Ours", "service": "openai", "model_name": "gpt-4o-mini", "base_url": "https://api.example.com/v1", "is_active": "on"}
    tool = {"name": "find_order", "description": "Finds it.", "method": "GET", "url": "https://shop.example.com/orders", "is_active": "on"}
    look = {
        "buttonName": "Ask",
        "themeColor": "#aa2200",
        "type": "popup",
        "width": "380",
        "widthUnit": "px",
        "height": "80",
        "heightUnit": "%",
    }
    for address, form in (
        ("models", {**model, "key": KEY, "temperature": "1"}),
        ("tools", {**tool, "secret_headers": f'{{"Authorization": "{KEY}"}}'}),
        ("templates", {"name": "Hello", "text": "Hello {{ who }}.", "variable-1-name": "who", "variable-1-type": "text"}),
        ("chatbots", {"title": "Help", "allowed_origins": "https://www.example.com\n", "is_active": "on", **look}),
    ):
        response = browser.post(f"{HERE}{address}/new/", form)
        assert response.status_code == 302, response.content.decode()
    kept = ModelConfiguration.objects.for_tenant(cast.acme).get()
    assert (kept.configuration, bool(kept.apikey)) == ({"temperature": 1}, True)
    browser.post(f"{HERE}models/{kept.pk}/", {**model, "name": "Renamed"})
    kept.refresh_from_db()
    assert (kept.name, bool(kept.apikey)) == ("Renamed", True)
    chatbot = Chatbot.objects.for_tenant(cast.acme).get()
    assert chatbot.config == {**look, "width": 380, "height": 80}
    for row, address in (
        (kept, "models"),
        (ApiCall.objects.for_tenant(cast.acme).get(), "tools"),
        (Template.objects.for_tenant(cast.acme).get(), "templates"),
        (chatbot, "chatbots"),
    ):
        shown = page(browser, f"{address}/{row.pk}/") + page(browser, f"{address}/")
        assert KEY not in shown
        assert str(row) in shown
    assert f"data-chatbot=&quot;{chatbot.pk}&quot;" in page(browser, f"chatbots/{chatbot.pk}/")
    browser.post(f"{HERE}models/{kept.pk}/", {**model, "drop_key": "on"})
    kept.refresh_from_db()
    assert not kept.apikey
    assert browser.post(f"{HERE}models/{kept.pk}/delete/").status_code == 302
    assert not ModelConfiguration.objects.for_tenant(cast.acme).exists()


def test_what_is_used_is_not_removed_and_the_page_says_so(browser, olive):
    model = make_model(olive)
    make_bridge(olive, model_configuration=str(model.pk))
    shown = browser.post(f"{HERE}models/{model.pk}/delete/", follow=True).content.decode()
    assert "The bridge “Team summary” uses this." in shown


def test_a_draft_is_tried_beside_a_version(browser, olive):
    bridge = make_bridge(olive, system_prompt="Be brief, {{ team }}.", variables=[{"name": "team", "type": "text"}])
    versions.publish(bridge, olive)
    where = HERE + "bridges/team-summary/playground/"
    asked = {"text": "How is Erik?", "left": "draft", "right": "version:1"}
    shown = browser.post(where, {**asked, "value-team": "Sales"}).content.decode()
    assert shown.count("<dd>offline consultant</dd>") == 2
    assert "The variable team is missing." in browser.post(where, asked).content.decode()
    assert browser.post(where, {**asked, "left": "version:9"}).status_code == 400


def test_a_chatbots_bridges_are_offered_by_name(browser, olive):
    for name in ("Zebra", "Alpha", "Mango"):
        make_bridge(olive, name=name, slug=name.lower())
    shown = page(browser, "chatbots/new/")
    assert shown.index("Alpha") < shown.index("Mango") < shown.index("Zebra")


def test_the_playground_shows_the_tools_that_were_called(browser, olive, monkeypatch):
    make_bridge(olive)
    told = "<b>sent</b>"
    runs = (ToolRun("find", '{"id": "7"}', told, 200, latency_ms=1_234), ToolRun("lose", "{}", "Nobody answers.", error="unreachable"))
    monkeypatch.setattr(playground, "run", lambda *asked, **more: playground.Outcome(text="It was sent.", latency_ms=2_000, tools=runs))
    shown = browser.post(HERE + "bridges/team-summary/playground/", {"text": "Where?", "left": "draft", "value-team": "x"}).content.decode()
    for part in ("Tools that were called", "&quot;id&quot;: &quot;7&quot;", "&lt;b&gt;sent&lt;/b&gt;", "1,234 ms", "Unreachable"):
        assert part in shown
    assert told not in shown


def test_trials_are_kept_run_and_removed(cast, browser, olive):
    make_bridge(olive)
    where = HERE + "bridges/team-summary/trials/"
    traits = {"trait-1-type": "lacks", "trait-1-value": "unicorn", "trait-2-type": "max_length", "trait-2-value": "1"}
    assert browser.post(where, {"name": "One", "text": "How is Erik?", **traits}).status_code == 302
    kept = Trial.objects.for_tenant(cast.acme).get()
    assert kept.traits == [{"type": "lacks", "value": "unicorn"}, {"type": "max_length", "value": 1}]
    shown = browser.post(where + "run/").content.decode()
    assert "does not hold" in shown
    assert "Failed" in shown
    assert "regular expression" in browser.post(where, {"name": "Two", "trait-1-type": "matches", "trait-1-value": "("}).content.decode()
    assert browser.post(f"{where}{kept.pk}/", {"name": "One", "text": "Hi."}).status_code == 302
    assert "One" in page(browser, f"bridges/team-summary/trials/{kept.pk}/")
    browser.post(f"{where}{kept.pk}/delete/")
    assert not Trial.objects.for_tenant(cast.acme).exists()


def test_who_only_looks_changes_nothing(cast, olive):
    make_bridge(olive), make_tool(olive, secret_headers={"Authorization": KEY})
    liam, greta = Client(), Client()
    liam.force_login(cast.liam.user)
    greta.force_login(cast.greta.user)
    shown = page(liam, "bridges/team-summary/")
    assert "disabled" in shown
    assert "Save the draft" not in shown
    assert "New tool" not in page(liam, "tools/")
    for address in ("bridges/team-summary/", "bridges/new/", "bridges/team-summary/versions/", "bridges/team-summary/delete/"):
        assert liam.post(HERE + address, DRAFT).status_code == 403
        assert greta.post(HERE + address, DRAFT).status_code == 404
    assert greta.get("/o/globex/settings/bridges/team-summary/").status_code == 404
    page(liam, "bridges/team-summary/versions/7/", 404)
