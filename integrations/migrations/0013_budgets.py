"""Budgets, what of them is spent and reserved; reasoning has a price; figures of calls say for whom."""

import decimal

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
        ("integrations", "0012_connections_permission"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("tenants", "0009_retention_periods"),
    ]

    operations = [
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("organization", "The whole organization"),
                            ("department", "A department"),
                            ("person", "A person"),
                            ("key", "An API key"),
                            ("bridge", "A bridge"),
                        ],
                        default="organization",
                        max_length=20,
                    ),
                ),
                (
                    "target_id",
                    models.UUIDField(help_text="Of the department, person, key or bridge; of the organization itself where it is for all."),
                ),
                ("period", models.CharField(choices=[("day", "A day"), ("month", "A month")], default="month", max_length=10)),
                (
                    "amount",
                    models.DecimalField(
                        decimal_places=4,
                        help_text="US dollars in a period.",
                        max_digits=14,
                        validators=[django.core.validators.MinValueValidator(decimal.Decimal("0.0001"))],
                    ),
                ),
                (
                    "warn_percent",
                    models.PositiveSmallIntegerField(
                        default=80,
                        help_text="Once a period, when so much of it is spent, its people are warned.",
                        validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
                    ),
                ),
                (
                    "refuse_unknown",
                    models.BooleanField(
                        default=False,
                        help_text="Refuse calls whose price is unknown. Otherwise they are let through, counted, and told of.",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, help_text="An inactive one holds nobody up.")),
            ],
            options={
                "db_table": "budgets",
                "ordering": ["-created_at", "-id"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="BudgetHistory",
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
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("organization", "The whole organization"),
                            ("department", "A department"),
                            ("person", "A person"),
                            ("key", "An API key"),
                            ("bridge", "A bridge"),
                        ],
                        default="organization",
                        max_length=20,
                    ),
                ),
                (
                    "target_id",
                    models.UUIDField(help_text="Of the department, person, key or bridge; of the organization itself where it is for all."),
                ),
                ("period", models.CharField(choices=[("day", "A day"), ("month", "A month")], default="month", max_length=10)),
                (
                    "amount",
                    models.DecimalField(
                        decimal_places=4,
                        help_text="US dollars in a period.",
                        max_digits=14,
                        validators=[django.core.validators.MinValueValidator(decimal.Decimal("0.0001"))],
                    ),
                ),
                (
                    "warn_percent",
                    models.PositiveSmallIntegerField(
                        default=80,
                        help_text="Once a period, when so much of it is spent, its people are warned.",
                        validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)],
                    ),
                ),
                (
                    "refuse_unknown",
                    models.BooleanField(
                        default=False,
                        help_text="Refuse calls whose price is unknown. Otherwise they are let through, counted, and told of.",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, help_text="An inactive one holds nobody up.")),
            ],
            options={
                "verbose_name": "budget history",
                "verbose_name_plural": "budget history",
                "db_table": "budgets_history",
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="BudgetHold",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("hold", models.UUIDField(help_text="The call's, one for all its budgets.")),
                ("starts_at", models.DateTimeField(help_text="Of the budget's period that it counts in.")),
                ("amount", models.DecimalField(decimal_places=10, help_text="US dollars.", max_digits=20)),
                ("expires_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "budget_holds",
                "ordering": ["-id"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="BudgetPeriod",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("starts_at", models.DateTimeField()),
                ("spent", models.DecimalField(decimal_places=10, default=0, help_text="US dollars that calls cost.", max_digits=20)),
                (
                    "estimated",
                    models.DecimalField(
                        decimal_places=10,
                        default=0,
                        help_text="Part of it: calls that were broken off, whose usage was counted in characters.",
                        max_digits=20,
                    ),
                ),
                (
                    "reserved",
                    models.DecimalField(
                        decimal_places=10, default=0, help_text="US dollars that calls under way may cost at most.", max_digits=20
                    ),
                ),
                ("calls", models.PositiveIntegerField(default=0)),
                ("unknown", models.PositiveIntegerField(default=0, help_text="Calls whose cost nobody knows.")),
                ("warned_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "budget_periods",
                "ordering": ["-starts_at"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="modelprice",
            name="insert_insert",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="modelprice",
            name="update_update",
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="modelprice",
            name="delete_delete",
        ),
        migrations.AddField(
            model_name="callmetric",
            name="department_id",
            field=models.UUIDField(help_text="Their department then.", null=True),
        ),
        migrations.AddField(
            model_name="callmetric",
            name="user_id",
            field=models.UUIDField(help_text="The person whose budget it is; of who was erased, the empty shell's.", null=True),
        ),
        migrations.AddField(
            model_name="modelprice",
            name="reasoning",
            field=models.DecimalField(
                blank=True,
                decimal_places=6,
                help_text="US dollars for a million tokens that the model wrote to itself. Empty: as what it writes.",
                max_digits=12,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="modelpricehistory",
            name="reasoning",
            field=models.DecimalField(
                blank=True,
                decimal_places=6,
                help_text="US dollars for a million tokens that the model wrote to itself. Empty: as what it writes.",
                max_digits=12,
                null=True,
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="modelprice",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "model_prices_history" ("cached_input", "host", "id", "input", "model", "output", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reasoning", "since") VALUES (NEW."cached_input", NEW."host", NEW."id", NEW."input", NEW."model", NEW."output", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."reasoning", NEW."since"); RETURN NULL;',
                    hash="17ee7969524407292585b523ef99e0295154d08f",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_a0b26",
                    table="model_prices",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="modelprice",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "model_prices_history" ("cached_input", "host", "id", "input", "model", "output", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reasoning", "since") VALUES (NEW."cached_input", NEW."host", NEW."id", NEW."input", NEW."model", NEW."output", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."reasoning", NEW."since"); RETURN NULL;',
                    hash="6ca7aa87b7d6617b861439db8547c12e2761f6f7",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_1d430",
                    table="model_prices",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="modelprice",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "model_prices_history" ("cached_input", "host", "id", "input", "model", "output", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "reasoning", "since") VALUES (OLD."cached_input", OLD."host", OLD."id", OLD."input", OLD."model", OLD."output", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."reasoning", OLD."since"); RETURN NULL;',
                    hash="160f61f5fb6e02ce39e74ff6309c42527d696cdf",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_a59f4",
                    table="model_prices",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="modelprice",
            constraint=models.CheckConstraint(
                condition=models.Q(("reasoning", None), ("reasoning__gte", 0), _connector="OR"), name="ck_model_prices_reasoning"
            ),
        ),
        migrations.AddField(
            model_name="budget",
            name="organization",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
        ),
        migrations.AddField(
            model_name="budgethistory",
            name="organization",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                related_query_name="+",
                to="tenants.organization",
            ),
        ),
        migrations.AddField(
            model_name="budgethistory",
            name="pgh_context",
            field=models.ForeignKey(
                db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="pghistory.context"
            ),
        ),
        migrations.AddField(
            model_name="budgethistory",
            name="pgh_obj",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="history",
                related_query_name="history_query",
                to="integrations.budget",
            ),
        ),
        migrations.AddField(
            model_name="budgethold",
            name="budget",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="integrations.budget"
            ),
        ),
        migrations.AddField(
            model_name="budgethold",
            name="organization",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
        ),
        migrations.AddField(
            model_name="budgetperiod",
            name="budget",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="periods", to="integrations.budget"
            ),
        ),
        migrations.AddField(
            model_name="budgetperiod",
            name="organization",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_budget_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.UniqueConstraint(fields=("organization", "scope", "target_id", "period"), name="uq_budgets_target_period"),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(("scope__in", ["organization", "department", "person", "key", "bridge"])), name="ck_budgets_scope"
            ),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(condition=models.Q(("period__in", ["day", "month"])), name="ck_budgets_period"),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="ck_budgets_amount"),
        ),
        migrations.AddConstraint(
            model_name="budget",
            constraint=models.CheckConstraint(
                condition=models.Q(("warn_percent__gte", 1), ("warn_percent__lte", 100)), name="ck_budgets_warn_percent"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budget",
            trigger=pgtrigger.compiler.Trigger(
                name="announce",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_notify('configurations_changed', COALESCE(NEW.organization_id, OLD.organization_id)::text); RETURN NULL;",
                    hash="e40a3cda357b176e543b8b3fa53b6b5f83295e08",
                    operation="INSERT OR UPDATE OR DELETE",
                    pgid="pgtrigger_announce_11916",
                    table="budgets",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budget",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_history" ("amount", "created_at", "id", "is_active", "organization_id", "period", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "refuse_unknown", "scope", "target_id", "updated_at", "warn_percent") VALUES (NEW."amount", NEW."created_at", NEW."id", NEW."is_active", NEW."organization_id", NEW."period", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."refuse_unknown", NEW."scope", NEW."target_id", NEW."updated_at", NEW."warn_percent"); RETURN NULL;',
                    hash="3244dddd32571dea8b0407b453f2e5bb533b69c5",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_70b2a",
                    table="budgets",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budget",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "budgets_history" ("amount", "created_at", "id", "is_active", "organization_id", "period", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "refuse_unknown", "scope", "target_id", "updated_at", "warn_percent") VALUES (NEW."amount", NEW."created_at", NEW."id", NEW."is_active", NEW."organization_id", NEW."period", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."refuse_unknown", NEW."scope", NEW."target_id", NEW."updated_at", NEW."warn_percent"); RETURN NULL;',
                    hash="929135067704821cfe214236cdb29c60ee7124a8",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_2bf96",
                    table="budgets",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budget",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "budgets_history" ("amount", "created_at", "id", "is_active", "organization_id", "period", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "refuse_unknown", "scope", "target_id", "updated_at", "warn_percent") VALUES (OLD."amount", OLD."created_at", OLD."id", OLD."is_active", OLD."organization_id", OLD."period", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."refuse_unknown", OLD."scope", OLD."target_id", OLD."updated_at", OLD."warn_percent"); RETURN NULL;',
                    hash="c7d4a2f81ff419977a7fa62091a128609b3cb44d",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_8e3b9",
                    table="budgets",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="budgethistory",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_budgethistory_rls", tenant_pk_type="uuid"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="budgethistory",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="4d48b7d485718fa97c33e6f563e71233b7c0c0d2",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_d313f",
                    table="budgets_history",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="budgethold",
            index=models.Index(fields=["budget", "starts_at"], name="idx_budget_holds_budget"),
        ),
        migrations.AddIndex(
            model_name="budgethold",
            index=models.Index(fields=["expires_at"], name="idx_budget_holds_expires"),
        ),
        migrations.AddConstraint(
            model_name="budgethold",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_budgethold_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="budgethold",
            constraint=models.UniqueConstraint(fields=("hold", "budget"), name="uq_budget_holds_hold_budget"),
        ),
        migrations.AddConstraint(
            model_name="budgetperiod",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_budgetperiod_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="budgetperiod",
            constraint=models.UniqueConstraint(fields=("budget", "starts_at"), name="uq_budget_periods_budget_starts"),
        ),
    ]
