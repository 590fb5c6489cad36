"""The cast, and ways to call the API as one of them."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from django.core.management import call_command
from django.test import Client

from config import json
from config.asgi import application
from tenants.services import accounts
from tests.cast import Cast, Person, make_cast
from tests.conftest import empty


@dataclass(frozen=True)
class Caller:
    """Somebody who calls the API: `olive.get("me")`, `olive.post("conversations", {...})`. Addresses are below /api/v1/."""

    client: Client
    headers: dict[str, str]

    def get(self, address: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return self.client.get(url(address), query or {}, headers={**self.headers, **headers})

    def post(self, address: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", address, json.dumps({} if body is None else body), **headers)

    def patch(self, address: str, body: Any, **headers: str) -> Any:
        return self.send("PATCH", address, json.dumps(body), **headers)

    def delete(self, address: str, **headers: str) -> Any:
        return self.client.delete(url(address), headers={**self.headers, **headers})

    def send(self, method: str, address: str, body: bytes = b"", *, content_type: str = "application/json", **headers: str) -> Any:
        return self.client.generic(method, url(address), body, content_type=content_type, headers={**self.headers, **headers})


def url(address: str) -> str:
    """The whole address; what `next` and `previous` give is one already."""
    return address if address.startswith(("/", "http://")) else f"/api/v1/{address}"


def with_key(person: Person) -> Caller:
    """A program with this person's rights."""
    _, key = accounts.create_api_key(person.membership, name="tests")
    return Caller(Client(), {"Authorization": f"Bearer {key}"})


def signed_in(user: Any, **headers: str) -> Caller:
    """A browser of this user's, with the CSRF token that a page of ours would send."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    token = "a" * 32
    client.cookies["csrftoken"] = token
    return Caller(client, {"X-CSRFToken": token, **headers})


@pytest.fixture(scope="module")
def cast(_mongo_migrated, django_db_blocker) -> Iterator[Cast]:
    """The cast, once for all tests of a module: emptying forty tables takes longer than a request.

    Such a module says `pytestmark = pytest.mark.django_db`: what a test changes in PostgreSQL is rolled back after it. What it
    leaves in MongoDB stays for the module's other tests.
    """
    with django_db_blocker.unblock():
        empty()
        yield make_cast()
        empty()
        call_command("flush", interactive=False, verbosity=0, allow_cascade=True)


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A web server of ours in a thread of its own; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    served = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=served.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    served.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def olive(cast: Cast) -> Caller:
    return with_key(cast.olive)


@pytest.fixture(scope="module")
def greta(cast: Cast) -> Caller:
    return with_key(cast.greta)


@pytest.fixture
def nobody() -> Caller:
    return Caller(Client(), {})


def errors_of(response: Any, status: int) -> list[dict[str, Any]]:
    """The errors of a refusal; asserts its status and its one shape."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"type", "errors"}
    assert body["type"] in {"validation_error", "client_error", "server_error"}
    for error in body["errors"]:
        assert set(error) == {"code", "detail", "attr"}
        assert error["detail"].endswith((".", "!", "?")), error
    return body["errors"]


def refused_field(response: Any, status: int = 400) -> str | None:
    """The field that a refusal names first."""
    return errors_of(response, status)[0]["attr"]
