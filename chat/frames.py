"""What a client may send over the socket: a fixed table of frames, each with its fields and their types."""

from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings

from chat.choices import PresenceStatus
from chat.events import Do, Watched
from chat.services.attachments import FILES_LIMIT
from chat.services.feedback import COMMENT_LIMIT


class BadFrame(Exception):
    """The frame is not one of ours. `ref` is repeated so that the client knows which."""

    def __init__(self, code: str, sentence: str, *, ref: Any = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.ref = ref


@dataclass(frozen=True, slots=True)
class Field:
    kind: type
    required: bool = True
    most: int = 64  # characters of a text, the greatest of numbers, entries of a list
    among: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    do: Do
    ref: str | int | None
    fields: dict[str, Any]


CONVERSATION = Field(str)
CLIENT_ID_LIMIT = 100
STRAND = Field(int, required=False, most=2**31 - 1)
WHAT = Field(str, among=tuple(Watched))
KINDS = {str: "a text", int: "a whole number", bool: "true or false", list: "a list of ids"}
TABLE: dict[Do, dict[str, Field]] = {
    Do.JOIN: {"conversation": CONVERSATION, "after": Field(int, required=False, most=2**53), "strand": STRAND},
    Do.LEAVE: {"conversation": CONVERSATION},
    Do.SEND: {
        "conversation": CONVERSATION,
        "text": Field(str, most=settings.SOCKET_FRAME_LIMIT),
        "client_id": Field(str, most=CLIENT_ID_LIMIT),
        "attachment_ids": Field(list, required=False, most=FILES_LIMIT),
        "strand": STRAND,
        "reply_to": Field(str, required=False),
    },
    Do.QUEUE: {
        "conversation": CONVERSATION,
        "text": Field(str, most=settings.SOCKET_FRAME_LIMIT),
        "client_id": Field(str, most=CLIENT_ID_LIMIT),
        "attachment_ids": Field(list, required=False, most=FILES_LIMIT),
        "strand": STRAND,
        "reply_to": Field(str, required=False),
    },
    Do.UNQUEUE: {"conversation": CONVERSATION, "question": Field(str)},
    Do.NEXT: {"conversation": CONVERSATION, "strand": STRAND},
    Do.STOP: {"message": Field(str)},
    Do.RETRY: {"message": Field(str)},
    Do.REGENERATE: {"message": Field(str)},
    Do.EDIT: {
        "message": Field(str),
        "text": Field(str, most=settings.SOCKET_FRAME_LIMIT),
        "client_id": Field(str, required=False, most=CLIENT_ID_LIMIT),
    },
    Do.FEEDBACK: {
        "message": Field(str),
        "helpful": Field(bool, required=False),
        "rating": Field(int, required=False, most=5),
        "comment": Field(str, required=False, most=COMMENT_LIMIT),
    },
    Do.TYPING: {"conversation": CONVERSATION, "on": Field(bool)},
    Do.PRESENCE: {"status": Field(str, among=tuple(PresenceStatus.values))},
    Do.READ: {"conversation": CONVERSATION, "seq": Field(int, most=2**31 - 1)},
    Do.WATCH: {"what": WHAT},
    Do.UNWATCH: {"what": WHAT},
}


def read(text: str) -> Frame:
    """The frame in this text; `BadFrame` says what is wrong with any other text."""
    if len(text.encode()) > settings.SOCKET_FRAME_LIMIT:
        raise BadFrame("frame_too_big", f"A frame has at most {settings.SOCKET_FRAME_LIMIT:,} bytes.")
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadFrame("malformed", "A frame is one JSON object.") from None
    if not isinstance(raw, dict):
        raise BadFrame("malformed", "A frame is one JSON object.")
    ref = raw.pop("ref", None)
    if not (ref is None or (isinstance(ref, str) and len(ref) <= 100) or type(ref) is int):
        raise BadFrame("wrong_type", "`ref` is a short text or a whole number.")
    do = raw.pop("do", None)
    if not isinstance(do, str) or do not in TABLE:
        raise BadFrame("unknown_frame", f"`do` is one of {', '.join(TABLE)}.", ref=ref)
    fields = TABLE[Do(do)]
    if unknown := raw.keys() - fields.keys():
        raise BadFrame("unknown_field", f"`{do}` has no field {sorted(unknown)[0][:50]!r}.", ref=ref)
    for name, field in fields.items():
        value = raw.get(name)
        if value is None:
            if field.required:
                raise BadFrame("missing_field", f"`{do}` needs the field `{name}`.", ref=ref)
        elif type(value) is not field.kind or (isinstance(value, list) and not all(isinstance(each, str) for each in value)):
            raise BadFrame("wrong_type", f"`{name}` is {KINDS[field.kind]}.", ref=ref)
        elif isinstance(value, str) and not 0 < len(value) <= field.most:
            raise BadFrame("wrong_length", f"`{name}` has 1 to {field.most:,} characters.", ref=ref)
        elif field.among and value not in field.among:
            raise BadFrame("not_a_choice", f"`{name}` is one of {', '.join(field.among)}.", ref=ref)
        elif isinstance(value, list) and len(value) > field.most:
            raise BadFrame("too_many", f"`{name}` has {field.most} entries at most.", ref=ref)
        elif isinstance(value, int) and not 0 <= value <= field.most:
            raise BadFrame("out_of_range", f"`{name}` is between 0 and {field.most:,}.", ref=ref)
    return Frame(do=Do(do), ref=ref, fields=raw)
