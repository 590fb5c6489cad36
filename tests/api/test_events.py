"""A conversation's events as server-sent events, over a real server: begin, resume, reset, and end with the right to read."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.test import Client

from chat import events
from chat.realtime import stream
from config import loop, redis
from tenants.choices import Role
from tenants.services import accounts, organizations
from tests.api.conftest import Caller, errors_of, refused_field, with_key
from tests.api.test_conversations import start
from tests.api.test_messages import say
from tests.cast import Cast, Person, make_cast, make_person

SOON = 3.0  # seconds; what the contract gives a stream to notice that its reader may no longer read, and some


@pytest.fixture
def cast(stores) -> Iterator[Cast]:
    """Made for each test: the server reads what is committed, and these tests take rights away."""
    yield make_cast()
    end = time.monotonic() + 15
    while redis.client().pubsub_channels("chat:hint:*") and time.monotonic() < end:
        time.sleep(0.02)  # who still listens when Redis is emptied would be told, and so would the next test's listener


@pytest.fixture
def olive(cast) -> Caller:
    return with_key(cast.olive)


class Stream:
    """One open stream: its lines, parsed as they come."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()

    def close(self) -> None:
        self.response.close()
        self.connection.close()

    def wait_for_comments(self, count: int) -> None:
        """Returns once that many came and nothing else."""
        for _ in range(count):
            assert self.response.readline().startswith(b":")
            assert self.response.readline() == b"\n"

    def next(self) -> tuple[int | None, dict[str, Any]] | None:
        """The next event: its `id:` and its object; None at the end of the stream."""
        number, data = None, None
        while True:
            line = self.response.readline()
            if not line:
                return None
            text = line.decode().rstrip("\n")
            if text.startswith("id: "):
                number = int(text[4:])
            elif text.startswith("data: "):
                data = json.loads(text[6:])
            elif text == "" and data is not None:
                return number, data


@contextmanager
def listening(port: int, caller: Caller, conversation_id: str, query: str = "", **headers: str) -> Iterator[Stream]:
    path = f"/api/v1/conversations/{conversation_id}/events{query}"
    cookies = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in caller.client.cookies.items())}
    with closing(Stream(port, path, {**cookies, **caller.headers, **headers})) as opened:
        assert opened.response.status == 200, opened.response.read()
        assert opened.response.headers["Content-Type"] == "text/event-stream"
        yield opened


def tell(conversation_id: str, *texts: str, offset: int = 0) -> list[int]:
    """Publishes deltas as a worker would; gives their numbers."""
    drafts = []
    for text in texts:
        drafts.append(events.delta(conversation_id=conversation_id, message_id=conversation_id, attempt=1, offset=offset, text=text))
        offset += len(text)

    async def publish() -> list[stream.Placed]:
        return await stream.publish(redis.async_client(), drafts)

    return [placed.n for placed in loop.run(publish())]


def test_a_stream_begins_with_a_snapshot_and_goes_on_with_every_event_in_order(cast, olive, server):
    conversation = start(olive, cast)
    said = say(olive, f"conversations/{conversation['id']}/messages")
    with listening(server, olive, conversation["id"]) as opened:
        number, first = opened.next()
        assert (first["joined"], first["n"]) == (conversation["id"], number)
        assert first["snapshot"]["messages"] == list(said.values())
        numbers = tell(conversation["id"], "One", " two", " 👩\u200d🌾 שלום\nthree")
        got = [opened.next() for _ in numbers]
    assert [n for n, _ in got] == numbers == list(range(number + 1, number + 4))
    assert [event["n"] for _, event in got] == numbers
    assert "".join(event["text"] for _, event in got) == "One two 👩\u200d🌾 שלום\nthree"
    assert got[0][1] == {
        "conversation": conversation["id"],
        "n": numbers[0],
        "event": "delta",
        "message": conversation["id"],
        "attempt": 1,
        "offset": 0,
        "text": "One",
    }


def test_a_stream_resumes_after_the_last_event_of_its_reader_by_header_and_by_address(cast, olive, server):
    conversation = start(olive, cast)["id"]
    first, second, third = tell(conversation, "One", "Two", "Three")
    with listening(server, olive, conversation, **{"Last-Event-ID": str(first)}) as opened:
        assert [opened.next()[0] for _ in range(2)] == [second, third]
    with listening(server, olive, conversation, f"?after={second}") as opened:
        assert opened.next()[0] == third
    with listening(server, olive, conversation, f"?after={first}", **{"Last-Event-ID": str(second)}) as opened:
        assert opened.next()[0] == third
        [fourth] = tell(conversation, "Four")
        assert opened.next()[0] == fourth


def test_a_stream_that_cannot_help_resets_with_a_snapshot(cast, olive, server):
    conversation = start(olive, cast)["id"]
    say(olive, f"conversations/{conversation}/messages")
    [latest] = tell(conversation, "One")
    for unknown in (1, latest + 50):
        with listening(server, olive, conversation, f"?after={unknown}") as opened:
            number, event = opened.next()
            assert (number, event["reset"], event["n"]) == (latest, conversation, latest)
            assert [message["seq"] for message in event["snapshot"]["messages"]] == [1, 2]
            [following] = tell(conversation, "More")
            assert opened.next()[0] == following
            latest = following


