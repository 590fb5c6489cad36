"""What is asked of each platform and how its answers are read: the shapes that the vendors document. And the tools that do so."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chat import actions
from chat.parts import checked
from config import loop
from integrations import crypto, egress, tools, transport
from integrations.choices import ConnectionStatus
from integrations.models import PlatformConnection
from integrations.platforms import registry
from integrations.platforms.base import Asked, Fault, PlatformError
from integrations.services import connections
from integrations.tools import ToolCall
from tenants import scoping
from tests.cast import make_cast
from tests.integrations import platforms
from tests.integrations.platforms import point_at

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MONTH = (date(2026, 11, 1), date(2026, 11, 28))
ANALYTICS, ADS, META = registry.PLATFORMS.values()


@pytest.fixture
def rest(settings, httpserver):
    point_at(settings, oauth="http://127.0.0.1:9", rest=httpserver.url_for("").rstrip("/"))
    return httpserver


def asked(metrics: tuple[str, ...], dimensions: tuple[str, ...], limit: int = 25) -> Asked:
    return Asked(metrics, dimensions, *MONTH, limit)


def requests(rest) -> list[Any]:
    return [request for request, _ in rest.log]


# The vendors' shapes -------------------------------------------------------------------------------------------------------


async def test_analytics_is_asked_for_a_report(rest):
    rest.expect_request("/data/properties/2001:runReport", method="POST").respond_with_json(platforms.REPORT)
    figures = await ANALYTICS.read("at", {"propertyId": "2001"}, asked(("activeUsers", "engagementRate"), ("date",)))
    assert figures.rows == (("20261101", 41, 0.5), ("20261102", 42, 0.25))
    assert figures.is_whole
    [request] = requests(rest)
    assert request.headers["Authorization"] == "Bearer at"
    assert json.loads(request.data) == {
        "dateRanges": [{"startDate": "2026-11-01", "endDate": "2026-11-28"}],
        "metrics": [{"name": "activeUsers"}, {"name": "engagementRate"}],
        "dimensions": [{"name": "date"}],
        "limit": "25",
        "orderBys": [{"dimension": {"dimensionName": "date"}}],
    }


async def test_analytics_names_its_properties_page_by_page(rest):
    rest.expect_request("/admin/accountSummaries", query_string="pageSize=200").respond_with_json(
        {**platforms.ONE_SUMMARY, "nextPageToken": "p2"}
    )
    rest.expect_request("/admin/accountSummaries", query_string="pageSize=200&pageToken=p2").respond_with_json(platforms.SUMMARIES)
    assert [account.id for account in await ANALYTICS.accounts("at")] == ["2001", "2001", "2002"]


async def test_ads_are_asked_in_their_language_and_money_is_in_units(rest):
    rest.expect_request("/ads/customers/333/googleAds:searchStream", method="POST").respond_with_json(platforms.ADS)
    figures = await ADS.read("at", {"customerId": "333"}, asked(("impressions", "clicks", "cost"), ("campaign",)))
    assert figures.rows == (("Spring", 1000, 25, 12.5), ("Autumn", 10, 0, 0))
    [request] = requests(rest)
    assert request.headers["developer-token"] == "developer-token"
    assert json.loads(request.data)["query"] == (
        "SELECT campaign.name, metrics.impressions, metrics.clicks, metrics.cost_micros FROM campaign "
        "WHERE segments.date BETWEEN '2026-11-01' AND '2026-11-28' ORDER BY metrics.impressions DESC LIMIT 26"
    )


async def test_ads_name_their_customers_as_far_as_they_may_be_read(rest):
    rest.expect_request("/ads/customers:listAccessibleCustomers").respond_with_json({"resourceNames": ["customers/333", "customers/444"]})
    rest.expect_request("/ads/customers/333/googleAds:searchStream").respond_with_json(
        [{"results": [{"customer": {"resourceName": "customers/333", "descriptiveName": "Acme"}}]}]
    )
    rest.expect_request("/ads/customers/444/googleAds:searchStream").respond_with_json({"error": {"message": "not enabled"}}, status=403)
    assert [(one.id, one.name) for one in await ADS.accounts("at")] == [("333", "Acme"), ("444", "444")]


async def test_meta_is_asked_for_insights(rest):
    rest.expect_request("/graph/act_555/insights").respond_with_json(platforms.INSIGHTS)
    figures = await META.read("at", {"adAccountId": "555"}, asked(("impressions", "spend"), ("campaign",)))
    assert figures.rows == (("Spring", 2000, 31.75),)
    [request] = requests(rest)
    assert request.args["level"] == "campaign"
    assert request.args["fields"] == "campaign_name,impressions,spend"
    assert json.loads(request.args["time_range"]) == {"since": "2026-11-01", "until": "2026-11-28"}
    assert "access_token" not in request.args


async def test_meta_names_its_accounts(rest):
    rest.expect_request("/graph/me/adaccounts").respond_with_json(platforms.AD_ACCOUNTS)
    [account] = await META.accounts("at")
    assert (account.id, account.name, account.data) == ("555", "Acme Ads", {"adAccountId": "555", "currency": "EUR"})


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (401, {"error": {"message": "Request had invalid authentication credentials."}}, Fault.REVOKED),
        (403, {"error": {"message": "User does not have sufficient permissions."}}, Fault.FORBIDDEN),
        (429, {}, Fault.LIMITED),
        (500, {}, Fault.AWAY),
        (503, "busy", Fault.AWAY),
        (302, {}, Fault.FORBIDDEN),
        (400, {"error": {"message": "Expired", "code": 190}}, Fault.FORBIDDEN),
        (200, {"data": "not a list"}, Fault.MALFORMED),
        (200, {"rows": [{"metricValues": [{"value": "NaN"}]}]}, Fault.MALFORMED),
        (200, {"rows": [{"metricValues": []}]}, Fault.MALFORMED),
        (200, {"rows": 7}, Fault.MALFORMED),
        (200, [], Fault.MALFORMED),
    ],
)
async def test_what_goes_wrong_has_a_name_and_a_sentence(rest, status, body, fault):
    rest.expect_request("/data/properties/2001:runReport").respond_with_json(body, status=status)
    if fault == Fault.MALFORMED and body == {"data": "not a list"}:
        assert (await ANALYTICS.read("at", {"propertyId": "2001"}, asked(("sessions",), ()))).rows == ()
        return
    with pytest.raises(PlatformError) as problem:
        await ANALYTICS.read("at", {"propertyId": "2001"}, asked(("sessions",), ()))
    assert problem.value.fault == fault
    assert str(problem.value).endswith(".")


@pytest.mark.parametrize(("code", "fault"), [(190, Fault.REVOKED), (17, Fault.LIMITED), (100, Fault.FORBIDDEN)])
async def test_meta_says_by_a_code_what_others_say_by_a_status(rest, code, fault):
    rest.expect_request("/graph/me/adaccounts").respond_with_json({"error": {"message": "No.", "code": code}}, status=400)
    with pytest.raises(PlatformError) as problem:
        await META.accounts("at")
    assert problem.value.fault == fault


async def test_a_token_in_a_platform_s_words_is_not_told(rest):
    token = "ya29." + "x" * 60
    rest.expect_request("/graph/me/adaccounts").respond_with_json({"error": {"message": f"The token {token} may not."}}, status=403)
    with pytest.raises(PlatformError) as problem:
        await META.accounts(token)
    assert token not in str(problem.value)
    assert "The token … may not." in str(problem.value)


# The way out ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/x", "https://127.0.0.1/x", "https://[::ffff:127.0.0.1]/x", "https://a:b@example.com/", "http://example.com/"],
)
async def test_a_library_s_client_connects_only_where_the_way_out_leads(httpserver, url):
    httpserver.expect_request("/x").respond_with_data("reached")
    async with transport.oauth_client(client_id="i", client_secret="s") as client:
        with pytest.raises((egress.Refused, egress.Unreachable)):
            await client.request("GET", url.format(port=httpserver.port), withhold_token=True)
    assert httpserver.log == []


async def test_no_redirect_is_followed_with_a_token(rest):
    rest.expect_request("/graph/me/adaccounts").respond_with_data("", status=302, headers={"Location": rest.url_for("/elsewhere")})
    rest.expect_request("/elsewhere").respond_with_json(platforms.AD_ACCOUNTS)
    with pytest.raises(PlatformError):
        await META.accounts("at")
    assert [request.path for request in requests(rest)] == ["/graph/me/adaccounts"]


async def test_the_vendors_own_addresses_are_not_the_operator_s(settings):
    settings.PLATFORM_ADDRESSES = settings.VENDOR_ADDRESSES
    for address in settings.VENDOR_ADDRESSES.values():
        assert not egress.destination(address).operators


# The tools -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cast(stores):
    return make_cast()


def put(person, *, platform: str = "google_analytics", **fields: Any) -> PlatformConnection:
    """A connection of this person's with a token that is good."""
    data = {"google_analytics": {"propertyId": "2001"}, "google_ads": {"customerId": "333"}, "meta_ads": {"adAccountId": "555"}}
    organization = person.membership.organization
    with scoping.tenant(organization):
        fields = {
            "account_id": "2001",
            "account_name": "Acme: Website",
            "platform_data": data[platform],
            "token_expiry": timezone.now() + timedelta(hours=1),
        } | fields
        row = PlatformConnection(organization=organization, user=person.user, platform=platform, **fields)
        crypto.put(row, "access_token", f"token-of-{person.user.first_name}")
        row.save()
    return row


