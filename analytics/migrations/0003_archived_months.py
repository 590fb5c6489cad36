"""What is in compressed files: months of the tables of what was counted."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
import django_rls_tenants.rls.constraints
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0002_as_specified"),
        ("tenants", "0009_retention_periods"),
    ]

    operations = [
        migrations.CreateModel(
            name="ArchivedMonth",
            fields=[
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("table", models.CharField(max_length=63)),
                ("month", models.DateField(help_text="Its first day.")),
                (
                    "path",
                    models.CharField(help_text="In Django's storage: a JSON object for each row, a line each, gzipped.", max_length=300),
                ),
                ("sha256", models.CharField(help_text="Of the file.", max_length=64)),
                ("rows", models.PositiveIntegerField()),
                ("bytes", models.PositiveIntegerField()),
                ("archived_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("remove_on", models.DateField()),
                ("restored_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "archived months",
                "db_table": "archived_months",
                "ordering": ["-month", "table"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
                "indexes": [models.Index(fields=["remove_on"], name="idx_archived_months_remove_on")],
                "constraints": [
                    django_rls_tenants.rls.constraints.RLSConstraint(
                        field="organization", name="analytics_archivedmonth_rls", tenant_pk_type="uuid"
                    )
                ],
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
    ]
