"""Staff look at the ledger and keep the prices that no price list knows."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from integrations.models import ModelCall, ModelPrice
from integrations.providers.base import Outcome
from tenants.admin import BaseAdmin, ReadOnlyAdmin, RowFilter, WordFilter


@admin.register(ModelPrice)
class ModelPriceAdmin(BaseAdmin):
    list_display = ("model", "host", "since", "input", "cached_input", "output")
    list_filter = (("since", RangeDateTimeFilter),)
    search_fields = ("model", "host")


@admin.register(ModelCall)
class ModelCallAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "organization", "service", "model", "shown_outcome", "tokens", "cost", "latency", "purpose")
    list_filter = (("organization", RowFilter), ("outcome", WordFilter), ("created_at", RangeDateTimeFilter))
    search_fields = ("=message_id", "=chat_id", "model", "error")
    search_help_text = "The id of a message or conversation, or words of a model or an error."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization")

    @display(
        description="Outcome",
        ordering="outcome",
        label={
            Outcome.ANSWERED.value: "success",
            Outcome.FAILED.value: "danger",
            Outcome.CANCELLED.value: "warning",
            Outcome.LOST.value: "danger",
        },
    )
    def shown_outcome(self, call: ModelCall) -> tuple[str, str]:
        return call.outcome, call.get_outcome_display()

    @display(description="Tokens")
    def tokens(self, call: ModelCall) -> str:
        if call.input_tokens is None or call.output_tokens is None:
            return "unknown"
        about = "about " if call.tokens_estimated else ""
        return f"{about}{call.input_tokens} + {call.output_tokens}"

    @display(description="Cost", ordering="expected_cost")
    def cost(self, call: ModelCall) -> str:
        return "unknown" if call.expected_cost is None else f"${call.expected_cost.normalize():f}"
