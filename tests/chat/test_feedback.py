"""Feedback on answers, and the conversation's rating that follows from it."""

import asyncio

import pytest

from chat import access, selectors
from chat.choices import MessageStatus
from chat.documents import Message
from chat.realtime.calls import Call
from chat.realtime.hub import hub
from chat.services import answers, errors, feedback, totals, turns
from config import mongo
from tests.chat.test_turn import Sink
from tests.transcript import Transcript

pytestmark = pytest.mark.asyncio


async def answered(consultation, *, client_id: str = "one"):
    """A finished answer."""
    membership, conversation = consultation
    taken = await turns.asubmit(membership, conversation, text="What are her strengths?", client_id=client_id)
    await answers.produce(Call.to(taken.answer, conversation))
    return await access.amessage_for(membership, taken.answer.id)


async def let(answer, **fields):
    """Makes a stored message what a test needs it to be."""
    one = {"organizationId": answer.organization_id, "messageId": answer.id}
    await mongo.async_collection(Message).update_one(one, {"$set": fields})


async def rating(consultation):
    membership, conversation = consultation
    return (await access.aconversation_for(membership, conversation.id)).satisfaction_rating


def said(answer):
    shown = answer.as_json()["feedback"]
    return shown and (shown["helpful"], shown["rating"], shown["comment"])


async def test_what_is_left_out_stays_and_none_takes_it_away(consultation):
    membership, _ = consultation
    answer = await answered(consultation)
    assert said(answer) is None
    assert said(await feedback.agive(membership, answer, helpful=True)) == (True, None, None)
    rated = await feedback.agive(membership, answer, rating=4, comment="Clear.\n$set {}")
    assert said(rated) == (True, 4, "Clear.\n$set {}")
    assert rated.as_json()["feedback"]["submitted_at"].endswith("Z")
    assert said(await feedback.agive(membership, answer, helpful=False, rating=None)) == (False, None, "Clear.\n$set {}")
    assert said(await feedback.agive(membership, answer, helpful=None, comment=" \n")) is None
    assert said(await access.amessage_for(membership, answer.id)) is None


async def test_what_is_no_feedback_is_refused_with_a_sentence_and_changes_nothing(consultation):
    membership, _ = consultation
    answer = await answered(consultation)
    with pytest.raises(errors.FeedbackMissing):
        await feedback.agive(membership, answer)
    for stars in (0, 6, -1):
        with pytest.raises(errors.RatingWrong):
            await feedback.agive(membership, answer, rating=stars)
    with pytest.raises(errors.CommentTooLong):
        await feedback.agive(membership, answer, comment="x" * (feedback.COMMENT_LIMIT + 1))
    assert (await access.amessage_for(membership, answer.id)).feedback is None
    assert said(await feedback.agive(membership, answer, comment="x" * feedback.COMMENT_LIMIT)) == (None, None, "x" * 2_000)


async def test_only_an_answer_that_has_ended_is_rated(consultation):
    membership, conversation = consultation
    answer = await answered(consultation)
    question = (await selectors.amessages(conversation)).results[0]
    with pytest.raises(errors.NothingToRate):
        await feedback.agive(membership, question, helpful=True)
    for status in MessageStatus:
        await let(answer, status=status.value)
        if status in (MessageStatus.PENDING, MessageStatus.STREAMING):
            with pytest.raises(errors.NothingToRate):
                await feedback.agive(membership, answer, helpful=True)
        else:
            await feedback.agive(membership, answer, helpful=True)
    await let(answer, attempt=2)  # it is another text by now than the one that was read
    with pytest.raises(errors.NothingToRate):
        await feedback.agive(membership, answer, helpful=False)


async def test_the_conversation_s_rating_is_the_average_of_its_answers(consultation):
    membership, _ = consultation
    first, second = await answered(consultation), await answered(consultation, client_id="two")
    assert await rating(consultation) is None
    for answer, stars, average in ((first, 5, 5), (second, 2, 3.5), (first, 4, 3), (first, 4, 3), (second, None, 4), (first, None, None)):
        await feedback.agive(membership, answer, rating=stars)
        assert await rating(consultation) == average
    await feedback.agive(membership, second, rating=1, helpful=False)
    assert await rating(consultation) == 1


async def test_an_average_that_was_made_too_early_is_made_again(consultation, monkeypatch):
    membership, _ = consultation
    first, second = await answered(consultation), await answered(consultation, client_id="two")
    count, comes = totals._average_rating, iter([5])

    async def early(answer):
        average = await count(answer)
        if stars := next(comes, None):
            await feedback.agive(membership, second, rating=stars)
        return average

    monkeypatch.setattr(totals, "_average_rating", early)
    await feedback.agive(membership, first, rating=1)
    assert await rating(consultation) == 3


async def test_a_rating_goes_with_the_text_it_was_for(consultation):
    membership, _ = consultation
    answer = await answered(consultation)
    await feedback.agive(membership, answer, rating=1)
    await let(answer, status=MessageStatus.INTERRUPTED.value)
    again = await turns.aretry(membership, await access.amessage_for(membership, answer.id))
    assert again.feedback is None
    assert await rating(consultation) is None


async def test_of_many_who_rate_at_once_everybody_hears_what_is_kept(consultation, monkeypatch):
    """Each saves at once and is announced late, in any order; the average is made while others still save."""
    membership, conversation = consultation
    first, second = await answered(consultation), await answered(consultation, client_id="two")
    before = await selectors.snapshot(conversation)
    sink = Sink()
    listener = await hub().listen(conversation.id, sink)
    listener.resume(after=before.n)
    count, late = totals._average_rating, iter(range(40, 0, -1))

    async def slowly(answer):
        average = await count(answer)
        await asyncio.sleep(next(late, 0) / 200)
        return average

    monkeypatch.setattr(totals, "_average_rating", slowly)
    await asyncio.gather(
        *(feedback.agive(membership, answer, rating=stars, comment=str(stars)) for stars in (1, 2, 3, 4, 5) for answer in (first, second))
    )
    await asyncio.sleep(0.2)
    hub().leave(listener)
    replayed = Transcript(before.as_json())
    for event in sink.events:
        if event["event"] == "message":
            replayed.apply(event)
    kept = (await selectors.amessages(conversation)).results
    assert [message["feedback"] for message in replayed.messages()] == [message.as_json()["feedback"] for message in kept]
    stars = [message.feedback["rating"] for message in kept if message.is_answer]
    told = [event["value"]["satisfaction_rating"] for event in sink.events if event["event"] == "conversation"]
    assert await rating(consultation) == sum(stars) / 2
    assert told
