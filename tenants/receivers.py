"""What this app does about allauth's and Django's news: addresses confirmed, passwords changed, people signed out."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed, password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from tenants.models import User
from tenants.services import accounts
from tenants.signals import announce_access_changed, signed_in, signing_out


@receiver(email_confirmed)
def activate_account(email_address: EmailAddress, **kwargs: Any) -> None:
    accounts.confirm_email(email_address.user)


@receiver(password_reset)
def believe_address(user: User, **kwargs: Any) -> None:
    """Whoever used the link had the mail it came in: the only address of the account is theirs."""
    addresses = list(EmailAddress.objects.filter(user=user))
    if len(addresses) == 1 and not addresses[0].verified and addresses[0].set_verified():
        accounts.confirm_email(user)


@receiver(user_logged_in)
def announce_sign_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    signed_in.send_robust(sender=None, user=user, request=request)


@receiver(user_logged_out)
def announce_sign_out(request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """Django sends this before it removes the session. Sockets ask again at once, so it has to be gone by then."""
    if user is not None:
        signing_out.send_robust(sender=None, user=user, request=request)
    request.session.flush()
    if user is not None:
        announce_access_changed(user_id=user.pk)


@receiver([password_changed, password_reset, password_set])
def announce_new_password(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """A new password ends the sessions that were made with the old one (Django compares a hash); open sockets have to notice."""
    announce_access_changed(user_id=user.pk)
