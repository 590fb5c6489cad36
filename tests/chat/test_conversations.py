"""Starting and keeping consultations."""

import uuid
from datetime import UTC, datetime, timedelta

import pymongo
import pytest

from chat import access, selectors
from chat.choices import ConsultationType
from chat.days import group_of
from chat.documents import Conversation
from chat.records import ConversationRecord
from chat.services import conversations, errors
from config import mongo
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


@pytest.mark.parametrize("pinned", [True, False])
def test_the_side_list_over_ten_thousand_reads_no_more_than_it_shows(consultation, pinned):
    membership, conversation = consultation
    one = mongo.collection(Conversation).find_one({"organizationId": conversation.organization_id, "conversationId": conversation.id})
    with pymongo.timeout(60):
        mongo.collection(Conversation).insert_many(
            {
                **{name: value for name, value in one.items() if name != "_id"},
                "conversationId": str(uuid.uuid4()),
                "lastMessageAt": one["lastMessageAt"] + timedelta(seconds=number),
                "isPinned": number % 500 == 0,
            }
            for number in range(10_000)
        )
    command = {
        "find": "chat_conversations",
        "filter": {
            "organizationId": conversation.organization_id,
            "status": "active",
            "isPinned": pinned or {"$ne": True},
            "$and": [access.readable_by(membership)],
        },
        "sort": {"lastMessageAt": -1, "conversationId": -1},
        "limit": 31,
    }
    stats = mongo.database().command("explain", command, verbosity="executionStats")["executionStats"]
    assert stats["nReturned"] == (20 if pinned else 31)
    assert stats["totalDocsExamined"] <= 40, stats
    rows = selectors.inbox(membership, pinned=pinned, limit=30).results
    assert [row.pinned for row in rows] == [pinned] * len(rows)
    assert [row.last_message_at for row in rows] == sorted((row.last_message_at for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("moment", "group"),
    [
        (datetime(2026, 3, 10, 0, 0, tzinfo=UTC), "Today"),
        (datetime(2026, 3, 9, 23, 59, tzinfo=UTC), "Yesterday"),
        (datetime(2026, 3, 8, 23, 59, tzinfo=UTC), "Previous 7 days"),
        (datetime(2026, 3, 3, tzinfo=UTC), "Previous 7 days"),
        (datetime(2026, 3, 2, 23, 59, tzinfo=UTC), "March 2026"),
        (datetime(2025, 12, 31, tzinfo=UTC), "December 2025"),
    ],
)
def test_what_a_conversation_stands_under(moment, group):
    now = datetime(2026, 3, 10, 8, tzinfo=UTC)
    assert group_of(moment, pinned=False, now=now) == group
    assert group_of(moment, pinned=True, now=now) == "Pinned"


def test_filters_by_subject_and_date(acme):
    made = start(acme, now=datetime(2026, 3, 10, 8, tzinfo=UTC))
    membership, employee = acme.olive.membership, made.subject_employee_ids[0]
    for found, wanted in (
        (1, {"about": [employee]}),
        (0, {"about": []}),
        (1, {"since": datetime(2026, 3, 10, tzinfo=UTC), "until": datetime(2026, 3, 11, tzinfo=UTC)}),
        (0, {"since": datetime(2026, 3, 11, tzinfo=UTC)}),
        (0, {"until": datetime(2026, 3, 10, tzinfo=UTC)}),
    ):
        assert len(selectors.inbox(membership, **wanted).results) == found, wanted
