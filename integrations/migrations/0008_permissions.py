"""The permissions to keep and to call bridges, and who has them by default."""

from django.db import migrations

DOMAINS = {
    "integrations:bridges": "Bridges, their versions and templates",
    "integrations:models": "Models of the organization's own, and their keys",
    "integrations:tools": "HTTP tools that models may call",
    "integrations:chatbots": "Chatbots for websites",
    "integrations:budgets": "What models may cost",
}

PERMISSIONS = [
    ("integrations:bridges:view", "See bridges, their versions and who changed them", ("owner", "leader")),
    ("integrations:bridges:edit", "Change the drafts of bridges, templates and test cases", ("owner",)),
    ("integrations:bridges:publish", "Publish a bridge, roll it back and label its versions", ("owner",)),
    ("integrations:bridges:call", "Ask a bridge, by program or in the playground", ("owner", "leader", "manager")),
    ("integrations:models:edit", "Add models and their keys", ("owner",)),
    ("integrations:tools:edit", "Add HTTP tools and their secrets", ("owner",)),
    ("integrations:chatbots:edit", "Make chatbots and say where they may stand", ("owner",)),
    ("integrations:budgets:view", "See budgets and what was spent", ("owner", "leader")),
    ("integrations:budgets:edit", "Set budgets", ("owner",)),
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
    dependencies = [("integrations", "0007_bridges_point_within_their_organization"), ("tenants", "0009_retention_periods")]

    operations = [migrations.RunPython(add, remove)]
