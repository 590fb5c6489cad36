"""Seats: how many people may be members of an organization at once, by its subscription."""

from typing import Any

from django.utils import timezone

from tenants import scoping
from tenants.errors import NoSeatLeft
from tenants.models import Organization


def lock(organization_id: Any) -> None:
    """Until the running transaction ends, nobody else joins this organization. Needs a transaction."""
    # `no_key`: rows that point at the organization can still be written meanwhile.
    list(Organization.objects.select_for_update(no_key=True).filter(pk=organization_id).values_list("pk"))


def take(organization_id: Any, *, wanted: int = 1) -> None:
    """Makes sure that so many more may become members in the running transaction. Raises `NoSeatLeft`.

    Of an organization that is not saved yet (None) nobody can be a member: its subscription comes first.
    """
    booked, taken, name = None, 0, ""
    if organization_id is not None:
        lock(organization_id)
        # A statement of its own: one that waited for the lock would count what was there before it waited.
        with scoping.tenant(organization_id):
            found = Organization.objects.with_seats(now=timezone.now()).values_list("seats", "seats_taken", "name")
            booked, taken, name = found.get(pk=organization_id)
    if booked is None:
        raise NoSeatLeft("This organization has no subscription that runs, so nobody can be added. Book one first.")
    if taken + wanted > booked:
        raise NoSeatLeft(f"{name} has booked {booked} seats, of which {taken} are taken. Book more, or remove somebody first.")
