"""What was counted, by day, week or month: the tables of `models.py` as series and as rows.

A declaration says of each metric what is added up and what is divided afterwards, so that no average is ever made of averages. People
over more than a day are counted anew, each once; levels are those of a period's last day. A day that the night has not counted has no
value at all, which is not zero: the night writes a row of adoption for every day of every organization.
"""

import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.core.cache import cache
from django.db import connection, models
from django.db.models import Count, DateField, DecimalField, F, Func, Max, Q, QuerySet, Sum, TextField
from django.db.models.functions import Cast, Trunc
from redis.exceptions import RedisError

from analytics.choices import Grain, Metric, PeriodType, ReportStatus, ReportType
from analytics.features import CATEGORIES
from analytics.models import (
    BusinessImpact,
    ChatAnalytics,
    FeatureUtilization,
    FillState,
    ModelUsage,
    OrganizationDay,
    PlatformAdoption,
    ReportGeneration,
    UserEngagement,
)
from analytics.windows import Day, Month, Week, Window
from chat.choices import ConsultationType
from tenants import access as people
from tenants.choices import Role
from tenants.models import Branch, Department, Membership, Organization, User

LONGEST = 2 * 366 + 31  # days that can be asked for at once
ROWS = 1_000  # of a breakdown in one answer; a file has them all
KEPT_SECONDS = 3_600  # what was read is not read again, until a night or somebody by hand counts anew
KINDS: dict[Grain, type[Day] | type[Week] | type[Month]] = {Grain.DAY: Day, Grain.WEEK: Week, Grain.MONTH: Month}

Figure = int | Decimal | str | None
Figures = dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Point:
    """A day, or what of a week or month is in the period; `figures` is None where none of its days is counted."""

    window: Window
    counted: int  # days
    figures: Figures | None
    reasons: Mapping[str, str] = field(default_factory=dict)  # why a figure is None


@dataclass(frozen=True, slots=True)
class Row:
    """What a breakdown says of one thing: `of` names it by its column, `label` for people."""

    of: Mapping[str, str]
    label: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Series:
    """A metric over a period. `total` is of the whole period, as is `previous` of the one just as long before it."""

    metric: Metric
    window: Window
    grain: Grain
    points: Sequence[Point]
    total: Point
    previous: Point | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A metric's rows over a whole period, by whom or what, the most first; `is_whole` is False where there are more."""

    metric: Metric
    window: Window
    by: str
    rows: Sequence[Row]
    is_whole: bool


# Declarations ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ratio:
    """Divided when everything is added up; two places, None where there is nothing to divide by."""

    above: str
    below: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class People:
    """Who is counted once over a period: whose bit is set in this column of `OrganizationDay`."""

    name: str
    bits: str = "engaged"


@dataclass(frozen=True, slots=True)
class By:
    """A breakdown by these columns, of these rows; or of a map {what: number} or a list of objects that each row holds. `model` and `day`
    are those of the table's rows, where these are not its own."""

    columns: tuple[str, ...] = ()
    model: type[models.Model] | None = None
    day: str = "metric_date"
    where: Q | None = None
    held_in: str = ""
    pair: tuple[str, str] = ("", "")  # of a list's objects: what, and how often
    numbers: str = "uses"  # what a map's or a list's numbers are called


