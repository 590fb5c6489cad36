"""The permission to see what was counted of an organization, and who has it by default."""

from django.db import migrations

DOMAINS = {"analytics:metrics": "What was counted of an organization"}

PERMISSIONS = [("analytics:metrics:view", "See the dashboard and the metrics of the organization", ("owner",))]


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
    dependencies = [("tenants", "0007_people_are_erased")]

    operations = [migrations.RunPython(add, remove)]
