"""REST: what was counted, as series, breakdowns and files."""

import csv
import io
import re
import zipfile
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from analytics.choices import Metric
from analytics.models import BusinessImpact, ChatAnalytics, UserEngagement
from analytics.windows import Window
from tenants import roles
from tenants.models import Grant, Permission
from tests.analytics.rows import a_history, chat, counted, engagement, put
from tests.api.conftest import Caller, cast, errors_of, greta, olive, refused_field, with_key

__all__ = ["cast", "greta", "olive"]

pytestmark = pytest.mark.django_db

WINDOW = Window(date(2026, 3, 2), date(2026, 3, 16))
ASKED = {"from": "2026-03-02", "until": "2026-03-16"}


@pytest.fixture
def history(cast):
    return a_history(cast, WINDOW)


@pytest.mark.parametrize("metric", Metric)
def test_each_metric_is_a_series_with_its_total_and_the_period_before(olive, history, metric):
    said = olive.get(f"metrics/{metric}", ASKED | {"grain": "week", "compare": "true"})
    assert said.status_code == 200, said.content
    body = said.json()
    assert {name: body[name] for name in ("metric", "from", "until", "grain")} == {"metric": metric, "grain": "week", **ASKED}
    assert [(point["from"], point["until"], point["days"], point["counted"]) for point in body["points"]] == [
        ("2026-03-02", "2026-03-09", 7, 7),
        ("2026-03-09", "2026-03-16", 7, 7),
    ]
    assert body["total"]["counted"] == 14
    assert body["previous"]["figures"] is None
    assert set(body["points"][0]["figures"]) == set(body["total"]["figures"])


def test_decimals_are_strings_and_counts_are_numbers(olive, cast):
    counted(cast.acme, WINDOW)
    put(ChatAnalytics, cast.acme, chat(WINDOW.first, answers=3, failed_answers=1, total_cost=Decimal("0.0123")))
    figures = olive.get("metrics/chat", ASKED).json()["total"]["figures"]
    assert (figures["answers"], figures["error_rate"], figures["total_cost"]) == (3, "33.33", "0.0123000000")
    assert figures["average_rating"] is None


def test_nothing_said_is_the_last_thirty_days(olive, time_machine):
    time_machine.move_to("2026-04-15T10:00:00Z")
    body = olive.get("metrics/engagement").json()
    assert (body["from"], body["until"], body["grain"], body["previous"]) == ("2026-03-16", "2026-04-15", "day", None)
    assert len(body["points"]) == 30
    assert body["total"]["figures"] is None
    assert olive.get("metrics/engagement", {"until": "2026-03-31"}).json()["from"] == "2026-03-01"


def test_rows_by_person_say_who_did_what(olive, cast):
    counted(cast.acme, WINDOW)
    put(UserEngagement, cast.acme, *(engagement(cast.liam.user, day, messages=2) for day in WINDOW.days()))
    put(UserEngagement, cast.acme, engagement(cast.olive.user, WINDOW.first, messages=3))
    put(UserEngagement, cast.globex, engagement(cast.greta.user, WINDOW.first, messages=99))
    body = olive.get("metrics/engagement", ASKED | {"by": "user"}).json()
    assert [(row["name"], row["of"]["user"], row["figures"]["ai_chat_messages_sent"]) for row in body["rows"]] == [
        (cast.liam.user.name, str(cast.liam.user.pk), 28),
        (cast.olive.user.name, str(cast.olive.user.pk), 3),
    ]
    assert (body["by"], body["is_whole"]) == ("user", True)


def test_who_may_not_is_refused_and_staff_can_let_a_role_in(cast, olive, greta, nobody):
    errors_of(with_key(cast.mona).get("metrics/engagement"), 403)
    errors_of(nobody.get("metrics/engagement"), 401)
    errors_of(olive.get("metrics/gossip"), 404)
    Grant.objects.create(role="leader", permission=Permission.objects.get(code="analytics:metrics:view"))
    roles.forget()
    assert with_key(cast.liam).get("metrics/engagement").status_code == 200
    roles.forget()


