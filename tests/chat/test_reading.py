"""Read marks and unread messages: durable, a person's own, and told at once to their tabs that want to know."""

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat import access, selectors
from chat.documents import Conversation, ReadMark
from chat.records import MessageRecord
from chat.services import conversations, reading, totals
from config import mongo
from tenants import scoping
from tests.chat.test_consumer import heard, say
from tests.chat.test_presence import all_keys, event, shared, tab

__all__ = ["all_keys", "shared"]


@pytest.fixture
def talk(shared, cast):
    """Olive's consultation with ten messages."""
    mongo.collection(Conversation).update_one(
        {"organizationId": str(cast.acme.pk), "conversationId": shared.id}, {"$set": {"messageCount": 10}}
    )
    with scoping.tenant(cast.acme):
        return access.conversation_for(cast.olive.membership, shared.id)


def unread(person, conversation):
    return selectors.unread(person.membership, [conversation])[conversation.id]


def marks(cast):
    found = mongo.collection(ReadMark).find({"organizationId": str(cast.acme.pk)})
    return {raw["userId"]: raw["seq"] for raw in found}


def test_unread_is_the_count_less_the_mark_and_each_person_has_their_own(talk, cast):
    assert unread(cast.olive, talk) == 0, "Whoever started it knows it."
    assert unread(cast.liam, talk) == 10, "To whom it was opened it is new."
    assert reading.mark(cast.liam.membership, talk, seq=4) == 6
    assert (unread(cast.liam, talk), unread(cast.olive, talk)) == (6, 0)
    assert reading.mark(cast.olive.membership, talk, seq=9) == 1
    assert marks(cast) == {str(cast.liam.user.pk): 4, str(cast.olive.user.pk): 9}


def test_a_mark_never_goes_back_and_never_beyond_the_last_message(talk, cast):
    assert reading.mark(cast.liam.membership, talk, seq=8) == 2
    assert reading.mark(cast.liam.membership, talk, seq=3) == 2
    assert reading.mark(cast.liam.membership, talk, seq=2**31 - 1) == 0
    assert marks(cast) == {str(cast.liam.user.pk): 10}


def test_two_queries_tell_of_a_whole_list_and_both_use_their_index(talk, cast):
    wanted = {
        "organizationId": str(cast.acme.pk),
        "conversationId": {"$in": [talk.id]},
        "userId": str(cast.liam.user.pk),
    }
    plan = mongo.database().command("explain", {"find": "chat_read_marks", "filter": wanted}, verbosity="queryPlanner")
    assert "IXSCAN" in str(plan)
    assert "COLLSCAN" not in str(plan)


async def test_who_reads_at_one_tab_has_read_at_the_others(talk, all_keys):
    async with tab(all_keys["liam"]) as listing, tab(all_keys["liam"], talk) as open_one, tab(all_keys["olive"]) as hers:
        for socket in (listing, hers):
            await say(socket, do="presence", status="online", ref=1)
            await heard(socket, until=lambda frame: frame.get("ack") == 1)
        await say(open_one, do="read", conversation=talk.id, seq=7, ref=2)
        assert (await heard(open_one, until=lambda frame: frame.get("ack") == 2))[-1] == {
            "ack": 2,
            "conversation": talk.id,
            "unread": 3,
        }
        assert (await heard(listing, until=event("unread")))[-1] == {"conversation": talk.id, "event": "unread", "unread": 3}
        assert await hers.receive_nothing(timeout=0.3), "What Liam has read is not news to Olive."


async def test_an_answer_that_ends_is_news_to_everybody_who_may_read_it_and_to_nobody_else(consultation, talk, all_keys, cast):
    membership, _ = consultation
    answer = MessageRecord(
        id="00000000-0000-7000-8000-000000000001",
        organization_id=talk.organization_id,
        conversation_id=talk.id,
        seq=11,
        role="assistant",
        text="Done.",
        status="interrupted",
        attempt=1,
        created_at=timezone.now(),
    )
    async with (
        tab(all_keys["olive"]) as hers,
        tab(all_keys["liam"]) as liam,
        tab(all_keys["mona"]) as mona,
        tab(all_keys["greta"], organization="globex") as greta,
        tab(all_keys["liam"]) as program,
    ):
        for socket in (hers, liam, mona, greta):
            await say(socket, do="presence", status="online", ref=1)
            await heard(socket, until=lambda frame: frame.get("ack") == 1)
        await sync_to_async(reading.mark)(cast.olive.membership, talk, seq=10)
        await heard(hers, until=event("unread", unread=0))
        await totals.note_end(answer, now=timezone.now())
        assert (await heard(hers, until=event("unread")))[-1]["unread"] == 1
        assert (await heard(liam, until=event("unread")))[-1]["unread"] == 11
        for socket in (mona, greta, program):
            assert await socket.receive_nothing(timeout=0.2)

        def close():
            with scoping.tenant(membership.organization_id):
                conversations.open_to(membership, talk, to_roles=[], user_ids=[])

        await sync_to_async(close)()
        await totals.note_end(answer, now=timezone.now())
        await heard(hers, until=event("unread"))
        assert await liam.receive_nothing(timeout=0.2), "It was closed to him."


async def test_a_mark_that_two_processes_make_at_once_is_made(talk, cast, monkeypatch):
    """Each finds none and inserts it; the second is told that it is there."""
    await reading.amark(cast.liam.membership, talk, seq=1)
    failed = []
    collection = mongo.async_collection(ReadMark)
    write = type(collection).bulk_write

    async def once(self, updates, **options):
        if not failed:
            failed.append(True)
            raise reading.BulkWriteError({"writeErrors": [{"code": 11000}]})
        return await write(self, updates, **options)

    monkeypatch.setattr(type(collection), "bulk_write", once)
    assert await reading.amark(cast.liam.membership, talk, seq=5) == 5
    assert failed
