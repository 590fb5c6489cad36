"""Editing a question begins a strand beside it: what was there stays, and each path holds exactly what it should."""

import asyncio
from dataclasses import replace
from functools import partial

import pymongo
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chat import access, selectors, strands
from chat.choices import ConversationStatus, ExportFormat
from chat.documents import Conversation, Message
from chat.realtime.calls import Call
from chat.serializers import ConversationFile
from chat.services import answers, contexts, conversations, errors, exports, imports, sweeper, turns
from chat.services import strands as service
from chat.strands import FIRST, Strand
from config import json, loop, mongo
from tenants import scoping

FRESH = partial(settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _as_many_messages_as_it_takes(settings):
    settings.ROLE_LIMITS = False


def now(membership, conversation):
    return access.conversation_for(membership, conversation.id)


class Talk:
    """A conversation in which somebody asks and edits, and what each strand's path should hold, by the plainest means: copied lists."""

    def __init__(self, membership, conversation) -> None:
        self.membership, self.conversation = membership, conversation
        self.paths: dict[int, list[str]] = {FIRST: []}
        self.questions: list = []
        self.number = 0

    def fresh(self):
        return now(self.membership, self.conversation)

    def _said(self, submitted) -> list[str]:
        self.questions.append(submitted.message)
        return [submitted.message.id, submitted.answer.id]

    def _words(self) -> dict[str, str]:
        self.number += 1
        return {"text": f"Question {self.number}?", "client_id": str(self.number)}

    def ask(self, strand: int | None = None):
        submitted = turns.submit(self.membership, self.fresh(), strand=strand, **self._words())
        self.paths[submitted.message.strand] += self._said(submitted)
        return submitted

    def edit(self, question):
        submitted = turns.edit(self.membership, self.fresh(), question, **self._words())
        [before] = {tuple(path[: path.index(question.id)]) for path in self.paths.values() if question.id in path}
        self.paths[submitted.message.seq] = [*before, *self._said(submitted)]
        return submitted

    def read(self, strand: int, *, limit: int = 200) -> list[str]:
        """All of a path, page by page from its end."""
        found, before = [], None
        while True:
            page = selectors.messages(self.fresh(), strand=strand, before=before, limit=limit)
            found = [message.id for message in page.results] + found
            if page.before is None:
                return found
            before = page.before

    def read_on(self, strand: int, *, limit: int) -> list[str]:
        """All of a path, page by page from its beginning."""
        found, after = [], 0
        while after is not None:
            page = selectors.messages(self.fresh(), strand=strand, after=after, limit=limit)
            found += [message.id for message in page.results]
            after = page.after
        return found


@pytest.fixture
def talk(consultation):
    with scoping.tenant(consultation[0].organization_id):
        yield Talk(*consultation)


def test_an_edited_question_stands_beside_the_earlier_one_and_both_ways_go_on(talk):
    talk.ask()
    second = talk.ask()
    talk.ask()
    edited = talk.edit(second.message)
    assert (edited.message.strand, edited.message.edits, edited.answer.strand) == (7, 3, 7)
    talk.ask()  # in the strand that was begun last: it is what this person looks at
    again = talk.edit(edited.message)
    assert (again.message.edits, again.message.strand) == (3, 11)  # side by side, not one within the other
    inner = talk.edit(selectors.messages(talk.fresh(), strand=7).results[-2])
    assert inner.message.edits == 9
    talk.ask(FIRST)
    conversation = talk.fresh()
    assert [strand.as_json() for strand in conversation.strands] == [
        {"strand": 7, "parent": 0, "edits": 3},
        {"strand": 11, "parent": 0, "edits": 3},
        {"strand": 13, "parent": 7, "edits": 9},
    ]
    assert {strand: talk.read(strand) for strand in talk.paths} == talk.paths
    assert conversation.shown_to(talk.membership.user_id) == FIRST  # asked there last
    for seq, strand in ((3, 0), (7, 7), (11, 11)):
        assert strands.versions_of(conversation.strands, seq=seq, strand=strand) == (0, 7, 11)
    assert strands.versions_of(conversation.strands, seq=9, strand=7) == (7, 13)
    assert strands.versions_of(conversation.strands, seq=1, strand=0) == (0,)


def test_the_first_question_can_be_edited(talk):
    first = talk.ask()
    talk.ask()
    edited = talk.edit(first.message)
    assert talk.read(edited.message.strand) == [edited.message.id, edited.answer.id]
    page = selectors.messages(talk.fresh(), strand=edited.message.strand, after=0, limit=1)
    assert (page.before, page.after) == (None, 3 + 2)


def test_the_model_is_given_the_path_alone_in_one_indexed_query(talk):
    first = talk.ask()
    second = talk.ask()
    edited = talk.edit(second.message)
    third = talk.ask()
    given = loop.run(contexts._messages_before(Call.to(third.answer, talk.fresh())))
    told = [first.message.id, edited.message.id, third.message.id]
    assert [message.id for message in given] == told  # the answers are still pending, and tell nothing
    query = selectors._page(talk.fresh(), talk.fresh().path(7 - 2), before=None, after=None, limit=50)
    plan = explained(query)
    assert plan["queryPlanner"]["winningPlan"]["stage"] == "LIMIT"  # sorted by the index: nothing is sorted, nothing is read in vain
    assert "SORT_MERGE" in str(plan["queryPlanner"]["winningPlan"])
    assert "'stage': 'SORT'" not in str(plan["queryPlanner"]["winningPlan"])


def explained(query):
    command = {
        "find": "chat_messages",
        "filter": query["filter"],
        "sort": dict(query["sort"]),
        "limit": query["limit"],
        "hint": query["hint"],
    }
    return mongo.database().command("explain", command, verbosity="executionStats")


@given(data=some.data())
@FRESH(max_examples=20)
def test_whatever_is_asked_and_edited_each_path_holds_what_it_should(cast, data):
    membership = cast.olive.membership
    with scoping.tenant(cast.acme):
        employee = next(iter(cast.employees.values()))
        started = conversations.start(membership, type="employee_specific", subject_employee_ids=[employee.pk])
    with scoping.tenant(cast.acme):
        walk(Talk(membership, started), data)


def walk(talk: Talk, data) -> None:
    for _ in range(data.draw(some.integers(1, 12), label="steps")):
        if talk.questions and data.draw(some.booleans(), label="edit"):
            talk.edit(data.draw(some.sampled_from(talk.questions), label="question"))
        else:
            talk.ask(data.draw(some.sampled_from([None, *talk.paths]), label="strand"))
    conversation = talk.fresh()
    everything = list(mongo.collection(Message).find({"organizationId": conversation.organization_id, "conversationId": conversation.id}))
    assert sorted(raw["seq"] for raw in everything) == list(range(1, len(everything) + 1))
    limit = data.draw(some.integers(1, 5), label="limit")
    for strand, path in talk.paths.items():
        assert talk.read(strand, limit=limit) == path
        assert talk.read_on(strand, limit=limit) == path
        here = conversation.path(strand)
        assert {raw["messageId"] for raw in everything if strands.holds(here, seq=raw["seq"], strand=raw.get("strand", 0))} == set(path)
    again = imported(talk.membership, conversation)
    for strand, path in talk.paths.items():
        there = [message.text for message in selectors.messages(again, strand=strand, limit=200).results]
        assert there == [message.text for message in selectors.messages(conversation, strand=strand, limit=200).results]
        assert len(there) == len(path)


def exported(membership, conversation, format=ExportFormat.JSON) -> bytes:
    return b"".join(exports.export(membership, conversation, format=format).parts)


def imported(membership, conversation):
    file = ConversationFile(data=json.loads(exported(membership, conversation)))
    file.is_valid(raise_exception=True)
    return imports.take(membership, conversation=file.validated_data["conversation"], messages=file.validated_data["messages"])


def test_markdown_is_of_the_strand_that_one_looks_at(talk):
    first = talk.ask()
    talk.edit(first.message)
    talk.edit(first.message)
    service.show(talk.membership, talk.fresh(), strand=3)
    written = exported(talk.membership, talk.fresh(), ExportFormat.MARKDOWN).decode()
    assert "Question 2?" in written
    assert "Question 1?" not in written
    assert "Question 3?" not in written


def test_the_same_client_id_edits_once_and_for_another_question_it_is_refused(talk):
    first, second = talk.ask(), talk.ask()
    words = {"text": "In other words?", "client_id": "again"}
    edited = turns.edit(talk.membership, talk.fresh(), first.message, **words)
    again = turns.edit(talk.membership, talk.fresh(), first.message, **words)
    assert (again.message.as_json(), again.answer.as_json()) == (edited.message.as_json(), edited.answer.as_json())
    assert not again.created
    assert len(talk.fresh().strands) == 1
    with pytest.raises(errors.ClientIdReused):
        turns.edit(talk.membership, talk.fresh(), second.message, **words)
    with pytest.raises(errors.ClientIdReused):
        turns.submit(talk.membership, talk.fresh(), **words)


def test_what_cannot_be_edited_is_refused(talk, monkeypatch):
    first = talk.ask()
    words = {"text": "In other words?", "client_id": "again"}
    with pytest.raises(errors.NothingToEdit):
        turns.edit(talk.membership, talk.fresh(), first.answer, **words)
    with pytest.raises(errors.UnknownStrand):
        turns.submit(talk.membership, talk.fresh(), strand=7, **words)
    with pytest.raises(errors.UnknownStrand):
        service.show(talk.membership, talk.fresh(), strand=7)
    with pytest.raises(errors.ConversationClosed):
        turns.edit(talk.membership, replace(talk.fresh(), status=ConversationStatus.ARCHIVED.value), first.message, **words)
    monkeypatch.setattr(strands, "MOST", 1)
    talk.edit(first.message)
    with pytest.raises(errors.TooManyStrands):
        turns.edit(talk.membership, talk.fresh(), first.message, **words)
    assert mongo.collection(Message).count_documents({"organizationId": talk.fresh().organization_id}) == 4


def test_of_many_who_edit_at_once_no_more_get_a_strand_than_are_left(talk, monkeypatch):
    first = talk.ask()
    monkeypatch.setattr(strands, "MOST", 3)
    talk.edit(first.message)
    conversation = talk.fresh()

    async def at_once():
        edits = (turns.aedit(talk.membership, conversation, first.message, text="Well?", client_id=f"e{n}") for n in range(6))
        return await asyncio.gather(*edits, return_exceptions=True)

    ended = loop.run(at_once())
    assert sorted(type(one).__name__ for one in ended) == ["Submitted"] * 2 + ["TooManyStrands"] * 4
    assert len(talk.fresh().strands) == 3


def test_an_edit_that_is_sent_again_takes_one_strand(talk, monkeypatch):
    first = talk.ask()
    words = {"text": "In other words?", "client_id": "again"}
    for _ in range(3):
        turns.edit(talk.membership, talk.fresh(), first.message, **words)
    raw = mongo.collection(Conversation).find_one(
        {"organizationId": first.message.organization_id, "conversationId": first.message.conversation_id}
    )
    assert (raw["editCount"], len(raw["strands"])) == (1, 1)
    monkeypatch.setattr(strands, "MOST", 1)
    turns.edit(talk.membership, talk.fresh(), first.message, **words)
    with pytest.raises(errors.TooManyStrands):
        turns.edit(talk.membership, talk.fresh(), first.message, text="And now?", client_id="another")


def test_strands_from_before_they_were_counted_are_counted(talk, monkeypatch):
    first = talk.ask()
    talk.edit(first.message)
    one = {"organizationId": first.message.organization_id, "conversationId": first.message.conversation_id}
    mongo.collection(Conversation).update_one(one, {"$unset": {"editCount": ""}})
    monkeypatch.setattr(strands, "MOST", 2)
    talk.edit(first.message)
    with pytest.raises(errors.TooManyStrands):
        turns.edit(talk.membership, talk.fresh(), first.message, text="And now?", client_id="another")


def test_the_newest_answer_of_each_strand_can_be_written_again(talk):
    first, second = talk.ask(), talk.ask()
    edited = talk.edit(second.message)
    for answer in (first.answer, second.answer, edited.answer):
        one = {"organizationId": answer.organization_id, "messageId": answer.id}
        mongo.collection(Message).update_one(one, {"$set": {"status": "sent"}, "$unset": {"lease": ""}})
    with pytest.raises(errors.NotTheNewest):
        turns.regenerate(talk.membership, access.message_for(talk.membership, first.answer.id))
    for answer in (second.answer, edited.answer):
        assert turns.regenerate(talk.membership, access.message_for(talk.membership, answer.id)).attempt == 2


def test_a_strand_that_a_crash_left_unknown_is_known_when_its_answer_is_called_again(talk):
    first, second = talk.ask(), talk.ask()
    edited = talk.edit(second.message)
    one = {"organizationId": talk.conversation.organization_id, "conversationId": talk.conversation.id}
    mongo.collection(Conversation).update_one(one, {"$unset": {"strands": "", "shown": ""}})
    assert talk.fresh().strands == ()
    call = loop.run(turns.call_to(edited.answer))
    assert talk.fresh().strands == (Strand(number=5, parent=0, edits=3),)
    assert [message.id for message in loop.run(contexts._messages_before(call))] == [first.message.id, edited.message.id]
    mongo.collection(Conversation).update_one(one, {"$unset": {"strands": ""}})
    inner = talk.edit(edited.message)  # a question of a strand that nobody knows
    assert inner.message.edits == 3
    assert [strand.number for strand in talk.fresh().strands] == [5, 7]


def test_each_person_looks_at_a_strand_of_their_own(talk, cast):
    first = talk.ask()
    talk.edit(first.message)
    opened = conversations.open_to(talk.membership, talk.fresh(), to_roles=["leader"], user_ids=[])
    assert opened.shown_to(cast.liam.membership.user_id) == FIRST
    assert opened.shown_to(talk.membership.user_id) == 3
    asked = turns.submit(cast.liam.membership, now(cast.liam.membership, opened), text="And I?", client_id="liam")
    assert asked.message.strand == FIRST
    assert talk.ask().message.strand == 3


def test_many_who_edit_the_same_question_at_once_each_begin_a_strand(talk):
    first = talk.ask()
    conversation = talk.fresh()

    async def all_at_once():
        edits = (turns.aedit(talk.membership, conversation, first.message, text=f"{n}?", client_id=f"e{n}") for n in range(12))
        return await asyncio.gather(*edits)

    taken = loop.run(all_at_once())
    assert sorted(strand.number for strand in talk.fresh().strands) == sorted(each.message.seq for each in taken)
    for each in taken:
        assert talk.read(each.message.seq) == [each.message.id, each.answer.id]


def test_an_edited_question_is_answered_with_what_was_said_before_it(talk):
    first = talk.ask()
    loop.run(answers.produce(Call.to(first.answer, talk.fresh())))
    second = talk.ask()
    edited = talk.edit(second.message)
    loop.run(answers.produce(Call.to(edited.answer, talk.fresh())))
    assert access.message_for(talk.membership, edited.answer.id).status == "sent"
    assert loop.run(sweeper.sweep()) == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"edits": 99}, "messages.2.edits"),
        ({"edits": 2}, "messages.2.edits"),
        ({"edits": 1, "strand": 0}, "messages.2.edits"),
        ({"edits": None, "strand": 9}, "messages.2.strand"),
        ({"edits": 1, "role": "assistant"}, "messages.2.edits"),
        ({"seq": 1, "strand": 1, "edits": 1}, "messages.2.edits"),
    ],
)
def test_a_file_whose_strands_do_not_fit_together_is_refused(talk, change, field):
    first = talk.ask()
    talk.edit(first.message)
    file = json.loads(exported(talk.membership, talk.fresh()))
    file["messages"][2] |= change
    checked = ConversationFile(data=file)
    checked.is_valid(raise_exception=True)
    with pytest.raises(errors.FileWrong) as refused:
        imports.take(talk.membership, conversation=checked.validated_data["conversation"], messages=checked.validated_data["messages"])
    assert refused.value.field == field


