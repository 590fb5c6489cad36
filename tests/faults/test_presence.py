"""Two web processes, and one of them is killed: whoever was there with it is there no longer, and its sessions are closed."""

import asyncio
import json
from datetime import timedelta

import pytest
from django.utils import timezone
from websockets.asyncio.client import connect

from chat import access
from chat.documents import ChatSession
from chat.services import conversations, sessions
from config import loop, mongo, redis
from tenants import scoping
from tenants.services import accounts

pytestmark = pytest.mark.asyncio

WITHIN = 15.0


@pytest.fixture(scope="module")
def site(house):
    house.processes.web("web-a")
    house.processes.web("web-b")
    house.processes.wait_until_ready()
    return house


class Tab:
    """A socket at one of the web processes, in a conversation."""

    def __init__(self, site, key, *, web, conversation_id):
        self._address = f"ws://127.0.0.1:{site.processes[web].port}/ws/o/acme/"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._conversation_id = conversation_id

    async def __aenter__(self):
        self._socket = await connect(self._address, additional_headers=self._headers, proxy=None)
        await self.say(do="join", conversation=self._conversation_id, ref=1)
        await self.until(lambda frame: "joined" in frame)
        return self

    async def __aexit__(self, *exception):
        await self._socket.close()

    async def say(self, **frame):
        await self._socket.send(json.dumps(frame))

    async def until(self, condition):
        async with asyncio.timeout(WITHIN):
            while True:
                frame = json.loads(await self._socket.recv())
                if condition(frame):
                    return frame

    async def sees(self, *people):
        names = sorted(person.user.name for person in people)
        await self.until(lambda frame: frame.get("event") == "participants" and sorted(user["name"] for user in frame["users"]) == names)


async def shared_with_leaders(site):
    conversation_id = await site.conversation()

    def open_to():
        with scoping.tenant(site.cast.acme):
            olive = site.cast.olive.membership
            conversations.open_to(olive, access.conversation_for(olive, conversation_id), to_roles=["leader"], user_ids=[])
            return accounts.create_api_key(site.cast.liam.membership, name="tests")[1]

    return conversation_id, await loop.in_thread(open_to)


def open_sessions(site):
    found = mongo.async_collection(ChatSession).find({"organizationId": str(site.cast.acme.pk), "status": {"$in": ["active", "idle"]}})
    return found.to_list()


async def until_open(site, count):
    async with asyncio.timeout(WITHIN):
        while True:
            if len(found := await open_sessions(site)) == count:
                return found
            await asyncio.sleep(0.05)


async def test_who_is_at_another_web_process_is_seen_and_of_two_tabs_one_is_enough(site):
    conversation_id, liams_key = await shared_with_leaders(site)
    cast = site.cast
    async with Tab(site, liams_key, web="web-b", conversation_id=conversation_id) as liam:
        async with Tab(site, site.key, web="web-b", conversation_id=conversation_id):
            await liam.sees(cast.liam, cast.olive)
            async with Tab(site, site.key, web="web-a", conversation_id=conversation_id) as elsewhere:
                await elsewhere.sees(cast.liam, cast.olive)
                await elsewhere.say(do="typing", conversation=conversation_id, on=True)
                assert (await liam.until(lambda frame: frame.get("event") == "typing"))["user"]["name"] == cast.olive.user.name
            await liam.sees(cast.liam, cast.olive)
        await liam.sees(cast.liam)
    await until_open(site, 0)


async def test_a_killed_process_leaves_keys_that_run_out_and_sessions_that_the_sweeper_closes(site):
    conversation_id, liams_key = await shared_with_leaders(site)
    cast = site.cast
    async with Tab(site, liams_key, web="web-b", conversation_id=conversation_id) as liam:
        async with Tab(site, site.key, web="web-a", conversation_id=conversation_id) as hers:
            await liam.sees(cast.liam, cast.olive)
            await hers.say(do="presence", status="busy", ref=2)
            await liam.until(lambda frame: frame.get("event") == "presence")
            await until_open(site, 2)
            site.processes.hold("web-a")
        client = redis.async_client()
        left = [key async for key in client.scan_iter("chat:*") if not key.startswith(b"chat:memory")]
        assert any(key.startswith(b"chat:presence:") for key in left)
        for key in left:
            assert 0 < await client.ttl(key) <= 86_400, key
        assert await sessions.sweep() == 0, "It may be that the process is only slow."
        (lost,) = [raw for raw in await open_sessions(site) if raw["userId"] == str(cast.olive.user.pk)]
        an_hour_ago = timezone.now() - timedelta(hours=1)
        await mongo.async_collection(ChatSession).update_one(
            {"organizationId": lost["organizationId"], "sessionId": lost["sessionId"]},
            {
                "$set": {
                    "connectedAt": an_hour_ago - timedelta(minutes=3),
                    "lastSeenAt": an_hour_ago,
                    "activeConversations": [{"conversationId": conversation_id, "joinedAt": an_hour_ago, "lastMessageAt": None}],
                }
            },
        )
        assert await sessions.sweep() == 1
        await liam.sees(cast.liam)
    closed = await mongo.async_collection(ChatSession).find_one({"organizationId": lost["organizationId"], "sessionId": lost["sessionId"]})
    assert (closed["status"], closed["totalDuration"]) == ("expired", 180)
    site.processes.revive("web-a")
