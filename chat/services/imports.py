"""An exported conversation becomes a new one of whoever imports it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pymongo
import uuid_utils.compat as uuid
from bson.decimal128 import Decimal128
from django.utils import timezone
from pymongo.errors import DuplicateKeyError

from chat import parts
from chat.choices import ON_THEIR_WAY, ConsultationType, ContentType, MessageRole, MessageStatus
from chat.documents import Conversation, Message, StructuredData
from chat.records import ConversationRecord, MessageRecord
from chat.services import conversations, errors, replies
from chat.strands import FIRST, MOST, Strand
from config import mongo
from config.failpoints import failpoint
from tenants import access as people
from tenants import roles
from tenants.models import Employee, Membership

C, M, D = mongo.names(Conversation), mongo.names(Message), mongo.names(StructuredData)

SECONDS = 20  # for ten thousand messages
# The provider of an answer that was paid for elsewhere: whoever adds up what an organization spent leaves it out.
PROVIDER = "import"
CLIENT_ID = "import:"  # before the client_id of an import, so that it is never that of a start


def take(
    membership: Membership,
    *,
    conversation: Mapping[str, Any],
    messages: Sequence[Mapping[str, Any]],
    client_id: str | None = None,
    now: datetime | None = None,
) -> ConversationRecord:
    """Makes a private consultation of this person's own from a file's checked fields (`ConversationFile`).

    1. Everything gets a new id. Times, texts and the names of who spoke are kept; places are contiguous, in the file's order.
    2. Strands stay as they are. An answer that was on its way when it was exported is interrupted. Tokens and costs stay with the
       answers; they enter no total.
    3. Employees whom this person may not see are left out.
    4. Messages and conversation are inserted in one transaction: all of it is there, or nothing.

    The same `client_id` again gives the same conversation. Raises `Forbidden`, `FileWrong`.
    """
    roles.require(membership, "chat:conversation:create")
    now = now or timezone.now()
    if conversation["type"] is None:
        raise errors.FileWrong("conversation.type", "Only a consultation, which has a type, can be imported.")
    raw = _conversation(membership, conversation, messages, client_id=client_id, now=now)
    rows, strands = _messages(raw, messages, now=now)
    raw[C.strands] = [strand.as_json() for strand in strands]
    if client_id and (before := _imported_before(raw)):
        return before
    try:
        with pymongo.timeout(SECONDS), mongo.client().start_session() as session:
            session.with_transaction(lambda session: _insert(raw, rows, session=session))
    except DuplicateKeyError:
        if before := _imported_before(raw):
            return before
        raise
    failpoint("import.recorded")
    return ConversationRecord.read(raw)


def _insert(raw: dict[str, Any], rows: list[dict[str, Any]], *, session: Any) -> None:
    if rows:
        mongo.collection(Message).insert_many(rows, session=session)
    failpoint("import.inserted")
    mongo.collection(Conversation).insert_one(raw, session=session)


def _imported_before(raw: dict[str, Any]) -> ConversationRecord | None:
    found = mongo.collection(Conversation).find_one({name: raw.get(name) for name in (C.organization_id, C.user_id, C.client_id)})
    return found and ConversationRecord.read(found)


def _conversation(
    membership: Membership,
    given: Mapping[str, Any],
    messages: Sequence[Mapping[str, Any]],
    *,
    client_id: str | None,
    now: datetime,
) -> dict[str, Any]:
    raw = conversations.new_document(
        membership,
        ConsultationType(given["type"]),
        _subjects(membership, given.get("subject_employee_ids", ())),
        title=conversations.checked_title(given["title"]),
        client_id=client_id and CLIENT_ID + client_id,
        now=now,
    )
    said_last = max([given["created_at"], *(message["created_at"] for message in messages)])
    return {**raw, C.created_at: given["created_at"], C.last_message_at: said_last, C.message_count: len(messages)}


def _subjects(membership: Membership, wanted: Sequence[str]) -> list[Employee]:
    found = {str(employee.pk): employee for employee in people.employees_for(membership).filter(pk__in=wanted)}
    return [found[key] for key in dict.fromkeys(wanted) if key in found]


def _messages(
    conversation: Mapping[str, Any], given: Sequence[Mapping[str, Any]], *, now: datetime
) -> tuple[list[dict[str, Any]], list[Strand]]:
    questions = dict[str, str]()  # the new id of a question by its id in the file
    replyable = dict[str, dict[str, Any]]()  # what a reply keeps of an earlier message, by that message's id in the file
    strands = _Strands()
    known, answered, rows = set[str](), set[str](), list[dict[str, Any]]()
    for place, message in enumerate(given):
        row = {
            M.message_id: str(uuid.uuid7()),
            M.organization_id: conversation[C.organization_id],
            M.conversation_id: conversation[C.conversation_id],
            M.seq: place + 1,
            M.updated_at: now,
            **_said(message),
        }
        row |= strands.place(message, place)
        if (key := message.get("id")) is not None:
            if key in known:
                raise errors.FileWrong(f"messages.{place}.id", "Another message of the file has this id.")
            known.add(key)
            if row[M.role] == MessageRole.USER.value:
                questions[key] = row[M.message_id]
        if row[M.role] == MessageRole.ASSISTANT.value and (question := questions.get(message.get("answer_to") or "")):
            if question in answered:
                raise errors.FileWrong(f"messages.{place}.answer_to", "Another message of the file answers this question.")
            answered.add(question)
            row[M.answer_to] = question
        if row[M.role] == MessageRole.USER.value and (replied_to := replyable.get(message.get("reply_to") or "")):
            row[M.reply_to] = replied_to
        if key is not None and row[M.content].strip():
            replyable[key] = replies.of(MessageRecord.read(row)).as_stored()
        rows.append(row)
    return rows, list(strands.begun.values())


class _Strands:
    """The strands of a file, as they become known message by message."""

    def __init__(self) -> None:
        self.begun = dict[int, Strand]()  # by the new place of the question
        self._places = dict[int, int]()  # the new place by the one in the file
        self._of = dict[int, int]()  # the strand of a question by its new place

    def place(self, message: Mapping[str, Any], index: int) -> dict[str, int]:
        """What is kept of a message's strand. Raises `FileWrong` where it does not fit to the messages before."""
        place, seq, number, edits = index + 1, message.get("seq"), message.get("strand", FIRST), message.get("edits")
        is_question = message["role"] == MessageRole.USER.value
        kept: dict[str, int] = {}
        if edits is not None:
            original = self._places.get(edits, 0)
            if not is_question or number != seq or seq in self._places or original not in self._of or original in self.begun:
                sentence = "This says which earlier question of the file, itself no edited one, was edited; `strand` is then its own `seq`."
                raise errors.FileWrong(f"messages.{index}.edits", sentence)
            if len(self.begun) == MOST:
                raise errors.FileWrong(f"messages.{index}.edits", f"More than {MOST} questions of the file are edited ones.")
            self.begun[place] = Strand(number=place, parent=self._of[original], edits=original)
            kept = {M.strand: place, M.edits: original}
        elif number != FIRST:
            if self._places.get(number) not in self.begun:
                raise errors.FileWrong(f"messages.{index}.strand", "No earlier question of the file begins this strand.")
            kept = {M.strand: self._places[number]}
        if seq is not None:
            self._places.setdefault(seq, place)
        if is_question:
            self._of[place] = kept.get(M.strand, FIRST)
        return kept


