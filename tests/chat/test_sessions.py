"""Sessions: what is kept of an open tab, from its first second on, and how one ends whose process is gone."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from chat import devices
from chat.choices import DeviceType
from chat.documents import ChatSession
from chat.realtime import keys, presence
from chat.services import sessions
from config import mongo, redis
from tests.chat.test_consumer import heard, say
from tests.chat.test_presence import all_keys, event, eventually, names, shared, tab

__all__ = ["all_keys", "shared"]

LIKE_GECKO = "AppleWebKit/537.36 (KHTML, like Gecko)"


async def stored(cast, **where):
    collection = mongo.async_collection(ChatSession)
    return [raw async for raw in collection.find({"organizationId": str(cast.acme.pk), **where}).sort("connectedAt", 1)]


async def test_a_tab_has_a_document_from_its_first_second_to_its_last(shared, all_keys, cast):
    began = timezone.now() - timedelta(seconds=1)
    async with tab(all_keys["olive"], shared) as hers:
        await eventually(lambda: stored(cast))
        await say(hers, do="presence", status="away", ref=1)
        await heard(hers, until=lambda frame: frame.get("ack") == 1)
        await sessions.register().refresh()
        (session,) = await stored(cast)
        membership = cast.olive.membership
        assert session["userId"] == str(membership.user_id)
        assert session["userRole"] == "owner"
        assert session["branchId"] is session["departmentId"] is None
        assert session["socketId"] == session["sessionId"]
        assert session["connectionId"]
        assert (session["status"], session["presenceStatus"]) == ("idle", "away")
        assert (session["deviceType"], session["browser"], session["platform"]) == ("desktop", "", "")
        (viewed,) = session["activeConversations"]
        assert viewed["conversationId"] == shared.id
        assert began < session["connectedAt"] <= viewed["joinedAt"] <= session["lastActivity"] <= session["lastSeenAt"]
        assert session["disconnectedAt"] is session["totalDuration"] is None
        await say(hers, do="send", conversation=shared.id, text="Are you there?", client_id="one", ref=2)
        await heard(hers, until=lambda frame: frame.get("ack") == 2)
        await sessions.register().refresh()
        assert (await stored(cast))[0]["activeConversations"][0]["lastMessageAt"] > viewed["joinedAt"]
    (session,) = await stored(cast)
    assert session["status"] == "disconnected"
    assert session["totalDuration"] == round((session["disconnectedAt"] - session["connectedAt"]).total_seconds())
    assert session["expiresAt"] - session["disconnectedAt"] == timedelta(days=90)
    assert session["activeConversations"] == []


async def test_a_thousand_tabs_that_come_back_are_a_few_writes(all_keys, cast, monkeypatch):
    writes = []
    write = sessions._write

    async def counted(those):
        writes.append(len(those))
        await write(those)

    monkeypatch.setattr(sessions, "_write", counted)
    monkeypatch.setattr(sessions, "_registers", type(sessions._registers)())
    opened = [sessions.enter({}, cast.olive.membership, tell=lambda frame: None) for _ in range(1000)]

    async def all_there():
        return len(await stored(cast)) == 1000

    await eventually(all_there, seconds=20)
    assert len(writes) <= 3
    await asyncio.gather(*(sessions.leave(session) for session in opened))
    assert len(writes) <= 10  # on a busy machine they do not all get to it within the fifth of a second that is gathered
    assert {session["status"] for session in await stored(cast)} == {"disconnected"}


async def test_the_round_says_of_all_at_once_that_they_are_open(shared, all_keys, cast):
    async with tab(all_keys["olive"], shared), tab(all_keys["liam"]):
        await eventually(lambda: stored(cast, userRole="leader"))
        await sessions.register().refresh()
        before = await stored(cast)
        await sessions.register().refresh()
        after = await stored(cast)
        assert [session["updatedAt"] for session in after] == [session["updatedAt"] for session in before]
        assert all(new["lastSeenAt"] > old["lastSeenAt"] for old, new in zip(before, after, strict=True))


async def test_a_session_whose_process_died_is_closed_and_those_who_stay_are_told(shared, all_keys, cast):
    """Nobody says any more that it is open. Greta's is none of Acme's, and lives."""
    async with tab(all_keys["liam"], shared) as liam, tab(all_keys["olive"], shared) as hers, tab(all_keys["greta"], organization="globex"):
        await heard(liam, until=event("participants"))
        await eventually(lambda: stored(cast, userRole="leader"))
        (lost,) = await stored(cast, userRole="owner")
        seen_at = (timezone.now() - timedelta(minutes=6)).replace(microsecond=0)
        await mongo.async_collection(ChatSession).update_one(
            {"organizationId": str(cast.acme.pk), "sessionId": lost["sessionId"]},
            {
                "$set": {
                    "lastSeenAt": seen_at,
                    "connectedAt": seen_at - timedelta(minutes=2),
                    "activeConversations": [{"conversationId": shared.id, "joinedAt": seen_at, "lastMessageAt": None}],
                }
            },
        )
        # As if the process were gone: it puts nobody back.
        presence.presence()._rooms[shared.id] = {one for one in presence.presence()._rooms[shared.id] if one.id != lost["sessionId"]}
        assert await sessions.sweep() == 1
        assert await sessions.sweep() == 0
        (session,) = await stored(cast, userRole="owner")
        assert session["status"] == "expired"
        assert session["disconnectedAt"] == seen_at
        assert session["totalDuration"] == 120
        there = (await heard(liam, until=event("participants")))[-1]
        assert names(there) == [(cast.liam.user.name, "online")]
        client = redis.async_client()
        assert not await client.exists(keys.session(lost["sessionId"]))
        assert lost["sessionId"].encode() not in await client.smembers(keys.room(shared.id))
        del hers


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {LIKE_GECKO} Chrome/140.0.0.0 Safari/537.36", ("desktop", "Chrome", "Linux")),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15.5; rv:140.0) Gecko/20100101 Firefox/140.0", ("desktop", "Firefox", "macOS")),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {LIKE_GECKO} Mobile/15E148 Safari/604.1", ("mobile", "Safari", "iOS")),
        (f"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {LIKE_GECKO} Mobile/15E148 Safari/604.1", ("tablet", "Safari", "iOS")),
        (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {LIKE_GECKO} Chrome/140.0.0.0 Mobile Safari/537.36", ("mobile", "Chrome", "Android")),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X700) {LIKE_GECKO} Chrome/140.0.0.0 Safari/537.36", ("tablet", "Chrome", "Android")),
        ("", ("desktop", "", "")),
        ("\x00\xff<script>" * 1000, ("desktop", "", "")),
    ],
)  # fmt: skip
def test_the_device_is_read_off_the_user_agent(user_agent, shown):
    device = devices.device_of(user_agent)
    assert (device.type, device.browser, device.platform) == (DeviceType(shown[0]), *shown[1:])


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client", "address"),
    [
        (0, "9.9.9.9", ("10.0.0.1", 1), "10.0.0.1"),  # nobody between us and them: what they say of themselves does not count
        (1, "6.6.6.6, 9.9.9.9", ("10.0.0.1", 1), "9.9.9.9"),
        (1, "<script>", ("10.0.0.1", 1), None),
        (0, "", None, None),
    ],
)
async def test_the_address_is_the_one_that_our_proxy_saw(cast, settings, proxies, forwarded, client, address):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    scope = {"headers": [(b"x-forwarded-for", forwarded.encode())], "client": client}
    session = sessions.enter(scope, cast.olive.membership, tell=lambda frame: None)
    assert session.ip_address == address
    await sessions.leave(session)
