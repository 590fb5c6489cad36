"""Organizations come, are suspended, and come back."""

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from tenants import scoping
from tenants.choices import OrganizationStatus, SubscriptionPlan
from tenants.models import Branch, Department, Membership, Organization, Subscription
from tenants.services import accounts
from tenants.signals import announce_access_changed


def create(
    name: str,
    *,
    slug: str | None = None,
    plan: SubscriptionPlan = SubscriptionPlan.FREE,
    seats: int = 5,
) -> Organization:
    """A new organization with its subscription. `ValidationError` where the slug is taken or malformed."""
    organization = Organization(name=name, slug=slug or slugify(name)[:63].strip("-"))
    organization.full_clean()
    with transaction.atomic(), scoping.tenant(organization):
        organization.save(force_insert=True)
        Subscription.objects.for_tenant(organization).create(plan=plan, seats=seats)
    return organization


def add_branch(organization: Organization, *, name: str, location: str = "") -> Branch:
    """A branch of this name, the existing one where there is one already."""
    with scoping.tenant(organization):
        branch, _ = Branch.objects.for_tenant(organization).get_or_create(name=name, defaults={"location": location})
    return branch


def add_department(branch: Branch, *, name: str) -> Department:
    """A department of this branch, the existing one where there is one already."""
    with scoping.tenant(branch.organization_id):
        department, _ = Department.objects.for_tenant(branch.organization_id).get_or_create(branch=branch, name=name)
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
