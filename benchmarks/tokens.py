"""The tokens of the mock provider: each says which one it is and when it was written, so that delay and order are read off at the end.

A token is twelve digits and a space: its place modulo a thousand, then the host's monotonic clock in microseconds modulo a
thousand seconds. Nothing is looked at while the load runs; `Heard.tally` reads it all afterwards.
"""

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

SIZE = 13  # bytes of a token
PLACES = 1_000
WRAP = 1_000_000_000  # microseconds
WHOLE = b'"event":"message"'  # an event that says again what the deltas said
_TOKEN = re.compile(rb"(\d{3})(\d{9}) ")


def token(place: int, now: float) -> bytes:
    """The token for this place (from 0), written at `now` seconds of the monotonic clock."""
    return b"%03d%09d " % (place % PLACES, int(now * 1_000_000) % WRAP)


def has_token(frame: bytes) -> bool:
    return _TOKEN.search(frame) is not None


def question(*, tokens: int, every: float = 0.0, first: float = 0.0) -> str:
    """What to ask the mock for: so many tokens, `every` seconds one (0: all at once), the first after `first` seconds."""
    return f"mock-n{tokens}-d{every * 1_000:g}-f{first * 1_000:g}"


@dataclass
class Heard:
    """What a reader got of one answer: each frame with the moment it came."""

    frames: list[tuple[float, bytes]] = field(default_factory=list)  # monotonic seconds, bytes as they came
    cumulative: bool = False  # a frame may say again all that the ones before said

    def tally(self) -> "Tally":
        return tally(self.frames, cumulative=self.cumulative)


@dataclass
class Tally:
    """The tokens of one answer in the order they came. `delays` are seconds from written to received."""

    delays: array
    written: array  # monotonic seconds modulo a thousand
    in_order: bool
    frames: int

    @property
    def tokens(self) -> int:
        return len(self.delays)


def tally(frames: Iterable[tuple[float, bytes]], *, cumulative: bool = False) -> Tally:
    delays, written = array("d"), array("d")
    place, in_order, count = 0, True, 0
    beginning: list[tuple[bytes, bytes]] = []
    for at, frame in frames:
        found = _TOKEN.findall(frame)
        if cumulative and place and found[:1] == beginning:
            found = found[place:]
        elif WHOLE in frame[:110]:
            # Sent while the answer is being written, where deltas were lost: what it has beyond them counts. Otherwise nothing is new.
            found = found[place:] if b'"status":"streaming"' in frame else []
        if not place:
            beginning = found[:1]
        count += bool(found)
        came = int(at * 1_000_000)
        for said, moment in found:
            in_order &= int(said) == place % PLACES
            place += 1
            wrote = int(moment)
            delays.append(((came - wrote) % WRAP) / 1_000_000)
            written.append(wrote / 1_000_000)
    return Tally(delays=delays, written=written, in_order=in_order, frames=count)
