"""Budgets: reserved before a call and settled after it, by all that concern it or by none; never passed, never refused wrongly."""

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from config import loop
from integrations.choices import BudgetPeriodLength, BudgetScope
from integrations.errors import BudgetExceeded
from integrations.models import Budget, BudgetHold, BudgetPeriod, ModelPrice
from integrations.providers.base import ChatMessage, CompletionRequest, Finished
from integrations.services import budgets, completions
from integrations.signals import budget_nearly_spent
from tenants import changes, scoping
from tests.cast import make_cast
from tests.integrations.upstream import Exchange, chunk, event, fails, says, upstream

DAY = datetime(2020, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("stores")


@pytest.fixture(autouse=True)
def _known_anew():
    budgets.forget()
    yield
    budgets.forget()


@pytest.fixture
def cast():
    return make_cast()


def budget(cast, amount, scope=BudgetScope.ORGANIZATION, target=None, period=BudgetPeriodLength.DAY, **fields) -> Budget:
    organization = fields.pop("organization", cast.acme)
    with scoping.tenant(organization):
        return Budget.objects.for_tenant(organization).create(
            scope=scope, target_id=target or organization.pk, period=period, amount=Decimal(amount), **fields
        )


def figures(organization, *names: str) -> list[tuple]:
    with scoping.tenant(organization):
        return list(BudgetPeriod.objects.for_tenant(organization).order_by("starts_at", "budget_id").values_list(*names))


afigures = sync_to_async(figures)


def held(organization) -> int:
    with scoping.tenant(organization):
        return BudgetHold.objects.for_tenant(organization).count()


def asked(cast, **fields) -> CompletionRequest:
    fields.setdefault("user_id", cast.mona.user.pk)
    fields.setdefault("department_id", cast.sales.pk)
    return CompletionRequest(organization_id=fields.pop("organization_id", cast.acme.pk), messages=(), **fields)


# One call --------------------------------------------------------------------------------------------------------------


async def test_what_is_reserved_is_given_back_and_what_it_cost_is_counted(cast):
    await sync_to_async(budget)(cast, 10)
    hold = await budgets.reserve(asked(cast), Decimal(4))
    assert await afigures(cast.acme, "spent", "reserved") == [(0, 4)]
    assert (hold.standing.spent, hold.standing.reserved, hold.standing.left) == (0, 4, 6)
    await hold.settle(Decimal("1.25"))
    assert await afigures(cast.acme, "spent", "reserved", "calls", "unknown") == [(Decimal("1.25"), 0, 1, 0)]
    await hold.settle(Decimal(9))
    assert await afigures(cast.acme, "spent", "reserved", "calls") == [(Decimal("1.25"), 0, 1)], "only the first word counts"
    assert await sync_to_async(held)(cast.acme) == 0


async def test_a_call_that_was_not_made_costs_nothing(cast):
    await sync_to_async(budget)(cast, 10)
    hold = await budgets.reserve(asked(cast), Decimal(4))
    await hold.release()
    assert await afigures(cast.acme, "spent", "reserved", "calls") == [(0, 0, 0)]


@pytest.mark.parametrize(
    ("scope", "target", "words"),
    [
        (BudgetScope.ORGANIZATION, lambda cast: cast.acme.pk, "The budget of your organization for today, $1.00, is used up"),
        (BudgetScope.DEPARTMENT, lambda cast: cast.sales.pk, "The budget of the department Sales for today"),
        (BudgetScope.PERSON, lambda cast: cast.mona.user.pk, "The budget of the person "),
        (BudgetScope.KEY, lambda cast: uuid.UUID(int=5), "The budget of the API key"),
        (BudgetScope.BRIDGE, lambda cast: uuid.UUID(int=6), "The budget of the bridge"),
    ],
)
async def test_at_the_cap_it_is_said_which_budget_and_when_it_begins_anew(cast, scope, target, words, time_machine):
    time_machine.move_to(datetime(2026, 3, 31, 22, 0, tzinfo=UTC), tick=True)
    mine = await sync_to_async(budget)(cast, 1, scope, target(cast))
    request = asked(cast, api_key_id=uuid.UUID(int=5), bridge_id=uuid.UUID(int=6))
    await (await budgets.reserve(request, Decimal(1))).settle(Decimal(1))
    with pytest.raises(BudgetExceeded) as refused:
        await budgets.reserve(request, Decimal("0.01"))
    assert words in refused.value.sentence
    assert "It begins anew on 1 April 2026 at 00:00 UTC" in refused.value.sentence
    assert (refused.value.permanent, refused.value.http_status, refused.value.budget_id) == (True, 402, str(mine.pk))
    assert refused.value.begins_anew == datetime(2026, 4, 1, tzinfo=UTC)
    other = asked(cast, organization_id=cast.globex.pk)
    assert await budgets.reserve(other, Decimal(1)) is budgets.NONE, "another organization's calls are not held"


async def test_a_budget_of_something_else_holds_nobody_up(cast):
    for scope in (BudgetScope.DEPARTMENT, BudgetScope.PERSON, BudgetScope.KEY, BudgetScope.BRIDGE):
        await sync_to_async(budget)(cast, "0.0001", scope, uuid.UUID(int=9))
    assert await budgets.reserve(asked(cast), Decimal(100)) is budgets.NONE


async def test_all_budgets_are_reserved_or_none(cast):
    whole = await sync_to_async(budget)(cast, 10)
    sales = await sync_to_async(budget)(cast, 1, BudgetScope.DEPARTMENT, cast.sales.pk)
    month = await sync_to_async(budget)(cast, 10, period=BudgetPeriodLength.MONTH)
    with pytest.raises(BudgetExceeded) as refused:
        await budgets.reserve(asked(cast), Decimal(2))
    assert refused.value.budget_id == str(sales.pk)
    assert "$1.00 of $1.00 are left, and this may cost $2.00" in refused.value.sentence
    assert set(await afigures(cast.acme, "spent", "reserved")) == {(0, 0)}
    await (await budgets.reserve(asked(cast), Decimal("0.5"))).settle(Decimal("0.25"))
    rows = await afigures(cast.acme, "budget_id", "spent", "reserved")
    assert sorted(row[0] for row in rows) == sorted([whole.pk, sales.pk, month.pk])
    assert {row[1:] for row in rows} == {(Decimal("0.25"), 0)}


async def test_an_unknown_price_reserves_nothing_and_is_counted_as_unknown(cast):
    await sync_to_async(budget)(cast, 1)
    hold = await budgets.reserve(asked(cast), None)
    assert hold.is_unknown
    assert await afigures(cast.acme, "reserved") == [(0,)]
    await hold.settle(None)
    assert await afigures(cast.acme, "spent", "calls", "unknown") == [(0, 1, 1)]
    await (await budgets.reserve(asked(cast), Decimal(1))).settle(Decimal(1))
    with pytest.raises(BudgetExceeded):
        await budgets.reserve(asked(cast), None)


async def test_a_budget_may_refuse_what_it_cannot_count(cast):
    await sync_to_async(budget)(cast, 1, refuse_unknown=True)
    with pytest.raises(BudgetExceeded, match="is not known"):
        await budgets.reserve(asked(cast), None)
    assert (await budgets.reserve(asked(cast), Decimal("0.5"))).standing is not None


async def test_a_call_that_costs_nothing_asks_nobody(cast):
    await sync_to_async(budget)(cast, 1)
    assert await budgets.reserve(asked(cast), Decimal(0)) is budgets.NONE


async def test_an_inactive_budget_holds_nobody(cast):
    await sync_to_async(budget)(cast, "0.0001", is_active=False)
    assert await budgets.reserve(asked(cast), Decimal(1)) is budgets.NONE


# What it costs ---------------------------------------------------------------------------------------------------------


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # PostgreSQL tells whenever it does
            await asyncio.sleep(0.01)


async def test_without_budgets_a_call_asks_nobody(cast, monkeypatch):
    changes.of_process()
    await until(lambda: changes.of_process().hears)
    assert await budgets.concerning(asked(cast)) == ()

    def asks(*args, **kwargs):
        raise AssertionError("PostgreSQL was asked")

    monkeypatch.setattr(loop, "in_thread", asks)
    await asyncio.sleep(budgets.UNTOLD_SECONDS + 0.1)
    for _ in range(100):
        assert await budgets.concerning(asked(cast)) == ()
        assert await budgets.reserve(asked(cast), Decimal(1)) is budgets.NONE


async def test_the_first_budget_of_an_organization_counts_within_two_seconds_however_it_was_made(cast):
    await until(lambda: changes.of_process().hears)
    assert await budgets.concerning(asked(cast)) == ()
    made = await sync_to_async(budget)(cast, 1)
    began = time.monotonic()
    while await budgets.concerning(asked(cast)) != (made.pk,):
        assert time.monotonic() - began < 2
        await asyncio.sleep(0.01)
    await sync_to_async(_remove)(cast, made)
    while await budgets.concerning(asked(cast)):
        assert time.monotonic() - began < 4
        await asyncio.sleep(0.01)


def _remove(cast, made) -> None:
    with scoping.tenant(cast.acme):
        Budget.objects.for_tenant(cast.acme).filter(pk=made.pk).delete()


async def test_a_call_pays_one_statement_before_and_one_after(cast):
    await sync_to_async(budget)(cast, 10)
    await sync_to_async(budget)(cast, 10, BudgetScope.PERSON, cast.mona.user.pk)
    sent: list[str] = []

    def note(execute, sql, params, many, context):
        sent.append(sql)
        return execute(sql, params, many, context)

    real = loop.in_thread

    async def watched(work, *args, **kwargs):
        def run():
            with connection.execute_wrapper(note):
                return work(*args, **kwargs)

        return await real(run)

    await budgets.concerning(asked(cast))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "in_thread", watched)
        patch.setattr(budgets, "_stands", lambda known, organization_id: True)  # however long the machine took since
        await (await budgets.reserve(asked(cast), Decimal(1))).settle(Decimal(1))
    assert [sql.split("(")[0] for sql in sent] == [
        "SELECT * FROM budgets_reserve",
        "SELECT budget, starts, cap, used, held, NULL, is_new_warning FROM budgets_settle",
    ]


