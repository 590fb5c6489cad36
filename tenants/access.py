"""The one door to people and places of an organization, for pages, API, sockets and prompts alike. Missing and forbidden look the same."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from tenants import scoping
from tenants.choices import OrganizationStatus, Role
from tenants.errors import BadTenant, Forbidden, NotFound
from tenants.models import Branch, Department, Employee, Membership

__all__ = [
    "Forbidden",
    "NotFound",
    "branches_for",
    "department_for",
    "departments_for",
    "employee_for",
    "employees_among",
    "employees_for",
    "members_among",
    "members_with_emails",
    "membership_for",
    "membership_in",
    "memberships_of",
]


def membership_for(user: Any, slug: str) -> Membership:
    """The user's place in the organization of this address, with `organization` and `user` loaded.

    `NotFound` where the organization is missing or suspended, or the person is not (or no longer) one of its people.
    """
    found = _memberships(user, organization__slug=slug)
    if not found:
        raise NotFound("There is no such organization, or you are not one of its people.")
    return found[0]


def membership_in(organization: Any, *, user_id: Any) -> Membership:
    """As `membership_for`, by ids, for work that goes on after the request: is this person still one of them?"""
    try:
        key = scoping.tenant_key(organization)
    except BadTenant:
        raise NotFound from None
    with scoping.tenant(key):
        found = scoping.one(
            Membership.objects.for_tenant(key)
            .select_related("organization", "user")
            .filter(user_id=_uuid(user_id), is_active=True, organization__status=OrganizationStatus.ACTIVE)
        )
    if found is None or not found.user.is_active:
        raise NotFound("There is no such organization, or you are not one of its people.")
    return found


def memberships_of(user: Any) -> list[Membership]:
    """Every organization the user may enter now, by name. Causes a query."""
    return _memberships(user)


def _memberships(user: Any, **where: Any) -> list[Membership]:
    user_id = _uuid(getattr(user, "pk", user))
    if user_id is None:
        return []
    # Before the membership is known there is no tenant to act for: this look-up is what finds it.
    with scoping.across_tenants("whose member is this user?"):
        found = Membership.across_tenants.select_related("organization", "user").filter(
            user_id=user_id, is_active=True, organization__status=OrganizationStatus.ACTIVE, **where
        )
        return [membership for membership in found.order_by("organization__name") if membership.user.is_active]


def members_among(membership: Membership, user_ids: Iterable[Any]) -> list[Membership]:
    """Those of these people who belong to this member's organization now, with `user` loaded."""
    return _colleagues(membership, user_id__in=[key for key in map(_uuid, user_ids) if key])


def members_with_emails(membership: Membership, emails: Iterable[str]) -> list[Membership]:
    """As `members_among`, by the addresses they sign in with."""
    return _colleagues(membership, user__email__in=[email.strip().lower() for email in emails])


def _colleagues(membership: Membership, **where: Any) -> list[Membership]:
    found = Membership.objects.for_tenant(membership.organization_id).select_related("user").filter(is_active=True, **where)
    return [member for member in found if member.user.is_active]


def branches_for(membership: Membership) -> QuerySet[Branch]:
    """The branches this person may see: owners all, leaders and managers their own, others none."""
    branches = Branch.objects.for_tenant(membership.organization_id)
    if membership.role == Role.OWNER:
        return branches
    if membership.role in (Role.LEADER, Role.MANAGER) and membership.branch_id:
        return branches.filter(pk=membership.branch_id)
    return branches.none()


def departments_for(membership: Membership) -> QuerySet[Department]:
    """The departments this person may see: owners all, leaders those of their branch, managers their own, others none."""
    departments = Department.objects.for_tenant(membership.organization_id)
    if membership.role == Role.OWNER:
        return departments
    if membership.role == Role.LEADER and membership.branch_id:
        return departments.filter(branch_id=membership.branch_id)
    if membership.role == Role.MANAGER and membership.department_id:
        return departments.filter(pk=membership.department_id)
    return departments.none()


def department_for(membership: Membership, department_id: Any) -> Department:
    """`NotFound` where it is missing or not for this person."""
    return _one(departments_for(membership), department_id, "There is no such department.")


def employees_for(membership: Membership) -> QuerySet[Employee]:
    """The employees this person may see and discuss: owners all, leaders their branch, managers their department, others none."""
    employees = Employee.objects.for_tenant(membership.organization_id).select_related("branch", "department")
    if membership.role == Role.OWNER:
        return employees
    if membership.role == Role.LEADER and membership.branch_id:
        return employees.filter(branch_id=membership.branch_id)
    if membership.role == Role.MANAGER and membership.department_id:
        return employees.filter(department_id=membership.department_id)
    return employees.none()


def employee_for(membership: Membership, employee_id: Any) -> Employee:
    """`NotFound` where the employee is missing or not for this person."""
    return _one(employees_for(membership), employee_id, "There is no such employee.")


def employees_among(membership: Membership, employee_ids: Any) -> list[Employee]:
    """These employees in this order; `NotFound` if one of them is missing or not for this person."""
    wanted = [_uuid(value) for value in employee_ids]
    if None in wanted:
        raise NotFound("There is no such employee.")
    found = employees_for(membership).in_bulk(wanted)
    if len(found) != len(set(wanted)):
        raise NotFound("There is no such employee.")
    return [found[value] for value in wanted]


def _one(queryset: QuerySet[Any], pk: Any, sentence: str) -> Any:
    key = _uuid(pk)
    found = scoping.one(queryset.filter(pk=key)) if key else None
    if found is None:
        raise NotFound(sentence)
    return found


def _uuid(value: Any) -> uuid.UUID | None:
    """A UUID from outside, or None: an operator or any other value finds nothing."""
    if isinstance(value, uuid.UUID):
        return value
    if not isinstance(value, str):
        return None
    try:
        return uuid.UUID(value)
    except ValueError:
        return None