@dataclass(frozen=True, slots=True)
class Table:
    """How a metric is read."""

    model: type[models.Model]
    day: str = "metric_date"
    where: Q = field(default_factory=Q)  # the rows that stand for the whole organization
    sums: Mapping[str, Any] = field(default_factory=dict)
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
    levels: tuple[str, ...] = ()
    people: People | None = None
    most: str = ""  # breakdowns are in the order of this
    by: Mapping[str, By] = field(default_factory=dict)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of all that it says, in order."""
        return (*((self.people.name,) if self.people else ()), *self.sums, *self.ratios, *self.levels)


def _sums(*columns: str) -> dict[str, Sum]:
    return {column: Sum(column) for column in columns}


def _of_status(status: ReportStatus) -> Count:
    return Count("pk", filter=Q(status=status))


# A row of the whole organization, and those of its people, branches and departments.
WHOLE = Q(period_type=PeriodType.DAILY, branch=None, department=None, user=None)
_DAYS = Q(period_type=PeriodType.DAILY)

KPIS = tuple(column.name for column in BusinessImpact._meta.concrete_fields if isinstance(column, DecimalField))

TABLES: dict[Metric, Table] = {
    Metric.ENGAGEMENT: Table(
        OrganizationDay,
        day="day",
        people=People("active_people"),
        sums=_sums(
            *("login_count", "session_duration_minutes", "reports_viewed", "reports_downloaded", "ai_chat_messages_sent"),
            *("ai_chat_sessions", "employees_added", "employees_updated", "dashboard_visits"),
        ),
        ratios={"minutes_per_login": Ratio("session_duration_minutes", "login_count")},
        most="ai_chat_messages_sent",
        by={"user": By(("user_id",), model=UserEngagement)},
    ),
    Metric.ADOPTION: Table(
        PlatformAdoption,
        people=People("active_users_count"),
        sums={
            "new_employees": Sum("new_employees_today"),
            "new_candidates": Sum("new_candidates_today"),
            "reports_generated": Sum("reports_generated_today"),
            "ai_chat_sessions": Sum("ai_chat_sessions_today"),
        },
        levels=(
            *("total_employees", "total_candidates", "total_departments", "total_branches"),
            *("reports_generated_total", "ai_chat_sessions_total", "subscription_status", "subscription_tier"),
        ),
    ),
    Metric.FEATURES: Table(
        FeatureUtilization,
        where=Q(user_role=""),
        people=People("unique_users", "used"),
        sums=_sums("total_uses", "timed_uses", "duration_seconds", "success_count", "error_count", "outcome_count"),
        ratios={
            "average_duration_seconds": Ratio("duration_seconds", "timed_uses"),
            "success_rate": Ratio("success_count", "outcome_count", times=100),
        },
        most="total_uses",
        by={
            "feature": By(("feature_name",)),
            "category": By(("feature_category",)),
            "role": By(("feature_name", "user_role"), where=~Q(user_role="")),
            "hour": By(held_in="usage_distribution__hourly"),
            "department": By(held_in="usage_distribution__by_department"),
        },
    ),
    Metric.REPORTS: Table(
        ReportGeneration,
        day="generation_date",
        sums={
            "reports": Count("pk"),
            "succeeded": _of_status(ReportStatus.SUCCESS),
            "failed": _of_status(ReportStatus.FAILED),
            "waiting": Count("pk", filter=Q(status__in=[ReportStatus.PENDING, ReportStatus.PROCESSING])),
            "auto_generated": Count("pk", filter=Q(is_auto_generated=True)),
            "quarterly_updates": Count("pk", filter=Q(is_quarterly_update=True)),
            "timed_reports": Count("processing_time_seconds"),
            **_sums("processing_time_seconds", "report_size_kb", "ai_tokens_used", "viewed_count", "downloaded_count"),
        },
        ratios={
            "average_processing_time_seconds": Ratio("processing_time_seconds", "timed_reports"),
            "failure_rate": Ratio("failed", "reports", times=100),
        },
        most="reports",
        by={"type": By(("report_type",)), "status": By(("status",))},
    ),
    Metric.IMPACT: Table(BusinessImpact, levels=KPIS),
    Metric.CHAT: Table(
        ChatAnalytics,
        day="period_start",
        where=WHOLE,
        people=People("unique_users", "asked"),
        sums=_sums(
            *("total_conversations", "new_conversations", "total_messages", "conversation_minutes", "answers", "failed_answers"),
            *("retry_count", "total_tokens_used", "total_cost", "unpriced_answers", "timed_answers", "response_milliseconds"),
            *("confident_answers", "confidence_sum", "total_ratings", "rating_sum", "helpful_count", "unhelpful_count"),
            "feedback_comments",
        ),
        ratios={
            "average_messages_per_conversation": Ratio("total_messages", "total_conversations"),
            "average_conversation_duration": Ratio("conversation_minutes", "total_conversations"),
            "average_response_time": Ratio("response_milliseconds", "timed_answers"),
            "average_confidence_score": Ratio("confidence_sum", "confident_answers"),
            "error_rate": Ratio("failed_answers", "answers", times=100),
            "average_rating": Ratio("rating_sum", "total_ratings"),
            "helpful_rate": Ratio("helpful_count", "thumbs", times=100),
        },
        most="total_messages",
        by={
            "user": By(("user_id",), where=_DAYS & Q(user__isnull=False)),
            "department": By(("department_id",), where=_DAYS & Q(department__isnull=False)),
            "branch": By(("branch_id",), where=_DAYS & Q(branch__isnull=False)),
            "type": By(held_in="feature_usage", numbers="total_conversations"),
            "hour": By(held_in="hourly_messages", numbers="total_messages"),
            "employee": By(held_in="most_discussed_employees", pair=("employeeId", "mentionCount"), numbers="mentions"),
            "topic": By(held_in="common_topics", pair=("topic", "frequency"), numbers="mentions"),
            "report": By(held_in="report_access_count", numbers="reports_read"),
        },
    ),
    Metric.USAGE: Table(
        ModelUsage,
        sums=_sums(
            *("calls", "failed_calls", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "cost"), "unpriced_calls"
        )
        | {
            "total_tokens": Sum(F("input_tokens") + F("output_tokens")),
            "latency_milliseconds": Sum(Cast("latency_milliseconds", DecimalField(max_digits=20, decimal_places=3))),
        },
        ratios={
            "average_latency_milliseconds": Ratio("latency_milliseconds", "calls"),
            "error_rate": Ratio("failed_calls", "calls", times=100),
        },
        most="total_tokens",
        by={"model": By(("service", "model")), "purpose": By(("purpose",))},
    ),
}


# Reading -----------------------------------------------------------------------------------------------------------------


def read(membership: Membership, metric: Metric, *, window: Window, grain: Grain, compare: bool = False) -> Series:
    """The metric's series. The membership came through `access.metrics_for`. Causes up to seven queries."""
    organization = membership.organization
    table = TABLES[metric]
    points = _points(organization, table, window, grain)
    previous = None
    if compare:
        before = window.before()
        previous = _total(organization, table, before, _points(organization, table, before, Grain.MONTH))
    return Series(metric, window, grain, points, _total(organization, table, window, points), previous)


