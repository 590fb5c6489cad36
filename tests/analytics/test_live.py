"""Tabs that watch the metrics hear the counters at once, and again whenever they change; others hear nothing."""

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from analytics import live, tracking, windows
from analytics.choices import EventType
from analytics.services import buffer
from chat.realtime import watches
from chat.services import conversations
from tenants import roles, scoping
from tenants.choices import Role
from tenants.models import Grant, Permission, PermissionDomain
from tests.analytics.reading import events
from tests.chat.test_consumer import heard, key_of, say, socket_with

pytestmark = pytest.mark.asyncio


@pytest.fixture
def keys(cast):
    domain, _ = PermissionDomain.objects.get_or_create(permission_prefix="analytics:metrics", defaults={"description": "Metrics"})
    permission, _ = Permission.objects.get_or_create(code=live.PERMISSION, defaults={"description": "See metrics", "domain": domain})
    Grant.objects.get_or_create(role=Role.OWNER, permission=permission)
    roles.forget()
    return {name: key_of(getattr(cast, name).membership) for name in ("olive", "mona", "greta")}


def record_and_fold(membership, event_type=EventType.DASHBOARD_LOAD):
    tracking.record(membership, event_type)
    assert tracking.flush(timeout=10)
    return buffer.fold(now=timezone.now())


async def watching(key, **where):
    socket = await socket_with(key, **where)
    await say(socket, do="watch", what="metrics", ref=1)
    frames = await heard(socket, until=lambda frame: "metrics" in frame)
    assert frames[0] == {"ack": 1}
    return socket, frames[-1]["metrics"]


async def leave(socket):
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(timeout=5)


async def test_a_tab_hears_the_counters_at_once_and_when_they_change(cast, keys):
    await sync_to_async(record_and_fold)(cast.olive.membership)
    socket, first = await watching(keys["olive"])
    stranger, theirs = await watching(keys["greta"], organization="globex")
    assert first == {
        "day": windows.day_of(timezone.now()).isoformat(),
        "counters": {**dict.fromkeys(live.COUNTERS, 0), "active_users": 1, "dashboard_visits": 1, "feature_uses": 1},
    }
    assert theirs["counters"] == dict.fromkeys(live.COUNTERS, 0)
    await sync_to_async(record_and_fold)(cast.liam.membership)
    told = (await heard(socket, until=lambda frame: "metrics" in frame))[-1]["metrics"]
    assert (told["counters"]["active_users"], told["counters"]["dashboard_visits"]) == (2, 2)
    assert await stranger.receive_nothing()
    await say(socket, do="unwatch", what="metrics", ref=2)
    assert (await heard(socket, until=lambda frame: frame.get("ack") == 2))[-1] == {"ack": 2}
    await sync_to_async(record_and_fold)(cast.liam.membership)
    assert await socket.receive_nothing()
    await leave(socket)
    await leave(stranger)
    assert watches.board()._sessions == {}


async def test_who_may_not_see_metrics_may_not_watch_them(cast, keys):
    socket = await socket_with(keys["mona"])
    await say(socket, do="watch", what="metrics", ref=1)
    assert (await heard(socket, until=lambda frame: "error" in frame))[-1]["error"]["code"] == "forbidden"
    for what in ("secrets", {"$ne": None}, None, 7):
        await say(socket, do="watch", what=what, ref=2)
        assert "error" in (await heard(socket, until=lambda frame: frame.get("ref") == 2))[-1]
    assert watches.board()._sessions == {}
    await leave(socket)


async def test_a_question_that_was_asked_by_socket_is_noted_with_the_sign_in_it_came_by(cast, keys):
    def begin():
        with scoping.tenant(cast.acme):
            return conversations.start(cast.olive.membership, type="one_to_one", subject_employee_ids=[cast.employees["Erik Ek"].pk])

    talk = await sync_to_async(begin)()
    socket = await socket_with(keys["olive"])
    await say(socket, do="send", conversation=talk.id, text="How is he?", client_id="one", ref=1)
    await heard(socket, until=lambda frame: frame.get("ack") == 1)
    await leave(socket)
    (event,) = await sync_to_async(events)(cast.acme, eventType="AI_CHAT_MESSAGE")
    assert (event["userId"], event["userRole"], event["eventTarget"]) == (str(cast.olive.user.pk), "owner", talk.id)
    assert event["sessionId"]
