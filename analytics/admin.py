"""Staff see how far the metric tables are, what is in them, and have a day counted again."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince
from unfold.contrib.filters.admin import RangeDateFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminSingleDateWidget

from analytics import models, tasks
from analytics.windows import day_of
from config import health
from tenants.admin import ReadOnlyAdmin, RowFilter


class DayForm(ActionForm):
    day = forms.DateField(required=False, label="Day", widget=UnfoldAdminSingleDateWidget(attrs={"aria-label": "Day"}))


@admin.register(models.FillState)
class FillStateAdmin(ReadOnlyAdmin):
    list_display = ("rollup", "filled_until", "shown_age", "ran_at", "shown_seconds", "rows", "error")
    ordering = ("rollup",)
    action_form = DayForm
    actions = ("fill_again",)

    @display(description="Figures are", label={"on time": "success", "late": "warning", "broken": "danger", "never": "info"})
    def shown_age(self, state: models.FillState) -> tuple[str, str]:
        if state.seen_until is None:
            return "never", "never counted"
        judged = health.judge_fill(state.seen_until)
        return judged, f"{judged}, {timesince(state.seen_until)} old"

    @display(description="Seconds", ordering="seconds")
    def shown_seconds(self, state: models.FillState) -> str:
        return "" if state.seconds is None else f"{state.seconds:.1f}"

    @admin.action(description="Fill again: the day beside")
    def fill_again(self, request: HttpRequest, queryset: QuerySet[models.FillState]) -> None:
        form = forms.Form(request.POST)
        form.fields["day"] = forms.DateField()
        if not form.is_valid():
            self.message_user(request, "Say which day to fill again, e.g. 2026-11-22.", messages.ERROR)
            return
        day = form.cleaned_data["day"]
        if day >= day_of(timezone.now()):
            self.message_user(request, f"{day} is not over. A day is counted when it has ended in UTC.", messages.ERROR)
            return
        for name in queryset.values_list("rollup", flat=True):
            tasks.refill_day.apply_async(kwargs={"rollup": name, "day": day.isoformat()}, retry=False)
        self.message_user(request, f"A worker fills {day} again. What stops it is said in the column Error.", messages.SUCCESS)


class MetricsAdmin(ReadOnlyAdmin):
    """The rows of a metric table, newest first."""

    list_filter: Any = (("organization", RowFilter), ("metric_date", RangeDateFilter))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        pointers = [name for name in ("organization", "user", "branch", "department") if name in self.list_display]
        return super().get_queryset(request).select_related(*pointers)


@admin.register(models.UserEngagement)
class UserEngagementAdmin(MetricsAdmin):
    list_display = ("metric_date", "organization", "user", "login_count", "session_duration_minutes", "ai_chat_messages_sent")


@admin.register(models.FeatureUtilization)
class FeatureUtilizationAdmin(MetricsAdmin):
    list_display = ("metric_date", "organization", "feature_name", "user_role", "total_uses", "unique_users", "success_rate")


@admin.register(models.PlatformAdoption)
class PlatformAdoptionAdmin(MetricsAdmin):
    list_display = ("metric_date", "organization", "total_employees", "active_users_count", "ai_chat_sessions_today", "subscription_status")


@admin.register(models.BusinessImpact)
class BusinessImpactAdmin(MetricsAdmin):
    list_display = ("metric_date", "organization", "customer_retention_rate", "average_user_satisfaction_score", "employee_turnover_rate")


@admin.register(models.ModelUsage)
class ModelUsageAdmin(MetricsAdmin):
    list_display = ("metric_date", "organization", "service", "model", "purpose", "calls", "failed_calls", "cost", "unpriced_calls")


@admin.register(models.ChatAnalytics)
class ChatAnalyticsAdmin(MetricsAdmin):
    list_display = ("period_start", "organization", "branch", "department", "user", "total_conversations", "total_messages", "error_rate")
    list_filter = (("organization", RowFilter), ("period_start", RangeDateTimeFilter))


@admin.register(models.AiChatAnalytics)
class AiChatAnalyticsAdmin(MetricsAdmin):
    list_display = ("session_date", "organization", "user", "message_count", "total_tokens_used", "satisfaction_rating")
    list_filter = (("organization", RowFilter), ("session_date", RangeDateFilter))


@admin.register(models.ReportGeneration)
class ReportGenerationAdmin(MetricsAdmin):
    list_display = ("generation_date", "organization", "report_type", "status", "viewed_count", "downloaded_count")
    list_filter = (("organization", RowFilter), ("generation_date", RangeDateFilter))


@admin.register(models.ArchivedMonth)
class ArchivedMonthAdmin(MetricsAdmin):
    list_display = ("month", "organization", "table", "rows", "bytes", "archived_at", "remove_on", "restored_at")
    list_filter = (("organization", RowFilter), ("month", RangeDateFilter))
