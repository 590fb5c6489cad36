"""JSON schemas that people write: checked when they are saved, followed when an answer comes. Pure.

A schema may not reach out (`$ref` stays within it), may not lead back to itself, and its patterns run in time that grows with the text
(RE2), so that neither an evil schema nor an evil text holds up a process.
"""

from collections.abc import Iterator
from typing import Any

import orjson
import re2
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError, ValidationError, best_match

SCHEMA_BYTES = 50_000
STEPS_LIMIT = 5_000  # parts of a schema, each counted as often as it is referred to
PATTERN_LIMIT = 500  # characters
PROBLEM_LIMIT = 300
PATTERN_MEMORY = 1 << 20  # bytes


class BadPattern(ValueError):
    """A regular expression that cannot be used here; the sentence says why."""


def pattern(text: str) -> Any:
    """A compiled regular expression; `search` takes time in proportion to the text. Raises BadPattern."""
    if len(text) > PATTERN_LIMIT:
        raise BadPattern(f"The regular expression is longer than {PATTERN_LIMIT} characters. Shorten it.")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeError) as error:
        raise BadPattern(
            f"The regular expression {text[:60]!r} cannot be used; look-around and back-references are not supported."
        ) from error


def check(schema: Any, *, of_object: bool = False) -> list[str]:
    """What is wrong with a schema, in sentences. With `of_object` it has to describe an object, as the arguments of a tool are."""
    if not isinstance(schema, dict):
        return ["A JSON schema is an object. Send one."]
    try:
        size = len(orjson.dumps(schema))
    except TypeError:
        return ["The schema is nested too deeply. Make it flatter."]
    if size > SCHEMA_BYTES:
        return [f"The schema is larger than {SCHEMA_BYTES:,} bytes. Make it smaller."]
    if of_object and schema.get("type") != "object":
        return ['The arguments of a tool are an object: say "type": "object".']
    try:
        Draft202012Validator.check_schema(schema)
        _count(schema, schema, (), [0])
        for each in _patterns(schema):
            pattern(each)
    except SchemaError as error:
        place = "/".join(map(str, error.absolute_path))
        return [f"This is no valid JSON schema{' at ' + place if place else ''}: {_sentence(error)}"]
    except ValueError as error:
        return [str(error)]
    except RecursionError:
        return ["The schema is nested too deeply. Make it flatter."]
    return []


def problem(value: Any, schema: Any) -> str:
    """Where a value does not follow a checked schema, in a sentence; "" where it does."""
    try:
        found = best_match(_Validator(schema, format_checker=FormatChecker()).iter_errors(value))
    except RecursionError:
        return "It is nested too deeply."
    if found is None:
        return ""
    place = "/".join(map(str, found.absolute_path))
    return f"{place + ': ' if place else ''}{_sentence(found)}"


def _sentence(error: Any) -> str:
    return f"{error.message[:PROBLEM_LIMIT].rstrip('.')}."


def _count(schema: Any, part: Any, way: tuple[str, ...], steps: list[int]) -> None:
    """Walks a schema as a validator may. Raises ValueError where that leads out, in a circle, or takes too long."""
    steps[0] += 1
    if steps[0] > STEPS_LIMIT:
        raise ValueError("The schema has too many parts. Make it smaller.")
    if isinstance(part, list):
        for each in part:
            _count(schema, each, way, steps)
    if not isinstance(part, dict):
        return
    if "$dynamicRef" in part or "$recursiveRef" in part or (part is not schema and "$id" in part):
        raise ValueError("The schema uses $dynamicRef or an $id within. Use $ref to a place in $defs.")
    reference = part.get("$ref")
    if isinstance(reference, str):
        if reference in way:
            raise ValueError(f"The schema leads back to itself at {reference[:100]!r}. Say how deep it goes instead.")
        _count(schema, _at(schema, reference), (*way, reference), steps)
    for name, each in part.items():
        if name not in ("$defs", "definitions", "enum", "const", "default", "examples"):
            _count(schema, each, way, steps)


def _at(schema: Any, reference: str) -> Any:
    found = schema
    if reference == "#":
        return found
    if not reference.startswith("#/"):
        raise ValueError(f"The reference {reference[:100]!r} leads out of the schema. Put what it means into $defs.")
    for step in reference[2:].split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    if found is None:
        raise ValueError(f"The reference {reference[:100]!r} leads nowhere in the schema.")
    return found


def _patterns(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        if isinstance(part.get("patternProperties"), dict):
            yield from part["patternProperties"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _patterns(each)


def _follow_pattern(validator: Any, wanted: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not pattern(wanted).search(value):
        yield ValidationError(f"{value[:60]!r} does not match {wanted!r}")


def _follow_pattern_properties(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        for each, inner in wanted.items():
            compiled = pattern(each)
            for name, under in value.items():
                if compiled.search(name):
                    yield from validator.descend(under, inner, path=name, schema_path=each)


_Validator = validators.extend(Draft202012Validator, {"pattern": _follow_pattern, "patternProperties": _follow_pattern_properties})
