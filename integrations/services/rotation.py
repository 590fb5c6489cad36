"""Sealing everything anew with the newest key of FIELD_ENCRYPTION_KEYS, while everybody works on.

Each row is its own step: a blob that is not sealed with the newest key is opened, sealed, and written where it still is what was read. A
run that was killed is gone on with by the next; one that finds nothing to do changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from integrations import crypto
from integrations.crypto import SecretField, Unreadable
from tenants import scoping
from tenants.models import Organization

AT_ONCE = 500


@dataclass(slots=True)
class Done:
    """How many secrets were sealed anew, and where those are that do not open: `table/column/id`."""

    sealed: int = 0
    unreadable: list[str] = field(default_factory=list)


def waiting() -> int:
    """How many secrets are not sealed with the newest key. Causes a query for each column and organization."""
    return sum(_old(rows, secret).count() for rows, secret in _tables())


def rotate(*, step: Callable[[], object] = lambda: None) -> Done:
    """Seals what waits. `step` is called for each secret that was looked at."""
    done = Done()
    for rows, secret in _tables():
        _rotate(rows, secret, done=done, step=step)
    return done


def _rotate(rows: models.QuerySet[Any], secret: SecretField, *, done: Done, step: Callable[[], object]) -> None:
    last = None
    while batch := list((_old(rows, secret) if last is None else _old(rows, secret).filter(pk__gt=last)).order_by("pk")[:AT_ONCE]):
        for row in batch:
            last = row.pk
            step()
            blob = getattr(row, secret.attname)
            try:
                anew = crypto.seal(crypto.unseal(blob, secret.place(row)), secret.place(row))
            except Unreadable:
                done.unreadable.append(f"{row._meta.db_table}/{secret.column}/{row.pk}")
                continue
            # Whoever wrote a new secret meanwhile sealed it with the newest key.
            done.sealed += rows.filter(pk=row.pk, **{secret.attname: blob}).update(**{secret.attname: anew})


def _old(rows: models.QuerySet[Any], secret: SecretField) -> models.QuerySet[Any]:
    return rows.exclude(**{secret.attname: ""}).exclude(**{f"{secret.attname}__startswith": f"{crypto.VERSION}.{crypto.newest()}."})


def _tables() -> Iterator[tuple[models.QuerySet[Any], SecretField]]:
    """Every column with secrets, organization by organization, acting for it."""
    for model, secret in crypto.fields():
        if not issubclass(model, scoping.TenantModel):
            yield model._default_manager.all(), secret
            continue
        for organization_id in Organization.objects.order_by("pk").values_list("pk", flat=True):
            with scoping.tenant(organization_id):
                yield model.objects.for_tenant(organization_id), secret
