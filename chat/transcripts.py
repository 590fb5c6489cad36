"""A conversation as a file: JSON that can be imported again, and Markdown for people. Pure: stored documents go in, bytes come out.

The JSON is one object, documented as `ConversationFile` in the API's schema:

    {"format": "parley-conversation", "version": 1, "exported_at": time,
     "conversation": {id, kind, type, title, subject_employee_ids, subject_type, created_at, last_message_at},
     "messages": [{id, seq, role, author, text, status, model, version, usage, finish_reason, confidence, sources, error, attempt,
                   answer_to, created_at, edited_at}, …]}

Times are ISO 8601 in UTC, costs are decimal strings in US dollars. Both writers take messages in batches and give a part for each, so
that a file of any length passes through little memory.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from chat.choices import ConsultationType, ExportFormat, Kind, MessageRole, MessageStatus
from chat.documents import Message
from chat.records import ConversationRecord
from config import json, mongo

FORMAT, VERSION = "parley-conversation", 1
ASSISTANT_NAME = "Parley"
EXTENSIONS = {ExportFormat.MARKDOWN: "md", ExportFormat.JSON: "json"}
NAME_LIMIT = 60  # characters; at four bytes each they still fit into what file systems take

M = mongo.names(Message)
# What of a message enters a file.
PROJECTION = {
    "_id": 0,
    **dict.fromkeys(
        (
            *(M.message_id, M.seq, M.role, M.user_id, M.user_name, M.user_role, M.content, M.status, M.ai_model, M.version),
            *(M.ai_response_metadata, M.finish_reason, M.error_details, M.attempt, M.answer_to, M.created_at, M.edited_at),
        ),
        1,
    ),
}

_NO_FILE_NAME = re.compile(r'[\\/:*?"<>|\s]+')
_LINE_END = re.compile(r"(\r\n|\n|\r)")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")

Batch = Sequence[dict[str, Any]]


def file_name(title: str, format: ExportFormat) -> str:
    """A name that any file system takes: no path, no control or direction character, nothing hidden."""
    shown = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in unicodedata.normalize("NFC", title))
    name = _NO_FILE_NAME.sub(" ", shown).strip(" .")[:NAME_LIMIT].rstrip(" .")
    return f"{name or 'conversation'}.{EXTENSIONS[format]}"


# JSON ------------------------------------------------------------------------------------------------------------------


def as_json(conversation: ConversationRecord, batches: Iterable[Batch], *, now: datetime) -> Iterator[bytes]:
    head = json.dumps({"format": FORMAT, "version": VERSION, "exported_at": now, "conversation": _conversation(conversation)})
    yield head.removesuffix(b"}") + b',"messages":['
    separator = b""
    for batch in batches:
        yield separator + json.dumps([_message(raw) for raw in batch])[1:-1]
        separator = b","
    yield b"]}"


def _conversation(conversation: ConversationRecord) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "kind": conversation.kind,
        "type": conversation.type,
        "title": conversation.title,
        "subject_employee_ids": conversation.subject_employee_ids,
        "subject_type": conversation.subject_type,
        "created_at": conversation.created_at,
        "last_message_at": conversation.last_message_at,
    }


def _message(raw: dict[str, Any]) -> dict[str, Any]:
    metadata, error = raw.get(M.ai_response_metadata) or {}, raw.get(M.error_details)
    is_answer = raw[M.role] == MessageRole.ASSISTANT.value
    return {
        "id": raw[M.message_id],
        "seq": raw[M.seq],
        "role": raw[M.role],
        "author": None if is_answer else {"id": raw.get(M.user_id), "name": raw.get(M.user_name), "role": raw.get(M.user_role)},
        "text": raw.get(M.content) or "",
        "status": raw[M.status],
        "model": raw.get(M.ai_model),
        "version": raw.get(M.version),
        "usage": _usage(metadata),
        "finish_reason": raw.get(M.finish_reason),
        "confidence": metadata.get("confidenceScore"),
        "sources": metadata.get("sources", ()),
        "error": error and {"code": error.get("errorCode"), "detail": error.get("errorMessage")},
        "attempt": raw.get(M.attempt, 1),
        "answer_to": raw.get(M.answer_to),
        "created_at": raw[M.created_at],
        "edited_at": raw.get(M.edited_at),
    }


def _usage(metadata: dict[str, Any]) -> dict[str, Any] | None:
    if metadata.get("outputTokens") is None:
        return None
    cost = metadata.get("cost")
    return {
        "input_tokens": metadata.get("inputTokens"),
        "output_tokens": metadata["outputTokens"],
        "cost": None if cost is None else cost.to_decimal(),
    }


# Markdown --------------------------------------------------------------------------------------------------------------


def as_markdown(conversation: ConversationRecord, batches: Iterable[Batch], *, subjects: Sequence[str], now: datetime) -> Iterator[bytes]:
    """Each text stands in a quote of its own, word for word: headings, fences or tags in it end with it. `subjects` are names."""
    sort = ConsultationType(conversation.type).label if conversation.type else Kind(conversation.kind).label
    facts = [
        f"- {sort}" + (f": {', '.join(map(_plain, subjects))}" if subjects else ""),
        f"- Started {_moment(conversation.created_at)}, last message {_moment(conversation.last_message_at)}",
        f"- Exported {_moment(now)}",
    ]
    yield "\n".join([f"# {_plain(conversation.title)}", "", *facts, ""]).encode()
    for batch in batches:
        yield "".join(_section(raw) for raw in batch).encode()


def _section(raw: dict[str, Any]) -> str:
    name = raw.get(M.user_name) if raw[M.role] == MessageRole.USER.value else ASSISTANT_NAME
    parts = [f"\n## {_plain(name or 'Somebody')}, {_moment(raw[M.created_at])}\n"]
    if text := raw.get(M.content):
        parts.append("\n> " + _LINE_END.sub(r"\1> ", text) + "\n")
    if foot := _foot(raw):
        parts.append(f"\n*{foot}*\n")
    return "".join(parts)


def _foot(raw: dict[str, Any]) -> str:
    """How it ended where it did not end well, its model and its tokens."""
    said = [] if raw[M.status] == MessageStatus.SENT.value else [str(MessageStatus(raw[M.status]).label)]
    if raw.get(M.ai_model):
        said.append(_plain(raw[M.ai_model]))
    if usage := _usage(raw.get(M.ai_response_metadata) or {}):
        said.append(f"{(usage['input_tokens'] or 0) + usage['output_tokens']:,} tokens")
    return " · ".join(said)


def _plain(words: str) -> str:
    """Words on one line that Markdown takes for nothing else."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(words.split()))


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
