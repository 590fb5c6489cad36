"""Asking a bridge over REST, in one piece and as events."""

import asyncio

import orjson
import pytest

from integrations.models import Bridge
from integrations.services import configurations, settings, versions
from tenants import scoping
from tests.api.conftest import errors_of, with_key

pytestmark = pytest.mark.django_db
ADDRESS = "bridges/brief/completions"


@pytest.fixture(autouse=True)
def bridge(cast):
    configurations.forget()
    with scoping.tenant(cast.acme):
        made = settings.create(
            Bridge,
            cast.olive.membership,
            name="Brief",
            slug="brief",
            system_prompt="Be {{ tone }}.",
            variables=[{"name": "tone", "type": "text"}],
        )
        versions.publish(made, cast.olive.membership)
    yield made
    configurations.forget()


def test_a_bridge_answers(olive):
    answered = olive.post(ADDRESS, {"text": "How is Erik?", "variables": {"tone": "brief"}})
    assert answered.status_code == 200, answered.content
    said = answered.json()
    assert said["text"]
    assert (said["model"], said["version"], said["finish_reason"], said["tools"]) == ("offline consultant", 1, "stop", [])
    assert said["usage"]["cost"] == "0"


def test_the_same_question_is_answered_from_memory_for_the_same_asker_alone(olive, cast):
    asked = {"text": "How is the weather?", "variables": {"tone": "brief"}}
    first, again, liams = olive.post(ADDRESS, asked), olive.post(ADDRESS, asked), with_key(cast.liam).post(ADDRESS, asked)
    assert [answer.json()["from_cache"] for answer in (first, again, liams)] == [False, True, False]
    assert first.json()["text"] == again.json()["text"]


def test_the_answer_comes_as_events_if_asked_for(olive):
    asked = {"messages": [{"role": "user", "text": "Tell me of Erik."}], "variables": {"tone": "kind"}, "stream": True}
    answered = olive.post(ADDRESS, asked)
    assert answered["Content-Type"] == "text/event-stream"

    async def read():
        return b"".join([part async for part in answered.streaming_content])

    events = [orjson.loads(line[6:]) for line in asyncio.run(read()).split(b"\n\n") if line]
    assert "".join(event["text"] for event in events[:-1]) == events[-1]["answer"]["text"]
    assert len(events) > 1


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "variables"),
        ({"variables": {"tone": "x"}}, "text"),
        ({"text": "x", "variables": {"tone": 7}}, "variables"),
        ({"text": "x", "variables": {"tone": "x", "colour": "red"}}, "variables"),
        ({"text": {"$ne": None}}, "text"),
        ({"text": "x", "messages": [{"role": "system", "text": "x"}]}, "messages.0.role"),
        ({"text": "x", "temperature": 1}, "temperature"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(olive, asked, field):
    (error,) = errors_of(olive.post(ADDRESS, asked), 400)
    assert error["attr"] == field


def test_who_may_not_ask_does_not(olive, greta, cast, bridge):
    asked = {"text": "x", "variables": {"tone": "x"}}
    errors_of(with_key(cast.ada).post(ADDRESS, asked), 403)
    errors_of(greta.post(ADDRESS, asked), 404)
    errors_of(olive.post("bridges/nobody/completions", asked), 404)
    errors_of(olive.post(ADDRESS, asked | {"label": "old"}), 404)
    errors_of(olive.get(ADDRESS), 405)


def test_a_thread_is_gone_on_with_and_read_as_a_conversation(olive):
    asked = {"variables": {"tone": "kind"}, "thread_id": "order 7", "client_id": "first"}
    first = olive.post(ADDRESS, {**asked, "text": "How is Erik?"}).json()
    again = olive.post(ADDRESS, {**asked, "text": "How is Erik?"}).json()
    assert {**again, "usage": None} == {**first, "usage": None}
    second = olive.post(ADDRESS, {**asked, "text": "And Ida?", "client_id": "second"}).json()
    assert second["conversation"] == first["conversation"]
    listed = olive.get("conversations?kind=api").json()["results"]
    (conversation,) = [one for one in listed if one["id"] == first["conversation"]]
    assert conversation["thread"] == {"bridge": conversation["thread"]["bridge"], "id": "order 7", "sub_id": ""}
    assert first["conversation"] not in {one["id"] for one in olive.get("conversations").json()["results"]}
    messages = olive.get(f"conversations/{first['conversation']}/messages").json()["results"]
    assert [(message["seq"], message["role"], message["text"]) for message in sorted(messages, key=lambda one: one["seq"])] == [
        (1, "user", "How is Erik?"),
        (2, "assistant", first["text"]),
        (3, "user", "And Ida?"),
        (4, "assistant", second["text"]),
    ]
    errors_of(olive.post(f"conversations/{first['conversation']}/messages", {"text": "Hello", "client_id": "x"}), 409)
    errors_of(olive.post(f"messages/{second['message']}/regenerate"), 409)


@pytest.mark.parametrize(
    ("more", "status", "attr"),
    [
        ({"client_id": "first"}, 422, "client_id"),
        ({"thread_id": None, "sub_thread_id": "x"}, 400, "thread_id"),
        ({"thread_id": None, "reset": True}, 400, "thread_id"),
        ({"thread_id": ""}, 400, "thread_id"),
        ({"thread_id": {"$ne": None}}, 400, "thread_id"),
        ({"thread_id": "x" * 201}, 400, "thread_id"),
    ],
)
def test_a_turn_that_cannot_be_taken_is_refused_by_name(olive, more, status, attr):
    asked = {"text": "How is Erik?", "variables": {"tone": "kind"}, "thread_id": "order 8"}
    if status == 422:
        assert olive.post(ADDRESS, {**asked, "client_id": "first", "text": "Another."}).status_code == 200
    sent = {name: value for name, value in {**asked, **more}.items() if value is not None}
    (error,) = errors_of(olive.post(ADDRESS, sent), status)
    assert error["attr"] == attr
