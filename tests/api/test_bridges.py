"""Bridges and what they are made of: works · wrong role · other tenant is 404 · missing · bad input · wrong method."""

import uuid

import pytest

from tests.api.conftest import errors_of, refused_field, with_key

pytestmark = pytest.mark.django_db

MISSING = uuid.UUID(int=7)
KEY = "sk-planted-key"
TOOL = {
    "name": "find_order",
    "description": "Finds an order.",
    "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
    "url": "https://shop.example.com/orders/{id}",
    "secret_headers": {"Authorization": KEY},
}
MODEL = {"name": "Ours", "model": "gpt-4o-mini", "base_url": "https://api.example.com/v1", "key": KEY}
NOUNS = {
    "templates": {"name": "Hello", "text": "Hello {{ who }}.", "variables": [{"name": "who", "type": "text"}]},
    "api-calls": TOOL,
    "model-configurations": MODEL,
    "chatbots": {"title": "Help", "config": {"themeColor": "#0c685f"}, "allowed_origins": ["https://www.example.com"]},
}


def made(caller, address: str, body: dict) -> dict:
    response = caller.post(address, body)
    assert response.status_code == 201, response.content
    return response.json()


@pytest.fixture
def bridge(olive) -> str:
    made(olive, "bridges", {"name": "Team summary", "slug": "team-summary", "system_prompt": "Be brief."})
    return "bridges/team-summary"


@pytest.mark.parametrize("noun", NOUNS)
def test_what_bridges_are_made_of_is_made_read_changed_and_removed(olive, noun):
    one = f"{noun}/{made(olive, noun, NOUNS[noun])['id']}"
    name = "title" if noun == "chatbots" else "name"
    shown = olive.get(one).json()
    assert {key: shown[key] for key in NOUNS[noun] if key in shown} == {key: value for key, value in NOUNS[noun].items() if key in shown}
    assert [row["id"] for row in olive.get(noun, {"q": shown[name][:3]}).json()["results"]] == [shown["id"]]
    changed = olive.patch(one, {name: "find_more"})
    assert changed.status_code == 200, changed.content
    assert olive.get(one).json()[name] == "find_more"
    assert olive.delete(one).status_code == 204
    errors_of(olive.get(one), 404)


@pytest.mark.parametrize("noun", NOUNS)
def test_others_and_strangers_get_nothing(cast, olive, greta, noun):
    one = f"{noun}/{made(olive, noun, NOUNS[noun])['id']}"
    liam, mona = with_key(cast.liam), with_key(cast.mona)
    assert liam.get(one).status_code == 200
    for refused in (liam.post(noun, NOUNS[noun]), liam.patch(one, {}), liam.delete(one), mona.get(noun), mona.get(one)):
        errors_of(refused, 403)
    for unseen in (greta.get(one), greta.patch(one, {}), greta.delete(one), olive.get(f"{noun}/{MISSING}")):
        errors_of(unseen, 404)
    assert greta.get(noun).json()["results"] == []
    errors_of(olive.post(one, {}), 405)


@pytest.mark.parametrize(
    ("noun", "body", "field"),
    [
        ("templates", {"name": "A", "text": "{{ who }}"}, "text"),
        ("templates", {"name": "A", "text": "A", "more": 1}, "more"),
        ("templates", {"name": "A\x00", "text": "A"}, "name"),
        ("api-calls", {**TOOL, "url": "https://169.254.169.254/{id}"}, "url"),
        ("api-calls", {**TOOL, "headers": {"a": "\x00"}}, "headers"),
        ("api-calls", {**TOOL, "method": "get"}, "method"),
        ("model-configurations", {**MODEL, "base_url": "https://[::1]/v1"}, "base_url"),
        ("model-configurations", {**MODEL, "configuration": {"temperature": "hot"}}, "configuration"),
        ("model-configurations", {"name": "A"}, "model"),
        ("chatbots", {"title": "A", "allowed_origins": ["javascript:alert(1)"]}, "allowed_origins"),
        ("chatbots", {"title": "A", "config": {"type": "fullscreen"}}, "config"),
        ("bridges", {"name": "A", "slug": "A b"}, "slug"),
        ("bridges", {"name": "A", "slug": "a", "response_schema": {"$ref": "https://evil.example/"}}, "response_schema"),
        ("bridges", {"name": "A", "slug": "a", "template": str(MISSING)}, "template"),
        ("bridges", {"name": "A", "slug": "a", "actions": {"x": {"label": "\x00"}}}, "actions"),
        ("bridges", {"name": "A"}, "slug"),
    ],
)
def test_bad_input_is_told_by_field(olive, noun, body, field):
    assert refused_field(olive.post(noun, body)) == field


def test_secrets_go_in_and_never_come_out(olive, bridge):
    model, tool = made(olive, "model-configurations", MODEL), made(olive, "api-calls", TOOL)
    assert (model["has_key"], tool["has_secret_headers"]) == (True, True)
    assert model["key_set_at"]
    olive.patch(bridge, {"model_configuration": model["id"], "api_endpoints": ["find_order"], "is_api_call": True})
    olive.post(f"{bridge}/versions")
    for address in ("model-configurations", "api-calls", bridge, f"{bridge}/versions/1", f"{bridge}/changes", f"{bridge}/versions/1/diff"):
        response = olive.get(address)
        assert response.status_code == 200
        assert KEY not in response.content.decode()
    assert olive.patch(f"model-configurations/{model['id']}", {"base_url": "https://other.example.com/v1"}).json()["has_key"] is False


