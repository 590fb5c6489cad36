"""Threads of programs: what is said in them is kept as a conversation, and told to the model the next time."""

import threading

import openai
import orjson
import pytest
from bson.decimal128 import Decimal128
from django.utils import timezone

from chat import access, selectors
from chat.documents import Conversation, Message
from chat.services import erasure, errors, turns
from config import mongo, redis
from integrations.models import ModelCall
from integrations.services import ledger
from tenants import scoping
from tenants.access import NotFound
from tenants.choices import NOBODY, Role
from tenants.services import erasure as tenants_erasure
from tests.cast import make_person
from tests.integrations.test_gateway import PIECES, TOOL, port, site, use

__all__ = ["port", "site"]

ANSWER = "".join(PIECES)


def asked(text, *, thread="order-7", stream=False, **more):
    metadata = {"thread_id": thread, **more}
    return {"model": "brief", "messages": [{"role": "user", "content": text}], "metadata": metadata, "stream": stream}


def rows(site, document=Message):
    """Everything of Acme's, in order."""
    found = mongo.collection(document).find({"organizationId": str(site.cast.acme.pk)})
    return list(found.sort([("conversationId", 1), ("seq", 1)]) if document is Message else found.sort("createdAt", 1))


def shown(message):
    return {key: message.get(key) for key in ("seq", "role", "content", "status")}


def told(site, nth=-1):
    return [(message["role"], message["content"]) for message in site.asked[nth][0]["messages"]]


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_said_in_a_thread_is_told_the_next_time(site, stream):
    for text in ("Who is Erik?", "And Ida?"):
        assert site.raw(asked(text, stream=stream))[0] == 200
    assert told(site) == [
        ("system", "Be brief."),
        ("user", "Who is Erik?"),
        ("assistant", ANSWER),
        ("user", "And Ida?"),
    ]
    assert [shown(message) for message in rows(site)] == [
        {"seq": 1, "role": "user", "content": "Who is Erik?", "status": "sent"},
        {"seq": 2, "role": "assistant", "content": ANSWER, "status": "sent"},
        {"seq": 3, "role": "user", "content": "And Ida?", "status": "sent"},
        {"seq": 4, "role": "assistant", "content": ANSWER, "status": "sent"},
    ]
    (conversation,) = rows(site, Conversation)
    assert {
        key: conversation[key] for key in ("kind", "threadId", "subThreadId", "bridgeId", "title", "messageCount", "totalTokensUsed")
    } == {
        "kind": "api",
        "threadId": "order-7",
        "subThreadId": "",
        "bridgeId": str(site.bridge.pk),
        "title": "Who is Erik?",
        "messageCount": 4,
        "totalTokensUsed": 52,
    }


def test_an_answer_says_which_version_wrote_it_what_it_took_and_how_it_was_called(site):
    site.raw(asked("Who is Erik?"))
    question, answer = rows(site)
    assert answer["answerTo"] == question["messageId"]
    assert (answer["version"], answer["aiModel"], answer["finishReason"], answer["conversationType"]) == ("brief@1", "m-1", "stop", "chat")
    assert answer["AiConfig"] == {"temperature": 0.5}
    took = answer["aiResponseMetadata"]
    assert (took["inputTokens"], took["outputTokens"], took["provider"]) == (20, 6, "openai")
    assert isinstance(took["cost"], Decimal128 | None)
    assert ledger.flush(timeout=10)
    with scoping.tenant(site.cast.acme):
        (call,) = ModelCall.objects.for_tenant(site.cast.acme)
    assert (str(call.chat_id), str(call.message_id), str(call.id)) == (
        answer["conversationId"],
        answer["messageId"],
        answer["calls"][0]["id"],
    )


def test_without_a_thread_nothing_is_kept_but_the_ledger(site):
    site.raw({"model": "brief", "messages": [{"role": "user", "content": "Hello"}], "metadata": {"mine": "x"}})
    assert rows(site) == rows(site, Conversation) == []


def test_threads_and_threads_within_them_do_not_know_of_each_other(site):
    site.raw(asked("one"))
    site.raw(asked("two", sub_thread_id="returns"))
    site.raw(asked("three", thread="order-8"))
    assert [len(said["messages"]) for said, _ in site.asked] == [2, 2, 2]
    assert len(rows(site, Conversation)) == 3