def test_another_organization_s_figures_are_in_none_of_it(olive, greta, history, cast):
    put(UserEngagement, cast.globex, engagement(cast.greta.user, date(2026, 3, 15), messages=7_777_777))
    for metric in Metric:
        assert b"7777777" not in olive.get(f"metrics/{metric}", ASKED).content
    hers = greta.get("metrics/engagement", ASKED | {"by": "user"}).json()["rows"]
    assert [row["of"]["user"] for row in hers] == [str(cast.greta.user.pk)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2026-03-02", "until": "2026-03-02"}, "from"),
        ({"from": "2026-03-03", "until": "2026-03-02"}, "from"),
        ({"from": "2024-01-01", "until": "2026-03-02"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"until": "2026-02-30"}, "until"),
        ({"until": "20260301"}, "until"),
        ({"until": "9999-12-31"}, "until"),
        ({"from": "0001-01-01", "until": "0001-02-01"}, "from"),
        ({"from": "2026-03-02T00:00:00Z"}, "from"),
        ({"grain": "hour"}, "grain"),
        ({"grain": ""}, "grain"),
        ({"by": "password"}, "by"),
        ({"format": "pdf"}, "format"),
        ({"compare": "1"}, "compare"),
        ({"organization": "globex"}, "organization"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(olive, query, field):
    assert refused_field(olive.get("metrics/engagement", query)) == field


def test_two_years_and_a_month_can_be_asked_for(olive):
    body = olive.get("metrics/usage", {"from": "2024-02-01", "until": "2026-03-01", "grain": "month"}).json()
    assert len(body["points"]) == 25


def test_a_metric_without_breakdowns_takes_none_and_nothing_is_written(olive):
    assert refused_field(olive.get("metrics/impact", {"by": "user"})) == "by"
    assert olive.post("metrics/engagement", {}).status_code == 405


# Files -------------------------------------------------------------------------------------------------------------------


def downloaded(caller: Caller, address: str, query: dict) -> bytes:
    response = caller.get(address, query)
    assert response.status_code == 200, response
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    return b"".join(response.streaming_content)


def in_sheet(data: bytes) -> list[dict[str, str | float]]:
    """The rows of a workbook's first sheet by their column's letter: texts as texts, numbers as numbers."""
    space = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert packed.testzip() is None
        sheet = ElementTree.fromstring(packed.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in sheet.iterfind(".//s:row", space):
        cells = {}
        for cell in row.iterfind("s:c", space):
            assert cell.find("s:f", space) is None, "a formula"
            text, number = cell.find("s:is/s:t", space), cell.find("s:v", space)
            letter = re.match("[A-Z]+", cell.attrib["r"])[0]
            cells[letter] = text.text if text is not None else float(number.text)
        rows.append(cells)
    return rows


@pytest.mark.parametrize("metric", Metric)
def test_a_series_as_csv_says_what_the_api_says(olive, history, metric):
    points = olive.get(f"metrics/{metric}", ASKED).json()["points"]
    text = downloaded(olive, f"metrics/{metric}", ASKED | {"format": "csv"}).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["first_day"] for row in rows] == [point["from"] for point in points]
    for row, point in zip(rows, points, strict=True):
        for name, figure in point["figures"].items():
            assert row[name] == ("" if figure is None else str(figure)), name
    if metric == Metric.IMPACT:
        assert rows[0]["reasons"] == "nps_score: Nobody was asked yet."


def test_a_day_that_is_not_counted_is_empty_in_a_file_and_not_zero(olive, cast):
    counted(cast.acme, Window(WINDOW.first, date(2026, 3, 3)))
    rows = list(csv.DictReader(io.StringIO(downloaded(olive, "metrics/engagement", ASKED | {"format": "csv"}).decode())))
    assert [row["login_count"] for row in rows] == ["0"] + [""] * 13


def test_a_workbook_has_the_same_numbers_as_numbers(olive, history):
    points = olive.get("metrics/usage", ASKED).json()["points"]
    head, *rows = in_sheet(downloaded(olive, "metrics/usage", ASKED | {"format": "xlsx"}))
    letter = next(letter for letter, name in head.items() if name == "cost")
    assert [row[letter] for row in rows] == [float(point["figures"]["cost"]) for point in points]
    assert {type(row["A"]) for row in rows} == {float}  # days, as spreadsheets count them


HOSTILE = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", '=HYPERLINK("http://evil.test")']


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_a_spreadsheet_would_calculate_stays_a_text(olive, cast, name):
    counted(cast.acme, WINDOW)
    topics = [{"topic": name, "frequency": 2}]
    put(ChatAnalytics, cast.acme, chat(WINDOW.first, common_topics=topics))
    [row] = csv.DictReader(io.StringIO(downloaded(olive, "metrics/chat", ASKED | {"by": "topic", "format": "csv"}).decode()))
    assert row["name"] == row["topic"] == f"'{name}"
    assert row["mentions"] == "2"
    _, sheet_row = in_sheet(downloaded(olive, "metrics/chat", ASKED | {"by": "topic", "format": "xlsx"}))
    assert (sheet_row["A"], sheet_row["C"]) == (name, 2.0)


def test_a_negative_number_stays_a_number(olive, cast):
    put(BusinessImpact, cast.acme, {"metric_date": WINDOW.first, "nps_score": Decimal("-12.50")})
    first, *_ = csv.DictReader(io.StringIO(downloaded(olive, "metrics/impact", ASKED | {"format": "csv"}).decode()))
    assert first["nps_score"] == "-12.50"


def test_a_file_is_named_for_what_it_holds(olive):
    response = olive.get("metrics/engagement", ASKED | {"format": "csv"})
    b"".join(response.streaming_content)
    assert response.headers["Content-Disposition"] == 'attachment; filename="acme-engagement-by-day-2026-03-02-to-2026-03-15.csv"'
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_a_file_without_rows_has_its_head(olive):
    assert downloaded(olive, "metrics/usage", ASKED | {"by": "model", "format": "csv"}) == b"name\r\n"
    assert in_sheet(downloaded(olive, "metrics/usage", ASKED | {"by": "model", "format": "xlsx"})) == [{"A": "name"}]
