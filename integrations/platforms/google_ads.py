"""Google Ads: `listAccessibleCustomers` and GAQL by `searchStream` (developers.google.com/google-ads/api/rest)."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from integrations.choices import PlatformName
from integrations.platforms.base import ACCOUNTS_LIMIT, Account, Asked, Figures, PlatformError, address, cut, number, short
from integrations.platforms.google import Google, last_part

NAMED_LIMIT = 20  # accounts whose names are asked for, each by a request of its own

# Our words → GAQL's field and its path in an answer. Money comes in millionths of the account's currency.
METRICS = {
    "impressions": ("metrics.impressions", ("metrics", "impressions"), 1),
    "clicks": ("metrics.clicks", ("metrics", "clicks"), 1),
    "cost": ("metrics.cost_micros", ("metrics", "costMicros"), 1_000_000),
    "ctr": ("metrics.ctr", ("metrics", "ctr"), 1),
    "average_cpc": ("metrics.average_cpc", ("metrics", "averageCpc"), 1_000_000),
    "conversions": ("metrics.conversions", ("metrics", "conversions"), 1),
    "conversions_value": ("metrics.conversions_value", ("metrics", "conversionsValue"), 1),
}
DIMENSIONS = {
    "date": ("segments.date", ("segments", "date")),
    "campaign": ("campaign.name", ("campaign", "name")),
    "campaign_status": ("campaign.status", ("campaign", "status")),
    "device": ("segments.device", ("segments", "device")),
    "network": ("segments.ad_network_type", ("segments", "adNetworkType")),
}


class GoogleAds(Google):
    name = PlatformName.GOOGLE_ADS
    scopes = ("https://www.googleapis.com/auth/adwords",)
    metrics = tuple(METRICS)
    dimensions = tuple(DIMENSIONS)

    @property
    def is_configured(self) -> bool:
        return super().is_configured and bool(settings.GOOGLE_ADS_DEVELOPER_TOKEN)

    async def accounts(self, access: str) -> list[Account]:
        answer = await self._ask("GET", "customers:listAccessibleCustomers", access)
        with self.understood():
            ids = [str(int(last_part(name))) for name in answer.get("resourceNames", [])][:ACCOUNTS_LIMIT]
        names = {one: await self._name_of(access, one) for one in ids[:NAMED_LIMIT]}
        return [Account(one, names.get(one, one), {"customerId": one}) for one in ids]

    async def _name_of(self, access: str, customer: str) -> str:
        query = "SELECT customer.descriptive_name FROM customer LIMIT 1"
        try:
            rows = await self._search(access, customer, query)
            with self.understood():
                return short(rows[0]["customer"].get("descriptiveName") or customer)
        except PlatformError:  # of a cancelled account not even the name may be read
            return customer

    async def read(self, access: str, account: Mapping[str, str], asked: Asked) -> Figures:
        names = [*(DIMENSIONS[name][0] for name in asked.dimensions), *(METRICS[name][0] for name in asked.metrics)]
        order = "segments.date" if "date" in asked.dimensions else f"{METRICS[asked.metrics[0]][0]} DESC"
        # Nothing in this is anybody's own words: names come from the tables above, days are days, the limit is a number.
        query = (
            f"SELECT {', '.join(names)} FROM campaign WHERE segments.date BETWEEN '{asked.since.isoformat()}' AND "
            f"'{asked.until.isoformat()}' ORDER BY {order} LIMIT {asked.limit + 1:d}"
        )
        found = await self._search(access, account["customerId"], query)
        with self.understood():
            rows = [
                (
                    *(short(_at(row, DIMENSIONS[name][1])) for name in asked.dimensions),
                    *(number(_at(row, METRICS[name][1]) or 0) / METRICS[name][2] for name in asked.metrics),
                )
                for row in found
            ]
            return Figures(asked.dimensions, asked.metrics, cut(rows, asked.limit), len(rows) <= asked.limit)

    async def _search(self, access: str, customer: str, query: str) -> list[dict[str, Any]]:
        answer = await self._ask("POST", f"customers/{int(customer)}/googleAds:searchStream", access, body={"query": query})
        with self.understood():
            return [row for batch in answer for row in batch.get("results", [])]

    async def _ask(self, method: str, path: str, access: str, body: Any = None) -> Any:
        developer = {"developer-token": settings.GOOGLE_ADS_DEVELOPER_TOKEN}
        return await self.ask(method, f"{address('GOOGLE_ADS_URL')}/{path}", access=access, body=body, headers=developer)


def _at(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = row
    for name in path:
        found = found.get(name, "")
    return found
