"""The ledger is made whole from the answers."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.documents import Message
from chat.realtime.calls import Call
from chat.records import MessageRecord
from chat.services import answers, reconciliation, sweeper, turns
from config import mongo
from integrations.models import ModelCall
from integrations.services import ledger
from tenants import scoping


async def test_calls_that_the_ledger_lacks_are_written_from_their_answers(consultation):
    membership, conversation = consultation
    taken = await turns.asubmit(membership, conversation, text="What are her strengths?", client_id="one")
    await answers.produce(Call.to(taken.answer, conversation))

    def lose_and_restore() -> tuple[list, list, list]:
        assert ledger.flush(timeout=10)
        with scoping.tenant(membership.organization_id):
            calls = ModelCall.objects.for_tenant(membership.organization_id).order_by("id")
            before = list(calls.values())
            calls.delete()
        reconciliation.restore_ledger(since=timezone.now() - timedelta(hours=1))
        with scoping.tenant(membership.organization_id):
            once = list(calls.all().values())
        reconciliation.restore_ledger(since=timezone.now() - timedelta(hours=1))
        with scoping.tenant(membership.organization_id):
            return before, once, list(calls.all().values())

    before, once, twice = await sync_to_async(lose_and_restore)()
    assert before
    assert before == once == twice


@pytest.mark.parametrize(("text", "status"), [("", "pending"), ("She lis", "interrupted")])
async def test_a_call_whose_worker_died_has_its_row_and_no_cost_is_made_up(consultation, text, status):
    membership, conversation = consultation
    taken = await turns.asubmit(membership, conversation, text="What are her strengths?", client_id="one")
    writing = await answers._claim(Call.to(taken.answer, conversation))
    messages = mongo.async_collection(Message)
    died_at = timezone.now() - timedelta(seconds=1)
    this = {"organizationId": conversation.organization_id, "messageId": taken.answer.id}
    await messages.update_one(this, {"$set": {"content": text, "lease.expiresAt": died_at}})
    assert await sweeper.sweep() == 1
    swept = MessageRecord.read(await messages.find_one(this))
    assert (swept.status, swept.attempt) == (status, 1 if text else 2)

    def rows() -> list[ModelCall]:
        assert ledger.flush(timeout=10)
        with scoping.tenant(membership.organization_id):
            return list(ModelCall.objects.for_tenant(membership.organization_id))

    assert writing is not None
    (row,) = await sync_to_async(rows)()
    assert (row.outcome, row.status, str(row.message_id), row.attempt) == ("lost", False, taken.answer.id, 1)
    assert (row.input_tokens, row.output_tokens, row.expected_cost) == (None, None, None)
    assert f"{len(text)} characters" in row.error