def test_a_bridge_is_published_labelled_rolled_back_and_compared(olive, bridge):
    first = olive.post(f"{bridge}/versions", {"note": "The first."}).json()
    assert (first["number"], first["is_new"], first["is_published"], first["note"]) == (1, True, True, "The first.")
    assert first["created_by"]["name"] == "Olive Olsen"
    assert olive.post(f"{bridge}/versions").json()["is_new"] is False
    olive.patch(bridge, {"system_prompt": "Be very brief.", "default_questions": ["How are we?"]})
    assert [each["field"] for each in olive.get(f"{bridge}/versions/1/diff").json()["differences"]] == [
        "system_prompt",
        "default_questions",
    ]
    olive.post(f"{bridge}/versions")
    changed = olive.get(f"{bridge}/versions/2/diff", {"against": 1}).json()["differences"][0]
    assert [(line["sign"], line["text"]) for line in changed["lines"]] == [("-", "Be brief."), ("+", "Be very brief.")]
    assert olive.post(f"{bridge}/versions/1/label", {"label": "stable"}).json()["label"] == "stable"
    assert olive.post(f"{bridge}/versions/1/publish").json()["is_new"] is True
    listed = olive.get(f"{bridge}/versions").json()["results"]
    assert [(row["number"], row["label"], row["is_published"]) for row in listed] == [(2, "", False), (1, "stable", True)]
    assert olive.get(bridge).json()["published"] == 1
    told = [row["type"] for row in olive.get(f"{bridge}/changes").json()["results"]]
    assert told == ["rolled_back", "labelled", "published", "updated", "published", "created"]
    prompts = olive.get("prompts", {"bridge": "team-summary"}).json()["results"]
    assert [row["system_prompt"] for row in prompts] == ["Be very brief.", "Be brief."]
    assert olive.get(f"prompts/{prompts[0]['id']}").json() == prompts[0]


def test_versions_are_paged(olive, bridge):
    for number in range(3):
        olive.patch(bridge, {"cache_seconds": number})
        olive.post(f"{bridge}/versions")
    page = olive.get(f"{bridge}/versions", {"limit": 2}).json()
    assert [row["number"] for row in page["results"]] == [3, 2]
    assert [row["number"] for row in olive.get(page["next"]).json()["results"]] == [1]


def test_who_may_publish_and_who_only_looks(cast, olive, greta, bridge):
    olive.post(f"{bridge}/versions")
    liam = with_key(cast.liam)
    assert liam.get(f"{bridge}/versions").status_code == 200
    for refused in (liam.post(f"{bridge}/versions"), liam.post(f"{bridge}/versions/1/publish"), liam.patch(bridge, {"name": "x"})):
        errors_of(refused, 403)
    for unseen in (greta.get(bridge), greta.post(f"{bridge}/versions"), greta.get(f"{bridge}/versions/1"), greta.post(f"{bridge}/try")):
        errors_of(unseen, 404)
    for missing in ("versions/9", "versions/99999999999999", "versions/1/diff?against=9"):
        errors_of(olive.get(f"{bridge}/{missing}"), 404)
    errors_of(olive.post(f"{bridge}/versions/9/publish"), 404)
    assert refused_field(olive.post(f"{bridge}/versions/1/label", {"label": "Not This"})) == "label"
    errors_of(olive.delete(f"{bridge}/versions/1"), 405)
    errors_of(olive.get("prompts/99999999999999999999"), 404)


def test_what_is_used_stays(olive, bridge):
    template = made(olive, "templates", NOUNS["templates"])
    olive.patch(bridge, {"template": template["id"]})
    [error] = errors_of(olive.delete(f"templates/{template['id']}"), 409)
    assert error["code"] == "in_use"
    assert "Team summary" in error["detail"]
    assert olive.delete(bridge).status_code == 204


def test_a_draft_is_tried(olive, bridge):
    tried = olive.post(f"{bridge}/try", {"text": "How is Erik?"}).json()
    assert tried["text"]
    assert tried["error"] == ""
    assert (tried["model"], tried["cost"]) == ("offline consultant", "0")
    assert tried["latency_ms"] is not None
    assert refused_field(olive.post(f"{bridge}/try", {"variables": {"team": 1}, "text": "x"})) == "variables"
    assert refused_field(olive.post(f"{bridge}/try", {})) == "text"
    errors_of(olive.post(f"{bridge}/try", {"text": "x", "version": 9}), 404)


def test_trials_are_run_against_the_draft(olive, bridge):
    for name, trait in (
        ("passes", {"type": "lacks", "value": "unicorn"}),
        ("fails", {"type": "contains", "value": "unicorn"}),
    ):
        made(olive, f"{bridge}/trials", {"name": name, "text": "How is Erik?", "traits": [trait, {"type": "max_cost", "value": 0}]})
    ran = olive.post(f"{bridge}/trials/run").json()
    assert ran["passed"] is False
    assert [(row["name"], row["passed"], [trait["holds"] for trait in row["traits"]]) for row in ran["results"]] == [
        ("fails", False, [False, True]),
        ("passes", True, [True, True]),
    ]
    trial = f"{bridge}/trials/{ran['results'][0]['trial']}"
    assert olive.patch(trial, {"traits": []}).json()["traits"] == []
    assert refused_field(olive.patch(trial, {"traits": [{"type": "matches", "value": "(?=a)"}]})) == "traits"
    assert olive.delete(trial).status_code == 204
    errors_of(olive.get(trial), 404)
