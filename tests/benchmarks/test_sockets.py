"""The lean socket reads frames however the network cuts them."""

import pytest

from benchmarks.sockets import ParleySocket, Refused, number_of

DELTA = b'{"conversation":"c","n":41,"event":"delta","message":"m","attempt":1,"offset":0,"text":"Hi"}'
ENDED = b'{"conversation":"c","n":42,"event":"message","message":{"role":"assistant","status":"sent","text":"%b"}}' % (b"x" * 70_000)


def framed(payload: bytes) -> bytes:
    """A text frame as a server sends it."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 1 << 16:
        return b"\x81\x7e" + length.to_bytes(2) + payload
    return b"\x81\x7f" + length.to_bytes(8) + payload


@pytest.mark.parametrize("size", [1, 7, 1_000, 1_000_000])
async def test_frames_cut_anywhere(size):
    socket = ParleySocket()
    stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + framed(DELTA) + framed(ENDED)
    for at in range(0, len(stream), size):
        socket.data_received(stream[at : at + size])
    assert [frame for _, frame in socket.heard.frames] == [DELTA, ENDED]
    assert await socket.ended == "sent"
    assert number_of(DELTA) == 41


async def test_a_server_that_refuses():
    socket = ParleySocket()
    socket.data_received(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    with pytest.raises(Refused, match="403"):
        await socket.opened


async def test_a_gap_is_named():
    socket = ParleySocket()
    socket.joined = {"n": 39}
    socket.heard.frames.append((0.0, DELTA))
    assert socket.fault() == "Event 41 came after event 39."
