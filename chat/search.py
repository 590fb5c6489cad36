"""What a search asks for, and what is shown of what it finds. Pure: no store is asked here.

A query is words, "quoted phrases", -excluded words and operators (`from: type: about: before: after: pinned: status:`). It becomes typed
values and patterns made of escaped characters; nothing of it reaches a store otherwise.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chat.choices import ConsultationType, ConversationStatus
from chat.services.errors import SearchNotUnderstood

QUERY_LIMIT = 200  # characters
SNIPPET = 160  # characters
BEFORE_HIT = 50  # characters of a snippet that stand before its first hit

_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "\x00": " "})
_PART = re.compile(r'(?P<minus>-)?(?:(?P<operator>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)(?:"|$)|(?P<plain>[^\s"]*))')
_MARKS = "[\u0300-\u036f]*"
# What markdown adds to an answer's text: emphasis, code, and what begins a line.
_MARKUP = re.compile(r"\*\*|(?<!\S)\*(?=\S)|(?<=\S)\*(?!\S)|`+|^[ \t]*(?:#{1,6}|>|[-*+])[ \t]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """A search as it was understood. All of `words` (words and phrases) must be there and none of `excluded`; times are UTC."""

    words: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    author: str = ""
    types: tuple[str, ...] = ()
    about: str = ""
    before: datetime | None = None
    after: datetime | None = None
    pinned: bool | None = None
    status: str | None = None

    @property
    def lead(self) -> str:
        """The single word that is looked up in the index: the longest, since long words are rare ones."""
        return max((part for word in self.words for part in word.split()), key=_weight)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a snippet; a `hit` is what was looked for."""

    text: str
    hit: bool


# Understanding a query -------------------------------------------------------------------------------------------------


def parse(text: str) -> Query:
    """The query that a text means. Raises `SearchNotUnderstood`, whose sentence names what is not understood."""
    if len(text) > QUERY_LIMIT:
        raise SearchNotUnderstood(f"The search is too long. {QUERY_LIMIT} characters are the most.")
    words: list[str] = []
    excluded: list[str] = []
    asked: dict[str, object] = {}
    for part in _PART.finditer(unicodedata.normalize("NFC", text.translate(_QUOTES))):
        operator = part["operator"]
        value = " ".join((part["quoted"] if part["quoted"] is not None else part["plain"]).split())
        if operator:
            _take(asked, operator.lower(), value, minus=bool(part["minus"]))
        elif value:
            (excluded if part["minus"] else words).append(value)
    if not any(map(_weight, words)):
        raise SearchNotUnderstood("Write at least one word to look for.")
    return Query(words=tuple(words), excluded=tuple(word for word in excluded if _weight(word)), **asked)  # type: ignore[arg-type]


def _take(asked: dict[str, object], operator: str, value: str, *, minus: bool) -> None:
    if operator not in _OPERATORS:
        known = ", ".join(f"{name}:" for name in _OPERATORS)
        raise SearchNotUnderstood(f"There is no operator {operator}: here. There are {known}; put text with a colon in quotation marks.")
    if minus:
        raise SearchNotUnderstood(f"Only words can be excluded, not {operator}:. Leave out the minus sign.")
    if not value:
        raise SearchNotUnderstood(f"Write what {operator}: is to be, right behind its colon.")
    name, read = _OPERATORS[operator]
    if name in asked:
        raise SearchNotUnderstood(f"Give {operator}: once.")
    asked[name] = read(operator, value)


def _name(operator: str, value: str) -> str:
    return value


def _types(operator: str, value: str) -> tuple[str, ...]:
    """The types that are meant by a value, or by words of a label."""
    wanted = value.casefold()
    if wanted in ConsultationType.values:
        return (wanted,)
    found = tuple(type.value for type in ConsultationType if all(word in type.label.casefold() for word in wanted.split()))
    if not found:
        known = ", ".join(ConsultationType.values)
        raise SearchNotUnderstood(f"There is no type “{value}”. There are {known}.")
    return found


def _day(operator: str, value: str) -> datetime:
    try:
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise SearchNotUnderstood(f"“{value}” is no date. Write {operator}: with a day such as 2026-03-01.") from None


def _pinned(operator: str, value: str) -> bool:
    if value.casefold() not in ("yes", "no"):
        raise SearchNotUnderstood(f"{operator}: is yes or no, not “{value}”.")
    return value.casefold() == "yes"


