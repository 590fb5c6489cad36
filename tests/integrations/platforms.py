"""Platforms on this machine: an OAuth server that speaks the protocol for real (oidc-provider-mock), PKCE and revocation included, and
their REST addresses on pytest-httpserver.

    with agreeing() as google: …       google.url, google.asked, google.refuses = 503
"""

import base64
import hashlib
import io
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import oidc_provider_mock
import werkzeug.serving
from oidc_provider_mock import _app as double
from werkzeug.wrappers import Response

os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")  # the double speaks http
# Google takes the secret in the body with every grant; the double by itself only with a code.
double.RefreshTokenGrant.TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]


@dataclass
class Asked:
    """One request to the OAuth server."""

    path: str
    form: dict[str, str]


@dataclass
class OAuthServer:
    """`refuses`: a status with which tokens and revocations are refused, and `error`, what the body says. `slow`: seconds."""

    app: Any
    url: str = ""
    refuses: int = 0
    error: str = "temporarily_unavailable"
    asked: list[Asked] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)
    challenges: dict[str, str] = field(default_factory=dict)
    lifetime: int | None = None  # of access tokens, in seconds, in the place of an hour
    with_refresh: bool = True

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        form = dict(parse_qsl(body.decode()))
        if environ["REQUEST_METHOD"] == "POST" and path in ("/oauth2/token", "/revoke"):
            self.asked.append(Asked(path, form))
            if self.refuses:
                return _json({"error": self.error}, self.refuses)(environ, start_response)
        if path == "/revoke":
            self.revoked.append(form["token"])
            return _json({})(environ, start_response)
        if path == "/oauth2/token" and form.get("grant_type") == "fb_exchange_token":
            token = {"access_token": f"long-lived-{len(self.asked)}", "token_type": "bearer", "expires_in": self.lifetime or 5_184_000}
            self.tokens.append(token)
            return _json(token)(environ, start_response)
        if path == "/oauth2/token" and form.get("grant_type") == "authorization_code":
            proof = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
            if self.challenges.get(form.get("code", "")) != proof:
                return _json({"error": "invalid_grant"}, 400)(environ, start_response)
        return self._answered(environ, start_response, path)

    def _answered(self, environ: dict[str, Any], start_response: Any, path: str) -> Any:
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        if path == "/oauth2/authorize":
            # Its own list of scopes is that of OpenID; a platform's are the platform's.
            environ["QUERY_STRING"] = environ["QUERY_STRING"].replace("scope=", "asked_scope=") + "&scope=openid"
        response = Response.from_app(self.app, environ)
        if path == "/oauth2/authorize" and "Location" in response.headers:
            if "state=" not in response.headers["Location"]:  # the double forgets it where somebody says no (RFC 6749, 4.1.2.1)
                response.headers["Location"] += f"&state={query['state']}"
            code = parse_qs(urlsplit(response.headers["Location"]).query).get("code", [""])[0]
            if query.get("code_challenge_method") == "S256":
                self.challenges[code] = query["code_challenge"]
        if path == "/oauth2/token" and response.status_code == 200:
            token = json.loads(response.get_data())
            token.pop("scope", None)
            if self.lifetime is not None:
                token["expires_in"] = self.lifetime
            if not self.with_refresh:
                token.pop("refresh_token", None)
            self.tokens.append(token)
            response.set_data(json.dumps(token))
        return response(environ, start_response)

    def times(self, grant: str) -> int:
        """How often this grant was asked for."""
        return sum(asked.form.get("grant_type") == grant for asked in self.asked)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


@contextmanager
def agreeing() -> Iterator[OAuthServer]:
    """An OAuth server in a thread of its own."""
    server = OAuthServer(oidc_provider_mock.app(access_token_max_age=timedelta(hours=1)))
    listening = werkzeug.serving.make_server("127.0.0.1", 0, server, threaded=True)
    server.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join(10)
        listening.server_close()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


