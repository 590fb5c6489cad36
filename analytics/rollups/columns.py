"""BSON documents as columns: a field is found in all documents of a batch at once, by numpy, and none of them becomes an object.

All documents are walked in step, a field at a time, and may have their fields in any order, or not have them. `docs/decisions/the-night.md`
has the measurements.
"""

import struct
from collections.abc import Sequence
from typing import Any

import bson
import numpy as np

DOUBLE, TEXT, DOCUMENT, BOOL, DATE, NULL, INT, LONG = 1, 2, 3, 8, 9, 10, 16, 18  # BSON's numbers of these
NOT_THERE = (0, NULL)

# Bytes of a value; of a text and a document those that say how long it is are the value's first four.
SIZES = np.full(256, -1, np.int64)
SIZES[[DOUBLE, TEXT, DOCUMENT, BOOL, DATE, NULL, INT, LONG]] = 8, 4, 0, 1, 8, 0, 4, 8

_first_bytes = np.array([(1 << 8 * many) - 1 for many in range(9)], np.uint64)  # of a number of eight
_length = struct.Struct("<i").unpack_from
_AFTER = 64  # zeros behind the last document, so that whatever is read from a place in it is there
_multipliers = np.random.default_rng(1).integers(1, 2**63, size=9, dtype=np.uint64) | np.uint64(1)


class UnreadableError(Exception):
    """There is a value of a type, or a text of a length, that is not read this way."""


class Data:
    """Bytes, read as numbers from any place."""

    def __init__(self, given: bytes) -> None:
        self.bytes = given + bytes(_AFTER)
        self.u8, self.i32, self.i64, self.u64, self.f64 = (self._from_every_place(kind) for kind in ("<u1", "<i4", "<i8", "<u8", "<f8"))

    def _from_every_place(self, kind: str) -> np.ndarray:
        return np.ndarray((len(self.bytes) - np.dtype(kind).itemsize + 1,), kind, self.bytes, strides=(1,))


def places_in_array(array: bytes) -> np.ndarray:
    """Where each document of a BSON array begins: behind its type, its number in digits and a zero."""
    place, end, length = 4, len(array) - 1, _length
    found: list[int] = []
    digits = 1
    while True:
        for _ in range(9 * 10 ** (digits - 1) + (digits == 1)):  # numbers of so many digits
            if place >= end:
                return np.array(found, np.int64)
            place += digits + 2
            found.append(place)
            place += length(array, place)[0]
        digits += 1


def places_in_row(documents: bytes) -> np.ndarray:
    """Where each of documents that follow one another begins."""
    place, found = 0, []
    while place < len(documents):
        found.append(place)
        place += _length(documents, place)[0]
    return np.array(found, np.int64)


def decoded(given: bytes, places: np.ndarray) -> list[dict[str, Any]]:
    """The documents at these places."""
    return [bson.decode(given[place : place + _length(given, place)[0]]) for place in places.tolist()]


class Fields:
    """The fields that documents may have: no others. They are told apart by the first eight bytes of their names."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        words = [name.encode() + b"\0" for name in names]
        self._known = [
            (name, np.uint64(int.from_bytes(word[:8], "little")), _first_bytes[min(8, len(word))], len(word) + 1)
            for name, word in zip(names, words, strict=True)
        ]
        if len({word[:8] for word in words}) != len(words):
            raise ValueError(f"Two of {', '.join(names)} begin alike.")

    def find(self, data: Data, documents: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By name: the type of each document's value (0 where it has none), and the value's place. Raises UnreadableError."""
        many = len(documents)
        found = {name: (np.zeros(many, np.uint8), np.zeros(many, np.int64)) for name in self.names}
        row, at = np.arange(many), documents + 4
        while True:
            kind = data.u8[at]
            goes_on = kind != 0
            if not goes_on.all():
                row, at, kind = row[goes_on], at[goes_on], kind[goes_on]
            if not len(row):
                return found
            value = self._step(data, found, row, at, kind)
            size = SIZES[kind]
            if (size < 0).any():
                raise UnreadableError
            says_its_length = (kind == TEXT) | (kind == DOCUMENT)
            at = value + size + np.where(says_its_length, data.i32[value], 0)

    def _step(self, data: Data, found: dict[str, tuple[np.ndarray, np.ndarray]], row: np.ndarray, at: np.ndarray, kind: np.ndarray):
        """Notes the field that stands at `at` in each of the documents `row`; gives the places of the values."""
        word, value, left = data.u64[at + 1], np.zeros(len(row), np.int64), len(row)
        for name, begins, mask, skip in self._known:
            mine = np.flatnonzero((word & mask) == begins)
            if len(mine):
                kinds, places = found[name]
                value[mine] = at[mine] + skip
                kinds[row[mine]], places[row[mine]] = kind[mine], value[mine]
                left -= len(mine)
            if not left:
                return value
        raise UnreadableError


