"""The ways that a conversation took: each edited question begins a *strand*, beside the question that it was made from.

A strand has the number of the question that begins it (its `seq`); the first is 0. Nothing is copied: what is read from the start
to the end of a strand is its *path*, a few stretches of messages, each of one strand and up to the place of the question that the
next strand has in its place. Pure functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FIRST = 0
MOST = 200  # strands of a conversation besides the first
INDEX = "path"  # by which MongoDB reads a path: it has the strand before the place


@dataclass(frozen=True, slots=True)
class Strand:
    """Begins with question `number`, in place of the one at `edits`, which is in strand `parent`."""

    number: int
    parent: int
    edits: int

    @classmethod
    def read(cls, raw: Any) -> "Strand":
        return cls(number=raw["strand"], parent=raw["parent"], edits=raw["edits"])

    def as_json(self) -> dict[str, int]:
        """As the API shows it and MongoDB keeps it."""
        return {"strand": self.number, "parent": self.parent, "edits": self.edits}


Path = tuple[tuple[int, int | None], ...]
"""Stretches, oldest first: the messages of this strand before this place (None: all of them). Empty: everything there is."""


def path_of(strands: Sequence[Strand], number: int) -> Path:
    """The path of a strand that is known (or the first). A stretch in which nothing can be is left out."""
    if not strands:
        return ()
    known = {strand.number: strand for strand in strands}
    stretches: list[tuple[int, int | None]] = [(number, None)]
    while number != FIRST:
        strand = known[number]
        number = strand.parent
        if strand.edits > max(number, 1):
            stretches.append((number, strand.edits))
    return tuple(reversed(stretches))


def beginning(path: Path) -> int:
    """The place of a path's first message."""
    return max(path[0][0], 1) if path else 1


def holds(path: Path, *, seq: int, strand: int) -> bool:
    return not path or any(strand == number and (before is None or seq < before) for number, before in path)


def versions_of(strands: Sequence[Strand], *, seq: int, strand: int) -> tuple[int, ...]:
    """The strands of the versions of a question, oldest first; its own among them. One where it was never edited."""
    edited = edited_of(strands, seq=seq, strand=strand)
    return (edited.parent, *(other.number for other in strands if other.edits == edited.edits))


def edited_of(strands: Sequence[Strand], *, seq: int, strand: int) -> Strand:
    """What a new version of this question would be, but for its number: an edited question's versions stand side by side."""
    for known in strands:
        if known.number == seq:
            return known
    return Strand(number=0, parent=strand, edits=seq)


def clauses(path: Path, *, most: int, before: int | None = None, after: int | None = None, upwards: bool = False) -> list[dict[str, Any]]:
    """MongoDB's conditions, one for each stretch, that up to `most` messages at one end of a path need (or those on one side of a
    place). Each stretch but the oldest holds a message at least, the question that begins it, so no more stretches are needed."""
    reached = [
        stretch
        for stretch in path
        if (before is None or stretch[0] < before) and (after is None or stretch[1] is None or stretch[1] > after + 1)
    ]
    needed = reached[: most + 1] if upwards else reached[-most - 1 :]
    return [{**of(number), **({} if end is None else {"seq": {"$lt": end}})} for number, end in needed] or [of(-1)]


def of(number: int) -> dict[str, Any]:
    """MongoDB's condition for the messages of one strand. Those of the first do not say so."""
    return {"strand": number if number != FIRST else {"$exists": False}}
