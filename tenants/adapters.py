"""How sign-in behaves where allauth leaves a choice."""

import base64
from collections.abc import Iterable

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest

from tenants.signals import announce_access_changed


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by staff or by an import; nobody signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class UserSessionsAdapter(DefaultUserSessionsAdapter):
    def end_sessions(self, sessions: Iterable[UserSession]) -> None:
        """Signs these browsers out; open sockets have to notice."""
        ended = list(sessions)
        super().end_sessions(ended)
        for user_id in {session.user_id for session in ended}:
            announce_access_changed(user_id=user_id)


class MFAAdapter(DefaultMFAAdapter):
    """Second factors are kept encrypted, so that a copy of the database is not enough to pass as somebody.

    The key comes from SECRET_KEY. To change that, move the old one to SECRET_KEY_FALLBACKS.
    """

    def get_totp_issuer(self) -> str:
        return "Parley"

    def encrypt(self, text: str) -> str:
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _box().decrypt(encrypted_text.encode()).decode()


def _box() -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _derived(secret: str | bytes) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"parley second factors")
    return base64.urlsafe_b64encode(kdf.derive(secret if isinstance(secret, bytes) else secret.encode()))
