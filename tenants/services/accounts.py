"""People and programs: their accounts, their places in organizations, their sessions and keys."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from tenants import authentication, scoping
from tenants.choices import AccountStatus, AccountType, PeopleChange, Role
from tenants.errors import NotFound
from tenants.models import ApiKey, Branch, Department, Membership, Organization, User
from tenants.services import seats
from tenants.signals import announce_access_changed, announce_people_changed

# Accounts --------------------------------------------------------------------------------------------------------------


def create(
    email: str,
    *,
    first_name: str = "",
    last_name: str = "",
    password: str | None = None,
    account_type: AccountType = AccountType.MEMBER,
    verified: bool = False,
    superuser: bool = False,
) -> User:
    """An account and its address. `verified` says that the address is known to be theirs; then the account is active at once.

    `ValidationError` where the address is malformed or taken. Without a password nobody can sign in before a reset.
    """
    email = email.strip().lower()
    status = AccountStatus.ACTIVE if verified else AccountStatus.PENDING_VERIFICATION
    user = User(
        email=email,
        username=email,
        first_name=first_name,
        last_name=last_name,
        account_type_informal=account_type,
        current_account_status=status,
        is_email_verified=verified,
        is_superuser=superuser,
    )
    user.set_password(password)
    user.full_clean()
    with transaction.atomic():
        user.save(force_insert=True)
        EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)
    return user


def get_or_create(email: str, **details: Any) -> tuple[User, bool]:
    """The account with this address, or a new one made with `create(email, **details)`; and whether it is new."""
    found = User.objects.filter(email=email.strip().lower()).first()
    if found is not None:
        return found, False
    return create(email, **details), True


def confirm_email(user: User) -> None:
    """The address is theirs: a pending account becomes active."""
    user.is_email_verified = True
    if user.current_account_status == AccountStatus.PENDING_VERIFICATION:
        user.current_account_status = AccountStatus.ACTIVE
    user.save(update_fields=["is_email_verified", "current_account_status", "updated_at"])


def align_email_address(user: User) -> None:
    """After staff changed an account: its address is the primary one for sign-in, verified where the account says so."""
    with transaction.atomic():
        EmailAddress.objects.filter(user=user, primary=True).exclude(email=user.email).delete()
        EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"primary": True, "verified": user.is_email_verified})


def suspend(user: User) -> None:
    """The account can neither sign in nor go on; its sessions end now."""
    with transaction.atomic():
        user.current_account_status = AccountStatus.SUSPENDED
        user.save(update_fields=["current_account_status", "updated_at"])
        sign_out(user)


def reinstate(user: User) -> None:
    """A suspended or deactivated account may sign in again."""
    user.current_account_status = AccountStatus.ACTIVE if user.is_email_verified else AccountStatus.PENDING_VERIFICATION
    user.save(update_fields=["current_account_status", "updated_at"])


def sign_out(user: User) -> None:
    """Ends every session of this person, and says so."""
    with transaction.atomic():
        end_sessions([user.pk])
        announce_access_changed(user_id=user.pk)


def sign_ins(user: User) -> list[UserSession]:
    """The browsers that this person is signed in with, latest first. Those that have ended since are taken off the list."""
    return sorted(UserSession.objects.purge_and_list(user), key=lambda one: one.created_at, reverse=True)


def end_sign_in(user: User, *, sign_in_id: int) -> None:
    """Signs one of this person's browsers out, and says so: its sockets close. Raises `NotFound`."""
    with transaction.atomic():
        found = UserSession.objects.filter(user=user, pk=sign_in_id).first()
        if found is None:
            raise NotFound
        found.end()
        announce_access_changed(user_id=user.pk)


def end_sessions(user_ids: Iterable[Any]) -> None:
    """Removes every browser session of these people; who calls announces it."""
    sessions = UserSession.objects.filter(user_id__in=list(user_ids))
    with transaction.atomic():
        Session.objects.filter(session_key__in=sessions.values("session_key")).delete()
        sessions.delete()


# Places in organizations -----------------------------------------------------------------------------------------------


