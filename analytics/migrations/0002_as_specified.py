"""Rows point within their organization; indexes are called what the specification calls them, which Django finds too long."""

from django.db import migrations

POINTERS = [
    ("report_generation_stats", "employee_id", "employees"),
    ("chat_analytics", "branch_id", "branches"),
    ("chat_analytics", "department_id", "departments"),
]
NAMES = {
    "idx_report_stats_auto": "idx_report_stats_auto_generated",
    "idx_platform_adoption_subs": "idx_platform_adoption_subscription",
    "idx_user_eng_last_activity": "idx_user_engagement_last_activity",
    "idx_business_impact_satis": "idx_business_impact_satisfaction",
}


def pointer(table, column, target):
    name = f"fk_{table}_{column.removesuffix('_id')}_same_organization"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {column})"
        f" REFERENCES {target} (organization_id, id) DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def rename(ours, theirs):
    return migrations.RunSQL(f"ALTER INDEX {ours} RENAME TO {theirs}", f"ALTER INDEX {theirs} RENAME TO {ours}")


class Migration(migrations.Migration):
    dependencies = [("analytics", "0001_what_was_counted"), ("tenants", "0004_rows_point_within_their_organization")]

    operations = [
        *(pointer(table, column, target) for table, column, target in POINTERS),
        *(rename(ours, theirs) for ours, theirs in NAMES.items()),
    ]
