"""Being there: who is at the sockets, how they are, who types and who views; how long each key lives; and what is never told to whom."""

import asyncio
import contextlib
import uuid

import orjson
import pytest
from asgiref.sync import sync_to_async

from chat.choices import PresenceStatus
from chat.realtime import keys, presence
from chat.realtime.calls import Call
from chat.services import answers, conversations, turns
from config import redis
from tenants import scoping
from tenants.choices import Role
from tenants.services import accounts
from tests.chat.test_consumer import heard, key_of, say, socket_with

STRUCTURES = {  # type, seconds (S0-94…108, S0-114)
    "session": ("hash", 86_400),
    "presence": ("string", 300),
    "typing": ("string", 5),
    "ai-cache": ("string", 3_600),
    "ratelimit:minute": ("string", 60),
    "ratelimit:hour": ("string", 3_600),
    "ratelimit:day": ("string", 86_400),
    "participants": ("set", 300),
    "room": ("set", 300),
    "ai-queue": ("hash", 900),
    "context": ("string", 1_800),
}


@pytest.fixture
def shared(consultation):
    """Olive's consultation, which leaders may read, too."""
    membership, conversation = consultation
    with scoping.tenant(membership.organization_id):
        return conversations.open_to(membership, conversation, to_roles=["leader"], user_ids=[])


@pytest.fixture
def all_keys(cast):
    return {name: key_of(getattr(cast, name).membership) for name in ("olive", "liam", "mona", "greta")}


@contextlib.asynccontextmanager
async def tab(key, conversation=None, *, organization="acme"):
    """A socket that has joined the conversation."""
    socket = await socket_with(key, organization=organization)
    if conversation is not None:
        await say(socket, do="join", conversation=conversation.id, ref="join")
        await heard(socket, until=lambda frame: "joined" in frame)
    try:
        yield socket
    finally:
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(timeout=5)


def event(name, **facts):
    return lambda frame: frame.get("event") == name and all(frame.get(key) == value for key, value in facts.items())


def names(frame):
    return [(user["name"], user["status"]) for user in frame["users"]]


async def found(kind):
    """Keys of a kind, as Redis has them."""
    return [key.decode() async for key in redis.async_client().scan_iter(f"chat:{kind}:*")]


async def eventually(condition, *, seconds=5.0):
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def test_two_who_view_a_conversation_see_each_other_come_type_be_busy_and_go(shared, all_keys, cast):
    olive = {"id": str(cast.olive.user.pk), "name": cast.olive.user.name}
    async with tab(all_keys["liam"], shared) as liam:
        async with tab(all_keys["olive"], shared) as hers:
            there = (await heard(liam, until=event("participants")))[-1]
            assert names(there) == [(cast.liam.user.name, "online"), (olive["name"], "online")]
            assert names((await heard(hers, until=event("participants")))[-1]) == names(there)
            await say(hers, do="typing", conversation=shared.id, on=True, ref=1)
            assert (await heard(liam, until=event("typing")))[-1] == {
                "conversation": shared.id,
                "event": "typing",
                "user": olive,
                "on": True,
            }
            await say(hers, do="typing", conversation=shared.id, on=False)
            await heard(liam, until=event("typing", on=False))
            await say(hers, do="presence", status="busy", ref=2)
            assert (await heard(liam, until=event("presence")))[-1] == {
                "conversation": shared.id,
                "event": "presence",
                "user": olive,
                "status": "busy",
            }
        assert names((await heard(liam, until=event("participants")))[-1]) == [(cast.liam.user.name, "online")]