def texts(data: Data, places: np.ndarray, *, words: int) -> np.ndarray:
    """Of the text at each place: its length in bytes, then its first 8 × `words` bytes as numbers, a row each."""
    length = data.i32[places].astype(np.int64) - 1
    said = np.empty((words + 1, len(places)), np.uint64)
    said[0] = length
    for number in range(words):
        said[number + 1] = data.u64[places + 4 + 8 * number] & _first_bytes[np.clip(length - 8 * number, 0, 8)]
    return said


def numbered(said: np.ndarray) -> np.ndarray:
    """A number for each text of `texts`: the same for the same text, and nearly always another for another."""
    return (said * _multipliers[: len(said), None]).sum(axis=0, dtype=np.uint64)


class Words:
    """Texts out of a list, 24 bytes long at most, as their places in it."""

    LONGEST = 24

    def __init__(self, words: Sequence[str]) -> None:
        given = [word.encode() for word in words]
        if max(map(len, given)) > self.LONGEST:
            raise ValueError(f"One of {', '.join(words)} is too long.")
        written = [struct.pack("<i", len(word) + 1) + word + b"\0" for word in given]
        known = texts(Data(b"".join(written)), np.cumsum([0, *map(len, written[:-1])]), words=self.LONGEST // 8)
        self._order = np.argsort(numbered(known))
        self._known = known[:, self._order]
        self._numbers = numbered(self._known)

    def of(self, data: Data, kinds: np.ndarray, places: np.ndarray) -> np.ndarray:
        """-1 where there is no text, or another."""
        found = np.full(len(kinds), -1, np.int8)
        there = np.flatnonzero(kinds == TEXT)
        said = texts(data, places[there], words=self.LONGEST // 8)
        nearest = np.minimum(np.searchsorted(self._numbers, numbered(said)), len(self._numbers) - 1)
        same = (self._known[:, nearest] == said).all(axis=0)
        found[there[same]] = self._order[nearest[same]]
        return found


class Ids:
    """The ids seen so far, each with its place; place 0 is that of none. All are as long as a UUID's text."""

    LENGTH = 36

    def __init__(self, none: str) -> None:
        self.places: dict[bytes, int] = {none.encode(): 0}

    def __len__(self) -> int:
        return len(self.places)

    def texts(self) -> list[str]:
        return [key.decode() for key in self.places]

    def of(self, data: Data, kinds: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Raises UnreadableError where there is something else."""
        there = np.flatnonzero(kinds == TEXT)
        said = texts(data, places[there], words=5)
        if not np.isin(kinds[kinds != TEXT], NOT_THERE).all() or (said[0] != self.LENGTH).any():
            raise UnreadableError
        first, which = distinct(said)
        begins = (places[there[first]] + 4).tolist()
        mine = [self.places.setdefault(data.bytes[begin : begin + self.LENGTH], len(self.places)) for begin in begins]
        found = np.zeros(len(kinds), np.int32)
        found[there] = np.array(mine, np.int32)[which]
        return found


def distinct(said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each different text is first, and for each text which of these it is. Sorts numbers made of texts; should two texts make the
    same number, it sorts the texts, which takes longer."""
    _, first, which = np.unique(numbered(said), return_index=True, return_inverse=True)
    if not (said[:, first[which]] == said).all():
        _, first, which = np.unique(said, axis=1, return_index=True, return_inverse=True)
    return first, which