# Racers ----------------------------------------------------------------------------------------------------------------


async def _racer(cast, estimate: Decimal, cost: Decimal) -> bool:
    try:
        hold = await budgets.reserve(asked(cast), estimate)
    except BudgetExceeded:
        return False
    await asyncio.sleep(0)
    await hold.settle(cost)
    return True


async def test_sixty_four_callers_never_pass_the_cap(cast):
    await sync_to_async(budget)(cast, 20)
    await sync_to_async(budget)(cast, 30, BudgetScope.PERSON, cast.mona.user.pk)
    await sync_to_async(budget)(cast, 25, period=BudgetPeriodLength.MONTH)
    passed = await asyncio.gather(*(_racer(cast, Decimal(1), Decimal(1)) for _ in range(64)))
    assert sum(passed) == 20
    assert set(await afigures(cast.acme, "spent", "reserved", "calls")) == {(20, 0, 20)}


async def test_sixty_four_callers_whom_the_cap_holds_are_all_let_through(cast):
    await sync_to_async(budget)(cast, 64)
    await sync_to_async(budget)(cast, 64, BudgetScope.DEPARTMENT, cast.sales.pk)
    passed = await asyncio.gather(*(_racer(cast, Decimal(1), Decimal("0.1")) for _ in range(64)))
    assert sum(passed) == 64
    assert set(await afigures(cast.acme, "spent", "reserved")) == {(Decimal("6.4"), 0)}