async def test_every_key_has_the_type_and_the_life_that_is_specified(shared, all_keys, cast, settings):
    settings.AI_ANSWER_CACHE, settings.OFFLINE_WORDS_PER_SECOND = True, 0
    async with tab(all_keys["olive"], shared) as hers:
        taken = await turns.asubmit(cast.olive.membership, shared, text="How is Erik?", client_id="one")
        await answers.produce(Call.to(taken.answer, shared, question=taken.message))
        await say(hers, do="typing", conversation=shared.id, on=True, ref=1)
        await eventually(lambda: found("typing"))
        await eventually(lambda: found("participants"))
        client = redis.async_client()
        types = {}
        async for key in client.scan_iter("chat:*"):
            kind = key.decode().split(":")[1]
            if kind == "ratelimit":
                kind += f":{key.decode().rpartition(':')[2]}"
            ttl = await client.ttl(key)
            if kind in STRUCTURES:
                types[kind] = ((await client.type(key)).decode(), STRUCTURES[kind][1])
                assert 0 < ttl <= STRUCTURES[kind][1], key
                assert ttl > STRUCTURES[kind][1] - 5 or kind == "context", key
            elif key.decode() != keys.MEMORY:
                assert ttl > 0, f"{key} does not run out"
        assert types == STRUCTURES
        (session_key,) = await found("session")
        session = {name.decode(): value.decode() for name, value in (await client.hgetall(session_key)).items()}
        user_id = str(cast.olive.user.pk)
        assert set(session) == {
            *("userId", "organizationId", "userRole", "socketId", "connectionId"),
            *("connectedAt", "lastActivity", "presenceStatus", "activeConversations"),
        }
        assert session["userId"] == user_id
        assert session["organizationId"] == str(cast.acme.pk)
        assert orjson.loads(session["activeConversations"]) == [shared.id]
        socket_id = session["socketId"]
        said = (await client.get(keys.presence(user_id))).decode().split("|")
        assert said[:2] == [socket_id, "online"]
        assert await client.get(keys.typing(shared.id, user_id)) == b"typing"
        assert await client.smembers(keys.participants(shared.id)) == {user_id.encode()}
        assert await client.smembers(keys.room(shared.id)) == {socket_id.encode()}


async def test_who_closes_the_tab_leaves_no_key_behind(shared, all_keys):
    async with tab(all_keys["olive"], shared):
        await eventually(lambda: found("room"))

    async def nothing():
        return not any([await found(kind) for kind in ("session", "presence", "participants", "room")])

    await eventually(nothing)


async def test_of_a_persons_two_tabs_the_one_that_stays_keeps_them_there(shared, all_keys, cast):
    async with tab(all_keys["liam"], shared) as liam, tab(all_keys["olive"], shared):
        await heard(liam, until=event("participants"))
        async with tab(all_keys["olive"], shared) as second:
            await heard(second, until=event("participants"))
        await eventually(lambda: _has_sockets(shared, 2))
        assert len(await redis.async_client().smembers(keys.participants(shared.id))) == 2


async def _has_sockets(conversation, count):
    return await redis.async_client().scard(keys.room(conversation.id)) == count


async def test_what_another_process_took_out_is_put_back_by_the_next_look(shared, all_keys, cast):
    """It closed a tab of somebody who has another one here."""
    async with tab(all_keys["liam"], shared) as liam, tab(all_keys["olive"], shared):
        await heard(liam, until=event("participants"))
        client = redis.async_client()
        async with client.pipeline() as pipeline:
            presence.remove(pipeline, shared.id, [], [str(cast.olive.user.pk)])
            presence.hint(pipeline, shared.id)
            await pipeline.execute()
        there = (await heard(liam, until=event("participants")))[-1]
        assert [name for name, _ in names(there)] == [cast.liam.user.name, cast.olive.user.name]


async def test_the_round_keeps_what_lives_and_what_redis_forgot_is_there_again(shared, all_keys):
    async with tab(all_keys["olive"], shared):
        await eventually(lambda: found("room"))
        await redis.async_client().flushall()
        await presence.presence().refresh()
        for kind in ("session", "presence", "participants", "room"):
            assert len(await found(kind)) == 1, kind


async def test_somebody_whose_process_died_is_shown_no_longer_than_their_presence_lives(shared, all_keys, cast):
    """Redis forgets the presence; the sets, which others keep alive, still name them."""
    async with tab(all_keys["liam"], shared):
        await eventually(lambda: found("participants"))
        client = redis.async_client()
        gone = str(cast.mona.user.pk)
        await client.sadd(keys.participants(shared.id), gone)
        await client.set(keys.presence(gone), f"{uuid.uuid4()}|online|x", ex=100)
        assert gone in (await presence.viewers(client, [shared.id]))[0]
        await client.delete(keys.presence(gone))
        assert gone not in (await presence.viewers(client, [shared.id]))[0]


async def test_best_of_a_persons_tabs():
    away, online, busy = PresenceStatus.AWAY, PresenceStatus.ONLINE, PresenceStatus.BUSY
    assert presence.best([away, online]) == online
    assert presence.best([away, busy, online]) == busy
    assert presence.best([away]) == away


