"""JSON on the wire: what is read, what is refused, how values are written."""

import io
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rest_framework.exceptions import ParseError

from config import json

names = some.text(some.characters(exclude_categories=["Cs"]))
plain = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(min_value=-(2**63), max_value=2**63)
    | some.floats(allow_nan=False, allow_infinity=False)
    | names,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_what_is_written_is_read_again(value):
    assert json.loads(json.dumps(value)) == value


@given(some.binary())
def test_any_bytes_are_a_value_or_a_parse_error(body):
    try:
        json.loads(body)
    except ParseError as error:
        assert str(error.detail)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{'a': 1}",
        b"NaN",
        b"[Infinity]",
        b'{"a": 1e999}',
        b'"\xff"',
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1} {"b": 2}',
        b'{"text": "one", "text": "two"}',
        b'{"outer": [{"x": 1, "x": 1}]}',
        b"[" * 100 + b"]" * 100,
        b"[" * 900 + b"]" * 900,
        b"[" * 100_000,
        b'{"a":' * 50 + b"1" + b"}" * 50,
        b"1" * 5_000,
    ],
)
def test_what_is_not_plain_json_is_refused_with_a_sentence(body):
    with pytest.raises(ParseError) as refused:
        json.loads(body)
    assert str(refused.value.detail).endswith((".", "one."))


def test_nesting_is_allowed_to_the_limit_and_no_further():
    at_limit = b"[" * json.DEPTH_LIMIT + b"]" * json.DEPTH_LIMIT
    json.loads(at_limit)
    with pytest.raises(ParseError, match="nests"):
        json.loads(b"[" + at_limit + b"]")


def test_a_name_given_twice_is_named():
    with pytest.raises(ParseError, match="'text' twice"):
        json.loads(b'{"text": "one", "other": 1, "text": "two"}')


def test_integers_keep_all_their_digits():
    assert json.loads(b"123456789012345678901234567890") == 123456789012345678901234567890


def test_many_names_are_read_in_linear_time():
    names = ",".join(f'"{number}":1' for number in range(60_000))
    with pytest.raises(ParseError, match="twice"):
        json.loads(f'{{{names},"59999":1}}'.encode())


def test_a_body_beyond_the_limit_is_not_read_whole():
    class Endless(io.RawIOBase):
        asked = 0

        def read(self, size=-1):
            assert size >= 0
            self.asked += size
            return b" " * size

    stream = Endless()
    with pytest.raises(json.BodyTooLarge):
        json.Parser().parse(stream)
    assert stream.asked == json.BODY_LIMIT + 1


def test_values_are_spelled_as_the_contract_says():
    written = json.dumps(
        {
            "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "elsewhere": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
            "id": uuid.UUID("01900000-0000-7000-8000-000000000001"),
            "money": Decimal("0.000000120"),
            "tiny": Decimal("1E-9"),
        }
    )
    assert written == (
        b'{"time":"2026-01-02T03:04:05Z","elsewhere":"2026-01-02T03:04:05+02:00","id":"01900000-0000-7000-8000-000000000001",'
        b'"money":"0.000000120","tiny":"0.000000001"}'
    )


def test_a_value_without_a_spelling_is_an_error_not_a_guess():
    with pytest.raises(TypeError):
        json.dumps({"set": {1, 2}})
