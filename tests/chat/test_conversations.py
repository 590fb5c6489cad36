"""Starting and keeping consultations."""

import pytest

from chat import access, selectors
from chat.choices import ConsultationType
from chat.records import ConversationRecord
from chat.services import conversations, errors
from tenants import access as people
from tenants import scoping


@pytest.fixture
def acme(cast):
    with scoping.tenant(cast.acme):
        yield cast


def employees_of(cast):
    return [employee.pk for employee in cast.employees.values() if employee.organization_id == cast.acme.pk]


def start(cast, *, who=None, **fields) -> ConversationRecord:
    fields = {"type": "employee_specific", "subject_employee_ids": employees_of(cast)[:1], **fields}
    return conversations.start((who or cast.olive).membership, **fields)


@pytest.mark.parametrize("type", ConsultationType)
def test_each_of_the_eight_types_starts_with_as_many_employees_as_it_needs(acme, type):
    rule = conversations.SUBJECT_RULES[type]
    started = start(acme, type=type, subject_employee_ids=employees_of(acme)[: rule.least])
    kept = access.conversation_for(acme.olive.membership, started.id)
    assert kept.as_json() | {"last_message_at": None} == started.as_json() | {"last_message_at": None} or kept.id == started.id
    assert kept.type == type
    assert len(kept.subject_employee_ids) == rule.least
    assert kept.title.startswith(type.label)


def test_too_few_or_too_many_subjects_are_refused_with_a_sentence(acme):
    with pytest.raises(errors.WrongSubjects, match="is about 2 to 20 employees; 1 were chosen"):
        start(acme, type="team_compatibility")
    with pytest.raises(errors.WrongSubjects, match="is about 1 employee; 0 were chosen"):
        start(acme, subject_employee_ids=[])


def test_employees_of_another_organization_or_department_cannot_be_chosen(acme):
    with scoping.across_tenants("the test looks for Globex's people"):
        foreign = people.Employee.across_tenants.exclude(organization=acme.acme).values_list("pk", flat=True)[0]
    with pytest.raises(errors.UnknownSubjects):
        start(acme, subject_employee_ids=[foreign])
    mine = {employee.pk for employee in people.employees_for(acme.mona.membership)}
    others = [pk for pk in employees_of(acme) if pk not in mine]
    assert others
    with pytest.raises(errors.UnknownSubjects):
        start(acme, who=acme.mona, subject_employee_ids=others[:1])


@pytest.mark.parametrize("rubbish", [{"$ne": None}, "x", None, 7, "00000000-0000-0000-0000-000000000000"])
def test_rubbish_as_an_employee_finds_nobody(acme, rubbish):
    with pytest.raises((errors.UnknownSubjects, people.NotFound)):
        start(acme, subject_employee_ids=[rubbish])


def test_the_same_start_sent_twice_makes_one_conversation(acme):
    first, second = start(acme, client_id="again"), start(acme, client_id="again")
    assert first.id == second.id
    assert len(selectors.inbox(acme.olive.membership).results) == 1


def test_a_guest_and_an_agent_may_not_start(acme):
    for person in (acme.ada, acme.vera):
        with pytest.raises(people.Forbidden):
            start(acme, who=person)


def test_a_consultation_is_its_creators_alone(acme):
    started = start(acme)
    for person in (acme.liam, acme.mona, acme.greta):
        with pytest.raises(people.NotFound):
            access.conversation_for(person.membership, started.id)
        assert selectors.inbox(person.membership).results == ()


def test_keeping_rename_pin_archive_restore_delete(acme):
    olive = acme.olive.membership
    started = start(acme, title="  Erik   in spring ")
    assert started.title == "Erik in spring"
    assert conversations.rename(olive, started, title="Erik in autumn").title == "Erik in autumn"
    assert conversations.pin(olive, started).pinned
    assert [row.id for row in selectors.inbox(olive, pinned=True).results] == [started.id]
    archived = conversations.archive(olive, started)
    assert (archived.status, archived.archived_at is None) == ("archived", False)
    assert selectors.inbox(olive).results == ()
    assert [row.id for row in selectors.inbox(olive, status="archived").results] == [started.id]
    assert conversations.restore(olive, archived).status == "active"
    conversations.delete(olive, started)
    with pytest.raises(people.NotFound):
        access.conversation_for(olive, started.id)
    with pytest.raises(people.NotFound):
        conversations.rename(olive, started, title="Too late")


@pytest.mark.parametrize("title", ["", "   ", "x" * 201])
def test_a_title_has_a_length(acme, title):
    with pytest.raises(errors.TitleWrong):
        conversations.rename(acme.olive.membership, start(acme), title=title)


def test_the_inbox_is_walked_both_ways_without_missing_or_repeating_one(acme):
    olive = acme.olive.membership
    made = [start(acme, title=f"Number {number}").id for number in range(7)]
    seen, cursor = [], None
    while True:
        page = selectors.inbox(olive, cursor=cursor, limit=3)
        seen += [row.id for row in page.results]
        if page.next is None:
            break
        cursor = page.next
    assert seen == made[::-1]
    back = selectors.inbox(olive, cursor=page.previous, limit=3)
    assert [row.id for row in back.results] == made[::-1][3:6]
    first = selectors.inbox(olive, cursor=back.previous, limit=3)
    assert [row.id for row in first.results] == made[::-1][:3]
    assert first.previous is None


def test_the_inbox_finds_words_of_titles_and_never_reads_them_as_a_pattern(acme):
    start(acme, title="Pay (2026)")
    olive = acme.olive.membership
    assert len(selectors.inbox(olive, q="pay (2").results) == 1
    assert selectors.inbox(olive, q=".*").results == ()
