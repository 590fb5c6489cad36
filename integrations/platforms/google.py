"""Google's way to tokens, which Analytics and Ads share (developers.google.com/identity/protocols/oauth2/web-server)."""

from typing import Any

from django.conf import settings

from integrations import transport
from integrations.platforms.base import Platform, Tokens, address


class Google(Platform):
    vendor = "Google"

    def credentials(self) -> tuple[str, str]:
        return settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET

    def authorization_url(self, *, state: str, verifier: str, redirect_uri: str) -> str:
        client_id, _ = self.credentials()
        # A refresh token comes with `offline` alone, and of a person who agreed before only when they are asked again.
        more = {"access_type": "offline", "prompt": "consent select_account", "include_granted_scopes": "false"}
        return transport.authorization_url(
            address("GOOGLE_AUTHORIZE_URL"),
            client_id=client_id,
            scope=" ".join(self.scopes),
            state=state,
            verifier=verifier,
            redirect_uri=redirect_uri,
            **more,
        )

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        async with self.client() as client:
            given = await client.fetch_token(
                address("GOOGLE_TOKEN_URL"),
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                redirect_uri=redirect_uri,
            )
            return self.tokens(given)

    async def refresh(self, *, access: str, refresh: str) -> Tokens:
        async with self.client() as client:
            given = await client.refresh_token(address("GOOGLE_TOKEN_URL"), refresh_token=refresh)
            return self.tokens(given)

    async def revoke(self, token: str) -> None:
        async with self.client() as client:
            answer = await client.revoke_token(address("GOOGLE_REVOKE_URL"), token=token)
            # 400: it was revoked or ran out before.
            if answer.status_code not in (200, 400):
                raise self.refusal(answer.status_code, answer.content)

    def revocable(self, *, access: str, refresh: str) -> str:
        return refresh or access


def last_part(name: Any) -> str:
    """Google's resource names end in the id: `properties/1234`."""
    return str(name).rpartition("/")[2]
