"""A reader of events that follows the contract to the letter: what every client must end up with."""

from typing import Any


class Hole(AssertionError):
    """A delta begins behind the end of the text that is known."""


class Transcript:
    """A snapshot, and what events make of it."""

    def __init__(self, snapshot: dict[str, Any] | None = None) -> None:
        self._messages: dict[str, dict[str, Any]] = {}
        self.n = 0
        self.reset(snapshot or {"messages": []})

    def reset(self, snapshot: dict[str, Any]) -> None:
        self._messages = {message["id"]: dict(message) for message in snapshot["messages"]}

    def apply(self, event: dict[str, Any]) -> None:
        if event["event"] == "message":
            message = dict(event["message"])
            self._messages[message["id"]] = message
        elif event["event"] == "delta":
            message = self._messages.get(event["message"])
            if message is None or message["attempt"] != event["attempt"] or message["status"] not in ("pending", "streaming"):
                return
            known = len(message["text"]) - event["offset"]
            if known < 0:
                raise Hole(f"The text has {len(message['text'])} code points, the delta begins at {event['offset']}.")
            message["text"] += event["text"][known:]

    def messages(self) -> list[dict[str, Any]]:
        return sorted(self._messages.values(), key=lambda message: message["seq"])