def add_member(
    organization: Organization,
    *,
    user: User,
    role: Role,
    branch: Branch | None = None,
    department: Department | None = None,
) -> Membership:
    """The person's place, with this role. Somebody who has (or had) one gets it changed to this. Raises as `change` does."""
    with transaction.atomic(), scoping.tenant(organization):
        seats.lock(organization.pk)
        found = Membership.objects.for_tenant(organization).filter(user=user).first()
        if found is not None:
            return change(found, role=role, branch=branch, department=department, is_active=True)
        seats.take(organization.pk)
        membership = Membership(organization=organization, user=user, role=role, branch=branch, department=department)
        membership.full_clean()
        membership.save(force_insert=True)
        announce_people_changed(PeopleChange.USER_MANAGED, organization_id=organization.pk, target_id=user.pk)
    return membership


def change(
    membership: Membership,
    *,
    role: Role,
    branch: Branch | None,
    department: Department | None,
    is_active: bool = True,
) -> Membership:
    """Gives the person another role or place, and says so. `ValidationError` where a leader has no branch, a manager no department,
    or branch and department are another organization's; `NoSeatLeft` where somebody would come back to a full organization."""
    wanted = {"role": role, "branch": branch, "department": department, "is_active": is_active}
    if all(getattr(membership, name) == value for name, value in wanted.items()):
        return membership
    with transaction.atomic(), scoping.tenant(membership.organization_id):
        if is_active and not membership.is_active:
            seats.take(membership.organization_id)
        for name, value in wanted.items():
            setattr(membership, name, value)
        membership.full_clean()
        membership.save(update_fields=[*wanted, "updated_at"])
        announce_people_changed(PeopleChange.USER_MANAGED, organization_id=membership.organization_id, target_id=membership.user_id)
        announce_access_changed(user_id=membership.user_id, organization_id=membership.organization_id)
    return membership


def remove_member(membership: Membership) -> None:
    """The person no longer belongs to the organization. What they wrote stays; their keys stop working."""
    with transaction.atomic(), scoping.tenant(membership.organization_id):
        membership.is_active = False
        membership.save(update_fields=["is_active", "updated_at"])
        announce_people_changed(PeopleChange.USER_MANAGED, organization_id=membership.organization_id, target_id=membership.user_id)
        announce_access_changed(user_id=membership.user_id, organization_id=membership.organization_id)


def member_by_email(organization: Organization, *, email: str) -> Membership:
    """`NotFound` where nobody with this address belongs to the organization."""
    with scoping.tenant(organization):
        found = (
            Membership.objects.for_tenant(organization)
            .select_related("user", "organization")
            .filter(user__email=email.strip().lower(), is_active=True)
            .first()
        )
    if found is None:
        raise NotFound(f"Nobody with the address {email} belongs to {organization.slug}. Add them first.")
    return found


# API keys --------------------------------------------------------------------------------------------------------------


def create_api_key(membership: Membership, *, name: str, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """A key with this member's rights, and the key itself, which is not kept: show it now. `ValidationError` without a name."""
    key = authentication.new_key()
    api_key = ApiKey(
        organization_id=membership.organization_id,
        membership=membership,
        name=name,
        prefix=key[: authentication.SHOWN],
        key_hash=authentication.hash_of(key),
        expires_at=expires_at,
    )
    with transaction.atomic(), scoping.tenant(membership.organization_id):
        api_key.full_clean()
        api_key.save(force_insert=True)
    return api_key, key


def revoke_api_key(api_key: ApiKey) -> None:
    """The key stops working now, and what it has open is closed. Safe to repeat."""
    with transaction.atomic(), scoping.tenant(api_key.organization_id):
        revoked = ApiKey.objects.for_tenant(api_key.organization_id).filter(pk=api_key.pk, revoked_at__isnull=True)
        if revoked.update(revoked_at=timezone.now()):
            announce_access_changed(user_id=api_key.membership.user_id, organization_id=api_key.organization_id)
        api_key.refresh_from_db(fields=["revoked_at"])
