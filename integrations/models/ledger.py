"""The ledger: every call to a provider, answered or not (S2-22…27, `raw_data`)."""

import uuid_utils.compat as uuid
from django.db import models
from django.utils import timezone

from integrations.providers.base import Outcome
from tenants.scoping import TenantModel


class ModelCall(TenantModel):
    """One call to a provider. Rows are only ever added; retention drops whole days.

    The table is partitioned by day. Its primary key in PostgreSQL is `(id, created_at)`, as the partitions require; to Django it
    is `id`, which is a UUIDv7 and as such unique by itself, because admin cannot show a model with a composite key.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    # The specification names this key's index; it is among the indexes below.
    organization = models.ForeignKey("tenants.Organization", on_delete=models.CASCADE, related_name="+", db_index=False)
    authkey_name = models.CharField(max_length=200, blank=True, help_text="The API key's name, if one asked.")
    latency = models.FloatField(help_text="Milliseconds until the call ended.")
    first_token_latency = models.FloatField(null=True, help_text="Milliseconds until the first text. Empty: there was none.")
    service = models.CharField(max_length=100, help_text="The provider: openai, offline.")
    status = models.BooleanField(help_text="Whether the call ended with an answer.")
    outcome = models.CharField(max_length=20, choices=Outcome)
    error_code = models.CharField(max_length=50, blank=True)
    error = models.TextField(default="none", help_text="What went wrong, in the provider's words where it had any.")
    first_attempt_error = models.TextField(
        db_column="firstAttemptError", blank=True, help_text="What went wrong with the first call for the same answer."
    )
    model = models.CharField(max_length=200, blank=True)
    input_tokens = models.PositiveIntegerField(null=True)
    cached_input_tokens = models.PositiveIntegerField(null=True, help_text="Part of the input.")
    output_tokens = models.PositiveIntegerField(null=True)
    reasoning_tokens = models.PositiveIntegerField(null=True, help_text="Part of the output.")
    tokens_estimated = models.BooleanField(default=False, help_text="The provider did not say; characters were counted.")
    expected_cost = models.DecimalField(
        max_digits=20, decimal_places=10, null=True, help_text="US dollars. Empty: the price or the usage is unknown."
    )
    created_at = models.DateTimeField(default=timezone.now, help_text="When the call began.")
    chat_id = models.UUIDField(null=True, help_text="The conversation (a document, D1).")
    message_id = models.UUIDField(null=True, help_text="The answer (a document, D1).")
    purpose = models.CharField(max_length=50)
    attempt = models.PositiveIntegerField(default=1, help_text="Which attempt at the answer; a person's retry is the next.")
    call = models.PositiveIntegerField(default=1, help_text="Which call within the attempt.")
    finish_reason = models.CharField(max_length=50, blank=True)
    variables = models.JSONField(default=dict)
    is_present = models.BooleanField(default=False, help_text="Whether the prompt had variables.")

    class Meta(TenantModel.Meta):
        db_table = "raw_data"
        ordering = ["-created_at"]
        indexes = [
            # An organization's calls, for its usage and for row-level security.
            models.Index(fields=["organization"], name="idx_raw_data_org_id"),
            # What a conversation cost.
            models.Index(fields=["chat_id"], name="idx_raw_data_chat_id"),
            # The newest calls, in admin, and the days that analytics count.
            models.Index(fields=["created_at"], name="idx_raw_data_created_at"),
            # The health of one provider.
            models.Index(fields=["service"], name="idx_raw_data_service"),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.model} {self.outcome}"


class CallMetric(TenantModel):
    """A call's figures alone, without its words (S2-34…39, `metrics_raw_data`): written with its `ModelCall`, for time series.

    Partitioned by day, with the key `(id, created_at)` in PostgreSQL, as `raw_data` is.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False, help_text="The call's.")
    organization = models.ForeignKey("tenants.Organization", on_delete=models.CASCADE, related_name="+", db_index=False)
    bridge_id = models.UUIDField(null=True, help_text="The bridge that was asked, if one was.")
    version_id = models.UUIDField(null=True, help_text="The bridge's version.")
    thread_id = models.CharField(max_length=200, blank=True, help_text="The conversation, or a program's own thread.")
    model = models.CharField(max_length=200, blank=True)
    service = models.CharField(max_length=100, help_text="The provider: openai, offline.")
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    total_tokens = models.PositiveIntegerField(null=True)
    apikey_id = models.UUIDField(null=True, help_text="The key that asked, if one did.")
    user_id = models.UUIDField(null=True, help_text="The person whose budget it is; of who was erased, the empty shell's.")
    department_id = models.UUIDField(null=True, help_text="Their department then.")
    created_at = models.DateTimeField(default=timezone.now, help_text="When the call began.")
    latency = models.FloatField(help_text="Milliseconds until the call ended.")
    success = models.BooleanField(help_text="Whether the call ended with an answer.")
    cost = models.DecimalField(max_digits=20, decimal_places=10, null=True, help_text="US dollars. Empty: unknown.")
    time_zone = models.CharField(max_length=63, default="UTC", help_text="Of created_at's day.")

    class Meta(TenantModel.Meta):
        db_table = "metrics_raw_data"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "created_at"], name="idx_metrics_raw_org"),  # S2-37: an organization's days
            models.Index(fields=["service", "created_at"], name="idx_metrics_raw_service"),  # S2-38: a provider's days
            models.Index(fields=["bridge_id", "created_at"], name="idx_metrics_raw_bridge"),  # S2-39: a bridge's days
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.model}"
