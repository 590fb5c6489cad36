"""What can be wrong with a call, in words."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from integrations.providers.base import Code, ProviderError
from tenants.errors import NotFound, TenantsError


class NoSuchBridge(NotFound):
    """No published bridge of the organization has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no bridge {name!r} in this organization, or it is not published. Look at the list of models.")


class ModelsGone(NoSuchBridge):
    """Every model of the version was switched off or taken away: nobody else may answer in their place."""

    def __init__(self, slug: str) -> None:
        Exception.__init__(self, f"No model of the bridge {slug!r} is active any more. Publish a version with another model.")


class InUse(Exception):
    """What others rest on is not deleted."""

    http_status = 409
    code = "in_use"


# What a provider's error is to our own callers: that it does not take our key is not that we do not take theirs.
STATUS_OF = {
    Code.BUDGET: 402,
    Code.RATE_LIMITED: 429,
    Code.TIMEOUT: 504,
    Code.UNAVAILABLE: 503,
    Code.CONTENT_FILTERED: 422,
    Code.TOO_LONG: 422,
}


class NotAnswered(Exception):
    """A bridge did not answer, for a reason that the sentence says."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(error.sentence)
        self.code = error.code.value
        self.retry_after = error.retry_after
        self.http_status = STATUS_OF.get(error.code, 502)
        self.headers = error.headers if isinstance(error, BudgetExceeded) else {}
        if error.code == Code.RATE_LIMITED and error.permanent:
            self.http_status = 502  # our credit is used up: asking again does not help
        if error.code == Code.REFUSED and error.http_status is not None and 400 <= error.http_status < 500:
            self.http_status = 422


class ConnectionRefused(Exception):
    """`code` is a word for programs, the text a sentence for people."""

    http_status = 409

    def __init__(self, code: str, sentence: str, *, http_status: int = 409) -> None:
        super().__init__(sentence)
        self.code = code
        self.http_status = http_status


class NotOurs(ConnectionRefused):
    """What came back from a platform does not belong to anything that this browser began."""

    def __init__(self) -> None:
        sentence = "This is not the end of anything that was begun in this browser, or more than ten minutes ago. Connect once more."
        super().__init__("connect_unknown", sentence, http_status=400)


class ThreadRefused(Exception):
    """A turn that cannot be taken in its thread. `code` is a word for programs, the text a sentence."""

    def __init__(self, code: str, sentence: str, *, http_status: int, field: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.http_status = http_status
        self.field = field


class LimitReached(TenantsError):
    """More calls a minute than the organization, or a thread of it, may make. `headers` say how many those are."""

    code, http_status = "limit_reached", 429

    def __init__(self, sentence: str, *, retry_after: int, headers: Mapping[str, str]) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        self.headers = dict(headers)


class BudgetExceeded(ProviderError):
    """A budget does not allow a call, which was not made. `begins_anew` is when it does again, if it lasts; `headers` say how it stands."""

    def __init__(self, sentence: str, *, budget_id: str, begins_anew: datetime, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(Code.BUDGET, sentence, permanent=True, http_status=402)
        self.budget_id = budget_id
        self.begins_anew = begins_anew
        self.headers = headers
