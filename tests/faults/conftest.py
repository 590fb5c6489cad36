"""Real processes, a provider that counts, and Olive's key: made once for a module."""

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from django.core.management import call_command
from django.db import connection

from chat.services import conversations
from config import loop
from tenants import scoping
from tenants.services import accounts
from tests import services as plugin
from tests.cast import Cast, make_cast
from tests.conftest import empty
from tests.faults.provider import Provider
from tests.processes import Processes

# Shorter than in production, so that a test need not wait for ten seconds; `test_promises.py` keeps production's own.
LEASE_SECONDS, CHECKPOINT_SECONDS = 3.0, 0.4
QUICK = {
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "CHECKPOINT_SECONDS": str(CHECKPOINT_SECONDS),
    "SWEEP_SECONDS": "0.3",
    "PICKUP_AGAIN_SECONDS": "1",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that kill run one after another on one xdist worker, whose servers they stop.

    `django_db` has pytest-django make the database; what processes see is committed by threads, which have connections of their own.
    """
    for item in items:
        if "/faults/" in str(item.path):
            item.add_marker(pytest.mark.django_db)
            item.add_marker(pytest.mark.xdist_group("faults"))
            item.add_marker(pytest.mark.faults)


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
        port = self.processes[web].port
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            headers = {"Authorization": f"Bearer {self.key}", **headers}
            async with session.request(method, f"http://127.0.0.1:{port}/api/v1/{address}", headers=headers, json=body) as response:
                return response.status, await response.json(content_type=None), response.headers


@pytest.fixture(scope="module")
def cast(_mongo_migrated, django_db_blocker) -> Iterator[Cast]:
    """The cast, committed, for all tests of a module."""
    with django_db_blocker.unblock():
        empty()
        yield make_cast()
        empty()
        call_command("flush", interactive=False, verbosity=0, allow_cascade=True)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as server:
        yield server


@pytest.fixture(scope="module")
def environment(cast: Cast, provider: Provider, django_db_blocker) -> dict[str, str]:
    """What the processes of this module are told: this test process's stores and the module's provider."""
    with django_db_blocker.unblock():
        database = connection.settings_dict["NAME"]
    return {
        **os.environ,
        "DATABASE_URL": plugin.services.postgres.url(database),
        "DATABASE_POOL": "6",
        "OPENAI_BASE_URL": provider.url,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_MODEL": "m-1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "LOG_LEVEL": "WARNING",
        "DEBUG": "1",
        **QUICK,
    }


@pytest.fixture(scope="module")
def processes(environment: dict[str, str], tmp_path_factory) -> Iterator[Processes]:
    folder = tmp_path_factory.mktemp("processes")
    with Processes(folder, environment=environment) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def house(cast: Cast, provider: Provider, processes: Processes, django_db_blocker) -> Iterator[House]:
    with django_db_blocker.unblock():
        _, key = accounts.create_api_key(cast.olive.membership, name="faults")
        yield House(cast=cast, key=key, provider=provider, processes=processes)
