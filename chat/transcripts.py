"""A conversation as a file: JSON that can be imported again, Markdown for people, and the lines that a PDF is set from.

Pure: messages go in as `PROJECTION` shapes them, bytes come out.

The JSON is one object, documented as `ConversationFile` in the API's schema:

    {"format": "parley-conversation", "version": 1, "exported_at": time,
     "conversation": {id, kind, type, title, subject_employee_ids, subject_type, created_at, last_message_at},
     "messages": [{id, seq, strand, edits, role, author, text, status, model, version, usage, finish_reason, confidence, sources,
                   parts, attachments, structured_data, error, attempt, answer_to, created_at, edited_at}, …]}

A message whose `strand` is not 0 is of the way that the conversation took since the question with that `seq`, which was made from the
one with the `seq` that its `edits` says; what it shares with other strands is there once. The Markdown is of one strand.

Times are UTC (those of messages come without saying so), costs are decimal strings in US dollars. Both writers take messages in
batches and give a part for each, so that a file of any length passes through little memory.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
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


def _known(field: str, otherwise: Any = None) -> dict[str, Any]:
    return {"$ifNull": [f"${field}", otherwise]}


def _where_known(field: str, shape: dict[str, Any]) -> dict[str, Any]:
    return {"$cond": [{"$eq": [_known(field), None]}, None, shape]}


_METADATA, _ERROR, _STRUCTURE = M.ai_response_metadata, M.error_details, M.structured_data
# What of a message enters a file, shaped by MongoDB: made in Python, it would take longer than all the rest.
PROJECTION = {
    "_id": 0,
    "id": f"${M.message_id}",
    "seq": f"${M.seq}",
    "strand": _known(M.strand, FIRST),
    "edits": _known(M.edits),
    "role": f"${M.role}",
    "author": {
        "$cond": [
            {"$eq": [f"${M.role}", MessageRole.ASSISTANT.value]},
            None,
            {"id": _known(M.user_id), "name": _known(M.user_name), "role": _known(M.user_role)},
        ]
    },
    "text": _known(M.content, ""),
    "status": f"${M.status}",
    "model": _known(M.ai_model),
    "version": _known(M.version),
    "usage": _where_known(
        f"{_METADATA}.outputTokens",
        {
            "input_tokens": _known(f"{_METADATA}.inputTokens"),
            "output_tokens": f"${_METADATA}.outputTokens",
            "cost": {"$toString": f"${_METADATA}.cost"},
        },
    ),
    "finish_reason": _known(M.finish_reason),
    "confidence": _known(f"{_METADATA}.confidenceScore"),
    "sources": _known(f"{_METADATA}.sources", []),
    "parts": _known(M.parts, []),
    "attachments": {
        "$map": {
            "input": _known(M.attachments, []),
            "in": {"name": "$$this.fileName", "type": "$$this.fileType", "size": "$$this.fileSize"},
        }
    },
    "structured_data": _where_known(
        f"{_STRUCTURE}.analysisType",
        {
            "analysis_type": f"${_STRUCTURE}.analysisType",
            "scores": _known(f"{_STRUCTURE}.scores", {}),
            "recommendations": _known(f"{_STRUCTURE}.recommendations", []),
            "insights": _known(f"{_STRUCTURE}.insights", []),
            "data_points": _known(f"{_STRUCTURE}.dataPoints", {}),
        },
    ),
    "error": _where_known(_ERROR, {"code": _known(f"{_ERROR}.errorCode"), "detail": _known(f"{_ERROR}.errorMessage")}),
    "attempt": _known(M.attempt, 1),
    "answer_to": _known(M.answer_to),
    "created_at": f"${M.created_at}",
    "edited_at": _known(M.edited_at),
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
        yield separator + json.dumps([_spelled(message) for message in batch])[1:-1]
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


def _spelled(message: dict[str, Any]) -> dict[str, Any]:
    """MongoDB writes small and large costs with an exponent; the file does not. What parts point to stays behind."""
    if message["parts"]:
        message["parts"] = parts.as_copied(message["parts"])
    usage = message["usage"]
    if usage and usage["cost"] and "E" in usage["cost"]:
        usage["cost"] = format(Decimal(usage["cost"]), "f")
    return message


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
