"""Which role may do what. A change acts in every process within two seconds (`roles.FRESH_SECONDS`)."""

from django.db import transaction

from tenants import roles
from tenants.choices import Role
from tenants.errors import NotFound
from tenants.models import Grant, Permission


def grant(role: Role, *, permission: str) -> None:
    """The role may do this from now on. `NotFound` for a permission that does not exist."""
    found = _permission(permission)
    Grant.objects.get_or_create(role=role, permission=found)
    transaction.on_commit(roles.forget)


def revoke(role: Role, *, permission: str) -> None:
    """The role may no longer do this. `NotFound` for a permission that does not exist."""
    found = _permission(permission)
    Grant.objects.filter(role=role, permission=found).delete()
    transaction.on_commit(roles.forget)


def _permission(code: str) -> Permission:
    found = Permission.objects.filter(code=code).first()
    if found is None:
        raise NotFound(f"There is no permission {code!r}. Permissions are named domain:function:action.")
    return found
