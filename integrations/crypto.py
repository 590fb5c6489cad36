"""Secrets at rest: AES-256-GCM, sealed for the very place they are kept in (D8).

    key = crypto.seal(plain, place)          # "v1.<key id>.<base64>", what a row keeps
    plain = crypto.unseal(key, place)

A place is what a secret must not be moved away from: table, column, organization and the row's own keys. It is authenticated with the
text, so a blob that was copied to another row, column or organization does not open. Keys stand in `FIELD_ENCRYPTION_KEYS`, the newest
first: that one seals, all of them open, until `rotate_encryption_keys` has sealed everything with it anew.
"""

import base64
import binascii
import functools
import os
from collections.abc import Iterator
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.apps import apps
from django.conf import settings
from django.db import models

from config import keys

VERSION = "v1"
NONCE_BYTES = 12
DEVELOPMENT = "development"  # the id of the key that is made of SECRET_KEY where none is set


class Unreadable(Exception):
    """What is stored does not open here: it was changed or moved, or its key is no longer in FIELD_ENCRYPTION_KEYS."""


class SecretField(models.TextField):
    """A sealed text. What the attribute holds is the blob; only `put` and `take` know what is in it.

    `bound_to` names fields that never change and tell this row from all others: with table and column they are the secret's place.
    """

    def __init__(self, *args: Any, bound_to: tuple[str, ...] = ("organization_id", "id"), **kwargs: Any) -> None:
        self.bound_to = bound_to
        kwargs.setdefault("blank", True)
        kwargs.setdefault("editable", False)  # in no form, no admin page and no export
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs

    def place(self, row: models.Model) -> str:
        """What the row's secret is sealed for."""
        return "/".join([row._meta.db_table, self.attname, *(str(getattr(row, name)) for name in self.bound_to)])


def put(row: models.Model, name: str, plain: str) -> None:
    """Seals a secret into the row's field, unsaved. An empty text takes it away."""
    setattr(row, name, seal(plain, _field(row, name).place(row)) if plain else "")


def take(row: models.Model, name: str) -> str:
    """The row's secret, "" where it has none. Raises Unreadable."""
    place, blob = _field(row, name).place(row), getattr(row, name)
    return unseal(blob, place) if blob else ""


def seal(plain: str, place: str) -> str:
    """Seals with the newest key. The same text gives another blob each time."""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plain.encode(), place.encode())
    return f"{VERSION}.{key_id}.{base64.b64encode(nonce + sealed).decode()}"


def unseal(blob: str, place: str) -> str:
    """Raises Unreadable."""
    version, _, rest = blob.partition(".")
    key_id, _, text = rest.partition(".")
    key = _keys().get(key_id)
    if version != VERSION or key is None:
        raise Unreadable("It was sealed with a key that FIELD_ENCRYPTION_KEYS does not name.")
    try:
        sealed = base64.b64decode(text, validate=True)
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()).decode()
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise Unreadable("It was changed, or belongs somewhere else.") from error


def key_of(blob: str) -> str:
    """The id of the key that a blob was sealed with; "" where it is no blob of ours."""
    return blob.split(".", 2)[1] if blob.startswith(f"{VERSION}.") else ""


def newest() -> str:
    """The id of the key that seals now."""
    return next(iter(_keys()))


def fields() -> Iterator[tuple[type[models.Model], SecretField]]:
    """Every field of every table that keeps a secret."""
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, SecretField):
                yield model, field


def _keys() -> dict[str, bytes]:
    return _read(tuple(settings.FIELD_ENCRYPTION_KEYS), settings.SECRET_KEY)


@functools.cache
def _read(written: tuple[str, ...], secret_key: str) -> dict[str, bytes]:
    if written:
        return keys.read(list(written))
    derived = HKDF(algorithm=hashes.SHA256(), length=keys.KEY_BYTES, salt=None, info=b"parley field encryption").derive(secret_key.encode())
    return {DEVELOPMENT: derived}


def _field(row: models.Model, name: str) -> SecretField:
    field = row._meta.get_field(name)
    if not isinstance(field, SecretField):
        raise TypeError(f"{row._meta.label}.{name} keeps no secret.")
    return field
