"""What budgets take and give. Answers are only documented here: `services.spending` makes them."""

from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.api import Flag, Id, Number, Query, Strict, Word
from integrations.choices import BudgetPeriodLength, BudgetScope
from integrations.models.budgets import LEAST, WARN_PERCENT
from integrations.services import spending

MOST = Decimal(10) ** 10
LONGEST = timedelta(days=800)
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)


@extend_schema_field({"oneOf": [{"type": "string", "format": "decimal"}, {"type": "number"}], "example": "25.00"})
class Money(serializers.Field):
    """US dollars, as a decimal in a string (or a number), with four decimals at most."""

    default_error_messages = {"invalid": f"Send US dollars such as 25.00, at least {LEAST}, with four decimals at most."}

    def to_internal_value(self, value: Any) -> Decimal:
        try:
            found = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        except InvalidOperation:
            found = None
        if found is None or not found.is_finite() or not LEAST <= found < MOST or found != round(found, 4):
            self.fail("invalid")
        return found


@extend_schema_field({"type": "string", "format": "date"})
class Day(serializers.Field):
    """A day in UTC."""

    default_error_messages = {"invalid": f"Send a day such as 2026-01-31, from {EARLIEST} to {LATEST}."}

    def to_internal_value(self, value: Any) -> date:
        try:
            found = date.fromisoformat(value) if isinstance(value, str) and len(value) == len("2026-01-31") else None
        except ValueError:
            found = None
        if found is None or not EARLIEST <= found <= LATEST:
            self.fail("invalid")
        return found


class BudgetFields(Strict):
    amount = Money(required=False, help_text="US dollars that may be spent in a period.")
    warn_percent = Number(
        required=False, min_value=1, max_value=100, help_text=f"When people are warned, once a period. {WARN_PERCENT} at first."
    )
    refuse_unknown = Flag(required=False, help_text="Refuse calls whose price is unknown; otherwise they are let through and counted.")
    is_active = Flag(required=False, help_text="An inactive one holds nobody up.")


class NewBudget(BudgetFields):
    scope = Word(choices=BudgetScope.choices, help_text="Whose calls it holds.")
    target_id = Id(required=False, help_text="The department, person, key or bridge; nothing for the organization.")
    period = Word(choices=BudgetPeriodLength.choices, help_text="Days and months are UTC.")
    amount = Money(help_text="US dollars that may be spent in a period.")


class SpendingQuery(Query):
    until = Day(required=False, help_text="The first day that is not meant. The end of the running period, where nothing is said.")
    by = Word(required=False, choices=spending.BY, default="model", help_text="What the rows are of.")

    def get_fields(self) -> dict[str, Any]:
        return {"from": Day(required=False, help_text="The first day. That of the running period, by itself."), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, until = attrs.get("from"), attrs.get("until")
        if first and until and not timedelta(0) < until - first <= LONGEST:
            raise serializers.ValidationError({"from": f"Give a `from` before `until`, by {LONGEST.days} days at most."})
        return attrs


MONEY: dict[str, Any] = {"max_digits": 20, "decimal_places": 10}


class BudgetAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=BudgetScope.choices)
    target_id = serializers.UUIDField()
    target = serializers.CharField(help_text="Its name; empty for who is gone.")
    period = serializers.ChoiceField(choices=BudgetPeriodLength.choices)
    amount = serializers.DecimalField(max_digits=14, decimal_places=4)
    warn_percent = serializers.IntegerField()
    refuse_unknown = serializers.BooleanField()
    is_active = serializers.BooleanField()
    starts_at = serializers.DateTimeField(help_text="Of the running period.")
    begins_anew = serializers.DateTimeField()
    spent = serializers.DecimalField(**MONEY)
    estimated = serializers.DecimalField(**MONEY, help_text="Part of what is spent: calls that were broken off.")
    reserved = serializers.DecimalField(**MONEY, help_text="What calls under way may cost at most.")
    left = serializers.DecimalField(**MONEY)
    calls = serializers.IntegerField()
    unknown_calls = serializers.IntegerField(help_text="Calls whose cost nobody knows.")
    warned_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class SpendingLineAnswer(serializers.Serializer):
    of = serializers.CharField(allow_null=True, help_text="The model, day, or id.")
    name = serializers.CharField()
    calls = serializers.IntegerField()
    unknown_calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.DecimalField(**MONEY, allow_null=True, help_text="US dollars; null where none is known, which is not zero.")


class SpendingAnswer(serializers.Serializer):
    until = serializers.DateField()
    by = serializers.ChoiceField(choices=spending.BY)
    total = SpendingLineAnswer()
    rows = SpendingLineAnswer(many=True, help_text="Those that cost most first; days in their order.")

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}
