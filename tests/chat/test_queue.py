"""Questions that wait for an answer's end: each is asked once, in its turn, whoever dies; and none without knowing what was answered."""

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from chat import access, selectors
from chat.choices import ON_THEIR_WAY, ConversationStatus, MessageStatus
from chat.documents import Attachment, Conversation
from chat.realtime import keys, limits
from chat.services import answers, contexts, errors, queues, sweeper, turns
from config import json, loop, mongo, redis
from integrations.services import completions
from tenants import access as people
from tests.chat.files import keep_file

pytestmark = pytest.mark.asyncio


async def now(consultation):
    membership, conversation = consultation
    return await access.aconversation_for(membership, conversation.id)


async def ask(consultation, text="First?", client_id="first", **more):
    membership, _ = consultation
    return await turns.asubmit(membership, await now(consultation), text=text, client_id=client_id, **more)


async def queue(consultation, text, client_id=None, **more):
    membership, _ = consultation
    return await queues.aadd(membership, await now(consultation), text=text, client_id=client_id or text, **more)


async def messages(consultation, **more):
    return (await selectors.amessages(await now(consultation), limit=200, **more)).results


async def waiting(consultation):
    return [question.text for question in (await now(consultation)).queue.questions]


async def asked(consultation):
    return [message.text for message in await messages(consultation) if not message.is_answer]


async def newest(consultation):
    return [message for message in await messages(consultation) if message.is_answer][-1]


async def write(answer):
    """A worker writes this answer to its end."""
    await answers.produce(await turns.call_to(answer))


async def one(consultation, **changes):
    _, conversation = consultation
    which = {"organizationId": conversation.organization_id, "conversationId": conversation.id}
    await mongo.async_collection(Conversation).update_one(which, changes)


async def test_it_waits_is_asked_at_the_answer_s_end_and_knows_what_was_answered(consultation):
    first = await ask(consultation)
    queued = await queue(consultation, "Second?")
    assert (queued.message, queued.answer) == (None, None)
    assert [question.text for question in queued.queue.questions] == ["Second?"]
    assert await asked(consultation) == ["First?"]
    await write(first.answer)
    assert await asked(consultation) == ["First?", "Second?"]
    assert await waiting(consultation) == []
    second = await newest(consultation)
    assert second.status == MessageStatus.PENDING
    context = await contexts.for_answer(await turns.call_to(second))
    assert [message.text for message in context.history] == ["First?", (await messages(consultation))[1].text]
    assert context.history[1].text
    assert context.question.id == queued.queue.questions[0].id
    [call] = [raw for raw in await redis.async_client().lrange(keys.CALLS, 0, -1) if second.id.encode() in raw]
    assert json.loads(call)["rights"] is None  # whose they are by now is looked up


async def test_where_nothing_is_on_its_way_it_is_asked_at_once(consultation):
    queued = await queue(consultation, "First?")
    assert queued.queue.questions == ()
    assert (queued.message.text, queued.answer.status) == ("First?", "pending")
    await write(queued.answer)
    assert await asked(consultation) == ["First?"]


async def test_a_turn_that_nobody_waits_for_looks_for_nothing(consultation, monkeypatch):
    monkeypatch.setattr(queues, "ago_on", None)
    first = await ask(consultation)
    await write(first.answer)
    assert (await newest(consultation)).status == MessageStatus.SENT


async def test_many_are_asked_one_after_another_in_the_order_they_came(consultation):
    first = await ask(consultation)
    for number in range(4):
        await queue(consultation, f"{number}?")
    await write(first.answer)
    for number in range(4):
        assert await asked(consultation) == ["First?", *(f"{earlier}?" for earlier in range(number + 1))]
        await write(await newest(consultation))
    assert [message.status for message in await messages(consultation)] == ["sent"] * 10
    assert await waiting(consultation) == []


async def test_the_same_client_id_waits_once_and_is_asked_once(consultation):
    first = await ask(consultation)
    queued = [await queue(consultation, "Second?", "again") for _ in range(2)]
    assert queued[0].queue.questions == queued[1].queue.questions or len(queued[1].queue.questions) == 1
    with pytest.raises(errors.ClientIdReused):
        await queue(consultation, "Other words?", "again")
    beside = await ask(consultation, "Second?", "again")  # a tab that came back sends it, and does not know that it waits
    await write(first.answer)
    await write(beside.answer)
    await sweeper.sweep(timezone.now() + timedelta(minutes=1))
    assert await asked(consultation) == ["First?", "Second?"]
    assert await waiting(consultation) == []
    again = await queue(consultation, "Second?", "again")
    assert again.message.id == beside.message.id
    with pytest.raises(errors.ClientIdReused):
        await queue(consultation, "Other words?", "again")


