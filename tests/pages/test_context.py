"""What the AI is told of somebody, as a page, and correcting it, by a plain form."""

from datetime import timedelta

import pytest

from chat.documents import Context, Conversation, Message
from chat.services import contexts, turns
from config import mongo
from tenants import scoping
from tenants.models import Employee
from tests.api.conftest import with_key
from tests.pages.test_pages import NOBODYS, address, cast, consultation, olive, signed_in

__all__ = ["cast", "consultation", "olive"]

FORM = {
    "job_title": "Lead",
    "personality_traits": "curious\r\n  calm  \r\n\r\n",
    "behavioral_patterns": "",
    "strengths": "listening\nselling, too",
    "development_areas": "",
    "training_needs": "SQL",
    "performance_indicators": "goals reached: 95\nratio: on time: 0.5",
    "compatibility_job_role": "90.5",
    "compatibility_department": "",
    "compatibility_company": "",
    "compatibility_industry": "",
}


def correct(client, conversation, employee, **fields):
    return client.post(address(conversation, f"context/{employee.pk}/"), {**FORM, **fields})


def recorded(cast, name="Erik Ek"):
    with scoping.tenant(cast.acme):
        return Employee.objects.for_tenant(cast.acme).get(pk=cast.employees[name].pk)


def test_the_page_shows_what_a_question_would_carry_now(olive, cast, consultation):
    body = olive.get(address(consultation, "context/")).content.decode()
    for piece in ("Erik Ek", "Account manager, Sales", "curious, calm", "listening", "job role 82.5", "goals reached 92", "not recorded"):
        assert piece in body
    assert "all of them still fit" in body
    assert f"{address(consultation)}context/{cast.employees['Erik Ek'].pk}/" in body


def test_it_is_corrected_in_the_record_and_the_next_question_carries_it(olive, cast, consultation):
    erik = cast.employees["Erik Ek"]
    assert "listening" in olive.get(address(consultation, f"context/{erik.pk}/")).content.decode()
    response = correct(olive, consultation, erik)
    assert (response.status_code, response["Location"]) == (302, address(consultation, "context/"))
    kept = recorded(cast)
    assert (kept.job_title, kept.personality_traits, kept.strengths) == ("Lead", ["curious", "calm"], ["listening", "selling, too"])
    assert kept.performance_indicators == {"goals reached": 95, "ratio: on time": 0.5}
    assert (str(kept.compatibility_job_role), kept.compatibility_department) == ("90.50", None)
    with scoping.tenant(cast.acme):
        [subject] = contexts.given(cast.olive.membership, consultation).subjects
    assert subject.strengths == ("listening", "selling, too")
    olive.post(address(consultation, f"context/{erik.pk}/"), {"training_needs": ""})
    assert (recorded(cast).training_needs, recorded(cast).job_title) == ([], "Lead"), "What is left out stays."
    assert "Corrected." in olive.get(response["Location"]).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("performance_indicators", "goals reached"),
        ("performance_indicators", "goals: many"),
        ("performance_indicators", "goals: nan"),
        ("performance_indicators", ": 5"),
        ("compatibility_job_role", "101"),
        ("compatibility_job_role", "much"),
        ("strengths", "x" * 201),
        ("strengths", "x\n" * 51),
        ("strengths", "zero\x00"),
        ("job_title", "x" * 201),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(olive, cast, consultation, field, value):
    response = correct(olive, consultation, cast.employees["Erik Ek"], **{field: value})
    assert response.status_code == 400
    assert "errorlist" in response.content.decode()
    assert recorded(cast).job_title == "Account manager"


def test_only_whom_the_consultation_is_about_and_only_those_who_may(olive, cast, consultation):
    assert correct(olive, consultation, cast.employees["Dina Dahl"]).status_code == 404
    assert correct(olive, consultation, cast.strangers["Hank Scorpio"]).status_code == 404
    assert olive.get(address(consultation, f"context/{NOBODYS}/")).status_code == 404
    open_to(consultation, "manager", "agent")
    mona, ada = signed_in(cast.mona), signed_in(cast.ada)
    body = mona.get(address(consultation, "context/")).content.decode()
    assert "Erik Ek" in body
    assert ">Correct<" not in body
    assert correct(mona, consultation, cast.employees["Erik Ek"]).status_code == 403
    assert "names no employee whom you may see" in ada.get(address(consultation, "context/")).content.decode()
    assert recorded(cast).job_title == "Account manager"


