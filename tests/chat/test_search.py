"""Finding what was said: only what one may read, best first, page by page, by the index that begins with the organization."""

import importlib
from datetime import UTC, datetime, timedelta

import pymongo
import pytest
import uuid_utils.compat as uuid

from chat.choices import MessageStatus
from chat.documents import Conversation, Message
from chat.services import conversations, errors, search
from config import mongo
from tenants import access as people
from tenants import scoping

C, M = mongo.names(Conversation), mongo.names(Message)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def acme(cast):
    with scoping.tenant(cast.acme):
        yield cast


def start(person, employee, *, title="Talk", type="employee_specific", now=START):
    return conversations.start(person.membership, type=type, subject_employee_ids=[employee.pk], title=title, now=now)


@pytest.fixture
def talk(acme):
    """Olive's consultation about Erik, in which nothing has been said."""
    return start(acme.olive, acme.employees["Erik Ek"])


def say(conversation, text, *, seq=1, role="user", at=START, person=None, **fields) -> str:
    """A message as it is stored; gives its id."""
    message_id = str(uuid.uuid7())
    raw = {
        M.message_id: message_id,
        M.organization_id: conversation.organization_id,
        M.conversation_id: conversation.id,
        M.seq: seq,
        M.role: role,
        M.content: text,
        M.content_type: "text",
        M.user_id: str(person.user.pk) if person else conversation.user_id,
        M.user_name: person.user.name if person else "Olive Olsen",
        M.status: MessageStatus.SENT.value,
        M.created_at: at,
        M.updated_at: at,
        **fields,
    }
    mongo.collection(Message).insert_one(raw)
    return message_id


def change(conversation, **fields) -> None:
    one = {C.organization_id: conversation.organization_id, C.conversation_id: conversation.id}
    mongo.collection(Conversation).update_one(one, {"$set": fields})


def share(conversation, *, roles=(), people=(), private=False) -> None:
    scope = {"allowedRoles": list(roles), "allowedUserIds": [str(person.user.pk) for person in people], "isPrivate": private}
    change(conversation, **{C.access_scope: scope})


def found(person, q, **how) -> list[str]:
    """The texts that were found, whole: their snippets are short here."""
    page = search.find(person.membership, q=q, **how)
    return ["".join(piece.text for piece in result.snippet) for result in page.results]


# What is found


def test_messages_and_titles_are_found_with_their_conversation(acme):
    talk = start(acme.olive, acme.employees["Erik Ek"], title="A promotion")
    said = say(talk, "Is Erik ready for a promotion?", seq=3)
    results = search.find(acme.olive.membership, q="promotion").results
    assert sorted((result.as_json() for result in results), key=lambda shown: shown["kind"]) == [
        {
            "kind": "conversation",
            "conversation": {"id": talk.id, "title": "A promotion", "type": "employee_specific"},
            "message": None,
            "snippet": [{"text": "A ", "hit": False}, {"text": "promotion", "hit": True}],
            "at": "2026-03-01T12:00:00.000Z",
        },
        {
            "kind": "message",
            "conversation": {"id": talk.id, "title": "A promotion", "type": "employee_specific"},
            "message": {"id": said, "seq": 3, "strand": 0, "role": "user", "created_at": "2026-03-01T12:00:00.000Z"},
            "snippet": [
                {"text": "Is Erik ready for a ", "hit": False},
                {"text": "promotion", "hit": True},
                {"text": "?", "hit": False},
            ],
            "at": "2026-03-01T12:00:00.000Z",
        },
    ]


def test_all_words_must_be_there_whatever_their_case_and_marks(acme, talk):
    say(talk, "José leads the résumé review")
    say(talk, "José leads nothing", seq=2)
    assert found(acme.olive, "RESUME jose") == ["José leads the résumé review"]
    assert found(acme.olive, "jose leads résumés") == []
    assert found(acme.olive, "review lead") == []


def test_phrases_and_excluded_words(acme, talk):
    say(talk, "career plan of Erik")
    say(talk, "plan of a career", seq=2)
    assert found(acme.olive, '"career plan"') == ["career plan of Erik"]
    assert found(acme.olive, "career -erik") == ["plan of a career"]
    assert found(acme.olive, 'plan -"career plan"') == ["plan of a career"]


@pytest.mark.parametrize("q", ["x.*", ".*zebra", "zebra|talk", "(zebra", "[z]ebra", '{"$ne": "zebra"}', "ze$", "\\zebra\\"])
def test_signs_of_patterns_and_operators_of_the_store_are_only_text(acme, talk, q):
    say(talk, "talk about a zebra.")
    results = found(acme.olive, q)
    assert results == [] or q == "\\zebra\\"


