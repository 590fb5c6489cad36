"""The analysis beside an answer: asked for when the prose is out, checked, kept, announced; it never costs the answer."""

import json

import orjson
import pytest

from chat import access
from chat.choices import ConsultationType
from chat.documents import Context, Message
from chat.realtime import stream
from chat.services import answers, conversations, turns
from chat.structures import Misfit, read_analysis
from config import loop, mongo, redis
from integrations.providers.base import Attempt, Code, Finished, Outcome, ProviderError, Usage
from integrations.services import completions
from tenants import scoping
from tests.transcript import Transcript

FITS = {
    "scores": [{"name": "role fit", "score": 82.5}],
    "recommendations": ["Give him a  stretch\ntask."],
    "insights": ["Erik Ek listens well."],
    "data_points": [{"name": "Dr. $goals", "value": 92}, {"name": "$where", "value": "now"}],
    "employees": [{"name": "Erik Ek", "why": "He is the one discussed."}],
    "confidence": 0.8,
    "follow_ups": ["Which training would help?", "Is he ready for more?"],
}


@pytest.fixture(autouse=True)
def _with_analyses(settings):
    settings.AI_ANALYSES = True


class Script:
    """A provider's `complete` that says, one after the other, what a test wants; errors are raised."""

    def __init__(self, *said):
        self.said, self.requests = list(said), []

    async def __call__(self, request):
        self.requests.append(request)
        said = self.said.pop(0)
        if isinstance(said, ProviderError):
            raise said
        return said if isinstance(said, str) else json.dumps(said), FINISHED(request)


def FINISHED(request):
    attempt = Attempt(
        id=completions.uuid.uuid7(),
        started_at=completions.datetime(2026, 3, 1, tzinfo=completions.UTC),
        organization_id=str(request.organization_id),
        provider="scripted",
        model="m",
        outcome=Outcome.ANSWERED,
        error_code="",
        error="",
        first_attempt_error="",
        usage=Usage(10, 5),
        cost=None,
        finish_reason="stop",
        latency_ms=1,
        first_token_ms=None,
        purpose=request.purpose,
        attempt=request.attempt,
        call=1,
        conversation_id=request.conversation_id,
        message_id=request.message_id,
        api_key_name="",
        variables={},
    )
    return Finished(
        finish_reason="stop",
        usage=Usage(10, 5),
        model="m",
        provider="scripted",
        cost=None,
        cost_known=False,
        latency_ms=1,
        first_token_ms=None,
        confidence=None,
        sources=(),
        attempts=(attempt,),
    )


def scripted(monkeypatch, *said):
    script = Script(*said)
    monkeypatch.setattr(completions, "complete", script)
    return script


async def asked(consultation, text="What are his strengths?", *, client_id="one"):
    membership, conversation = consultation
    taken = await turns.asubmit(membership, conversation, text=text, client_id=client_id)
    await answers.produce(await turns.call_to(taken.answer))
    return await access.amessage_for(membership, taken.answer.id)


async def calls_of(answer):
    raw = await mongo.async_collection(Message).find_one({"organizationId": answer.organization_id, "messageId": answer.id})
    return [call["purpose"] for call in raw["calls"]]


async def test_what_fits_is_kept_beside_the_answer_and_everybody_is_told(consultation, monkeypatch):
    membership, conversation = consultation
    script = scripted(monkeypatch, FITS)
    before = await stream.position(redis.async_client(), conversation.id)
    answer = await asked(consultation)
    shown = answer.as_json()
    assert shown["structured_data"] == {
        "analysis_type": "employee_specific",
        "scores": {"role fit": 82.5},
        "recommendations": ["Give him a stretch task."],
        "insights": ["Erik Ek listens well."],
        "data_points": {"Dr. $goals": 92, "where": "now"},
    }
    assert shown["follow_ups"] == FITS["follow_ups"]
    assert [(one["name"], one["relevance"]) for one in shown["referenced_employees"]] == [("Erik Ek", "He is the one discussed.")]
    assert answer.confidence == 0.75, "The provider's own word stays."
    assert await calls_of(answer) == ["answer", "analysis"]
    told = [orjson.loads(event) for event in await stream.since(redis.async_client(), conversation.id, after=before.n)]
    statuses = [(event["message"]["status"], bool(event["message"]["structured_data"])) for event in told if event["event"] == "message"]
    assert statuses[-2:] == [("sent", False), ("sent", True)]
    replayed = Transcript()
    for event in told:
        replayed.apply(event)
    assert replayed.messages()[-1] == shown
    [request] = script.requests
    assert request.schema["properties"]["scores"]["items"]["properties"]["name"]["enum"] == ["role fit", "department fit", "performance"]
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "user"]
    assert request.messages[2].text == answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        "I would rather not.",
        "",
        "[1, 2]",
        '{"scores": []}',
        json.dumps({**FITS, "scores": [{"name": "role fit", "score": 101}]}),
        json.dumps({**FITS, "scores": [{"name": "charm", "score": 50}]}),
        json.dumps({**FITS, "follow_ups": ["?"] * 4}),
        json.dumps({**FITS, "more": 1}),
        json.dumps({**FITS, "data_points": [{"name": "n", "value": 10**30}]}),
        json.dumps({**FITS, "data_points": [{"name": "n", "value": {"$where": "1"}}]}),
        "{" * 5_000,
    ],
)
async def test_what_does_not_fit_costs_one_more_try(consultation, monkeypatch, wrong):
    script = scripted(monkeypatch, wrong, "```json\n" + json.dumps(FITS) + "\n```")
    answer = await asked(consultation)
    assert answer.structured_data["scores"] == {"role fit": 82.5}
    assert await calls_of(answer) == ["answer", "analysis", "analysis"]
    assert "does not follow the schema" in script.requests[1].messages[-1].text


