"""Variables of prompts: checked when saved, filled once when used, and nothing in them is ever run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations import variables
from integrations.variables import VariableError, VariableType

TEAM = {"name": "team", "type": "text"}


def declared(**fields) -> list[dict]:
    return [{**TEAM, **fields}]


def test_a_text_whose_variables_are_declared_has_no_problem():
    text = "Sum up {{ team }} of {{days}} days."
    assert (
        variables.check(text, [TEAM, {"name": "days", "type": "integer", "required": False, "default": 7, "description": "How many."}])
        == []
    )


@pytest.mark.parametrize(
    ("text", "given", "sentence"),
    [
        ("Hello {{ team }}", [], "not declared"),
        ("Hello", declared(), "not used"),
        ("{{ team }}", declared(type="code"), "unknown type"),
        ("{{ team }}", declared(type=["text"]), "unknown type"),
        ("{{ team }}", declared(default=7), "default does not fit"),
        ("{{ team }}", declared(type="date", default="2026-02-30"), "default does not fit"),
        ("{{ team }}", [TEAM, TEAM], "declared twice"),
        ("{{ team }}", [{"name": "1st"}], "needs a name"),
        ("{{ team }}", ["team"], "needs a name"),
        ("{{ team }}", "team", "Send a list"),
        ("{{ team }}", declared(required="yes"), "true or false"),
        ("{{ team }}", declared(description="x" * 501), "description"),
        ("{{ team }}", declared(run="rm"), "not known"),
        ("{{ team }} {{ team.leader }}", declared(), "is not a variable"),
        ("{{ team }} {{ 7 * 7 }}", declared(), "is not a variable"),
        ("{{ team", declared(), "is not a variable"),
        ("", [{"name": f"v{number}"} for number in range(51)], "50 are the most"),
    ],
)
def test_each_problem_is_a_sentence(text, given, sentence):
    problems = variables.check(text, given)
    assert any(sentence in problem for problem in problems), problems
    assert all(problem.endswith(".") for problem in problems)


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("text", "Sales", "Sales"),
        ("number", 0.5, "0.5"),
        ("number", 3, "3"),
        ("integer", 3, "3"),
        ("boolean", True, "true"),
        ("date", "2026-11-23", "2026-11-23"),
        ("list", ["a", 2], "a, 2"),
    ],
)
def test_a_value_of_its_type_is_written(kind, value, written):
    assert variables.fill("<{{ team }}>", declared(type=kind), {"team": value}) == f"<{written}>"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 7),
        ("text", "a\x00b"),
        ("text", "x" * 20_001),
        ("number", "7"),
        ("number", True),
        ("number", float("nan")),
        ("integer", 1.0),
        ("integer", 10**400),
        ("boolean", 1),
        ("date", "23.11.2026"),
        ("date", "2026-1-1"),
        ("list", "a, b"),
        ("list", [["a"]]),
        ("list", ["a"] * 201),
    ],
)
def test_another_type_is_refused_by_name(kind, value):
    with pytest.raises(VariableError) as refused:
        variables.fill("{{ team }}", declared(type=kind), {"team": value})
    assert refused.value.name == "team"
    assert "team" in refused.value.sentence


def test_what_is_missing_has_its_default_or_is_refused():
    assert variables.fill("{{ team }}", declared(default="Sales"), {}) == "Sales"
    assert variables.fill("<{{ team }}>", declared(required=False), {"team": None}) == "<>"
    with pytest.raises(VariableError, match="missing"):
        variables.fill("{{ team }}", declared(), {})


def test_what_a_value_says_is_not_filled_again():
    both = [TEAM, {"name": "key", "type": "text"}]
    assert variables.fill("{{ team }}", both, {"team": "{{ key }}", "key": "secret"}) == "{{ key }}"


def test_names_that_nobody_asked_for_are_told():
    assert variables.unknown({"team": 1, "topic": 2, "x": 3}, [TEAM], [{"name": "topic"}]) == ["x"]


@given(
    st.text(),
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5),
    st.sampled_from([*VariableType.values]),
)
def test_whatever_comes_there_is_a_text_or_a_sentence(text, value, kind):
    assert isinstance(variables.check(text, [{"name": "team", "type": kind, "default": value}]), list)
    try:
        assert isinstance(variables.fill(text + "{{ team }}", declared(type=kind), {"team": value}), str)
    except VariableError as error:
        assert error.sentence
