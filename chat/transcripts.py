"""A conversation as a file: JSON that can be imported again, Markdown for people, and the lines that a PDF is set from.

Pure: messages go in as `shaped` makes them of what `PROJECTION` picks, bytes come out.

The JSON is one object, documented as `ConversationFile` in the API's schema:

    {"format": "parley-conversation", "version": 1, "exported_at": time,
     "conversation": {id, kind, type, title, subject_employee_ids, subject_type, created_at, last_message_at},
     "messages": [{id, seq, strand, edits, role, author, text, status, model, version, usage, finish_reason, confidence, sources,
                   parts, attachments, structured_data, error, attempt, answer_to, reply_to, created_at, edited_at}, …]}

A message whose `strand` is not 0 is of the way that the conversation took since the question with that `seq`, which was made from the
one with the `seq` that its `edits` says; what it shares with other strands is there once. The Markdown is of one strand.

Times are UTC (those of messages come without saying so), costs are decimal strings in US dollars. Both writers take messages in
batches and give a part for each, so that a file of any length passes through little memory.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from chat import parts
from chat.choices import ConsultationType, ExportFormat, Kind, MessageRole, MessageStatus
from chat.documents import Message
from chat.records import ConversationRecord
from chat.strands import FIRST
from config import json, mongo

FORMAT, VERSION = "parley-conversation", 1
ASSISTANT_NAME = "Parley"
EXTENSIONS = {ExportFormat.MARKDOWN: "md", ExportFormat.JSON: "json", ExportFormat.PDF: "pdf"}
NAME_LIMIT = 60  # characters; at four bytes each they still fit into what file systems take

M = mongo.names(Message)


_METADATA = M.ai_response_metadata
# What of a message enters a file. MongoDB picks the fields and `shaped` gives them their form: as expressions there, it takes
# three times as long as here.
PROJECTION = {
    "_id": 0,
    **dict.fromkeys(
        (
            *(M.message_id, M.seq, M.strand, M.edits, M.role, M.user_id, M.user_name, M.user_role, M.content, M.status, M.ai_model),
            *(M.version, M.finish_reason, _METADATA, M.parts, M.attachments, M.structured_data, M.error_details, M.attempt, M.answer_to),
            *(M.reply_to, M.created_at, M.edited_at),
        ),
        1,
    ),
}
_ASSISTANT = MessageRole.ASSISTANT.value
_NOTHING: dict[str, Any] = {}

_NO_FILE_NAME = re.compile(r'[\\/:*?"<>|\s]+')
_LINE_END = re.compile(r"(\r\n|\n|\r)")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")

Batch = Iterable[dict[str, Any]]  # at least one; read once


def file_name(title: str, format: ExportFormat) -> str:
    """A name that any file system takes: no path, no control or direction character, nothing hidden."""
    shown = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in unicodedata.normalize("NFC", title))
    name = _NO_FILE_NAME.sub(" ", shown).strip(" .")[:NAME_LIMIT].rstrip(" .")
    return f"{name or 'conversation'}.{EXTENSIONS[format]}"


def shaped(raw: dict[str, Any]) -> dict[str, Any]:
    """A stored message as it stands in the JSON; the names are those in MongoDB. Runs for each message of every export: no helper is
    called that is not needed."""
    get = raw.get
    role = raw["role"]
    metadata = get("aiResponseMetadata") or _NOTHING
    structure, error, files, more = get("structuredData") or _NOTHING, get("errorDetails"), get("attachments"), get("parts")
    cost, replied = metadata.get("cost"), get("replyTo")
    output_tokens = metadata.get("outputTokens")
    return {
        "id": raw["messageId"],
        "seq": raw["seq"],
        "strand": get("strand") or FIRST,
        "edits": get("edits"),
        "role": role,
        "author": None if role == _ASSISTANT else {"id": get("userId"), "name": get("userName"), "role": get("userRole")},
        "text": get("content") or "",
        "status": raw["status"],
        "model": get("aiModel"),
        "version": get("version"),
        "usage": None
        if output_tokens is None
        else {
            "input_tokens": metadata.get("inputTokens"),
            "output_tokens": output_tokens,
            "cost": None if cost is None else format(mongo.decimal(cost), "f"),
        },
        "finish_reason": get("finishReason"),
        "confidence": metadata.get("confidenceScore"),
        "sources": metadata.get("sources") or [],
        "parts": parts.as_copied(more) if more else [],  # what they point to stays behind
        "attachments": [{"name": file["fileName"], "type": file["fileType"], "size": file["fileSize"]} for file in files] if files else [],
        "structured_data": {
            "analysis_type": structure["analysisType"],
            "scores": structure.get("scores") or {},
            "recommendations": structure.get("recommendations") or [],
            "insights": structure.get("insights") or [],
            "data_points": structure.get("dataPoints") or {},
        }
        if structure.get("analysisType")
        else None,
        "error": error and {"code": error.get("errorCode"), "detail": error.get("errorMessage")},
        "attempt": get("attempt") or 1,
        "answer_to": get("answerTo"),
        "reply_to": replied["messageId"] if replied else None,
        "created_at": raw["createdAt"],
        "edited_at": get("editedAt"),
    }


# JSON ------------------------------------------------------------------------------------------------------------------


def as_json(conversation: ConversationRecord, batches: Iterable[Batch], *, now: datetime) -> Iterator[bytes]:
    head = json.dumps({"format": FORMAT, "version": VERSION, "exported_at": now, "conversation": _conversation(conversation)})
    yield head.removesuffix(b"}") + b',"messages":['
    separator = b""
    for batch in batches:
        yield separator + b",".join(map(json.dumps, batch))
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


# Markdown --------------------------------------------------------------------------------------------------------------


def as_markdown(conversation: ConversationRecord, batches: Iterable[Batch], *, subjects: Sequence[str], now: datetime) -> Iterator[bytes]:
    """Each text stands in a quote of its own, word for word: headings, fences or tags in it end with it. `subjects` are names."""
    facts = _facts(conversation, list(map(_plain, subjects)), now=now)
    yield "\n".join([f"# {_plain(conversation.title)}", "", *(f"- {fact}" for fact in facts), ""]).encode()
    for batch in batches:
        yield "".join(_section(message) for message in batch).encode()


def _facts(conversation: ConversationRecord, subjects: Sequence[str], *, now: datetime) -> list[str]:
    sort = str(ConsultationType(conversation.type).label if conversation.type else Kind(conversation.kind).label)
    return [
        sort + (f": {', '.join(subjects)}" if subjects else ""),
        f"Started {_moment(conversation.created_at)}, last message {_moment(conversation.last_message_at)}",
        f"Exported {_moment(now)}",
    ]


def _who(message: dict[str, Any]) -> str:
    name = (message["author"] or {}).get("name") if message["role"] == MessageRole.USER.value else ASSISTANT_NAME
    return name or "Somebody"


def _section(message: dict[str, Any]) -> str:
    pieces = [f"\n## {_plain(_who(message))}, {_moment(message['created_at'])}\n"]
    if message["text"]:
        pieces.append("\n> " + _LINE_END.sub(r"\1> ", message["text"]) + "\n")
    for file in message["attachments"]:
        pieces.append(f"\n*Attached: {_plain(file['name'])} ({_plain(file['type'])}, {file['size']:,} bytes)*\n")
    if (held := message.get("parts")) and not parts.are_whole(held):
        pieces.append("\n> " + _LINE_END.sub(r"\1> ", parts.words(held)) + "\n")
    if structure := message.get("structured_data"):
        pieces += _analysis(structure)
    if foot := _foot(message, plain=_plain):
        pieces.append(f"\n*{foot}*\n")
    return "".join(pieces)


def _analysis(structure: dict[str, Any]) -> Iterator[str]:
    """The structured part of an answer, as lists."""
    scores = [f"{_plain(name)}: {score:g} of 100" for name, score in structure["scores"].items()]
    data = [
        f"{_plain(name)}: {_plain(value) if isinstance(value, str) else f'{value:g}'}" for name, value in structure["data_points"].items()
    ]
    for label, lines in (
        ("Scores", scores),
        ("Recommendations", [_plain(text) for text in structure["recommendations"]]),
        ("Insights", [_plain(text) for text in structure["insights"]]),
        ("Data", data),
    ):
        if lines:
            yield f"\n**{label}**\n\n" + "".join(f"- {line}\n" for line in lines)


def _foot(message: dict[str, Any], *, plain: Callable[[str], str]) -> str:
    """How it ended where it did not end well, its model and its tokens."""
    said = [] if message["status"] == MessageStatus.SENT.value else [str(MessageStatus(message["status"]).label)]
    if message["model"]:
        said.append(plain(message["model"]))
    if usage := message["usage"]:
        said.append(f"{(usage['input_tokens'] or 0) + usage['output_tokens']:,} tokens")
    return " · ".join(said)


# Lines that are set as pages (`chat/typesetting.py`) ---------------------------------------------------------------------


def as_lines(conversation: ConversationRecord, batches: Iterable[Batch], *, subjects: Sequence[str], now: datetime) -> Iterator[bytes]:
    """JSON, an object a line: the head, then each message."""
    yield json.dumps({"title": conversation.title, "facts": _facts(conversation, subjects, now=now)}) + b"\n"
    for batch in batches:
        yield b"".join(json.dumps(_line(message)) + b"\n" for message in batch)


def _line(message: dict[str, Any]) -> dict[str, Any]:
    """An answer is Markdown, what people write is not; what stands below either is."""
    held, structure = message.get("parts") or (), message.get("structured_data")
    is_whole = parts.are_whole(held)
    below = [parts.words(held) if held and not is_whole else "", *(_analysis(structure) if structure else ())]
    attached = [f"Attached: {file['name']} ({file['type']}, {file['size']:,} bytes)" for file in message["attachments"]]
    return {
        "who": _who(message),
        "at": _moment(message["created_at"]),
        "text": message["text"],
        "is_markdown": is_whole or message["role"] != MessageRole.USER.value,
        "below": "\n\n".join(filter(None, below)),
        "foot": "\n".join(filter(None, [*attached, _foot(message, plain=str)])),
    }


def _plain(words: str) -> str:
    """Words on one line that Markdown takes for nothing else."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(words.split()))


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"
