"""What was counted, read by day, week and month: added up plainly here, and compared."""

import importlib
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.core.cache import cache
from django.db import connection
from redis.exceptions import ConnectionError as RedisAway

from analytics import series
from analytics.choices import Grain, Metric
from analytics.models import (
    BusinessImpact,
    ChatAnalytics,
    FeatureUtilization,
    FillState,
    ModelUsage,
    OrganizationDay,
    PersonNumber,
    PlatformAdoption,
    ReportGeneration,
    UserEngagement,
)
from analytics.windows import ONE_DAY, Month, Week, Window
from tenants import scoping
from tenants.services import accounts
from tests.analytics.conftest import organization_day
from tests.analytics.rows import a_history, chat, counted, engagement, put, usage
from tests.cast import make_cast

pytestmark = pytest.mark.django_db

SPRING = Window(date(2024, 2, 20), date(2024, 4, 3))  # a leap day, two ends of months, a change of clocks


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def acme(cast):
    with scoping.tenant(cast.acme):
        yield cast.olive.membership


def read(membership, metric, window=SPRING, grain=Grain.DAY, **options):
    return series.read(membership, metric, window=window, grain=grain, **options)


def buckets(window, grain):
    """The windows of a period, cut day by day, without the module that is tested."""
    found: list[list[date]] = []
    for day in window.days():
        begins = {Grain.DAY: True, Grain.WEEK: day.weekday() == 0, Grain.MONTH: day.day == 1}[grain]
        if begins or not found:
            found.append([])
        found[-1].append(day)
    return found


def two_places(above, below, times=1):
    if not below:
        return None
    return (Decimal(above) * times / Decimal(below)).quantize(Decimal("0.01"), ROUND_HALF_UP)


# For each metric: its table, the day of a row, which rows stand for all, sums as they are in the rows, ratios, people.
PLAIN = {
    Metric.ENGAGEMENT: (
        UserEngagement,
        lambda row: row["metric_date"],
        lambda row: True,
        {"ai_chat_messages_sent": "ai_chat_messages_sent", "login_count": "login_count", "session_duration_minutes": None},
        {"minutes_per_login": ("session_duration_minutes", "login_count", 1)},
        "active_people",
    ),
    Metric.CHAT: (
        ChatAnalytics,
        lambda row: row["period_start"].date(),
        lambda row: "user_id" not in row,
        dict.fromkeys(
            (
                "total_messages",
                "answers",
                "failed_answers",
                "total_cost",
                "timed_answers",
                "response_milliseconds",
                "rating_sum",
                "total_ratings",
                "helpful_count",
                "unhelpful_count",
            )
        ),
        {
            "average_response_time": ("response_milliseconds", "timed_answers", 1),
            "error_rate": ("failed_answers", "answers", 100),
            "average_rating": ("rating_sum", "total_ratings", 1),
        },
        "unique_users",
    ),
    Metric.FEATURES: (
        FeatureUtilization,
        lambda row: row["metric_date"],
        lambda row: row["user_role"] == "",
        dict.fromkeys(("total_uses", "timed_uses", "duration_seconds", "success_count", "outcome_count")),
        {
            "average_duration_seconds": ("duration_seconds", "timed_uses", 1),
            "success_rate": ("success_count", "outcome_count", 100),
        },
        "",
    ),
    Metric.USAGE: (
        ModelUsage,
        lambda row: row["metric_date"],
        lambda row: True,
        dict.fromkeys(("calls", "failed_calls", "input_tokens", "output_tokens", "cost", "latency_milliseconds")),
        {"average_latency_milliseconds": ("latency_milliseconds", "calls", 1), "error_rate": ("failed_calls", "calls", 100)},
        "",
    ),
}


@pytest.mark.parametrize("grain", Grain)
@pytest.mark.parametrize("metric", PLAIN)
def test_every_figure_is_what_plain_adding_gives(cast, acme, metric, grain):
    model, day_of_row, stands_for_all, sums, ratios, people = PLAIN[metric]
    rows = a_history(cast, SPRING)[model]
    found = read(acme, metric, grain=grain)
    cut = buckets(SPRING, grain)
    assert [[*point.window.days()] for point in found.points] == cut
    for point, days in (*zip(found.points, cut, strict=True), (found.total, [*SPRING.days()])):
        meant = [row for row in rows if day_of_row(row) in days]
        whole = [row for row in meant if stands_for_all(row)]
        added = {name: sum((Decimal(str(row.get(name, 0))) for row in whole), Decimal(0)) for name in sums}
        got = {name: Decimal(point.figures[name]) for name in sums}
        assert got == added, days
        for name, (above, below, times) in ratios.items():
            assert point.figures[name] == two_places(added[above], added[below], times), (name, days)
        if people:
            assert point.figures[people] == len({row["user_id"] for row in meant if "user_id" in row}), days
        assert point.counted == len(days)