async def test_who_may_not_read_it_neither_hears_nor_is_heard(shared, all_keys):
    """Mona is of Acme, Greta of Globex."""
    async with (
        tab(all_keys["olive"], shared) as hers,
        tab(all_keys["mona"]) as mona,
        tab(all_keys["greta"], organization="globex") as greta,
    ):
        for other in (mona, greta):
            for frame in ({"do": "typing", "on": True}, {"do": "read", "seq": 1}, {"do": "join"}):
                await say(other, **frame, conversation=shared.id, ref=1)
                assert (await heard(other, until=lambda frame: frame.get("ref") == 1))[-1]["error"]["code"] == "not_found"
            await say(other, do="presence", status="busy", ref=2)
            assert (await heard(other, until=lambda frame: frame.get("ack") == 2))[-1] == {"ack": 2}
        await say(hers, do="typing", conversation=shared.id, on=True, ref=1)
        await heard(hers, until=event("typing"))
        for socket in (hers, mona, greta):
            assert await socket.receive_nothing(timeout=0.4)


async def test_who_may_read_it_no_longer_is_not_there_any_more_either(consultation, shared, all_keys, cast):
    membership, _ = consultation
    async with tab(all_keys["olive"], shared) as hers, tab(all_keys["liam"], shared) as liam:
        await heard(hers, until=event("participants"))

        def close():
            with scoping.tenant(membership.organization_id):
                conversations.open_to(membership, shared, to_roles=[], user_ids=[])

        await sync_to_async(close)()
        await heard(liam, until=lambda frame: "error" in frame)
        there = await heard(hers, until=lambda frame: event("participants")(frame) and len(frame["users"]) == 1)
        assert names(there[-1]) == [(cast.olive.user.name, "online")]
        await say(hers, do="typing", conversation=shared.id, on=True)
        await heard(hers, until=event("typing"))
        assert await liam.receive_nothing(timeout=0.3)


async def test_how_somebody_is_in_another_organization_is_not_told(shared, all_keys, cast):
    """Liam is of both; he is busy in Globex, where he was last, and looks at Acme's conversation in another tab."""

    def enter():
        member = accounts.add_member(cast.globex, user=cast.liam.user, role=Role.OWNER)
        return key_of(member)

    his_other_key = await sync_to_async(enter)()
    async with tab(all_keys["olive"], shared) as hers, tab(his_other_key, organization="globex") as elsewhere:
        await say(elsewhere, do="presence", status="busy", ref=1)
        await heard(elsewhere, until=lambda frame: frame.get("ack") == 1)

        async def busy():
            value = await redis.async_client().get(keys.presence(str(cast.liam.user.pk)))
            return value is not None and b"|busy|" in value

        await eventually(busy)
        known = await presence.statuses(redis.async_client(), [str(cast.liam.user.pk)], organization_id=str(cast.acme.pk))
        assert known == {}
        async with tab(all_keys["liam"], shared):
            there = (await heard(hers, until=event("participants")))[-1]
            assert (cast.liam.user.name, "online") in names(there)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"do": "typing"}, "missing_field"),
        ({"do": "typing", "conversation": "x", "on": True}, "not_found"),
        ({"do": "typing", "conversation": str(uuid.uuid4()), "on": "yes"}, "wrong_type"),
        ({"do": "presence", "status": "offline"}, "not_a_choice"),
        ({"do": "presence", "status": ""}, "wrong_length"),
        ({"do": "presence", "status": 1}, "wrong_type"),
        ({"do": "presence", "status": "busy", "until": "noon"}, "unknown_field"),
        ({"do": "read", "conversation": str(uuid.uuid4()), "seq": 1}, "not_found"),
        ({"do": "read", "conversation": str(uuid.uuid4()), "seq": -1}, "out_of_range"),
        ({"do": "read", "conversation": str(uuid.uuid4()), "seq": True}, "wrong_type"),
        ({"do": "read", "conversation": str(uuid.uuid4()), "seq": 2**40}, "out_of_range"),
    ],
)
async def test_a_frame_that_is_none_is_refused_with_a_sentence(consultation, all_keys, frame, code):
    async with tab(all_keys["olive"]) as socket:
        await say(socket, **frame, ref=1)
        error = (await heard(socket, until=lambda said: "error" in said))[-1]["error"]
        assert error["code"] == code
        assert error["detail"].endswith(".")
