"""The offline consultant answers by its stated rules, from the facts it was given and nothing else."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.choices import ConsultationType
from integrations.providers.base import ChatMessage, CompletionRequest, Ending
from integrations.providers.offline import NAME, RULES, Offline
from integrations.tools import OFFERED

ERIK = {
    "id": "e-1",
    "name": "Erik Ek",
    "job_title": "Account manager",
    "department": "Sales",
    "traits": ("calm", "curious"),
    "patterns": ("prepares meetings in writing",),
    "strengths": ("negotiation", "listening"),
    "development_areas": ("statistics",),
    "training_needs": ("SQL",),
    "compatibility": {"job role": 85.0, "department": 70.0, "company": 80.0},
    "performance": {"goals reached": 90, "on-time delivery": 0.85},
    "signs": {"sun": "leo"},
}
SARA = {
    "id": "e-2",
    "name": "Sara Sand",
    "job_title": "Analyst",
    "department": "Sales",
    "traits": ("curious", "exact"),
    "patterns": ("speaks up late",),
    "strengths": ("statistics", "SQL", "listening"),
    "development_areas": ("negotiation",),
    "training_needs": (),
    "compatibility": {"job role": 55.0, "department": 60.0},
    "performance": {"goals reached": 0.4, "reports": 1200},
    "signs": {},
}
NOBODY_KNOWS = {"id": "e-3", "name": "Ny Ny"}


async def answer(question: str, *facts, kind: str = "") -> tuple[str, Ending]:
    request = CompletionRequest(organization_id="o", messages=(ChatMessage("user", question),), facts=facts, conversation_type=kind)
    return await Offline().complete(request, model=NAME)


def test_every_type_of_consultation_has_a_rule_or_a_portrait():
    assert set(ConsultationType.values) - set(RULES) == {ConsultationType.EMPLOYEE_SPECIFIC}
    assert set(RULES) <= set(ConsultationType.values)


@pytest.mark.parametrize("kind", ["", *ConsultationType.values])
@pytest.mark.parametrize("facts", [(ERIK,), (ERIK, SARA), (NOBODY_KNOWS,), (ERIK, SARA, NOBODY_KNOWS)])
async def test_every_type_is_answered_about_those_discussed_with_a_next_step(kind, facts):
    text, ending = await answer("What do you think?", *facts, kind=kind)
    if kind != "team_compatibility" or len(facts) > 1:
        assert all(fact["name"] in text for fact in facts)
        assert "**Next step:**" in text
    assert text.endswith("by fixed rules; no language model was asked.*")
    assert ending.sources == tuple(f"employee:{fact['id']}" for fact in facts)
    assert "leo" not in text, "nobody is judged by a sign"


async def test_readiness_is_reckoned_as_it_says():
    text, _ = await answer("Ready?", ERIK, SARA, NOBODY_KNOWS, kind="promotion_readiness")
    # Erik: the mean of 85, 90 and 85, less 5. Sara: the mean of 55 and 40; 1,200 reports are no share.
    assert "**Erik Ek:** ready, 82 of 100. Still open: SQL." in text
    assert "**Sara Sand:** not yet ready, 48 of 100." in text
    assert "**Ny Ny:** cannot be judged" in text
    assert text.index("Erik") < text.index("Sara") < text.index("Ny Ny")


async def test_a_team_knows_who_helps_whom():
    text, _ = await answer("?", ERIK, SARA, kind="team_compatibility")
    assert "both are curious. Erik Ek can help Sara Sand with negotiation. Sara Sand can help Erik Ek with statistics." in text
    assert "Erik Ek 70 and Sara Sand 60; 65 on average" in text
    assert "strong in listening" in text


async def test_training_finds_a_teacher_among_those_discussed():
    text, _ = await answer("?", ERIK, SARA, kind="training_guidance")
    assert "**SQL** for Erik Ek. Sara Sand could teach it." in text


async def test_performance_names_what_is_weak_and_judges_only_shares():
    text, _ = await answer("?", ERIK, SARA, kind="performance_optimization")
    assert "**Sara Sand:** below 60: goals reached 40." in text
    assert "none that can be judged is below 60" in text


async def test_a_question_that_names_somebody_is_answered_about_them():
    text, ending = await answer("What about SARA?", ERIK, SARA)
    assert "Erik" not in text
    assert ending.sources == ("employee:e-2",)


@pytest.mark.parametrize(
    ("question", "heading"),
    [("Is he ready for more?", "Readiness"), ("Which training?", "Training"), ("Who is he?", "## Erik Ek"), ("Plan our 1:1", "One-to-one")],
)
async def test_without_a_type_the_questions_words_choose_the_rule(question, heading):
    assert heading in (await answer(question, ERIK))[0]


async def test_without_facts_it_says_what_it_is_and_what_to_do():
    text, ending = await answer("Hello?")
    assert text.startswith("I am the offline consultant")
    assert "Start a consultation" in text
    assert (ending.confidence, ending.sources) == (0.0, ())


async def test_confidence_is_the_share_of_what_is_known():
    assert [(await answer("?", fact))[1].confidence for fact in (ERIK, SARA, NOBODY_KNOWS)] == [1.0, 0.88, 0.0]


async def test_words_come_at_the_pace_that_is_set(settings):
    request = CompletionRequest(organization_id="o", messages=(ChatMessage("user", "?"),), facts=(ERIK,))
    text, ending = await Offline().complete(request, model=NAME)
    words = len(text.split())
    settings.OFFLINE_WORDS_PER_SECOND = 0
    assert [piece async for piece in Offline().stream(request, model=NAME)] == [text, ending]
    settings.OFFLINE_WORDS_PER_SECOND = 200
    began = time.monotonic()
    pieces = [piece async for piece in Offline().stream(request, model=NAME)]
    assert words / 200 * 0.9 < time.monotonic() - began < 5
    assert ("".join(pieces[:-1]), pieces[-1]) == (text, ending)
    assert len(pieces) > 10


async def test_a_reader_who_comes_rarely_is_given_all_words_whose_time_has_come(settings):
    """A worker reads a few times a second; a word at a time would make an answer of a hundred words last for many seconds."""
    request = CompletionRequest(organization_id="o", messages=(ChatMessage("user", "?"),), facts=(ERIK,))
    settings.OFFLINE_WORDS_PER_SECOND = 1_000
    pieces = 0
    async for _ in Offline().stream(request, model=NAME):
        pieces += 1
        await asyncio.sleep(0.1)
    assert pieces <= 6


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
words = st.lists(st.text(), max_size=3)
facts = st.fixed_dictionaries(
    {"id": st.text(), "name": st.text()},
    optional={
        "traits": words,
        "patterns": words,
        "strengths": words,
        "development_areas": words,
        "training_needs": words,
        "compatibility": st.dictionaries(st.sampled_from(["job role", "department", "company"]), st.floats(0, 100)),
        "performance": st.dictionaries(st.text(), anything, max_size=3),
    },
)


@given(st.lists(facts, max_size=3), st.sampled_from(["", *ConsultationType.values]), st.text())
def test_whatever_the_records_hold_there_is_an_answer(found, kind, question):
    request = CompletionRequest(organization_id="o", messages=(ChatMessage("user", question),), facts=tuple(found), conversation_type=kind)
    stream = Offline().complete(request, model=NAME)
    with pytest.raises(StopIteration) as done:
        stream.send(None)
    text, ending = done.value.value
    assert text
    assert ending.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("question", "metrics", "days"),
    [
        ("How many sessions did our website have last week?", ["sessions"], 7),
        ("New users and page views of the website in the past 10 days", ["newUsers", "screenPageViews"], 10),
        ("How is our website doing?", ["activeUsers", "newUsers"], None),
        ("Website traffic of the last 99 months", ["activeUsers", "newUsers"], 365),
    ],
)
async def test_figures_are_asked_for_by_the_questions_words(question, metrics, days):
    tool = {"type": "function", "function": {"name": "run_analytics_report", "parameters": OFFERED["run_analytics_report"].parameters}}
    request = CompletionRequest(organization_id="o", messages=(ChatMessage("user", question),), tools=(tool,))
    _, ending = await Offline().complete(request, model=NAME)
    asked = json.loads(ending.tool_uses[0].arguments)
    assert asked["metrics"] == metrics
    since = datetime.now(UTC).date() - timedelta(days=days) if days else None
    assert asked.get("since") == (since and since.isoformat())
