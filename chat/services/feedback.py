"""What people say of an answer: whether it helped, stars, a comment (S0-42, S1-33)."""

from typing import Any

from django.utils import timezone
from pymongo import ReturnDocument

from chat import events
from chat.choices import ON_THEIR_WAY
from chat.documents import Feedback, Message
from chat.realtime import stream
from chat.records import MessageRecord
from chat.services import errors, totals
from chat.signals import answer_rated
from config import loop, mongo
from config.failpoints import failpoint
from tenants import roles
from tenants.models import Membership

M, F = mongo.names(Message), mongo.names(Feedback)

COMMENT_LIMIT = 2_000
ENDED = {"$nin": [status.value for status in ON_THEIR_WAY]}


async def agive(membership: Membership, answer: MessageRecord, **said: Any) -> MessageRecord:
    """Notes what a reader says of an answer that has ended: `helpful` (true or false), `rating` (1 to 5), `comment`. What is left out
    stays, None takes it away. The conversation's rating becomes the average of its answers'.

    Saved first, announced then. Said twice, it is the same. Raises `Forbidden`, `FeedbackMissing`, `RatingWrong`, `CommentTooLong`,
    `NothingToRate`; and MongoDB's errors (`mongo.AWAY`).
    """
    await roles.refresh()
    roles.require(membership, "chat:message:feedback")
    changes = _checked(**said)
    now = timezone.now()
    raw = await mongo.async_collection(Message).find_one_and_update(
        {
            M.organization_id: answer.organization_id,
            M.message_id: answer.id,
            M.attempt: answer.attempt,
            M.answer_to: {"$type": "string"},
            M.status: ENDED,
        },
        {"$set": {**changes, f"{M.feedback}.{F.submitted_at}": now, M.updated_at: now}},
        return_document=ReturnDocument.AFTER,
    )
    if raw is None:
        raise errors.NothingToRate
    failpoint("feedback.recorded")
    rated = MessageRecord.read(raw)
    answer_rated.send_robust(sender=None, answer=rated)
    await _announce(rated)
    return rated


def give(membership: Membership, answer: MessageRecord, **said: Any) -> MessageRecord:
    return loop.run(agive(membership, answer, **said))


_UNSAID: Any = object()


def _checked(*, helpful: bool | None = _UNSAID, rating: int | None = _UNSAID, comment: str | None = _UNSAID) -> dict[str, Any]:
    """What is to be stored of it, by the stored names."""
    said = {F.is_helpful: helpful, F.rating: rating, F.comment: comment}
    changes = {f"{M.feedback}.{name}": value for name, value in said.items() if value is not _UNSAID}
    if not changes:
        raise errors.FeedbackMissing
    if isinstance(rating, int) and not 1 <= rating <= 5:
        raise errors.RatingWrong
    if isinstance(comment, str):
        if len(comment) > COMMENT_LIMIT:
            raise errors.CommentTooLong(limit=COMMENT_LIMIT)
        changes[f"{M.feedback}.{F.comment}"] = comment if comment.strip() else None
    return changes


async def _announce(rated: MessageRecord) -> None:
    """Announces the answer and, where it moved, the conversation's average. Of several people at once, whoever announced words that
    others have changed meanwhile announces theirs: readers end up with what is kept."""
    while True:
        drafts = [events.message(rated.as_json())]
        if (conversation := await totals.count_ratings(rated)) is not None:
            drafts.append(events.conversation(conversation.as_json()))
        await stream.announce(drafts)
        raw = await mongo.async_collection(Message).find_one(
            {M.organization_id: rated.organization_id, M.message_id: rated.id, M.attempt: rated.attempt, M.status: ENDED}
        )
        if raw is None or raw[M.feedback] == rated.feedback:
            return  # an answer on its way is its worker's to announce
        rated = MessageRecord.read(raw)
