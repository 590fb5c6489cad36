"""Engagement added up by organization and day, with who was there; and an index for rows of organizations as a whole."""

import django.db.models.deletion
import django.db.models.manager
import django_rls_tenants.rls.constraints
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0003_archived_months"),
        ("tenants", "0009_retention_periods"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="OrganizationDay",
            fields=[
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("login_count", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("session_duration_minutes", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("reports_viewed", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("reports_downloaded", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("ai_chat_messages_sent", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("ai_chat_sessions", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("employees_added", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("employees_updated", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("dashboard_visits", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("engaged", models.BinaryField(help_text="Who has a row of engagement.")),
                ("used", models.BinaryField(help_text="Who of them used a feature.")),
                ("asked", models.BinaryField(help_text="Who has a row of consultations.")),
            ],
            options={
                "verbose_name": "day of an organization",
                "verbose_name_plural": "days of organizations",
                "db_table": "organization_days",
                "ordering": ["-day"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="PersonNumber",
            fields=[
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
            ],
            options={
                "db_table": "person_numbers",
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddIndex(
            model_name="chatanalytics",
            index=models.Index(
                condition=models.Q(("branch", None), ("department", None), ("period_type", "daily"), ("user", None)),
                fields=["organization", "period_start"],
                name="idx_chat_analytics_whole",
            ),
        ),
        migrations.AddField(
            model_name="organizationday",
            name="organization",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
            ),
        ),
        migrations.AddField(
            model_name="personnumber",
            name="organization",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
            ),
        ),
        migrations.AddField(
            model_name="personnumber",
            name="user",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="organizationday",
            index=models.Index(fields=["-day"], name="idx_organization_days_day"),
        ),
        migrations.AddConstraint(
            model_name="organizationday",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="analytics_organizationday_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="organizationday",
            constraint=models.UniqueConstraint(fields=("organization", "day"), name="uq_organization_days_organization_day"),
        ),
        migrations.AddConstraint(
            model_name="personnumber",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="analytics_personnumber_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="personnumber",
            constraint=models.UniqueConstraint(fields=("organization", "user"), name="uq_person_numbers_organization_user"),
        ),
        migrations.AddConstraint(
            model_name="personnumber",
            constraint=models.UniqueConstraint(fields=("organization", "number"), name="uq_person_numbers_organization_number"),
        ),
    ]