def test_the_same_client_id_is_answered_with_the_same_and_asks_nobody(site):
    first, again = (site.raw(asked("Who is Erik?", client_id="q1")) for _ in range(2))
    assert orjson.loads(first[2])["choices"] == orjson.loads(again[2])["choices"]
    assert (len(site.asked), len(rows(site))) == (1, 2)
    status, _, said = site.raw(asked("Who is Ida?", client_id="q1"))
    assert (status, orjson.loads(said)["error"]["code"], orjson.loads(said)["error"]["param"]) == (
        422,
        "client_id_reused",
        "metadata.client_id",
    )


def test_what_failed_is_kept_with_its_error_and_the_next_attempt_takes_its_place(site):
    refusal = {"status": 400, "body": {"error": {"message": "No.", "code": "context_length_exceeded"}}}
    site.answers = [refusal]
    status, _, said = site.raw(asked("Who is Erik?", client_id="q1"))
    assert (status, orjson.loads(said)["error"]["code"]) == (400, "context_length_exceeded")
    _, answer = rows(site)
    assert (answer["status"], answer["errorDetails"]["errorCode"], answer["attempt"]) == ("error", "context_length_exceeded", 1)
    assert site.raw(asked("Who is Erik?", client_id="q1"))[0] == 200
    question, answer = rows(site)
    assert (shown(question)["content"], shown(answer)["content"], answer["status"], answer["attempt"]) == (
        "Who is Erik?",
        ANSWER,
        "sent",
        2,
    )
    assert "errorDetails" not in answer
    assert len(answer["calls"]) == 2
    site.raw(asked("And Ida?"))
    assert told(site)[1:] == [("user", "Who is Erik?"), ("assistant", ANSWER), ("user", "And Ida?")]


def test_what_a_program_did_not_wait_for_is_kept_as_stopped(site):
    site.pause, site.answers = 0.05, [{"pieces": ("word ",) * 400}]
    stream = site.client().chat.completions.create(**asked("Tell me.", stream=True))
    for _ in range(4):
        next(iter(stream))
    stream.close()
    assert site.closed.wait(5)
    for _ in range(100):
        if len(found := rows(site)) == 2:
            break
        threading.Event().wait(0.05)
    assert found[1]["status"] == "cancelled"
    assert found[1]["content"].startswith("word ")


def test_a_reset_begins_anew(site):
    site.raw(asked("one"))
    from_api = site.raw({"text": "two", "thread_id": "order-7", "reset": True}, path="/api/v1/bridges/brief/completions")
    assert from_api[0] == 200, from_api
    site.raw(asked("three"))
    assert [text for role, text in told(site) if role == "user"] == ["two", "three"]


def test_calls_of_the_programs_own_tools_are_told_again_whole(site):
    site.answers = [{"uses": [use()]}]
    site.raw({**asked("Find it."), "tools": [TOOL]})
    back = {"role": "tool", "tool_call_id": "call_1", "content": "found"}
    site.raw({**asked("x"), "messages": [back], "tools": [TOOL]})
    _, question, called, result = site.asked[-1][0]["messages"]
    assert question == {"role": "user", "content": "Find it."}
    assert called["tool_calls"] == [use()]
    assert result == back
    assert [message["role"] for message in rows(site)] == ["user", "assistant", "function", "assistant"]


def test_at_once_each_turn_has_places_of_its_own(site):
    def ask(number):
        site.raw(asked(f"question {number}"))

    together = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in together:
        one.start()
    for one in together:
        one.join()
    found = rows(site)
    assert len(rows(site, Conversation)) == 1
    assert sorted(message["seq"] for message in found) == list(range(1, 17))
    questions = {message["messageId"] for message in found if message["role"] == "user"}
    assert {message["answerTo"] for message in found if message["role"] == "assistant"} == questions


