"""The parts of a message: what it holds besides words (S1-27, S1-28, D9). Pure.

A part is `{"type", "value"}`:

    text     Markdown
    code     {"text", "language"?}
    image    {"name", "attachment_id"?}           a file of the same conversation; without an id, its name stands for it
    button   {"label", "action", "argument"?}     `chat/actions.py` says what the actions are
    card     {"title", "text"?, "facts"?: [{"name", "value"}, …]}
    table    {"title", "columns": [name, …], "rows": [[text or number, …], …]}
    chart    {"title", "kind": "line" or "bar", "labels": [text, …], "series": [{"name", "values": [number, …]}, …]}

A message's text always says all of it: it is what is searched, quoted, copied and told to a model. Parts with a `text` among them are the
whole message, and its text is made of them (`words`); without one they stand below its text.
"""

import math
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
COLUMNS_LIMIT = 12
ROWS_LIMIT = 100
POINTS_LIMIT = 100
SERIES_LIMIT = 8
CHARTS = ("line", "bar")

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
    TABLE = "table", "Table"
    CHART = "chart", "Chart"


OF_PEOPLE = (PartType.TEXT.value, PartType.IMAGE.value, PartType.CODE.value)


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


def _list(look: Callable[[Any, str], Any], limit: int) -> Callable[[Any, str], list[Any]]:
    def check(given: Any, path: str) -> list[Any]:
        if not isinstance(given, list) or not 1 <= len(given) <= limit:
            raise PartWrong(path, f"Send a list of 1 to {limit}.")
        return [look(one, f"{path}.{place}") for place, one in enumerate(given)]

    return check


def _number(given: Any, path: str) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool) or not math.isfinite(given) or abs(given) > 1e15:
        raise PartWrong(path, "Send a number.")
    return given


def _cell(given: Any, path: str) -> str | float:
    if given == "":
        return ""
    if isinstance(given, str):
        return _words(given, path)
    return _number(given, path)


def _row(given: Any, path: str) -> list[str | float]:
    return _list(_cell, COLUMNS_LIMIT)(given, path)


def _table(given: Any, path: str) -> Part:
    _fields(given, path, needed=("title", "columns", "rows"))
    columns = _list(_words, COLUMNS_LIMIT)(given["columns"], f"{path}.columns")
    rows = [] if given["rows"] == [] else _list(_row, ROWS_LIMIT)(given["rows"], f"{path}.rows")
    for place, row in enumerate(rows):
        if len(row) != len(columns):
            raise PartWrong(f"{path}.rows.{place}", "Send as many cells as there are columns.")
    return {"title": _words(given["title"], f"{path}.title"), "columns": columns, "rows": rows}


def _chart(given: Any, path: str) -> Part:
    _fields(given, path, needed=("title", "kind", "labels", "series"))
    if given["kind"] not in CHARTS:
        raise PartWrong(f"{path}.kind", f"Send one of {', '.join(CHARTS)}.")
    labels = _list(_words, POINTS_LIMIT)(given["labels"], f"{path}.labels")
    series = _list(_object({"name": _words, "values": _list(_number, POINTS_LIMIT)}), SERIES_LIMIT)(given["series"], f"{path}.series")
    for place, one in enumerate(series):
        if len(one["values"]) != len(labels):
            raise PartWrong(f"{path}.series.{place}.values", "Send as many values as there are labels.")
    return {"title": _words(given["title"], f"{path}.title"), "kind": given["kind"], "labels": labels, "series": series}


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
    PartType.TABLE.value: _table,
    PartType.CHART.value: _chart,
}


def fitted(given: Part) -> Part:
    """A part made of figures from elsewhere, with texts and rows cut to what a part may hold. Raises `PartWrong` where it is none."""
    if given.get("type") in (PartType.TABLE, PartType.CHART):
        given = {"type": given["type"], "value": _cut(given["value"])}
    return checked([given])[0]


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").strip()[:WORDS_LIMIT]
    if isinstance(value, list | tuple):
        return [_cut(one) for one in value[:ROWS_LIMIT]]
    return {name: _cut(one) for name, one in value.items()} if isinstance(value, dict) else value


def _strings(limit: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": limit}


def _strings_of(limit: int) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "maxItems": limit, "items": _strings(WORDS_LIMIT)}


def _schema_of(needed: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(needed), "properties": {**needed, **more}, "additionalProperties": False}


_FACT = _schema_of({"name": _strings(WORDS_LIMIT), "value": _strings(VALUE_LIMIT)})
_ROW = {"type": "array", "maxItems": COLUMNS_LIMIT, "items": {"oneOf": [{"type": "string", "maxLength": WORDS_LIMIT}, {"type": "number"}]}}
_SERIES = _schema_of({"name": _strings(WORDS_LIMIT), "values": {"type": "array", "maxItems": POINTS_LIMIT, "items": {"type": "number"}}})
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
                (
                    "table",
                    _schema_of(
                        {
                            "title": _strings(WORDS_LIMIT),
                            "columns": _strings_of(COLUMNS_LIMIT),
                            "rows": {"type": "array", "maxItems": ROWS_LIMIT, "items": _ROW},
                        }
                    ),
                ),
                (
                    "chart",
                    _schema_of(
                        {
                            "title": _strings(WORDS_LIMIT),
                            "kind": {"type": "string", "enum": list(CHARTS)},
                            "labels": _strings_of(POINTS_LIMIT),
                            "series": {"type": "array", "minItems": 1, "maxItems": SERIES_LIMIT, "items": _SERIES},
                        }
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


_CELL = re.compile(r"([\\`*_\[\]<>|#~])")


def _plain(cell: str | float) -> str:
    return _CELL.sub(r"\\\1", " ".join(str(cell).split()))


def _table_said(value: Part) -> str:
    lines = [list(map(_plain, value["columns"])), ["---"] * len(value["columns"]), *(list(map(_plain, row)) for row in value["rows"])]
    return "\n".join([f"**{_plain(value['title'])}**", "", *(f"| {' | '.join(line)} |" for line in lines)])


_SAID: dict[str, Callable[[Any], str]] = {
    PartType.TEXT.value: lambda value: value,
    PartType.CODE.value: _code_said,
    PartType.IMAGE.value: lambda value: f"[image: {value['name']}]",
    PartType.BUTTON.value: lambda value: f"[{value['label']}]",
    PartType.CARD.value: _card_said,
    PartType.TABLE.value: _table_said,
    PartType.CHART.value: lambda value: f"[chart: {value['title']}]",
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
