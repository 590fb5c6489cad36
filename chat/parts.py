"""The parts of a message: what it holds besides words (S1-27, S1-28, D9). Pure.

A part is `{"type", "value"}`:

    text     Markdown
    code     {"text", "language"?}
    image    {"name", "attachment_id"?}           a file of the same conversation; without an id, its name stands for it
    button   {"label", "action", "argument"?}     `chat/actions.py` says what the actions are
    card     {"title", "text"?, "facts"?: [{"name", "value"}, …]}

A message's text always says all of it: it is what is searched, quoted, copied and told to a model. Parts with a `text` among them are the
whole message, and its text is made of them (`words`); without one they stand below its text.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import TextChoices

from chat import actions, markdown

PARTS_LIMIT = 30
TEXT_LIMIT = 50_000  # characters of a text or of code
WORDS_LIMIT = 200  # of a label, a title, a name
VALUE_LIMIT = 1_000  # of a card's text or the value of a fact
FACTS_LIMIT = 30

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9+#.-]{0,23}\Z")
_ACTION = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_TICKS = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)

Part = dict[str, Any]


class PartType(TextChoices):
    TEXT = "text", "Text"
    IMAGE = "image", "Image"
    BUTTON = "button", "Button"
    CARD = "card", "Card"
    CODE = "code", "Code"


class PartWrong(ValueError):
    """A part is not what it has to be: `path` leads to it, such as `2.value.label`, and the sentence says what to send."""

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path
        self.sentence = sentence


# Checking --------------------------------------------------------------------------------------------------------------


def checked(given: Any) -> list[Part]:
    """These parts, with nothing in them that is not known. Raises `PartWrong`."""
    if not isinstance(given, list) or len(given) > PARTS_LIMIT:
        raise PartWrong("", f"Send a list of at most {PARTS_LIMIT} parts.")
    return [_part(part, str(place)) for place, part in enumerate(given)]


def _part(given: Any, path: str) -> Part:
    _fields(given, path, needed=("type", "value"))
    if given["type"] not in PartType.values:
        raise PartWrong(f"{path}.type", f"Send one of {', '.join(PartType.values)}.")
    return {"type": given["type"], "value": _VALUES[given["type"]](given["value"], f"{path}.value")}


def _text(given: Any, path: str, *, limit: int = TEXT_LIMIT) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > limit or "\0" in given:
        raise PartWrong(path, f"Send a text of up to {limit} characters.")
    return given


def _like(pattern: re.Pattern[str], sentence: str) -> Callable[[Any, str], str]:
    def check(given: Any, path: str) -> str:
        if not isinstance(given, str) or not pattern.match(given):
            raise PartWrong(path, sentence)
        return given

    return check


def _words(given: Any, path: str) -> str:
    return _text(given, path, limit=WORDS_LIMIT)


def _value(given: Any, path: str) -> str:
    return _text(given, path, limit=VALUE_LIMIT)


def _facts(given: Any, path: str) -> list[Part]:
    if not isinstance(given, list) or len(given) > FACTS_LIMIT:
        raise PartWrong(path, f"Send a list of at most {FACTS_LIMIT} facts.")
    return [_object({"name": _words, "value": _value})(fact, f"{path}.{place}") for place, fact in enumerate(given)]


def _object(needed: Mapping[str, Any], **more: Any) -> Callable[[Any, str], Part]:
    def check(given: Any, path: str) -> Part:
        _fields(given, path, needed=tuple(needed), more=tuple(more))
        return {name: look(given[name], f"{path}.{name}") for name, look in {**needed, **more}.items() if name in given}

    return check


def _fields(given: Any, path: str, *, needed: Sequence[str], more: Sequence[str] = ()) -> None:
    if not isinstance(given, dict):
        raise PartWrong(path, f"Send an object with {', '.join(needed)}.")
    for name in needed:
        if name not in given:
            raise PartWrong(f"{path}.{name}", "This is missing.")
    for name in given:
        if name not in (*needed, *more):
            raise PartWrong(path, "There is a field here that is not known. Leave it out.")


_VALUES: dict[str, Callable[[Any, str], Any]] = {
    PartType.TEXT.value: _text,
    PartType.CODE.value: _object({"text": _text}, language=_like(_LANGUAGE, "Send the name of a language, such as python.")),
    PartType.IMAGE.value: _object({"name": _words}, attachment_id=_like(_ID, "Send the id of an attachment.")),
    PartType.BUTTON.value: _object(
        {"label": _words, "action": _like(_ACTION, "Send the name of an action, such as ask.")}, argument=_value
    ),
    PartType.CARD.value: _object({"title": _words}, text=_value, facts=_facts),
}


def _strings(limit: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": limit}


def _schema_of(needed: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(needed), "properties": {**needed, **more}, "additionalProperties": False}


_FACT = _schema_of({"name": _strings(WORDS_LIMIT), "value": _strings(VALUE_LIMIT)})
_ACTIONS = "One of " + "; ".join(f"`{action.value}`: {action.label}" for action in actions.Action) + ". Any other is shown as plain words."
# The same for readers of the API's documentation. A text and code are given with their safe HTML.
SCHEMA: dict[str, Any] = {
    "type": "array",
    "maxItems": PARTS_LIMIT,
    "items": {
        "oneOf": [
            _schema_of({"type": {"type": "string", "enum": [type]}, "value": value}, **html)
            for html in [{"html": {"type": "string", "readOnly": True, "description": "Of a text or code, as safe HTML."}}]
            for type, value in (
                ("text", _strings(TEXT_LIMIT) | {"description": "Markdown."}),
                ("code", _schema_of({"text": _strings(TEXT_LIMIT)}, language=_strings(24))),
                ("image", _schema_of({"name": _strings(WORDS_LIMIT)}, attachment_id={"type": "string", "format": "uuid"})),
                (
                    "button",
                    _schema_of(
                        {"label": _strings(WORDS_LIMIT), "action": _strings(64) | {"description": _ACTIONS}}, argument=_strings(VALUE_LIMIT)
                    ),
                ),
                (
                    "card",
                    _schema_of(
                        {"title": _strings(WORDS_LIMIT)},
                        text=_strings(VALUE_LIMIT),
                        facts={"type": "array", "maxItems": FACTS_LIMIT, "items": _FACT},
                    ),
                ),
            )
        ]
    },
}


# Showing ---------------------------------------------------------------------------------------------------------------


def are_whole(parts: Iterable[Part]) -> bool:
    """Whether these parts are all of their message, rather than what stands below its text."""
    return any(part["type"] == PartType.TEXT for part in parts)


def words(parts: Iterable[Part]) -> str:
    """All that these parts say, as Markdown."""
    return "\n\n".join(_SAID[part["type"]](part["value"]) for part in parts)


def _code_said(value: Part) -> str:
    longest = max((len(ticks) for ticks in _TICKS.findall(value["text"])), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{value.get('language', '')}\n{value['text']}\n{fence}"


def _card_said(value: Part) -> str:
    facts = "\n".join(f"- {fact['name']}: {fact['value']}" for fact in value.get("facts", ()))
    return "\n\n".join(filter(None, (f"**{value['title']}**", value.get("text"), facts)))


_SAID: dict[str, Callable[[Any], str]] = {
    PartType.TEXT.value: lambda value: value,
    PartType.CODE.value: _code_said,
    PartType.IMAGE.value: lambda value: f"[image: {value['name']}]",
    PartType.BUTTON.value: lambda value: f"[{value['label']}]",
    PartType.CARD.value: _card_said,
}


def as_shown(parts: Iterable[Part]) -> list[Part]:
    """As a reader gets them: a text and code with their HTML, which passed the allow-list."""
    return [{**part, **_html(part)} for part in parts]


def _html(part: Part) -> dict[str, str]:
    if part["type"] == PartType.TEXT:
        return {"html": markdown.render(part["value"])}
    if part["type"] == PartType.CODE:
        return {"html": markdown.render_code(part["value"]["text"], part["value"].get("language", ""))}
    return {}


def as_copied(parts: Iterable[Part], *, for_strangers: bool = False) -> list[Part]:
    """Without the ids of files, which are files nowhere else; for strangers also without what buttons are about."""
    inside = ("attachment_id", "argument") if for_strangers else ("attachment_id",)
    return [_without(part, inside) if isinstance(part["value"], dict) else part for part in parts]


def _without(part: Part, names: Sequence[str]) -> Part:
    return {**part, "value": {name: value for name, value in part["value"].items() if name not in names}}
