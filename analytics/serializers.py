"""What the metrics take and give. The answers' serializers only document: `api.py` makes the dicts."""

from datetime import date
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics.choices import Grain, Metric, TableFormat
from analytics.series import LONGEST, TABLES
from analytics.windows import Window, day_of, latest
from config.api import Flag, Query, Word

DEFAULT_DAYS = 30
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)


@extend_schema_field({"type": "string", "format": "date"})
class Day(serializers.Field):
    """A day in UTC."""

    default_error_messages = {"invalid": f"Send a day such as 2026-01-31, from {EARLIEST} to {LATEST}."}

    def to_internal_value(self, value: Any) -> date:
        try:
            found = date.fromisoformat(value) if len(value) == len("2026-01-31") else None
        except (TypeError, ValueError):
            found = None
        if found is None or not EARLIEST <= found <= LATEST:
            self.fail("invalid")
        return found


class MetricsQuery(Query):
    """Of a metric without breakdowns. `window` is added to what was validated."""

    until = Day(required=False, help_text="The first day that is not asked for. Today, where nothing is said.")
    grain = Word(required=False, choices=Grain.choices, default=Grain.DAY.value, help_text="Weeks begin on Monday. All days are UTC.")
    compare = Flag(required=False, default=False, help_text="Says the total of the period just as long before this one, too.")
    format = Word(required=False, choices=TableFormat.choices, default=TableFormat.JSON.value)

    def get_fields(self) -> dict[str, Any]:
        since = Day(required=False, help_text=f"The first day. {DEFAULT_DAYS} days before `until`, where nothing is said.")
        return {"from": since, **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end = attrs.pop("until", None) or day_of(timezone.now())
        first = attrs.pop("from", None) or latest(DEFAULT_DAYS, before=end).first
        window = Window(first, end)
        if window.length <= 0:
            raise serializers.ValidationError({"from": "The period ends before it begins. Give a `from` that is before `until`."})
        if window.length > LONGEST:
            raise serializers.ValidationError({"from": f"Ask for {LONGEST} days at most: two years and a month."})
        return attrs | {"window": window}


def query_of(metric: Metric) -> type[MetricsQuery]:
    """The query of a metric with its own breakdowns."""
    by = [*TABLES[metric].by]
    if not by:
        return MetricsQuery
    field = Word(required=False, choices=by, help_text="Rows over the whole period instead of a series; not by `grain`.")
    return type(f"{metric.capitalize()}Query", (MetricsQuery,), {"by": field})


# Answers -----------------------------------------------------------------------------------------------------------------


@extend_schema_field(
    {"type": "object", "additionalProperties": {"nullable": True, "oneOf": [{"type": "integer"}, {"type": "string"}]}},
)
class Figures(serializers.Field):
    """By name: counts are numbers, decimals are strings that keep their digits."""


class MetricPointAnswer(serializers.Serializer):
    until = serializers.DateField(help_text="The first day after it.")
    days = serializers.IntegerField(help_text="How many days of it are in the period.")
    counted = serializers.IntegerField(help_text="How many of these are counted.")
    figures = Figures(allow_null=True, help_text="Null where no day is counted, which is not zero.")
    reasons = serializers.DictField(child=serializers.CharField(), help_text="Why a figure is null, by its name.")

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}


class MetricRowAnswer(serializers.Serializer):
    of = serializers.DictField(child=serializers.CharField(), help_text="Whom or what it is about: ids and words, by column.")
    name = serializers.CharField(help_text="The same, for people.")
    figures = Figures()


class MetricAnswer(serializers.Serializer):
    """A series, or with `by` the rows of a breakdown."""

    metric = serializers.ChoiceField(choices=Metric.choices)
    until = serializers.DateField()
    grain = serializers.ChoiceField(choices=Grain.choices, required=False)
    total = MetricPointAnswer(required=False, help_text="Of the whole period. People are counted once.")
    previous = MetricPointAnswer(required=False, allow_null=True, help_text="Of the period before it, with `compare`.")
    points = MetricPointAnswer(many=True, required=False)
    by = serializers.CharField(required=False)
    rows = MetricRowAnswer(many=True, required=False, help_text="The most first.")
    is_whole = serializers.BooleanField(required=False, help_text="False where there are more rows; a file has them all.")

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}
