"""Writing a finished answer anew: what it said stays as a version."""

import asyncio
from datetime import timedelta

import pytest

from chat import access, selectors
from chat.choices import MessageStatus
from chat.documents import Conversation, MessageRevision
from chat.realtime import limits
from chat.realtime.calls import Call
from chat.services import answers, errors, feedback, revisions, turns
from config import loop, mongo
from tenants.choices import Role
from tests.chat.test_feedback import answered, let, rating

pytestmark = pytest.mark.asyncio


async def now(membership, answer):
    return await access.amessage_for(membership, answer.id)


async def written_again(consultation, answer):
    membership, conversation = consultation
    await answers.produce(Call.to(await turns.aregenerate(membership, answer), conversation))
    return await now(membership, answer)


async def versions(answer):
    return await loop.in_thread(selectors.versions, answer)


async def kept(answer):
    wanted = {"organizationId": answer.organization_id, "messageId": answer.id}
    return await mongo.async_collection(MessageRevision).find(wanted).sort("attempt", 1).to_list()


async def test_what_it_said_stays_as_a_version_with_all_that_belongs_to_it(consultation):
    membership, _ = consultation
    first = await answered(consultation)
    first = await feedback.agive(membership, first, rating=2, comment="Thin.")
    await let(first, content="First.", aiModel="model-1")
    first = await now(membership, first)
    second = await written_again(consultation, first)
    assert (second.status, second.attempt, second.versions, second.feedback) == ("sent", 2, 2, None)
    earlier, present = await versions(second)
    assert present == second
    assert earlier.as_json() == {**first.as_json(), "versions": 2}
    [raw] = await kept(second)
    assert (raw["reason"], raw["revisedBy"]) == ("regenerated", str(membership.user_id))
    assert {"queuedAt", "startedAt", "revisedAt"} <= raw.keys()
    third = await written_again(consultation, second)
    assert [version.attempt for version in await versions(third)] == [1, 2, 3]
    assert third.versions == 3


async def test_only_a_finished_answer_and_only_the_newest(consultation):
    membership, conversation = consultation
    first = await answered(consultation)
    question = (await selectors.amessages(conversation)).results[0]
    with pytest.raises(errors.NothingToRegenerate):
        await turns.aregenerate(membership, question)
    for status in set(MessageStatus) - {MessageStatus.SENT}:
        await let(first, status=status.value)
        with pytest.raises(errors.NothingToRegenerate):
            await turns.aregenerate(membership, await now(membership, first))
        with pytest.raises(errors.NothingToRegenerate):
            await turns.aregenerate(membership, first)  # as it was read before
    await let(first, status=MessageStatus.SENT.value)
    await answered(consultation, client_id="two")
    with pytest.raises(errors.NotTheNewest):
        await turns.aregenerate(membership, first)
    assert await kept(first) == []


async def test_of_many_who_press_at_once_one_wins(consultation):
    membership, _ = consultation
    answer = await answered(consultation)
    results = await asyncio.gather(*(turns.aregenerate(membership, answer) for _ in range(16)), return_exceptions=True)
    pending = [result for result in results if not isinstance(result, BaseException)]
    assert [(message.status, message.attempt, message.versions) for message in pending] == [("pending", 2, 2)]
    assert {type(result) for result in results if isinstance(result, BaseException)} == {errors.NothingToRegenerate}
    assert [raw["attempt"] for raw in await kept(answer)] == [1]


async def test_feedback_that_comes_in_between_is_in_the_version(consultation, monkeypatch):
    membership, _ = consultation
    answer = await answered(consultation)
    keep, comes = revisions.keep, iter([5])

    async def late(raw, **arguments):
        await keep(raw, **arguments)
        if stars := next(comes, None):
            await feedback.agive(membership, answer, rating=stars)

    monkeypatch.setattr(revisions, "keep", late)
    pending = await turns.aregenerate(membership, answer)
    assert pending.feedback is None
    assert (await versions(pending))[0].feedback["rating"] == 5
    assert await rating(consultation) is None


async def test_a_revision_without_its_swap_is_nobody_s_version_and_is_made_good_by_the_next(consultation, monkeypatch):
    """As after a crash between the two; feedback came before somebody pressed again."""
    membership, _ = consultation
    answer = await answered(consultation)

    async def dies(*arguments, **named):
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(turns, "_next_attempt", dies)
        await turns.aregenerate(membership, answer)
    assert len(await kept(answer)) == 1
    assert await versions(await now(membership, answer)) == (await now(membership, answer),)
    await feedback.agive(membership, answer, helpful=False)
    pending = await turns.aregenerate(membership, await now(membership, answer))
    assert [version.feedback and version.feedback["isHelpful"] for version in await versions(pending)] == [False, None]


async def test_an_older_copy_does_not_take_the_place_of_a_later_one(consultation):
    membership, _ = consultation
    answer = await answered(consultation)
    old = await turns._finished(answer)
    await feedback.agive(membership, answer, rating=3)
    new = await turns._finished(answer)
    for raw in (new, old):
        await revisions.keep(raw, by=membership, now=raw["updatedAt"] + timedelta(seconds=1))
    assert [raw["feedback"]["rating"] for raw in await kept(answer)] == [3]


async def test_where_the_new_attempt_fails_the_earlier_text_is_still_there(consultation):
    membership, _ = consultation
    answer = await answered(consultation)
    failed = await turns.aregenerate(membership, answer)
    await let(failed, status=MessageStatus.ERROR.value, errorDetails={"errorCode": "x", "errorMessage": "No."})
    failed = await now(membership, failed)
    assert [version.text for version in await versions(failed)] == [answer.text, ""]
    retried = await turns.aretry(membership, failed)
    assert (retried.attempt, retried.versions) == (3, 2)
    assert [version.attempt for version in await versions(retried)] == [1, 3]


async def test_every_attempt_is_in_the_totals_even_one_that_was_not_counted_yet(consultation):
    membership, conversation = consultation
    taken = await turns.asubmit(membership, conversation, text="What are her strengths?", client_id="one")
    writing = asyncio.create_task(answers.produce(Call.to(taken.answer, conversation)))
    while (answer := await now(membership, taken.answer)).status != MessageStatus.SENT:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    assert answer.lease_token is not None, "Its figures are on their way."
    writing.cancel()  # as if its worker died
    again = await written_again(consultation, answer)
    raw = await mongo.async_collection(Conversation).find_one(
        {"organizationId": conversation.organization_id, "conversationId": conversation.id}
    )
    assert raw["answerCount"] == 2
    assert raw["totalTokensUsed"] == sum(each.input_tokens + each.output_tokens for each in await versions(again))


async def test_it_counts_as_a_message_of_the_limits(consultation, monkeypatch):
    membership, _ = consultation
    answer = await answered(consultation)
    monkeypatch.setitem(limits.PER_MINUTE, Role.OWNER, 1)
    with pytest.raises(errors.LimitReached):
        await turns.aregenerate(membership, answer)
    assert (await now(membership, answer)).status == MessageStatus.SENT
