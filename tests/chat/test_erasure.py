"""Who is erased is found nowhere any more, and everybody else's is untouched."""

import json
from datetime import timedelta
from io import BytesIO, StringIO

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from chat import access, selectors, tasks
from chat.choices import Audience
from chat.documents import Attachment, ChatSession, Conversation, Message, MessageRevision, ReadMark, Share
from chat.realtime import keys
from chat.services import attachments, conversations, erasure, queues, reading, retention, shares, turns
from config import loop, mongo, redis
from tenants import access as people
from tenants import scoping
from tenants.choices import NOBODY, Role
from tenants.errors import OnlyOwner
from tenants.models import AccessRecord, Membership, User
from tenants.services import accounts
from tenants.services import erasure as tenants_erasure
from tests.cast import make_person

FIRST, LAST, ADDRESS, SECRET = "Zebedee", "Quillfeather", "zebedee@acme.example", "xylophone"
SHARED = "What of the budget?"


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def zeb(cast):
    """Somebody with a place in both organizations, and something of everything."""
    person = make_person(cast.acme, FIRST, LAST, role=Role.OWNER)
    accounts.add_member(cast.globex, user=person.user, role=Role.OWNER)
    return person


def in_globex(zeb) -> Membership:
    with scoping.across_tenants("a test"):
        return Membership.across_tenants.select_related("organization", "user").exclude(pk=zeb.membership.pk).get(user=zeb.user)


def opened(membership, made, **readers):
    with scoping.tenant(membership.organization_id):
        return conversations.open_to(membership, made, **{"to_roles": [], "user_ids": [], **readers})


def start(membership, employees, *, title: str = ""):
    with scoping.tenant(membership.organization_id):
        one = next(iter(employees.values()))
        return conversations.start(membership, type="employee_specific", subject_employee_ids=[one.pk], title=title)


def ask(membership, made, text: str, *, answer: str = "Well.", reply_to: str | None = None):
    """A question with an answer that has ended."""
    turn = turns.submit(membership, made, text=text, client_id=text[:20], reply_to=reply_to)
    end(made, turn, answer)
    return turn


def end(made, turn, answer: str = "Well.") -> None:
    one = {"organizationId": made.organization_id, "messageId": turn.answer.id}
    mongo.collection(Message).update_one(one, {"$set": {"status": "sent", "content": answer}, "$unset": {"lease": ""}})


