"""Erasing a person for good (D9, S1-86…89). Leaving one organization is something else: `accounts.remove_member`.

1. `erase` empties the account in one transaction: from its commit on nobody can sign in with it, and no table, history included, tells
   who it was. The row stays as a shell, for what points at it.
2. Apps that hold more of the person hear of it (`person_erased`), and find who is `unfinished` until they say that they are done.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pgtrigger
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from tenants import scoping
from tenants.choices import FORMER_MEMBER, AccountStatus, AccountType, Role
from tenants.errors import OnlyOwner
from tenants.models import MAY_SIGN_IN, ApiKey, Employee, Membership, User
from tenants.services import accounts, seats
from tenants.signals import announce_access_changed, announce_person_erased

SETTLED = timedelta(minutes=1)  # until whatever request of theirs was under way has ended

WHY_ACROSS = "a person is erased in every organization"
# What the audit's triggers keep.
USERS: Any = User.pgh_event_model  # type: ignore[attr-defined]
KEYS: Any = ApiKey.pgh_event_model  # type: ignore[attr-defined]
EMPLOYEES: Any = Employee.pgh_event_model  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An erased person of whom something may be left."""

    user_id: str
    asked_at: datetime


def erase(user: User, *, now: datetime | None = None) -> None:
    """Empties this account, of which nothing can be restored. Erased again it stays as it is. Raises `OnlyOwner`."""
    now = now or timezone.now()
    with scoping.across_tenants(WHY_ACROSS), transaction.atomic():
        places = Membership.across_tenants.filter(user=user)
        for organization_id in places.order_by("organization_id").values_list("organization_id", flat=True):
            seats.lock(organization_id)  # of two owners who go at the same time, the second is the last
        account = User.objects.select_for_update().get(pk=user.pk)
        if account.deleted_at is not None:
            return
        if left := _left_without_owner(account):
            raise OnlyOwner(left)
        words = _words_of(account)
        with pgtrigger.ignore(*(f"{history._meta.label}:append_only" for history in (USERS, KEYS, EMPLOYEES))):
            _empty(account, now=now)
            _empty_keys(account, now=now)
            Employee.across_tenants.filter(user=account).update(user=None)
            EMPLOYEES.objects.filter(user=account).update(user=None)
        _empty_log(words)
        places.filter(is_active=True).update(is_active=False, updated_at=now)
        EmailAddress.objects.filter(user=account).delete()
        Authenticator.objects.filter(user=account).delete()
        account.groups.clear()
        account.user_permissions.clear()
        accounts.end_sessions([account.pk])
        announce_access_changed(user_id=account.pk)
        announce_person_erased(user_id=account.pk)


def unfinished() -> list[Unfinished]:
    """Longest ago first."""
    found = User.objects.filter(deleted_at__isnull=False, erased_at__isnull=True).order_by("deleted_at")
    return [Unfinished(str(pk), asked_at) for pk, asked_at in found.values_list("pk", "deleted_at") if asked_at]


def erased_since(moment: datetime) -> list[str]:
    """Whose accounts were emptied since then."""
    return [str(pk) for pk in User.objects.filter(deleted_at__gte=moment).order_by("deleted_at").values_list("pk", flat=True)]


def finish(one: Unfinished, *, began_at: datetime) -> None:
    """Nothing is left, as far as a look sees that began at this time: the last one, if the person could no longer write by then."""
    if began_at >= one.asked_at + SETTLED:
        User.objects.filter(pk=one.user_id).update(erased_at=began_at)


def organizations_of(user_id: Any) -> list[str]:
    """Where the person is, or was, a member."""
    with scoping.across_tenants(WHY_ACROSS):
        return [str(pk) for pk in Membership.across_tenants.filter(user_id=user_id).values_list("organization_id", flat=True)]


def _left_without_owner(user: User) -> list[str]:
    """The names of organizations whose only owner this is."""
    owners = Membership.across_tenants.filter(role=Role.OWNER, is_active=True)
    others = owners.exclude(user=user).filter(user__deleted_at=None, user__current_account_status__in=MAY_SIGN_IN)
    alone = owners.filter(user=user).exclude(organization__in=others.values("organization"))
    return list(alone.order_by("organization__name").values_list("organization__name", flat=True))


def _shell(user: User) -> dict[str, Any]:
    """What the history tells of a person, too, once they are erased."""
    address = f"{user.pk}@erased.invalid"
    names = {"first_name": "", "last_name": "", "display_name": FORMER_MEMBER}
    return {"email": address, "username": address, **names, "avatar_url": None, "chat_preferences": {}}


def _empty(user: User, *, now: datetime) -> None:
    shell = _shell(user)
    changes = {
        **shell,
        "account_type_informal": AccountType.GUEST,
        "current_account_status": AccountStatus.DEACTIVATED,
        "current_status": "offline",
        "is_email_verified": False,
        "is_superuser": False,
        "last_login": None,
        "last_seen_at": None,
        "deleted_at": now,
    }
    for name, value in changes.items():
        setattr(user, name, value)
    user.set_unusable_password()
    user.save(update_fields=[*changes, "password", "updated_at"])
    USERS.objects.filter(pgh_obj_id=user.pk).update(**shell)


def _empty_keys(user: User, *, now: datetime) -> None:
    own = ApiKey.across_tenants.filter(membership__user=user)
    ids = list(own.values_list("pk", flat=True))
    own.update(name=FORMER_MEMBER, revoked_at=Coalesce("revoked_at", now))
    KEYS.objects.filter(pgh_obj_id__in=ids).update(name=FORMER_MEMBER)


def _words_of(user: User) -> set[str]:
    """Every name and address that this account ever had."""
    before = USERS.objects.filter(pgh_obj_id=user.pk)
    found = set(EmailAddress.objects.filter(user=user).values_list("email", flat=True))
    for one in (user, *before):
        found |= {one.email, one.username, one.display_name or "", f"{one.first_name} {one.last_name}".strip()}
    return found - {""}


def _empty_log(words: Iterable[str]) -> None:
    """Staff's actions in the administration name the rows they were about."""
    # As they stand in JSON, too; longest first, since a name may be a part of an address.
    wanted = sorted({spelled for word in words for spelled in (word, json.dumps(word)[1:-1])}, key=len, reverse=True)
    named = Q()
    for word in wanted:
        named |= Q(object_repr__contains=word) | Q(change_message__contains=word)
    for entry in LogEntry.objects.filter(named):
        for word in wanted:
            entry.object_repr = entry.object_repr.replace(word, FORMER_MEMBER)[:200]
            entry.change_message = entry.change_message.replace(word, FORMER_MEMBER)
        entry.save(update_fields=["object_repr", "change_message"])
