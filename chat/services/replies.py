"""What a question replies to: looked up once, when it is asked, and kept with it. Only a question that replies costs a query more."""

from typing import Any

from chat import access, markdown
from chat.choices import ON_THEIR_WAY
from chat.records import ConversationRecord, MessageRecord, RepliedToRecord
from chat.services import errors
from tenants import access as people

EXCERPT = 280  # characters
LOOKED_AT = 8 * EXCERPT  # of an answer: its Markdown is read that far


async def find(conversation: ConversationRecord, message_id: object) -> RepliedToRecord:
    """The message of this conversation with this id, as a question keeps it. Raises `UnknownReply`, and `NothingToReplyTo` for what is
    on its way or has no words."""
    try:
        message = await access.amessage_in(conversation, message_id)
    except people.NotFound:
        raise errors.UnknownReply from None
    if message.status in ON_THEIR_WAY or not message.text.strip():
        raise errors.NothingToReplyTo
    return of(message)


def of(message: MessageRecord) -> RepliedToRecord:
    text = markdown.words(message.text[:LOOKED_AT]) if message.is_answer else message.text.strip()
    return RepliedToRecord(
        id=message.id,
        seq=message.seq,
        strand=message.strand,
        role=message.role,
        user_name=None if message.is_answer else message.user_name,
        text=text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + "…",
    )


def named(stored: dict[str, Any] | None) -> str | None:
    """The id of what a stored question replies to: it is the same question though the answer was written anew since."""
    return stored["messageId"] if stored else None