def use(name: str, person, **arguments: Any) -> tools.ToolResult:
    return loop.run(tools.run(tools.OFFERED[name], ToolCall(person.membership, arguments, now=NOW)))


def test_a_report_is_a_table_and_a_chart_of_the_asker_s_own_account(rest, cast):
    put(cast.liam, account_id="9", account_name="Liam's", platform_data={"propertyId": "9"})
    row = put(cast.olive)
    rest.expect_request("/data/properties/2001:runReport").respond_with_json(platforms.REPORT)
    result = use("run_analytics_report", cast.olive, metrics=["activeUsers", "engagementRate"], dimensions=["date"])
    assert result.error == ""
    table, chart = result.parts
    title = "Google Analytics: Acme: Website, 2026-10-26 to 2026-11-22"
    assert table == {
        "type": "table",
        "value": {
            "title": title,
            "columns": ["date", "activeUsers", "engagementRate"],
            "rows": [["20261101", 41, 0.5], ["20261102", 42, 0.25]],
        },
    }
    assert chart["value"] == {
        "title": title,
        "kind": "line",
        "labels": ["20261101", "20261102"],
        "series": [{"name": "activeUsers", "values": [41, 42]}, {"name": "engagementRate", "values": [0.5, 0.25]}],
    }
    assert json.loads(result.content)["rows"] == table["value"]["rows"]
    assert requests(rest)[0].headers["Authorization"] == "Bearer token-of-Olive"
    with scoping.tenant(cast.acme):
        row.refresh_from_db()
    assert row.last_synced_at is not None


