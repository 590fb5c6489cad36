"""What this app does about allauth's and Django's news: addresses confirmed, passwords changed, people signed out."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed, password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from tenants.models import User
from tenants.services import accounts
from tenants.signals import announce_access_changed


@receiver(email_confirmed)
def activate_account(email_address: EmailAddress, **kwargs: Any) -> None:
    accounts.confirm_email(email_address.user)


@receiver(user_logged_out)
def announce_sign_out(user: User | None, **kwargs: Any) -> None:
    if user is not None:
        announce_access_changed(user_id=user.pk)


@receiver([password_changed, password_reset, password_set])
def announce_new_password(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """A new password ends the sessions that were made with the old one (Django compares a hash); open sockets have to notice."""
    announce_access_changed(user_id=user.pk)