def _status(operator: str, value: str) -> str:
    offered = (ConversationStatus.ACTIVE.value, ConversationStatus.ARCHIVED.value)
    if value.casefold() not in offered:
        raise SearchNotUnderstood(f"{operator}: is {' or '.join(offered)}, not “{value}”.")
    return value.casefold()


_OPERATORS: dict[str, tuple[str, Callable[[str, str], object]]] = {
    "from": ("author", _name),
    "type": ("types", _types),
    "about": ("about", _name),
    "before": ("before", _day),
    "after": ("after", _day),
    "pinned": ("pinned", _pinned),
    "status": ("status", _status),
}


def _weight(word: str) -> int:
    """How long the longest run of letters and digits in a word is; 0 for one that is only signs."""
    longest = run = 0
    for character in word:
        run = run + 1 if character.isalnum() or unicodedata.category(character).startswith("M") else 0
        longest = max(longest, run)
    return longest if any(map(str.isalnum, word)) else 0


# Patterns --------------------------------------------------------------------------------------------------------------


def _variants() -> dict[str, str]:
    """The Latin letters with marks, by the letter that they are without them: what the index takes for the same."""
    found: dict[str, str] = defaultdict(str)
    for code in (*range(0x00C0, 0x0250), *range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii():
            found[base.lower()] += chr(code)
    return found


_VARIANTS = _variants()


def pattern(word: str) -> str:
    """A word or phrase as a regular expression that MongoDB and Python read alike: whole words, whatever marks the letters carry."""
    return rf"(?<!\w){name_pattern(word)}(?!\w)"


def name_pattern(part: str) -> str:
    """Part of a name, as a regular expression; marks and case do not matter."""
    return "".join(_spelled(_bare(character)) for character in part if not "\u0300" <= character <= "\u036f")


def _bare(character: str) -> str:
    """A Latin letter without its marks; any other character as it is."""
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() else character


def _spelled(character: str) -> str:
    if character.isspace():
        return r"\s+"
    if character.isalpha():
        return f"[{character}{_VARIANTS[character.lower()]}]{_MARKS}" if character.lower() in _VARIANTS else character + _MARKS
    return re.escape(character)


# Snippets --------------------------------------------------------------------------------------------------------------


def plain(markdown: str) -> str:
    """An answer's text without the signs that markdown adds to it."""
    return _MARKUP.sub("", markdown)


def snippet(text: str, words: Sequence[str]) -> tuple[Piece, ...]:
    """About `SNIPPET` characters of a text around the first of these words, in pieces. No sign that the reader sees as one is cut."""
    text = " ".join(text.split())
    wanted = re.compile("|".join(map(pattern, sorted(words, key=len, reverse=True))), re.IGNORECASE)
    first = wanted.search(text)
    begin = _word_edge(text, first.start() - BEFORE_HIT) if first else 0
    end = _end(text, max(begin + SNIPPET, first.end() if first else 0))
    pieces = [Piece("…", False)] if begin else []
    place = begin
    for hit in wanted.finditer(text, begin, end):
        pieces += [Piece(text[place : hit.start()], False), Piece(hit[0], True)]
        place = hit.end()
    pieces.append(Piece(text[place:end], False))
    if end < len(text):
        pieces.append(Piece("…", False))
    return tuple(piece for piece in pieces if piece.text)


def _word_edge(text: str, place: int) -> int:
    """The beginning of the first word from here on; where none is near, of the sign that is here."""
    if place <= 0:
        return 0
    space = text.find(" ", place, place + BEFORE_HIT)
    return _sign_edge(text, place if space < 0 else space + 1)


def _end(text: str, place: int) -> int:
    if place >= len(text):
        return len(text)
    return _sign_edge(text, place)


def _sign_edge(text: str, place: int) -> int:
    """The nearest place at or before this one where no sign is cut: letters keep their marks, emoji their parts, flags their halves."""
    while 0 < place < len(text) and _joined(text, place):
        place -= 1
    return place


def _joined(text: str, place: int) -> bool:
    before, behind = text[place - 1], text[place]
    if unicodedata.category(behind).startswith("M") or "\U0001f3fb" <= behind <= "\U0001f3ff" or "\u200d" in (before, behind):
        return True
    if not _is_flag_half(behind):
        return False
    halves = 0
    while halves < place and _is_flag_half(text[place - 1 - halves]):
        halves += 1
    return halves % 2 == 1


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
