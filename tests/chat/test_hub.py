"""The hub: whatever is lost on the way, a listener is handed every event once and in order, or is told to reset."""

import asyncio
import time
import uuid

import orjson
import pytest

from chat import events
from chat.realtime import hub as hubs
from chat.realtime import keys, stream
from config import redis

pytestmark = pytest.mark.usefixtures("stores")

WAIT = 10.0  # seconds until something that must happen counts as missing


class Sink:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.texts: list[str] = []
        self.resets = 0
        self.something = asyncio.Event()

    def deliver(self, conversation_id: str, event: bytes) -> None:
        self.numbers.append(events.number_of(event))
        self.texts.append(orjson.loads(event)["text"])
        self.something.set()

    def reset(self, conversation_id: str) -> None:
        self.resets += 1
        self.something.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(WAIT):
            while not condition(self):
                await self.something.wait()
                self.something.clear()


@pytest.fixture
async def hub():
    yield hubs.hub()
    await hubs.hub().close()


@pytest.fixture
def conversation() -> str:
    return str(uuid.uuid4())


def drafts(conversation: str, *texts: str) -> list[events.Draft]:
    return [events.delta(conversation_id=conversation, message_id="m" * 36, attempt=1, offset=0, text=text) for text in texts]


async def publish(conversation: str, *texts: str) -> list[stream.Placed]:
    return await stream.publish(redis.async_client(), drafts(conversation, *texts))


async def listening(hub, conversation: str) -> tuple[Sink, hubs.Listener]:
    sink = Sink()
    place = await stream.position(redis.async_client(), conversation)
    listener = await hub.listen(conversation, sink)
    listener.resume(after=place.n)
    return sink, listener


async def test_events_come_once_in_order_with_contiguous_numbers(hub, conversation):
    sink, _ = await listening(hub, conversation)
    texts = [str(number) for number in range(200)]
    for start in range(0, 200, 20):
        await publish(conversation, *texts[start : start + 20])
    await sink.until(lambda sink: len(sink.texts) >= 200)
    assert sink.texts == texts
    assert sink.numbers == list(range(sink.numbers[0], sink.numbers[0] + 200))
    assert sink.resets == 0


async def test_a_lost_hint_is_made_good_by_the_next_one(hub, conversation, monkeypatch):
    sink, listener = await listening(hub, conversation)
    monkeypatch.setattr(hubs.Listener, "hint", lambda self, n, event: None)
    await publish(conversation, "lost")
    await asyncio.sleep(0.1)
    monkeypatch.undo()
    await publish(conversation, "seen")
    await sink.until(lambda sink: len(sink.texts) >= 2)
    assert sink.texts == ["lost", "seen"]


async def test_a_lost_last_hint_is_found_within_a_second_or_so(hub, conversation, monkeypatch):
    sink, _ = await listening(hub, conversation)
    monkeypatch.setattr(hubs.Listener, "hint", lambda self, n, event: None)
    await publish(conversation, "lost")
    await sink.until(lambda sink: sink.texts == ["lost"])


async def test_hints_that_come_while_the_stream_is_read_are_not_lost(hub, conversation, monkeypatch):
    sink, listener = await listening(hub, conversation)
    since, may_go = stream.since, asyncio.Event()

    async def slowly(*args, **kwargs):
        found = await since(*args, **kwargs)
        await may_go.wait()
        return found

    await publish(conversation, "1")
    await sink.until(lambda sink: sink.texts == ["1"])
    monkeypatch.setattr(stream, "since", slowly)
    hub.look_again(listener)
    await asyncio.sleep(0.05)
    await publish(conversation, "2", "3")
    await asyncio.sleep(0.2)
    may_go.set()
    await sink.until(lambda sink: len(sink.texts) >= 3)
    assert sink.texts == ["1", "2", "3"]


async def test_who_comes_after_redis_was_emptied_is_not_told_of_it(hub, conversation):
    sink, listener = await listening(hub, conversation)
    await publish(conversation, "before")
    await sink.until(lambda sink: sink.texts == ["before"])
    await asyncio.sleep(hubs.LOOK_AGAIN_SECONDS * 1.2)  # the hub has looked
    hub.leave(listener)
    await redis.async_client().flushall()
    later, _ = await listening(hub, conversation)
    await asyncio.sleep(hubs.LOOK_AGAIN_SECONDS * 2)  # and looked again
    await publish(conversation, "after")
    await later.until(lambda sink: sink.texts == ["after"])
    assert later.resets == 0


