"""Titles that the model gives: once, from the first exchange, and never over somebody's own."""

import pytest
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as some

from chat import access
from chat.documents import Message
from chat.realtime import stream
from chat.services import answers, conversations, titles, turns
from config import mongo, redis
from integrations.providers.base import Code, ProviderError
from integrations.services import completions
from tenants import scoping


@pytest.fixture(autouse=True)
def _with_titles(settings):
    settings.AI_TITLES = True


async def ask(membership, conversation, text, *, client_id="one"):
    """Asks, has the answer written, and gives the conversation as it is then."""
    taken = await turns.asubmit(membership, conversation, text=text, client_id=client_id)
    await answers.produce(await turns.call_to(taken.answer))
    return await access.aconversation_for(membership, conversation.id)


async def test_the_first_exchange_gives_a_title_and_everybody_is_told(consultation):
    membership, conversation = consultation
    before = await stream.position(redis.async_client(), conversation.id)
    named = await ask(membership, conversation, "What are her strengths?")
    assert named.title == "What are her strengths?"
    told = await stream.since(redis.async_client(), conversation.id, after=before.n)
    assert b'"event":"conversation"' in told[-1]
    assert b'"title":"What are her strengths?"' in told[-1]
    assert (await ask(membership, named, "And her weaknesses?", client_id="two")).title == "What are her strengths?"


async def test_the_call_is_kept_with_the_answer_for_the_ledger(consultation):
    membership, conversation = consultation
    await ask(membership, conversation, "What are her strengths?")
    raw = await mongo.async_collection(Message).find_one({"organizationId": conversation.organization_id, "role": "assistant"})
    assert [call["purpose"] for call in raw["calls"]] == ["answer", "title"]


async def test_a_title_of_ones_own_stays(consultation, cast):
    membership, _ = consultation

    def start():
        with scoping.tenant(cast.acme):
            employee = next(iter(cast.employees.values()))
            return conversations.start(membership, type="one_to_one", subject_employee_ids=[employee.pk], title="Monday")

    own = await sync_to_async(start)()
    assert (await ask(membership, own, "What do I raise?")).title == "Monday"


async def test_a_title_given_meanwhile_stays(consultation, monkeypatch):
    membership, conversation = consultation
    complete = completions.complete

    async def slowly(request):
        found = await complete(request)
        await sync_to_async(conversations.rename)(membership, conversation, title="Mine")
        return found

    monkeypatch.setattr(completions, "complete", slowly)
    assert (await ask(membership, conversation, "What are her strengths?")).title == "Mine"


async def test_what_fails_is_tried_again_with_the_next_answer(consultation, monkeypatch):
    membership, conversation = consultation

    async def refuse(request):
        raise ProviderError(Code.REFUSED, "No.")

    monkeypatch.setattr(completions, "complete", refuse)
    untitled = await ask(membership, conversation, "What are her strengths?")
    assert untitled.title == conversation.title
    monkeypatch.undo()
    assert (await ask(membership, untitled, "And her weaknesses?", client_id="two")).title == "And her weaknesses?"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Erik's growth", "Erik's growth"),
        ('"Erik’s growth"\n', "Erik’s growth"),
        ("**Title:** Erik's growth", "Erik's growth"),
        ("\n\n# Erik's growth\nBecause …", "Erik's growth"),
        ("«Рост Эрика»", "Рост Эрика"),
        ("", ""),
        ('""', ""),
        ("You want to raise your attention to the issue of how to improve the mental environment", ""),
    ],
)
def test_only_the_title_is_taken(said, title):
    assert titles.tidy(said) == title


@given(some.text(max_size=300))
def test_any_text_makes_a_title_that_fits_or_none(said):
    for title in (titles.tidy(said), titles.beginning(said)):
        assert len(title) <= titles.LONGEST + 1
        assert "\n" not in title


def test_the_beginning_of_a_question_ends_with_a_word():
    assert titles.beginning("What would lift\nthe sales team?") == "What would lift the sales team?"
    assert titles.beginning("What would lift the sales team's quarter without burning anyone out?") == (
        "What would lift the sales team's quarter without burning…"
    )


async def test_without_the_setting_nothing_is_asked(consultation, settings):
    membership, conversation = consultation
    settings.AI_TITLES = False
    assert (await ask(membership, conversation, "What are her strengths?")).title == conversation.title
