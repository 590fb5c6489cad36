"""What nobody did anything with for a year has its messages in a file, and whoever opens it has them back, to the last bit."""

from datetime import timedelta
from io import StringIO

import pytest
from bson import ObjectId
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from chat import access, selectors, tasks
from chat.documents import Conversation, Message, MessageRevision
from chat.services import cold, conversations, erasure, retention, turns
from config import mongo, periods
from tenants import scoping
from tenants.models import RetentionPeriod
from tests import lost
from tests.chat.test_retention import DAY, deleted, furnished, hanging, start

COLD = {"cold.written", "cold.gone", "cold.back"}


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def of(made) -> dict[str, str]:
    return {"organizationId": made.organization_id, "conversationId": made.id}


def age(made, *, days: int) -> None:
    then = timezone.now() - days * DAY
    mongo.collection(Conversation).update_one(of(made), {"$set": {"lastMessageAt": then, "status": "archived"}})


def old(cast, *, client_id: str = "one", days: int = 400):
    made = furnished(cast, client_id=client_id)
    age(made, days=days)
    return made


def content(made) -> list[list[dict]]:
    messages = mongo.collection(Message).find(of(made), sort=[("seq", 1)]).to_list()
    ids = {"$in": [message["messageId"] for message in messages]}
    revisions = mongo.collection(MessageRevision).find({"organizationId": made.organization_id, "messageId": ids}).to_list()
    return [messages, revisions]


def put_away(made=None) -> int:
    """Tonight's run, and tomorrow's."""
    now = timezone.now()
    assert cold.run(now=now) == 0
    return cold.run(now=now + DAY)


def is_away(made) -> bool:
    return bool((mongo.collection(Conversation).find_one(of(made)).get("cold") or {}).get("awayAt"))


def file_of(made) -> bool:
    return default_storage.exists(cold.path_of(made.organization_id, made.id))


def test_messages_go_into_a_file_after_a_year_and_come_back_to_who_opens_their_conversation(cast):
    made, young, living = old(cast), old(cast, client_id="young", days=364), start(cast)
    before = content(made)
    assert [len(part) for part in before] == [2, 1]
    assert put_away() == 1
    assert content(made) == [[], []]
    assert file_of(made)
    assert hanging(made)["Share"] == hanging(made)["Attachment"] == 1
    assert content(young)[0]
    assert not is_away(living)
    olive = cast.olive.membership
    with pytest.raises(access.access.NotFound):
        access.conversation_for(cast.greta.membership, made.id)
    assert is_away(made), "who may not read it brings nothing back"
    opened = access.conversation_for(olive, made.id)
    assert content(made) == before
    assert not file_of(made)
    assert opened.message_count == 2
    assert put_away() == 0, "a year begins when it was opened"
    for days, away in ((364, False), (366, False), (367, True)):  # the second of these marks it
        cold.run(now=timezone.now() + days * DAY)
        assert is_away(made) == away


async def test_a_socket_opens_it_too(cast):
    made = await lost.in_thread(lambda: old(cast))
    await lost.in_thread(put_away)
    await access.aconversation_for(cast.olive.membership, made.id)
    assert len(content(made)[0]) == 2


def test_who_opens_a_conversation_that_is_about_to_leave_keeps_it(cast):
    made = old(cast)
    now = timezone.now()
    cold.run(now=now)
    assert cold.run(now=now + timedelta(minutes=59)) == 0
    access.conversation_for(cast.olive.membership, made.id)
    assert cold.run(now=now + DAY) == 0
    assert content(made)[0]


@pytest.mark.parametrize("point", sorted(COLD))
def test_a_run_that_is_killed_loses_nothing_and_goes_on(cast, monkeypatch, point):
    made = old(cast)
    before = content(made)

    def dies(name):
        if name == point:
            raise KeyboardInterrupt

    monkeypatch.setattr(cold, "failpoint", dies)
    with pytest.raises(KeyboardInterrupt):
        put_away()
        access.conversation_for(cast.olive.membership, made.id)
    monkeypatch.undo()
    cold.run(now=timezone.now() + DAY)
    access.conversation_for(cast.olive.membership, made.id)
    assert content(made) == before
    age(made, days=400)
    mongo.collection(Conversation).update_one(of(made), {"$unset": {"openedAt": ""}})
    assert put_away() == 1, "what the killed run left is in nobody's way"
    access.conversation_for(cast.olive.membership, made.id)
    assert content(made) == before


