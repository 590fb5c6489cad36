"""Variables in prompts: `{{ name }}`, declared with a type, checked when a text is saved and filled when it is used. Pure.

A declaration is `{name, type, required, default, description}`; `type` is a word of `VariableType`. Nothing in a text is ever run: a
name is replaced by its value, once, and what a value says is not looked at again.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db.models import TextChoices

REFERENCE = re.compile(r"\{\{[ \t]*([a-zA-Z_][a-zA-Z0-9_]{0,62})[ \t]*\}\}")
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,62}\Z")
KEYS = frozenset({"name", "type", "required", "default", "description"})
VARIABLES_LIMIT = 50
VALUE_LIMIT = 20_000  # characters
LIST_LIMIT = 200
DESCRIPTION_LIMIT = 500
LARGEST = 10**15

Declarations = Sequence[Mapping[str, Any]]


class VariableType(TextChoices):
    """What a variable may be given."""

    TEXT = "text", "Text"
    NUMBER = "number", "Number"
    INTEGER = "integer", "Whole number"
    BOOLEAN = "boolean", "Yes or no"
    DATE = "date", "Day"
    LIST = "list", "List"


class VariableError(ValueError):
    """A variable is missing, or of another type than it is declared with. The sentence names it."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name
        self.sentence = sentence


def check(text: str, variables: Any) -> list[str]:
    """What is wrong with a text and the declarations of its variables, in sentences; nothing where it can be filled."""
    problems = _declared_badly(variables)
    if problems:
        return problems
    named = names(text)
    declared = {variable["name"] for variable in variables}
    rest = REFERENCE.sub("", text)
    if "{{" in rest:
        near = rest[rest.index("{{") :][:30].split("\n")[0]
        problems.append(f"“{near}” is not a variable. Write {{{{ name }}}} with letters, digits and _ in the name, and nothing else.")
    problems += [
        f"The text uses {{{{ {name} }}}}, which is not declared. Declare it, or take it out." for name in named if name not in declared
    ]
    problems += [
        f"The variable {name} is declared and not used. Use it in the text, or take it away." for name in sorted(declared - {*named})
    ]
    return problems


def fill(text: str, variables: Declarations, values: Mapping[str, Any]) -> str:
    """The text with each variable's value. Values of names that are not declared here are not looked at (`unknown` finds them).

    Raises VariableError for the first that is missing or of another type.
    """
    written = {variable["name"]: _written(variable, values) for variable in variables}
    return REFERENCE.sub(lambda found: written.get(found[1], found[0]), text)


def unknown(values: Mapping[str, Any], *declared: Declarations) -> list[str]:
    """The names of values that no declaration asks for."""
    known = {variable["name"] for variables in declared for variable in variables}
    return sorted(name for name in values if name not in known)


def names(text: str) -> list[str]:
    """The variables that a text uses, each once, in the text's order."""
    return list(dict.fromkeys(REFERENCE.findall(text)))


def _declared_badly(variables: Any) -> list[str]:
    if not isinstance(variables, list):
        return ["Send a list of variables."]
    if len(variables) > VARIABLES_LIMIT:
        return [f"There are {len(variables)} variables; {VARIABLES_LIMIT} are the most."]
    problems: list[str] = []
    seen: set[str] = set()
    for number, variable in enumerate(variables, 1):
        name = variable.get("name") if isinstance(variable, dict) else None
        if not isinstance(name, str) or not NAME.match(name):
            problems.append(f"Variable {number} needs a name of letters, digits and _, 63 at most, that does not begin with a digit.")
            continue
        if name in seen:
            problems.append(f"The variable {name} is declared twice. Take one away.")
        seen.add(name)
        problems += _problems_of(name, variable)
    return problems


def _problems_of(name: str, variable: Mapping[str, Any]) -> list[str]:
    if strange := sorted(set(variable) - KEYS):
        return [f"The variable {name} says {strange[0]!r}, which is not known. Known: {', '.join(sorted(KEYS))}."]
    if variable.get("type", VariableType.TEXT) not in VariableType.values:
        return [f"The variable {name} has an unknown type. Choose one of {', '.join(VariableType.values)}."]
    if not isinstance(variable.get("required", True), bool):
        return [f"Say true or false for whether the variable {name} is required."]
    description = variable.get("description", "")
    if not isinstance(description, str) or len(description) > DESCRIPTION_LIMIT:
        return [f"The description of the variable {name} is a text of {DESCRIPTION_LIMIT} characters at most."]
    if variable.get("default") is not None:
        try:
            _written(variable, {name: variable["default"]})
        except VariableError as error:
            return [f"The default does not fit: {error.sentence}"]
    return []


def _written(variable: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    name = variable["name"]
    value = values.get(name)
    if value is None:
        value = variable.get("default")
    if value is None:
        if variable.get("required", True):
            raise VariableError(name, f"The variable {name} is missing. Send a value for it.")
        return ""
    kind = VariableType(variable.get("type", VariableType.TEXT))
    fits, wanted = _TYPES[kind]
    if not fits(value):
        raise VariableError(name, f"The variable {name} is {wanted}.")
    written = ", ".join(map(_plain, value)) if kind == VariableType.LIST else _plain(value)
    if len(written) > VALUE_LIMIT:
        raise VariableError(name, f"The variable {name} is longer than {VALUE_LIMIT:,} characters. Shorten it.")
    return written


def _plain(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\x00" not in value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_number(value: Any) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value) and abs(value) <= LARGEST)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= LIST_LIMIT and all(_is_text(each) or _is_number(each) for each in value)


_TYPES: dict[VariableType, tuple[Callable[[Any], bool], str]] = {
    VariableType.TEXT: (_is_text, "a text"),
    VariableType.NUMBER: (_is_number, "a number"),
    VariableType.INTEGER: (_is_integer, "a whole number"),
    VariableType.BOOLEAN: (lambda value: isinstance(value, bool), "true or false"),
    VariableType.DATE: (_is_date, "a day, written YYYY-MM-DD"),
    VariableType.LIST: (_is_list, f"a list of at most {LIST_LIMIT} texts or numbers"),
}
