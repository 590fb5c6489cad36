"""Staff look at the ledger, keep the prices that no price list knows, and look after what organizations configure."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from integrations import drafts
from integrations.choices import BudgetScope, ChangeType, ConnectionStatus
from integrations.models import (
    ApiCall,
    Bridge,
    BridgeChange,
    BridgeVersion,
    Budget,
    BudgetPeriod,
    Chatbot,
    ModelCall,
    ModelConfiguration,
    ModelPrice,
    PlatformConnection,
    PromptVersion,
    Template,
    Trial,
)
from integrations.providers.base import Outcome
from integrations.services import budgets, settings
from tenants import scoping
from tenants.admin import BaseAdmin, ReadOnlyAdmin, RowFilter, TenantAdmin, WordFilter


@admin.register(ModelPrice)
class ModelPriceAdmin(BaseAdmin):
    list_display = ("model", "host", "since", "input", "cached_input", "output", "reasoning")
    list_filter = (("since", RangeDateTimeFilter),)
    search_fields = ("model", "host")


class BudgetForm(forms.ModelForm):
    """A budget whose target is the organization's own."""

    target_id = forms.UUIDField(required=False, help_text="The id of the department, person, key or bridge. Empty: the organization.")

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        organization, scope, target = found.get("organization"), found.get("scope"), found.get("target_id")
        if organization is None or not scope:
            return found
        if scope == BudgetScope.ORGANIZATION:
            found["target_id"] = organization.pk
        elif target is None or not budgets.target_names(organization, scope, [target]):
            self.add_error("target_id", f"Write the id of a {scope} of {organization}.")
        return found


@admin.register(Budget)
class BudgetAdmin(BaseAdmin):
    form = BudgetForm
    list_display = ("organization", "scope", "period", "amount", "warn_percent", "refuse_unknown", "is_active", "created_at")
    list_filter = (("organization", RowFilter), ("scope", WordFilter), ("period", WordFilter), "is_active")
    search_fields = ("organization__name", "=target_id")
    search_help_text = "Words of an organization, or the id of what it is for."
    autocomplete_fields = ("organization",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization")


@admin.register(BudgetPeriod)
class BudgetPeriodAdmin(ReadOnlyAdmin):
    list_display = ("starts_at", "organization", "budget", "spent", "estimated", "reserved", "calls", "unknown", "warned_at")
    list_filter = (("organization", RowFilter), ("starts_at", RangeDateTimeFilter))
    search_fields = ("=budget__id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization", "budget")


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


# What organizations configure ------------------------------------------------------------------------------------------


class DraftForm(forms.ModelForm):
    """Checks a row whole, as the API and the pages do, and seals what is secret."""

    secret = ""  # the name of the field for a secret, where the table has one

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = settings.values_of(self.instance)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        row: Any = self.instance
        if self.errors or row.organization_id is None:
            return
        try:
            with scoping.tenant(row.organization_id):
                drafts.check(row)
        except ValidationError as error:
            for name, sentences in error.message_dict.items():
                self.add_error(name if name in self.fields else None, sentences)
        if self.secret:
            address = None if row._state.adding else self.before[settings.address_of(row)]
            if problems := settings.seal_secret(row, self.cleaned_data.get(self.secret) or None, before=address):
                self.add_error(self.secret, problems)


class ModelConfigurationForm(DraftForm):
    secret = "key"
    base_url = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Empty: the platform's. Another server drops the key.",
    )
    key = forms.CharField(
        required=False, max_length=settings.KEY_LIMIT, widget=UnfoldAdminPasswordWidget(), help_text="Never shown again. Empty: as it is."
    )


class ApiCallForm(DraftForm):
    secret = "new_secret_headers"
    new_secret_headers = forms.JSONField(
        required=False, widget=UnfoldAdminTextareaWidget(), help_text="Never shown again. Empty: as they are."
    )


class DraftAdmin(TenantAdmin):
    form = DraftForm
    search_fields: Any = ("name",)