def furnish(cast, zeb):
    """Private and shared conversations, words in somebody else's, and what hangs on them."""
    private = start(zeb.membership, cast.employees, title=f"The {SECRET}")
    ask(zeb.membership, private, f"Where is the {SECRET}?", answer=f"The {SECRET} is here.")
    attachments.upload(zeb.membership, private, name=f"{SECRET}.txt", file=BytesIO(SECRET.encode()), size=len(SECRET))
    shares.create(zeb.membership, private, audience=Audience.ORGANIZATION, days=3)
    binned = start(zeb.membership, cast.employees, title=f"Old {SECRET}")
    conversations.delete(zeb.membership, binned)
    abroad = start(in_globex(zeb), cast.strangers, title=f"A {SECRET} abroad")
    ask(in_globex(zeb), abroad, f"And this {SECRET}?")

    shared = start(zeb.membership, cast.employees, title="Budget")
    shared = opened(zeb.membership, shared, to_roles=[Role.LEADER])
    turn = ask(zeb.membership, shared, SHARED)
    stored = mongo.collection(Message).find_one({"organizationId": shared.organization_id, "messageId": turn.answer.id})
    names = ("organizationId", "messageId", "conversationId", "attempt", "contentType", "status", "updatedAt")
    stamps = {"reason": "regenerated", "revisedBy": str(zeb.user.pk), "revisedAt": timezone.now()}
    mongo.collection(MessageRevision).insert_one({name: stored[name] for name in names} | stamps)
    shares.create(zeb.membership, shared, audience=Audience.ORGANIZATION, days=3)

    olives = start(cast.olive.membership, cast.employees, title="Olive's")
    olives = opened(cast.olive.membership, olives, user_ids=[zeb.user.pk])
    ask(cast.olive.membership, olives, "I ask.")
    seen = access.conversation_for(zeb.membership, olives.id)
    too = ask(zeb.membership, seen, "I ask, too.")
    turn = turns.submit(cast.olive.membership, olives, text="Why do you?", client_id="why", reply_to=too.message.id)
    waiting = {"text": "And now?", "client_id": "now", "reply_to": too.message.id}
    loop.run(queues.aadd(cast.olive.membership, access.conversation_for(cast.olive.membership, olives.id), **waiting))
    end(olives, turn)
    reading.mark(zeb.membership, seen, seq=2)
    attachments.upload(zeb.membership, seen, name="unsent.txt", file=BytesIO(b"unsent"), size=6)
    shares.create(cast.olive.membership, olives, audience=Audience.ORGANIZATION, days=3)
    own = {"organizationId": olives.organization_id, "conversationId": olives.id}
    mongo.collection(Conversation).update_one(own, {"$set": {f"shown.{zeb.user.pk}": 0}})

    now = timezone.now()
    mongo.collection(ChatSession).insert_one(
        {
            "organizationId": shared.organization_id,
            "sessionId": "tab",
            "userId": str(zeb.user.pk),
            **dict.fromkeys(("connectionId", "socketId"), "x"),
            "status": "active",
            "presenceStatus": "online",
            **dict.fromkeys(("lastActivity", "lastSeenAt", "connectedAt", "createdAt", "updatedAt"), now),
            "expiresAt": now + timedelta(days=90),
        }
    )
    redis.client().hset(keys.session("tab"), "userId", str(zeb.user.pk))
    redis.client().set(keys.presence(str(zeb.user.pk)), "tab|online")
    redis.client().set(keys.context(shared.id), json.dumps({"asker": FIRST}))
    for whose in (zeb.user, cast.olive.user):
        cached = keys.ai_cache(shared.organization_id, bridge="b", version="1", digest=str(whose.pk)[:8])
        redis.client().set(cached, json.dumps({"owner": {"user": str(whose.pk)}, "query": SECRET if whose == zeb.user else "else"}))

    accounts.create_api_key(zeb.membership, name=f"{FIRST}'s laptop")
    Authenticator.objects.create(user=zeb.user, type=Authenticator.Type.TOTP, data={})
    UserSession.objects.create(user=zeb.user, session_key="s", ip="127.0.0.1", user_agent="a test")
    EmailAddress.objects.create(user=zeb.user, email=f"other-{ADDRESS}", verified=True)
    zeb.user.display_name = f"{FIRST} the Great"
    zeb.user.save(update_fields=["display_name"])
    about = {"content_type": ContentType.objects.get_for_model(User), "object_id": str(zeb.user.pk), "action_flag": 2}
    LogEntry.objects.create(user=cast.sam, object_repr=f"{FIRST} {LAST}", change_message=f'[{{"name": "{FIRST} the Great"}}]', **about)
    return private, binned, abroad, shared, olives


def everything() -> str:
    """All of PostgreSQL, MongoDB and Redis, as text."""
    found = []
    with scoping.across_tenants("a test"), connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [f"{table}: {row}" for (row,) in cursor.fetchall()]
    for name in mongo.database().list_collection_names():
        every = mongo.database()[name].find({}, comment="across-tenants: a test empties the store")
        found += [f"{name}: {document}" for document in every]
    client = redis.client()
    for key in client.scan_iter():
        kind = client.type(key).decode()
        value = {
            "string": client.get,
            "hash": client.hgetall,
            "set": client.smembers,
            "stream": client.xrange,
            "list": lambda key: client.lrange(key, 0, -1),
            "zset": lambda key: client.zrange(key, 0, -1),
        }[kind](key)
        found.append(f"{key!r}: {value!r}")
    return "\n".join(found)


def traces(*words: str) -> list[str]:
    return [line[:300] for line in everything().splitlines() if any(word.lower() in line.lower() for word in words)]


def erase(zeb) -> None:
    """As it goes on: the account, what hangs on it at once, and a last look when nothing of theirs can be under way."""
    tenants_erasure.erase(zeb.user)
    erasure.erase_all(now=timezone.now())
    assert erasure.erase_all(now=timezone.now() + tenants_erasure.SETTLED) == 1
    assert erasure.erase_all(now=timezone.now()) == 0