def test_a_page_reads_no_more_than_it_shows_at_any_depth_of_a_long_conversation(talk):
    """10,000 messages, 150 strands one within the other: what is looked at in the index is bounded by the page, not by the conversation."""
    one = {"organizationId": talk.conversation.organization_id, "conversationId": talk.conversation.id}
    begun, strand, rows = [], FIRST, []
    at = talk.conversation.created_at
    for seq in range(1, 10_001):
        row = {
            **one,
            "messageId": f"m{seq}",
            "seq": seq,
            "role": "user" if seq % 2 else "assistant",
            "contentType": "text",
            "status": "sent",
        }
        if seq % 67 == 0 and seq % 2 and len(begun) < 150:
            begun.append({"strand": seq, "parent": strand, "edits": seq - 2})
            strand = row["edits"] = seq
            row["edits"] = seq - 2
        rows.append({**row, **({"strand": strand} if strand else {}), "content": "?", "createdAt": at, "updatedAt": at})
    with pymongo.timeout(60):
        mongo.collection(Message).insert_many(rows)
    mongo.collection(Conversation).update_one(one, {"$set": {"strands": begun}})
    conversation = talk.fresh()
    for before in (None, 9_000, 5_000, 300, 40):
        query = selectors._page(conversation, conversation.path(strand), before=before, after=None, limit=50)
        stats = explained(query)["executionStats"]
        assert stats["nReturned"] == min(51, before or 10_000) - (before == 40)
        assert stats["totalKeysExamined"] <= 51 + 51
        assert stats["totalDocsExamined"] <= 51 + 51
