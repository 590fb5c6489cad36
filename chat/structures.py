"""What a model is asked for as JSON: the analysis beside an answer (S0-39), a schema for each of the eight types, and the notes that a
conversation's memory is made of (S0-58). Pure: schemas go out, what a model said comes in, and is taken or refused whole.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from chat.choices import ConsultationType

NAME_LIMIT, SENTENCE_LIMIT, QUESTION_LIMIT, SUMMARY_LIMIT = 120, 600, 200, 4_000  # characters
FIGURE_LIMIT = 1e12  # of a data point, either way
SUGGESTED = 3  # follow-up questions, at most
PROBLEM_LIMIT = 300  # characters of what was wrong, told to the model
LIMITS = ("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum")

NAMED = "Named in the answer."

Schema = dict[str, Any]


class Misfit(Exception):
    """What a model said is not what it was asked for; the sentence says where."""


@dataclass(frozen=True, slots=True)
class Sort:
    """What the scores and data points of one type of consultation are. `names`: those of the scores, where they are always the same."""

    scores: str
    data: str
    names: tuple[str, ...] = ()


SORTS = {
    ConsultationType.EMPLOYEE_SPECIFIC: Sort(
        "How the employee does in each of these.",
        "Figures and facts of the record that the answer rests on.",
        ("role fit", "department fit", "performance"),
    ),
    ConsultationType.TEAM_COMPATIBILITY: Sort(
        "How well each pair works together; the name is both employees' names joined by ' and '.",
        "Strengths and gaps of the team as a whole.",
    ),
    ConsultationType.ONE_TO_ONE: Sort(
        "How much there is to build on in each of these.",
        "Topics for the meeting, each with what to raise.",
        ("going well", "department fit", "readiness for more"),
    ),
    ConsultationType.PROMOTION_READINESS: Sort(
        "How ready each employee is for a promotion; the name is the employee's.",
        "What is still missing, by employee.",
    ),
    ConsultationType.TEAM_FORMATION: Sort(
        "How much each employee adds to the team; the name is the employee's.",
        "The part that each employee would take.",
    ),
    ConsultationType.CONFLICT_RESOLUTION: Sort(
        "The chances of a solution in each of these.",
        "What each employee brings into the conflict.",
        ("common ground", "mutual help"),
    ),
    ConsultationType.PERFORMANCE_OPTIMIZATION: Sort(
        "How each employee performs now; the name is the employee's.",
        "The weakest figures, by employee.",
    ),
    ConsultationType.TRAINING_GUIDANCE: Sort(
        "How urgent each training is; the name is the training's.",
        "Who needs which training.",
    ),
}


def _object(**properties: Schema) -> Schema:
    """As providers' strict modes want it: every property is required, no other is taken."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _array(items: Schema, *, most: int, description: str) -> Schema:
    return {"type": "array", "items": items, "maxItems": most, "description": f"{description} At most {most}."}


def _text(limit: int, description: str = "") -> Schema:
    said = {"description": description} if description else {}
    return {"type": "string", "minLength": 1, "maxLength": limit, **said}


def _analysis(sort: Sort) -> Schema:
    name = _text(NAME_LIMIT) | ({"enum": list(sort.names)} if sort.names else {})
    score = {"type": "number", "minimum": 0, "maximum": 100}
    value = {"type": ["string", "number"], "maxLength": SENTENCE_LIMIT, "minimum": -FIGURE_LIMIT, "maximum": FIGURE_LIMIT}
    sentence = _text(SENTENCE_LIMIT)
    return _object(
        scores=_array(_object(name=name, score=score), most=20, description=f"{sort.scores} 0 to 100; none where the facts do not tell."),
        recommendations=_array(sentence, most=6, description="What to do, one short sentence each."),
        insights=_array(sentence, most=6, description="What the answer found, one short sentence each."),
        data_points=_array(_object(name=_text(NAME_LIMIT), value=value), most=12, description=sort.data),
        employees=_array(
            _object(name=_text(NAME_LIMIT), why=sentence),
            most=20,
            description="The employees whom the answer is about, and why each is named.",
        ),
        confidence={"type": "number", "minimum": 0, "maximum": 1, "description": "How sure the answer is, 0 to 1."},
        follow_ups=_array(
            _text(QUESTION_LIMIT),
            most=SUGGESTED,
            description="Two or three short questions that the person may want to ask next, as they would put them.",
        ),
    )