def test_people_are_counted_once_in_a_week_and_not_by_adding_days(cast, acme):
    week = Week.of(date(2024, 2, 28))
    counted(cast.acme, week)
    put(UserEngagement, cast.acme, *(engagement(cast.olive.user, day) for day in week.days()), engagement(cast.liam.user, week.first))
    put(UserEngagement, cast.globex, engagement(cast.greta.user, week.first))
    by_week = read(acme, Metric.ENGAGEMENT, week, Grain.WEEK)
    by_day = read(acme, Metric.ENGAGEMENT, week, Grain.DAY)
    assert [point.figures["active_people"] for point in by_week.points] == [2]
    assert [point.figures["active_people"] for point in by_day.points] == [2, 1, 1, 1, 1, 1, 1]
    assert by_day.total.figures["active_people"] == by_week.total.figures["active_people"] == 2
    assert read(acme, Metric.ADOPTION, week, Grain.WEEK).total.figures["active_users_count"] == 2


def test_a_day_that_is_not_counted_has_no_figures_and_one_without_events_has_zero(cast, acme):
    counted(cast.acme, Window(date(2024, 3, 2), date(2024, 3, 4)))
    put(UserEngagement, cast.acme, engagement(cast.olive.user, date(2024, 3, 2)))
    found = read(acme, Metric.ENGAGEMENT, Window(date(2024, 3, 1), date(2024, 3, 4)))
    figures = [point.figures and point.figures["ai_chat_messages_sent"] for point in found.points]
    assert figures == [None, 1, 0]
    assert [point.counted for point in found.points] == [0, 1, 1]
    assert found.total.counted == 2
    before = read(acme, Metric.CHAT, Window(date(2023, 3, 1), date(2023, 3, 4)), compare=True)
    assert (before.total.figures, before.total.counted) == (None, 0)
    assert before.previous.figures is None


def test_a_month_that_is_cut_says_so(cast, acme):
    a_history(cast, SPRING)
    found = read(acme, Metric.CHAT, grain=Grain.MONTH)
    assert [(point.window.first, point.window.length) for point in found.points] == [
        (date(2024, 2, 20), 10),
        (date(2024, 3, 1), 31),
        (date(2024, 4, 1), 2),
    ]


def test_levels_are_those_of_the_last_day_and_what_came_is_added(cast, acme):
    rows = a_history(cast, SPRING)[PlatformAdoption]
    found = read(acme, Metric.ADOPTION, grain=Grain.MONTH)
    last = {row["metric_date"]: row for row in rows}
    for point in found.points:
        assert point.figures["total_employees"] == last[point.window.last]["total_employees"]
        assert point.figures["new_employees"] == sum(last[day]["new_employees_today"] for day in point.window.days())
    assert found.total.figures["subscription_tier"] == "growth"
    assert found.total.figures["total_employees"] == last[SPRING.last]["total_employees"] > rows[0]["total_employees"]


def test_a_kpi_that_cannot_be_known_says_why_and_is_not_zero(cast, acme):
    a_history(cast, SPRING)
    total = read(acme, Metric.IMPACT).total
    assert total.figures["nps_score"] is None
    assert total.reasons == {"nps_score": "Nobody was asked yet."}
    assert total.figures["average_user_satisfaction_score"] == Decimal("4.20")
    put(BusinessImpact, cast.acme, {"metric_date": SPRING.end, "nps_score": Decimal("-12.50"), "reasons": {"nps_score": "Stale."}})
    known = read(acme, Metric.IMPACT, Window(SPRING.first, date(2024, 4, 4))).total
    assert (known.figures["nps_score"], known.reasons) == (Decimal("-12.50"), {})


def test_the_previous_period_is_just_as_long_and_ends_where_this_one_begins(cast, acme):
    a_history(cast, SPRING)
    march = Window(date(2024, 3, 10), date(2024, 3, 20))
    found = read(acme, Metric.USAGE, march, compare=True)
    assert found.previous.window == Window(date(2024, 2, 29), date(2024, 3, 10))
    assert found.previous.figures == read(acme, Metric.USAGE, found.previous.window).total.figures


