"""The title of a consultation that its starter gave none: made by the model, from the first exchange."""

import logging
import re

from django.conf import settings
from django.utils import timezone
from pymongo import ReturnDocument

from chat import events, prompts
from chat.choices import ConsultationType
from chat.documents import Conversation, Message
from chat.realtime import stream
from chat.realtime.calls import Call
from chat.records import ConversationRecord, MessageRecord
from chat.services.contexts import AnswerContext
from chat.services.conversations import automatic_title
from config import mongo
from integrations.providers.base import Finished, ProviderError
from integrations.services import completions, ledger

log = logging.getLogger(__name__)

C, M = mongo.names(Conversation), mongo.names(Message)

LONGEST = 60  # characters
_AROUND = " \t\n\"'“”„‚‘’«»*#`.:"
_LABEL = re.compile(r"^\W*title\W*:", re.IGNORECASE)


async def give(call: Call, context: AnswerContext, answer: MessageRecord) -> None:
    """Gives the conversation a title if it has none but the automatic one. What fails is tried again with its next answer.

    A title that somebody gives it meanwhile stays.
    """
    if not settings.AI_TITLES or not call.conversation_type:
        return
    if call.title != automatic_title(ConsultationType(call.conversation_type), [subject.name for subject in context.subjects]):
        return
    try:
        text, finished = await completions.complete(prompts.title_request(answer, context))
        await _keep_calls(answer, finished)
        await _change(call, tidy(text) or beginning(context.question.text))
    except ProviderError as error:
        log.info("Conversation %s has no title yet: %s", call.conversation_id, error)


def tidy(text: str) -> str:
    """The title in what a model said: its first line, without label, quotes and marks around it. Empty where it said nothing, or went
    on about it, as small models and the offline consultant do."""
    lines = (_LABEL.sub("", line).strip(_AROUND) for line in text.splitlines())
    title = next(filter(None, lines), "")
    return title if len(title) <= LONGEST else ""


def beginning(question: str) -> str:
    """A question's first words, which say what it is about well enough."""
    text = " ".join(question.split())
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0].rstrip(_AROUND) + "…"


async def _keep_calls(answer: MessageRecord, finished: Finished) -> None:
    """Beside the answer's own, so that the ledger can be made whole (`reconciliation.py`)."""
    await mongo.async_collection(Message, journaled=False).update_one(
        {M.organization_id: answer.organization_id, M.message_id: answer.id},
        {"$push": {M.calls: {"$each": [ledger.as_document(attempt) for attempt in finished.attempts]}}},
    )


async def _change(call: Call, title: str) -> None:
    raw = await mongo.async_collection(Conversation).find_one_and_update(
        {C.organization_id: call.organization_id, C.conversation_id: call.conversation_id, C.title: call.title},
        {"$set": {C.title: title, C.updated_at: timezone.now()}},
        return_document=ReturnDocument.AFTER,
    )
    if raw is not None:
        await stream.announce([events.conversation(ConversationRecord.read(raw).as_json())])
