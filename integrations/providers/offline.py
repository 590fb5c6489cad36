"""The embedded default: answers from the data at hand by stated rules, and says that it does. It is no language model.

It reads `CompletionRequest.facts`, one dict for each employee discussed, with the keys `id`, `name`, `job_title`, `department`,
`traits`, `patterns`, `strengths`, `development_areas`, `training_needs` (sequences of words), `compatibility` (name to score, 0 to
100), `performance` (name to figure) and `signs`; what is missing counts as unknown. Signs are never judged by.

The rules, for every type of conversation:

1. If the question names some of the employees, the answer is about these, otherwise about all.
2. The type of the conversation says which sections there are; without one, and for a single employee, the question's words do
   ("training", "strengths"), or else there is a portrait.
3. A figure between 0 and 1 is a share, one up to 100 a percentage; others are reported, not judged.
4. Pictures are named and not looked at.
5. Told of the tools that read figures of platforms, it calls the one that the question names, with the metrics and the "last 3 weeks" that
   the question names, too (or else the first two metrics), and sums up what the tool says.
6. Where nothing is known, the answer says so. Confidence is the share of the facts asked for that are known.

Asked for JSON (`CompletionRequest.schema`) it gives, for the purpose `analysis`, the same findings as figures and sentences; for the
purpose `memory`, the questions so far: the lines of the last message that begin with `Person: `.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from statistics import fmean
from typing import Any

import orjson
from django.conf import settings

from integrations.providers.base import CompletionRequest, Ending, ToolUse, Usage

NAME = "offline consultant"
READY, NEARLY = 75, 60  # scores, out of 100
WEAK = 60  # a figure below this is worth working on
FIGURE = 1e12  # the largest that is reported
TOKEN = re.compile(r"\w+|[^\w\s]")
PIECE = re.compile(r"\S+\s*|\s+")


class Offline:
    """Needs nothing and costs nothing."""

    name = "offline"
    model = NAME

    async def stream(self, request: CompletionRequest, *, model: str) -> AsyncGenerator[str | Ending, None]:
        """Yields OFFLINE_WORDS_PER_SECOND words a second, whose time has come when it is asked, then the Ending."""
        text, ending = _answer(request)
        pace = settings.OFFLINE_WORDS_PER_SECOND
        words = PIECE.findall(text)
        began, given = time.monotonic(), 0
        while given < len(words):
            due = int((time.monotonic() - began) * pace) + 1 if pace else len(words)
            if due > given:
                yield "".join(words[given:due])
                given = due
            else:
                await asyncio.sleep(1 / pace)
        yield ending

    async def complete(self, request: CompletionRequest, *, model: str) -> tuple[str, Ending]:
        return _answer(request)

    def price(self, usage: Usage, *, model: str, at: datetime) -> Decimal | None:
        return Decimal(0)


@dataclass(frozen=True, slots=True)
class Person:
    """One employee, as far as known. Scores and shares are 0 to 100."""

    id: str
    name: str
    job_title: str
    department: str
    traits: tuple[str, ...]
    patterns: tuple[str, ...]
    strengths: tuple[str, ...]
    development_areas: tuple[str, ...]
    training_needs: tuple[str, ...]
    compatibility: Mapping[str, float]
    performance: Mapping[str, Any]

    @property
    def shares(self) -> dict[str, float]:
        """The indicators that can be judged, 0 to 100."""
        return {
            name: value * 100 if value <= 1 else float(value)
            for name, value in self.performance.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100
        }

    @property
    def known(self) -> float:
        """The share of what could be known that is, 0 to 1."""
        facts = (
            self.job_title,
            self.traits,
            self.patterns,
            self.strengths,
            self.development_areas,
            self.training_needs,
            self.compatibility,
            self.performance,
        )
        return sum(map(bool, facts)) / len(facts)


def _answer(request: CompletionRequest) -> tuple[str, Ending]:
    asked = [message.text for message in request.messages if message.role == "user"]
    question = asked[0 if request.purpose in STRUCTURES else -1] if asked else ""
    told = [message.text for message in request.messages if message.role == "tool"]
    if request.tools and not told and request.tool_choice != "none" and (use := _wanted(request.tools, question)):
        return "", _ending(request, "", finish_reason="tool_calls", tool_uses=(use,))
    everyone = [_person(fact) for fact in request.facts]
    people = _named(everyone, question) or everyone
    if told and request.purpose not in STRUCTURES:
        text = "\n\n".join([*map(_summed_up, told), "*By fixed rules; no language model was asked.*"])
        people = []
    elif request.purpose in STRUCTURES:
        text = orjson.dumps(STRUCTURES[request.purpose](request, people)).decode()
    elif people:
        rule = RULES.get(request.conversation_type) or _rule_for(question, people)
        count = f"{len(people)} {'person' if len(people) == 1 else 'people'}"
        closing = f"*From the records of {count}, by fixed rules; no language model was asked.*"
        text = "\n".join([*rule(people), *_unseen(request), "", closing])
    else:
        text = (
            "I am the offline consultant: I answer from the records of employees, and this conversation names none that you "
            "may see. Start a consultation about chosen employees, or ask your administrator to connect a language model."
        )
        text = "\n".join([text, *_unseen(request)])
    confidence = round(fmean(person.known for person in people), 2) if people else 0.0
    return text, _ending(request, text, confidence=confidence, sources=tuple(f"employee:{person.id}" for person in people))


def _ending(request: CompletionRequest, text: str, *, finish_reason: str = "stop", **known: Any) -> Ending:
    read = sum(len(TOKEN.findall(message.text)) for message in request.messages)
    return Ending(finish_reason=finish_reason, usage=Usage(read, len(TOKEN.findall(text))), model=NAME, **known)


# Figures of platforms ----------------------------------------------------------------------------------------------------

PLATFORM_WORDS = {
    "meta": re.compile(r"\b(?:meta|facebook|instagram)\b", re.IGNORECASE),
    "google_ads": re.compile(r"\b(?:ads?|adwords|advert\w*|campaigns?|clicks?|impressions?|conversions?)\b", re.IGNORECASE),
    "google_analytics": re.compile(r"\b(?:analytics|ga4|website|sessions?|visitors?|page ?views?|traffic)\b", re.IGNORECASE),
}
READS = {"meta": "meta_insights", "google_ads": "ads_performance", "google_analytics": "run_analytics_report"}
CONNECTS = {"meta": "meta_ads"}
CONNECT = re.compile(r"\b(?:re)?connect\b", re.IGNORECASE)
LAST = re.compile(r"\b(?:last|past)\s+(?:(\d{1,2})\s+)?(day|week|month)s?\b", re.IGNORECASE)
DAYS = {"day": 1, "week": 7, "month": 28}
WORD = re.compile(r"[A-Z]?[a-z]+")  # of a metric's name: averageSessionDuration, average_cpc


def _wanted(tools: Iterable[Mapping[str, Any]], question: str) -> ToolUse | None:
    """The tool that the question asks for by its words, if any."""
    named = next((name for name, words in PLATFORM_WORDS.items() if words.search(question)), None)
    if named is None:
        return None
    parameters = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    if CONNECT.search(question):
        name, arguments = "connect_platform", {"platform": CONNECTS.get(named, named)}
    else:
        name = READS[named]
        arguments = _asked_for(parameters[name], question) if name in parameters else {}
    return ToolUse("call_1", name, orjson.dumps(arguments).decode()) if name in parameters else None


def _is_named(words: list[str], asked: str) -> bool:
    """By all words of its name; of three, the last two will do: people say "page views"."""
    return all(re.search(rf"\b{word.lower().removesuffix('s')}", asked) for word in words[-2:])


def _asked_for(parameters: Mapping[str, Any], question: str) -> dict[str, Any]:
    metrics = parameters["properties"]["metrics"]["items"]["enum"]
    asked = question.lower()
    named = [metric for metric in metrics if _is_named(WORD.findall(metric), asked)]
    arguments: dict[str, Any] = {"metrics": named or metrics[:2]}
    if period := LAST.search(question):
        days = int(period[1] or 1) * DAYS[period[2].lower()]
        arguments["since"] = (datetime.now(UTC).date() - timedelta(days=min(max(days, 1), 365))).isoformat()
    return arguments


def _summed_up(told: str) -> str:
    """What a tool said, in a sentence: its own, or the sums of its figures."""
    try:
        figures = orjson.loads(told)
        columns, rows, source = figures["columns"], figures["rows"], figures["source"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return told
    sums = {
        name: sum(row[place] for row in rows)
        for place, name in enumerate(columns)
        if rows and all(isinstance(row[place], int | float) for row in rows)
    }
    lines = [f"- **{name}:** {total:,.6g}" for name, total in sums.items()]
    sample = "These are sample data: nothing is connected yet." if figures.get("is_sample_data") else ""
    count = f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}, added up:"
    return "\n".join(filter(None, [f"### {source}", sample, count if lines else "There are no figures for this.", "", *lines]))


def _unseen(request: CompletionRequest) -> list[str]:
    names = _listed(" ".join(re.sub(r"[^\w .-]", " ", name).split()) for name in request.unseen)
    return ["", f"I cannot see pictures, so this rests on nothing that is on {names}."] if names else []


def _person(fact: Mapping[str, Any]) -> Person:
    def words(key: str) -> tuple[str, ...]:
        return tuple(str(word) for word in fact.get(key) or ())

    return Person(
        id=str(fact.get("id", "")),
        name=str(fact.get("name") or "This employee"),
        job_title=str(fact.get("job_title") or ""),
        department=str(fact.get("department") or ""),
        traits=words("traits"),
        patterns=words("patterns"),
        strengths=words("strengths"),
        development_areas=words("development_areas"),
        training_needs=words("training_needs"),
        compatibility=dict(fact.get("compatibility") or {}),
        performance=dict(fact.get("performance") or {}),
    )


def _named(people: list[Person], question: str) -> list[Person]:
    words = {word.casefold() for word in re.findall(r"\w+", question)}
    return [person for person in people if words & {part.casefold() for part in person.name.split() if len(part) > 1}]


# Sections --------------------------------------------------------------------------------------------------------------


def _listed(words: Iterable[str]) -> str:
    words = list(words)
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def _figures(figures: Mapping[str, Any]) -> str:
    return _listed(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items())


def _or_unknown(label: str, text: str) -> str:
    return f"- **{label}:** {text or 'not recorded'}"


def _position(person: Person) -> str:
    return ", ".join(filter(None, (person.job_title, person.department))) or "no position recorded"


def _portrait(people: list[Person]) -> Iterator[str]:
    for person in people:
        yield f"## {person.name}"
        yield f"{_position(person)}."
        yield ""
        yield _or_unknown("Personality", _listed(person.traits))
        yield _or_unknown("Behavior", _listed(person.patterns))
        yield _or_unknown("Strengths", _listed(person.strengths))
        yield _or_unknown("To develop", _listed(person.development_areas))
        yield _or_unknown("Compatibility", _figures(person.compatibility))
        yield _or_unknown("Performance", _figures(person.performance))
        yield ""
        yield f"**Next step:** {_next_step(person)}"
        yield ""


def _next_step(person: Person) -> str:
    if person.training_needs:
        return f"agree with {person.name} on a date for training in {person.training_needs[0]}."
    if person.development_areas:
        return f"talk with {person.name} about {person.development_areas[0]}."
    if person.strengths:
        return f"give {person.name} a task that needs {person.strengths[0]}."
    return f"record strengths and development areas of {person.name}; without them little can be said."


def _one_to_one(people: list[Person]) -> Iterator[str]:
    for person in people:
        yield f"## One-to-one with {person.name}"
        yield f"1. **Begin** with what goes well: {_listed(person.strengths[:2]) or 'ask what they are proud of'}."
        yield f"2. **Listen:** {_behavior(person)}"
        yield f"3. **Develop:** {_listed(person.development_areas) or 'ask where they want to grow'}."
        yield "4. **Agree** on one thing each of you will do, and on a day to look at it."
        yield ""
        yield f"**Next step:** {_next_step(person)}"
        yield ""


def _behavior(person: Person) -> str:
    if person.patterns:
        return f"{person.name} is known for this: {_listed(person.patterns)}. Ask how it serves them now."
    return "no behavior is recorded; ask how the last weeks were."


def _readiness(person: Person) -> float | None:
    """The mean of the job-role compatibility and the indicators, less 5 for every training need. None: nothing to judge by."""
    figures = list(person.shares.values())
    if (fit := person.compatibility.get("job role")) is not None:
        figures.append(float(fit))
    return max(0.0, fmean(figures) - 5 * len(person.training_needs)) if figures else None


def _promotion(people: list[Person]) -> Iterator[str]:
    judged = sorted(((_readiness(person), person) for person in people), key=lambda pair: -(pair[0] or -1))
    yield "## Readiness for promotion"
    for score, person in judged:
        if score is None:
            yield f"- **{person.name}:** cannot be judged; neither compatibility nor performance is recorded."
            continue
        verdict = "ready" if score >= READY else "nearly ready" if score >= NEARLY else "not yet ready"
        open_needs = f" Still open: {_listed(person.training_needs)}." if person.training_needs else ""
        yield f"- **{person.name}:** {verdict}, {score:.0f} of 100.{open_needs}"
    yield ""
    yield (
        "The score is the mean of job-role compatibility and performance indicators, less 5 for each training need; "
        f"{READY} is ready, {NEARLY} nearly."
    )
    yield ""
    yield f"**Next step:** {_next_step(judged[0][1])}"


def _compatibility(people: list[Person]) -> Iterator[str]:
    yield "## How they fit together"
    if len(people) < 2:
        yield "A team needs two people at least. Add another employee to the consultation."
        return
    for one, other in combinations(people, 2):
        shared = [trait for trait in one.traits if trait in other.traits]
        helps = [*_covers(one, other), *_covers(other, one)]
        yield f"- **{one.name} and {other.name}:** " + " ".join(
            (
                f"both are {_listed(shared)}." if shared else "no trait in common is recorded.",
                *helps,
            )
        )
    yield ""
    scores = {person.name: person.compatibility["department"] for person in people if "department" in person.compatibility}
    if scores:
        yield f"Compatibility with the department: {_figures(scores)}; {fmean(scores.values()):.0f} on average."
    twice = [strength for strength, count in Counter(s for p in people for s in p.strengths).items() if count > 1]
    if twice:
        yield f"More than one of them is strong in {_listed(twice)}: agree on who leads there."
    yield ""
    yield "**Next step:** " + _next_step(min(people, key=lambda person: person.compatibility.get("department", 101)))


def _covers(one: Person, other: Person) -> list[str]:
    covered = [area for area in other.development_areas if area in one.strengths]
    return [f"{one.name} can help {other.name} with {_listed(covered)}."] if covered else []


def _formation(people: list[Person]) -> Iterator[str]:
    """Greedy: next comes who adds most strengths that the team lacks, then who fits the company best."""
    yield "## A team from these people"
    covered: set[str] = set()
    left = list(people)
    while left:
        best = max(left, key=lambda p: (len(set(p.strengths) - covered), p.compatibility.get("company", 0)))
        adds = [strength for strength in best.strengths if strength not in covered]
        yield f"1. **{best.name}**, {_position(best)}: " + (
            f"adds {_listed(adds)}." if adds else "adds no strength that is not there already."
        )
        covered.update(adds)
        left.remove(best)
    lacking = sorted({area for person in people for area in person.development_areas} - covered)
    yield ""
    yield f"Nobody is strong in {_listed(lacking)}." if lacking else "Every recorded development area is somebody's strength."
    yield ""
    yield f"**Next step:** {_next_step(people[0])}"


def _conflict(people: list[Person]) -> Iterator[str]:
    yield "## Towards a solution"
    for person in people:
        yield f"- **{person.name}** — {_listed((*person.traits, *person.patterns)) or 'nothing recorded about behavior'}."
    shared = [s for s, count in Counter(s for p in people for s in p.strengths).items() if count == len(people) > 1]
    yield ""
    yield f"1. Speak with {_listed(person.name for person in people)} one by one, before you bring them together."
    yield f"2. Begin with what they share: {_listed(shared) or 'the goal of their work; no common strength is recorded'}."
    yield "3. Have each say what they need, not what the other did wrong."
    yield "4. Write down one agreement, and look at it together after two weeks."
    yield ""
    yield f"**Next step:** arrange the first talk with {people[0].name}."


def _optimization(people: list[Person]) -> Iterator[str]:
    yield "## Where performance can grow"
    for person in people:
        weak = {name: round(value) for name, value in person.shares.items() if value < WEAK}
        if not person.performance:
            found = "no indicator is recorded."
        elif weak:
            found = f"below {WEAK}: {_figures(dict(sorted(weak.items(), key=lambda item: item[1])))}."
        else:
            found = f"{_figures(person.performance)}; none that can be judged is below {WEAK}."
        yield f"- **{person.name}:** {found} To develop: {_listed(person.development_areas) or 'nothing recorded'}."
    yield ""
    yield f"**Next step:** {_next_step(min(people, key=lambda p: min(p.shares.values(), default=101)))}"


def _training(people: list[Person]) -> Iterator[str]:
    yield "## Training"
    needs = Counter(need for person in people for need in person.training_needs)
    if not needs:
        yield "No training need is recorded. Development areas are the next best hint:"
        for person in people:
            yield f"- **{person.name}:** {_listed(person.development_areas) or 'none recorded'}."
    for need, _ in needs.most_common():
        learners = [person.name for person in people if need in person.training_needs]
        teachers = [person.name for person in people if need in person.strengths]
        teaching = f" {_listed(teachers)} could teach it." if teachers else ""
        yield f"- **{need}** for {_listed(learners)}.{teaching}"
    if needs and (others := [person.name for person in people if not person.training_needs]):
        yield f"- Nothing is recorded for {_listed(others)}."
    yield ""
    yield f"**Next step:** {_next_step(max(people, key=lambda person: len(person.training_needs)))}"


Rule = Callable[[list[Person]], Iterator[str]]

# By the conversation's type (S0-7); the names are the specification's.
RULES: dict[str, Rule] = {
    "team_compatibility": _compatibility,
    "one_to_one": _one_to_one,
    "promotion_readiness": _promotion,
    "team_formation": _formation,
    "conflict_resolution": _conflict,
    "performance_optimization": _optimization,
    "training_guidance": _training,
}

# By words of the question, where the type leaves it open.
TOPICS: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (("promot", "ready", "readiness"), _promotion),
    (("train", "learn", "course"), _training),
    (("perform", "goal", "indicator"), _optimization),
    (("conflict", "argu", "quarrel"), _conflict),
    (("one-to-one", "1:1", "meeting"), _one_to_one),
)


def _rule_for(question: str, people: list[Person]) -> Rule:
    asked = question.casefold()
    for words, rule in TOPICS:
        if any(word in asked for word in words):
            return rule
    return _compatibility if len(people) > 1 and ("team" in asked or "together" in asked) else _portrait


# The same as JSON ------------------------------------------------------------------------------------------------------

LONGEST_NAME, SENTENCE, LIST = 120, 600, 6  # characters and items, at most

Scores = dict[str, float | None]


def _analysis(request: CompletionRequest, people: list[Person]) -> dict[str, Any]:
    scores = SCORES.get(request.conversation_type, _fit)(people) if people else {}
    return {
        "scores": [
            {"name": name[:LONGEST_NAME], "score": round(min(100.0, max(0.0, score)), 1)}
            for name, score in scores.items()
            if score is not None
        ][:20],
        "recommendations": _sentences(_next_step(person) for person in people),
        "insights": _sentences(_insights(people)),
        "data_points": [{"name": name[:LONGEST_NAME], "value": value} for name, value in _data(people)][:12],
        "employees": [
            {"name": person.name[:LONGEST_NAME], "why": f"Their record was read: {_position(person)}."[:SENTENCE]} for person in people
        ][:20],
        "confidence": round(fmean(person.known for person in people), 2) if people else 0.0,
        "follow_ups": _follow_ups(people),
    }


def _sentences(said: Iterable[str]) -> list[str]:
    return [text[:1].upper() + text[1:SENTENCE] for text in said][:LIST]


def _insights(people: list[Person]) -> Iterator[str]:
    for person in people:
        if person.strengths:
            yield f"{person.name} is strong in {_listed(person.strengths)}."
        if wanted := (*person.development_areas, *person.training_needs):
            yield f"{person.name} can grow in {_listed(dict.fromkeys(wanted))}."
    for one, other in combinations(people, 2):
        yield from (*_covers(one, other), *_covers(other, one))


def _data(people: list[Person]) -> Iterator[tuple[str, str | float]]:
    for person in people:
        for name, value in person.performance.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FIGURE:
                yield f"{person.name}, {name}", value
        if person.training_needs:
            yield f"{person.name}, training needs", _listed(person.training_needs)[:SENTENCE]


def _follow_ups(people: list[Person]) -> list[str]:
    if not people:
        return []
    name = people[0].name[:LONGEST_NAME]
    if len(people) > 1:
        return ["Who of them could help whom?", f"What should I talk about with {name} first?", "What would make the biggest difference?"]
    return [f"Which training would help {name} most?", f"How do I prepare a one-to-one with {name}?"]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _performs(person: Person) -> float | None:
    return _mean(person.shares.values())


def _fits(people: list[Person], what: str) -> float | None:
    return _mean(person.compatibility.get(what) for person in people)


def _fit(people: list[Person]) -> Scores:
    return {
        "role fit": _fits(people, "job role"),
        "department fit": _fits(people, "department"),
        "performance": _mean(map(_performs, people)),
    }


def _meeting(people: list[Person]) -> Scores:
    return {
        "going well": _mean(map(_performs, people)),
        "department fit": _fits(people, "department"),
        "readiness for more": _mean(map(_readiness, people)),
    }


def _pairs(people: list[Person]) -> Scores:
    """The mean of what is known of both in the department, and 10 more for each trait in common or strength that helps the other."""
    found: Scores = {}
    for one, other in combinations(people, 2):
        fit = _fits([one, other], "department")
        shared = len(set(one.traits) & set(other.traits)) + len(_covers(one, other)) + len(_covers(other, one))
        found[f"{one.name} and {other.name}"] = None if fit is None else fit + 10 * shared
    return found


def _adds(people: list[Person]) -> Scores:
    """The share of the team's strengths that somebody has."""
    all_of_them = {strength for person in people for strength in person.strengths}
    return {person.name: 100 * len(set(person.strengths)) / len(all_of_them) if all_of_them else None for person in people}


