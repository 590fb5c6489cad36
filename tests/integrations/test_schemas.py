"""Schemas that people write are checked, and neither they nor texts hold up a process."""

import pytest

from integrations import schemas

ANSWER = {"type": "object", "properties": {"mood": {"type": "string", "pattern": "^[a-z]+$"}}, "required": ["mood"]}


def test_a_schema_that_is_one_is_taken_and_followed():
    assert schemas.check(ANSWER, of_object=True) == []
    assert schemas.problem({"mood": "glad"}, ANSWER) == ""
    assert schemas.problem({"mood": "Glad 7"}, ANSWER).startswith("mood: ")
    assert "required" in schemas.problem({}, ANSWER)


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ([], "is an object"),
        ({"type": "array"}, "arguments of a tool"),
        ({"type": "object", "properties": 7}, "no valid JSON schema"),
        ({"type": "object", "properties": {"a": {"$ref": "https://evil.example/schema"}}}, "leads out"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, "leads nowhere"),
        ({"type": "object", "$defs": {"a": {"properties": {"x": {"$ref": "#/$defs/a"}}}}, "$ref": "#/$defs/a"}, "leads back to itself"),
        ({"type": "object", "properties": {"a": {"pattern": "(?=a)"}}}, "regular expression"),
        ({"type": "object", "patternProperties": {"(": {}}}, "regex"),
        ({"type": "object", "properties": {"a": {"pattern": "a" * 501}}}, "500 characters"),
        ({"type": "object", "description": "x" * 50_001}, "larger than"),
        ({"type": "object", "properties": {"a": {"$dynamicRef": "#a"}}}, "$dynamicRef"),
        ({"type": "object", "properties": {"a": {"$id": "https://evil.example/"}}}, "$id"),
    ],
)
def test_what_is_wrong_is_a_sentence(schema, sentence):
    [problem] = schemas.check(schema, of_object=True)
    assert sentence in problem
    assert problem.endswith(".")


def test_a_schema_that_doubles_at_every_step_is_refused():
    defs = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"$ref": f"#/$defs/a{n + 1}"}]} for n in range(40)}
    assert "too many parts" in schemas.check({"$defs": {**defs, "a40": {}}, "$ref": "#/$defs/a0"})[0]


def test_a_pattern_that_would_take_years_takes_none():
    evil = {"type": "string", "pattern": "^(a+)+$"}
    assert schemas.check(evil) == []
    assert schemas.problem("a" * 50_000 + "!", evil)
