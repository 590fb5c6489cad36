"""The ledger is made whole from the answers."""

from datetime import timedelta

from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.realtime.calls import Call
from chat.services import answers, reconciliation, turns
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
