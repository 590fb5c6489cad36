"""News of unread messages: which conversations changed for whom, told to every web process where people of the organization are.

Gathered for a moment and published together, off everybody's way. News says only where to look; who may hear of it, and how many
messages are unread, is looked up by the process that tells them. News may be lost: a page counts again when it is loaded.
"""

import asyncio
import weakref

import orjson

from chat.realtime import keys
from config import redis

GATHER_SECONDS = 0.2

_desks: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Desk]" = weakref.WeakKeyDictionary()

Item = tuple[str, str | None]  # a conversation, and the only person for whom it changed


class Desk:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._items: dict[str, set[Item]] = {}
        self._task: asyncio.Task | None = None

    def tell(self, organization_id: str, item: Item) -> None:
        self._items.setdefault(organization_id, set()).add(item)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        while self._items:
            await asyncio.sleep(GATHER_SECONDS)
            found, self._items = self._items, {}
            pipeline = redis.async_client().pipeline(transaction=False)
            for organization_id, items in found.items():
                pipeline.publish(keys.news_channel(organization_id), orjson.dumps(list(items)))
            try:
                await pipeline.execute()
            except redis.AWAY:
                pass  # whoever is told nothing counts again with the next page


def tell(organization_id: str, conversation_id: str, *, user_id: str | None = None) -> None:
    """The number of unread messages changed in this conversation, for everybody or for one person. Waits for nothing."""
    running = asyncio.get_running_loop()
    found = _desks.get(running)
    if found is None:
        found = _desks[running] = Desk()
    found.tell(organization_id, (conversation_id, user_id))
