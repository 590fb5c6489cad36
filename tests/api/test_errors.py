"""One error shape for everything that can go wrong below /api/, and never a 500 for a store that is away."""

import time

import psycopg
import pymongo.errors
import pytest
import redis.exceptions
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import OperationalError
from django.http import Http404, HttpRequest
from django.test import Client
from mongoengine.errors import OperationError
from rest_framework.request import Request

from chat.services import errors as chat_errors
from config import api
from tenants.errors import BadTenant, Forbidden, NotFound
from tests.api.conftest import errors_of
from tests.api.test_conversations import MISSING, start

pytestmark = pytest.mark.django_db


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


KNOWN = [
    (NotFound(), 404, "not_found"),
    (BadTenant("No UUID."), 404, "not_found"),
    (Http404(), 404, "not_found"),
    (Forbidden(), 403, "permission_denied"),
    (PermissionDenied(), 403, "permission_denied"),
    (SuspiciousOperation("x"), 400, "parse_error"),
    (DjangoValidationError({"name": "Choose another name."}), 400, "invalid"),
    (chat_errors.LimitReached(limit=5, window="minute", retry_after=7), 429, "limit_reached"),
    (chat_errors.ClientIdReused(), 422, "client_id_reused"),
    (chat_errors.ConversationClosed(), 409, "conversation_closed"),
    (chat_errors.TextMissing(), 400, "text_missing"),
    (chat_errors.StoreAway(), 503, "store_away"),
    (pymongo.errors.ServerSelectionTimeoutError("x"), 503, "store_away"),
    (pymongo.errors.AutoReconnect("x"), 503, "store_away"),
    (pymongo.errors.WaitQueueTimeoutError("x"), 503, "store_away"),
    (pymongo.errors.ExecutionTimeout("x"), 503, "store_away"),
    (pymongo.errors.WTimeoutError("x"), 503, "store_away"),
    (caused(OperationError("Could not save document"), pymongo.errors.NetworkTimeout("x")), 503, "store_away"),
    (OperationalError("x"), 503, "store_away"),
    (psycopg.OperationalError("x"), 503, "store_away"),
    (redis.exceptions.ConnectionError("x"), 503, "store_away"),
    (redis.exceptions.TimeoutError("x"), 503, "store_away"),
    (redis.exceptions.BusyLoadingError("x"), 503, "store_away"),
    (ConnectionResetError(), 503, "store_away"),
    (KeyError("a bug"), 500, "error"),
    (pymongo.errors.DuplicateKeyError("a bug"), 500, "error"),
    (OperationError("a bug"), 500, "error"),
]


@pytest.mark.parametrize(("error", "status", "code"), KNOWN, ids=lambda value: type(value).__name__)
def test_every_error_has_its_status_code_and_the_one_shape(error, status, code):
    response = api.exception_handler(error, {"view": None, "args": (), "kwargs": {}, "request": Request(HttpRequest())})
    assert response.status_code == status
    [item] = response.data["errors"]
    assert (item["code"], set(item)) == (code, {"code", "detail", "attr"})
    assert response.data["type"] == kind_of(error, status)
    if status in {429, 503}:
        assert int(response.headers["Retry-After"]) >= 1
    else:
        assert "Retry-After" not in response.headers
    if status == 500:
        assert "bug" not in item["detail"]


def kind_of(error: Exception, status: int) -> str:
    if status >= 500:
        return "server_error"
    return "validation_error" if isinstance(error, (DjangoValidationError, chat_errors.TextMissing)) else "client_error"


def test_waits_are_rounded_up_to_whole_seconds():
    for wait, said in [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.2, "2"), (59.5, "60")]:
        refusal = api.Refusal(429, code="x", sentence="Wait.", wait=wait)
        response = api.exception_handler(refusal, {"view": None, "args": (), "kwargs": {}, "request": Request(HttpRequest())})
        assert response.headers["Retry-After"] == said


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_an_unknown_address_is_a_404_in_the_one_shape(olive, nobody, method):
    for caller in (olive, nobody):
        for address in ("", "surprise", "conversation", f"conversations/{MISSING}/surprise", "../", "conversations/../../x", "%ff", "me/x"):
            errors_of(caller.send(method, address, b"{}"), 404)


def test_a_closing_slash_makes_no_difference(cast, olive):
    assert olive.get("me/").json() == olive.get("me").json()
    started = start(olive, cast)
    assert olive.get(f"conversations/{started['id']}/").json() == started
    assert olive.post(f"conversations/{started['id']}/messages/", {"text": "Hi"}).status_code == 201
    errors_of(olive.get("me//"), 404)
    errors_of(olive.get("surprise/"), 404)
    errors_of(olive.delete("me/"), 405)


def test_accept_asks_for_nothing_else(olive):
    for accept in ("text/html", "application/xml", "*/*", "application/json;q=0", "x", ""):
        response = olive.get("me", Accept=accept)
        assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")


def test_a_foreign_host_is_a_400_in_the_one_shape(olive):
    errors_of(olive.get("me", Host="evil.example"), 400)


def test_a_bug_is_a_500_that_tells_nothing(cast, olive, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("tenants.selectors.me", broken)
    quiet = type(olive)(Client(raise_request_exception=False), olive.headers)
    response = quiet.get("me")
    [error] = errors_of(response, 500)
    assert b"secret" not in response.content
    assert error["code"] == "error"


def test_a_store_that_is_away_before_any_view_is_a_503_too(monkeypatch):
    def away(self, request):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("tenants.middleware.TenantMiddleware.admit", away)
    client = Client(raise_request_exception=False)
    [error] = errors_of(client.get("/api/v1/me"), 503)
    assert error["code"] == "store_away"
    page = client.get("/o/acme/chat/")
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert int(page.headers["Retry-After"]) >= 1
    assert b"server closed" not in page.content


def test_a_bug_before_any_view_is_a_500_that_tells_nothing(monkeypatch):
    def broken(self, request):
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("tenants.middleware.TenantMiddleware.admit", broken)
    client = Client(raise_request_exception=False)
    assert b"secret" not in client.get("/api/v1/me").content
    errors_of(client.get("/api/v1/me"), 500)
    page = client.get("/o/acme/chat/")
    assert page.status_code == 500
    assert b"secret" not in page.content


def test_with_mongodb_away_the_api_says_503_within_three_seconds_and_nothing_is_lost(cast, olive, services):
    started = start(olive, cast)
    talk = f"conversations/{started['id']}/messages"
    services.mongo.stop()
    try:
        for method, address, body in [
            ("GET", "conversations", b""),
            ("GET", talk, b""),
            ("POST", talk, b'{"text": "Are you there?", "client_id": "a"}'),
        ]:
            begun = time.monotonic()
            response = olive.send(method, address, body)
            assert time.monotonic() - begun < 3
            [error] = errors_of(response, 503)
            assert error["code"] == "store_away"
            assert int(response.headers["Retry-After"]) >= 1
        assert olive.get("me").status_code == 200
    finally:
        services.mongo.start()
    assert olive.post(talk, {"text": "Are you there?", "client_id": "a"}).status_code == 201
    assert [message["seq"] for message in olive.get(talk).json()["results"]] == [1, 2]


def test_with_valkey_away_the_api_goes_on(cast, olive, services):
    started = start(olive, cast)
    talk = f"conversations/{started['id']}/messages"
    services.valkey.stop()
    try:
        said = olive.post(talk, {"text": "Are you there?"})
        assert said.status_code == 201, said.content
        assert olive.get(talk).status_code == 200
        assert olive.post(f"messages/{said.json()['answer']['id']}/stop").status_code == 200
    finally:
        services.valkey.start()
