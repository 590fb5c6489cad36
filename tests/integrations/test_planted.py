"""Planted tokens and keys are found nowhere in plain text: not in any table or collection, Redis, logs, what is handed to workers, the
administration, the API, pages or tracebacks."""

import base64
import logging
import traceback
from datetime import timedelta
from urllib.parse import quote

import bson
import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from config import loop, mongo, redis
from integrations import crypto, tasks, tools
from integrations.models import PlatformConnection
from integrations.services import connections
from integrations.tools import ToolCall
from tenants import scoping
from tenants.database import roles
from tests import tables
from tests.cast import make_cast
from tests.integrations import platforms
from tests.integrations.platforms import agree, agreeing, point_at
from tests.integrations.test_connections import begin, bring_back, browser_of, one


@pytest.fixture
def planted(stores, settings, httpserver, caplog):
    """Olive connects, asks, renews, fails and disconnects; gives the cast, every secret there was, and the texts that came of it."""
    settings.MFA_REQUIRED_OF_STAFF = False
    settings.FIELD_ENCRYPTION_KEYS = [f"k:{base64.b64encode(bytes(range(32))).decode()}"]
    cast = make_cast()
    olive, texts = browser_of(cast.olive), []
    caplog.set_level(logging.DEBUG)
    for noisy in ("werkzeug", "oidc_provider_mock", "authlib"):  # the platforms' own logs are the platforms'
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    with agreeing() as oauth:
        point_at(settings, oauth=oauth.url, rest=httpserver.url_for("").rstrip("/"))
        httpserver.expect_request("/admin/accountSummaries").respond_with_json(platforms.SUMMARIES)
        httpserver.expect_request("/data/properties/2002:runReport").respond_with_json({"error": {"message": "no"}}, status=403)
        url = begin(olive)
        back = agree(url)
        texts.append(redis_dump())
        bring_back(olive, back)
        row = one(cast.acme)
        texts += [redis_dump(), database_dump()]
        olive.post(f"/o/acme/connections/{row.pk}/account/", {"account": "2002"})
        with scoping.tenant(cast.acme):
            PlatformConnection.objects.for_tenant(cast.acme).update(token_expiry=timezone.now() + timedelta(minutes=1))
        call = ToolCall(cast.olive.membership, {"metrics": ["sessions"]}, now=timezone.now())
        texts.append(repr(loop.run(tools.run(tools.OFFERED["run_analytics_report"], call))).encode())
        oauth.refuses = 500
        with scoping.tenant(cast.acme):
            PlatformConnection.objects.for_tenant(cast.acme).update(token_expiry=timezone.now())
        tasks.refresh_connections()
        row = one(cast.acme)
        secrets = {token[name] for token in oauth.tokens for name in ("access_token", "refresh_token") if name in token}
        secrets |= {asked.form[name] for asked in oauth.asked for name in ("code", "code_verifier") if name in asked.form}
        secrets |= {settings.GOOGLE_CLIENT_SECRET, settings.META_APP_SECRET, settings.GOOGLE_ADS_DEVELOPER_TOKEN}
        secrets |= {settings.FIELD_ENCRYPTION_KEYS[0].partition(":")[2]}
        assert crypto.take(row, "access_token") in secrets
        texts += [*shown(cast, row), told(row)]
        with scoping.tenant(cast.acme):
            connections.disconnect(row, now=timezone.now())
        tasks.tell_platforms()
        texts.append(redis_dump())
        connections.revoke_waiting(now=timezone.now())
        texts += [database_dump(), redis_dump(), *shown(cast, row)]
        yield secrets, texts, caplog.text.encode(), row


def database_dump() -> bytes:
    """Every row of every table, histories and sessions included, and every document."""
    with transaction.atomic(), roles.as_owner(), connection.cursor() as cursor:
        found = [b"".join(tables.read(cursor).values())]
    for name in mongo.database().list_collection_names():
        for document in mongo.database()[name].find({}, comment="across-tenants: a test empties the store"):
            found.append(bson.encode(document) if isinstance(document, dict) else repr(document).encode())
    return b"\n".join(found)


def redis_dump() -> bytes:
    """Every key with what Redis writes of it into its files, and as it is read; the broker's messages among them."""
    client, found = redis.client(), []
    for key in client.scan_iter(count=1_000):
        kind = client.type(key)
        read = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}.get(kind)
        value = read(key) if read else client.lrange(key, 0, -1) if kind == b"list" else client.dump(key)
        found.append(key + b" " + repr(value).encode())
    return b"\n".join(found)


def shown(cast, row) -> list[bytes]:
    """What is seen of it: the page, the API, the administration's list and its page of this one, the history included."""
    olive, sam = browser_of(cast.olive), Client()
    sam.force_login(cast.sam)
    addresses = ("/o/acme/connections/", "/api/v1/connections", f"/api/v1/connections/{row.pk}")
    staff = ("", f"{row.pk}/change/", f"{row.pk}/history/")
    pages = [olive.get(address).content for address in addresses]
    return pages + [sam.get(f"/admin/integrations/platformconnection/{path}", follow=True).content for path in staff]


def told(row) -> bytes:
    """What a traceback says of a place where the tokens are at hand, and what the row says of itself."""
    try:
        token = crypto.take(row, "access_token")
        raise RuntimeError(f"with {row!r} and {len(token)} characters")
    except RuntimeError as error:
        said = "".join(traceback.format_exception(error))
        return (said + repr(row) + str(row) + repr(row.__dict__)).encode()


def spellings(secret: str) -> set[bytes]:
    plain = secret.encode()
    return {plain, base64.b64encode(plain), quote(secret, safe="").encode(), plain.hex().encode(), repr(secret).encode()[1:-1]}


def test_no_secret_is_found_anywhere(planted):
    secrets, texts, logs, row = planted
    assert len(secrets) > 8
    assert any(str(row.pk).encode() in text for text in texts), "the scan sees the row"
    assert b"connections/google_analytics/callback" in logs, "the scan sees the logs"
    for secret in secrets:
        for spelled in spellings(secret):
            assert not [text[:80] for text in texts if spelled in text], f"a secret of {len(secret)} characters is found"
            assert spelled not in logs, logs[max(0, logs.find(spelled) - 300) : logs.find(spelled)]


def test_the_scan_would_see_one(planted):
    _, _, _, row = planted
    redis.client().set("connections:planted", "a-planted-secret")
    assert b"a-planted-secret" in redis_dump()
    with scoping.across_tenants("a test plants a secret"):
        PlatformConnection.across_tenants.create(
            organization_id=row.organization_id, user_id=row.user_id, platform="meta_ads", account_name="a-planted-secret"
        )
    assert b"a-planted-secret" in database_dump()