def test_breakdowns_add_up_to_the_whole(cast, acme):
    a_history(cast, SPRING)
    for metric, by, figure in (
        (Metric.ENGAGEMENT, "user", "ai_chat_messages_sent"),
        (Metric.CHAT, "user", "total_messages"),
        (Metric.USAGE, "model", "cost"),
        (Metric.USAGE, "purpose", "calls"),
        (Metric.FEATURES, "feature", "total_uses"),
        (Metric.FEATURES, "category", "total_uses"),
        (Metric.REPORTS, "type", "reports"),
        (Metric.REPORTS, "status", "failed"),
        (Metric.CHAT, "hour", "total_messages"),
    ):
        rows = series.break_down(acme, metric, window=SPRING, by=by).rows
        assert rows
        assert sum(row.figures[figure] for row in rows) == read(acme, metric).total.figures[figure], (metric, by)


def test_breakdowns_are_named_for_people_and_begin_with_the_most(cast, acme):
    day = Window(date(2024, 3, 5), date(2024, 3, 6))
    counted(cast.acme, day)
    put(UserEngagement, cast.acme, engagement(cast.mona.user, day.first, messages=2), engagement(cast.olive.user, day.first, messages=9))
    put(ModelUsage, cast.acme, usage(day.first, "small", input_tokens=5), usage(day.first, "", input_tokens=9))
    erik, hank = cast.employees["Erik Ek"], cast.strangers["Hank Scorpio"]
    discussed = [{"employeeId": str(erik.pk), "mentionCount": 3}, {"employeeId": str(hank.pk), "mentionCount": 9}]
    put(ChatAnalytics, cast.acme, chat(day.first, most_discussed_employees=discussed, common_topics=[{"topic": "pay", "frequency": 2}]))
    put(ChatAnalytics, cast.acme, chat(day.first, department_id=cast.sales.pk, total_messages=4))

    def names(metric, by):
        return [row.label for row in series.break_down(acme, metric, window=day, by=by).rows]

    assert names(Metric.ENGAGEMENT, "user") == [cast.olive.user.name, cast.mona.user.name]
    assert names(Metric.USAGE, "model") == ["openai", "openai · small"]
    assert names(Metric.CHAT, "employee") == ["Erik Ek"]
    assert names(Metric.CHAT, "topic") == ["pay"]
    assert names(Metric.CHAT, "department") == [cast.sales.name]
    [used] = series.break_down(acme, Metric.ENGAGEMENT, window=day, by="user", limit=1).rows
    assert used.of == {"user": str(cast.olive.user.pk)}
    assert series.break_down(acme, Metric.ENGAGEMENT, window=day, by="user", limit=1).is_whole is False


def test_who_was_erased_is_a_former_member(cast, acme):
    counted(cast.acme, SPRING)
    put(UserEngagement, cast.acme, engagement(cast.mona.user, SPRING.first))
    cast.mona.user.deleted_at = datetime(2024, 5, 1, tzinfo=UTC)
    cast.mona.user.save(update_fields=["deleted_at"])
    [row] = series.break_down(acme, Metric.ENGAGEMENT, window=SPRING, by="user").rows
    assert row.label == "A former member"


def test_people_of_a_feature_are_counted_once_over_days(cast, acme):
    a_history(cast, SPRING)
    rows = {row.of["feature_name"]: row for row in series.break_down(acme, Metric.FEATURES, window=SPRING, by="feature").rows}
    assert rows["ai_consultation"].figures["unique_users"] == 3


def by_user(membership):
    return [row.figures["ai_chat_messages_sent"] for row in series.break_down(membership, Metric.ENGAGEMENT, window=SPRING, by="user").rows]


def test_rows_that_were_read_are_kept_until_something_is_counted_anew_and_series_are_read(cast, acme):
    cache.clear()
    counted(cast.acme, SPRING)
    state = FillState.objects.create(rollup="any", ran_at=datetime(2024, 5, 1, tzinfo=UTC))
    assert by_user(acme) == []
    put(UserEngagement, cast.acme, engagement(cast.olive.user, SPRING.first))
    assert by_user(acme) == []
    assert read(acme, Metric.ENGAGEMENT).total.figures["active_people"] == 1
    state.ran_at = datetime(2024, 5, 2, tzinfo=UTC)
    state.save(update_fields=["ran_at"])
    assert by_user(acme) == [1]
    with scoping.tenant(cast.globex):
        assert by_user(cast.greta.membership) == []


