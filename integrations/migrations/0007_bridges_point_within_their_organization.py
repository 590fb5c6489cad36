"""A bridge, its versions and its prompts can only point at rows of their own organization."""

from django.db import migrations

# (table, column, table it points at). What is pointed at has a unique (organization_id, id) for it.
POINTERS = [
    ("configurations", "apikey", "modelconfigurations"),
    ("configurations", "template_id", "templates"),
    ("configurations", "published_id", "bridge_versions"),
    ("bridge_versions", "bridge_id", "configurations"),
    ("bridge_versions", "prompt_id", "system_prompt_versionings"),
    ("system_prompt_versionings", "bridge_id", "configurations"),
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
    dependencies = [("integrations", "0006_configuration")]

    operations = [
        *(unique(table) for table in TARGETS),
        *(pointer(table, column, target) for table, column, target in POINTERS),
    ]