def open_to(conversation, *roles):
    one = {"organizationId": conversation.organization_id, "conversationId": conversation.id}
    scope = {"allowedRoles": list(roles), "allowedUserIds": [], "isPrivate": False}
    mongo.collection(Conversation).update_one(one, {"$set": {"accessScope": scope}})


def test_another_organization_finds_nothing_of_it(cast, consultation):
    greta = signed_in(cast.greta)
    for organization in ("acme", "globex"):
        path = address(consultation, "context/").replace("/acme/", f"/{organization}/")
        assert greta.get(path).status_code == 404
        assert greta.get(f"{path}{cast.employees['Erik Ek'].pk}/").status_code == 404
    assert with_key(cast.greta).get(f"conversations/{consultation.id}/context").status_code == 404


def test_the_api_gives_the_same_with_what_is_remembered(cast, consultation):
    now = consultation.created_at
    one = {"organizationId": consultation.organization_id, "conversationId": consultation.id}
    stamps = {**dict.fromkeys(("lastUpdated", "createdAt", "updatedAt"), now), "expiresAt": now + timedelta(days=1)}
    erik = str(cast.employees["Erik Ek"].pk)
    mongo.collection(Context).insert_many(
        [
            {
                **one,
                **stamps,
                "contextId": "a",
                "scopeType": "conversation",
                "scopeReference": consultation.id,
                "conversationMemory": {"contextWindow": "Much was said.", "decisions": ["He leads."]},
                "through": 12,
            },
            {
                **one,
                **stamps,
                "contextId": "b",
                "scopeType": "employee",
                "scopeReference": erik,
                "employeeContext": {"employeeId": erik, "recentInsights": ["He listens."]},
            },
        ]
    )
    found = with_key(cast.olive).get(f"conversations/{consultation.id}/context").json()
    assert [(each["name"], each["insights"]) for each in found["employees"]] == [("Erik Ek", ["He listens."])]
    assert (found["memory"]["summary"], found["memory"]["decisions"], found["memory"]["through"]) == ("Much was said.", ["He leads."], 12)
    body = signed_in(cast.olive).get(address(consultation, "context/")).content.decode()
    assert "Much was said." in body
    assert "He listens." in body
    assert with_key(cast.ada).get(f"conversations/{consultation.id}/context").status_code == 404


def test_the_card_and_the_suggestions_are_on_the_page_and_safe(olive, cast, consultation):
    with scoping.tenant(cast.acme):
        taken = turns.submit(cast.olive.membership, consultation, text="How is he?", client_id="one")
    evil = "<script>alert(1)</script>"
    erik, hank = (str(person.pk) for person in (cast.employees["Erik Ek"], cast.strangers["Hank Scorpio"]))
    mongo.collection(Message).update_one(
        {"organizationId": consultation.organization_id, "messageId": taken.answer.id},
        {
            "$set": {
                "status": "sent",
                "content": "Fine.",
                "structuredData": {"analysisType": "one_to_one", "scores": {"role fit": 82.5, evil: 3}, "insights": [evil]},
                "followUps": ["What next?", f'"{evil}'],
                "referencedEmployees": [
                    {"employeeId": erik, "employeeName": "Erik Ek", "relevance": evil},
                    {"employeeId": hank, "employeeName": "Hank Scorpio", "relevance": "Not yours."},
                ],
            },
            "$unset": {"lease": ""},
        },
    )
    body = olive.get(address(consultation)).content.decode()
    assert "<script>alert" not in body
    assert '<meter min="0" max="100" value="82.5" aria-label="role fit"></meter>' in body
    assert 'form="suggest" name="text" value="What next?"' in body
    assert f"{address(consultation)}context/#e-{erik}" in body
    assert "Hank Scorpio" not in body.partition("data-messages")[2]
    response = olive.post(address(consultation, "send/"), {"text": "What next?", "client_id": "two"})
    assert response.status_code == 302
