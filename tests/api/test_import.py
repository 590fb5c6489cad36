"""An exported file becomes a new conversation: everything in it, nothing else, once, and whatever the file says never more than a 400."""

import copy
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import WriteError

from chat.choices import ConsultationType, MessageRole, MessageStatus
from chat.documents import Conversation, Message
from chat.serializers import FILE_MESSAGES_LIMIT
from chat.services import conversations, imports
from config import json, mongo
from tenants import scoping
from tenants.choices import Role
from tests.api.conftest import errors_of, refused_field, signed_in, with_key
from tests.api.test_conversations import BAD_BODIES, OPERATOR, start, titles
from tests.api.test_export import answered, file_of
from tests.api.test_messages import say

pytestmark = pytest.mark.django_db

QUESTION, ANSWER = "01a201c6-0000-7000-8000-000000000001", "01a201c6-0000-7000-8000-000000000002"
UNKNOWN = "01a201c6-0000-7000-8000-000000000003"
AT = "2026-01-02T03:04:05.678000Z"


def a_file(**conversation: Any) -> dict[str, Any]:
    """Everything that a file can say."""
    return {
        "format": "parley-conversation",
        "version": 1,
        "exported_at": AT,
        "conversation": {
            "id": UNKNOWN,
            "kind": "assistant",
            "type": "employee_specific",
            "title": "Erik in spring",
            "subject_employee_ids": [UNKNOWN],
            "subject_type": "single_employee",
            "created_at": AT,
            "last_message_at": AT,
            **conversation,
        },
        "messages": [
            {
                "id": QUESTION,
                "seq": 1,
                "role": "user",
                "author": {"id": UNKNOWN, "name": "Olive Olsen", "role": "owner"},
                "text": "How is Erik?",
                "status": "sent",
                "sources": [],
                "attempt": 1,
                "created_at": AT,
                **dict.fromkeys(
                    ("model", "version", "usage", "finish_reason", "confidence", "error", "answer_to", "reply_to", "edited_at")
                ),
            },
            {
                "id": ANSWER,
                "seq": 2,
                "role": "assistant",
                "author": None,
                "text": "*Well.*",
                "status": "interrupted",
                "model": "m-1",
                "version": "v-1",
                "usage": {"input_tokens": 20, "output_tokens": 13, "cost": "0.0000001"},
                "finish_reason": "stop",
                "confidence": 0.75,
                "sources": ["employee:x"],
                "structured_data": {
                    "analysis_type": "employee_specific",
                    "scores": {"role fit": 82.5, "Dr. Who": 0},
                    "recommendations": ["Ask him."],
                    "insights": [],
                    "data_points": {"goals": 92, "mood": "fine"},
                },
                "error": {"code": "interrupted", "detail": "It broke off."},
                "attempt": 2,
                "answer_to": QUESTION,
                "reply_to": None,
                "created_at": AT,
                "edited_at": AT,
            },
        ],
    }