# Leases ----------------------------------------------------------------------------------------------------------------


def _lapse(cast) -> None:
    with scoping.tenant(cast.acme):
        BudgetHold.objects.for_tenant(cast.acme).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))


async def test_a_lapsed_hold_is_released_by_whoever_reserves_next_and_its_late_settlement_counts_once(cast):
    await sync_to_async(budget)(cast, 1)
    dead = await budgets.reserve(asked(cast), Decimal(1))
    await sync_to_async(_lapse)(cast)
    hold = await budgets.reserve(asked(cast), Decimal("0.5"))
    assert await afigures(cast.acme, "spent", "reserved", "calls", "unknown") == [(0, Decimal("0.5"), 1, 1)]
    await dead.settle(Decimal("0.3"))
    assert await afigures(cast.acme, "spent", "reserved", "calls", "unknown") == [(Decimal("0.3"), Decimal("0.5"), 1, 0)]
    again = budgets.Hold(str(cast.acme.pk), dead.id)
    await again.settle(Decimal("0.3"))
    await hold.settle(Decimal("0.5"))
    assert await afigures(cast.acme, "spent", "reserved", "calls", "unknown") == [(Decimal("0.8"), 0, 2, 0)]


async def test_the_sweeper_releases_what_lapsed_once_and_forgets_it_after_a_day(cast):
    await sync_to_async(budget)(cast, 1)
    await sync_to_async(budget)(cast, 1, BudgetScope.PERSON, cast.mona.user.pk)
    await budgets.reserve(asked(cast), Decimal(1))
    assert await sync_to_async(budgets.release_lapsed)() == 0
    await sync_to_async(_lapse)(cast)
    counts = await asyncio.gather(*(loop.in_thread(budgets.release_lapsed) for _ in range(4)))
    assert sum(counts) == 2
    assert set(await afigures(cast.acme, "spent", "reserved", "unknown")) == {(0, 0, 1)}
    assert await sync_to_async(held)(cast.acme) == 2
    await sync_to_async(_age)(cast)
    await sync_to_async(budgets.release_lapsed)()
    assert await sync_to_async(held)(cast.acme) == 0


