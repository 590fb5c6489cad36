"""A question that somebody did not hear, or an event that is missing, must show."""

import orjson

from benchmarks.scenarios.company import Sent, reckon

SENT = {"a": Sent("one", 10.0), "b": Sent("one", 11.0), "c": Sent("two", 12.0)}


def heard(at: float, n: int | None, client_id: str | None = None) -> tuple[float, bytes]:
    if n is None:
        return at, orjson.dumps({"conversation": "one", "event": "typing", "on": True})
    return at, orjson.dumps({"conversation": "one", "n": n, "event": "message", "message": {"client_id": client_id}})


def test_everything_was_heard_in_order():
    frames = [heard(10.5, 6, "a"), heard(10.6, None), heard(10.7, 7), heard(11.25, 8, "b")]
    found = reckon([("one", 5, frames)], SENT)
    assert (found.delays, found.lost, found.problems) == ([0.5, 0.25], 0, [])


def test_a_question_that_a_socket_did_not_hear_is_lost():
    found = reckon([("one", 5, [heard(10.5, 6, "a")]), ("two", 0, [])], SENT)
    assert (found.delays, found.lost) == ([0.5], 2)


def test_a_gap_is_named():
    found = reckon([("one", 5, [heard(10.5, 7, "a"), heard(11.0, 8, "b")])], SENT)
    assert found.problems == ["Event 7 came after event 5."]


def test_a_question_heard_twice_counts_once():
    found = reckon([("one", 5, [heard(10.5, 6, "a"), heard(10.9, 7, "a"), heard(11.0, 8, "b")])], SENT)
    assert found.delays == [0.5, 0.0]
