"""What is kept of a conversation's employees: the next answer has it without a query, and never after something changed (S0-108)."""

import time
from dataclasses import replace

import orjson
import pytest
from asgiref.sync import sync_to_async

from chat.realtime import facts, keys
from chat.realtime.calls import Call
from chat.services import answers, contexts, conversations, turns
from config import loop, redis
from tenants import changes, scoping
from tenants.models import Employee
from tests.tenants.test_changes import until

pytestmark = pytest.mark.asyncio

OTHERS: dict[str, dict] = {
    "rights": {"rights": ("manager", None, None)},
    "subjects": {"subject_employee_ids": ()},
    "organization": {"organization_id": "01a203a8-609c-73c4-a4c7-7eb823af5c03"},
}


@pytest.fixture(autouse=True)
async def _listening(stores, monkeypatch):
    monkeypatch.setattr(changes, "SKEW_SECONDS", 0.0)
    changes.listening().start()
    await until(lambda: changes.listening().is_current("", read_at=time.time()))
    yield
    await changes.listening().stop()


@pytest.fixture
def beside(consultation):
    """Another conversation about the same employee."""
    membership, conversation = consultation
    with scoping.tenant(membership.organization_id):
        return conversations.start(membership, type="employee_specific", subject_employee_ids=conversation.subject_employee_ids)


@pytest.fixture(params=["the same worker", "another worker"])
def later(request):
    """What has happened before the next answer: it may be another worker's, which remembers nothing itself."""
    return contexts._known.clear if request.param == "another worker" else lambda: None


@pytest.fixture
def reads(monkeypatch) -> list[Call]:
    """The calls for which PostgreSQL was asked, and answered: a connection that died meanwhile is tried again."""
    found: list[Call] = []
    read = contexts._subjects

    def watched(call: Call):
        subjects = read(call)
        found.append(call)
        return subjects

    monkeypatch.setattr(contexts, "_subjects", watched)
    return found


async def ask(membership, conversation, text) -> Call:
    taken = await turns.asubmit(membership, conversation, text=text, client_id=text)
    call = Call.to(taken.answer, conversation)
    await answers.produce(call)
    return call


def promote(membership, conversation) -> None:
    with scoping.tenant(membership.organization_id):
        employees = Employee.objects.for_tenant(membership.organization_id)
        employees.filter(pk=conversation.subject_employee_ids[0]).update(job_title="Head of Everything")


async def kept(conversation) -> dict:
    return orjson.loads(await redis.async_client().get(keys.context(conversation.id)))


async def test_the_second_answer_rests_on_the_same_facts_without_asking_for_them(consultation, reads, later):
    membership, conversation = consultation
    await ask(membership, conversation, "One?")
    later()
    call = await ask(membership, conversation, "Two?")
    assert len(reads) == 1
    again = (await contexts.for_answer(call)).subjects
    assert again == await loop.in_thread(contexts._subjects, call)
    assert again[0].name


async def test_it_is_kept_as_specified_and_for_half_an_hour_after_the_last_answer(consultation):
    membership, conversation = consultation
    call = await ask(membership, conversation, "One?")
    document = await kept(conversation)
    assert {"employeeData", "recentMessages", "reportReferences", "lastUpdated", "tokenCount"} <= document.keys()
    assert document["employeeData"][0]["id"] == conversation.subject_employee_ids[0]
    assert document["tokenCount"] > 10
    await redis.async_client().expire(keys.context(conversation.id), 60)
    await facts.kept(call)
    assert await redis.async_client().ttl(keys.context(conversation.id)) > 1_700


async def test_a_change_is_in_the_next_answer(consultation, reads, later):
    membership, conversation = consultation
    call = await ask(membership, conversation, "One?")
    before = (await kept(conversation))["lastUpdated"]
    await sync_to_async(promote)(membership, conversation)
    await until(lambda: not changes.listening().is_current(call.organization_id, read_at=before))
    later()
    await ask(membership, conversation, "Two?")
    assert len(reads) == 2
    assert (await kept(conversation))["employeeData"][0]["job_title"] == "Head of Everything"


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_what_was_read_for_others_is_not_given(consultation, other):
    membership, conversation = consultation
    call = await ask(membership, conversation, "One?")
    assert await facts.kept(call)
    assert await facts.kept(replace(call, **other)) is None


async def test_another_conversation_about_the_same_people_does_not_ask_for_them_again(consultation, beside, reads):
    membership, conversation = consultation
    await ask(membership, conversation, "One?")
    call = await ask(membership, beside, "And here?")
    assert len(reads) == 1
    assert (await contexts.for_answer(call)).subjects == await loop.in_thread(contexts._subjects, call)
    assert (await kept(beside))["lastUpdated"] == (await kept(conversation))["lastUpdated"]


async def test_another_conversation_has_a_change_as_well(consultation, beside, reads):
    membership, conversation = consultation
    call = await ask(membership, conversation, "One?")
    before = (await kept(conversation))["lastUpdated"]
    await sync_to_async(promote)(membership, conversation)
    await until(lambda: not changes.listening().is_current(call.organization_id, read_at=before))
    await ask(membership, beside, "And here?")
    assert len(reads) == 2
    assert (await kept(beside))["employeeData"][0]["job_title"] == "Head of Everything"


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_what_the_process_read_for_others_is_not_given(consultation, other, reads):
    membership, conversation = consultation
    call = await ask(membership, conversation, "One?")
    await redis.async_client().flushall()
    expected = await loop.in_thread(contexts._subjects, replace(call, **other))
    reads.clear()
    subjects, _ = await contexts._subjects_kept_or_read(replace(call, **other))
    assert subjects == expected == ()
    assert len(reads) == bool(replace(call, **other).subject_employee_ids)


async def test_what_the_process_read_is_forgotten_after_a_while(consultation, beside, reads, monkeypatch):
    membership, conversation = consultation
    await ask(membership, conversation, "One?")
    monkeypatch.setattr(contexts, "KNOWN_SECONDS", 0.0)
    await ask(membership, beside, "And here?")
    assert len(reads) == 2


async def test_nothing_is_taken_from_there_by_who_does_not_hear_of_changes(consultation, reads, later):
    membership, conversation = consultation
    await ask(membership, conversation, "One?")
    later()
    await changes.listening().stop()
    await ask(membership, conversation, "Two?")
    assert len(reads) == 2


async def test_an_answer_needs_no_redis_for_its_facts(consultation, reads, monkeypatch):
    membership, conversation = consultation

    async def away(*args, **kwargs):
        raise redis.AWAY[0]("away")

    monkeypatch.setattr(redis.async_client(), "getex", away)
    await ask(membership, conversation, "One?")
    await ask(membership, conversation, "Two?")
    assert len(reads) == 1  # what this process read
    contexts._known.clear()
    await ask(membership, conversation, "Three?")
    assert len(reads) == 2