SCHEMAS = {type: _analysis(sort) for type, sort in SORTS.items()}
_note = _text(SENTENCE_LIMIT)
MEMORY = _object(
    summary=_text(SUMMARY_LIMIT, "What was said so far, in at most ten sentences."),
    key_points=_array(_note, most=10, description="Facts and points that later answers must not forget."),
    decisions=_array(_note, most=10, description="What was decided or concluded."),
    follow_up_items=_array(_note, most=10, description="What is still to be done or looked at."),
    key_insights=_array(_note, most=5, description="The most important insights of the conversation."),
)
_VALIDATORS = {type: Draft202012Validator(schema) for type, schema in SCHEMAS.items()}
_MEMORY_VALIDATOR = Draft202012Validator(MEMORY)


def as_asked(schema: Any) -> Any:
    """The schema without its limits, which providers' strict modes do not all know; we look at them ourselves."""
    if isinstance(schema, list):
        return [as_asked(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: as_asked(value) for name, value in schema.items() if name not in LIMITS}


# What came back --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Analysis:
    """The structured part of an answer. Scores are 0 to 100, `reasons` say why an employee is named, by the name in lower case."""

    type: ConsultationType
    scores: dict[str, float]
    recommendations: tuple[str, ...]
    insights: tuple[str, ...]
    data_points: dict[str, str | float]
    reasons: dict[str, str]
    confidence: float
    follow_ups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notes:
    """What a model keeps of a part of a conversation."""

    summary: str
    key_points: tuple[str, ...]
    decisions: tuple[str, ...]
    follow_up_items: tuple[str, ...]
    key_insights: tuple[str, ...]


def read_analysis(text: str, *, type: ConsultationType) -> Analysis:
    """Raises `Misfit`."""
    found = _checked(text, _VALIDATORS[type])
    return Analysis(
        type=type,
        scores={name: round(float(score), 1) for name, score in _named(found["scores"], "score")},
        recommendations=_sentences(found["recommendations"]),
        insights=_sentences(found["insights"]),
        data_points={name: _line(value) if isinstance(value, str) else value for name, value in _named(found["data_points"], "value")},
        reasons={name.casefold(): _line(why) for name, why in _named(found["employees"], "why")},
        confidence=float(found["confidence"]),
        follow_ups=_sentences(found["follow_ups"]),
    )


def read_notes(text: str) -> Notes:
    """Raises `Misfit`."""
    found = _checked(text, _MEMORY_VALIDATOR)
    return Notes(summary=_line(found.pop("summary")), **{name: _sentences(values) for name, values in found.items()})


def _checked(text: str, validator: Draft202012Validator) -> dict[str, Any]:
    """The JSON object in what a model said: small models put it into a fence, or say something before it."""
    try:
        found = orjson.loads(text[text.find("{") : text.rfind("}") + 1])
    except orjson.JSONDecodeError as problem:
        raise Misfit(f"It is no JSON: {problem}") from problem
    if wrong := best_match(validator.iter_errors(found)):
        raise Misfit(f"{wrong.json_path}: {wrong.message}"[:PROBLEM_LIMIT])
    return found


def _line(text: str) -> str:
    """On one line, without what MongoDB does not take in a name."""
    return " ".join(text.replace("\0", " ").split())


def _sentences(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(_line, texts))))


def _named(pairs: Iterable[Mapping[str, Any]], value: str) -> Iterable[tuple[str, Any]]:
    """Names and values; a name begins with no `$`, which MongoDB would take for an operator."""
    for pair in pairs:
        if name := _line(pair["name"]).lstrip("$"):
            yield name, pair[value]


# Who is named ----------------------------------------------------------------------------------------------------------


def named_in(text: str, people: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of these people, (id, name) each, whom a text names: by the whole name, or by a part of it that is nobody else's among them."""
    people = list(people)
    words = set(re.findall(r"\w+", text))
    parts = [part for _, name in people for part in set(name.split())]

    def is_named(name: str) -> bool:
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
            return True
        return any(len(part) > 1 and part in words and parts.count(part) == 1 for part in name.split())

    return [(id, name) for id, name in people if name and is_named(name)]
