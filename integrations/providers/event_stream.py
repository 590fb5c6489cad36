"""Splits a stream of bytes into server-sent events, wherever the network cut it. No I/O.

Works on bytes throughout: a character cut in two stays in the unfinished line until its rest has come, so nothing is ever decoded
by halves. Follows the HTML standard's rules for event streams: lines end with LF, CRLF or CR, an event ends with an empty line,
several `data:` lines are joined with LF, a line that starts with a colon is a comment, `event:`, `id:` and `retry:` are not ours.
"""

LARGEST_EVENT = 4 * 1024 * 1024  # bytes; a server that never ends a line must not fill our memory
_MARK = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """A server sent more than `LARGEST_EVENT` bytes without ending an event."""


class EventStream:
    """Feed it bytes as they come; it gives back the payloads (the joined `data:` lines) of the events they complete."""

    __slots__ = ("_data", "_held", "_rest", "_started")

    def __init__(self) -> None:
        self._rest = b""  # an unfinished line
        self._data: list[bytes] = []  # `data:` lines of an unfinished event
        self._held = 0  # their bytes
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        rest = self._rest
        buffer = rest + chunk if rest else chunk
        if not self._started:
            if len(buffer) < 3 and _MARK.startswith(buffer):
                self._rest = buffer
                return []
            self._started = True
            if buffer.startswith(_MARK):
                buffer = buffer[3:]
        end = buffer.rfind(b"\n") + 1
        if b"\r" in buffer:
            # A CR at the very end may be half of a CRLF: it ends its line once the next byte is known.
            end = max(end, buffer.rfind(b"\r", 0, len(buffer) - 1) + 1)
        if end == len(buffer):
            self._rest = b""
        else:
            self._rest = buffer[end:]
            if len(self._rest) + self._held > LARGEST_EVENT:
                raise EventTooLarge
            if not end:
                return []
            buffer = buffer[:end]
        return self._payloads(buffer)

    def close(self) -> list[bytes]:
        """The stream has ended: what a server left without the final empty line counts, as far as there is any."""
        rest, self._rest = self._rest, b""
        return self._payloads(rest + b"\n\n")

    def _payloads(self, buffer: bytes) -> list[bytes]:
        payloads: list[bytes] = []
        data = self._data
        for line in buffer.splitlines():
            if line[:5] == b"data:":
                value = line[6:] if line[5:6] == b" " else line[5:]
                data.append(value)
                self._held += len(value)
                if self._held > LARGEST_EVENT:
                    raise EventTooLarge
            elif not line:
                if data:
                    payloads.append(data[0] if len(data) == 1 else b"\n".join(data))
                    data.clear()
                    self._held = 0
            elif line == b"data":
                data.append(b"")
        return payloads