def break_down(membership: Membership, metric: Metric, *, window: Window, by: str, limit: int | None = ROWS) -> Breakdown:
    """The metric's rows over the period, at most `limit`. Names are as they are now. `by` is one of the metric's own breakdowns. What was
    added up is kept until something is counted anew: a period's rows of every person are many."""
    organization = membership.organization
    table, asked = TABLES[metric], TABLES[metric].by[by]

    def found() -> list[tuple[dict[str, str], Figures]]:
        return _held(organization, table, asked, by, window) if asked.held_in else _grouped(organization, table, asked, window)

    rows = _kept(f"{organization.pk}:{metric}:{window.first}:{window.end}:by:{by}", found)
    labels = _labels(membership, by, [of for of, _ in rows])
    shown = [Row(of, label, figures) for (of, figures), label in zip(rows, labels, strict=True) if label is not None]
    whole = limit is None or len(shown) <= limit
    return Breakdown(metric, window, by, tuple(shown[:limit]), whole)


def _kept(key: str, read: Callable[[], Any]) -> Any:
    """What `read` gives, or gave since something was last counted. Redis may be away (D7): then it is read."""
    stamp = FillState.objects.aggregate(latest=Max("ran_at"))["latest"]
    if stamp is None:
        return read()
    key = f"metrics:1:{key}:{stamp.timestamp()}"
    try:
        if (kept := cache.get(key)) is not None:
            return kept
    except RedisError:
        return read()
    found = read()
    try:
        cache.set(key, found, KEPT_SECONDS)
    except RedisError:
        pass  # it is read again the next time
    return found


def _rows(organization: Organization, table: Table, window: Window, where: Q | None = None) -> QuerySet[Any]:
    return _within(table.model, organization, table.day, window).filter(table.where if where is None else where)


def _within(model: type[models.Model], organization: Organization, day: str, window: Window) -> QuerySet[Any]:
    first, end = (window.since, window.until) if day == "period_start" else (window.first, window.end)
    rows = model.objects.for_tenant(organization)  # type: ignore[attr-defined]
    return rows.filter(**{f"{day}__gte": first, f"{day}__lt": end}).order_by()


