"""What `manage.py check` says about the wall between organizations."""

from typing import Any

from django.apps import apps
from django.core.checks import Error, Tags, register
from django.db import connections
from django_rls_tenants.rls.constraints import RLSConstraint

from tenants.database import roles
from tenants.scoping import TenantModel


@register(Tags.models)
def every_tenant_model_has_row_level_security(app_configs: Any, **kwargs: Any) -> list[Error]:
    return [
        Error(
            f"{model.__name__} has no row-level security.",
            hint="Keep what TenantModel gives: class Meta(TenantModel.Meta): constraints = [*TenantModel.Meta.constraints, …]",
            obj=model,
            id="tenants.E001",
        )
        for model in apps.get_models()
        if issubclass(model, TenantModel)
        and not model._meta.proxy
        and not any(isinstance(constraint, RLSConstraint) for constraint in model._meta.constraints)
    ]


@register(Tags.database)
def acting_role_obeys_row_level_security(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[Error]:
    """Runs where a database is asked for: `manage.py check --database default`. `migrate` acts as the owner and is let off."""
    return [
        Error(sentence, id="tenants.E002")
        for using in databases or ()
        if not getattr(connections[using], "as_owner", False)
        for sentence in roles.problems(using=using)
    ]
