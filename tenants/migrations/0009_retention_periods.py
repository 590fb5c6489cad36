"""What organizations have kept for a shorter time than everybody, with its history."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
import django.utils.timezone
import django_rls_tenants.rls.constraints
import pgtrigger.compiler
import pgtrigger.migrations
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("pghistory", "0007_auto_20250421_0444"),
        ("tenants", "0008_metrics_permission"),
    ]

    operations = [
        migrations.CreateModel(
            name="RetentionPeriod",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("kept", models.CharField(help_text="A name in the table of periods.", max_length=50, verbose_name="what")),
                ("days", models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
                ),
            ],
            options={
                "db_table": "retention_periods",
                "ordering": ["organization", "kept"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="RetentionPeriodHistory",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, serialize=False)),
                ("kept", models.CharField(help_text="A name in the table of periods.", max_length=50, verbose_name="what")),
                ("days", models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        related_query_name="history_query",
                        to="tenants.retentionperiod",
                    ),
                ),
            ],
            options={
                "verbose_name": "retention period history",
                "verbose_name_plural": "retention period history",
                "db_table": "retention_periods_history",
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="retentionperiod",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="tenants_retentionperiod_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionperiod",
            constraint=models.UniqueConstraint(fields=("organization", "kept"), name="uq_retention_periods_organization_kept"),
        ),
        migrations.AddConstraint(
            model_name="retentionperiod",
            constraint=models.CheckConstraint(condition=models.Q(("days__gte", 1)), name="ck_retention_periods_days"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="retentionperiod",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "retention_periods_history" ("created_at", "days", "id", "kept", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (NEW."created_at", NEW."days", NEW."id", NEW."kept", NEW."organization_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."updated_at"); RETURN NULL;',
                    hash="f52243863347ca7c7eeb22a2dac44f2bc230b345",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_40c3f",
                    table="retention_periods",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="retentionperiod",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "retention_periods_history" ("created_at", "days", "id", "kept", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (NEW."created_at", NEW."days", NEW."id", NEW."kept", NEW."organization_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."updated_at"); RETURN NULL;',
                    hash="70427c547da98ea3b5d6f2fab41fa27511e241dd",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_7a73e",
                    table="retention_periods",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="retentionperiod",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "retention_periods_history" ("created_at", "days", "id", "kept", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at") VALUES (OLD."created_at", OLD."days", OLD."id", OLD."kept", OLD."organization_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."updated_at"); RETURN NULL;',
                    hash="0c643d2595a5bd452d3fa421e9d5b59b06977ea5",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_992be",
                    table="retention_periods",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="retentionperiodhistory",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="tenants_retentionperiodhistory_rls", tenant_pk_type="uuid"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="retentionperiodhistory",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="cce8b0187637018c50373769fc766c9a336778d4",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_ec7db",
                    table="retention_periods_history",
                    when="BEFORE",
                ),
            ),
        ),
    ]
