"""Meta Ads: the Graph API's `me/adaccounts` and `insights` (developers.facebook.com/docs/marketing-api/insights).

Meta gives no refresh token: a token of some hours is exchanged for one of sixty days, and that, before its end, for another.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings

from integrations import transport
from integrations.choices import PlatformName
from integrations.platforms.base import (
    ACCOUNTS_LIMIT,
    Account,
    Asked,
    Fault,
    Figures,
    Platform,
    PlatformError,
    Tokens,
    address,
    cut,
    number,
    short,
)

BREAKDOWNS = ("age", "gender", "country", "publisher_platform", "device_platform")
LEVELS = {"campaign": "campaign_name", "adset": "adset_name"}
EXPIRED = 190  # Graph's code for a token that is no longer good
LIMITED = (4, 17, 32, 613)


class MetaAds(Platform):
    name = PlatformName.META_ADS
    vendor = "Meta"
    scopes = ("ads_read",)
    metrics = ("impressions", "reach", "clicks", "spend", "ctr", "cpc", "cpm", "frequency")
    dimensions = ("date", *LEVELS, *BREAKDOWNS)
    refreshes_before = timedelta(days=7)

    def credentials(self) -> tuple[str, str]:
        return settings.META_APP_ID, settings.META_APP_SECRET

    def authorization_url(self, *, state: str, verifier: str, redirect_uri: str) -> str:
        client_id, _ = self.credentials()
        return transport.authorization_url(
            address("META_AUTHORIZE_URL"),
            client_id=client_id,
            scope=",".join(self.scopes),
            state=state,
            verifier=verifier,
            redirect_uri=redirect_uri,
        )

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        async with self.client() as client:
            given = await client.fetch_token(
                self._token_url, grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri
            )
            short_lived = self.tokens(given)
        return await self.refresh(access=short_lived.access, refresh="")

    async def refresh(self, *, access: str, refresh: str) -> Tokens:
        async with self.client() as client:
            client_id, client_secret = self.credentials()
            asked = {"client_id": client_id, "client_secret": client_secret, "fb_exchange_token": access}
            answer = await client.request("POST", self._token_url, data={"grant_type": "fb_exchange_token", **asked}, withhold_token=True)
            if answer.status_code >= 400:
                raise self.refusal(answer.status_code, answer.content)
            return self.tokens(answer.json())

    async def revoke(self, token: str) -> None:
        try:
            await self.ask("DELETE", f"{address('META_GRAPH_URL')}/me/permissions", access=token)
        except PlatformError as problem:
            if problem.fault != Fault.REVOKED:
                raise

    def revocable(self, *, access: str, refresh: str) -> str:
        return access

    async def accounts(self, access: str) -> list[Account]:
        query = {"fields": "id,account_id,name,currency", "limit": str(ACCOUNTS_LIMIT)}
        answer = await self.ask("GET", f"{address('META_GRAPH_URL')}/me/adaccounts", access=access, query=query)
        with self.understood():
            return [
                Account(
                    str(int(one["account_id"])),
                    short(one.get("name") or one["account_id"]),
                    {"adAccountId": str(int(one["account_id"])), "currency": short(one.get("currency", ""))},
                )
                for one in answer["data"]
            ]

    async def read(self, access: str, account: Mapping[str, str], asked: Asked) -> Figures:
        levels = [name for name in asked.dimensions if name in LEVELS]
        query = {
            "fields": ",".join([*(LEVELS[name] for name in levels), *asked.metrics]),
            "time_range": f'{{"since":"{asked.since.isoformat()}","until":"{asked.until.isoformat()}"}}',
            "level": levels[-1] if levels else "account",
            "limit": str(asked.limit),
        }
        if breakdowns := [name for name in asked.dimensions if name in BREAKDOWNS]:
            query["breakdowns"] = ",".join(breakdowns)
        if "date" in asked.dimensions:
            query["time_increment"] = "1"
        url = f"{address('META_GRAPH_URL')}/act_{int(account['adAccountId'])}/insights"
        answer = await self.ask("GET", url, access=access, query=query)
        with self.understood():
            rows = [
                (
                    *(short(row[_field(name)]) for name in asked.dimensions),
                    *(number(row.get(name, 0)) for name in asked.metrics),
                )
                for row in answer["data"]
            ]
            return Figures(asked.dimensions, asked.metrics, cut(rows, asked.limit), not answer.get("paging", {}).get("next"))

    def refusal(self, status: int, content: bytes) -> PlatformError:
        """Graph says with 400 what others say by status: its code tells."""
        code = _code(content)
        if code == EXPIRED:
            return super().refusal(401, content)
        return super().refusal(429 if code in LIMITED else status, content)

    @property
    def _token_url(self) -> str:
        return f"{address('META_GRAPH_URL')}/oauth/access_token"


def _field(dimension: str) -> str:
    return "date_start" if dimension == "date" else LEVELS.get(dimension, dimension)


def _code(content: bytes) -> Any:
    try:
        return orjson.loads(content)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return None