def test_best_comes_first_then_latest(acme, talk):
    say(talk, "budget and a great many other words beside it", seq=1)
    say(talk, "budget budget budget", seq=2)
    say(talk, "budget then", seq=3, at=START - timedelta(days=2))
    say(talk, "budget now", seq=4)
    assert found(acme.olive, "budget") == [
        "budget budget budget",
        "budget now",
        "budget then",
        "budget and a great many other words beside it",
    ]


def test_an_answer_is_found_once_it_is_settled(acme, talk):
    say(talk, "The **budget** is", role="assistant", **{M.status: "streaming"})
    assert found(acme.olive, "budget") == []
    mongo.collection(Message).update_one({M.organization_id: talk.organization_id}, {"$set": {M.status: "interrupted"}})
    assert found(acme.olive, "budget") == ["The budget is"]


# Operators


@pytest.fixture
def shelf(acme):
    """Three of Olive's talks in which the budget is mentioned: about Erik (pinned), about Dina (archived, training), shared by Liam."""
    erik, dina = acme.employees["Erik Ek"], acme.employees["Dina Dahl"]
    first = start(acme.olive, erik, title="First")
    conversations.pin(acme.olive.membership, first)
    say(first, "budget one", at=START)
    say(first, "budget answer", seq=2, role="assistant", at=START + timedelta(days=1))
    second = start(acme.olive, dina, title="Second", type="training_guidance")
    conversations.archive(acme.olive.membership, second)
    say(second, "budget two", at=START + timedelta(days=2))
    third = start(acme.liam, erik, title="Third")
    share(third, roles=["owner"])
    say(third, "budget three", at=START + timedelta(days=3), person=acme.liam)
    return acme


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("budget", {"one", "answer", "two", "three"}),
        ("budget from:me", {"one", "two"}),
        ("budget from:parley", {"answer"}),
        ("budget from:liam", {"three"}),
        ('budget from:".*"', set()),
        ("budget type:training", {"two"}),
        ("budget about:dina", {"two"}),
        ('budget about:"erik ek"', {"one", "answer", "three"}),
        ("budget about:nobody", set()),
        ("budget before:2026-03-02", {"one"}),
        ("budget after:2026-03-03", {"two", "three"}),
        ("budget after:2026-03-02 before:2026-03-03", {"answer"}),
        ("budget pinned:yes", {"one", "answer"}),
        ("budget pinned:no", {"two", "three"}),
        ("budget status:archived", {"two"}),
        ("budget status:active", {"one", "answer", "three"}),
    ],
)
def test_each_operator_leaves_what_fits(shelf, q, expected):
    assert {text.removeprefix("budget ") for text in found(shelf.olive, q)} == expected


def test_about_finds_nobody_whom_the_member_may_not_see(acme):
    """Mona manages Sales; Dina is of Support."""
    talk = start(acme.olive, acme.employees["Dina Dahl"])
    share(talk, people=[acme.mona])
    say(talk, "budget")
    assert found(acme.mona, "budget") == ["budget"]
    assert found(acme.mona, "budget about:dina") == []
    assert found(acme.olive, "budget about:dina") == ["budget"]


def test_titles_are_not_said_by_anybody(acme):
    start(acme.olive, acme.employees["Erik Ek"], title="Budget")
    assert found(acme.olive, "budget") == ["Budget"]
    assert found(acme.olive, "budget from:me") == []


# Who finds it


def test_what_is_private_is_found_by_its_creator_alone(acme, talk):
    say(talk, "secret budget")
    change(talk, **{C.title: "secret title"})
    assert sorted(found(acme.olive, "secret")) == ["secret budget", "secret title"]
    for person in (acme.liam, acme.mona, acme.ada, acme.vera, acme.greta):
        assert found(person, "secret") == []


def test_what_is_shared_is_found_by_those_it_is_shared_with(acme, talk):
    say(talk, "secret budget")
    share(talk, roles=["leader"], people=[acme.mona])
    readers = {name for name in ("olive", "liam", "mona", "ada", "vera") if found(getattr(acme, name), "secret")}
    assert readers == {"olive", "liam", "mona"}
    share(talk, roles=["leader"], people=[acme.mona], private=True)
    assert found(acme.liam, "secret") == found(acme.mona, "secret") == []


def test_another_organization_finds_nothing_even_where_it_is_named_as_a_reader(acme, talk):
    say(talk, "secret budget")
    share(talk, roles=["owner"], people=[acme.greta])
    with scoping.tenant(acme.globex):
        assert found(acme.greta, "secret") == []


def test_what_is_deleted_is_not_found(acme, talk):
    say(talk, "gone budget", **{M.deleted_at: START})
    say(talk, "budget", seq=2)
    assert found(acme.olive, "budget") == ["budget"]
    conversations.delete(acme.olive.membership, talk)
    assert found(acme.olive, "budget") == []


def test_who_may_not_read_may_not_search(acme, talk, monkeypatch):
    monkeypatch.setattr("tenants.roles.may", lambda membership, permission: False)
    with pytest.raises(people.Forbidden):
        search.find(acme.olive.membership, q="budget")


