"""A row can only point at rows of its own organization: the database refuses what `clean` would, whoever writes."""

from django.db import migrations

# (table, column, table it points at). What is pointed at has a unique (organization_id, id) for it.
POINTERS = [
    ("departments", "branch_id", "branches"),
    ("memberships", "branch_id", "branches"),
    ("memberships", "department_id", "departments"),
    ("employees", "branch_id", "branches"),
    ("employees", "department_id", "departments"),
    ("employees", "reports_to_id", "employees"),
    ("candidates", "branch_id", "branches"),
    ("candidates", "department_id", "departments"),
    ("candidates", "employee_id", "employees"),
    ("api_keys", "membership_id", "memberships"),
]
TARGETS = sorted({target for _, _, target in POINTERS})


def unique(table):
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT uq_{table}_organization_id UNIQUE (organization_id, id)",
        f"ALTER TABLE {table} DROP CONSTRAINT uq_{table}_organization_id",
    )


def pointer(table, column, target):
    name = f"fk_{table}_{column.removesuffix('_id')}_same_organization"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {column})"
        f" REFERENCES {target} (organization_id, id) DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_permissions")]

    operations = [
        *(unique(table) for table in TARGETS),
        *(pointer(table, column, target) for table, column, target in POINTERS),
    ]
