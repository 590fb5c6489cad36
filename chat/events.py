"""The vocabulary of the socket and of the event stream (contract.md, "Socket"): what an event is called and what it carries.

An event travels as JSON text. Its maker writes everything after the number; the number is put in by Redis, atomically with the
append. A reader finds the number at a fixed place, without parsing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

_NUMBER_AT = len('{"conversation":"00000000-0000-0000-0000-000000000000","n":')
_EDITS_UNTIL = _NUMBER_AT + 250  # a message's ids and places stand before whatever a person wrote


class EventType(StrEnum):
    MESSAGE = "message"
    DELTA = "delta"
    CONVERSATION = "conversation"
    QUEUE = "queue"
    # These have no number and are not kept: each says how things are now, and may be lost.
    TYPING = "typing"
    PRESENCE = "presence"
    PARTICIPANTS = "participants"
    UNREAD = "unread"


class Do(StrEnum):
    """What a client may ask for over the socket."""

    JOIN = "join"
    LEAVE = "leave"
    SEND = "send"
    STOP = "stop"
    RETRY = "retry"
    REGENERATE = "regenerate"
    EDIT = "edit"
    QUEUE = "queue"
    UNQUEUE = "unqueue"
    NEXT = "next"
    FEEDBACK = "feedback"
    TYPING = "typing"
    PRESENCE = "presence"
    READ = "read"
    WATCH = "watch"
    UNWATCH = "unwatch"


class Watched(StrEnum):
    """What a tab may watch besides conversations; the app that has it offers it (`chat.realtime.watches`)."""

    METRICS = "metrics"


class Close:
    """Close codes of the socket."""

    SIGNED_OUT = 4401
    NOT_ALLOWED = 4403
    IDLE = 4408
    RESTART = 1012
    TOO_SLOW = 1013
    TOO_BIG = 1009


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that has no number yet. `body` is the JSON after the number, closing brace included.

    `follows` is the number of an event without which this one means nothing to a reader: where Redis has forgotten that one, this one
    is not placed. 0: it stands by itself.
    """

    conversation_id: str
    body: bytes
    follows: int = 0


def message(view: dict[str, Any]) -> Draft:
    """A whole message, new or changed. `view` is the message in the contract's shape."""
    return Draft(view["conversation"], b'"event":"message","message":' + orjson.dumps(view) + b"}")


def conversation(view: dict[str, Any]) -> Draft:
    """A conversation's own facts changed: title, status, pin."""
    return Draft(view["id"], b'"event":"conversation","value":' + orjson.dumps(view) + b"}")


def queue(conversation_id: str, view: dict[str, Any]) -> Draft:
    """What waits to be asked changed. `view` is all of it."""
    return Draft(conversation_id, b'"event":"queue","queue":' + orjson.dumps(view) + b"}")


def delta(*, conversation_id: str, message_id: str, attempt: int, offset: int, text: str, follows: int = 0) -> Draft:
    """More text of an answer. `offset` counts the code points before it, the last of which came with event `follows`."""
    return Draft(
        conversation_id,
        b'"event":"delta","message":"%b","attempt":%d,"offset":%d,"text":%b}' % (message_id.encode(), attempt, offset, orjson.dumps(text)),
        follows,
    )


def passing(conversation_id: str, event: EventType, **facts: Any) -> bytes:
    """An event that is not kept and has no number."""
    return b'{"conversation":"%b","event":"%b",%b' % (conversation_id.encode(), event.encode(), orjson.dumps(facts)[1:])


def is_passing(event: bytes) -> bool:
    """True for an event without a number."""
    return not event.startswith(b'"n":', _NUMBER_AT - 4)


def is_about_conversation(event: bytes) -> bool:
    """True if the conversation itself changed, and with it perhaps who may read it."""
    return event.startswith(b'"event":"conversation"', event.index(b",", _NUMBER_AT) + 1)


def begins_strand(event: bytes) -> bool:
    """True for a question that was asked again in other words."""
    is_message = event.startswith(b'"event":"message"', event.index(b",", _NUMBER_AT) + 1)
    return is_message and event.find(b'"edits":null', _NUMBER_AT, _EDITS_UNTIL) < 0


def number_of(event: bytes) -> int:
    """The event's number, read off its text."""
    return int(event[_NUMBER_AT : event.index(b",", _NUMBER_AT)])