def test_a_thread_is_not_gone_on_with_by_others_unless_they_see_bridges(site):
    site.raw(asked("Mine."))
    mona, liam = site.key_of(site.cast.mona), site.key_of(site.cast.liam)
    status, _, said = site.raw(asked("And mine."), key=mona)
    assert (status, orjson.loads(said)["error"]["code"]) == (403, "thread_taken")
    assert len(site.asked) == 1
    assert site.raw(asked("A leader's."), key=liam)[0] == 200


def test_another_organization_has_threads_of_its_own(site):
    site.raw(asked("Mine."))
    with pytest.raises(openai.NotFoundError):
        site.client(site.key_of(site.cast.greta)).chat.completions.create(**asked("Mine."))


def test_threads_are_in_nobodys_inbox_and_read_by_who_sees_bridges(site):
    site.raw(asked("Who is Erik?"), key=site.key_of(site.cast.mona))
    (conversation,) = rows(site, Conversation)
    with scoping.tenant(site.cast.acme):
        olive, mona = site.cast.olive.membership, site.cast.mona.membership
        for member in (olive, mona):
            assert conversation["conversationId"] not in {row.id for row in selectors.inbox(member).results}
            assert access.conversation_for(member, conversation["conversationId"]).thread_id == "order-7"
        assert [row.id for row in selectors.inbox(olive, kind="api").results] == [conversation["conversationId"]]
        assert selectors.inbox(mona, kind="api").results == ()
        others = site.cast.ada.membership
        with pytest.raises(NotFound):
            access.conversation_for(others, conversation["conversationId"])
    with scoping.tenant(site.cast.globex), pytest.raises(NotFound):
        access.conversation_for(site.cast.greta.membership, conversation["conversationId"])


def test_people_do_not_write_in_a_thread_of_programs(site):
    site.raw(asked("Who is Erik?"))
    _, answer = rows(site)
    olive = site.cast.olive.membership
    with scoping.tenant(site.cast.acme):
        conversation = access.conversation_for(olive, answer["conversationId"])
        message = access.message_for(olive, answer["messageId"])
        with pytest.raises(errors.ThreadOfPrograms):
            turns.submit(olive, conversation, text="Hello", client_id="c1")
        with pytest.raises(errors.NothingToRegenerate):
            turns.regenerate(olive, message)


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({"sub_thread_id": "x"}, "metadata.thread_id"),
        ({"thread_id": ""}, "metadata.thread_id"),
        ({"thread_id": 7}, "metadata.thread_id"),
        ({"thread_id": "x", "client_id": {"$ne": None}}, "metadata.client_id"),
        ({"thread_id": "x" * 201}, "metadata.thread_id"),
        ({"thread_id": "x\0"}, "metadata.thread_id"),
    ],
)
def test_what_is_no_name_of_a_thread_is_refused(site, metadata, param):
    status, _, said = site.raw({**asked("x"), "metadata": metadata})
    assert (status, orjson.loads(said)["error"]["param"]) == (400, param)


def test_who_is_erased_leaves_threads_without_their_name_and_no_answer_in_the_cache(site):
    site.publish(cache_seconds=60)
    zeb = make_person(site.cast.acme, "Zebedee", "Quillfeather", role=Role.OWNER)
    key = site.key_of(zeb)
    site.raw(asked("Who is Erik?"), key=key)
    site.raw({"model": "brief", "messages": [{"role": "user", "content": "Hello"}]}, key=key)
    site.raw({"model": "brief", "messages": [{"role": "user", "content": "Hello"}]})
    cached = list(redis.client().scan_iter(match=f"chat:ai-cache:{site.cast.acme.pk}:*"))
    assert len(cached) == 3
    tenants_erasure.erase(zeb.user)
    erasure.erase_all(now=timezone.now())
    assert erasure.erase_all(now=timezone.now() + tenants_erasure.SETTLED) == 1
    (conversation,) = rows(site, Conversation)
    assert conversation["userId"] == NOBODY
    assert [message["content"] for message in rows(site)] == ["Who is Erik?", ANSWER]
    assert {message["userId"] for message in rows(site)} == {NOBODY}
    assert "Quillfeather" not in str(rows(site))
    (left,) = redis.client().scan_iter(match=f"chat:ai-cache:{site.cast.acme.pk}:*")
    assert orjson.loads(redis.client().get(left))["owner"]["user"] == str(site.cast.olive.user.pk)
