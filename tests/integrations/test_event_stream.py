import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.providers import event_stream
from integrations.providers.event_stream import EventStream, EventTooLarge

LINE_ENDS = (b"\n", b"\r\n", b"\r")


def fed(pieces: list[bytes]) -> list[bytes]:
    stream = EventStream()
    return [payload for piece in pieces for payload in stream.feed(piece)] + stream.close()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in at} | {0, len(data)})
    return [data[i:j] for i, j in itertools.pairwise(places)]


texts = st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), max_size=30)
noise = st.sampled_from([b"", b": keep-alive", b"event: message", b"id: 7", b"retry: 10", b"nonsense", b":"])


@st.composite
def streams(draw) -> tuple[bytes, list[bytes]]:
    """A stream of events as some server might write it, and the payloads in it."""
    data, payloads = b"", []
    for lines in draw(st.lists(st.lists(texts, min_size=1, max_size=3), max_size=8)):
        end = draw(st.sampled_from(LINE_ENDS))
        comment = draw(noise)
        if comment:
            data += comment + end
        space = draw(st.sampled_from([b" ", b""]))
        for line in lines:
            raw = line.encode()
            if not space and raw.startswith(b" "):
                raw = raw.lstrip(b" ")
            data += b"data:" + space + raw + end
        payloads.append(b"\n".join(line.encode() if space else line.encode().lstrip(b" ") for line in lines))
        data += end
    return data, payloads


@given(streams(), st.lists(st.integers(min_value=0), max_size=40))
def test_wherever_the_network_cuts_it_the_same_events_come_out(stream, at):
    data, payloads = stream
    assert fed(cut(data, at)) == payloads


@given(streams())
def test_byte_by_byte_the_same_events_come_out(stream):
    data, payloads = stream
    assert fed([data[i : i + 1] for i in range(len(data))]) == payloads


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_whatever_a_server_sends_it_is_read_the_same_in_one_piece(pieces):
    assert fed(pieces) == fed([b"".join(pieces)])


def test_an_event_is_given_out_as_soon_as_it_is_complete():
    stream = EventStream()
    assert stream.feed(b"data: one\n") == []
    assert stream.feed(b"\n") == [b"one"]
    assert stream.feed(b"data: two\n\ndata: thr") == [b"two"]
    assert stream.feed(b"ee\n\n") == [b"three"]


def test_a_byte_order_mark_is_not_part_of_the_first_event():
    assert fed([b"\xef", b"\xbb", b"\xbfdata: one\n\n"]) == [b"one"]
    assert fed([b"\xef\xbb\xbfdata: one\n\n"]) == [b"one"]


def test_a_last_event_without_its_empty_line_counts():
    assert fed([b"data: one\n\ndata: [DONE]"]) == [b"one", b"[DONE]"]


def test_several_data_lines_are_one_payload():
    assert fed([b"data: one\ndata\ndata:two\n\n"]) == [b"one\n\ntwo"]


@pytest.mark.parametrize("pieces", [[b"data: " + b"x" * 50] * 3, [b"data: " + b"x" * 50 + b"\n"] * 3])
def test_a_server_that_never_ends_an_event_is_stopped(pieces, monkeypatch):
    monkeypatch.setattr(event_stream, "LARGEST_EVENT", 100)
    with pytest.raises(EventTooLarge):
        fed(pieces)
