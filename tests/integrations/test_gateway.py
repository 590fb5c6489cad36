"""The gateway as its clients see it: a server of ours, a provider's server behind it, and the unmodified openai package in front."""

import base64
import http.client
import io
import re
import socket
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal

import openai
import orjson
import pytest
import uvicorn
from PIL import Image
from werkzeug import Response

from config.asgi import application
from integrations import crypto, gateway
from integrations.choices import BudgetPeriodLength, BudgetScope
from integrations.models import ApiCall, Bridge, Budget, CallMetric, ModelCall, ModelPrice
from integrations.providers import prices
from integrations.services import configurations, ledger, settings, versions
from tenants import scoping
from tenants.models import ApiKey
from tenants.services import accounts
from tests.cast import make_cast

UPSTREAM_KEY = "sk-upstream-5f1c"
USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 6,
    "total_tokens": 26,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
PIECES = ("Grüße ", "👩‍👩‍👧‍👦 ", "שלום", ".")
ASK = [{"role": "user", "content": "How is Erik?"}]
TOOL = {
    "type": "function",
    "function": {"name": "find", "description": "Finds.", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def port():
    """A web server of ours in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=served.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    served.should_exit = True
    thread.join(10)


class Site:
    """Acme with one published bridge, `brief`, and a provider that says `PIECES`, or what `answers` holds."""

    def __init__(self, cast, port, httpserver):
        self.cast, self.port, self.httpserver = cast, port, httpserver
        self.asked, self.answers = [], []
        self.pause, self.closed = 0.0, threading.Event()
        self.key = self.key_of(cast.olive)
        httpserver.expect_request("/v1/chat/completions").respond_with_handler(self._provide)
        with scoping.tenant(cast.acme):
            self.bridge = settings.create(
                Bridge,
                cast.olive.membership,
                name="Brief",
                slug="brief",
                system_prompt="Be {{ tone }}.",
                variables=[{"name": "tone", "type": "text", "required": False, "default": "brief"}],
                configuration={"temperature": 0.5},
                cache_seconds=0,
            )
            self.publish()

    @staticmethod
    def key_of(person):
        return accounts.create_api_key(person.membership, name="gateway tests")[1]

    def publish(self, **changes):
        with scoping.tenant(self.cast.acme):
            if changes:
                self.bridge = settings.change(self.bridge, self.cast.olive.membership, **changes)
            version, _ = versions.publish(self.bridge, self.cast.olive.membership)
            configurations.forget()
            return version

    def client(self, key=None):
        return openai.OpenAI(api_key=key or self.key, base_url=f"http://127.0.0.1:{self.port}/v1", max_retries=0)

    def raw(self, body, *, path="/v1/chat/completions", method="POST", key=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, body if isinstance(body, bytes | None) else orjson.dumps(body), sent)
        response = connection.getresponse()
        found = response.status, dict(response.getheaders()), response.read()
        connection.close()
        return found

    def _provide(self, request):
        said = request.get_json()
        self.asked.append((said, request.headers.get("Authorization")))
        answer = self.answers.pop(0) if self.answers else {"pieces": PIECES}
        if "status" in answer:
            return Response(orjson.dumps(answer["body"]), answer["status"], answer.get("headers", {}), content_type="application/json")
        if said.get("stream"):
            return Response(self._stream(answer), content_type="text/event-stream")
        message = {"role": "assistant", "content": "".join(answer.get("pieces", ())) or None}
        if "uses" in answer:
            message["tool_calls"] = answer["uses"]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "uses" in answer else "stop"}
        body = {"id": "c", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": USAGE}
        return Response(orjson.dumps(body), content_type="application/json")

    def _stream(self, answer):
        def event(delta, reason=None, **more):
            choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
            return b"data: " + orjson.dumps({"id": "c", "model": "m-1", "choices": choices, **more}) + b"\n\n"

        try:
            for piece in answer.get("pieces", ()):
                yield event({"content": piece})
                time.sleep(self.pause)
            for at, use in enumerate(answer.get("uses", ())):
                arguments = use["function"]["arguments"]
                whole = {**use, "index": at, "function": {**use["function"], "arguments": ""}}
                yield event({"tool_calls": [whole]})
                for character in arguments:
                    yield event({"tool_calls": [{"index": at, "function": {"arguments": character}}]})
            yield event({}, "tool_calls" if "uses" in answer else "stop")
            yield b"data: " + orjson.dumps({"id": "c", "model": "m-1", "choices": [], "usage": USAGE}) + b"\n\n"
            yield b"data: [DONE]\n\n"
        finally:
            self.closed.set()


@pytest.fixture
def site(stores, port, httpserver, settings):
    settings.OPENAI_BASE_URL = httpserver.url_for("/v1")
    settings.OPENAI_API_KEY = UPSTREAM_KEY
    settings.OPENAI_MODEL = "gpt-4o-mini"
    gateway.forget()
    configurations.forget()
    return Site(make_cast(), port, httpserver)


def use(name="find", arguments='{"id": "7/../8"}', id="call_1"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_an_answer_in_one_piece_and_streamed_is_the_same(site):
    client = site.client()
    whole = client.chat.completions.create(model="brief", messages=ASK)
    chunks = list(client.chat.completions.create(model="brief", messages=ASK, stream=True, stream_options={"include_usage": True}))
    assert whole.choices[0].message.content == "".join(PIECES)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "".join(PIECES)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason] == ["stop"]
    assert whole.choices[0].finish_reason == "stop"
    assert whole.model == chunks[0].model == "brief"
    assert whole.usage == chunks[-1].usage
    assert (whole.usage.prompt_tokens_details.cached_tokens, whole.usage.completion_tokens_details.reasoning_tokens) == (8, 2)
    (said, authorization), _ = site.asked
    assert authorization == f"Bearer {UPSTREAM_KEY}"
    assert said == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": "Be brief."}, *ASK],
        "temperature": 0.5,
    }


def test_the_ledger_names_bridge_version_and_key(site):
    site.client().chat.completions.create(model="brief", messages=ASK)
    assert ledger.flush(timeout=10)
    with scoping.tenant(site.cast.acme):
        (call,) = ModelCall.objects.for_tenant(site.cast.acme)
        (figures,) = CallMetric.objects.for_tenant(site.cast.acme)
        key = ApiKey.objects.for_tenant(site.cast.acme).get(name="gateway tests")
        bridge = Bridge.objects.for_tenant(site.cast.acme).get(slug="brief")
    assert (call.status, call.purpose, call.authkey_name, call.input_tokens, call.reasoning_tokens) == (True, "bridge", key.name, 20, 2)
    assert (figures.bridge_id, figures.version_id, figures.apikey_id) == (bridge.id, bridge.published_id, key.id)


def test_what_a_caller_sets_goes_before_what_the_bridge_sets(site):
    site.client().chat.completions.create(
        model="brief",
        messages=ASK,
        temperature=1.5,
        top_p=0.9,
        max_completion_tokens=50,
        stop=["END"],
        seed=7,
        extra_body={"variables": {"tone": "kind"}},
    )
    said, _ = site.asked[0]
    assert said["messages"][0] == {"role": "system", "content": "Be kind."}
    assert {name: said[name] for name in ("temperature", "top_p", "max_tokens", "stop", "seed")} == {
        "temperature": 1.5,
        "top_p": 0.9,
        "max_tokens": 50,
        "stop": ["END"],
        "seed": 7,
    }


def test_a_version_is_called_by_its_label(site):
    with scoping.tenant(site.cast.acme):
        versions.label(site.bridge, site.cast.olive.membership, number=1, label="old")
    site.publish(system_prompt="Be long.", variables=[])
    client = site.client()
    client.chat.completions.create(model="brief:old", messages=ASK)
    client.chat.completions.create(model="brief", messages=ASK)
    assert [said["messages"][0]["content"] for said, _ in site.asked] == ["Be brief.", "Be long."]
    for model, number in (("brief", "2"), ("brief@1", "1"), ("brief@2", "2"), ("brief:old", "1")):
        _, headers, _ = site.raw({"model": model, "messages": ASK})
        assert headers["x-parley-version"] == number
    for model in ("brief@3", "brief@0", "brief@", "brief@1x", "brief@99999999999999999999", "brief:@1", "brief:none"):
        assert site.raw({"model": model, "messages": ASK})[0] == 404, model


def test_models_are_the_published_bridges_of_the_organization(site):
    with scoping.tenant(site.cast.acme):
        settings.create(Bridge, site.cast.olive.membership, name="Draft", slug="draft")
    client = site.client()
    assert [model.id for model in client.models.list()] == ["brief"]
    assert client.models.retrieve("brief").owned_by == "parley"
    for name in ("draft", "nobody"):
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(name)
    assert list(site.client(site.key_of(site.cast.greta)).models.list()) == []


def test_another_organizations_bridge_is_not_there(site):
    with pytest.raises(openai.NotFoundError) as refused:
        site.client(site.key_of(site.cast.greta)).chat.completions.create(model="brief", messages=ASK)
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert site.asked == []


def test_who_may_not_ask_is_told_so(site):
    client = openai.OpenAI(api_key="parley_nobody", base_url=f"http://127.0.0.1:{site.port}/v1", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="brief", messages=ASK)
    with pytest.raises(openai.PermissionDeniedError):
        site.client(site.key_of(site.cast.ada)).chat.completions.create(model="brief", messages=ASK)
    status, headers, _ = site.raw({}, headers={"Authorization": "Basic x"})
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="Parley"')
    assert site.asked == []


def test_a_revoked_key_is_out_within_two_seconds(site):
    site.client().models.list()
    with scoping.tenant(site.cast.acme):
        accounts.revoke_api_key(ApiKey.objects.for_tenant(site.cast.acme).get(name="gateway tests"))
    until = time.monotonic() + 2
    while site.raw(None, path="/v1/models", method="GET")[0] == 200:
        assert time.monotonic() < until
        time.sleep(0.1)


BAD = [
    (b"{", None, "not_json"),
    (b"[]", None, "not_json"),
    ({"messages": ASK}, "model", "bad_value"),
    ({"model": {"$ne": None}, "messages": ASK}, "model", "bad_value"),
    ({"model": "brief"}, "messages", "bad_value"),
    ({"model": "brief", "messages": []}, "messages", "bad_value"),
    ({"model": "brief", "messages": "hello"}, "messages", "bad_value"),
    ({"model": "brief", "messages": [{"role": "root", "content": "x"}]}, "messages.0.role", "bad_value"),
    ({"model": "brief", "messages": [{"role": ["user"], "content": "x"}]}, "messages.0.role", "bad_value"),
    ({"model": "brief", "messages": [{"role": "user", "content": 7}]}, "messages.0.content", "bad_value"),
    ({"model": "brief", "messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0", "bad_value"),
    ({"model": "brief", "messages": [{"role": "user", "content": "x", "as": "root"}]}, "messages.0.as", "unknown_parameter"),
    ({"model": "brief", "messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id", "bad_value"),
    ({"model": "brief", "messages": [{"role": "assistant", "content": None, "tool_calls": [{}]}]}, "messages.0.tool_calls", "bad_value"),
    ({"model": "brief", "messages": [{"role": "system", "content": "Only this."}]}, "messages", "bad_value"),
    ({"model": "brief", "messages": ASK, "temperatur": 1}, "temperatur", "unknown_parameter"),
    ({"model": "brief", "messages": ASK, "temperature": "hot"}, "temperature", "bad_value"),
    ({"model": "brief", "messages": ASK, "temperature": True}, "temperature", "bad_value"),
    ({"model": "brief", "messages": ASK, "temperature": 3}, "temperature", "bad_value"),
    ({"model": "brief", "messages": ASK, "max_tokens": 0}, "max_tokens", "bad_value"),
    ({"model": "brief", "messages": ASK, "n": 2}, "n", "bad_value"),
    ({"model": "brief", "messages": ASK, "logprobs": True}, "logprobs", "bad_value"),
    ({"model": "brief", "messages": ASK, "stream": "yes"}, "stream", "bad_value"),
    ({"model": "brief", "messages": ASK, "stream_options": {"all": 1}}, "stream_options", "bad_value"),
    ({"model": "brief", "messages": ASK, "tools": [{"type": "code"}]}, "tools.0", "bad_value"),
    ({"model": "brief", "messages": ASK, "tool_choice": "find"}, "tool_choice", "bad_value"),
    ({"model": "brief", "messages": ASK, "response_format": "json"}, "response_format", "bad_value"),
    ({"model": "brief", "messages": ASK, "variables": ["kind"]}, "variables", "bad_value"),
    ({"model": "brief", "messages": ASK, "variables": {"tone": 7}}, "variables.tone", "bad_variable"),
    ({"model": "brief", "messages": ASK, "variables": {"colour": "red"}}, "variables.colour", "bad_variable"),
    ({"model": "brief", "messages": ASK, "metadata": {"thread_id": {"$gt": ""}}}, "metadata.thread_id", "bad_value"),
]


def test_what_cannot_be_asked_is_refused_by_name(site):
    for body, param, code in BAD:
        status, _, said = site.raw(body)
        error = orjson.loads(said)["error"]
        assert (status, error["param"], error["code"]) == (400, param, code), body
        assert error["message"].endswith((".", "?")), error
    assert site.asked == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/engines", 404, "unknown_url"),
        ("POST", "/v1/", 404, "unknown_url"),
    ],
)
def test_other_addresses_and_methods_are_refused(site, method, path, status, code):
    found, _, said = site.raw(b"", method=method, path=path)
    assert (found, orjson.loads(said)["error"]["code"]) == (status, code)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("upstream", "status", "code"),
    [
        ({"status": 401, "body": {"error": {"message": "no"}}}, 502, "provider_unauthorized"),
        ({"status": 429, "body": {"error": {"message": "slow"}}, "headers": {"Retry-After": "17"}}, 429, "provider_rate_limited"),
        ({"status": 400, "body": {"error": {"code": "context_length_exceeded", "message": "long"}}}, 400, "context_length_exceeded"),
        ({"status": 400, "body": {"error": {"code": "content_filter", "message": "no"}}}, 400, "content_filtered"),
        ({"status": 400, "body": {"error": {"message": "bad"}}}, 400, "provider_refused"),
    ],
)
def test_what_the_provider_refuses_is_told_with_a_status_of_ours(site, upstream, status, code, streamed):
    site.answers = [upstream]
    found, headers, said = site.raw({"model": "brief", "messages": ASK, "stream": streamed})
    assert (found, orjson.loads(said)["error"]["code"]) == (status, code)
    assert headers.get("retry-after") == ("17" if status == 429 else None)
    assert UPSTREAM_KEY.encode() not in said


def test_a_provider_that_fails_for_a_moment_is_asked_again(site):
    site.answers = [{"status": 500, "body": {}}]
    assert site.client().chat.completions.create(model="brief", messages=ASK).choices[0].message.content == "".join(PIECES)
    assert len(site.asked) == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_the_callers_tools_are_the_callers_to_run(site, streamed):
    site.answers = [{"pieces": ("Looking. ",), "uses": [use(), use(id="call_2", arguments="{}")]}]
    client = site.client()
    asked = {"model": "brief", "messages": ASK, "tools": [TOOL], "tool_choice": "auto"}
    if streamed:
        chunks = [chunk.choices[0] for chunk in client.chat.completions.create(**asked, stream=True)]
        calls = [call for chunk in chunks for call in chunk.delta.tool_calls or ()]
        reason = chunks[-1].finish_reason
    else:
        (choice,) = client.chat.completions.create(**asked).choices
        calls, reason = choice.message.tool_calls, choice.finish_reason
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("call_1", "find", '{"id": "7/../8"}'),
        ("call_2", "find", "{}"),
    ]
    assert reason == "tool_calls"
    said = {"role": "assistant", "content": None, "tool_calls": [use()]}
    client.chat.completions.create(**{**asked, "messages": [*ASK, said, {"role": "tool", "tool_call_id": "call_1", "content": "Fine."}]})
    assert site.asked[0][0]["tools"] == [TOOL]
    assert site.asked[1][0]["messages"][2:] == [said, {"role": "tool", "tool_call_id": "call_1", "content": "Fine."}]


def with_tool(site, httpserver, settings, **fields):
    settings.TOOL_SERVERS = [httpserver.url_for("/")]
    with scoping.tenant(site.cast.acme):
        tool = ApiCall(
            organization=site.cast.acme,
            **{
                "name": "find",
                "description": "Finds an order.",
                "parameters": {
                    "type": "object",
                    "properties": {"id": {"type": "string"}, "deep": {"type": "boolean"}},
                    "required": ["id"],
                    "additionalProperties": False,
                },
                "url": httpserver.url_for("/orders/{id}"),
                "headers": {"X-Shop": "1"},
                **fields,
            },
        )
        crypto.put(tool, "secret_headers", '{"X-Secret": "s3cret"}')
        tool.save()
    site.publish(is_api_call=True, api_endpoints=["find"])
    return tool


@pytest.mark.parametrize("streamed", [False, True])
def test_the_bridges_tools_are_called_here_and_their_answer_is_told_to_the_model(site, httpserver, settings, streamed):
    with_tool(site, httpserver, settings)
    seen = []

    def order(request):
        seen.append(
            (request.full_path, request.headers.get("X-Secret"), request.headers.get("X-Shop"), request.headers.get("Authorization"))
        )
        return Response(b'{"state": "sent"}', content_type="application/json")

    httpserver.expect_request("/orders/7%2F%2E%2E%2F8").respond_with_handler(order)
    httpserver.expect_request("/orders/7/../8").respond_with_handler(order)
    site.answers = [{"pieces": ("One moment. ",), "uses": [use(arguments='{"id": "7/../8", "deep": true}')]}, {"pieces": ("It was sent.",)}]
    found, _, said = site.raw({"model": "brief", "messages": ASK, "stream": streamed, "stream_options": {"include_usage": True}})
    assert found == 200
    assert seen == [("/orders/7/../8?deep=true", "s3cret", "1", None)]
    first, second = (asked for asked, _ in site.asked)
    assert first["tools"][0]["function"]["name"] == "find"
    assert second["messages"][-2:] == [
        {"role": "assistant", "content": "One moment. ", "tool_calls": [use(arguments='{"id": "7/../8", "deep": true}')]},
        {"role": "tool", "content": '{"state": "sent"}', "tool_call_id": "call_1"},
    ]
    if streamed:
        events = [orjson.loads(line[6:]) for line in said.split(b"\n\n") if line.startswith(b"data: {")]
        text = "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])
        usage = events[-1]["usage"]
    else:
        body = orjson.loads(said)
        text, usage = body["choices"][0]["message"]["content"], body["usage"]
    assert (text, usage["total_tokens"]) == ("One moment. It was sent.", 52)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("{", "The arguments are no JSON."),
        ("[]", "The arguments must be an object."),
        ("{}", "The arguments do not fit: 'id' is a required property"),
        ('{"id": "1", "url": "http://10.0.0.1"}', "The arguments do not fit"),
    ],
)
def test_arguments_that_do_not_fit_are_told_to_the_model_and_call_nobody(site, httpserver, settings, arguments, told):
    with_tool(site, httpserver, settings)
    site.answers = [{"uses": [use(arguments=arguments)]}]
    assert site.raw({"model": "brief", "messages": ASK})[0] == 200
    assert site.asked[1][0]["messages"][-1]["content"].startswith(told)
    assert not [request for request, _ in httpserver.log if request.path.startswith("/orders")]


def test_a_model_that_only_calls_tools_is_stopped(site, httpserver, settings):
    with_tool(site, httpserver, settings)
    httpserver.expect_request("/orders/1").respond_with_data("again")
    site.answers = [{"uses": [use(arguments='{"id": "1"}')]} for _ in range(20)]
    found, _, said = site.raw({"model": "brief", "messages": ASK})
    assert found == 200
    assert len(site.asked) == 9
    assert site.asked[-1][0]["tool_choice"] == "none"
    assert orjson.loads(said)["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254/latest", "https://127.0.0.1/x", "https://localhost/x", "https://[::ffff:10.0.0.1]/x", "https://10.0.0.1:22/x"],
)
def test_a_tool_never_leads_inside(site, httpserver, settings, address):
    with_tool(site, httpserver, settings, url=address)
    settings.TOOL_SERVERS = []
    site.answers = [{"uses": [use(arguments='{"id": "1"}')]}]
    assert site.raw({"model": "brief", "messages": ASK})[0] == 200
    told = site.asked[1][0]["messages"][-1]["content"]
    assert told.startswith(("The address", "The host")), told


def test_a_tool_does_not_reach_the_operators_model_server(site, httpserver, settings):
    with_tool(site, httpserver, settings)
    settings.TOOL_SERVERS = []
    site.answers = [{"uses": [use(arguments='{"id": "1"}')]}]
    site.raw({"model": "brief", "messages": ASK})
    assert site.asked[1][0]["messages"][-1]["content"].startswith("The address must begin with https://")


def test_the_playground_calls_the_drafts_tools_and_shows_them(site, httpserver, settings):
    with_tool(site, httpserver, settings)
    httpserver.expect_request("/orders/7").respond_with_data('{"state": "sent"}', content_type="application/json")
    site.publish(cache_seconds=60, system_prompt="", variables=[])
    for _ in range(2):
        site.answers = [{"uses": [use(arguments='{"id": "7"}')]}, {"pieces": ("It was sent.",)}]
        status, _, said = site.raw({"text": "Where is it?"}, path="/api/v1/bridges/brief/try")
        said = orjson.loads(said)
        assert (status, said["text"], said["input_tokens"]) == (200, "It was sent.", 40)
        (run,) = said["tools"]
        assert run.pop("latency_ms") >= 0
        assert run == {
            "name": "find",
            "arguments": '{"id": "7"}',
            "content": '{"state": "sent"}',
            "status": 200,
            "error": "",
            "parts": [],
        }
    assert len(site.asked) == 4, "a try is never answered from memory"
    site.asked.clear()
    site.answers = [{"uses": [use(arguments='{"id": "7"}')]} for _ in range(20)]
    said = orjson.loads(site.raw({"text": "Where is it?"}, path="/api/v1/bridges/brief/try")[2])
    assert len(site.asked) == 9, "eight rounds, and the answer"
    assert len(said["tools"]) == 8
    assert ledger.flush(timeout=10)
    with scoping.tenant(site.cast.acme):
        assert set(ModelCall.objects.for_tenant(site.cast.acme).values_list("purpose", flat=True)) == {"playground"}


def test_a_secret_does_not_follow_its_tool_to_another_server(site, httpserver, settings):
    tool = with_tool(site, httpserver, settings)
    seen = []
    httpserver.expect_request("/orders/1").respond_with_handler(
        lambda request: seen.append(request.headers.get("X-Secret")) or Response("ok")
    )
    with scoping.tenant(site.cast.acme):
        ApiCall.objects.for_tenant(site.cast.acme).filter(pk=tool.pk).update(url="https://shop.example.com/orders/{id}")
    site.answers = [{"uses": [use(arguments='{"id": "1"}')]}]
    site.raw({"model": "brief", "messages": ASK})
    assert seen == [None]


def test_a_redirect_of_a_tool_is_not_followed(site, httpserver, settings):
    with_tool(site, httpserver, settings)
    httpserver.expect_request("/orders/1").respond_with_response(Response("", 302, {"Location": "http://127.0.0.1:1/secret"}))
    site.answers = [{"uses": [use(arguments='{"id": "1"}')]}]
    site.raw({"model": "brief", "messages": ASK})
    assert site.asked[1][0]["messages"][-1]["content"] == "It answered with a redirect, which is not followed."


def test_the_same_question_is_answered_from_memory(site):
    site.publish(cache_seconds=60)
    asked = {"model": "brief", "messages": ASK}
    (_, first, one), (_, second, other) = site.raw(asked), site.raw(asked)
    assert (first["x-parley-cache"], second["x-parley-cache"]) == ("miss", "hit")
    assert orjson.loads(one)["choices"] == orjson.loads(other)["choices"]
    assert "".join(
        chunk.choices[0].delta.content or "" for chunk in site.client().chat.completions.create(**asked, stream=True)
    ) == "".join(PIECES)
    assert site.raw({**asked, "stream": True})[1]["x-parley-cache"] == "hit"
    assert len(site.asked) == 1
    site.raw({**asked, "temperature": 0.1})
    site.raw(asked, key=site.key_of(site.cast.liam))
    site.publish(system_prompt="Be long.", variables=[])
    site.raw(asked)
    assert len(site.asked) == 4


def test_structured_output_follows_the_bridges_schema_or_the_callers(site):
    site.publish(response_schema=SCORE)
    site.answers = [{"pieces": ('{"score": 7}',)}]
    client = site.client()
    client.chat.completions.create(model="brief", messages=ASK)
    client.chat.completions.create(model="brief", messages=ASK, response_format={"type": "json_object"})
    formats = [said["response_format"] for said, _ in site.asked]
    assert len(formats) == 2
    assert formats[0]["json_schema"]["schema"] == SCORE
    assert formats[1] == {"type": "json_object"}


SCORE = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"], "additionalProperties": False}
ASKED_OF = [("/v1/chat/completions", {"model": "brief", "messages": ASK}), ("/api/v1/bridges/brief/completions", {"text": "How is Erik?"})]


def written(said, *, streamed):
    """The text of an answer, of the gateway or of REST."""
    if not streamed:
        body = orjson.loads(said)
        return body["text"] if "text" in body else body["choices"][0]["message"]["content"]
    events = [orjson.loads(line[6:]) for line in said.split(b"\n\n") if line.startswith(b"data: {")]
    deltas = [event["choices"][0]["delta"].get("content") for event in events if event.get("choices")]
    return "".join(delta or "" for delta in deltas or [event.get("text") for event in events])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("path", "body"), ASKED_OF)
def test_an_answer_that_does_not_follow_the_bridges_schema_costs_another_try(site, path, body, streamed):
    site.publish(response_schema=SCORE)
    site.answers = [{"pieces": ('{"score"', ': "high"}')}, {"pieces": ('{"score"', ": 7}")}]
    found, _, said = site.raw({**body, "stream": streamed}, path=path)
    assert (found, written(said, streamed=streamed)) == (200, '{"score": 7}'), said
    assert b"high" not in said, "what does not fit is never told"
    again = site.asked[1][0]["messages"][-2:]
    assert again[0] == {"role": "assistant", "content": '{"score": "high"}'}
    assert "'high' is not of type 'integer'" in again[1]["content"]
    assert ledger.flush(timeout=10)
    with scoping.tenant(site.cast.acme):
        kept = CallMetric.objects.for_tenant(site.cast.acme).filter(bridge_id=site.bridge.pk)
        assert kept.count() == 2, "both are in the ledger"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("path", "body"), ASKED_OF)
def test_an_answer_that_never_follows_the_schema_is_an_error(site, path, body, streamed):
    site.publish(response_schema=SCORE)
    site.answers = [{"pieces": ("seven",)}, {"pieces": ("eight",)}]
    found, _, said = site.raw({**body, "stream": streamed}, path=path)
    error = orjson.loads(said)
    (error,) = error.get("errors") or [error["error"]]
    assert (found, error["code"], len(site.asked)) == (502, "schema_not_followed", 2)
    assert "It is no JSON." in (error.get("detail") or error["message"])


def test_tools_are_called_before_an_answer_is_held_to_its_schema(site):
    site.publish(response_schema=SCORE)
    site.answers = [{"uses": [use()], "pieces": ("Looking. ",)}, {"pieces": ("none",)}, {"pieces": ('{"score": 1}',)}]
    _, _, said = site.raw({"model": "brief", "messages": ASK})
    assert written(said, streamed=False) == '{"score": 1}'
    site.answers = [{"uses": [use()], "pieces": ("Looking. ",)}]
    _, _, said = site.raw({"model": "brief", "messages": ASK, "tools": [TOOL]})
    assert written(said, streamed=False) == "Looking. ", "what the caller is to call is no answer yet"


def image(kind="PNG", type="image/png"):
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(data, kind)
    return f"data:{type};base64,{base64.b64encode(data.getvalue()).decode()}"


def shown(url):
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]}]


def test_an_image_is_shown_to_a_model_that_takes_them(site, settings):
    settings.OPENAI_PICTURE_MODELS = {"gpt-4o-mini"}
    site.client().chat.completions.create(model="brief", messages=shown(image()))
    assert site.asked[0][0]["messages"][1]["content"] == shown(image())[0]["content"]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/cat.png",
        "http://169.254.169.254/",
        "data:image/png,abc",
        "data:image/png;base64,!!",
        "data:image/png;base64,aGVsbG8=",
        image("GIF"),
    ],
)
def test_an_image_that_is_none_is_refused(site, url):
    found, _, said = site.raw({"model": "brief", "messages": shown(url)})
    assert found == 400, said
    assert site.asked == []


def test_who_hangs_up_is_not_written_for_any_longer(site):
    site.pause, site.answers = 0.05, [{"pieces": ("word ",) * 400}]
    stream = site.client().chat.completions.create(model="brief", messages=ASK, stream=True)
    next(iter(stream))
    stream.close()
    assert site.closed.wait(5)
    assert ledger.flush(timeout=10)
    until = time.monotonic() + 10
    with scoping.tenant(site.cast.acme):
        while not (calls := list(ModelCall.objects.for_tenant(site.cast.acme))):
            assert time.monotonic() < until
            time.sleep(0.05)
            ledger.flush(timeout=10)
    assert [call.outcome for call in calls] == ["cancelled"]


def test_a_stream_that_breaks_off_ends_with_an_error_and_not_with_done(site, monkeypatch):
    site.answers = [{"pieces": ("Half ",)}]
    monkeypatch.setattr(site, "_stream", lambda answer: iter([b'data: {"choices":[{"index":0,"delta":{"content":"Half "}}]}\n\n']))
    with pytest.raises(openai.APIError):
        list(site.client().chat.completions.create(model="brief", messages=ASK, stream=True))
    site.answers = [{"pieces": ("Half ",)}]
    _, _, said = site.raw({"model": "brief", "messages": ASK, "stream": True})
    assert b"[DONE]" not in said
    assert orjson.loads(said.split(b"\n\n")[-2][6:])["error"]["code"] == "provider_incomplete"


def test_parleys_own_tools_act_for_the_caller(site):
    site.publish(is_api_call=True, api_endpoints=["run_analytics_report"])
    site.answers = [{"uses": [use("run_analytics_report", "{")]}, {"uses": [use("run_analytics_report", '{"who": "everybody"}')]}]
    assert site.raw({"model": "brief", "messages": ASK})[0] == 200
    assert site.asked[0][0]["tools"][0]["function"]["name"] == "run_analytics_report"
    told = [asked["messages"][-1]["content"] for asked, _ in site.asked[1:]]
    assert told[0] == "The arguments are no JSON."
    assert told[1].startswith("The arguments are not what run_analytics_report takes")


def test_who_asks_too_often_waits(site, settings):
    settings.ROLE_LIMITS = True
    settings.ENDPOINT_LIMITS = {"completions": 1}
    first, headers, _ = site.raw({"model": "brief", "messages": ASK})
    second, refused, said = site.raw({"model": "brief", "messages": ASK})
    assert (first, headers["X-RateLimit-Remaining".lower()], second) == (200, "0", 429)
    assert 1 <= int(refused["retry-after"]) <= 60
    assert orjson.loads(said)["error"]["code"] == "limit_reached"


def test_a_used_up_budget_is_told_with_a_status_of_its_own(site):
    with scoping.tenant(site.cast.acme):
        Budget.objects.for_tenant(site.cast.acme).create(
            scope=BudgetScope.ORGANIZATION,
            target_id=site.cast.acme.pk,
            period=BudgetPeriodLength.DAY,
            amount=Decimal("0.01"),
            refuse_unknown=True,
        )
    for path, body in ASKED_OF:
        found, headers, said = site.raw(body, path=path)
        assert (found, headers["x-parley-budget"]) == (402, "spent=0; reserved=0; of=0.01"), said
        assert site.asked == []
    assert orjson.loads(site.raw(ASKED_OF[0][1])[2])["error"]["type"] == "insufficient_quota"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("path", "body"), ASKED_OF)
def test_where_a_budget_stands_is_said_beside_an_answer(site, path, body, streamed):
    prices.forget()
    with scoping.tenant(site.cast.acme):
        ModelPrice.objects.create(host="", model="*", since=datetime(2020, 1, 1, tzinfo=UTC), input=1, cached_input=1, output=10)
        Budget.objects.for_tenant(site.cast.acme).create(
            scope=BudgetScope.KEY,
            target_id=ApiKey.objects.for_tenant(site.cast.acme).get().pk,
            period=BudgetPeriodLength.DAY,
            amount=Decimal(5),
        )
    liams = site.raw({**body, "stream": streamed}, path=path, key=site.key_of(site.cast.liam))
    assert "x-parley-budget" not in {name.lower() for name in liams[1]}, "nobody holds that key"
    status, headers, _ = site.raw({**body, "stream": streamed}, path=path)
    said = {name.lower(): value for name, value in headers.items()}["x-parley-budget"]
    assert status == 200
    assert re.fullmatch(r"spent=0; reserved=0\.04\d*; of=5", said), "4,096 tokens at 10 dollars a million, and the prompt"
