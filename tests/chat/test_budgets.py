"""A turn within budgets: at the cap its answer ends with a sentence, and can be retried once there is something left."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from chat import access
from chat.documents import Message
from chat.realtime import stream
from chat.services import answers, queues, turns
from config import mongo, redis
from config.api import exception_handler
from integrations.errors import BudgetExceeded
from integrations.models import Budget, BudgetPeriod, CallMetric, ModelPrice
from integrations.providers import prices
from integrations.services import budgets, ledger
from tenants import scoping
from tests.integrations.upstream import says, upstream


@pytest.fixture(autouse=True)
def _known_anew():
    budgets.forget()
    prices.forget()
    yield
    budgets.forget()
    prices.forget()


def set_budget(membership, amount: str, scope: str, target) -> Budget:
    with scoping.tenant(membership.organization_id):
        rows = Budget.objects.for_tenant(membership.organization_id)
        return rows.create(scope=scope, target_id=target, period="day", amount=Decimal(amount))


def raise_to(budget: Budget, amount: str) -> None:
    with scoping.tenant(budget.organization_id):
        Budget.objects.for_tenant(budget.organization_id).filter(pk=budget.pk).update(amount=Decimal(amount))


def counted(organization_id) -> tuple[list, list]:
    assert ledger.flush(timeout=10)
    with scoping.tenant(organization_id):
        periods = BudgetPeriod.objects.for_tenant(organization_id).values_list("spent", "reserved", "calls")
        calls = CallMetric.objects.for_tenant(organization_id).values_list("user_id", "cost")
        return list(periods), list(calls)


async def test_at_the_cap_the_answer_ends_with_a_sentence_and_a_retry_answers_when_there_is_something_left(consultation, settings):
    membership, conversation = consultation
    budget = await sync_to_async(set_budget)(membership, "0.0001", "person", membership.user_id)
    await ModelPrice.objects.acreate(
        host="127.0.0.1", model="m-*", since=datetime(2020, 1, 1, tzinfo=UTC), input=2, cached_input=2, output=10
    )
    async with upstream(says("She ", "is well.")) as server:
        settings.OPENAI_BASE_URL, settings.OPENAI_MODEL = server.url, "m-1"
        before = await stream.position(redis.async_client(), conversation.id)
        taken = await turns.asubmit(membership, conversation, text="How is she?", client_id="one")
        await answers.produce(await turns.call_to(taken.answer))
        assert server.exchanges == []
        raw = await mongo.async_collection(Message).find_one({"organizationId": conversation.organization_id, "role": "assistant"})
        assert (raw["status"], raw["errorDetails"]["errorCode"]) == ("error", "budget_exceeded")
        assert "The budget of the person " in raw["errorDetails"]["errorMessage"]
        assert "It begins anew on" in raw["errorDetails"]["errorMessage"]
        told = await stream.since(redis.async_client(), conversation.id, after=before.n)
        assert b"budget_exceeded" in told[-1], "open pages and sockets are told"

        await sync_to_async(raise_to)(budget, "5")
        answer = await access.amessage_for(membership, raw["messageId"])
        await answers.produce(await turns.call_to(await turns.aretry(membership, answer)))
        raw = await mongo.async_collection(Message).find_one({"organizationId": conversation.organization_id, "role": "assistant"})
        assert (raw["status"], raw["content"]) == ("sent", "She is well.")
    ((spent, reserved, calls),), ((user_id, cost),) = await sync_to_async(counted)(membership.organization_id)
    assert (reserved, calls, user_id) == (0, 1, membership.user_id)
    assert spent == cost == raw["aiResponseMetadata"]["cost"].to_decimal()


async def test_a_keys_budget_holds_the_turns_that_its_program_asks(consultation, settings):
    membership, conversation = consultation
    key = uuid.uuid4()
    await sync_to_async(set_budget)(membership, "0.0001", "key", key)
    await ModelPrice.objects.acreate(
        host="127.0.0.1", model="m-*", since=datetime(2020, 1, 1, tzinfo=UTC), input=2, cached_input=2, output=10
    )
    async with upstream(says("She ", "is well.")) as server:
        settings.OPENAI_BASE_URL, settings.OPENAI_MODEL = server.url, "m-1"
        taken = await turns.asubmit(membership, conversation, text="How is she?", client_id="one", api_key_id=str(key))
        await answers.produce(await turns.call_to(taken.answer))
        assert server.exchanges == []
        answer = await access.amessage_for(membership, taken.answer.id)
        assert answer.error_code == "budget_exceeded"
        waiting = await queues.aadd(membership, conversation, text="And now?", client_id="two", api_key_id=str(key))
        await answers.produce(await turns.call_to(waiting.answer))
        assert server.exchanges == [], "nor does a question that waited"

        await answers.produce(await turns.call_to(await turns.aretry(membership, answer)))
        assert (await access.amessage_for(membership, answer.id)).text == "She is well.", "the person themself is held by other budgets"


def test_over_rest_it_is_a_402_in_the_one_shape_of_errors():
    error = BudgetExceeded("The budget is used up.", budget_id="b", begins_anew=datetime(2026, 1, 1, tzinfo=UTC))
    request = Request(APIRequestFactory().get("/api/v1/x"))
    said = exception_handler(error, {"view": None, "args": (), "kwargs": {}, "request": request})
    assert said.status_code == 402
    assert said.data["errors"] == [{"code": "budget_exceeded", "detail": "The budget is used up.", "attr": None}]
