"""What can go wrong between organizations and people. Every message is a sentence that says what to do."""

from django.core.exceptions import ValidationError


class TenantsError(Exception):
    """Anything that this app refuses. `str(error)` may be shown to a person."""


class NotFound(TenantsError):
    """Missing, or not for this person: both look the same (404)."""

    def __init__(self, sentence: str = "There is nothing here for you.") -> None:
        super().__init__(sentence)


class Forbidden(TenantsError):
    """The thing may be known, the act is not allowed (403)."""

    def __init__(self, sentence: str = "Your role does not allow this.", *, permission: str | None = None) -> None:
        super().__init__(sentence)
        self.permission = permission


class UnscopedQuery(TenantsError):
    """A query on a tenant's rows or documents did not say whose."""


class BadTenant(TenantsError, ValueError):
    """A tenant key is not a UUID."""


class OnlyOwner(TenantsError):
    """An organization would be left without an owner."""

    def __init__(self, organizations: list[str]) -> None:
        super().__init__(f"{', '.join(organizations)} would be left without an owner. Make somebody else an owner there first.")


class DatabaseRoleMissing(TenantsError):
    """The application's database role does not exist."""


class NoSeatLeft(ValidationError):
    """The subscription is full, or there is none. Forms and imports show it like any other bad value."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, code="no_seat_left")