def _said(message: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a message as it was."""
    is_answer = message["role"] == MessageRole.ASSISTANT.value
    held = parts.as_copied(message.get("parts") or ())
    author, error = message.get("author") or {}, message.get("error") or {}
    details = {"errorCode": error.get("code"), "errorMessage": error.get("detail")}
    return {
        M.role: message["role"],
        M.content: parts.words(held) if parts.are_whole(held) else message["text"],
        M.parts: held,
        M.content_type: ContentType.TEXT.value,
        M.status: _ended(message["status"]) if is_answer else MessageStatus.SENT.value,
        M.user_name: None if is_answer else author.get("name"),
        M.user_role: None if is_answer else author.get("role"),
        M.attempt: message.get("attempt", 1),
        M.ai_model: message.get("model"),
        M.version: message.get("version"),
        M.finish_reason: message.get("finish_reason"),
        M.ai_response_metadata: _took(message),
        M.structured_data: _structure(message.get("structured_data")),
        M.error_details: _known(details) or None,
        M.created_at: message["created_at"],
        M.edited_at: message.get("edited_at"),
    }


def _structure(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {getattr(D, name): value for name, value in given.items()} if given else None


def _ended(status: str) -> str:
    return MessageStatus.INTERRUPTED.value if status in ON_THEIR_WAY else status


def _took(message: Mapping[str, Any]) -> dict[str, Any] | None:
    usage = message.get("usage") or {}
    tokens, cost = usage.get("output_tokens"), usage.get("cost")
    took = {
        "inputTokens": usage.get("input_tokens"),
        "outputTokens": tokens,
        "tokensUsed": None if tokens is None else tokens + (usage.get("input_tokens") or 0),
        "cost": None if cost is None else Decimal128(cost),
        "confidenceScore": message.get("confidence"),
        "sources": message.get("sources") or None,
    }
    return {**known, "provider": PROVIDER} if (known := _known(took)) else None


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
