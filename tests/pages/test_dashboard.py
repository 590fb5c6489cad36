"""The dashboard's pages: periods, the rows behind a number, files, and who may see them."""

import csv
import io
import re
from datetime import date
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client

from analytics.choices import Metric
from analytics.models import ChatAnalytics, UserEngagement
from analytics.series import TABLES
from analytics.windows import Window
from dashboards import figures
from tests.analytics.rows import a_history, chat, counted, engagement, put
from tests.cast import make_cast

pytestmark = pytest.mark.django_db

SPRING = Window(date(2026, 3, 2), date(2026, 3, 16))
NOW = "2026-03-16T09:00:00Z"


@pytest.fixture
def cast(time_machine):
    time_machine.move_to(NOW)
    return make_cast()


@pytest.fixture
def olive(cast):
    return of(cast.olive)


def of(person):
    client = Client()
    client.force_login(person.user)
    return client


def words(response) -> str:
    """What is read on the page, with single spaces."""
    main = response.content.decode().partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def get(client, path="", **query):
    return client.get(f"/o/acme/dashboard/{path}", query)


def test_the_first_page_says_what_was_counted_and_what_changed(cast, olive):
    week = Window(date(2026, 3, 9), date(2026, 3, 16))
    counted(cast.acme, Window(date(2026, 3, 2), date(2026, 3, 16)), total_employees=41)
    put(UserEngagement, cast.acme, *(engagement(cast.olive.user, day, messages=200) for day in week.days()))
    put(UserEngagement, cast.acme, engagement(cast.liam.user, date(2026, 3, 4), messages=700))
    put(ChatAnalytics, cast.acme, chat(date(2026, 3, 10), answers=8, failed_answers=2, timed_answers=8, response_milliseconds=11_200))
    said = words(get(olive, days="7"))
    assert "Questions asked 1,400 +100 %" in said
    assert "Active people 1 0 %" in said
    assert "Failed answers 2 nothing to compare Failed, share: 25.0 %" in said
    assert "Response time 1.4 s" in said
    assert "7 of 7 days are counted." in said
    assert "Total employees 41" in said
    assert "Nps score" not in said


def test_an_organization_that_nothing_is_counted_of_is_told_when_it_will_be(cast, olive):
    said = words(get(olive))
    assert "Nothing is counted for these days yet" in said
    assert "02:00 UTC" in said
    assert "$0" not in said


def test_a_day_that_is_not_counted_is_said_to_be_and_is_no_zero(cast, olive):
    counted(cast.acme, Window(date(2026, 3, 10), date(2026, 3, 11)))
    page = get(olive, days="7").content.decode()
    assert page.count('<td data-value=""><span class="muted">not counted</span></td>') > 6
    assert '<td data-value="0">0</td>' in page


def test_a_kpi_that_is_not_known_says_why(cast, olive):
    a_history(cast, SPRING)
    said = words(get(olive))
    assert "Net promoter score – Nobody was asked yet." in said
    assert "Average user satisfaction score 4.20 ★" in said


@pytest.mark.parametrize("metric", Metric)
def test_behind_every_metric_are_its_days_and_its_breakdowns(cast, olive, metric):
    a_history(cast, SPRING)
    for by in ("", *TABLES[metric].by):
        response = get(olive, f"{metric}/", by=by, days="30")
        assert response.status_code == 200, by
        for name in TABLES[metric].by:
            assert f"By {name}" in words(response)


def test_from_a_day_one_comes_to_the_people_of_that_day(cast, olive):
    counted(cast.acme, SPRING)
    put(UserEngagement, cast.acme, engagement(cast.liam.user, date(2026, 3, 10)), engagement(cast.mona.user, date(2026, 3, 11)))
    link = "/o/acme/dashboard/engagement/?by=user&amp;first=2026-03-10&amp;last=2026-03-10"
    assert link in get(olive, days="7").content.decode()
    said = words(olive.get(unescape(link)))
    assert cast.liam.user.name in said
    assert cast.mona.user.name not in said


def test_a_name_is_shown_as_text(cast, olive):
    counted(cast.acme, SPRING)
    topics = [{"topic": "<script>alert(1)</script>", "frequency": 2}]
    put(ChatAnalytics, cast.acme, chat(SPRING.first, common_topics=topics))
    assert b"<script>alert" not in get(olive, "chat/", by="topic").content


def test_what_is_seen_is_downloaded(cast, olive):
    a_history(cast, SPRING)
    response = get(olive, "usage/", by="model", format="csv", first="2026-03-02", last="2026-03-08")
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert {row["model"] for row in rows} == {"model-a", "'=model-b"}
    assert response.headers["Content-Disposition"] == 'attachment; filename="acme-usage-by-model-2026-03-02-to-2026-03-08.csv"'


def test_who_may_not_see_it_is_refused_and_has_no_link(cast, olive):
    assert "/o/acme/dashboard/" in olive.get("/o/acme/").content.decode()
    for person in (cast.liam, cast.mona, cast.ada, cast.vera):
        client = of(person)
        assert (get(client).status_code, get(client, "engagement/").status_code) == (403, 403)
        assert "/o/acme/dashboard/" not in client.get("/o/acme/").content.decode()
    for stranger in (of(cast.greta), Client()):
        assert get(stranger).status_code in (302, 404)
    assert get(of(cast.greta), "engagement/").status_code == 404


@pytest.mark.parametrize("path", ["gossip/", "engagement/?by=password", "impact/?by=user"])
def test_what_there_is_not_is_not_found(olive, path):
    assert olive.get(f"/o/acme/dashboard/{path}").status_code == 404
    assert olive.post("/o/acme/dashboard/").status_code == 405


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"days": "0"}, "is not one of the available choices."),
        ({"grain": "hour"}, "is not one of the available choices."),
        ({"first": "2026-03-09"}, "Give both the first and the last day."),
        ({"first": "2026-03-09", "last": "2026-03-08"}, "The period ends before it begins."),
        ({"first": "2020-03-09", "last": "2026-03-08"}, "two years and a month"),
        ({"first": "1066-10-14", "last": "1066-10-15"}, "The period ends before it begins."),
        ({"first": "soon", "last": "9999-12-31"}, "Enter a valid date."),
    ],
)
def test_a_period_that_is_none_is_said_to_be(olive, query, sentence):
    response = get(olive, **query)
    assert response.status_code == 400
    assert sentence in words(response)
    assert get(olive, "engagement/", format="csv", **query).status_code == 400


@pytest.mark.parametrize(
    ("name", "figure", "text"),
    [
        ("answers", 1_234_567, "1,234,567"),
        ("error_rate", Decimal("3.449"), "3.4 %"),
        ("cost", Decimal("0.0123000000"), "$0.0123"),
        ("cost", Decimal("1234.5678"), "$1,234.57"),
        ("cost", Decimal("0E-10"), "$0.00"),
        ("average_response_time", Decimal("1449.50"), "1.4 s"),
        ("average_rating", Decimal("4.20"), "4.20 ★"),
        ("duration_seconds", Decimal("90061"), "25 h"),
        ("subscription_status", "ACTIVE", "Active"),
        ("nps_score", None, "–"),
    ],
)
def test_figures_are_written_for_reading(name, figure, text):
    assert figures.spelled(name, figure) == text


def test_changes_are_in_percent_of_what_was_before():
    assert figures.change(15, 10) == 50
    assert figures.change(Decimal("5"), 10) == -50
    assert figures.change(5, 0) is None
    assert figures.change(None, 5) is None
