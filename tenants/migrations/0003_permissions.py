"""The permissions there are (S3-55…60 and what the platform adds) and who has them by default. Staff change the grants in admin."""

from django.db import migrations

DOMAINS = {
    "chat:room": "Chat room management permissions",
    "chat:message": "Message sending and viewing permissions",
    "chat:robot": "Robot interaction permissions",
    "chat:file": "File upload and sharing permissions",
    "chat:escalation": "Escalation management permissions",
    "supervisor:chat": "Supervisor monitoring permissions",
    "chat:conversation": "Consultations and other conversations",
    "people:employee": "Employees, departments and branches",
    "people:membership": "Who belongs to the organization, and their roles",
    "people:api_key": "API keys",
}

EVERYBODY = ("owner", "leader", "manager", "agent", "guest")
COLLEAGUES = ("owner", "leader", "manager", "agent")
CONSULTING = ("owner", "leader", "manager")
HEADS = ("owner", "leader")

PERMISSIONS = [
    ("chat:conversation:create", "Start a conversation", CONSULTING),
    ("chat:conversation:read", "Read one's own conversations and those shared with one", EVERYBODY),
    ("chat:conversation:update", "Rename, pin, archive and restore one's conversations", COLLEAGUES),
    ("chat:conversation:delete", "Delete one's conversations", COLLEAGUES),
    ("chat:conversation:export", "Export one's conversations", COLLEAGUES),
    ("chat:message:read", "Read messages", EVERYBODY),
    ("chat:message:send", "Send messages, stop and retry answers", EVERYBODY),
    ("chat:message:edit", "Edit one's messages", COLLEAGUES),
    ("chat:message:delete", "Delete one's messages", COLLEAGUES),
    ("chat:message:feedback", "Rate answers", EVERYBODY),
    ("chat:room:create", "Open rooms", COLLEAGUES),
    ("chat:room:read", "See rooms one takes part in", EVERYBODY),
    ("chat:room:update", "Change a room's name and settings", COLLEAGUES),
    ("chat:room:invite", "Invite people to a room", COLLEAGUES),
    ("chat:room:close", "Archive and close rooms", COLLEAGUES),
    ("chat:robot:use", "Ask robots", EVERYBODY),
    ("chat:robot:configure", "Change robots", HEADS),
    ("chat:file:read", "Open attachments", EVERYBODY),
    ("chat:file:upload", "Attach files", EVERYBODY),
    ("chat:file:delete", "Remove attachments", COLLEAGUES),
    ("chat:escalation:create", "Escalate a conversation to human support", EVERYBODY),
    ("chat:escalation:read", "See escalations", COLLEAGUES),
    ("chat:escalation:assign", "Assign escalations", ("owner", "leader", "agent")),
    ("chat:escalation:resolve", "Resolve and cancel escalations", ("owner", "leader", "agent")),
    ("supervisor:chat:read", "Read other people's conversations; each reading is recorded", ("owner",)),
    ("supervisor:chat:export", "Export other people's conversations; each export is recorded", ("owner",)),
    ("people:employee:read", "See employees, departments and branches", CONSULTING),
    ("people:employee:update", "Change employees", HEADS),
    ("people:membership:read", "See who belongs to the organization", COLLEAGUES),
    ("people:membership:update", "Add and remove people and change their roles", ("owner",)),
    ("people:api_key:create", "Make and revoke API keys", ("owner",)),
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
    dependencies = [("tenants", "0002_application_role")]

    operations = [migrations.RunPython(add, remove)]