@pytest.mark.parametrize("what", ["a message", "that there was one"])
def test_what_is_written_while_the_file_is_stays_where_it_is(cast, monkeypatch, what):
    made = old(cast)

    def writes(name):
        if name == "cold.written" and what == "a message":
            (first, _), _ = content(made)
            mongo.collection(Message).insert_one({**first, "_id": ObjectId(), "messageId": "another", "clientId": "another", "seq": 3})
        elif name == "cold.written":
            mongo.collection(Conversation).update_one(of(made), {"$set": {"lastMessageAt": timezone.now()}})

    monkeypatch.setattr(cold, "failpoint", writes)
    assert put_away() == 0
    assert [len(part) for part in content(made)] == [3 if what == "a message" else 2, 1]
    assert not is_away(made)


def test_a_damaged_file_is_told_as_a_store_that_is_away_and_nothing_is_shown(cast):
    made = old(cast)
    put_away()
    path = cold.path_of(made.organization_id, made.id)
    with default_storage.open(path, "rb") as file:
        whole = file.read()
    for content_now in (whole[:-9], None):
        default_storage.delete(path)
        if content_now is not None:
            with default_storage.open(path, "wb") as file:
                file.write(content_now)
        with pytest.raises(cold.Unreadable, match="backup"):
            access.conversation_for(cast.olive.membership, made.id)
    with default_storage.open(path, "wb") as file:
        file.write(whole)
    access.conversation_for(cast.olive.membership, made.id)
    assert content(made)[0]


def test_a_deleted_conversation_takes_its_file_along_and_a_file_is_kept_for_seven_years(cast):
    gone, past = old(cast), old(cast, client_id="past")
    assert put_away() == 2
    mongo.collection(Conversation).update_one(of(gone), {"$set": {"status": "deleted", "deletedAt": timezone.now() - 31 * DAY}})
    assert retention.remove_overdue(now=timezone.now()) == 1
    assert (file_of(gone), file_of(past)) == (False, True)
    years = timedelta(days=periods.CONVERSATIONS.archived_days)
    assert retention.remove_cold(now=timezone.now() + years) == 0
    assert retention.remove_cold(now=timezone.now() + years + 2 * DAY) == 1
    assert not file_of(past)
    assert set(hanging(past).values()) == {0}


def test_an_erased_person_is_in_no_file(cast):
    made = old(cast)
    with scoping.tenant(cast.acme):
        conversations.open_to(cast.olive.membership, made, to_roles=["leader"], user_ids=[])
    age(made, days=400)
    put_away()
    erasure.erase(str(cast.olive.user.pk), now=timezone.now())
    assert {message["userId"] for message in content(made)[0] if "userId" in message} <= {"00000000-0000-0000-0000-000000000000"}
    assert content(made)[0]
    assert not file_of(made)


def test_an_organization_may_have_it_sooner(cast):
    made = old(cast, days=40)
    assert put_away() == 0
    with scoping.tenant(cast.acme):
        RetentionPeriod.objects.for_tenant(cast.acme).create(kept="conversations", days=30)
    assert put_away() == 1
    assert is_away(made)


def test_commands_say_what_is_due_and_bring_it_back(cast):
    made = old(cast)
    before, said = content(made), StringIO()
    call_command("put_away", dry_run=True, stdout=said)
    assert said.getvalue() == f"{made.id}: 2 messages, into a file\n"
    tasks.put_away()
    marked = {"$set": {"cold.markedAt": timezone.now() - DAY}}
    mongo.collection(Conversation).update_one(of(made), marked)
    call_command("put_away", stdout=said)
    assert said.getvalue().endswith("Put 1 conversations away, removed 0 for good.\n")
    call_command("bring_back", "acme", stdout=said)
    assert said.getvalue().endswith("Brought 1 conversations back.\n")
    assert content(made) == before


def test_it_is_listed_and_goes_on_as_ever(cast):
    made = old(cast)
    put_away()
    olive = cast.olive.membership
    assert made.id in {one.id for one in selectors.inbox(olive, status="archived").results}
    opened = conversations.restore(olive, access.conversation_for(olive, made.id))
    turn = turns.submit(olive, opened, text="Are you still there?", client_id="again")
    kept = mongo.collection(Message).find_one({"organizationId": made.organization_id, "messageId": turn.answer.id})
    assert kept["seq"] == 4


def test_a_dry_run_of_retention_says_whose_would_go(cast):
    made, said = old(cast), StringIO()
    deleted(cast, old(cast, client_id="gone"), ago=31 * DAY)
    before = content(made)
    call_command("apply_retention", dry_run=True, stdout=said)
    lines = said.getvalue().splitlines()
    assert "acme chat_conversations: 1, their messages into files" in lines
    assert "acme chat_conversations: 1" in lines
    assert lines[-1] == "Would remove or archive 2 rows and documents."
    assert content(made) == before
