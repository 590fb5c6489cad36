"""What this app announces, always after the commit."""

from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import Signal

from tenants.choices import PeopleChange

# Keyword arguments: user_id (str), organization_id (str, or None for all of them). Somebody signed out, lost a role or a
# membership, or their organization was suspended: whatever they have open has to be closed or asked again.
access_changed = Signal()

# Keyword arguments: user_id (str). An account was emptied for good; what other apps hold of the person goes, too.
person_erased = Signal()


# Keyword arguments: user (User), request (HttpRequest). Somebody signed in with a browser; or is about to sign out, while the request's
# session is still there.
signed_in = Signal()
signing_out = Signal()

# Keyword arguments: organization_id (str), what (PeopleChange), target_id (str). Who did it is whoever acts: `tenants.origins`.
people_changed = Signal()


def announce_people_changed(what: PeopleChange, *, organization_id: Any, target_id: Any) -> None:
    """Sends `people_changed` once the running transaction is committed; never if it is rolled back."""
    facts = {"organization_id": str(organization_id), "what": what, "target_id": str(target_id)}
    transaction.on_commit(partial(people_changed.send_robust, sender=None, **facts))


def announce_person_erased(*, user_id: Any) -> None:
    """Sends `person_erased` once the running transaction is committed; never if it is rolled back."""
    transaction.on_commit(partial(person_erased.send_robust, sender=None, user_id=str(user_id)))


def announce_access_changed(*, user_id: Any, organization_id: Any | None = None) -> None:
    """Sends `access_changed` once the running transaction is committed; never if it is rolled back."""
    transaction.on_commit(
        partial(
            access_changed.send_robust,
            sender=None,
            user_id=str(user_id),
            organization_id=None if organization_id is None else str(organization_id),
        )
    )