async def test_an_emptied_redis_is_a_reset_and_numbers_are_never_given_out_twice(hub, conversation):
    sink, listener = await listening(hub, conversation)
    [before] = await publish(conversation, "old")
    await sink.until(lambda sink: sink.texts == ["old"])
    await redis.async_client().flushall()
    await asyncio.sleep(0.002)
    [after] = await publish(conversation, "new")
    assert after.fresh
    assert after.n > before.n
    await sink.until(lambda sink: sink.resets == 1)
    assert sink.texts == ["old"]
    listener.resume(after=after.n)
    await publish(conversation, "next")
    await sink.until(lambda sink: sink.texts == ["old", "next"])


async def test_an_emptied_redis_is_a_reset_at_once_also_where_nothing_was_heard_for_long(hub, monkeypatch):
    monkeypatch.setattr(hubs, "TURNS", 1_000)  # so that each look asks for the number of one conversation
    sinks = [(await listening(hub, str(uuid.uuid4())))[0] for _ in range(40)]
    await asyncio.sleep(hubs.LOOK_AGAIN_SECONDS * 1.5)
    for heard in hub._heard:
        heard.clear()
    await redis.async_client().flushall()
    async with asyncio.timeout(4 * hubs.LOOK_AGAIN_SECONDS):
        for sink in sinks:
            await sink.until(lambda sink: sink.resets == 1)


async def test_a_lost_hint_is_found_in_its_turn_where_nothing_was_heard_for_long(hub, conversation, monkeypatch):
    monkeypatch.setattr(hubs, "TURNS", 2)
    others = [await listening(hub, str(uuid.uuid4())) for _ in range(5)]
    sink, _ = await listening(hub, conversation)
    monkeypatch.setattr(hubs.Listener, "hint", lambda self, n, event: None)
    await publish(conversation, "lost")
    await asyncio.sleep(0.05)
    for heard in hub._heard:
        heard.clear()
    await sink.until(lambda sink: sink.texts == ["lost"])
    assert [other.resets for other, _ in others] == [0] * 5


async def test_a_subscription_that_is_silent_is_made_anew_and_one_that_had_nothing_to_say_is_not(hub, conversation, monkeypatch):
    monkeypatch.setattr(hubs, "LOOK_AGAIN_SECONDS", 0.05)
    before, listener = await listening(hub, conversation)
    await asyncio.sleep(0.2)
    hub.leave(listener)
    await asyncio.sleep(0.5)  # nobody listens, so nobody asks for a sign of life
    sink, _ = await listening(hub, conversation)
    await asyncio.sleep(0.2)
    connection = hub._connection
    await hub._ping()
    time.sleep(0.5)  # noqa: ASYNC251 - the whole process stands still: the answer is there and nobody read it
    await hub._ping()  # as the look that is overdue by then does
    await asyncio.sleep(0.2)
    assert (before.resets, sink.resets) == (0, 0)
    assert hub._connection is connection
    reader = connection._reader
    monkeypatch.setattr(reader, "feed_data", lambda data: None)  # a line that is dead without having been closed
    await sink.until(lambda sink: sink.resets == 1)
    assert hub._connection is not connection


async def test_who_comes_back_is_handed_what_was_missed_and_what_comes_meanwhile(hub, conversation, monkeypatch):
    [first] = await publish(conversation, "0")
    await publish(conversation, "1", "2")
    sink, since = Sink(), stream.since

    async def slowly(*args, **kwargs):
        found = await since(*args, **kwargs)
        await publish(conversation, "3", "4")
        await asyncio.sleep(0.1)
        return found

    listener = await hub.listen(conversation, sink)
    monkeypatch.setattr(stream, "since", slowly)
    missed = await listener.missed(after=first.n)
    monkeypatch.undo()
    assert sink.texts == []
    listener.go_on(missed)
    await publish(conversation, "5")
    await sink.until(lambda sink: len(sink.texts) >= 5)
    assert sink.texts == ["1", "2", "3", "4", "5"]


