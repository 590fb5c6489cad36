"""Idle conversations are archived; what was deleted goes for good after its period, with all that hangs on it, and nothing else does."""

from datetime import timedelta
from io import BytesIO, StringIO

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from chat import access, selectors, tasks
from chat.choices import Audience
from chat.documents import Attachment, ChatSession, Context, Conversation, Message, MessageRevision, ReadMark, Share
from chat.realtime import keys, stream
from chat.services import attachments, conversations, reading, retention, shares, turns
from config import mongo, periods, redis
from tenants import access as people
from tenants import scoping
from tenants.models import RetentionPeriod

HANGING = (Message, MessageRevision, Share, Attachment, ReadMark, Context, Conversation)
DAY = timedelta(days=1)


def start(cast, *, who=None):
    with scoping.tenant(cast.acme):
        employee = cast.employees["Erik Ek"]
        return conversations.start((who or cast.olive).membership, type="employee_specific", subject_employee_ids=[employee.pk])


def furnished(cast, *, client_id: str = "one"):
    """A conversation of Olive's with something of everything that can hang on one."""
    olive, made = cast.olive.membership, start(cast)
    turn = turns.submit(olive, made, text="How is Erik?", client_id=client_id)
    answer = {"organizationId": made.organization_id, "messageId": turn.answer.id}
    mongo.collection(Message).update_one(answer, {"$set": {"status": "sent", "content": "Well."}, "$unset": {"lease": ""}})
    kept = mongo.collection(Message).find_one(answer)
    stamps = {"reason": "regenerated", "revisedBy": made.user_id, "revisedAt": kept["updatedAt"]}
    names = ("organizationId", "messageId", "conversationId", "attempt", "contentType", "status", "updatedAt")
    mongo.collection(MessageRevision).insert_one({name: kept[name] for name in names} | stamps)
    shares.create(olive, made, audience=Audience.ORGANIZATION, days=3)
    attachments.upload(olive, made, name="note.txt", file=BytesIO(b"Erik"), size=4)
    reading.mark(olive, made, seq=2)
    now = timezone.now()
    mongo.collection(Context).insert_one(
        {
            "organizationId": made.organization_id,
            "contextId": f"context-{made.id}",
            "conversationId": made.id,
            "scopeType": "conversation",
            "scopeReference": made.id,
            "tokenCount": 1,
            **dict.fromkeys(("lastUpdated", "createdAt", "updatedAt"), now),
            "expiresAt": now + 90 * DAY,
        }
    )
    redis.client().set(keys.context(made.id), "{}")
    return made


def viewed(cast, made) -> None:
    """A session of Olive's that has this conversation, and another one, open."""
    now = timezone.now()
    views = [{"conversationId": one, "joinedAt": now} for one in (made.id, "another")]
    mongo.collection(ChatSession).insert_one(
        {
            "organizationId": made.organization_id,
            "sessionId": f"session-{made.id}",
            "userId": made.user_id,
            **dict.fromkeys(("connectionId", "socketId"), "x"),
            "status": "active",
            "presenceStatus": "online",
            "activeConversations": views,
            **dict.fromkeys(("lastActivity", "lastSeenAt", "connectedAt", "createdAt", "updatedAt"), now),
            "expiresAt": now + periods.SESSIONS.period,
        }
    )


def deleted(cast, made, *, ago: timedelta) -> None:
    conversations.delete(cast.olive.membership, made)
    one = {"organizationId": made.organization_id, "conversationId": made.id}
    mongo.collection(Conversation).update_one(one, {"$set": {"deletedAt": timezone.now() - ago}})


def hanging(made) -> dict[str, int]:
    of = {"organizationId": made.organization_id, "conversationId": made.id}
    return {document.__name__: mongo.collection(document).count_documents(of) for document in HANGING}


def files() -> list[str]:
    folders = default_storage.listdir("attachments")[0] if default_storage.exists("attachments") else []
    return [name for folder in folders for name in default_storage.listdir(f"attachments/{folder}")[1]]


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.mark.usefixtures("media")
def test_what_was_deleted_longer_ago_than_its_period_is_gone_with_everything_and_nothing_else_is(cast):
    old, young, living = (furnished(cast, client_id=name) for name in ("old", "young", "living"))
    viewed(cast, old)
    deleted(cast, old, ago=30 * DAY)
    deleted(cast, young, ago=29 * DAY)
    assert set(hanging(old).values()) == {1, 2}
    assert retention.remove_overdue(now=timezone.now()) == 1
    assert set(hanging(old).values()) == {0}
    for kept in (young, living):
        assert set(hanging(kept).values()) == {1, 2}
        assert redis.client().exists(*keys.of_conversation(kept.id))
    assert not redis.client().exists(*keys.of_conversation(old.id))
    assert len(files()) == 2
    (session,) = mongo.collection(ChatSession).find({"organizationId": old.organization_id})
    assert [view["conversationId"] for view in session["activeConversations"]] == ["another"]
    assert retention.remove_overdue(now=timezone.now()) == 0


