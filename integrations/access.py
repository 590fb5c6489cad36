"""The one door to what an organization has configured, for pages, API and gateway alike. Missing and forbidden look the same."""

import uuid
from typing import Any, TypeVar

from django.db.models import QuerySet

from integrations.models import ApiCall, Bridge, Budget, Chatbot, ModelConfiguration, PlatformConnection, Template, Trial
from tenants import roles, scoping
from tenants.errors import NotFound
from tenants.models import Membership
from tenants.scoping import TenantModel, TenantQuerySet

M = TypeVar("M", bound=TenantModel)

VIEW = "integrations:bridges:view"
EDIT = "integrations:bridges:edit"
PUBLISH = "integrations:bridges:publish"
CALL = "integrations:bridges:call"
MODELS = "integrations:models:edit"
TOOLS = "integrations:tools:edit"
CHATBOTS = "integrations:chatbots:edit"
VIEW_BUDGETS = "integrations:budgets:view"
BUDGETS = "integrations:budgets:edit"

# Whoever may change one of these may see them; what bridges are made of, whoever may see bridges.
_PERMISSIONS: dict[type[TenantModel], tuple[str, str]] = {
    Bridge: (VIEW, EDIT),
    Template: (VIEW, EDIT),
    Trial: (VIEW, EDIT),
    ModelConfiguration: (VIEW, MODELS),
    ApiCall: (VIEW, TOOLS),
    Chatbot: (VIEW, CHATBOTS),
    Budget: (VIEW_BUDGETS, BUDGETS),
}


def listed(model: type[M], membership: Membership) -> "TenantQuerySet[M]":
    """Those of the membership's organization. Raises `Forbidden` where its role may not see any."""
    roles.require(membership, _PERMISSIONS[model][0])
    return model.objects.for_tenant(membership.organization_id)


def found(model: type[M], membership: Membership, /, **where: Any) -> M:
    """The one row of the membership's organization. Raises `NotFound`, or `Forbidden` where its role may not see any."""
    row = scoping.one(listed(model, membership).filter(**where))
    if row is None:
        raise NotFound(f"There is no such {model._meta.verbose_name}, or it is not your organization's.")
    return row


def may_change(model: type[TenantModel], membership: Membership) -> bool:
    """May cause a query."""
    return roles.may(membership, _PERMISSIONS[model][1])


def require_change(model: type[TenantModel], membership: Membership) -> None:
    """Raises `Forbidden` unless `may_change`."""
    roles.require(membership, _PERMISSIONS[model][1])


def connections_for(membership: Membership) -> "QuerySet[PlatformConnection]":
    """This person's own connections in this organization, those included that a platform is still to be told to revoke.

    Raises `Forbidden` where the role may not have any.
    """
    roles.require(membership, "integrations:connection:use")
    return PlatformConnection.objects.for_tenant(membership.organization_id).filter(user_id=membership.user_id)


def connection_for(membership: Membership, connection_id: Any) -> PlatformConnection:
    """One of them. `NotFound` where it is missing, disconnected or somebody else's."""
    try:
        key = connection_id if isinstance(connection_id, uuid.UUID) else uuid.UUID(str(connection_id))
    except ValueError:
        raise NotFound("There is no such connection.") from None
    found = scoping.one(connections_for(membership).filter(pk=key, is_connected=True))
    if found is None:
        raise NotFound("There is no such connection.")
    return found