def _points(organization: Organization, table: Table, window: Window, grain: Grain) -> list[Point]:
    windows = window.cut(KINDS[grain])
    counted = _counted(organization, windows)
    figures: dict[int, Figures] = {}
    reasons: dict[int, Mapping[str, str]] = {}
    if table.sums:
        zone = UTC if table.day == "period_start" else None  # a moment, others are dates
        begins = Trunc(table.day, grain.value, output_field=DateField(), tzinfo=zone)
        rows = _rows(organization, table, window).annotate(begins=begins).values("begins").annotate(**_apart(table.sums))
        for row in rows:
            place = _place_of(max(row["begins"], window.first), windows)
            figures[place] = {name: row[f"sum_{name}"] or 0 for name in table.sums}
    if table.levels:
        columns = ("reasons",) if table.model is BusinessImpact else ()
        for row in _rows(organization, table, window).order_by(table.day).values("metric_date", *table.levels, *columns):
            place = _place_of(row.pop("metric_date"), windows)
            reasons[place] = {name: why for name, why in (row.pop("reasons", None) or {}).items() if row.get(name) is None}
            figures.setdefault(place, {}).update(row)
    people = _people(organization, table, windows) if table.people else {}
    found = []
    for place, part in enumerate(windows, 1):
        if counted[place] == 0 and place not in figures:
            found.append(Point(part, 0, None))
            continue
        row = figures.get(place) or dict.fromkeys(table.sums, 0) | dict.fromkeys(table.levels)
        if table.people:
            row[table.people.name] = people.get(place, 0)
        found.append(Point(part, max(counted[place], 1), _derived(table, row), reasons.get(place, {})))
    return found


def _apart(sums: Mapping[str, Any]) -> dict[str, Any]:
    """An annotation may not be called as a column is."""
    return {f"sum_{name}": added for name, added in sums.items()}


def _total(organization: Organization, table: Table, window: Window, points: Sequence[Point]) -> Point:
    """The whole window as one point, from its parts, but for people."""
    parts = [point.figures for point in points if point.figures is not None]
    if not parts:
        return Point(window, 0, None)
    row: Figures = {name: sum(part[name] for part in parts) for name in table.sums}  # type: ignore[misc]
    row |= {name: parts[-1][name] for name in table.levels}
    if table.people:
        row[table.people.name] = _people(organization, table, [window]).get(1, 0)
    last = next(point for point in reversed(points) if point.figures is not None)
    return Point(window, sum(point.counted for point in points), _derived(table, row), last.reasons)


def _counted(organization: Organization, windows: Sequence[Window]) -> Counter[int]:
    """How many days of each window the night has counted."""
    days = _within(PlatformAdoption, organization, "metric_date", Window(windows[0].first, windows[-1].end))
    return Counter(_place_of(day, windows) for day in days.values_list("metric_date", flat=True))


def _place_of(day: date, windows: Sequence[Window]) -> int:
    return bisect.bisect_right(windows, day, key=lambda window: window.end) + 1


def _people(organization: Organization, table: Table, windows: Sequence[Window]) -> dict[int, int]:
    """How many there were in each window, each counted once."""
    assert table.people is not None
    days = _within(OrganizationDay, organization, "day", Window(windows[0].first, windows[-1].end))
    there: dict[int, int] = {}
    for day, bits in days.values_list("day", table.people.bits):
        place = _place_of(day, windows)
        there[place] = there.get(place, 0) | int.from_bytes(bits, "little")
    return {place: everybody.bit_count() for place, everybody in there.items()}


def _numbers(pairs: QuerySet[Any], column: str) -> dict[Any, int]:
    """How many pairs there are of each value of a column."""
    statement, parameters = pairs.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{column}", count(*) FROM ({statement}) AS pairs GROUP BY 1', parameters)
        return dict(cursor.fetchall())


