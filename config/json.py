"""JSON on the wire: written by orjson, read strictly.

A module of its own: REST framework imports its renderer and parser while it is itself being imported, so this one must need none
of its views.
"""

import json
from decimal import Decimal
from typing import Any

import orjson
from django.utils.functional import Promise
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

BODY_LIMIT = 1024 * 1024  # bytes; the longest question, every character escaped, is 384,000
FILE_LIMIT = 5 * 1024 * 1024  # bytes of a body that is a whole file
DEPTH_LIMIT = 32  # objects and arrays within each other


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self, *, limit: int = BODY_LIMIT) -> None:
        super().__init__(f"The body is larger than {limit:,} bytes. Send less in one request.")


class DuplicateName(ValueError):
    """An object that gives one name twice; which of the two was meant is anybody's guess."""


def dumps(value: Any) -> bytes:
    """Compact UTF-8. Times become UTC with a `Z`, a Decimal becomes a string and keeps its digits, a UUID its canonical form."""
    return orjson.dumps(value, default=_spell, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def loads(body: bytes) -> Any:
    """The value that `body` spells, or `ParseError` with a sentence.

    1. orjson refuses what is not JSON in UTF-8: NaN, numbers beyond a double, lone surrogates, a byte order mark.
    2. The standard library reads it once more, for the two things that orjson lets pass: a name given twice, and integers beyond
       64 bits, which it would round.
    """
    try:
        orjson.loads(body)
        value = json.loads(body, object_pairs_hook=_object)
    except DuplicateName as error:
        raise ParseError(str(error)) from error
    except RecursionError as error:
        raise ParseError(_too_deep()) from error
    except ValueError as error:
        raise ParseError(f"The body is not JSON in UTF-8: {error}.") from error
    _refuse_depth(value)
    return value


class Renderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8; the media type has no such parameter

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else dumps(data)


class Parser(BaseParser):
    media_type = "application/json"
    limit = BODY_LIMIT

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(self.limit + 1)
        if len(body) > self.limit:
            raise BodyTooLarge(limit=self.limit)
        return loads(body)


class FileParser(Parser):
    """For the few operations that take a whole file."""

    limit = FILE_LIMIT


def _spell(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise DuplicateName(f"The body gives {name[:50]!r} twice in one object. Give it once.")
        found[name] = value
    return found


def _too_deep() -> str:
    return f"The body nests more than {DEPTH_LIMIT} objects or arrays. Send a flatter one."


def _refuse_depth(value: Any) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEPTH_LIMIT):
        level = [
            inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer) if isinstance(inner, (dict, list))
        ]
    if level:
        raise ParseError(_too_deep())