def _age(cast) -> None:
    with scoping.tenant(cast.acme):
        BudgetHold.objects.for_tenant(cast.acme).update(expires_at=datetime.now(UTC) - timedelta(days=1, seconds=1))


async def test_a_call_that_takes_long_is_renewed(cast, monkeypatch):
    monkeypatch.setattr(budgets, "LEASE_SECONDS", 0.6)
    monkeypatch.setattr(budgets, "RENEW_SECONDS", 0.1)
    await sync_to_async(budget)(cast, 1)
    await (await budgets.reserve(asked(cast), Decimal(1))).release()
    hold = await budgets.reserve(asked(cast), Decimal(1))
    await asyncio.sleep(1.2)
    assert await sync_to_async(budgets.release_lapsed)() == 0
    await hold.settle(Decimal(1))
    assert await afigures(cast.acme, "spent", "unknown") == [(1, 0)]


async def test_who_loses_interest_while_it_is_reserved_leaves_nothing_behind(cast):
    await sync_to_async(budget)(cast, 1)
    await budgets.concerning(asked(cast))
    task = asyncio.create_task(budgets.reserve(asked(cast), Decimal(1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        while await sync_to_async(held)(cast.acme) or await afigures(cast.acme, "reserved") not in ([], [(0,)]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# Periods and warnings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "before", "after"),
    [
        (BudgetPeriodLength.DAY, "2026-03-30T23:59:59.9Z", "2026-03-31T00:00:00Z"),
        (BudgetPeriodLength.MONTH, "2026-02-28T23:59:59.9Z", "2026-03-01T00:00:00Z"),
        (BudgetPeriodLength.MONTH, "2026-12-31T23:59:59.9Z", "2027-01-01T00:00:00Z"),
    ],
)
async def test_a_budget_begins_anew_with_its_period_and_a_call_counts_where_it_began(cast, time_machine, period, before, after):
    await sync_to_async(budget)(cast, 1, period=period)
    time_machine.move_to(before, tick=False)
    late = await budgets.reserve(asked(cast), Decimal(1))
    with pytest.raises(BudgetExceeded) as refused:
        await budgets.reserve(asked(cast), Decimal(1))
    assert refused.value.begins_anew == datetime.fromisoformat(after)
    time_machine.move_to(after, tick=False)
    hold = await budgets.reserve(asked(cast), Decimal(1))
    await late.settle(Decimal("0.75"))
    await hold.settle(Decimal("0.5"))
    assert await afigures(cast.acme, "spent", "reserved") == [(Decimal("0.75"), 0), (Decimal("0.5"), 0)]
    assert (await afigures(cast.acme, "starts_at"))[1] == (datetime.fromisoformat(after),)


async def test_the_people_of_a_budget_are_warned_once_a_period(cast, time_machine):
    heard = []

    def hear(sender, organization_id, standing, **kwargs):
        heard.append((organization_id, standing.spent, standing.amount))

    await sync_to_async(budget)(cast, 10)
    time_machine.move_to("2026-03-30T12:00:00Z", tick=False)
    budget_nearly_spent.connect(hear)
    try:
        for cost in ("7.99", "0.01", "0.5", "0.5"):
            await (await budgets.reserve(asked(cast), Decimal(1))).settle(Decimal(cost))
        assert heard == [(str(cast.acme.pk), 8, 10)]
        time_machine.move_to("2026-03-31T12:00:00Z", tick=False)
        await (await budgets.reserve(asked(cast), Decimal(9))).settle(Decimal(9))
        assert [spent for _, spent, _ in heard] == [8, 9]
    finally:
        budget_nearly_spent.disconnect(hear)


def test_what_a_call_reads_is_its_prompt_with_tools_and_schema():
    def tokens(**fields):
        request = CompletionRequest(organization_id="none", messages=(ChatMessage("user", "x" * 300),), **fields)
        return budgets.most_likely(request)

    bare = tokens()
    assert (bare.input_tokens, bare.output_tokens) == (108, 4_096)
    tool = {"type": "function", "function": {"name": "find", "parameters": {"description": "y" * 3_000}}}
    for more in ({"tools": (tool,)}, {"schema": tool}, {"response_format": tool}):
        assert 1_020 < tokens(**more).input_tokens - bare.input_tokens < 1_040
    assert tokens(parameters={"max_tokens": 9}).output_tokens == 9, "as a bridge or its caller sets it"


# Calls -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(settings, monkeypatch):
    monkeypatch.setattr(completions, "PAUSES", (0.01, 0.02))

    async def configure(url: str) -> None:
        settings.OPENAI_BASE_URL, settings.OPENAI_MODEL = url, "m-1"
        await ModelPrice.objects.acreate(host="127.0.0.1", model="m-*", since=DAY, input=2, cached_input=Decimal("0.5"), output=10)

    return configure


async def test_streamed_and_whole_are_held_and_counted_to_the_same_digit(cast, ask, served):
    await sync_to_async(budget)(cast, 1)
    request = ask(organization_id=cast.acme.pk, max_tokens=100)
    async with upstream(says("Erik ", "is ", "well.")) as server:
        await served(server.url)
        streamed = completions.stream(request)
        async for piece in streamed:
            if isinstance(piece, str):
                assert (await afigures(cast.acme, "reserved"))[0][0] > Decimal("0.001"), "held while it goes on"
            else:
                assert isinstance(piece, Finished)
        await completions.complete(request)
    assert streamed.standing is not None
    # 8 fresh tokens at 2, 4 cached at 0.5 and 5 written at 10 dollars a million, twice.
    assert await afigures(cast.acme, "spent", "reserved", "calls", "unknown", "estimated") == [(Decimal("0.000136"), 0, 2, 0, 0)]


async def test_every_call_of_an_answer_is_held_and_one_without_a_word_costs_nothing(cast, ask, served):
    await sync_to_async(budget)(cast, 1)
    async with upstream(fails(500), fails(500), says("Well.")) as server:
        await served(server.url)
        _, finished = await completions.complete(ask(organization_id=cast.acme.pk))
    assert len(finished.attempts) == 3
    assert await afigures(cast.acme, "spent", "reserved", "calls") == [(finished.cost, 0, 1)]


async def begins(exchange: Exchange) -> None:
    await exchange.stream_head()
    await exchange.send(event(chunk("Erik ")))
    await exchange.until_gone()


async def test_what_was_written_before_an_answer_was_stopped_is_counted_as_an_estimate(cast, ask, served):
    await sync_to_async(budget)(cast, 1)
    async with upstream(begins) as server:
        await served(server.url)
        stream = completions.stream(ask(organization_id=cast.acme.pk))
        await anext(stream)
        await stream.aclose()
    ((spent, estimated, reserved, unknown),) = await afigures(cast.acme, "spent", "estimated", "reserved", "unknown")
    assert 0 < spent == estimated
    assert (reserved, unknown) == (0, 0)


async def test_at_the_cap_no_call_is_made(cast, ask, served):
    await sync_to_async(budget)(cast, "0.0001")
    async with upstream(says("Well.")) as server:
        await served(server.url)
        with pytest.raises(BudgetExceeded) as refused:
            await completions.complete(ask(organization_id=cast.acme.pk))
        assert server.exchanges == []
    assert refused.value.attempts == ()
    assert await sync_to_async(held)(cast.acme) == 0