def _derived(table: Table, row: Figures) -> Figures:
    """All figures of a table in their order, with what is divided."""
    thumbs = {"thumbs": row["helpful_count"] + row["unhelpful_count"]} if "helpful_count" in row else {}  # type: ignore[operator]
    known = row | thumbs
    known |= {name: _divided(known, ratio) for name, ratio in table.ratios.items()}
    return {name: known[name] for name in table.figures if name in known}


def _divided(row: Figures, ratio: Ratio) -> Decimal | None:
    above, below = row[ratio.above] or 0, row[ratio.below]
    if not below:
        return None
    return (Decimal(above) * ratio.times / Decimal(below)).quantize(Decimal("0.01"), ROUND_HALF_UP)


# Breakdowns --------------------------------------------------------------------------------------------------------------


class _Keys(Func):
    function = "jsonb_object_keys"
    set_returning = True
    output_field = TextField()


def _grouped(organization: Organization, table: Table, by: By, window: Window) -> list[tuple[dict[str, str], Figures]]:
    found = []
    users: dict[str, int] = {}
    if by.columns == ("feature_name",):
        engaged = _within(UserEngagement, organization, "metric_date", window)
        users = _numbers(engaged.annotate(feature=_Keys("feature_interactions")).values("feature", "user_id").distinct(), "feature")
    rows = _within(by.model, organization, by.day, window) if by.model else _rows(organization, table, window, by.where)
    for row in rows.values(*by.columns).annotate(**_apart(table.sums)):
        of = {column.removesuffix("_id"): str(row[column]) for column in by.columns}
        figures: Figures = {name: row[f"sum_{name}"] or 0 for name in table.sums}
        if users:
            figures["unique_users"] = users.get(of["feature_name"], 0)
        found.append((of, _derived(table, figures)))
    return sorted(found, key=lambda each: (-Decimal(each[1][table.most] or 0), *each[0].values()))


def _held(organization: Organization, table: Table, by: By, name: str, window: Window) -> list[tuple[dict[str, str], Figures]]:
    """What rows hold as maps or lists, added up."""
    total: Counter[str] = Counter()
    for held in _rows(organization, table, window).values_list(by.held_in, flat=True):
        pairs: Iterable[tuple[Any, Any]] = (
            ((each.get(by.pair[0]), each.get(by.pair[1])) for each in held or () if isinstance(each, dict))
            if by.pair[0]
            else (held or {}).items()
        )
        for what, number in pairs:
            total[str(what)] += int(number or 0)
    ordered = sorted(total.items(), key=lambda each: (int(each[0]),) if name == "hour" else (-each[1], each[0]))
    return [({name: what}, {by.numbers: number}) for what, number in ordered if number or name == "hour"]


def _labels(membership: Membership, by: str, keys: Sequence[Mapping[str, str]]) -> list[str | None]:
    """What to call these for people; None for whom this member may not see."""
    organization = membership.organization
    if by == "user":
        users = User.objects.in_bulk([of["user"] for of in keys])
        names = {str(pk): user.name for pk, user in users.items() if user.deleted_at is None}
        return [names.get(of["user"], "A former member") for of in keys]
    if by == "employee":
        seen = {str(employee.pk): employee.name for employee in people.employees_for(membership).filter(pk__in=[of[by] for of in keys])}
        return [seen.get(of[by]) for of in keys]
    if by in ("branch", "department"):
        model: type[Branch] | type[Department] = Branch if by == "branch" else Department
        places = model.objects.for_tenant(organization).in_bulk([of[by] for of in keys])
        names = {str(pk): place.name for pk, place in places.items()}
        return [names.get(of[by], "A former one") for of in keys]
    return [" · ".join(_said(column, value) for column, value in of.items() if value) or "Unknown" for of in keys]


def _said(column: str, value: str) -> str:
    words: dict[str, Callable[[str], str]] = {
        "feature_name": lambda name: str(CATEGORIES[name].label) if name in CATEGORIES else name,
        "user_role": lambda role: str(Role(role).label),
        "report_type": lambda kind: str(ReportType(kind).label),
        "status": lambda status: str(ReportStatus(status).label),
        "hour": lambda hour: f"{int(hour):02}:00",
        "type": lambda kind: str(ConsultationType(kind).label) if kind in ConsultationType.values else kind,
    }
    return words.get(column, str)(value)