@pytest.mark.usefixtures("media")
def test_a_removal_that_was_broken_off_goes_on_wherever_it_was(cast, monkeypatch):
    made = furnished(cast)
    deleted(cast, made, ago=31 * DAY)
    for point in ("removal.marked", "removal.files_gone", "removal.messages_gone", "removal.rest_gone"):

        def breaks(name, point=point):
            if name == point:
                raise KeyboardInterrupt

        monkeypatch.setattr(retention, "failpoint", breaks)
        with pytest.raises(KeyboardInterrupt):
            retention.remove_overdue(now=timezone.now())
        assert hanging(made)["Conversation"] == 1
        with pytest.raises(people.NotFound):
            access.restorable_conversation_for(cast.olive.membership, made.id)
    monkeypatch.undo()
    assert retention.remove_overdue(now=timezone.now()) == 1
    assert set(hanging(made).values()) == {0}


def test_files_that_cannot_be_removed_now_wait_and_hold_nobody_up(cast, monkeypatch):
    first, second = start(cast), start(cast)
    deleted(cast, first, ago=40 * DAY)
    deleted(cast, second, ago=35 * DAY)

    def fails(organization_id, conversation_id):
        if conversation_id == first.id:
            raise PermissionError

    monkeypatch.setattr(attachments, "remove_all_of", fails)
    assert retention.remove_overdue(now=timezone.now()) == 1
    assert (hanging(first)["Conversation"], hanging(second)["Conversation"]) == (1, 0)


