"""httpx2 over our own wire: the clients of libraries, such as Authlib's, connect where `egress` lets them and nowhere else.

    async with transport.oauth_client(client_id="…", client_secret="…") as client:
        response = await client.request("GET", "https://…", withhold_token=True)

No redirect is followed, no proxy or certificate is read from the environment, nothing is kept between two clients.
"""

from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from integrations import egress, wire

HTTPError = httpx2.HTTPError  # what a client raises by itself

__all__ = ["HTTPError", "OAuthError", "authorization_url", "oauth_client"]

LIMITS = wire.Limits(connect=5.0, first=15.0, idle=10.0, total=25.0, body=4 * 1024 * 1024)

# The wire writes these itself; compression is not asked for.
_OWN = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
# Of an answer: its body is whole by then, and what comes compressed all the same is not unpacked, to whatever size.
_OF_THE_BODY = frozenset({"content-length", "transfer-encoding", "content-encoding"})


class EgressTransport(httpx2.AsyncBaseTransport):
    """Raises `wire.WireError`, `egress.Refused` and `egress.Unreachable` as they are."""

    def __init__(self, limits: wire.Limits = LIMITS) -> None:
        self._limits = limits
        self._clients: dict[egress.Destination, wire.Client] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if url.userinfo:
            raise egress.Refused("The address contains a user name or a password. Store a key instead.")
        to = egress.destination(f"{url.scheme}://{url.netloc.decode('ascii')}")
        client = self._clients.get(to)
        if client is None:
            client = self._clients[to] = wire.Client(to, limits=self._limits)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        answer = await client.request(request.method, url.raw_path.decode("ascii"), headers=headers, body=await request.aread())
        try:
            body = await answer.whole(at_most=self._limits.body)
        finally:
            answer.close()
        said = {name: value for name, value in answer.headers.items() if name not in _OF_THE_BODY}
        return httpx2.Response(answer.status, headers=said, content=body, request=request)

    async def aclose(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def oauth_client(*, client_id: str, client_secret: str, limits: wire.Limits = LIMITS, **more: Any) -> AsyncOAuth2Client:
    """Authlib's OAuth 2 client, which is an httpx2 client, too. The secret goes in the body, as all three platforms take it."""
    return AsyncOAuth2Client(
        client_id,
        client_secret,
        token_endpoint_auth_method="client_secret_post",
        revocation_endpoint_auth_method="client_secret_post",
        code_challenge_method="S256",
        transport=EgressTransport(limits),
        trust_env=False,
        follow_redirects=False,
        timeout=None,
        **more,
    )


def authorization_url(address: str, *, client_id: str, scope: str, state: str, verifier: str, redirect_uri: str, **more: str) -> str:
    """Where a browser is sent to agree: the code flow, with PKCE by S256."""
    challenge = {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
    asked = {"client_id": client_id, "redirect_uri": redirect_uri, "scope": scope, "state": state}
    return prepare_grant_uri(address, response_type="code", **asked, **challenge, **more)