async def test_twice_wrong_the_answer_stays_as_it_is(consultation, monkeypatch):
    membership, conversation = consultation
    scripted(monkeypatch, "No.", "No, no.")
    answer = await asked(consultation)
    assert (answer.status, answer.structured_data, answer.follow_ups) == ("sent", None, ())
    assert answer.text
    assert await calls_of(answer) == ["answer", "analysis", "analysis"]


@pytest.mark.parametrize(("code", "tries"), [(Code.UNAVAILABLE, 1), (Code.REFUSED, 2)])
async def test_a_provider_that_fails_costs_the_answer_nothing(consultation, monkeypatch, code, tries):
    """One that refuses is asked without the schema: it may not know any."""
    script = scripted(monkeypatch, *[ProviderError(code, "No.")] * tries)
    answer = await asked(consultation)
    assert (answer.status, answer.structured_data) == ("sent", None)
    assert [request.schema is None for request in script.requests] == [False, True][:tries]


async def test_an_answer_that_is_written_anew_meanwhile_gets_no_old_analysis(consultation, monkeypatch):
    membership, conversation = consultation

    async def slowly(request):
        await turns.aregenerate(membership, await access.amessage_for(membership, request.message_id))
        return json.dumps(FITS), FINISHED(request)

    monkeypatch.setattr(completions, "complete", slowly)
    answer = await asked(consultation)
    assert (answer.status, answer.attempt, answer.structured_data, answer.referenced_employees) == ("pending", 2, None, ())
    assert await calls_of(answer) == ["answer", "analysis"]


async def test_a_new_attempt_begins_without_and_the_version_keeps_its_own(consultation, monkeypatch):
    membership, conversation = consultation
    scripted(monkeypatch, FITS)
    answer = await asked(consultation)
    pending = await turns.aregenerate(membership, answer)
    assert (pending.structured_data, pending.follow_ups, pending.referenced_employees) == (None, (), ())
    again = await turns.asubmit(membership, conversation, text="What are his strengths?", client_id="one")
    assert again.answer.structured_data is None


async def test_without_the_setting_nothing_is_asked_but_who_is_named_is_known(consultation, monkeypatch, settings):
    settings.AI_ANALYSES = False
    script = scripted(monkeypatch)
    answer = await asked(consultation)
    assert (answer.structured_data, script.requests) == (None, [])
    assert [(one["employeeName"], one["relevance"]) for one in answer.referenced_employees] == [("Erik Ek", "Named in the answer.")]
    assert answer.sources


@pytest.mark.parametrize("type", ConsultationType)
async def test_the_offline_consultant_gives_what_fits_for_every_type(cast, type):
    rule = conversations.SUBJECT_RULES[type]

    def start():
        with scoping.tenant(cast.acme):
            subjects = list(cast.employees.values())[: max(rule.least, min(rule.most, 3))]
            return conversations.start(cast.olive.membership, type=type, subject_employee_ids=[one.pk for one in subjects])

    conversation = await loop.in_thread(start)
    answer = await asked((cast.olive.membership, conversation), "How do they do?")
    assert answer.structured_data["analysisType"] == type.value
    assert await calls_of(answer) == ["answer", "analysis"], "The first try fits."
    assert answer.follow_ups
    assert answer.referenced_employees


async def test_what_an_analysis_found_is_remembered_of_each_employee_and_of_the_team(cast):
    def start():
        with scoping.tenant(cast.acme):
            subjects = [cast.employees["Erik Ek"], cast.employees["Dina Dahl"]]
            return conversations.start(cast.olive.membership, type="team_compatibility", subject_employee_ids=[one.pk for one in subjects])

    conversation = await loop.in_thread(start)
    for client_id in ("one", "two"):
        await asked((cast.olive.membership, conversation), "How do they fit?", client_id=client_id)
    found = await mongo.async_collection(Context).find({"organizationId": conversation.organization_id}).to_list()
    assert sorted((raw["scopeType"], raw["scopeReference"]) for raw in found) == sorted(
        [
            ("employee", str(cast.employees["Erik Ek"].pk)),
            ("employee", str(cast.employees["Dina Dahl"].pk)),
            ("team", conversation.id),
        ]
    )
    of = {raw["scopeReference"]: raw for raw in found}
    erik = of[str(cast.employees["Erik Ek"].pk)]["employeeContext"]
    assert erik["personalityTraits"] == ["curious", "calm"]
    assert erik["compatibilityScores"] == {"jobRole": 82.5, "department": 74.0}
    assert erik["astrologyData"] == {"sunSign": "leo"}
    assert erik["discussionTopics"] == ["Team compatibility"]
    assert erik["recentInsights"].count("Erik Ek is strong in listening.") == 1  # though it was found twice
    assert of[conversation.id]["teamContext"]["compatibilityMatrix"] == {"Erik Ek and Dina Dahl": 74.0}


async def test_globex_sees_nothing_of_it(consultation, cast, monkeypatch):
    scripted(monkeypatch, FITS)
    answer = await asked(consultation)
    theirs = {"organizationId": str(cast.globex.pk)}
    assert await mongo.async_collection(Context).count_documents(theirs) == 0
    with pytest.raises(Misfit):
        read_analysis("{}", type=ConsultationType.ONE_TO_ONE)
    assert answer.organization_id == str(cast.acme.pk)