def test_name_address_and_private_words_are_found_nowhere_afterwards_and_what_others_read_stays(cast, zeb, media):
    private, binned, abroad, shared, olives = furnish(cast, zeb)
    assert traces(FIRST)
    assert traces(SECRET)
    bystander = start(cast.olive.membership, cast.employees, title="Mine")
    before = mongo.collection(Conversation).find_one({"organizationId": bystander.organization_id, "conversationId": bystander.id})
    erase(zeb)
    assert traces(FIRST, LAST, SECRET) == []
    shells = ("users", "memberships", "api_keys", "pghistory_context", "access_records", "django_admin_log")
    shells += ("user_activity_logs", "metrics_buffer", "ai_chat_session_logs")  # whoever it was is counted, and not known
    assert [line for line in traces(str(zeb.user.pk)) if not line.startswith(shells)] == []
    assert [path for path in media.rglob("*") if path.is_file()] == []
    left = mongo.database()["chat_conversations"].find({}, comment="across-tenants: a test empties the store")
    assert not {raw["conversationId"] for raw in left} & {private.id, binned.id, abroad.id}
    after = mongo.collection(Conversation).find_one({"organizationId": bystander.organization_id, "conversationId": bystander.id})
    assert after == before

    liam, olive = cast.liam.membership, cast.olive.membership
    kept = access.conversation_for(liam, shared.id)
    assert (kept.title, kept.user_id) == ("Budget", NOBODY)
    first, _ = selectors.messages(kept).results
    assert (first.text, first.user_name, first.user_id) == (SHARED, "Former member", NOBODY)
    own = access.conversation_for(olive, olives.id)
    assert own.is_private
    assert own.allowed_user_ids == ()
    said = selectors.messages(own).results
    assert [each.user_name for each in said] == ["Olive Olsen", None, "Former member", None, "Olive Olsen", None]
    assert (said[4].reply_to.user_name, said[4].reply_to.text) == ("Former member", "I ask, too.")
    (waits,) = own.queue.questions
    assert (waits.reply_to.user_name, waits.reply_to.text) == ("Former member", "I ask, too.")
    (copy,) = mongo.collection(Share).find({"organizationId": olives.organization_id})
    assert [said.get("author") for said in copy["messages"]] == ["Olive Olsen", None, "Former member", None, "Olive Olsen", None]
    assert copy["messages"][4]["replyTo"] == {"role": "user", "author": "Former member", "text": "I ask, too."}
    assert mongo.collection(ReadMark).count_documents({"organizationId": shared.organization_id, "userId": str(zeb.user.pk)}) == 0
    assert mongo.collection(Attachment).count_documents({"organizationId": shared.organization_id}) == 0
    assert len(list(redis.client().scan_iter(match="chat:ai-cache:*"))) == 1


def test_the_account_is_a_shell_in_every_organization_and_its_owner_can_be_read_of_no_record(cast, zeb):
    shared = start(zeb.membership, cast.employees)
    opened(zeb.membership, shared, to_roles=[Role.LEADER])
    _, key = accounts.create_api_key(zeb.membership, name="laptop")
    erase(zeb)
    shell = User.objects.get(pk=zeb.user.pk)
    assert (str(shell), shell.is_active, shell.has_usable_password(), shell.is_superuser) == ("Former member", False, False, False)
    assert people.memberships_of(shell) == []
    with scoping.across_tenants("a test"):
        assert not Membership.across_tenants.filter(user=shell, is_active=True).exists()
    access.conversation_for(cast.liam.membership, shared.id)
    with scoping.across_tenants("a test"):
        assert not AccessRecord.across_tenants.exists()
    tenants_erasure.erase(shell)  # again: nothing happens


def test_the_only_owner_of_an_organization_stays_and_one_of_two_goes(cast, zeb):
    with pytest.raises(OnlyOwner, match=r"^Nothing|^Acme would|^Globex would") as refused:
        accounts.remove_member(cast.greta.membership)
        tenants_erasure.erase(zeb.user)
    assert str(refused.value) == "Globex would be left without an owner. Make somebody else an owner there first."
    assert User.objects.get(pk=zeb.user.pk).email == ADDRESS
    assert erasure.erase_all(now=timezone.now()) == 0