def test_redis_may_be_away(cast, acme, monkeypatch):
    put(UserEngagement, cast.acme, engagement(cast.olive.user, SPRING.first))
    FillState.objects.create(rollup="any", ran_at=datetime(2024, 5, 1, tzinfo=UTC))

    def away(*_, **__):
        raise RedisAway

    monkeypatch.setattr(cache, "get", away)
    assert by_user(acme) == [1]


def test_people_are_told_apart_beyond_eight_and_where_one_is_alone(cast, acme):
    """Whose bit is in another byte than that of anybody else on the day, and who got a number later."""
    users = [accounts.create(f"person-{n}@acme.example", first_name="Person", last_name=str(n)) for n in range(21)]
    monday, tuesday = SPRING.first, SPRING.first + ONE_DAY
    counted(cast.acme, Window(monday, tuesday + ONE_DAY))
    put(UserEngagement, cast.acme, *(engagement(user, monday) for user in users[:20]))
    numbers = dict(PersonNumber.objects.for_tenant(cast.acme).values_list("number", "user_id"))
    assert sorted(numbers) == [*range(20)]
    latest = next(user for user in users if user.pk == numbers[19])
    put(UserEngagement, cast.acme, engagement(latest, tuesday, messages=0), engagement(users[20], tuesday))
    window = Window(monday, tuesday + ONE_DAY)
    found = read(acme, Metric.ENGAGEMENT, window)
    assert [point.figures["active_people"] for point in found.points] == [20, 2]
    assert found.total.figures["active_people"] == 21
    assert [point.figures["unique_users"] for point in read(acme, Metric.FEATURES, window).points] == [20, 1]


def test_what_was_counted_before_there_were_days_is_added_up_as_the_night_does(cast):
    a_history(cast, SPRING)
    migration = importlib.import_module("analytics.migrations.0005_counted_days_are_added_up")
    with scoping.across_tenants("a test looks at the tables"), connection.cursor() as cursor:
        people = list(PersonNumber.across_tenants.order_by("pk").values_list("organization", "user"))
        days = organization_days()
        assert len(days) > 60
        for statement in (*migration.EMPTY, migration.NUMBER, migration.MAKE):
            cursor.execute(statement)
        assert sorted(PersonNumber.across_tenants.values_list("organization", "user")) == sorted(people)
        assert organization_days() == days


def organization_days():
    return {(row.organization_id, row.day): organization_day(row) for row in OrganizationDay.across_tenants.all()}


@pytest.mark.parametrize("metric", Metric)
def test_every_query_uses_an_index(cast, acme, metric, django_assert_max_num_queries):
    """Among so few rows PostgreSQL would read them all; told not to, it has an index for each."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    with django_assert_max_num_queries(8) as asked:
        read(acme, metric, compare=True)
    for by in series.TABLES[metric].by:
        series.break_down(acme, metric, window=SPRING, by=by)
    found = 0
    for query in asked.captured_queries:
        if not any(day in query["sql"] for day in ("metric_date", "period_start", "generation_date", '"day"')):
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Index" in plan and "Seq Scan" not in plan, plan
        found += 1
    assert found


def test_a_window_is_cut_where_days_weeks_and_months_end():
    window = Window(date(2024, 2, 28), date(2024, 3, 6))
    assert window.cut(Week) == [Window(date(2024, 2, 28), date(2024, 3, 4)), Window(date(2024, 3, 4), date(2024, 3, 6))]
    assert window.cut(Month) == [Window(date(2024, 2, 28), date(2024, 3, 1)), Window(date(2024, 3, 1), date(2024, 3, 6))]


def test_reports_are_counted_by_what_became_of_them(cast, acme):
    rows = a_history(cast, SPRING)[ReportGeneration]
    total = read(acme, Metric.REPORTS).total.figures
    failed = sum(row["status"] == "FAILED" for row in rows)
    assert (total["reports"], total["failed"], total["succeeded"]) == (len(rows), failed, len(rows) - failed)
    assert total["failure_rate"] == two_places(failed, len(rows), 100)
    assert total["average_processing_time_seconds"] == Decimal("12.50")
