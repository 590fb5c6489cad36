"""What tests of real processes share: the cast, Olive's key, the provider, the processes; and ways to ask them."""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

import aiohttp

from chat.services import conversations
from config import loop
from tenants import scoping
from tests.cast import Cast
from tests.faults.provider import Provider
from tests.processes import Processes


@dataclass
class House:
    """What a test of real processes needs."""

    cast: Cast
    key: str
    provider: Provider
    processes: Processes

    async def conversation(self) -> str:
        """A new consultation of Olive's about Erik; its id."""

        def start() -> str:
            with scoping.tenant(self.cast.acme):
                employee = self.cast.employees["Erik Ek"]
                return conversations.start(
                    self.cast.olive.membership, type="employee_specific", subject_employee_ids=[employee.pk], client_id=str(uuid.uuid4())
                ).id

        return await loop.in_thread(start)

    async def fetch(self, conversation_id: str, *, web: str) -> list[dict[str, Any]]:
        """The conversation's messages, as the API gives them."""
        status, body, _ = await self.get(f"conversations/{conversation_id}/messages?limit=100", web=web)
        assert status == 200, body
        return body["results"]

    async def get(self, address: str, *, web: str, **headers: str) -> tuple[int, Any, Any]:
        return await self.ask("GET", address, web=web, **headers)

    async def post(self, address: str, body: Any = None, *, web: str) -> tuple[int, Any, Any]:
        return await self.ask("POST", address, {} if body is None else body, web=web)

    async def ask(self, method: str, address: str, body: Any = None, *, web: str, **headers: str) -> tuple[int, Any, Any]:
        """A body that is bytes is a file, to be uploaded under a name of its own."""
        port = self.processes[web].port
        given: dict[str, Any] = {"json": body}
        if isinstance(body, bytes):
            given = {"data": form(body)}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            headers = {"Authorization": f"Bearer {self.key}", **headers}
            async with session.request(method, f"http://127.0.0.1:{port}/api/v1/{address}", headers=headers, **given) as response:
                return response.status, await response.json(content_type=None), response.headers


def form(file: bytes) -> aiohttp.FormData:
    """A form with this text file. The same file has the same `client_id`."""
    data = aiohttp.FormData()
    data.add_field("file", file, filename="notes.txt", content_type="text/plain")
    data.add_field("client_id", hashlib.sha256(file).hexdigest())
    return data
