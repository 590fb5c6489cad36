"""The one door to what was counted, for pages, API and exports alike.

Whoever is let in sees the figures of the whole organization; the rows are those of its tables, which row-level security guards.
"""

from tenants import roles
from tenants.models import Membership


def may_see_metrics(membership: Membership) -> bool:
    """May cause a query."""
    return roles.may(membership, "analytics:metrics:view")


def metrics_for(membership: Membership) -> Membership:
    """The same membership, let in; `Forbidden` otherwise."""
    roles.require(membership, "analytics:metrics:view")
    return membership