def test_ads_and_insights_are_read_likewise(rest, cast):
    put(cast.olive, platform="google_ads", account_id="333")
    put(cast.olive, platform="meta_ads", account_id="555")
    rest.expect_request("/ads/customers/333/googleAds:searchStream").respond_with_json(platforms.ADS)
    rest.expect_request("/graph/act_555/insights").respond_with_json(platforms.INSIGHTS)
    found = use("ads_performance", cast.olive, metrics=["clicks"], dimensions=["campaign"])
    assert [part["type"] for part in found.parts] == ["table", "chart"]
    assert found.parts[1]["value"]["kind"] == "bar"
    found = use("meta_insights", cast.olive, metrics=["impressions"], dimensions=["campaign"])
    assert found.parts[0]["value"]["rows"] == [["Spring", 2000]]


def test_with_nothing_connected_there_is_the_button_that_begins_it(rest, cast):
    put(cast.olive)
    found = use("run_analytics_report", cast.liam, metrics=["sessions"])
    assert found.error == "not_connected"
    button = {"type": "button", "value": {"label": "Connect Google Analytics", "action": "oauth_google", "argument": "google_analytics"}}
    assert found.parts == (button,)
    assert checked(list(found.parts)) == list(found.parts)
    known = actions.addresses("acme", "00000000-0000-0000-0000-000000000000")
    assert actions.address(button["value"], known) == "/o/acme/connections/?platform=google_analytics"
    assert requests(rest) == []
    assert (use("connect_platform", cast.liam, platform="google_analytics")).parts == (button,)
    assert "is connected already: Acme: Website" in (use("connect_platform", cast.olive, platform="google_analytics")).content