def test_who_leaves_one_organization_is_not_erased(cast, zeb):
    made = start(zeb.membership, cast.employees, title="Mine")
    accounts.remove_member(zeb.membership)
    assert erasure.erase_all(now=timezone.now()) == 0
    assert mongo.collection(Conversation).count_documents({"organizationId": made.organization_id, "conversationId": made.id}) == 1


@pytest.mark.usefixtures("media")
def test_a_run_that_was_broken_off_is_finished_by_the_next_wherever_it_was(cast, zeb, monkeypatch):
    furnish(cast, zeb)
    tenants_erasure.erase(zeb.user)
    breaks_at = [
        (module, point)
        for module, points in (
            (retention, ("removal.marked", "removal.messages_gone")),
            (erasure, ("erasing.private_gone", "erasing.messages_anonymised", "erasing.conversations_anonymised")),
        )
        for point in points
    ]
    for module, point in breaks_at:

        def breaks(name, point=point):
            if name == point:
                raise KeyboardInterrupt

        monkeypatch.setattr(module, "failpoint", breaks)
        with pytest.raises(KeyboardInterrupt):
            erasure.erase_all(now=timezone.now())
        monkeypatch.undo()
    tasks.finish_erasures()
    assert traces(FIRST, LAST, SECRET) == []


def test_more_than_a_batch_goes_in_one_run(cast, zeb, monkeypatch):
    monkeypatch.setattr(erasure, "BATCH", 2)
    for number in range(5):
        ask(zeb.membership, start(zeb.membership, cast.employees), f"Question {number}")
        shared = start(zeb.membership, cast.employees)
        shared = opened(zeb.membership, shared, to_roles=[Role.LEADER])
        ask(zeb.membership, shared, f"Shared {number}")
    erase(zeb)
    of = {"organizationId": str(cast.acme.pk)}
    assert {raw["userId"] for raw in mongo.collection(Conversation).find(of)} == {NOBODY}
    assert mongo.collection(Message).count_documents(of) == 10
    assert mongo.collection(Message).count_documents({**of, "userId": NOBODY}) == 10


def test_files_that_cannot_be_removed_now_are_tried_again(cast, zeb, monkeypatch):
    made = start(zeb.membership, cast.employees)
    tenants_erasure.erase(zeb.user)

    def fails(organization_id, conversation_id):
        raise PermissionError

    monkeypatch.setattr(attachments, "remove_all_of", fails)
    for _ in range(2):
        assert erasure.erase_all(now=timezone.now() + tenants_erasure.SETTLED) == 1
    monkeypatch.undo()
    assert erasure.erase_all(now=timezone.now() + tenants_erasure.SETTLED) == 1
    assert erasure.erase_all(now=timezone.now()) == 0
    assert mongo.collection(Conversation).count_documents({"organizationId": made.organization_id, "conversationId": made.id}) == 0


def test_a_process_that_is_at_it_does_not_begin_again(cast, zeb, monkeypatch):
    tenants_erasure.erase(zeb.user)
    begun_again = []
    monkeypatch.setattr(erasure, "failpoint", lambda point: begun_again.append(erasure.erase_all(now=timezone.now())))
    assert erasure.erase_all(now=timezone.now()) == 1
    assert set(begun_again) == {0}


def command(*arguments: str) -> list[str]:
    said = StringIO()
    call_command("erase_person", *arguments, stdout=said)
    return said.getvalue().splitlines()


@pytest.mark.usefixtures("media")
def test_the_command_says_what_would_go_and_then_lets_it_go(cast, zeb):
    furnish(cast, zeb)
    says = {"acme: 2 conversations go, 1 stay; 6 messages are theirs", "globex: 1 conversations go, 0 stay; 2 messages are theirs"}
    *lines, last = command(ADDRESS, "--dry-run")
    assert (set(lines), last) == (says, "Would erase them.")
    assert User.objects.get(pk=zeb.user.pk).email == ADDRESS
    *lines, last = command(ADDRESS)
    assert (set(lines), last) == (says, "Erased. The clock looks once more in a minute.")
    assert traces(FIRST, LAST, SECRET) == []
    with pytest.raises(CommandError, match="There is no account"):
        command(ADDRESS)
    with pytest.raises(CommandError, match="Acme would be left without an owner"):
        command("olive@acme.example")
