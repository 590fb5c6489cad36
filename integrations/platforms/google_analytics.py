"""Google Analytics 4: the Admin API's `accountSummaries`, the Data API's `runReport` (developers.google.com/analytics/devguides)."""

from collections.abc import Mapping

from integrations.choices import PlatformName
from integrations.platforms.base import ACCOUNTS_LIMIT, Account, Asked, Figures, address, cut, number, short
from integrations.platforms.google import Google, last_part

PAGE = 200


class GoogleAnalytics(Google):
    name = PlatformName.GOOGLE_ANALYTICS
    scopes = ("https://www.googleapis.com/auth/analytics.readonly",)
    metrics = (
        *("activeUsers", "newUsers", "totalUsers", "sessions", "engagedSessions", "engagementRate", "averageSessionDuration"),
        *("screenPageViews", "eventCount", "bounceRate", "keyEvents", "totalRevenue", "transactions"),
    )
    dimensions = (
        *("date", "week", "month", "country", "city", "language", "deviceCategory", "browser", "operatingSystem"),
        *("sessionDefaultChannelGroup", "sessionSource", "sessionMedium", "sessionCampaignName", "pagePath", "pageTitle", "eventName"),
    )

    async def accounts(self, access: str) -> list[Account]:
        found: list[Account] = []
        query = {"pageSize": str(PAGE)}
        while len(found) < ACCOUNTS_LIMIT:
            answer = await self.ask("GET", f"{address('GOOGLE_ANALYTICS_ADMIN_URL')}/accountSummaries", access=access, query=query)
            with self.understood():
                for summary in answer.get("accountSummaries", []):
                    for one in summary.get("propertySummaries", []):
                        data = {"accountId": last_part(summary["account"]), "propertyId": last_part(one["property"])}
                        found.append(Account(data["propertyId"], short(f"{summary['displayName']}: {one['displayName']}"), data))
            if not (page := answer.get("nextPageToken")):
                break
            query["pageToken"] = str(page)
        return found[:ACCOUNTS_LIMIT]

    async def read(self, access: str, account: Mapping[str, str], asked: Asked) -> Figures:
        body = {
            "dateRanges": [{"startDate": asked.since.isoformat(), "endDate": asked.until.isoformat()}],
            "metrics": [{"name": name} for name in asked.metrics],
            "dimensions": [{"name": name} for name in asked.dimensions],
            "limit": str(asked.limit),
            "orderBys": [_order(asked)],
        }
        url = f"{address('GOOGLE_ANALYTICS_DATA_URL')}/properties/{int(account['propertyId'])}:runReport"
        answer = await self.ask("POST", url, access=access, body=body)
        with self.understood():
            rows = [
                (
                    *(short(cell["value"]) for cell in row.get("dimensionValues", [])),
                    *(number(cell["value"]) for cell in row["metricValues"]),
                )
                for row in answer.get("rows", [])
            ]
            if any(len(row) != len(asked.dimensions) + len(asked.metrics) for row in rows):
                raise ValueError("a row is of another length")
            return Figures(asked.dimensions, asked.metrics, cut(rows, asked.limit), int(answer.get("rowCount", len(rows))) <= len(rows))


def _order(asked: Asked) -> dict[str, object]:
    """By time where the rows are of times, otherwise what is most first."""
    for name in ("date", "week", "month"):
        if name in asked.dimensions:
            return {"dimension": {"dimensionName": name}}
    return {"metric": {"metricName": asked.metrics[0]}, "desc": True}