def take(caller, file: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = caller.post("conversations/import", {**file, **fields})
    assert response.status_code == 201, response.content
    return response.json()


def same(file: dict[str, Any]) -> list[dict[str, Any]]:
    """A file's messages, with places in it for ids: what has to be the same after an import."""
    places = {message.get("id"): place for place, message in enumerate(file["messages"])}
    found = copy.deepcopy(file["messages"])
    for place, message in enumerate(found):
        message |= {
            "id": None,
            "seq": place + 1,
            "answer_to": places.get(message["answer_to"]),
            "reply_to": places.get(message.get("reply_to")),
        }
        if message["author"]:
            message["author"]["id"] = None
    return found


def stored(cast) -> list[int]:
    acme = {"organizationId": str(cast.acme.id)}
    return [mongo.collection(document).count_documents(acme) for document in (Conversation, Message)]


# what it makes


def test_what_was_exported_becomes_a_new_conversation_of_the_importer_s(cast, olive):
    conversation = start(olive, cast, title="Erik in spring")
    answered(olive, cast, conversation)
    file = file_of(olive, conversation)
    liam = with_key(cast.liam)
    made = take(liam, file)
    assert made["id"] != conversation["id"]
    assert made | {"last_message_at": "", "updated_at": "", "id": ""} == {
        "id": "",
        "kind": "assistant",
        "type": "employee_specific",
        "title": "Erik in spring",
        "status": "active",
        "pinned": False,
        "subject_employee_ids": [str(cast.employees["Erik Ek"].id)],
        "subject_type": "single_employee",
        "owner": {"id": str(cast.liam.user.id), "role": "leader"},
        "access": {"private": True, "roles": [], "users": []},
        "context": {"opened_from": None, "intent": None},
        "thread": None,
        "message_count": 2,
        "tokens_used": 0,
        "satisfaction_rating": None,
        "last_message_at": "",
        "created_at": conversation["created_at"],
        "updated_at": "",
        "archived_at": None,
        "deleted_at": None,
    }
    again = file_of(liam, made)
    assert same(again) == same(file)
    ids = {message["id"] for message in file["messages"]}
    assert not ids & {message["id"] for message in again["messages"]}
    assert again["messages"][0]["author"] == {"id": None, "name": "Olive Olsen", "role": "owner"}
    errors_of(olive.get(f"conversations/{made['id']}"), 404)


def test_it_goes_on_where_it_ended(cast, olive):
    made = take(olive, a_file())
    said = say(olive, f"conversations/{made['id']}/messages", "And now?")
    assert (said["message"]["seq"], said["answer"]["seq"]) == (3, 4)
    answer = olive.get(f"conversations/{made['id']}/messages").json()["results"][1]
    assert olive.post(f"messages/{answer['id']}/retry").status_code == 200


def test_what_was_on_its_way_is_interrupted(olive):
    file = a_file()
    for status in ("pending", "streaming"):
        file["messages"][1]["status"] = status
        assert file_of(olive, take(olive, file))["messages"][1]["status"] == "interrupted"


def test_tokens_and_costs_stay_with_the_answers_and_enter_no_total(cast, olive):
    made = take(olive, a_file())
    one = {"organizationId": str(cast.acme.id), "conversationId": made["id"]}
    kept = mongo.collection(Conversation).find_one(one)
    assert (kept["totalTokensUsed"], kept["answerCount"], kept.get("estimatedCost")) == (0, 0, None)
    answer = mongo.collection(Message).find_one({**one, "seq": 2})
    assert (answer["aiResponseMetadata"]["tokensUsed"], answer["aiResponseMetadata"]["provider"]) == (33, imports.PROVIDER)
    assert "calls" not in answer  # what the ledger is restored from


def test_employees_whom_the_importer_may_not_see_are_left_out(cast):
    wanted = [str(person.id) for person in (*cast.employees.values(), *cast.strangers.values())]
    file = a_file(type="team_compatibility", subject_employee_ids=[*wanted, UNKNOWN, wanted[0]])
    for person, seen in ((cast.olive, 3), (cast.liam, 2), (cast.mona, 1), (cast.greta, 1)):
        made = take(with_key(person), file)
        assert len(made["subject_employee_ids"]) == seen
    alone = take(with_key(cast.mona), a_file(subject_employee_ids=[str(cast.employees["Wim Wolf"].id)]))
    assert (alone["subject_employee_ids"], alone["subject_type"]) == ([], None)


def test_guests_and_agents_import_nothing(cast):
    for person in (cast.ada, cast.vera):
        errors_of(with_key(person).post("conversations/import", a_file()), 403)


def test_the_least_that_a_file_needs(olive):
    message = {"role": "user", "text": "", "created_at": AT}
    file = {
        "format": "parley-conversation",
        "version": 1,
        "conversation": {"type": "one_to_one", "title": "Short", "created_at": AT},
        "messages": [message, message | {"role": "assistant"}],
    }
    assert take(olive, file)["message_count"] == 2
    assert take(olive, file | {"messages": []})["last_message_at"] == AT.replace("678000Z", "678Z")


# once, and whole or not at all


def test_the_same_import_sent_twice_makes_one_conversation(cast, olive):
    before = stored(cast)
    first = take(olive, a_file(), client_id="again")
    assert take(olive, a_file(), client_id="again") == first
    assert stored(cast) == [before[0] + 1, before[1] + 2]
    assert take(olive, a_file(), client_id="another")["id"] != first["id"]
    assert start(olive, cast, client_id="again")["id"] != first["id"]
    assert take(with_key(cast.liam), a_file(), client_id="again")["id"] != first["id"]


def test_the_same_import_sent_twice_at_once_makes_one_conversation(cast, monkeypatch):
    both = threading.Barrier(2, timeout=20)
    insert, tried = imports._insert, set[int]()

    def together(*arguments: Any, **named: Any) -> None:
        if threading.get_ident() not in tried:  # the one that comes second tries again
            tried.add(threading.get_ident())
            both.wait()
        insert(*arguments, **named)

    monkeypatch.setattr(imports, "_insert", together)
    before, made = stored(cast), list[str]()
    now = datetime(2026, 1, 2, tzinfo=UTC)
    conversation = {"type": "one_to_one", "title": "Twice", "created_at": now}
    message = {"role": "user", "text": "Hello.", "status": "sent", "created_at": now}

    def import_it() -> None:
        try:
            with scoping.tenant(cast.acme):
                taken = imports.take(cast.olive.membership, conversation=conversation, messages=[message], client_id="at once")
            made.append(taken.id)
        finally:
            connection.close()

    threads = [threading.Thread(target=import_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 2
    assert len(set(made)) == 1
    assert stored(cast) == [before[0] + 1, before[1] + 1]


def test_an_import_that_breaks_off_leaves_nothing(cast, olive, monkeypatch):
    before = stored(cast)

    def breaks(title: str) -> int:
        return 7  # MongoDB refuses it, after the messages

    monkeypatch.setattr(conversations, "checked_title", breaks)
    with scoping.tenant(cast.acme), pytest.raises(WriteError):
        imports.take(
            cast.olive.membership,
            conversation={"type": "one_to_one", "title": "x", "created_at": datetime.now(UTC)},
            messages=[{"role": "user", "text": "Hello.", "status": "sent", "created_at": datetime.now(UTC)}],
        )
    assert stored(cast) == before


# what is refused


def with_change(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    file: Any = a_file()
    inner = file
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return file


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything within a value."""
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*before, name)
        yield from paths(value[name], (*before, name))


PATHS = list(paths(a_file()))


def test_an_operator_anywhere_is_a_400_that_names_the_place(cast, olive):
    assert len(PATHS) > 50
    before = stored(cast)
    for path in PATHS:
        for operator in (OPERATOR, {"$gt": ""}, {"$where": "1"}):
            named = refused_field(olive.post("conversations/import", with_change(path, operator)))
            spelled = ".".join(map(str, path))
            assert (named or "").startswith(spelled), (path, named)
    assert stored(cast) == before


BAD = [
    ("format", ("format",), "another"),
    ("version", ("version",), 2),
    ("version", ("version",), True),
    ("conversation.type", ("conversation", "type"), None),
    ("conversation.title", ("conversation", "title"), "x" * 201),
    ("conversation.title", ("conversation", "title"), " "),
    ("conversation.owner", ("conversation", "owner"), "me"),
    ("conversation.created_at", ("conversation", "created_at"), "2026-01-02T03:04:05"),
    ("conversation.created_at", ("conversation", "created_at"), "2999-01-02T03:04:05Z"),
    ("conversation.created_at", ("conversation", "created_at"), "0001-01-01T00:00:00+14:00"),
    ("conversation.created_at", ("conversation", "created_at"), 1_700_000_000),
    ("conversation.subject_employee_ids", ("conversation", "subject_employee_ids"), [UNKNOWN] * 51),
    ("messages", ("messages",), {}),
    ("messages", ("messages",), [{}] * (FILE_MESSAGES_LIMIT + 1)),
    ("messages.1", ("messages", 1), "Hello."),
    ("messages.1.role", ("messages", 1, "role"), "robot"),
    ("messages.1.status", ("messages", 1, "status"), "done"),
    ("messages.1.text", ("messages", 1, "text"), "x" * 200_001),
    ("messages.1.text", ("messages", 1, "text"), "zero \x00"),
    ("messages.1.text", ("messages", 1, "text"), None),
    ("messages.1.confidence", ("messages", 1, "confidence"), 1.5),
    ("messages.1.confidence", ("messages", 1, "confidence"), "0.5"),
    ("messages.1.usage.cost", ("messages", 1, "usage", "cost"), "NaN"),
    ("messages.1.usage.cost", ("messages", 1, "usage", "cost"), "1e5"),
    ("messages.1.usage.output_tokens", ("messages", 1, "usage", "output_tokens"), -1),
    ("messages.1.usage.output_tokens", ("messages", 1, "usage", "output_tokens"), 2**63),
    ("messages.1.attempt", ("messages", 1, "attempt"), 0),
    ("messages.1.sources.0", ("messages", 1, "sources"), [7]),
    ("messages.1.structured_data.analysis_type", ("messages", 1, "structured_data", "analysis_type"), "magic"),
    ("messages.1.structured_data.scores.role fit", ("messages", 1, "structured_data", "scores", "role fit"), 101),
    ("messages.1.structured_data.scores.role fit", ("messages", 1, "structured_data", "scores", "role fit"), "80"),
    ("messages.1.structured_data.scores", ("messages", 1, "structured_data", "scores"), {"$gt": 1}),
    ("messages.1.structured_data.scores", ("messages", 1, "structured_data", "scores"), [1]),
    ("messages.1.structured_data.data_points", ("messages", 1, "structured_data", "data_points"), {"a\x00b": 1}),
    ("messages.1.structured_data.data_points.goals", ("messages", 1, "structured_data", "data_points"), {"goals": 1e300}),
    ("messages.1.structured_data.data_points.goals", ("messages", 1, "structured_data", "data_points"), {"goals": True}),
    ("messages.1.structured_data.insights.0", ("messages", 1, "structured_data", "insights"), [7]),
    ("messages.1.created_at", ("messages", 1, "created_at"), "yesterday"),
    ("messages.1.lease", ("messages", 1, "lease"), {}),
    ("messages.1.id", ("messages", 1, "id"), QUESTION),
    ("client_id", ("client_id",), ""),
    ("organizationId", ("organizationId",), UNKNOWN),
]


def test_what_does_not_fit_is_named_and_makes_nothing(cast, olive):
    before = stored(cast)
    for field, path, value in BAD:
        assert refused_field(olive.post("conversations/import", with_change(path, value))) == field, (path, str(value)[:40])
    file = a_file()
    file["messages"].append({**file["messages"][1], "id": UNKNOWN})
    assert refused_field(olive.post("conversations/import", file)) == "messages.2.answer_to"
    assert stored(cast) == before


def test_ten_thousand_wrong_messages_are_not_all_told_of(olive):
    response = olive.post("conversations/import", a_file() | {"messages": [{}] * FILE_MESSAGES_LIMIT})
    assert len(errors_of(response, 400)) < 10


def test_a_body_that_is_no_file_is_refused(olive):
    for body in BAD_BODIES:
        errors_of(olive.send("POST", "conversations/import", body), 400)
    errors_of(olive.send("POST", "conversations/import", b"x", content_type="multipart/form-data; boundary=x"), 415)


def test_a_file_may_be_larger_than_other_bodies_and_has_a_limit_too(olive):
    file = a_file()
    file["messages"] = [{"role": "user", "text": "x" * 150_000, "created_at": AT}] * 10
    assert take(olive, file)["message_count"] == 10
    [error] = errors_of(olive.send("POST", "conversations/import", b" " * (json.FILE_LIMIT + 1)), 413)
    assert f"{json.FILE_LIMIT:,}" in error["detail"]


# whatever comes

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
maybe = st.none() | words
SPAN = (datetime(2001, 1, 1), datetime(2026, 1, 1))  # noqa: DTZ001  # Hypothesis adds the zone
moments = st.datetimes(*SPAN, timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat().replace("+00:00", "Z")
)
tokens = st.integers(0, 2**31 - 1)
names = words.filter(lambda name: name.strip() and not name.startswith("$"))
said = st.fixed_dictionaries(
    {
        "role": st.sampled_from(MessageRole.values),
        "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200),
        "status": st.sampled_from(MessageStatus.values),
        "author": st.fixed_dictionaries({"id": st.none(), "name": maybe, "role": st.none() | st.sampled_from(Role.values)}),
        "model": maybe,
        "version": maybe,
        "usage": st.none()
        | st.fixed_dictionaries(
            {
                "input_tokens": st.none() | tokens,
                "output_tokens": tokens,
                "cost": st.none() | st.decimals(0, 10**6, places=9).map(lambda cost: format(cost, "f")),
            }
        ),
        "finish_reason": maybe,
        "confidence": st.none() | st.floats(0, 1),
        "sources": st.lists(words.filter(str.strip), max_size=3),
        "structured_data": st.none()
        | st.fixed_dictionaries(
            {
                "analysis_type": st.sampled_from(ConsultationType.values),
                "scores": st.dictionaries(names, st.floats(0, 100), max_size=3),
                "insights": st.lists(words.filter(str.strip), max_size=3),
                "data_points": st.dictionaries(names, st.integers(-1000, 1000) | words, max_size=3),
            }
        ),
        "error": st.none() | st.fixed_dictionaries({"code": words.filter(str.strip), "detail": maybe}),
        "attempt": st.integers(1, 1000),
        "created_at": moments,
        "edited_at": st.none() | moments,
    }
)
files = st.builds(
    lambda messages, type, at: (
        a_file(type=type, created_at=at)
        | {"messages": [{**message, "id": f"01a201c6-0000-7000-8000-{place:012x}"} for place, message in enumerate(messages)]}
    ),
    st.lists(said, max_size=5),
    st.sampled_from(ConsultationType.values),
    moments,
)
ALWAYS = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(ALWAYS, max_examples=40)
@given(files)
def test_export_import_export_gives_the_same_messages(cast, olive, file):
    first = file_of(olive, take(olive, file))
    for given_, kept in zip(file["messages"], first["messages"], strict=True):
        assert kept["text"] == given_["text"]
        assert kept["usage"] == given_["usage"]
        assert moment(kept["created_at"]) == moment(given_["created_at"])
    second = file_of(olive, take(olive, first))
    assert same(second) == same(first)
    changing = ("id", "last_message_at")
    assert {**second["conversation"], **dict.fromkeys(changing)} == {**first["conversation"], **dict.fromkeys(changing)}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | words | st.just("\x00") | st.just(UNKNOWN) | moments,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$ne", "$gt", "$where", "_id", "organizationId"]) | words, inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(ALWAYS, max_examples=150)
@given(path=st.sampled_from(PATHS), value=anything)
def test_whatever_stands_in_a_file_it_is_taken_or_refused_and_finds_nothing(cast, olive, path, value):
    before = stored(cast)
    response = post_as_it_is(olive, with_change(path, value))
    if response.status_code == 201:
        assert response.json()["owner"]["id"] == str(cast.olive.user.id)
        assert response.json()["access"] == {"private": True, "roles": [], "users": []}
        assert stored(cast)[0] == before[0] + 1
    else:
        errors_of(response, 400)
        assert stored(cast) == before


@settings(ALWAYS, max_examples=60)
@given(anything)
def test_whatever_a_body_is_it_is_refused(olive, value):
    errors_of(post_as_it_is(olive, value), 400)


def post_as_it_is(caller, value: Any) -> Any:
    """Also what our own writer would not write: NaN, integers of any size."""
    return caller.send("POST", "conversations/import", json.json.dumps(value).encode())


# the page


def upload(cast, content: bytes, *, client_id: str = "form-1") -> Any:
    browser = signed_in(cast.olive.user)
    body = {"client_id": client_id, "file": SimpleUploadedFile("talk.json", content, content_type="application/json")}
    return browser.client.post("/o/acme/chat/import/", body, headers=browser.headers), browser.client


def test_the_page_imports_a_file_once(cast, olive):
    assert 'action="/o/acme/chat/import/"' in signed_in(cast.olive.user).client.get("/o/acme/chat/new/").content.decode()
    response, client = upload(cast, json.dumps(a_file(title="From the page")))
    assert response.status_code == 302
    assert "How is Erik?" in client.get(response.headers["Location"]).content.decode()
    again, _ = upload(cast, json.dumps(a_file(title="From the page")))
    assert again.headers["Location"] == response.headers["Location"]
    other, _ = upload(cast, json.dumps(a_file(title="Another file")))
    assert other.headers["Location"] != response.headers["Location"]
    assert {"From the page", "Another file"} <= set(titles(olive.get("conversations")))


def test_the_page_says_what_is_wrong_with_a_file(cast):
    twice = a_file()
    twice["messages"][1]["id"] = QUESTION
    for content, sentence in (
        (b"", "This file is empty."),
        (b"# Markdown", "This is no exported JSON file."),
        (b"[]", "Send one JSON object."),
        (json.dumps(with_change(("messages", 1, "role"), OPERATOR)), "messages.1.role: "),
        (json.dumps(twice), "messages.1.id: Another message of the file has this id."),
        (b" " * (json.FILE_LIMIT + 1), "This file is larger than 5,242,880 bytes."),
    ):
        response, client = upload(cast, content)
        assert response.headers["Location"] == "/o/acme/chat/new/"
        assert sentence in client.get("/o/acme/chat/new/").content.decode()