async def test_stopped_goes_on_failed_stays_and_people_decide(consultation, monkeypatch):
    membership, _ = consultation
    first = await ask(consultation)
    await queue(consultation, "Second?")
    await queue(consultation, "Third?")
    await queue(consultation, "Fourth?")
    await turns.astop(membership, first.answer)
    await write(first.answer)
    assert await asked(consultation) == ["First?", "Second?"]
    second = await newest(consultation)
    with monkeypatch.context() as broken:
        broken.setattr(completions, "stream", None)
        await write(second)
    assert (await newest(consultation)).status == MessageStatus.ERROR
    assert await asked(consultation) == ["First?", "Second?"]
    await sweeper.sweep(timezone.now() + timedelta(minutes=1))
    assert await waiting(consultation) == ["Third?", "Fourth?"]
    again = await turns.aretry(membership, await newest(consultation))
    await write(again)
    assert await asked(consultation) == ["First?", "Second?", "Third?"]
    with monkeypatch.context() as broken:
        broken.setattr(completions, "stream", None)
        await write(await newest(consultation))
    queued = await queues.anext(membership, await now(consultation))
    assert (queued.message.text, queued.answer.status) == ("Fourth?", "pending")
    nothing = await queues.anext(membership, await now(consultation))
    assert (nothing.message, nothing.queue.questions) == (None, ())


async def test_who_asks_behind_a_failed_answer_asks_what_waited_first(consultation, monkeypatch):
    first = await ask(consultation)
    await queue(consultation, "Second?")
    with monkeypatch.context() as broken:
        broken.setattr(completions, "stream", None)
        await write(first.answer)
    queued = await queue(consultation, "Third?")
    assert (queued.message, [question.text for question in queued.queue.questions]) == (None, ["Third?"])
    await write(await newest(consultation))
    assert await asked(consultation) == ["First?", "Second?", "Third?"]


async def test_each_strand_has_its_own_turn(consultation):
    membership, _ = consultation
    first = await ask(consultation)
    await queue(consultation, "On the first?", strand=0)
    edited = await turns.aedit(membership, await now(consultation), first.message, text="In other words?", client_id="edited")
    await queue(consultation, "On the second?", strand=edited.message.strand)
    with pytest.raises(errors.UnknownStrand):
        await queue(consultation, "Nowhere?", strand=99)
    await write(edited.answer)
    assert await waiting(consultation) == ["On the first?"]
    path = await messages(consultation, strand=edited.message.strand)
    assert [message.text for message in path if not message.is_answer] == ["In other words?", "On the second?"]
    await write(first.answer)
    assert await waiting(consultation) == []


async def test_one_s_own_is_taken_back_with_its_files(cast, consultation):
    membership, conversation = consultation
    file = await loop.in_thread(keep_file, conversation.organization_id, conversation.id, user_id=str(membership.user_id))
    await ask(consultation)
    queued = await queue(consultation, "Second?", attachment_ids=[file])
    [question] = queued.queue.questions
    assert [attached.id for attached in question.attachments] == [file]
    which = {"organizationId": conversation.organization_id, "attachmentId": file}
    assert (await mongo.async_collection(Attachment).find_one(which))["isSent"]
    with pytest.raises(people.Forbidden):
        await queues.aremove(cast.liam.membership, await now(consultation), question.id)
    queue_left, taken = await queues.aremove(membership, await now(consultation), question.id)
    assert (queue_left.questions, taken.text) == ((), "Second?")
    assert not (await mongo.async_collection(Attachment).find_one(which))["isSent"]
    for unknown in (question.id, "nonsense", {"$ne": 1}):
        with pytest.raises(people.NotFound):
            await queues.aremove(membership, await now(consultation), unknown)
    queued = await queue(consultation, "Third?", attachment_ids=[file])
    before = await now(consultation)
    await one(consultation, **{"$set": {"queue.questions.0.status": "asking"}})
    with pytest.raises(errors.AskedAlready):
        await queues.aremove(membership, before, queued.queue.questions[0].id)