def agree(authorization_url: str, *, deny: bool = False) -> str:
    """What a person does in the browser; gives the address that the platform sends it back to."""
    body = b"action=deny" if deny else b"sub=somebody"
    try:
        urllib.request.build_opener(_NoRedirect).open(urllib.request.Request(authorization_url, data=body, method="POST"), timeout=10)
    except urllib.error.HTTPError as answer:
        with answer:
            assert answer.code in (302, 303), answer.read()
            return answer.headers["Location"]
    raise AssertionError("the OAuth server did not send the browser back")


def point_at(settings: Any, *, oauth: str, rest: str) -> None:
    """Has Parley take these servers for the platforms."""
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "google-id", "google-secret-of-the-operator"
    settings.GOOGLE_ADS_DEVELOPER_TOKEN = "developer-token"
    settings.META_APP_ID, settings.META_APP_SECRET = "4711", "meta-secret-of-the-operator"
    settings.PLATFORM_ADDRESSES = addresses(oauth=oauth, rest=rest)


def addresses(*, oauth: str, rest: str) -> dict[str, str]:
    return {
        "GOOGLE_AUTHORIZE_URL": f"{oauth}/oauth2/authorize",
        "GOOGLE_TOKEN_URL": f"{oauth}/oauth2/token",
        "GOOGLE_REVOKE_URL": f"{oauth}/revoke",
        "GOOGLE_ANALYTICS_ADMIN_URL": f"{rest}/admin",
        "GOOGLE_ANALYTICS_DATA_URL": f"{rest}/data",
        "GOOGLE_ADS_URL": f"{rest}/ads",
        "META_AUTHORIZE_URL": f"{oauth}/oauth2/authorize",
        "META_GRAPH_URL": f"{rest}/graph",
    }


# What the vendors' documentation shows.
SUMMARIES: dict[str, Any] = {
    "accountSummaries": [
        {
            "name": "accountSummaries/1000",
            "account": "accounts/1000",
            "displayName": "Acme",
            "propertySummaries": [
                {"property": "properties/2001", "displayName": "Website", "propertyType": "PROPERTY_TYPE_ORDINARY"},
                {"property": "properties/2002", "displayName": "App", "propertyType": "PROPERTY_TYPE_ORDINARY"},
            ],
        }
    ]
}
_SUMMARY: dict[str, Any] = SUMMARIES["accountSummaries"][0]
ONE_SUMMARY = {"accountSummaries": [{**_SUMMARY, "propertySummaries": _SUMMARY["propertySummaries"][:1]}]}
REPORT = {
    "dimensionHeaders": [{"name": "date"}],
    "metricHeaders": [{"name": "activeUsers", "type": "TYPE_INTEGER"}, {"name": "engagementRate", "type": "TYPE_FLOAT"}],
    "rows": [
        {"dimensionValues": [{"value": "20261101"}], "metricValues": [{"value": "41"}, {"value": "0.5"}]},
        {"dimensionValues": [{"value": "20261102"}], "metricValues": [{"value": "42"}, {"value": "0.25"}]},
    ],
    "rowCount": 2,
}
ADS = [
    {
        "results": [
            {
                "campaign": {"resourceName": "customers/333/campaigns/1", "name": "Spring"},
                "metrics": {"impressions": "1000", "clicks": "25", "costMicros": "12500000"},
            }
        ],
        "fieldMask": "campaign.name,metrics.impressions",
    },
    {"results": [{"campaign": {"name": "Autumn"}, "metrics": {"impressions": "10"}}]},
]
AD_ACCOUNTS = {"data": [{"id": "act_555", "account_id": "555", "name": "Acme Ads", "currency": "EUR"}]}
INSIGHTS = {
    "data": [{"campaign_name": "Spring", "impressions": "2000", "spend": "31.75", "date_start": "2026-11-01", "date_stop": "2026-11-28"}],
    "paging": {"cursors": {"before": "a", "after": "b"}},
}
