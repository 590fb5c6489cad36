"""A table of each call's figures alone, in partitions of a day (S2-34…39, D11)."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
import django_rls_tenants.rls.constraints
import uuid_utils.compat
from django.db import migrations, models

# As `raw_data` (0002): rows without a day's partition wait in the default one, and no partition leads past the policies of its table.
CREATE = """
CREATE TABLE metrics_raw_data (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL
        CONSTRAINT fk_metrics_raw_data_organization REFERENCES organizations (id) DEFERRABLE INITIALLY DEFERRED,
    bridge_id uuid,
    version_id uuid,
    thread_id varchar(200) NOT NULL DEFAULT '',
    model varchar(200) NOT NULL DEFAULT '',
    service varchar(100) NOT NULL,
    input_tokens integer CHECK (input_tokens >= 0),
    output_tokens integer CHECK (output_tokens >= 0),
    total_tokens integer CHECK (total_tokens >= 0),
    apikey_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    latency double precision NOT NULL,
    success boolean NOT NULL,
    cost numeric(20, 10),
    time_zone varchar(63) NOT NULL DEFAULT 'UTC',
    CONSTRAINT pk_metrics_raw_data PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE metrics_raw_data_default PARTITION OF metrics_raw_data DEFAULT;
ALTER TABLE metrics_raw_data_default ENABLE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("integrations", "0004_a_call_may_be_lost"), ("tenants", "0007_people_are_erased")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, reverse_sql="DROP TABLE metrics_raw_data")],
            state_operations=[
                migrations.CreateModel(
                    name="CallMetric",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=uuid_utils.compat.uuid7, editable=False, help_text="The call's.", primary_key=True, serialize=False
                            ),
                        ),
                        ("bridge_id", models.UUIDField(help_text="The bridge that was asked, if one was.", null=True)),
                        ("version_id", models.UUIDField(help_text="The bridge's version.", null=True)),
                        (
                            "thread_id",
                            models.CharField(blank=True, help_text="The conversation, or a program's own thread.", max_length=200),
                        ),
                        ("model", models.CharField(blank=True, max_length=200)),
                        ("service", models.CharField(help_text="The provider: openai, offline.", max_length=100)),
                        ("input_tokens", models.PositiveIntegerField(null=True)),
                        ("output_tokens", models.PositiveIntegerField(null=True)),
                        ("total_tokens", models.PositiveIntegerField(null=True)),
                        ("apikey_id", models.UUIDField(help_text="The key that asked, if one did.", null=True)),
                        ("created_at", models.DateTimeField(default=django.utils.timezone.now, help_text="When the call began.")),
                        ("latency", models.FloatField(help_text="Milliseconds until the call ended.")),
                        ("success", models.BooleanField(help_text="Whether the call ended with an answer.")),
                        ("cost", models.DecimalField(decimal_places=10, help_text="US dollars. Empty: unknown.", max_digits=20, null=True)),
                        ("time_zone", models.CharField(default="UTC", help_text="Of created_at's day.", max_length=63)),
                        (
                            "organization",
                            models.ForeignKey(
                                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                            ),
                        ),
                    ],
                    options={
                        "db_table": "metrics_raw_data",
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
        migrations.AddIndex(model_name="callmetric", index=models.Index(fields=["organization", "created_at"], name="idx_metrics_raw_org")),
        migrations.AddIndex(model_name="callmetric", index=models.Index(fields=["service", "created_at"], name="idx_metrics_raw_service")),
        migrations.AddIndex(model_name="callmetric", index=models.Index(fields=["bridge_id", "created_at"], name="idx_metrics_raw_bridge")),
        migrations.AddConstraint(
            model_name="callmetric",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_callmetric_rls", tenant_pk_type="uuid"
            ),
        ),
    ]
