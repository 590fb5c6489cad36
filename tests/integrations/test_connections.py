"""Connecting a platform and keeping it connected, against an OAuth server that speaks the protocol."""

import asyncio
import io
import threading
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connections as databases
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config import redis
from integrations import crypto, keys, tasks
from integrations.choices import ConnectionStatus
from integrations.models import PlatformConnection
from integrations.platforms.base import PlatformError
from integrations.services import connections
from tenants import scoping
from tenants.services import accounts, erasure
from tests.cast import make_cast
from tests.integrations import platforms
from tests.integrations.platforms import agree, agreeing, point_at


@pytest.fixture(scope="module")
def oauth_server():
    with agreeing() as server:
        yield server


@pytest.fixture
def oauth(oauth_server, settings, httpserver):
    """Google and Meta, on this machine, as they are at their best."""
    oauth_server.refuses, oauth_server.lifetime, oauth_server.with_refresh, oauth_server.error = 0, None, True, "temporarily_unavailable"
    for kept in (oauth_server.asked, oauth_server.revoked, oauth_server.tokens):
        kept.clear()
    point_at(settings, oauth=oauth_server.url, rest=httpserver.url_for("").rstrip("/"))
    # Graph's own token endpoint is the OAuth server's, under Graph's address.
    httpserver.expect_request("/graph/oauth/access_token").respond_with_handler(lambda request: _forward(oauth_server, request))
    httpserver.expect_request("/admin/accountSummaries").respond_with_json(platforms.ONE_SUMMARY)
    httpserver.expect_request("/graph/me/adaccounts").respond_with_json(platforms.AD_ACCOUNTS)
    return oauth_server


def _forward(server, request):
    environ = {**request.environ, "PATH_INFO": "/oauth2/token", "wsgi.input": io.BytesIO(request.get_data(cache=True))}
    return platforms.Response.from_app(server, environ)


@pytest.fixture
def cast(stores):
    return make_cast()


def browser_of(person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def begin(client: Client, platform: str = "google_analytics", slug: str = "acme") -> str:
    response = client.post(f"/o/{slug}/connections/{platform}/connect/")
    assert response.status_code == 302, response.content
    return response.headers["Location"]


def bring_back(client: Client, address: str):
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}")


def connect(client: Client, platform: str = "google_analytics"):
    return bring_back(client, agree(begin(client, platform)))


def rows(organization) -> list[PlatformConnection]:
    with scoping.tenant(organization):
        return list(PlatformConnection.objects.for_tenant(organization))


def one(organization) -> PlatformConnection:
    [row] = rows(organization)
    return row


# Connecting --------------------------------------------------------------------------------------------------------------


