"""What Parley puts below an answer: where much is not on record, and where that is mended."""

from dataclasses import replace

import orjson
import pytest

from chat import access, asides, parts
from chat.documents import MessageRevision
from chat.realtime.calls import Call
from chat.services import answers, contexts, turns
from config import loop, mongo
from tenants import scoping
from tenants.models import Employee


@pytest.fixture
def organization(cast):
    with scoping.tenant(cast.acme):
        yield cast.acme


def ask(consultation, text="How is he?"):
    membership, conversation = consultation
    taken = turns.submit(membership, conversation, text=text, client_id=text)
    call = Call.to(taken.answer, access.conversation_for(membership, conversation.id))
    return taken, call


def answered(consultation, text="How is he?"):
    taken, call = ask(consultation, text)
    loop.run(answers.produce(call))
    return access.message_for(consultation[0], taken.answer.id)


def record(organization, **fields):
    Employee.objects.for_tenant(organization).update(**fields)


THIN = {"personality_traits": [], "behavioral_patterns": [], "strengths": []}


def test_of_whom_much_is_not_recorded_the_first_answer_says_it_with_a_way_to_the_record(consultation, organization):
    record(organization, **THIN)
    answer = answered(consultation)
    card, button = answer.parts
    [fact] = card["value"]["facts"]
    assert card["value"]["title"] == "Not on record" and fact["value"].startswith("no personality, behavior, strengths")
    assert button["value"]["action"] == "open_context"
    assert button["value"]["argument"] == consultation[1].subject_employee_ids[0]
    assert parts.checked(list(answer.parts)) == list(answer.parts)
    assert orjson.dumps(answer.as_json()["parts"])
    assert answered(consultation, "And now?").parts == (), "said once"


def test_where_enough_is_recorded_nothing_is_said(consultation, organization):
    record(
        organization,
        **{name: ["much"] for name in THIN},
        development_areas=["more"],
        training_needs=["SQL"],
        performance_indicators={"goals": 92},
        compatibility_job_role=80,
    )
    assert answered(consultation).parts == ()


def test_an_answer_that_is_written_anew_loses_them_until_it_has_ended(consultation, organization):
    record(organization, **THIN)
    answer = answered(consultation)
    again = turns.regenerate(consultation[0], answer)
    assert again.parts == ()
    one = {"organizationId": str(organization.id), "messageId": answer.id}
    assert mongo.collection(MessageRevision).find_one(one)["parts"] == list(answer.parts)


def test_many_are_named_without_an_argument(consultation, organization):
    _, call = ask(consultation)
    context = loop.run(contexts.for_answer(call))
    nothing = dict.fromkeys(("traits", "patterns", "strengths", "development_areas", "training_needs"), ())
    one = contexts.Subject(id="1", name="Erik", job_title="", department="", compatibility={}, performance={}, signs={}, **nothing)
    _, button = asides.beside(replace(context, subjects=(one, one)), unseen=())
    assert "argument" not in button["value"]


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("Connect Google Analytics.", ["Connect Google Analytics"]),
        ("Please reconnect google ads and Meta Ads!", ["Connect Google Ads", "Connect Meta Ads"]),
        (
            "How do we stay in connection with Google Analytics?",
            ["Connect Google Analytics"],
        ),  # a report was wanted, and nothing is connected
        ("Connect Erik with Dina.", []),
    ],
)
def test_asked_to_connect_a_platform_the_answer_has_its_button(consultation, organization, question, labels):
    found = [part["value"] for part in answered(consultation, question).parts if part["type"] == "button"]
    assert [button["label"] for button in found if button["action"].startswith("oauth_")] == labels