def test_a_stream_resets_when_valkey_forgot_everything(cast, olive, server):
    conversation = start(olive, cast)["id"]
    tell(conversation, "One")
    with listening(server, olive, conversation) as opened:
        before, _ = opened.next()
        redis.client().flushall()
        number, event = opened.next()
        assert event["reset"] == conversation
        assert number > before
        [following] = tell(conversation, "Two")
        assert opened.next()[0] == following


def ends(opened: Stream) -> float:
    """Seconds until the stream ends."""
    begun = time.monotonic()
    while opened.next() is not None:
        pass
    return time.monotonic() - begun


def browser(person: Person) -> Caller:
    client = Client()
    client.force_login(person.user)
    return Caller(client, {})


TAKEN_AWAY = {
    "the key is revoked": lambda person, key: accounts.revoke_api_key(key),
    "the member is removed": lambda person, key: accounts.remove_member(person.membership),
    "the account is suspended": lambda person, key: accounts.suspend(person.user),
    "the organization is suspended": lambda person, key: organizations.suspend(person.membership.organization),
}


@pytest.mark.parametrize("change", TAKEN_AWAY)
def test_a_stream_ends_when_its_reader_may_no_longer_read(cast, server, change):
    petra = make_person(cast.acme, "Petra", "Pahl", role=Role.OWNER)
    api_key, key = accounts.create_api_key(petra.membership, name="tests")
    with_a_key = Caller(browser(petra).client, {"Authorization": f"Bearer {key}"})
    conversation = start(with_a_key, cast)["id"]
    with listening(server, with_a_key, conversation) as opened:
        opened.next()
        TAKEN_AWAY[change](petra, api_key)
        assert ends(opened) < SOON


def test_a_stream_ends_when_its_reader_signs_out(cast, server):
    petra = make_person(cast.acme, "Petra", "Pahl", role=Role.OWNER)
    conversation = start(with_key(petra), cast)["id"]
    tab = browser(petra)
    with listening(server, tab, conversation) as opened:
        opened.next()
        tab.client.logout()
        assert ends(opened) < SOON


def test_a_stream_ends_when_its_conversation_is_deleted(cast, olive, server):
    conversation = start(olive, cast)["id"]
    with listening(server, olive, conversation) as opened:
        opened.next()
        olive.delete(f"conversations/{conversation}")
        assert ends(opened) < SOON


def event_of(opened: Stream) -> dict[str, Any]:
    """The next event. The server has served other tests, between which Valkey was emptied: it may say "reset" first."""
    while "event" not in (found := opened.next()[1]):
        pass
    return found


def test_a_stream_ends_when_its_conversation_is_closed_to_its_reader(cast, olive, server):
    conversation = start(olive, cast)["id"]
    olive.patch(f"conversations/{conversation}", {"access": {"roles": ["leader"]}})
    with listening(server, with_key(cast.liam), conversation) as opened, listening(server, olive, conversation) as own:
        opened.next()
        own.next()
        olive.patch(f"conversations/{conversation}", {"access": {}})
        assert ends(opened) < SOON
        assert event_of(own)["value"]["access"] == {"private": True, "roles": [], "users": []}
        tell(conversation, "Only mine now")
        assert event_of(own)["text"] == "Only mine now"


def test_a_silent_stream_is_kept_open_by_comments(cast, olive, server, monkeypatch):
    monkeypatch.setattr("chat.sse.HEARTBEAT_SECONDS", 0.2)
    conversation = start(olive, cast)["id"]
    with listening(server, olive, conversation) as opened:
        opened.next()
        opened.wait_for_comments(2)
        tell(conversation, "One")
        assert opened.next()[1]["text"] == "One"


def test_open_streams_hold_no_database_connections(cast, olive, server, settings):
    conversation = start(olive, cast)["id"]
    most = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    streams = []
    try:
        for _ in range(most + 4):
            opened = listening(server, olive, conversation)
            streams.append(opened)
            opened.__enter__().next()
        connection = http.client.HTTPConnection("127.0.0.1", server, timeout=10)
        connection.request("GET", "/api/v1/me", headers=olive.headers)
        assert connection.getresponse().status == 200
    finally:
        for opened in streams:
            opened.__exit__(None, None, None)


def test_a_reader_who_hangs_up_is_forgotten(cast, olive, server):
    conversation = start(olive, cast)["id"]
    with listening(server, olive, conversation) as opened:
        opened.next()
        assert subscribers(conversation) == 1
    end = time.monotonic() + 15
    while subscribers(conversation) and time.monotonic() < end:
        tell(conversation, "x")
        time.sleep(0.05)
    assert subscribers(conversation) == 0


def subscribers(conversation_id: str) -> int:
    [(_, count)] = redis.client().pubsub_numsub(f"chat:hint:{conversation_id}")
    return count


def test_a_bad_place_is_named(cast, olive):
    conversation = start(olive, cast)["id"]
    address = f"conversations/{conversation}/events"
    for value in ("x", "-1", "1.5", "9" * 30, '{"$gt": 0}'):
        assert refused_field(olive.get(address, {"after": value})) == "after"
        assert refused_field(olive.get(address, **{"Last-Event-ID": value})) == "Last-Event-ID"
    assert refused_field(olive.get(address, {"surprise": "1"})) == "surprise"


def test_strangers_hear_nothing(cast, olive):
    conversation = start(olive, cast)["id"]
    for person in (cast.greta, cast.liam, cast.mona, cast.ada, cast.vera):
        errors_of(with_key(person).get(f"conversations/{conversation}/events"), 404)
