"""Organizations come, are suspended, and come back."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from tenants import scoping
from tenants.choices import OrganizationStatus, PeopleChange, SubscriptionPlan
from tenants.models import Branch, Department, Membership, Organization, Subscription
from tenants.services import accounts
from tenants.signals import announce_access_changed, announce_people_changed


def create(
    name: str,
    *,
    slug: str | None = None,
    plan: SubscriptionPlan = SubscriptionPlan.FREE,
    seats: int = 5,
    began: datetime | None = None,
) -> Organization:
    """A new organization with its subscription, since `began` (now). `ValidationError` where the slug is taken or malformed."""
    since = began or timezone.now()
    organization = Organization(name=name, slug=slug or slugify(name)[:63].strip("-"), created_at=since)
    organization.full_clean()
    with transaction.atomic(), scoping.tenant(organization):
        organization.save(force_insert=True)
        Subscription.objects.for_tenant(organization).create(plan=plan, seats=seats, starts_at=since, created_at=since)
    return organization


def add_branch(organization: Organization, *, name: str, location: str = "", began: datetime | None = None) -> Branch:
    """A branch of this name, since `began` (now); the existing one where there is one already."""
    made = {"location": location, "created_at": began or timezone.now()}
    with scoping.tenant(organization):
        branch, _ = Branch.objects.for_tenant(organization).get_or_create(name=name, defaults=made)
    return branch


def add_department(branch: Branch, *, name: str, began: datetime | None = None) -> Department:
    """A department of this branch, since `began` (now); the existing one where there is one already."""
    made = {"created_at": began or timezone.now()}
    with scoping.tenant(branch.organization_id):
        department, created = Department.objects.for_tenant(branch.organization_id).get_or_create(branch=branch, name=name, defaults=made)
        if created:
            announce_people_changed(PeopleChange.DEPARTMENT_SETUP, organization_id=branch.organization_id, target_id=department.pk)
    return department


def suspend(organization: Organization) -> int:
    """Nobody of it gets in any more, and who is in is signed out. Returns how many people that concerned; safe to repeat."""
    with transaction.atomic():
        Organization.objects.filter(pk=organization.pk).exclude(status=OrganizationStatus.SUSPENDED).update(
            status=OrganizationStatus.SUSPENDED, suspended_at=timezone.now(), updated_at=timezone.now()
        )
        organization.refresh_from_db()
        return expel(organization)


def reinstate(organization: Organization) -> None:
    """Its people may sign in again."""
    Organization.objects.filter(pk=organization.pk).update(status=OrganizationStatus.ACTIVE, suspended_at=None, updated_at=timezone.now())
    organization.refresh_from_db()


def expel(organization: Organization) -> int:
    """Signs everybody of the organization out, and says so. Returns how many people that are."""
    with transaction.atomic(), scoping.tenant(organization):
        user_ids = list(Membership.objects.for_tenant(organization).values_list("user_id", flat=True))
        accounts.end_sessions(user_ids)
        for user_id in user_ids:
            announce_access_changed(user_id=user_id, organization_id=organization.pk)
    return len(user_ids)