def _ground(people: list[Person]) -> Scores:
    """Shares of all pairs: those with a trait or strength in common, those of whom one can help the other."""
    pairs = list(combinations(people, 2))
    if not pairs:
        return {}
    common = sum(bool({*one.traits, *one.strengths} & {*other.traits, *other.strengths}) for one, other in pairs)
    helping = sum(bool(_covers(one, other) or _covers(other, one)) for one, other in pairs)
    return {"common ground": 100 * common / len(pairs), "mutual help": 100 * helping / len(pairs)}


def _urgent(people: list[Person]) -> Scores:
    """The share of people who need a training."""
    needs = Counter(need for person in people for need in dict.fromkeys(person.training_needs) if need.strip())
    return {need: 100 * count / len(people) for need, count in needs.most_common()}


# By the conversation's type, as `RULES`.
SCORES: dict[str, Callable[[list[Person]], Scores]] = {
    "team_compatibility": _pairs,
    "one_to_one": _meeting,
    "promotion_readiness": lambda people: {person.name: _readiness(person) for person in people},
    "team_formation": _adds,
    "conflict_resolution": _ground,
    "performance_optimization": lambda people: {person.name: _performs(person) for person in people},
    "training_guidance": _urgent,
}


def _memory(request: CompletionRequest, people: list[Person]) -> dict[str, Any]:
    told = request.messages[-1].text if request.messages else ""
    questions = [line.removeprefix(ASKED)[:SENTENCE] for line in told.splitlines() if line.startswith(ASKED) and line != ASKED]
    about = _listed(person.name for person in people) or "nobody in particular"
    count = f"{len(questions)} {'question' if len(questions) == 1 else 'questions'}"
    return {
        "summary": f"{count} about {about}, answered by fixed rules from the records."[:SENTENCE],
        "key_points": [f"Asked: {question}"[:SENTENCE] for question in questions[-LIST:]],
        "decisions": [],
        "follow_up_items": _sentences(_next_step(person) for person in people),
        "key_insights": _sentences(_insights(people))[:5],
    }


ASKED = "Person: "

# By the request's purpose.
STRUCTURES: dict[str, Callable[[CompletionRequest, list[Person]], dict[str, Any]]] = {"analysis": _analysis, "memory": _memory}
