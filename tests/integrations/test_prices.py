"""What a call cost: by the prices of its day, staff's own first; unknown is None."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from integrations.models import ModelPrice
from integrations.providers import prices
from integrations.providers.base import Usage

OPENAI = "https://api.openai.com/v1"
AT = datetime(2025, 7, 1, tzinfo=UTC)
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


@pytest.fixture
def known(stores):
    """The cost with what staff have entered so far."""

    def cost(usage=MILLION, *, model="o3", base_url=OPENAI, at=AT) -> Decimal | None:
        prices.forget()
        async_to_sync(prices.refresh)()
        return prices.cost(usage, model=model, base_url=base_url, at=at)

    return cost


def own(**fields) -> ModelPrice:
    fields = {"model": "o3", "since": AT, "input": 1, "cached_input": "0.25", "output": 3} | fields
    return ModelPrice.objects.create(**fields)


def test_a_price_is_the_one_of_the_calls_day(known):
    assert known(at=datetime(2025, 6, 9, tzinfo=UTC)) == Decimal(50)
    assert known(at=datetime(2025, 6, 10, tzinfo=UTC)) == Decimal(10)


def test_cached_input_is_priced_apart(known):
    assert known(Usage(1_000_000, 0, cached_input_tokens=400_000)) == Decimal("0.6") * 2 + Decimal("0.4") * Decimal("0.5")
    own()
    assert known(Usage(1_000_000, 0, cached_input_tokens=400_000)) == Decimal("0.6") + Decimal("0.1")


def test_what_a_model_wrote_to_itself_is_priced_apart_where_staff_say_so(known):
    usage = Usage(0, 1_000_000, reasoning_tokens=400_000)
    assert known(usage) == Decimal(8), "as output: the price list knows no price of its own for it"
    own()
    assert known(usage) == Decimal(3), "as output, where staff leave it empty"
    own(model="o4", reasoning=5)
    assert known(usage, model="o4") == Decimal("0.6") * 3 + Decimal("0.4") * 5


def test_the_price_list_s_own_price_of_reasoning_counts(known):
    """One that has such a price; which those are the package says."""
    usage = Usage(0, 1_000_000, reasoning_tokens=1_000_000)
    apart = {"model": "sonar-deep-research", "base_url": "https://api.perplexity.ai", "at": datetime(2026, 7, 1, tzinfo=UTC)}
    assert known(usage, **apart) == Decimal(3)
    assert known(Usage(0, 1_000_000), **apart) == Decimal(8)


tokens = st.integers(0, 10**9)
dollars = st.decimals(0, 10_000, places=6)


@given(parts=st.tuples(tokens, tokens, tokens, tokens), price=st.tuples(dollars, dollars, dollars, dollars))
def test_the_parts_of_a_cost_add_up_to_the_last_digit(parts, price):
    fresh, cached, said, reasoning = parts
    priced = prices.Price("", "*", AT, *price)
    whole = priced.of(Usage(fresh + cached, said + reasoning, cached, reasoning))
    alone = [Usage(fresh, 0), Usage(cached, 0, cached, 0), Usage(0, said), Usage(0, reasoning, 0, reasoning)]
    assert whole == sum(map(priced.of, alone), Decimal(0))
    assert whole * 1_000_000 == sum((count * each for count, each in zip((fresh, cached, said, reasoning), price, strict=True)), Decimal(0))


@given(st.lists(st.tuples(tokens, tokens), min_size=1, max_size=50), st.randoms())
def test_a_sum_of_costs_is_the_same_in_any_order_and_that_of_all_tokens_at_once(calls, random):
    priced = prices.Price("", "*", AT, Decimal("0.075"), Decimal("0.01875"), Decimal("0.3"), Decimal("0.3"))
    costs = [priced.of(Usage(*call)) for call in calls]
    shuffled = random.sample(costs, len(costs))
    assert sum(costs, Decimal(0)) == sum(shuffled, Decimal(0))
    together = Usage(sum(read for read, _ in calls), sum(wrote for _, wrote in calls))
    assert sum(costs, Decimal(0)) == priced.of(together)


def test_money_is_exact(known):
    assert known(Usage(1, 1), model="gpt-4o-mini") == Decimal("0.00000075")
    assert isinstance(known(), Decimal)


@pytest.mark.parametrize(
    "call",
    [
        {"model": "made-up-1"},
        {"base_url": "http://127.0.0.1:9/v1"},
        {"base_url": "https://models.example.com/v1"},
        {"usage": Usage(10, 10, estimated=True)},
        {"usage": Usage(10, 10, cached_input_tokens=11)},
        {"usage": Usage(10, 10, reasoning_tokens=11)},
    ],
)
def test_what_is_not_known_is_not_guessed(call, known):
    assert known(**call) is None


def test_before_staffs_prices_could_be_read_nothing_is_known():
    prices.forget()
    assert prices.cost(MILLION, model="o3", base_url=OPENAI, at=AT) is None


def test_staffs_price_comes_first_from_its_moment_on(known):
    own()
    assert known() == Decimal(4)
    assert known(at=AT - timedelta(seconds=1)) == Decimal(10)


def test_of_staffs_prices_the_most_exact_and_then_the_newest_counts(known):
    own(model="o*", input=100)
    assert known() == Decimal(103)
    own(model="o*", input=200, since=AT - timedelta(days=1))
    assert known() == Decimal(103)
    own(model="O3", input=5)
    assert known() == Decimal(8)
    own(host="api.openai.com", input=7)
    assert known() == Decimal(10)
    own(host="models.example.com", input=9)
    assert known() == Decimal(10)
    assert known(base_url="https://models.example.com/v1") == Decimal(12)


def test_nothing_may_cost_nothing_if_staff_say_so(known):
    own(host="127.0.0.1", model="*", input=0, cached_input=0, output=0)
    assert known(base_url="http://127.0.0.1:9/v1") == Decimal(0)


@pytest.mark.parametrize("second", [{}, {"model": "o4", "input": -1}])
def test_a_price_that_makes_no_sense_is_not_kept(second, stores):
    own()
    with pytest.raises(IntegrityError), transaction.atomic():
        own(**second)


def test_prices_are_read_once_a_minute_and_kept_while_postgresql_is_away(known, services, monkeypatch):
    own()
    assert known() == Decimal(4)
    own(since=AT + timedelta(days=1), input=50)
    async_to_sync(prices.refresh)()
    later = AT + timedelta(days=2)
    assert prices.cost(MILLION, model="o3", base_url=OPENAI, at=later) == Decimal(4), "not read again yet"
    services.postgres.stop()
    try:
        monkeypatch.setattr(prices._Own, "due", 0.0)
        async_to_sync(prices.refresh)()
        assert prices.cost(MILLION, model="o3", base_url=OPENAI, at=later) == Decimal(4)
    finally:
        services.postgres.start()
        connection.close()
    monkeypatch.setattr(prices._Own, "due", 0.0)
    async_to_sync(prices.refresh)()
    assert prices.cost(MILLION, model="o3", base_url=OPENAI, at=later) == Decimal(53)
