"""Who asks the same of the same within an hour is given the same answer, and nobody else is (S0-98, D5)."""

from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import orjson
import pytest
from django.utils import timezone

from chat.documents import Message
from chat.realtime import keys
from chat.realtime.calls import Call
from chat.services import answers, attachments, conversations, turns
from config import mongo, redis
from integrations.models import ModelCall
from integrations.providers.base import Finished
from integrations.services import completions, ledger
from tenants import scoping
from tenants.models import Employee
from tests.architecture.test_plans import cast
from tests.faults.desk import run

__all__ = ["cast"]

WHAT = "How is Erik?"


@pytest.fixture(autouse=True)
def _on(settings):
    settings.AI_ANSWER_CACHE = True
    settings.OFFLINE_WORDS_PER_SECOND = 0


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The questions that a provider was asked."""
    found: list[str] = []
    stream = completions.stream

    def counted(request):
        found.append(request.messages[-1].text)
        return stream(request)

    monkeypatch.setattr(completions, "stream", counted)
    return found


def start(cast, *, who=None, names=("Erik Ek",), type="employee_specific"):
    with scoping.tenant(cast.acme):
        subjects = [cast.employees[name].pk for name in names]
        return conversations.start((who or cast.olive).membership, type=type, subject_employee_ids=subjects)


def ask(cast, conversation, text=WHAT, *, who=None, files=(), client_id="one"):
    """Asks and has it answered; the answer as it is then."""

    async def through():
        taken = await turns.asubmit(
            (who or cast.olive).membership, conversation, text=text, client_id=client_id, attachment_ids=[file.id for file in files]
        )
        await answers.produce(Call.to(taken.answer, conversation, question=taken.message))
        return taken.answer.id

    return found(conversation, run(through()))


def found(conversation, message_id):
    raw = mongo.collection(Message).find_one({"organizationId": conversation.organization_id, "messageId": message_id})
    return turns.MessageRecord.read(raw)


def kept() -> list[dict]:
    return [orjson.loads(redis.client().get(key)) for key in redis.client().scan_iter("chat:ai-cache:*")]


def test_the_same_question_in_another_conversation_is_given_the_same_answer_without_a_call(cast, asked):
    first = ask(cast, start(cast))
    again = ask(cast, start(cast))
    assert asked == [WHAT]
    assert (again.text, again.model, again.status, again.sources) == (first.text, first.model, "sent", first.sources)
    assert (first.reused_from, again.reused_from is None) == (None, False)
    assert first.created_at - timedelta(seconds=1) < again.reused_from <= timezone.now()
    assert (again.input_tokens, again.output_tokens, again.cost) == (0, 0, "0")
    ledger.flush(timeout=10)
    with scoping.tenant(cast.acme):
        assert [str(pk) for pk in ModelCall.objects.for_tenant(cast.acme).values_list("message_id", flat=True)] == [first.id]


def test_it_is_kept_as_specified(cast, asked):
    first = ask(cast, start(cast))
    [key] = redis.client().scan_iter("chat:ai-cache:*")
    assert key.decode().startswith(f"chat:ai-cache:{cast.acme.pk}:consultation:consultation-")
    assert 3_500 < redis.client().ttl(key) <= keys.AI_CACHE_TTL == 3_600
    [value] = kept()
    assert {"query", "response", "aiModel", "tokensUsed", "confidenceScore", "generatedAt", "cacheHits", "owner"} <= set(value)
    assert (value["query"], value["response"], value["cacheHits"]) == (WHAT, first.text, 0)
    assert value["owner"] == {"organization": str(cast.acme.pk), "user": str(cast.olive.user.pk), "rights": ["owner", None, None]}
    redis.client().expire(key, 100)
    for hits in (1, 2):
        ask(cast, start(cast))
        assert [value["cacheHits"] for value in kept()] == [hits]
    assert 90 < redis.client().ttl(key) <= 100


def test_another_question_person_type_or_employee_is_answered_by_a_model(cast, asked):
    ask(cast, start(cast))
    ask(cast, start(cast), "How is Erik now?")
    ask(cast, start(cast, type="one_to_one"))
    ask(cast, start(cast, names=["Dina Dahl"]))
    ask(cast, start(cast, who=cast.liam), who=cast.liam)
    assert len(asked) == 5


def test_what_changed_since_is_not_passed_over(cast, asked):
    ask(cast, start(cast))
    with scoping.tenant(cast.acme):
        Employee.objects.for_tenant(cast.acme).filter(pk=cast.employees["Erik Ek"].pk).update(job_title="Head of sales")
    ask(cast, start(cast))
    conversation = start(cast)
    ask(cast, conversation, "Something else first.")
    ask(cast, conversation, client_id="two")
    assert len(asked) == 4


def test_another_model_is_asked_itself(cast, asked, settings):
    ask(cast, start(cast))
    settings.OPENAI_FALLBACK_MODEL = "another"
    ask(cast, start(cast))
    assert len(asked) == 2


def test_one_that_belongs_to_somebody_else_is_not_given_wherever_it_lies(cast, asked):
    ask(cast, start(cast))
    [key] = redis.client().scan_iter("chat:ai-cache:*")
    [value] = kept()
    for owner in ({"user": str(cast.liam.user.pk)}, {"organization": str(cast.globex.pk)}, {"rights": ["leader", None, None]}):
        redis.client().set(key, orjson.dumps({**value, "owner": value["owner"] | owner}))
        assert ask(cast, start(cast)).reused_from is None
    assert len(asked) == 4


def test_who_asks_to_have_it_written_anew_gets_it_anew_and_that_one_is_given_from_then_on(cast, asked):
    ask(cast, start(cast))
    conversation = start(cast)
    again = ask(cast, conversation)
    assert again.reused_from is not None
    pending = turns.regenerate(cast.olive.membership, again)
    assert pending.reused_from is None
    run(answers.produce(run(turns.call_to(pending))))
    anew = found(conversation, again.id)
    assert (anew.attempt, anew.status, anew.reused_from) == (2, "sent", None)
    assert len(asked) == 2
    assert [value["messageId"] for value in kept()] == [anew.id]


def test_a_call_of_the_sweeper_or_with_rights_that_changed_asks_a_model(cast, asked):
    ask(cast, start(cast))

    async def called(conversation, rights):
        taken = await turns.asubmit(cast.olive.membership, conversation, text=WHAT, client_id="one")
        await answers.produce(replace(Call.to(taken.answer, conversation, question=taken.message), rights=rights))

    run(called(start(cast), None))
    run(called(start(cast), ("leader", None, None)))
    assert len(asked) == 3


def test_a_question_with_a_file_is_always_asked(cast, asked, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    for _ in range(2):
        conversation = start(cast)
        file = attachments.upload(cast.olive.membership, conversation, name="note.txt", file=BytesIO(b"Erik"), size=4)
        ask(cast, conversation, files=[file])
    assert len(asked) == 2
    assert kept() == []


def test_what_was_cut_off_or_took_another_model_is_not_kept(cast, asked, monkeypatch):
    stream = completions.stream
    ends = {"finish_reason": "length"}

    async def cut(request):
        async for piece in stream(request):
            yield replace(piece, **ends) if isinstance(piece, Finished) else piece

    monkeypatch.setattr(completions, "stream", cut)
    ask(cast, start(cast))
    assert kept() == []
    ends.clear()
    ask(cast, start(cast), client_id="two")
    assert len(kept()) == 1


def test_switched_off_nothing_is_kept_or_given(cast, asked, settings):
    ask(cast, start(cast))
    settings.AI_ANSWER_CACHE = False
    assert ask(cast, start(cast)).reused_from is None
    assert len(asked) == 2


def test_without_redis_a_model_is_asked(cast, asked, monkeypatch):
    ask(cast, start(cast))

    async def away(*arguments, **options):
        raise redis.AWAY[0]

    monkeypatch.setattr(redis.redis.asyncio.Redis, "get", away)
    assert ask(cast, start(cast)).status == "sent"
    assert len(asked) == 2


def test_the_analysis_stands_beside_it_too_and_is_not_asked_for_again(cast, asked, settings):
    settings.AI_ANALYSES = True
    first = ask(cast, start(cast))
    again = ask(cast, start(cast))
    assert again.structured_data == first.structured_data is not None
    assert again.follow_ups == first.follow_ups
    ledger.flush(timeout=10)
    with scoping.tenant(cast.acme):
        assert set(ModelCall.objects.for_tenant(cast.acme).values_list("message_id", flat=True).distinct()) == {
            ModelCall._meta.get_field("message_id").to_python(first.id)
        }


def test_its_events_are_those_of_any_answer(cast, asked):
    ask(cast, start(cast))
    conversation = start(cast)
    again = ask(cast, conversation)
    entries = redis.client().xrange(keys.events(conversation.id))
    events = [orjson.loads(fields[b"e"]) for _, fields in entries]
    assert [event["event"] for event in events] == ["message", "message", "delta", "message"]
    assert events[2]["text"] == again.text
    assert events[3]["message"]["reused_from"] is not None