async def test_what_is_missing_for_good_is_said_before_anything_is_handed_over(hub, conversation):
    [placed] = await publish(conversation, "0")
    await redis.async_client().flushall()
    sink = Sink()
    listener = await hub.listen(conversation, sink)
    assert await listener.missed(after=placed.n) is None
    await publish(conversation, "1")
    await asyncio.sleep(0.1)
    assert sink.texts == []


async def test_forgotten_events_make_readers_start_again(hub, conversation):
    sink, _ = await listening(hub, conversation)
    await publish(conversation, "taken back")
    await sink.until(lambda sink: sink.texts == ["taken back"])
    await stream.forget(conversation)
    await sink.until(lambda sink: sink.resets == 1)


async def test_more_events_than_one_script_appends_are_placed_in_order(hub, conversation):
    sink, _ = await listening(hub, conversation)
    texts = [str(number) for number in range(3 * stream.AT_ONCE + 7)]
    placed = await publish(conversation, *texts)
    assert [place.n for place in placed] == list(range(placed[0].n, placed[0].n + len(texts)))
    await sink.until(lambda sink: len(sink.texts) >= len(texts))
    assert sink.texts == texts


async def test_a_reader_far_behind_a_capped_stream_is_told_to_reset(hub, conversation, settings):
    settings.EVENTS_KEPT = 50
    [first] = await publish(conversation, "0")
    for start in range(0, 400, 100):
        await publish(conversation, *(str(number) for number in range(start, start + 100)))
    assert await stream.since(redis.async_client(), conversation, after=first.n) is None
    sink = Sink()
    listener = await hub.listen(conversation, sink)
    listener.resume(after=first.n)
    await sink.until(lambda sink: sink.resets == 1)


async def test_who_left_hears_nothing_and_the_subscription_ends_with_the_last(hub, conversation):
    sink, listener = await listening(hub, conversation)
    other, staying = await listening(hub, conversation)
    hub.leave(listener)
    await publish(conversation, "after")
    await other.until(lambda sink: sink.texts == ["after"])
    assert sink.texts == []
    hub.leave(staying)
    async with asyncio.timeout(WAIT):
        while (await redis.async_client().pubsub_numsub(keys.event_channel(conversation)))[0][1]:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.02)


async def test_every_key_of_a_conversation_runs_out(hub, conversation):
    await publish(conversation, "x")
    client = redis.async_client()
    for key in (keys.events(conversation), keys.event_number(conversation)):
        assert 0 < await client.ttl(key) <= keys.EVENTS_TTL


async def test_a_changed_right_is_heard_at_once(hub):
    heard: list[str] = []
    end = hub.on_access_change(heard.append)
    async with asyncio.timeout(WAIT):
        while "somebody" not in heard:
            await redis.async_client().publish(keys.ACCESS_CHANNEL, "somebody")
            await asyncio.sleep(0.02)
    assert heard[0] == hubs.EVERYBODY  # what was announced before is not known
    assert set(heard[1:]) == {"somebody"}
    end()


async def follow(conversation: str, number: int) -> stream.Placed:
    draft = events.delta(conversation_id=conversation, message_id="m" * 36, attempt=1, offset=1, text="b", follows=number)
    (placed,) = await stream.publish(redis.async_client(), [draft])
    return placed


async def test_what_follows_an_event_is_placed_while_that_is_there(conversation):
    (first,) = await publish(conversation, "a")
    assert await follow(conversation, first.n) == stream.Placed(n=first.n + 1, fresh=False)
    await publish(conversation, "of somebody else")
    assert await follow(conversation, first.n + 1) == stream.Placed(n=first.n + 3, fresh=False)


async def test_what_follows_an_event_that_is_forgotten_leaves_no_trace(conversation):
    (first,) = await publish(conversation, "a")
    redis_client = redis.async_client()
    await redis_client.delete(keys.event_number(conversation), keys.events(conversation))
    assert await follow(conversation, first.n) == stream.Placed(n=0, fresh=False)
    assert not await redis_client.exists(keys.event_number(conversation), keys.events(conversation))
    await asyncio.sleep(0.01)  # numbering begins at the millisecond
    (begun,) = await publish(conversation, "anew")
    assert await follow(conversation, first.n) == stream.Placed(n=0, fresh=False)
    (following,) = await publish(conversation, "the next")
    assert (begun.fresh, following.n) == (True, begun.n + 1)
    assert len(await stream.all_kept(redis_client, conversation)) == 2