# Pages


def walk(person, q, limit) -> list[list[str]]:
    """The identifiers of every page."""
    pages, cursor = [], None
    while True:
        page = search.find(person.membership, q=q, cursor=cursor, limit=limit)
        pages.append([result.message.id if result.message else result.conversation_id for result in page.results])
        if page.next is None:
            return pages
        cursor = search.cursor_from(page.next.spelled())


def test_pages_show_each_once_though_scores_and_times_are_equal(acme, talk):
    said = {say(talk, "budget plan" if seq % 2 else "budget", seq=seq) for seq in range(1, 24)}
    change(talk, **{C.title: "budget"})
    pages = walk(acme.olive, "budget", 5)
    assert [len(page) for page in pages] == [5, 5, 5, 5, 4]
    assert sorted(id for page in pages for id in page) == sorted({*said, talk.id})


def test_where_one_window_of_conversations_ends_the_next_page_goes_on_with_the_one_before(acme, monkeypatch):
    monkeypatch.setattr(search, "WINDOW", 2)
    said = []
    for number in range(5):
        talk = start(acme.olive, acme.employees["Erik Ek"], now=START + timedelta(hours=number))
        said.append(say(talk, "budget" if number != 2 else "nothing of it"))
    pages = walk(acme.olive, "budget", 10)
    assert [set(page) for page in pages] == [{said[4], said[3]}, {said[1]}, {said[0]}]


def test_a_word_that_takes_too_long_asks_for_a_rarer_one(acme, talk, monkeypatch):
    """MongoDB really sleeps, and is interrupted by the time limit that every command has."""
    say(talk, "the budget")
    slow = {"$function": {"body": "function() { sleep(3000); return true; }", "args": [], "lang": "js"}}
    monkeypatch.setattr(search, "_holding", lambda query, field: [{"$expr": slow}])
    with pytest.raises(errors.SearchTooBroad, match="“the” is in too many messages"):
        search.find(acme.olive.membership, q="the")


def test_an_answer_is_found_once_nobody_has_it_any_more(acme, talk):
    """Its words enter the index with its lease's end, and not with each of its checkpoints."""
    lease = {"token": str(uuid.uuid7()), "expiresAt": START}
    answer = say(talk, "the budget", role="assistant", **{M.lease: lease})
    assert search.find(acme.olive.membership, q="budget").results == ()
    mongo.collection(Message).update_one({M.organization_id: talk.organization_id, M.message_id: answer}, {"$unset": {M.lease: ""}})
    assert [found.message.id for found in search.find(acme.olive.membership, q="budget").results] == [answer]


@pytest.mark.parametrize("of", [None, {"status": "sent"}], ids=["none", "another"])
def test_while_the_index_of_words_is_made_anew_the_search_says_so(acme, talk, of):
    say(talk, "the budget")
    migration = importlib.import_module("chat.mongo_migrations.0029_words_once")
    messages = mongo.database()[migration.COLLECTION]
    messages.drop_index(migration.NAME)
    try:
        if of is not None:
            keys = [("organizationId", 1), ("content", "text")]
            messages.create_index(keys, name=migration.NAME, default_language="none", partialFilterExpression=of)
        with pytest.raises(errors.SearchAway):
            search.find(acme.olive.membership, q="budget")
    finally:
        list(migration.up(mongo.database()))
    assert len(search.find(acme.olive.membership, q="budget").results) == 1


# Cost


def test_the_index_is_used_with_its_organization_and_only_what_fits_there_is_looked_at(acme, talk):
    """A hundred times as much in another organization costs nothing."""
    for seq in range(1, 4):
        say(talk, "budget", seq=seq)
    foreign = {C.organization_id: str(acme.globex.pk), M.content: "budget", M.content_type: "text", M.role: "user", M.status: "sent"}
    with pymongo.timeout(60):
        mongo.collection(Message).insert_many(
            {
                **foreign,
                M.message_id: str(uuid.uuid7()),
                M.conversation_id: talk.id,
                M.seq: seq,
                M.created_at: START,
                M.updated_at: START,
            }
            for seq in range(1, 301)
        )
    database = mongo.database()
    database.command("profile", 2)
    try:
        assert found(acme.olive, "budget") == ["budget"] * 3
    finally:
        database.command("profile", 0)
    operations = list(database["system.profile"].find({"ns": {"$regex": "chat_"}, "op": "command"}))
    database["system.profile"].drop()
    assert [(operation["planSummary"], operation["keysExamined"], operation["docsExamined"]) for operation in operations] == [
        ('IXSCAN { organizationId: 1, _fts: "text", _ftsx: 1 }', 3, 6),  # each is read for its score and for its text
        ('IXSCAN { organizationId: 1, _fts: "text", _ftsx: 1 }', 0, 0),
    ]
