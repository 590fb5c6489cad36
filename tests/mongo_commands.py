"""Every command that this test process sends to MongoDB is looked at: on tenants' collections it must name one organization, and what the
app asks must use an index.

Registered with PyMongo before Django makes its client, so this file knows nothing of ours; `tests.tenancy` and `tests.plans` say what to
look for.
"""

from collections.abc import Callable
from typing import Any

from pymongo import monitoring


class Watcher(monitoring.CommandListener):
    """Hands each command to `check`, which returns a sentence where something is wrong. PyMongo swallows what a listener raises, so
    sentences are kept until a test asks for them (`take`)."""

    def __init__(self) -> None:
        self.check: Callable[[str, str, dict[str, Any]], str | None] | None = None
        self.note: Callable[[str, str, dict[str, Any]], None] | None = None
        self._found: list[str] = []
        self.looked_at = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.check is None:
            return
        try:
            if self.note is not None:
                self.note(event.database_name, event.command_name, event.command)
            sentence = self.check(event.database_name, event.command_name, event.command)
        except Exception as error:  # a check that cannot look is a failure too
            sentence = f"The check of {event.command_name} broke: {error!r}"
        self.looked_at += 1
        if sentence:
            self._found.append(sentence)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass

    def take(self) -> list[str]:
        """What was wrong since the last call."""
        found, self._found = self._found, []
        return found


watcher = Watcher()
monitoring.register(watcher)