async def test_what_cannot_wait_is_refused_and_limits_are_taken_at_sending(consultation, settings, monkeypatch):
    settings.ROLE_LIMITS = True
    membership, _ = consultation
    first = await ask(consultation)
    for text, wrong in ((" \n", errors.TextMissing), ("x" * (settings.TEXT_LIMIT + 1), errors.TextTooLong)):
        with pytest.raises(wrong):
            await queue(consultation, text, "wrong")
    monkeypatch.setattr(queues, "MOST", 2)
    lefts = [(await queue(consultation, f"{number}?")).left.messages for number in range(2)]
    assert lefts[0] == lefts[1] + 1
    with pytest.raises(errors.QueueFull):
        await queue(consultation, "Too many?")
    before = await limits.left(user_id=str(membership.user_id), role=membership.role)
    await write(first.answer)
    after = await limits.left(user_id=str(membership.user_id), role=membership.role)
    assert after.messages == before.messages
    monkeypatch.setitem(limits.PER_MINUTE, membership.role, 1)
    with pytest.raises(errors.LimitReached):
        await queue(consultation, "One more?")
    assert len((await queue(consultation, "1?")).queue.questions) == 1  # it was taken already
    await one(consultation, **{"$set": {"status": "archived"}})
    with pytest.raises(errors.ConversationClosed):
        await queue(consultation, "Archived?")
    with pytest.raises(errors.ConversationClosed):
        await queues.anext(membership, await now(consultation))


async def test_what_waits_when_it_is_archived_is_not_asked_and_not_lost(consultation):
    first = await ask(consultation)
    await queue(consultation, "Second?")
    await one(consultation, **{"$set": {"status": ConversationStatus.ARCHIVED.value}})
    await write(first.answer)
    assert await asked(consultation) == ["First?"]
    await one(consultation, **{"$set": {"status": ConversationStatus.ACTIVE.value}})
    membership, _ = consultation
    assert (await queues.anext(membership, await now(consultation))).message.text == "Second?"


async def test_whoever_dies_the_sweeper_asks_it_once(consultation, monkeypatch):
    """Behind the write that keeps it; behind the claim; and when it was asked and is still among those that wait."""
    for step in ("ago_on", "_ask", "_tell"):
        with monkeypatch.context() as dying:
            dying.setattr(queues, step, None)
            with pytest.raises(TypeError):
                await queue(consultation, f"{step}?")
        await sweeper.sweep(timezone.now() + timedelta(minutes=1))
        assert (await asked(consultation))[-1] == f"{step}?"
        assert await waiting(consultation) == []
        await write(await newest(consultation))
    assert await asked(consultation) == ["ago_on?", "_ask?", "_tell?"]
    assert len(await messages(consultation)) == 6


async def test_where_its_worker_dies_at_the_end_the_sweeper_goes_on(consultation, monkeypatch):
    first = await ask(consultation)
    await queue(consultation, "Second?")
    with monkeypatch.context() as dying:
        dying.setattr(queues, "ago_on", None)
        with pytest.raises(TypeError):
            await write(first.answer)
    assert await waiting(consultation) == ["Second?"]
    for _ in range(3):
        await sweeper.sweep(timezone.now() + timedelta(minutes=1))
    assert await asked(consultation) == ["First?", "Second?"]


async def test_many_at_once_while_answers_end_never_overtake_and_none_is_lost(consultation, settings, monkeypatch):
    settings.ROLE_LIMITS = False
    monkeypatch.setattr(queues, "MOST", 100)
    first = await ask(consultation)
    done = False

    async def worker():
        written = {first.answer.id}
        await write(first.answer)
        while not done or await waiting(consultation) or (await newest(consultation)).status in ON_THEIR_WAY:
            found = [message for message in await messages(consultation) if message.is_answer and message.status in ON_THEIR_WAY]
            assert len(found) <= 1, "two answers at once"
            for answer in found:
                assert answer.id not in written
                written.add(answer.id)
                await write(answer)
            await asyncio.sleep(0)

    working = asyncio.create_task(worker())
    sent = []
    for start in range(0, 24, 6):
        some = [f"{number}?" for number in range(start, start + 6)]
        await asyncio.gather(*(queue(consultation, text) for text in some))
        sent += some
    done = True
    await asyncio.wait_for(working, 60)
    assert sorted(await asked(consultation)) == sorted(["First?", *sent])
    kept = await messages(consultation)
    assert [message.seq for message in kept] == list(range(1, 51))
    assert [message.is_answer for message in kept] == [False, True] * 25


async def test_redis_has_a_view_of_it(consultation):
    membership, conversation = consultation
    first = await ask(consultation)
    await queue(consultation, "Second?")
    [question] = (await now(consultation)).queue.questions
    view = keys.queue(conversation.id)
    assert view == f"chat:queue:{conversation.id}"
    [seen] = [json.loads(raw) for raw in await redis.async_client().lrange(view, 0, -1)]
    assert seen == {
        "messageId": question.id,
        "role": "user",
        "content": "Second?",
        "timestamp": question.as_json()["created_at"],
        "userId": str(membership.user_id),
        "status": "waiting",
    }
    assert 3_590 < await redis.async_client().ttl(view) <= 3_600
    await write(first.answer)
    assert not await redis.async_client().exists(view)
