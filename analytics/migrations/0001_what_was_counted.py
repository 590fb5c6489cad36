"""Tables of what was counted, by day; and how far each rollup has come."""

from decimal import Decimal

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.functions.math
import django.db.models.manager
import django.utils.timezone
import django_rls_tenants.rls.constraints
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0007_people_are_erased"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FillState",
            fields=[
                ("rollup", models.CharField(max_length=50, primary_key=True, serialize=False)),
                ("filled_until", models.DateField(help_text="The first day that is not counted yet.", null=True)),
                (
                    "seen_until",
                    models.DateTimeField(
                        help_text="What was written later than this is not looked at yet; it may be of any day.", null=True
                    ),
                ),
                ("ran_at", models.DateTimeField(null=True)),
                ("seconds", models.FloatField(help_text="How long the latest run took.", null=True)),
                ("rows", models.PositiveBigIntegerField(help_text="What it wrote.", null=True)),
                ("error", models.TextField(blank=True, help_text="Why the latest run ended early.")),
            ],
            options={
                "verbose_name": "watermark",
                "db_table": "analytics_fill_state",
            },
        ),
        migrations.CreateModel(
            name="AiChatAnalytics",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("session_id", models.UUIDField()),
                ("session_date", models.DateField()),
                ("message_count", models.PositiveIntegerField(db_default=0, default=0)),
                ("total_tokens_used", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("session_duration_seconds", models.PositiveIntegerField(null=True)),
                ("query_types", models.JSONField(default=list)),
                (
                    "employee_ids_discussed",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), db_default=[], default=list, size=None),
                ),
                ("satisfaction_rating", models.PositiveSmallIntegerField(null=True)),
                ("was_helpful", models.BooleanField(null=True)),
                ("feedback_text", models.TextField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "sitting with the AI",
                "verbose_name_plural": "sittings with the AI",
                "db_table": "ai_chat_analytics",
                "ordering": ["-started_at"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [
                    models.Index(fields=["organization", "session_date"], name="idx_ai_chat_analytics_org_id"),
                    models.Index(fields=["user"], name="idx_ai_chat_analytics_user_id"),
                    models.Index(fields=["session_id"], name="idx_ai_chat_analytics_session"),
                    models.Index(fields=["-session_date"], name="idx_ai_chat_analytics_date"),
                    models.Index(fields=["satisfaction_rating"], name="idx_ai_chat_analytics_rating"),
                ],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_aichatanalytics_rls", tenant_pk_type="uuid"
                    ),
                    models.UniqueConstraint(fields=("session_id",), name="uq_ai_chat_analytics_session"),
                    models.CheckConstraint(
                        condition=models.Q(("satisfaction_rating__range", (1, 5)), ("satisfaction_rating__isnull", True), _connector="OR"),
                        name="ck_ai_chat_analytics_rating",
                    ),
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="BusinessImpact",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("metric_date", models.DateField()),
                ("customer_retention_rate", models.DecimalField(decimal_places=2, help_text="Percent.", max_digits=5, null=True)),
                ("subscription_renewal_rate", models.DecimalField(decimal_places=2, help_text="Percent.", max_digits=5, null=True)),
                (
                    "average_user_satisfaction_score",
                    models.DecimalField(decimal_places=2, help_text="Stars, 1 to 5.", max_digits=3, null=True),
                ),
                ("report_accuracy_rating", models.DecimalField(decimal_places=2, help_text="Stars, 1 to 5.", max_digits=3, null=True)),
                (
                    "training_recommendation_implementation_rate",
                    models.DecimalField(decimal_places=2, help_text="Percent.", max_digits=5, null=True),
                ),
                ("employee_turnover_rate", models.DecimalField(decimal_places=2, help_text="Percent.", max_digits=5, null=True)),
                ("hiring_success_rate", models.DecimalField(decimal_places=2, help_text="Percent.", max_digits=5, null=True)),
                ("time_to_hire_days", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                ("cost_per_hire", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
                ("ai_consultation_satisfaction_rate", models.DecimalField(decimal_places=2, help_text="Percent.", max_digits=5, null=True)),
                ("quarterly_report_completion_rate", models.DecimalField(decimal_places=2, help_text="Percent.", max_digits=5, null=True)),
                ("mrr", models.DecimalField(decimal_places=2, help_text="US dollars a month.", max_digits=12, null=True)),
                ("arr", models.DecimalField(decimal_places=2, help_text="US dollars a year.", max_digits=12, null=True)),
                ("churn_risk_score", models.DecimalField(decimal_places=2, help_text="0 to 1.", max_digits=3, null=True)),
                ("nps_score", models.DecimalField(decimal_places=2, help_text="-100 to 100.", max_digits=5, null=True)),
                ("reasons", models.JSONField(default=dict, help_text="Why a column is NULL, by column: a sentence.")),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "verbose_name": "business impact",
                "verbose_name_plural": "business impact",
                "db_table": "business_impact_metrics",
                "ordering": ["-metric_date"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [
                    models.Index(fields=["organization"], name="idx_business_impact_org_id"),
                    models.Index(fields=["-metric_date"], name="idx_business_impact_date"),
                    models.Index(fields=["customer_retention_rate"], name="idx_business_impact_retention"),
                    models.Index(fields=["average_user_satisfaction_score"], name="idx_business_impact_satis"),
                ],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_businessimpact_rls", tenant_pk_type="uuid"
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "metric_date"), name="uq_business_impact_organization_date", nulls_distinct=False
                    ),
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ChatAnalytics",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("analytics_id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False)),
                (
                    "period_type",
                    models.CharField(choices=[("daily", "Day"), ("weekly", "Week"), ("monthly", "Month")], default="daily", max_length=10),
                ),
                ("period_start", models.DateTimeField()),
                ("period_end", models.DateTimeField()),
                (
                    "total_conversations",
                    models.PositiveIntegerField(db_default=0, default=0, help_text="Conversations in which something was asked."),
                ),
                (
                    "new_conversations",
                    models.PositiveIntegerField(db_default=0, default=0, help_text="Of these, the ones that began in the period."),
                ),
                ("total_messages", models.PositiveIntegerField(db_default=0, default=0, help_text="Questions and answers.")),
                ("unique_users", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "conversation_minutes",
                    models.DecimalField(
                        db_default=0,
                        decimal_places=6,
                        default=0,
                        help_text="From the first to the last message of each, together.",
                        max_digits=20,
                    ),
                ),
                (
                    "average_messages_per_conversation",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("total_messages"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    "*",
                                    models.Value(Decimal("1")),
                                ),
                                "/",
                                django.db.models.functions.comparison.NullIf(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("total_conversations"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    Decimal("0"),
                                ),
                            ),
                            2,
                        ),
                        output_field=models.DecimalField(decimal_places=2, max_digits=12, null=True),
                    ),
                ),
                (
                    "average_conversation_duration",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("conversation_minutes"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    "*",
                                    models.Value(Decimal("1")),
                                ),
                                "/",
                                django.db.models.functions.comparison.NullIf(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("total_conversations"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    Decimal("0"),
                                ),
                            ),
                            2,
                        ),
                        output_field=models.DecimalField(decimal_places=2, max_digits=12, null=True),
                    ),
                ),
                ("hourly_messages", models.JSONField(default=dict, help_text="Messages by hour of the day, UTC.")),
                (
                    "peak_usage_hours",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), db_default=[], default=list, size=None
                    ),
                ),
                ("answers", models.PositiveIntegerField(db_default=0, default=0, help_text="Answers that ended, in any way.")),
                ("failed_answers", models.PositiveIntegerField(db_default=0, default=0)),
                ("retry_count", models.PositiveIntegerField(db_default=0, default=0, help_text="Attempts beyond an answer's first.")),
                ("total_tokens_used", models.PositiveBigIntegerField(db_default=0, default=0)),
                (
                    "total_cost",
                    models.DecimalField(db_default=0, decimal_places=10, default=0, help_text="US dollars, where known.", max_digits=20),
                ),
                ("unpriced_answers", models.PositiveIntegerField(db_default=0, default=0, help_text="Answers whose cost is unknown.")),
                ("timed_answers", models.PositiveIntegerField(db_default=0, default=0)),
                ("response_milliseconds", models.DecimalField(db_default=0, decimal_places=3, default=0, max_digits=20)),
                (
                    "average_response_time",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("response_milliseconds"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    "*",
                                    models.Value(Decimal("1")),
                                ),
                                "/",
                                django.db.models.functions.comparison.NullIf(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("timed_answers"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    Decimal("0"),
                                ),
                            ),
                            2,
                        ),
                        output_field=models.DecimalField(decimal_places=2, max_digits=14, null=True),
                    ),
                ),
                ("confident_answers", models.PositiveIntegerField(db_default=0, default=0, help_text="Answers with a confidence.")),
                ("confidence_sum", models.DecimalField(db_default=0, decimal_places=6, default=0, max_digits=20)),
                (
                    "average_confidence_score",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("confidence_sum"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    "*",
                                    models.Value(Decimal("1")),
                                ),
                                "/",
                                django.db.models.functions.comparison.NullIf(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("confident_answers"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    Decimal("0"),
                                ),
                            ),
                            2,
                        ),
                        output_field=models.DecimalField(decimal_places=2, max_digits=7, null=True),
                    ),
                ),
                (
                    "error_rate",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("failed_answers"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    "*",
                                    models.Value(Decimal("100")),
                                ),
                                "/",
                                django.db.models.functions.comparison.NullIf(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("answers"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    Decimal("0"),
                                ),
                            ),
                            2,
                        ),
                        output_field=models.DecimalField(decimal_places=2, max_digits=5, null=True),
                    ),
                ),
                ("feature_usage", models.JSONField(default=dict, help_text="Conversations by type (S0-71).")),
                ("total_ratings", models.PositiveIntegerField(db_default=0, default=0)),
                ("rating_sum", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "average_rating",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("rating_sum"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    "*",
                                    models.Value(Decimal("1")),
                                ),
                                "/",
                                django.db.models.functions.comparison.NullIf(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("total_ratings"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    Decimal("0"),
                                ),
                            ),
                            2,
                        ),
                        output_field=models.DecimalField(decimal_places=2, max_digits=5, null=True),
                    ),
                ),
                ("helpful_count", models.PositiveIntegerField(db_default=0, default=0)),
                ("unhelpful_count", models.PositiveIntegerField(db_default=0, default=0)),
                ("feedback_comments", models.PositiveIntegerField(db_default=0, default=0)),
                ("most_discussed_employees", models.JSONField(default=list, help_text='[{"employeeId", "mentionCount"}], most first.')),
                ("common_topics", models.JSONField(default=list, help_text='[{"topic", "frequency"}], most first.')),
                ("report_access_count", models.JSONField(default=dict, help_text="Reports read, by type.")),
                (
                    "branch",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.branch"
                    ),
                ),
                (
                    "department",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.department"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "consultations of a day",
                "verbose_name_plural": "consultations by day",
                "db_table": "chat_analytics",
                "ordering": ["-period_start"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [
                    models.Index(fields=["organization", "period_type", "-period_start"], name="idx_chat_analytics_org_period"),
                    models.Index(fields=["user", "-period_start"], name="idx_chat_analytics_user"),
                    models.Index(fields=["period_type", "period_start", "period_end"], name="idx_chat_analytics_period"),
                ],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_chatanalytics_rls", tenant_pk_type="uuid"
                    ),
                    models.UniqueConstraint(fields=("analytics_id",), name="uq_chat_analytics_id"),
                    models.UniqueConstraint(
                        fields=("organization", "branch", "department", "user", "period_type", "period_start"),
                        name="uq_chat_analytics_scope_period",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period_type__in", ["daily", "weekly", "monthly"])), name="ck_chat_analytics_period_type"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period_end__gt", models.F("period_start"))), name="ck_chat_analytics_period"
                    ),
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="FeatureUtilization",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("feature_name", models.CharField(max_length=100)),
                (
                    "feature_category",
                    models.CharField(
                        choices=[
                            ("EMPLOYEE_MANAGEMENT", "Employees"),
                            ("REPORT_GENERATION", "Reports"),
                            ("AI_CONSULTATION", "Consultations"),
                            ("DEPARTMENT_SETUP", "Departments"),
                            ("USER_MANAGEMENT", "People and access"),
                            ("ANALYTICS_VIEWING", "Dashboards"),
                            ("NOTIFICATION_INTERACTION", "Notifications"),
                        ],
                        max_length=50,
                    ),
                ),
                (
                    "user_role",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("owner", "Owner"),
                            ("leader", "Leader"),
                            ("manager", "Manager"),
                            ("agent", "Support agent"),
                            ("guest", "Guest"),
                        ],
                        default="",
                        help_text="Empty: all roles together.",
                        max_length=20,
                    ),
                ),
                ("metric_date", models.DateField()),
                ("total_uses", models.PositiveIntegerField(db_default=0, default=0)),
                ("unique_users", models.PositiveIntegerField(db_default=0, default=0)),
                ("timed_uses", models.PositiveIntegerField(db_default=0, default=0, help_text="Uses that said how long they took.")),
                (
                    "duration_seconds",
                    models.DecimalField(
                        db_default=0, decimal_places=6, default=0, help_text="How long those took together.", max_digits=20
                    ),
                ),
                (
                    "average_duration_seconds",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("duration_seconds"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    "*",
                                    models.Value(Decimal("1")),
                                ),
                                "/",
                                django.db.models.functions.comparison.NullIf(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("timed_uses"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    Decimal("0"),
                                ),
                            ),
                            2,
                        ),
                        output_field=models.DecimalField(decimal_places=2, max_digits=10, null=True),
                    ),
                ),
                ("success_count", models.PositiveIntegerField(db_default=0, default=0, help_text="Uses that said that they succeeded.")),
                ("error_count", models.PositiveIntegerField(db_default=0, default=0, help_text="Uses that said that they failed.")),
                ("outcome_count", models.PositiveIntegerField(db_default=0, default=0, help_text="Uses that said either.")),
                (
                    "success_rate",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("success_count"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    "*",
                                    models.Value(Decimal("100")),
                                ),
                                "/",
                                django.db.models.functions.comparison.NullIf(
                                    django.db.models.functions.comparison.Cast(
                                        models.F("outcome_count"), models.DecimalField(decimal_places=10, max_digits=30)
                                    ),
                                    Decimal("0"),
                                ),
                            ),
                            2,
                        ),
                        output_field=models.DecimalField(decimal_places=2, max_digits=5, null=True),
                    ),
                ),
                (
                    "usage_distribution",
                    models.JSONField(default=dict, help_text='Uses: {"hourly": {hour: n}, "by_department": {id: n}} (S4-36).'),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                    ),
                ),
            ],
            options={
                "verbose_name": "use of a feature",
                "verbose_name_plural": "uses of features",
                "db_table": "feature_utilization_metrics",
                "ordering": ["-metric_date", "feature_name", "user_role"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [
                    models.Index(fields=["organization", "metric_date"], name="idx_feature_util_org_id"),
                    models.Index(fields=["feature_name"], name="idx_feature_util_feature"),
                    models.Index(fields=["feature_category"], name="idx_feature_util_category"),
                    models.Index(fields=["user_role"], name="idx_feature_util_role"),
                    models.Index(fields=["-metric_date"], name="idx_feature_util_date"),
                ],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_featureutilization_rls", tenant_pk_type="uuid"
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "feature_name", "user_role", "metric_date"),
                        name="uq_feature_utilization_org_feature_role_date",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("user_role__in", ["", "owner", "leader", "manager", "agent", "guest"])),
                        name="ck_feature_utilization_role",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "feature_category__in",
                                [
                                    "EMPLOYEE_MANAGEMENT",
                                    "REPORT_GENERATION",
                                    "AI_CONSULTATION",
                                    "DEPARTMENT_SETUP",
                                    "USER_MANAGEMENT",
                                    "ANALYTICS_VIEWING",
                                    "NOTIFICATION_INTERACTION",
                                ],
                            )
                        ),
                        name="ck_feature_utilization_category",
                    ),
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ModelUsage",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("metric_date", models.DateField()),
                ("service", models.CharField(help_text="The provider: openai, offline.", max_length=100)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("purpose", models.CharField(max_length=50)),
                ("calls", models.PositiveIntegerField(db_default=0, default=0)),
                ("failed_calls", models.PositiveIntegerField(db_default=0, default=0)),
                ("input_tokens", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("cached_input_tokens", models.PositiveBigIntegerField(db_default=0, default=0, help_text="Part of the input.")),
                ("output_tokens", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("reasoning_tokens", models.PositiveBigIntegerField(db_default=0, default=0, help_text="Part of the output.")),
                (
                    "cost",
                    models.DecimalField(db_default=0, decimal_places=10, default=0, help_text="US dollars, where known.", max_digits=20),
                ),
                ("unpriced_calls", models.PositiveIntegerField(db_default=0, default=0, help_text="Calls whose cost is unknown.")),
                ("latency_milliseconds", models.FloatField(db_default=0, default=0, help_text="Of all calls together.")),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                    ),
                ),
            ],
            options={
                "verbose_name": "use of a model",
                "verbose_name_plural": "uses of models",
                "db_table": "model_usage_metrics",
                "ordering": ["-metric_date"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [models.Index(fields=["-metric_date"], name="idx_model_usage_date")],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_modelusage_rls", tenant_pk_type="uuid"
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "metric_date", "service", "model", "purpose"), name="uq_model_usage_organization_date_model"
                    ),
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="PlatformAdoption",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("metric_date", models.DateField()),
                ("total_organizations", models.PositiveIntegerField(db_default=0, default=0)),
                ("new_organizations_today", models.PositiveIntegerField(db_default=0, default=0)),
                ("total_employees", models.PositiveIntegerField(db_default=0, default=0)),
                ("new_employees_today", models.PositiveIntegerField(db_default=0, default=0)),
                ("total_candidates", models.PositiveIntegerField(db_default=0, default=0)),
                ("new_candidates_today", models.PositiveIntegerField(db_default=0, default=0)),
                ("total_departments", models.PositiveIntegerField(db_default=0, default=0)),
                ("total_branches", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "active_users_count",
                    models.PositiveIntegerField(db_default=0, default=0, help_text="People who did something on the day."),
                ),
                ("reports_generated_total", models.PositiveIntegerField(db_default=0, default=0)),
                ("reports_generated_today", models.PositiveIntegerField(db_default=0, default=0)),
                ("ai_chat_sessions_total", models.PositiveIntegerField(db_default=0, default=0)),
                ("ai_chat_sessions_today", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "subscription_status",
                    models.CharField(
                        choices=[("ACTIVE", "Active"), ("TRIAL", "Trial"), ("EXPIRED", "Expired"), ("CANCELLED", "Cancelled")],
                        max_length=20,
                        null=True,
                    ),
                ),
                ("subscription_tier", models.CharField(max_length=50, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
            ],
            options={
                "verbose_name": "adoption",
                "verbose_name_plural": "adoption",
                "db_table": "platform_adoption_metrics",
                "ordering": ["-metric_date"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [
                    models.Index(fields=["organization"], name="idx_platform_adoption_org_id"),
                    models.Index(fields=["-metric_date"], name="idx_platform_adoption_date"),
                    models.Index(fields=["subscription_status"], name="idx_platform_adoption_subs"),
                ],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_platformadoption_rls", tenant_pk_type="uuid"
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "metric_date"), name="uq_platform_adoption_organization_date", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("subscription_status__in", ["ACTIVE", "TRIAL", "EXPIRED", "CANCELLED"]),
                            ("subscription_status__isnull", True),
                            _connector="OR",
                        ),
                        name="ck_platform_adoption_subscription_status",
                    ),
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ReportGeneration",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("report_id", models.UUIDField(help_text="The report.")),
                (
                    "report_type",
                    models.CharField(
                        choices=[
                            ("PERSONALITY_ROLE", "Personality and role"),
                            ("BEHAVIOR_COMPANY", "Behaviour in the company"),
                            ("COMPATIBILITY_JOB", "Compatibility with the job"),
                            ("COMPATIBILITY_DEPARTMENT", "Compatibility with the department"),
                            ("COMPATIBILITY_COMPANY", "Compatibility with the company"),
                            ("COMPATIBILITY_INDUSTRY", "Compatibility with the industry"),
                            ("QA_QUESTIONNAIRE", "Questionnaire"),
                            ("TRAINING_DEVELOPMENT", "Training and development"),
                        ],
                        max_length=50,
                    ),
                ),
                ("generation_date", models.DateField()),
                ("generation_timestamp", models.DateTimeField(default=django.utils.timezone.now)),
                ("processing_time_seconds", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("SUCCESS", "Made"), ("FAILED", "Failed"), ("PENDING", "Waiting"), ("PROCESSING", "Being made")],
                        max_length=20,
                    ),
                ),
                ("error_message", models.TextField(blank=True)),
                ("is_auto_generated", models.BooleanField(default=False)),
                ("is_quarterly_update", models.BooleanField(default=False)),
                ("report_size_kb", models.DecimalField(decimal_places=2, max_digits=10, null=True)),
                ("ai_tokens_used", models.PositiveIntegerField(null=True)),
                ("viewed_count", models.PositiveIntegerField(db_default=0, default=0)),
                ("downloaded_count", models.PositiveIntegerField(db_default=0, default=0)),
                ("first_viewed_at", models.DateTimeField(null=True)),
                ("last_viewed_at", models.DateTimeField(null=True)),
                (
                    "employee",
                    models.ForeignKey(
                        db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="tenants.employee"
                    ),
                ),
                (
                    "generated_by_user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                    ),
                ),
            ],
            options={
                "verbose_name": "report made",
                "verbose_name_plural": "reports made",
                "db_table": "report_generation_stats",
                "ordering": ["-generation_timestamp"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [
                    models.Index(fields=["organization", "generation_date"], name="idx_report_stats_org_id"),
                    models.Index(fields=["report_type"], name="idx_report_stats_type"),
                    models.Index(fields=["-generation_date"], name="idx_report_stats_date"),
                    models.Index(fields=["employee"], name="idx_report_stats_employee"),
                    models.Index(fields=["status"], name="idx_report_stats_status"),
                    models.Index(fields=["is_auto_generated", "is_quarterly_update"], name="idx_report_stats_auto"),
                ],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_reportgeneration_rls", tenant_pk_type="uuid"
                    ),
                    models.UniqueConstraint(fields=("organization", "report_id"), name="uq_report_stats_organization_report"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "report_type__in",
                                [
                                    "PERSONALITY_ROLE",
                                    "BEHAVIOR_COMPANY",
                                    "COMPATIBILITY_JOB",
                                    "COMPATIBILITY_DEPARTMENT",
                                    "COMPATIBILITY_COMPANY",
                                    "COMPATIBILITY_INDUSTRY",
                                    "QA_QUESTIONNAIRE",
                                    "TRAINING_DEVELOPMENT",
                                ],
                            )
                        ),
                        name="ck_report_stats_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["SUCCESS", "FAILED", "PENDING", "PROCESSING"])), name="ck_report_stats_status"
                    ),
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="UserEngagement",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("metric_date", models.DateField()),
                (
                    "login_count",
                    models.PositiveIntegerField(db_default=0, default=0, help_text="Sessions in which something was done (S4-129)."),
                ),
                (
                    "session_duration_minutes",
                    models.PositiveIntegerField(
                        db_default=0, default=0, help_text="From the first to the last event of each session, together, in whole minutes."
                    ),
                ),
                ("reports_viewed", models.PositiveIntegerField(db_default=0, default=0)),
                ("reports_downloaded", models.PositiveIntegerField(db_default=0, default=0)),
                ("ai_chat_messages_sent", models.PositiveIntegerField(db_default=0, default=0)),
                (
                    "ai_chat_sessions",
                    models.PositiveIntegerField(db_default=0, default=0, help_text="Sittings with the AI that began on the day."),
                ),
                ("employees_added", models.PositiveIntegerField(db_default=0, default=0)),
                ("employees_updated", models.PositiveIntegerField(db_default=0, default=0)),
                ("dashboard_visits", models.PositiveIntegerField(db_default=0, default=0)),
                ("feature_interactions", models.JSONField(default=dict, help_text="Uses by feature (S4-19).")),
                ("last_activity_at", models.DateTimeField(null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "engagement of a person",
                "verbose_name_plural": "engagement of people",
                "db_table": "user_engagement_metrics",
                "ordering": ["-metric_date", "user"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [
                    models.Index(fields=["user"], name="idx_user_engagement_user_id"),
                    models.Index(fields=["organization", "metric_date"], name="idx_user_engagement_org_id"),
                    models.Index(fields=["-metric_date"], name="idx_user_engagement_date"),
                    models.Index(fields=["-last_activity_at"], name="idx_user_eng_last_activity"),
                ],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_userengagement_rls", tenant_pk_type="uuid"
                    ),
                    models.UniqueConstraint(
                        fields=("organization", "user", "metric_date"), name="uq_user_engagement_organization_user_date"
                    ),
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
    ]