@admin.register(ModelConfiguration)
class ModelConfigurationAdmin(DraftAdmin):
    form = ModelConfigurationForm
    list_display = ("name", "organization", "service", "model", "base_url", "key_set_at", "is_active")
    list_filter = (("organization", RowFilter), ("service", WordFilter), "is_active")
    search_fields = ("name", "model", "base_url")
    readonly_fields = ("key_set_at",)


@admin.register(Template)
class TemplateAdmin(DraftAdmin):
    list_display = ("name", "organization", "updated_at")
    search_fields = ("name", "text")


@admin.register(ApiCall)
class ApiCallAdmin(DraftAdmin):
    form = ApiCallForm
    list_display = ("name", "organization", "method", "url", "is_active")
    list_filter = (("organization", RowFilter), ("method", WordFilter), "is_active")
    search_fields = ("name", "url", "description")


@admin.register(Bridge)
class BridgeAdmin(DraftAdmin):
    list_display = ("name", "organization", "slug", "bridge_type", "published", "is_active")
    list_filter = (("organization", RowFilter), ("bridge_type", WordFilter), "is_active")
    list_select_related = ("organization", "published__bridge")
    search_fields = ("name", "slug")
    autocomplete_fields = ("organization", "model_configuration", "template")
    readonly_fields = ("published",)

    def save_model(self, request: HttpRequest, obj: Bridge, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        now = settings.values_of(obj)
        before = form.before if change else {}
        changed = {name: [before.get(name), value] for name, value in now.items() if before.get(name) != value}
        with scoping.tenant(obj.organization_id):
            settings.record(obj, request.user.pk, ChangeType.UPDATED if change else ChangeType.CREATED, changes=changed)


@admin.register(Chatbot)
class ChatbotAdmin(DraftAdmin):
    list_display = ("title", "organization", "is_active", "updated_at")
    list_filter = (("organization", RowFilter), "is_active")
    search_fields = ("title",)


@admin.register(Trial)
class TrialAdmin(DraftAdmin):
    list_display = ("name", "organization", "bridge")
    autocomplete_fields = ("organization", "bridge")


@admin.register(BridgeVersion)
class BridgeVersionAdmin(ReadOnlyAdmin):
    list_display = ("bridge", "number", "label", "note", "organization", "created_by", "created_at")
    list_filter = (("organization", RowFilter), ("bridge", RowFilter), ("created_at", RangeDateTimeFilter))
    list_select_related = ("organization", "bridge", "created_by")
    search_fields = ("bridge__name", "bridge__slug", "label", "note")


@admin.register(PromptVersion)
class PromptVersionAdmin(ReadOnlyAdmin):
    list_display = ("bridge", "id", "organization", "created_at")
    list_filter = (("organization", RowFilter), ("bridge", RowFilter))
    list_select_related = ("organization", "bridge")
    search_fields = ("bridge__name", "system_prompt")


@admin.register(BridgeChange)
class BridgeChangeAdmin(ReadOnlyAdmin):
    list_display = ("time", "organization", "type", "user", "bridge_id")
    list_filter = (("organization", RowFilter), ("time", RangeDateTimeFilter))
    list_select_related = ("organization", "user")
    search_fields = ("=bridge_id", "user__email")


@admin.register(PlatformConnection)
class PlatformConnectionAdmin(ReadOnlyAdmin):
    """Who connected what, and how it is. No secret is shown, sealed or not: they are in no form at all."""

    list_display = ("platform", "organization", "user", "shown_status", "token_expiry", "last_synced_at", "is_demo")
    list_filter = (("organization", RowFilter), ("platform", WordFilter), ("status", WordFilter), "is_demo")
    exclude = ("access_token", "refresh_token", "revocation_token", "platform_data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization", "user")

    @display(
        description="Status",
        ordering="status",
        label={
            ConnectionStatus.ACTIVE.value: "success",
            ConnectionStatus.EXPIRED.value: "warning",
            ConnectionStatus.REVOKED.value: "warning",
            ConnectionStatus.ERROR.value: "danger",
        },
    )
    def shown_status(self, connection: PlatformConnection) -> tuple[str, str]:
        return connection.status, connection.get_status_display()
