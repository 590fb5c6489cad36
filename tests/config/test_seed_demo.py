"""The demo organizations: made through the services, complete, and made once."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from chat.choices import ConsultationType, MessageStatus
from chat.documents import Conversation, Message
from config import demo, mongo
from integrations.models import ApiCall, Bridge, Chatbot, Template, Trial
from tenants import access, scoping
from tenants.models import Branch, Candidate, Department, Employee, Membership, Organization, User
from tests import tenancy

pytestmark = [pytest.mark.timeout(400)]
EVERYBODYS = scoping.ACROSS_COMMENT + "the demo's test counts"


@pytest.fixture
def quick(settings):
    settings.DEBUG = True  # the test runner turns it off
    settings.OFFLINE_WORDS_PER_SECOND = 0


def seed(**options) -> str:
    out = StringIO()
    call_command("seed_demo", stdout=out, **options)
    return out.getvalue()


def tables() -> dict[str, list]:
    """Every row and document that the command makes, without what a clock writes."""
    with scoping.across_tenants("the demo's test compares whole tables"):
        rows = {
            model.__name__: sorted(str(row) for row in model._base_manager.values_list("pk", "updated_at"))
            for model in (Organization, User, Membership, Employee, Candidate, Bridge, Template, ApiCall, Chatbot, Trial)
        }
    for document in (Conversation, Message):
        rows[document.__name__] = sorted(
            str(raw) for raw in mongo.collection(document).find({}, {"_id": 1, "content": 1, "seq": 1, "status": 1}, comment=EVERYBODYS)
        )
    return rows


def test_it_makes_two_organizations_and_a_second_run_changes_nothing(stores, quick, settings):
    settings.OPENAI_API_KEY = "a developer's paid key"  # which must not write the demo's answers
    first = seed()
    made = tables()
    assert {name: len(rows) for name, rows in made.items()} == {
        "Organization": len(demo.ORGANIZATIONS),
        "User": len(demo.ACCOUNTS),
        "Membership": len([account for account in demo.ACCOUNTS if account.organization]),
        "Employee": sum(len(organization.people) for organization in demo.ORGANIZATIONS),
        "Candidate": sum(len(organization.applicants) for organization in demo.ORGANIZATIONS),
        "Bridge": 2,
        "Template": 1,
        "ApiCall": 1,
        "Chatbot": 1,
        "Trial": 1,
        "Conversation": sum(len(organization.talks) for organization in demo.ORGANIZATIONS),
        "Message": 2 * sum(len(talk.questions) for organization in demo.ORGANIZATIONS for talk in organization.talks),
    }
    for email, _ in demo.PEOPLE:
        assert email in first
    assert demo.PASSWORD in first

    answers = list(mongo.collection(Message).find({"role": "assistant"}, comment=EVERYBODYS))
    assert {answer["status"] for answer in answers} == {MessageStatus.SENT}
    assert {answer["aiModel"] for answer in answers} == {"offline consultant"}
    assert all(len(answer["content"]) > 200 for answer in answers)
    assert max(answer["aiResponseMetadata"]["responseTime"] for answer in answers) < 60_000, "written now, not when it was asked"

    assert "Everything is there already." in seed()
    assert tables() == made

    with scoping.across_tenants("the demo's test compares whole tables"):
        for model in (Branch, Department):
            assert {row.created_at == row.organization.created_at for row in model.across_tenants.select_related("organization")} == {True}

    olive = User.objects.get(email="olive@acme.example")
    assert olive.check_password(demo.PASSWORD)
    membership = access.membership_for(olive, "acme")
    with scoping.tenant(membership.organization_id):
        employees = list(access.employees_for(membership))
    for employee in employees:
        assert employee.personality_traits and employee.behavioral_patterns and employee.strengths, employee
        assert employee.performance_indicators and employee.sun_sign and employee.harmonic_code, employee
    tenancy.watcher.take()


def test_all_eight_types_of_consultation_are_shown():
    assert {talk.type for organization in demo.ORGANIZATIONS for talk in organization.talks} == set(ConsultationType.values)


def test_who_is_asked_about_is_whom_the_asker_may_see():
    people = {person.number: person for organization in demo.ORGANIZATIONS for person in organization.people}
    accounts = {account.email: account for account in demo.ACCOUNTS}
    for organization in demo.ORGANIZATIONS:
        branch_of = {department: branch for branch, (_, departments) in organization.branches.items() for department in departments}
        for talk in organization.talks:
            asker = accounts[talk.asker]
            departments = {people[number].department for number in talk.about}
            if asker.role == "manager":
                assert departments == {asker.department}
            if asker.role == "leader":
                assert {branch_of[department] for department in departments} == {asker.branch}


def test_it_never_runs_in_production(settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="for development only"):
        seed()


@pytest.mark.parametrize("days", [0, -1, 10_000])
def test_a_number_of_days_that_makes_no_sense_is_refused(settings, days):
    settings.DEBUG = True
    with pytest.raises(CommandError, match="from 1 to 3650"):
        seed(days=days)