def test_what_the_platform_took_back_is_told_with_the_button_to_reconnect(rest, cast):
    row = put(cast.olive)
    rest.expect_request("/data/properties/2001:runReport").respond_with_json({}, status=401)
    for expected in ("platform_revoked", "not_connected"):
        found = use("run_analytics_report", cast.olive, metrics=["sessions"])
        assert found.error == expected
        assert found.parts[0]["value"]["label"] == "Reconnect Google Analytics"
    with scoping.tenant(cast.acme):
        row.refresh_from_db()
    assert row.status == ConnectionStatus.REVOKED
    assert len(requests(rest)) == 1


def test_whom_it_runs_for_and_where_is_not_the_model_s_to_say(rest, cast):
    put(cast.olive)
    for more in ({"user_id": str(cast.olive.user.pk)}, {"connection": "1"}, {"organization": "acme"}, {"url": "http://127.0.0.1/"}):
        assert (use("run_analytics_report", cast.liam, metrics=["sessions"], **more)).error == "bad_arguments"
    assert (use("run_analytics_report", cast.olive, metrics=["sessions"], account="Liam's")).error == "bad_arguments"
    for person in (cast.ada, cast.vera):
        assert (use("run_analytics_report", person, metrics=["sessions"])).error == "forbidden"
    assert (use("run_analytics_report", cast.greta, metrics=["sessions"])).error == "not_connected"
    assert requests(rest) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"metrics": []},
        {"metrics": ["password"]},
        {"metrics": ["sessions"], "dimensions": ["date; DROP"]},
        {"metrics": ["sessions"], "since": "2026-11-22", "until": "2026-11-01"},
        {"metrics": ["sessions"], "since": "2020-01-01"},
        {"metrics": ["sessions"], "until": "2027-01-01"},
        {"metrics": ["sessions"], "since": "yesterday"},
        {"metrics": ["sessions"], "limit": 100_000},
    ],
)
def test_arguments_are_bounded(cast, rest, arguments):
    put(cast.olive)
    assert (use("run_analytics_report", cast.olive, **arguments)).error == "bad_arguments"
    assert requests(rest) == []


def test_sample_data_says_that_it_is(cast, rest):
    with scoping.tenant(cast.acme):
        connections.connect_demo(cast.olive.membership, "meta_ads", now=NOW)
    first, second = [use("meta_insights", cast.olive, metrics=["impressions", "spend"]) for _ in range(2)]
    assert first == second
    assert [part["type"] for part in first.parts] == ["table", "chart", "button"]
    assert all("Sample data" in part["value"]["title"] and "(not real)" in part["value"]["title"] for part in first.parts[:2])
    assert json.loads(first.content)["is_sample_data"] is True
    assert len(first.parts[0]["value"]["rows"]) == 28
    assert requests(rest) == []


def test_where_a_platform_breaks_down_the_model_is_told(cast, rest):
    put(cast.olive)
    rest.expect_request("/data/properties/2001:runReport").respond_with_handler(lambda request: (_ for _ in ()).throw(OSError))
    found = use("run_analytics_report", cast.olive, metrics=["sessions"])
    assert found.error == Fault.AWAY
