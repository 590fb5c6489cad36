"""The permissions to share conversations by link, and who has them by default."""

from django.db import migrations

DOMAINS = {"chat:share": "Links to copies of conversations"}

PERMISSIONS = [
    ("chat:share:create", "Make links to copies of one's conversations, for people of the organization", ("owner", "leader", "manager")),
    ("chat:share:open", "Make links that anyone can open", ("owner",)),
]


def add(apps, schema_editor):
    domain_model = apps.get_model("tenants", "PermissionDomain")
    permission_model = apps.get_model("tenants", "Permission")
    grant_model = apps.get_model("tenants", "Grant")
    for prefix, description in DOMAINS.items():
        domain_model.objects.get_or_create(permission_prefix=prefix, defaults={"description": description})
    for code, description, roles in PERMISSIONS:
        permission, _ = permission_model.objects.get_or_create(
            code=code, defaults={"description": description, "domain_id": code.rpartition(":")[0]}
        )
        for role in roles:
            grant_model.objects.get_or_create(role=role, permission=permission)


def remove(apps, schema_editor):
    codes = [code for code, _, _ in PERMISSIONS]
    apps.get_model("tenants", "Grant").objects.filter(permission__code__in=codes).delete()
    apps.get_model("tenants", "Permission").objects.filter(code__in=codes).delete()
    apps.get_model("tenants", "PermissionDomain").objects.filter(permission_prefix__in=DOMAINS).delete()


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_rows_point_within_their_organization")]

    operations = [migrations.RunPython(add, remove)]
