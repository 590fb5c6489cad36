"""The ledger's table, in partitions of a day (S2-22…27, D11)."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
import django_rls_tenants.rls.constraints
import uuid_utils.compat
from django.db import migrations, models

# Rows of a day that has no partition yet go to the default one; config/partitions.py moves them.
#
# PostgreSQL looks at the policies of the table that a statement names. Through `raw_data` those of `raw_data` hold; a partition
# that is named itself has row-level security on and no policy, so that the application's role finds nothing in it.
CREATE = """
CREATE TABLE raw_data (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL
        CONSTRAINT fk_raw_data_organization REFERENCES organizations (id) DEFERRABLE INITIALLY DEFERRED,
    authkey_name varchar(200) NOT NULL DEFAULT '',
    latency double precision NOT NULL,
    first_token_latency double precision,
    service varchar(100) NOT NULL,
    status boolean NOT NULL,
    outcome varchar(20) NOT NULL,
    error_code varchar(50) NOT NULL DEFAULT '',
    error text NOT NULL DEFAULT 'none',
    "firstAttemptError" text NOT NULL DEFAULT '',
    model varchar(200) NOT NULL DEFAULT '',
    input_tokens integer CHECK (input_tokens >= 0),
    cached_input_tokens integer CHECK (cached_input_tokens >= 0),
    output_tokens integer CHECK (output_tokens >= 0),
    reasoning_tokens integer CHECK (reasoning_tokens >= 0),
    tokens_estimated boolean NOT NULL DEFAULT false,
    expected_cost numeric(20, 10),
    created_at timestamptz NOT NULL DEFAULT now(),
    chat_id uuid,
    message_id uuid,
    purpose varchar(50) NOT NULL,
    attempt integer NOT NULL DEFAULT 1 CHECK (attempt >= 0),
    call integer NOT NULL DEFAULT 1 CHECK (call >= 0),
    finish_reason varchar(50) NOT NULL DEFAULT '',
    variables jsonb NOT NULL DEFAULT '{}',
    is_present boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_raw_data PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE raw_data_default PARTITION OF raw_data DEFAULT;
ALTER TABLE raw_data_default ENABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0001_model_prices"),
        ("tenants", "0002_application_role"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, reverse_sql="DROP TABLE raw_data")],
            state_operations=[
                migrations.CreateModel(
                    name="ModelCall",
                    fields=[
                        ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                        ("authkey_name", models.CharField(blank=True, help_text="The API key's name, if one asked.", max_length=200)),
                        ("latency", models.FloatField(help_text="Milliseconds until the call ended.")),
                        (
                            "first_token_latency",
                            models.FloatField(help_text="Milliseconds until the first text. Empty: there was none.", null=True),
                        ),
                        ("service", models.CharField(help_text="The provider: openai, offline.", max_length=100)),
                        ("status", models.BooleanField(help_text="Whether the call ended with an answer.")),
                        (
                            "outcome",
                            models.CharField(
                                choices=[("answered", "Answered"), ("failed", "Failed"), ("cancelled", "Cancelled")], max_length=20
                            ),
                        ),
                        ("error_code", models.CharField(blank=True, max_length=50)),
                        ("error", models.TextField(default="none", help_text="What went wrong, in the provider's words where it had any.")),
                        (
                            "first_attempt_error",
                            models.TextField(
                                blank=True,
                                db_column="firstAttemptError",
                                help_text="What went wrong with the first call for the same answer.",
                            ),
                        ),
                        ("model", models.CharField(blank=True, max_length=200)),
                        ("input_tokens", models.PositiveIntegerField(null=True)),
                        ("cached_input_tokens", models.PositiveIntegerField(help_text="Part of the input.", null=True)),
                        ("output_tokens", models.PositiveIntegerField(null=True)),
                        ("reasoning_tokens", models.PositiveIntegerField(help_text="Part of the output.", null=True)),
                        (
                            "tokens_estimated",
                            models.BooleanField(default=False, help_text="The provider did not say; characters were counted."),
                        ),
                        (
                            "expected_cost",
                            models.DecimalField(
                                decimal_places=10,
                                help_text="US dollars. Empty: the price or the usage is unknown.",
                                max_digits=20,
                                null=True,
                            ),
                        ),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now, help_text="When the call began.")),
                        ("chat_id", models.UUIDField(help_text="The conversation (a document, D1).", null=True)),
                        ("message_id", models.UUIDField(help_text="The answer (a document, D1).", null=True)),
                        ("purpose", models.CharField(max_length=50)),
                        (
                            "attempt",
                            models.PositiveIntegerField(default=1, help_text="Which attempt at the answer; a person's retry is the next."),
                        ),
                        ("call", models.PositiveIntegerField(default=1, help_text="Which call within the attempt.")),
                        ("finish_reason", models.CharField(blank=True, max_length=50)),
                        ("variables", models.JSONField(default=dict)),
                        ("is_present", models.BooleanField(default=False, help_text="Whether the prompt had variables.")),
                        (
                            "organization",
                            models.ForeignKey(
                                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                            ),
                        ),
                    ],
                    options={
                        "db_table": "raw_data",
                        "ordering": ["-created_at"],
                        "abstract": False,
                        "base_manager_name": "across_tenants",
                        "default_manager_name": "across_tenants",
                    },
                    managers=[
                        ("across_tenants", django.db.models.manager.Manager()),
                    ],
                ),
            ],
        ),
        migrations.AddIndex(model_name="modelcall", index=models.Index(fields=["organization"], name="idx_raw_data_org_id")),
        migrations.AddIndex(model_name="modelcall", index=models.Index(fields=["chat_id"], name="idx_raw_data_chat_id")),
        migrations.AddIndex(model_name="modelcall", index=models.Index(fields=["created_at"], name="idx_raw_data_created_at")),
        migrations.AddIndex(model_name="modelcall", index=models.Index(fields=["service"], name="idx_raw_data_service")),
        migrations.AddConstraint(
            model_name="modelcall",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_modelcall_rls", tenant_pk_type="uuid"
            ),
        ),
    ]