def test_more_than_a_batch_goes_in_one_run(cast, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    made = furnished(cast)
    turns.submit(cast.olive.membership, made, text="And?", client_id="two")
    same = timezone.now() - 31 * DAY
    for one in [made, *(start(cast) for _ in range(4))]:
        deleted(cast, one, ago=31 * DAY)
        mongo.collection(Conversation).update_one(
            {"organizationId": one.organization_id, "conversationId": one.id}, {"$set": {"deletedAt": same}}
        )
    assert retention.remove_overdue(now=timezone.now()) == 5
    assert set(hanging(made).values()) == {0}


def test_a_deleted_one_is_its_owners_to_see_and_to_restore_until_it_begins_to_go(cast):
    olive, made = cast.olive.membership, start(cast)
    with scoping.tenant(cast.acme):
        conversations.open_to(olive, made, to_roles=["leader"], user_ids=[])
    deleted(cast, made, ago=29 * DAY)
    assert [row.id for row in selectors.inbox(olive, status="deleted").results] == [made.id]
    assert selectors.inbox(cast.liam.membership, status="deleted").results == ()
    for person in (cast.liam, cast.greta):
        with pytest.raises(people.NotFound):
            access.restorable_conversation_for(person.membership, made.id)
    back = conversations.restore(olive, access.restorable_conversation_for(olive, made.id))
    assert (back.status, back.deleted_at) == ("active", None)
    assert access.conversation_for(cast.liam.membership, made.id).id == made.id


def test_one_that_is_restored_while_the_clock_looks_stays_and_one_that_began_to_go_is_not_restored(cast, monkeypatch):
    olive, made = cast.olive.membership, start(cast)
    deleted(cast, made, ago=31 * DAY)
    (found,) = retention.overdue(now=timezone.now())
    conversations.restore(olive, access.restorable_conversation_for(olive, made.id))
    assert not retention.remove(found, now=timezone.now())
    assert access.conversation_for(olive, made.id).id == made.id

    deleted(cast, made, ago=31 * DAY)
    at_the_door = access.restorable_conversation_for(olive, made.id)

    def comes_too_late(point):
        with pytest.raises(people.NotFound):
            conversations.restore(olive, at_the_door)

    monkeypatch.setattr(retention, "failpoint", comes_too_late)
    assert retention.remove_overdue(now=timezone.now()) == 1


def test_a_shorter_period_is_kept(cast, settings):
    settings.DELETED_KEPT_DAYS = 0
    made = start(cast)
    conversations.delete(cast.olive.membership, made)
    assert retention.remove_overdue(now=timezone.now()) == 1
    assert hanging(made)["Conversation"] == 0


def command(*arguments: str) -> list[str]:
    said = StringIO()
    call_command("remove_deleted", *arguments, stdout=said)
    return said.getvalue().splitlines()


@pytest.mark.usefixtures("media")
def test_the_command_says_what_would_go_and_then_lets_it_go(cast):
    made = furnished(cast)
    deleted(cast, made, ago=31 * DAY)
    says = f"acme {made.id}: 2 messages, 1 files, 1 links"
    assert command("--organization", "globex") == ["Removed 0 conversations."]
    assert command("--dry-run") == [says, "Would remove 1 conversation."]
    assert hanging(made)["Message"] == 2
    assert command("--organization", "acme") == [says, "Removed 1 conversation."]
    assert command() == ["Removed 0 conversations."]
    with pytest.raises(CommandError, match="There is no organization 'nowhere'"):
        command("--organization", "nowhere")


def test_the_worker_removes_by_the_clock(cast):
    made = start(cast)
    deleted(cast, made, ago=31 * DAY)

    tasks.remove_deleted()
    assert hanging(made)["Conversation"] == 0


# Idle ones ---------------------------------------------------------------------------------------------------------------


def idle(made, *, days: float) -> None:
    of = {"organizationId": made.organization_id, "conversationId": made.id}
    mongo.collection(Conversation).update_one(of, {"$set": {"lastMessageAt": timezone.now() - days * DAY}})


def status(made) -> str:
    of = {"organizationId": made.organization_id, "conversationId": made.id}
    return mongo.collection(Conversation).find_one(of)["status"]


def test_what_nobody_wrote_in_for_ninety_days_is_archived_unless_it_is_pinned_and_open_pages_are_told(cast, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "ANNOUNCED", 2)
    olive = cast.olive.membership
    old, older, oldest, pinned, young, gone = (start(cast) for _ in range(6))
    with scoping.tenant(cast.globex):
        stranger = next(iter(cast.strangers.values()))
        theirs = conversations.start(cast.greta.membership, type="employee_specific", subject_employee_ids=[stranger.pk])
    conversations.pin(olive, pinned)
    deleted(cast, gone, ago=DAY)
    for made, days in ((old, 90), (older, 91), (oldest, 400), (pinned, 400), (young, 89.9), (gone, 400), (theirs, 90)):
        idle(made, days=days)
    told = redis.client().xlen(keys.events(old.id))
    tasks.archive_idle()
    found = [status(made) for made in (old, older, oldest, pinned, young, gone, theirs)]
    assert found == ["archived", "archived", "archived", "active", "active", "deleted", "archived"]
    assert redis.client().xlen(keys.events(old.id)) == told + 1
    assert b'"archived"' in redis.client().xrevrange(keys.events(old.id), count=1)[0][1][b"e"]
    assert retention.archive_idle(now=timezone.now()) == 0


def test_who_writes_or_pins_while_the_clock_looks_wins(cast, monkeypatch):
    olive, first, second, third = cast.olive.membership, start(cast), start(cast), start(cast)
    for days, made in enumerate((third, second, first), 91):
        idle(made, days=days)
    plain = stream.announce

    async def announce(drafts, **rest):
        """While the first one is announced, somebody writes in the second and pins the third."""
        monkeypatch.setattr(stream, "announce", plain)
        await turns.asubmit(olive, second, text="I am back.", client_id="back")
        of = {"organizationId": third.organization_id, "conversationId": third.id}
        await mongo.async_collection(Conversation).update_one(of, {"$set": {"isPinned": True}})
        return await plain(drafts, **rest)

    monkeypatch.setattr(retention, "ANNOUNCED", 1)
    monkeypatch.setattr(stream, "announce", announce)
    assert retention.archive_idle(now=timezone.now()) == 1
    assert [status(made) for made in (first, second, third)] == ["archived", "active", "active"]


def shorten(cast, name: str, days: int) -> None:
    with scoping.tenant(cast.acme):
        RetentionPeriod.objects.for_tenant(cast.acme).create(kept=name, days=days)


@pytest.mark.usefixtures("media")
def test_an_organization_may_have_deleted_conversations_go_sooner(cast, client):
    old, young = (furnished(cast, client_id=name) for name in ("old", "young"))
    deleted(cast, old, ago=7 * DAY)
    deleted(cast, young, ago=6 * DAY)
    shorten(cast, periods.DELETED.name, 7)
    assert retention.remove_overdue(now=timezone.now()) == 1
    assert (set(hanging(old).values()), set(hanging(young).values())) == ({0}, {1, 2})
    client.force_login(cast.olive.user)
    page = client.post(f"/o/acme/chat/{furnished(cast, client_id='next').id}/delete/", follow=True)
    assert "For 7 days you can restore it" in page.content.decode()


def test_an_organization_may_have_idle_conversations_archived_sooner(cast):
    idle, busy = start(cast), start(cast)
    for made, days in ((idle, 15), (busy, 13)):
        one = {"organizationId": made.organization_id, "conversationId": made.id}
        mongo.collection(Conversation).update_one(one, {"$set": {"lastMessageAt": timezone.now() - days * DAY}})
    shorten(cast, periods.IDLE.name, 14)
    assert retention.archive_idle(now=timezone.now()) == 1
    with scoping.tenant(cast.acme):
        assert access.conversation_for(cast.olive.membership, idle.id).status == "archived"
        assert access.conversation_for(cast.olive.membership, busy.id).status == "active"