def test_a_platform_is_connected_with_pkce_and_its_tokens_are_sealed(cast, oauth):
    olive = browser_of(cast.olive)
    asked = parse_qs(urlsplit(begin(olive)).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["access_type"] == ["offline"]
    assert asked["scope"] == ["https://www.googleapis.com/auth/analytics.readonly"]
    assert asked["redirect_uri"] == ["http://testserver/connections/google_analytics/callback/"]

    response = connect(olive)

    assert (response.status_code, response.headers["Location"]) == (302, "/o/acme/connections/")
    row = one(cast.acme)
    assert (row.user_id, row.platform, row.account_id, row.account_name) == (
        cast.olive.user.pk,
        "google_analytics",
        "2001",
        "Acme: Website",
    )
    assert (row.status, row.is_connected, row.is_usable, row.is_demo) == (ConnectionStatus.ACTIVE, True, True, False)
    assert row.platform_data == {"accountId": "1000", "propertyId": "2001"}
    [given] = oauth.tokens
    assert (crypto.take(row, "access_token"), crypto.take(row, "refresh_token")) == (given["access_token"], given["refresh_token"])
    assert given["access_token"] not in row.access_token
    assert timedelta(minutes=58) < row.token_expiry - timezone.now() < timedelta(minutes=61)
    [asked] = [each.form for each in oauth.asked]
    assert (asked["client_id"], asked["client_secret"]) == ("google-id", "google-secret-of-the-operator")


def test_without_the_verifier_the_platform_gives_nothing(cast, oauth, monkeypatch):
    """The double checks PKCE: this test would pass with a platform that does not."""
    olive = browser_of(cast.olive)
    back = agree(begin(olive))
    monkeypatch.setattr(crypto, "unseal", lambda blob, place: "another-verifier" * 4)
    response = bring_back(olive, back)
    assert response.headers["Location"] == "/o/acme/connections/"
    assert rows(cast.acme) == []
    assert b"no longer accepts" in olive.get("/o/acme/connections/").content


def test_of_several_accounts_one_is_chosen(cast, oauth, httpserver):
    httpserver.clear()
    httpserver.expect_request("/admin/accountSummaries").respond_with_json(platforms.SUMMARIES)
    olive = browser_of(cast.olive)
    connect(olive)
    row = one(cast.acme)
    assert (row.needs_account, row.is_usable) == (True, False)
    page = olive.get("/o/acme/connections/").content.decode()
    assert "Acme: App (2002)" in page
    address = f"/o/acme/connections/{row.pk}/account/"
    olive.post(address, {"account": "9999"})
    assert one(cast.acme).account_id == ""
    olive.post(address, {"account": "2002"})
    row = one(cast.acme)
    assert (row.account_id, row.is_usable, row.platform_data) == ("2002", True, {"accountId": "1000", "propertyId": "2002"})
    assert crypto.take(row, "refresh_token") == oauth.tokens[0]["refresh_token"]


def test_the_same_account_again_is_the_same_connection_with_the_new_tokens(cast, oauth, httpserver):
    httpserver.clear()
    httpserver.expect_request("/admin/accountSummaries").respond_with_json(platforms.SUMMARIES)
    olive = browser_of(cast.olive)
    for _ in range(2):
        connect(olive)
        waits = next(row for row in rows(cast.acme) if row.needs_account)
        olive.post(f"/o/acme/connections/{waits.pk}/account/", {"account": "2002"})
    row = one(cast.acme)
    assert crypto.take(row, "refresh_token") == oauth.tokens[1]["refresh_token"]


def test_meta_gives_a_long_lived_token(cast, oauth):
    connect(browser_of(cast.olive), "meta_ads")
    row = one(cast.acme)
    assert (row.account_id, row.account_name) == ("555", "Acme Ads")
    assert crypto.take(row, "access_token").startswith("long-lived-")
    assert row.token_expiry > timezone.now() + timedelta(days=50)
    assert [asked.form["grant_type"] for asked in oauth.asked] == ["authorization_code", "fb_exchange_token"]


def test_who_says_no_is_told_so_in_a_sentence(cast, oauth):
    olive = browser_of(cast.olive)
    url = begin(olive)
    state = parse_qs(urlsplit(url).query)["state"][0]
    response = olive.get("/connections/google_analytics/callback/", {"error": "access_denied", "state": state})
    assert response.headers["Location"] == "/o/acme/connections/"
    assert b"You did not let Parley read your Google Analytics. Nothing was connected." in olive.get("/o/acme/connections/").content
    assert rows(cast.acme) == []


def test_where_there_is_nothing_to_read_nothing_is_connected(cast, oauth, httpserver):
    httpserver.clear()
    httpserver.expect_request("/admin/accountSummaries").respond_with_json({})
    olive = browser_of(cast.olive)
    connect(olive)
    assert b"There is nothing in Google Analytics that you may read" in olive.get("/o/acme/connections/").content
    assert rows(cast.acme) == []


def test_a_platform_without_id_and_secret_says_so(cast, settings):
    settings.GOOGLE_CLIENT_ID = ""
    olive = browser_of(cast.olive)
    assert olive.post("/o/acme/connections/google_analytics/connect/").headers["Location"] == "/o/acme/connections/"
    assert b"is not set up here. Ask your administrator" in olive.get("/o/acme/connections/").content


# What comes back -----------------------------------------------------------------------------------------------------------


def test_a_state_is_good_once(cast, oauth):
    olive = browser_of(cast.olive)
    back = agree(begin(olive))
    assert bring_back(olive, back).status_code == 302
    assert bring_back(olive, back).status_code == 400
    assert len(oauth.asked) == 1


def test_of_many_who_bring_the_same_state_one_is_taken(cast, oauth):
    olive = browser_of(cast.olive)
    back = agree(begin(olive))
    statuses = []

    def bring() -> None:
        client = Client()
        client.cookies = olive.cookies
        statuses.append(bring_back(client, back).status_code)
        databases.close_all()

    threads = [threading.Thread(target=bring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [302] + [400] * 7
    assert oauth.times("authorization_code") == 1


def test_another_session_another_person_and_another_platform_are_not_taken(cast, oauth):
    olive = browser_of(cast.olive)
    for other in (browser_of(cast.olive), browser_of(cast.liam), browser_of(cast.greta), Client()):
        back = agree(begin(olive))
        assert bring_back(other, back).status_code == 400
    back = agree(begin(olive))
    assert bring_back(olive, back.replace("google_analytics", "google_ads")).status_code == 400
    assert (rows(cast.acme), rows(cast.globex), oauth.asked) == ([], [], [])


def test_a_state_runs_out_after_ten_minutes(cast, oauth):
    begin(browser_of(cast.olive))
    [key] = redis.client().keys("connections:connecting:*")
    assert 590 < redis.client().ttl(key) <= keys.CONNECTING_SECONDS == 600


def test_who_left_the_organization_meanwhile_connects_nothing(cast, oauth):
    liam = browser_of(cast.liam)
    back = agree(begin(liam))
    accounts.remove_member(cast.liam.membership)
    assert bring_back(liam, back).status_code == 400
    assert (rows(cast.acme), oauth.asked) == ([], [])


def test_of_a_thousand_mutated_callbacks_none_is_accepted(cast, oauth):
    olive = browser_of(cast.olive)
    good = urlsplit(agree(begin(olive)))
    state, code = (parse_qs(good.query)[name][0] for name in ("state", "code"))
    letters = st.text(st.characters(codec="utf-8"), max_size=60)
    mutations = st.one_of(
        st.tuples(st.just("cut"), st.integers(0, len(state) - 1)),
        st.tuples(st.just("swap"), st.integers(0, len(state) - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789-_")),
        st.tuples(st.just("add"), letters.filter(bool)),
        st.tuples(st.just("text"), letters),
        st.tuples(st.just("twice"), letters),
        st.tuples(st.just("case")),
    )
    seen = set()

    @given(mutations, letters)
    @hypothesis_settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def nothing_is_accepted(mutation, noise):
        kind, *by = mutation
        query = [("code", noise or code)]
        if kind == "twice":
            query += [("state", state), ("state", by[0])]
        else:
            mutated = {
                "cut": lambda: state[: by[0]],
                "swap": lambda: state[: by[0]] + by[1] + state[by[0] + 1 :],
                "add": lambda: state + by[0],
                "text": lambda: by[0],
                "case": lambda: state.swapcase(),
            }[kind]()
            if mutated == state:
                return
            query += [("state", mutated)]
        seen.add(urlencode(query))
        response = olive.get(f"{good.path}?{urlencode(query)}")
        assert response.status_code == 400

    nothing_is_accepted()
    assert len(seen) > 500
    assert (rows(cast.acme), oauth.asked) == ([], [])
    assert bring_back(olive, good.geturl()).status_code == 302, "the one that was not mutated is"


# Refreshing ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def connected(cast, oauth):
    """Olive's connection to Google Analytics, whose access token has run out."""
    connect(browser_of(cast.olive))
    age(cast.acme, timedelta(minutes=-1))
    oauth.asked.clear()
    return one(cast.acme)


def age(organization, left: timedelta) -> None:
    """Has the access tokens end so much from now."""
    with scoping.tenant(organization):
        PlatformConnection.objects.for_tenant(organization).update(token_expiry=timezone.now() + left)


def test_of_fifty_who_need_a_fresh_token_one_asks_for_it(cast, connected, oauth):
    """From two event loops, as two processes would be: what decides is in PostgreSQL."""

    async def race() -> list[str]:
        return await asyncio.gather(*(connections.fresh_token(connected) for _ in range(25)))

    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(asyncio.run(race()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 50
    assert len(set(found)) == 1
    assert oauth.times("refresh_token") == 1
    row = one(cast.acme)
    assert crypto.take(row, "access_token") == found[0]
    assert (row.status, row.refreshing_until) == (ConnectionStatus.ACTIVE, None)


def test_a_token_that_is_good_is_not_refreshed(cast, connected, oauth):
    age(cast.acme, timedelta(minutes=30))
    assert asyncio.run(connections.fresh_token(connected)) == oauth.tokens[0]["access_token"]
    assert oauth.asked == []


def test_who_died_while_refreshing_holds_nobody_up_for_long(cast, connected, oauth):
    with scoping.tenant(cast.acme):
        PlatformConnection.objects.for_tenant(cast.acme).update(refreshing_until=timezone.now() - timedelta(seconds=1))
    assert asyncio.run(connections.fresh_token(connected))
    assert oauth.times("refresh_token") == 1


def test_what_the_platform_took_back_waits_for_its_person_with_the_reason(cast, connected, oauth):
    oauth.refuses, oauth.error = 400, "invalid_grant"
    with pytest.raises(PlatformError, match="Connect it again"):
        asyncio.run(connections.fresh_token(connected))
    row = one(cast.acme)
    assert (row.status, row.is_usable, row.refreshing_until) == (ConnectionStatus.REVOKED, False, None)
    page = browser_of(cast.olive).get("/o/acme/connections/").content.decode()
    assert "Google no longer accepts this connection. Connect it again." in page
    assert "Reconnect" in page
    oauth.asked.clear()
    with pytest.raises(PlatformError):
        asyncio.run(connections.fresh_token(connected))
    tasks.refresh_connections()
    assert oauth.asked == [], "only the person can help: nobody asks again"


def test_connecting_again_mends_it(cast, connected, oauth):
    oauth.refuses, oauth.error = 400, "invalid_grant"
    tasks.refresh_connections()
    oauth.refuses = 0
    connect(browser_of(cast.olive))
    row = one(cast.acme)
    assert (row.pk, row.status, row.error_message) == (connected.pk, ConnectionStatus.ACTIVE, "")


def test_without_a_refresh_token_it_expires(cast, oauth):
    oauth.with_refresh = False
    connect(browser_of(cast.olive))
    age(cast.acme, timedelta(minutes=-1))
    tasks.refresh_connections()
    row = one(cast.acme)
    assert (row.status, row.error_message) == (
        ConnectionStatus.EXPIRED,
        "Google gave no way to renew this connection. Connect it again.",
    )


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_platform_that_is_away_is_asked_again(cast, connected, oauth, status):
    oauth.refuses = status
    tasks.refresh_connections()
    row = one(cast.acme)
    assert (row.status, row.refreshing_until) == (ConnectionStatus.ERROR, None)
    assert row.error_message.startswith("Google ")
    oauth.refuses = 0
    tasks.refresh_connections()
    row = one(cast.acme)
    assert (row.status, row.error_message) == (ConnectionStatus.ACTIVE, "")
    assert row.token_expiry > timezone.now()


def test_the_clock_renews_what_ends_soon_and_nothing_else(cast, oauth):
    connect(browser_of(cast.olive))
    connect(browser_of(cast.olive), "meta_ads")
    oauth.asked.clear()
    tasks.refresh_connections()
    assert oauth.asked == []
    age(cast.acme, timedelta(minutes=5))
    tasks.refresh_connections()
    assert sorted(asked.form["grant_type"] for asked in oauth.asked) == ["fb_exchange_token", "refresh_token"]


# Disconnecting -------------------------------------------------------------------------------------------------------------


def disconnect(client: Client, row: PlatformConnection):
    return client.post(f"/o/acme/connections/{row.pk}/disconnect/")


def test_disconnected_it_is_good_for_nothing_at_once_and_the_platform_hears_of_it(cast, connected, oauth):
    token = crypto.take(connected, "refresh_token")
    assert disconnect(browser_of(cast.olive), connected).status_code == 302
    row = one(cast.acme)
    assert (row.is_connected, row.access_token, row.refresh_token, row.account_name) == (False, "", "", "")
    with pytest.raises(PlatformError):
        asyncio.run(connections.fresh_token(connected))
    tasks.revoke_connections()
    assert oauth.revoked == [token]
    assert rows(cast.acme) == []
    tasks.revoke_connections()
    assert oauth.revoked == [token]


def test_a_platform_that_is_away_is_told_later(cast, connected, oauth):
    disconnect(browser_of(cast.olive), connected)
    oauth.refuses = 503
    now = timezone.now()
    connections.revoke_waiting(now=now)
    connections.revoke_waiting(now=now + timedelta(seconds=5))
    assert len(oauth.asked) == 1, "not at once"
    connections.revoke_waiting(now=now + timedelta(minutes=2))
    assert (len(oauth.asked), oauth.revoked) == (2, [])
    assert b"Parley tries until it is" in browser_of(cast.olive).get("/o/acme/connections/").content
    oauth.refuses = 0
    connections.revoke_waiting(now=now + timedelta(hours=7))
    assert len(oauth.revoked) == 1
    assert rows(cast.acme) == []


def test_connected_again_before_the_platform_heard_it_hears_nothing(cast, connected, oauth):
    disconnect(browser_of(cast.olive), connected)
    connect(browser_of(cast.olive))
    tasks.revoke_connections()
    assert oauth.revoked == []
    assert one(cast.acme).is_usable


def test_a_refresh_under_way_brings_nothing_back(cast, connected, oauth):
    row = connections._look(cast.acme.pk, connected.pk, connections.GOOD_FOR).claimed
    assert row is not None
    with scoping.tenant(cast.acme):
        connections.disconnect(connected, now=timezone.now())
    asyncio.run(connections._refresh(row))
    after = one(cast.acme)
    assert (after.is_connected, after.access_token) == (False, "")


@pytest.mark.parametrize("away", [False, True])
def test_who_is_erased_loses_their_connections_here_and_there(cast, oauth, away):
    liam = browser_of(cast.liam)
    connect(liam)
    connect(browser_of(cast.olive))
    token = oauth.tokens[0]["refresh_token"]
    oauth.refuses = 503 if away else 0
    erasure.erase(cast.liam.user)
    tasks.revoke_connections()
    oauth.refuses = 0
    connections.revoke_waiting(now=timezone.now() + timedelta(hours=7))
    assert oauth.revoked == [token]
    assert [row.user_id for row in rows(cast.acme)] == [cast.olive.user.pk]


def test_who_leaves_the_organization_loses_their_connections(cast, oauth):
    connect(browser_of(cast.liam))
    accounts.remove_member(cast.liam.membership)
    tasks.revoke_connections()
    assert (rows(cast.acme), len(oauth.revoked)) == ([], 1)


def test_meta_is_told_with_the_access_token(cast, oauth, httpserver):
    httpserver.expect_request("/graph/me/permissions", method="DELETE").respond_with_json({"success": True})
    connect(browser_of(cast.olive), "meta_ads")
    token = crypto.take(one(cast.acme), "access_token")
    disconnect(browser_of(cast.olive), one(cast.acme))
    tasks.revoke_connections()
    assert rows(cast.acme) == []
    [(request, _)] = [pair for pair in httpserver.log if pair[0].method == "DELETE"]
    assert request.headers["Authorization"] == f"Bearer {token}"


# Whose it is ---------------------------------------------------------------------------------------------------------------


def test_everybody_has_their_own(cast, oauth):
    connect(browser_of(cast.olive))
    row = one(cast.acme)
    for person, slug in ((cast.liam, "acme"), (cast.mona, "acme"), (cast.greta, "globex")):
        client = browser_of(person)
        assert b"Acme: Website" not in client.get(f"/o/{slug}/connections/").content
        for action in ("account", "disconnect"):
            assert client.post(f"/o/{slug}/connections/{row.pk}/{action}/").status_code == 404
    for person in (cast.ada, cast.vera):
        assert browser_of(person).get("/o/acme/connections/").status_code == 403
    assert one(cast.acme).is_usable


def test_sample_data_is_connected_and_marked_as_such(cast):
    olive = browser_of(cast.olive)
    olive.post("/o/acme/connections/google_ads/demo/")
    olive.post("/o/acme/connections/google_ads/demo/")
    row = one(cast.acme)
    assert (row.is_demo, row.account_name, row.is_usable, row.access_token) == (True, "Sample data", True, "")
    assert b"Sample data" in olive.get("/o/acme/connections/").content
    tasks.refresh_connections()
    disconnect(olive, row)
    tasks.revoke_connections()
    assert rows(cast.acme) == []
