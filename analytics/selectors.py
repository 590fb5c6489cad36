"""The figures of an organization and of the platform at the end of a day, each defined once; `docs/metrics.md` has them in words.

What was so at the end of a day is read from the history that the database keeps of every row, so that a day counted again gives the same.
All of it goes across organizations: the night's rollups call it inside `scoping.across_tenants`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from analytics.choices import SubscriptionState
from analytics.windows import ONE_DAY, Day, Window

Owner = UUID | None  # an organization, or None for the platform

PERIOD = 30 * ONE_DAY  # what most figures of a day look back on, that day included
QUARTER = 90 * ONE_DAY


def _as_of(table: str, moment: str) -> str:
    """SQL: the rows of a table as they stood at a moment, the parameter of that name. A row that was made with an earlier `created_at` than
    it was written (an import) counts from then on, as it was first written."""
    return f"""(
        SELECT * FROM (
            SELECT DISTINCT ON (pgh_obj_id) *, (pgh_label = 'delete' AND pgh_created_at < %({moment})s) AS is_gone
              FROM {table}_history
             ORDER BY pgh_obj_id, pgh_created_at < %({moment})s DESC,
                      CASE WHEN pgh_created_at < %({moment})s THEN pgh_id END DESC NULLS LAST, pgh_id
        ) latest WHERE created_at < %({moment})s AND NOT is_gone)"""


def _ask(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


# How much there is ---------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Adoption:
    """What there is of an organization, or of the platform, at the end of a day (S4-11…13)."""

    total_organizations: int = 0
    new_organizations_today: int = 0
    total_employees: int = 0
    new_employees_today: int = 0
    total_candidates: int = 0
    new_candidates_today: int = 0
    total_departments: int = 0
    total_branches: int = 0
    active_users_count: int = 0
    reports_generated_total: int = 0
    reports_generated_today: int = 0
    ai_chat_sessions_total: int = 0
    ai_chat_sessions_today: int = 0
    subscription_status: str | None = None
    subscription_tier: str | None = None


SUMMED = tuple(name for name in Adoption.__dataclass_fields__ if not name.startswith(("active", "subscription")))


def adoption(day: Day) -> dict[Owner, Adoption]:
    """Of every organization that there was at the end of the day, and of the platform. Causes eight queries."""
    at = {"since": day.since, "until": day.until, "day": day.first}
    found: dict[Owner, Adoption] = {
        key: Adoption(total_organizations=1, new_organizations_today=int(made >= day.since))
        for key, made in _ask(f"SELECT pgh_obj_id, created_at FROM {_as_of('organizations', 'until')} o", **at)
    }

    def put(sql: str, *names: str) -> None:
        for key, *values in _ask(sql, **at):
            if key in found:
                for name, value in zip(names, values, strict=True):
                    setattr(found[key], name, value)

    new = "count(*) FILTER (WHERE created_at >= %(since)s)"
    put(
        f"SELECT organization_id, count(*) FILTER (WHERE status <> 'left'), {new} FROM {_as_of('employees', 'until')} e GROUP BY 1",
        "total_employees",
        "new_employees_today",
    )
    put(
        f"SELECT organization_id, count(*), {new} FROM {_as_of('candidates', 'until')} c GROUP BY 1",
        "total_candidates",
        "new_candidates_today",
    )
    put(f"SELECT organization_id, count(*) FROM {_as_of('departments', 'until')} d GROUP BY 1", "total_departments")
    put(f"SELECT organization_id, count(*) FROM {_as_of('branches', 'until')} b GROUP BY 1", "total_branches")
    active = "user_engagement_metrics WHERE metric_date = %(day)s AND last_activity_at IS NOT NULL"
    put(f"SELECT organization_id, count(*) FROM {active} GROUP BY 1", "active_users_count")
    put(
        "SELECT organization_id, count(*), count(*) FILTER (WHERE generation_date = %(day)s) FROM report_generation_stats"
        " WHERE generation_date <= %(day)s AND status = 'SUCCESS' GROUP BY 1",
        "reports_generated_total",
        "reports_generated_today",
    )
    put(
        "SELECT organization_id, count(*), count(*) FILTER (WHERE session_date = %(day)s) FROM ai_chat_analytics"
        " WHERE session_date <= %(day)s GROUP BY 1",
        "ai_chat_sessions_total",
        "ai_chat_sessions_today",
    )
    for key, plan, status, ends_at in _ask(
        "SELECT DISTINCT ON (organization_id) organization_id, plan, status, ends_at"
        f" FROM {_as_of('subscriptions', 'until')} s WHERE starts_at < %(until)s"
        " ORDER BY organization_id, starts_at DESC, created_at DESC",
        **at,
    ):
        if key in found:
            found[key].subscription_tier, found[key].subscription_status = plan, _state(status, ends_at, day.until)
    platform = Adoption(**{name: sum(getattr(one, name) for one in found.values()) for name in SUMMED})
    ((platform.active_users_count,),) = _ask(f"SELECT count(DISTINCT user_id) FROM {active}", **at)
    return {**found, None: platform}


def _state(status: str, ends_at: datetime | None, moment: datetime) -> str:
    if status == "cancelled":
        return SubscriptionState.CANCELLED.value
    if ends_at is not None and ends_at <= moment:
        return SubscriptionState.EXPIRED.value
    return (SubscriptionState.TRIAL if status == "trial" else SubscriptionState.ACTIVE).value


# KPIs ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """What a KPI is divided from. Of the platform: the sums."""

    above: Decimal
    below: Decimal


@dataclass(frozen=True)
class Kpi:
    """A KPI's column, what it is times, and the sentence where there is nothing to divide by."""

    column: str
    times: int
    nothing: str


KPIS = (
    Kpi("customer_retention_rate", 100, "No subscription ran when these 30 days began."),
    Kpi("subscription_renewal_rate", 100, "No subscription came to its end in these 30 days."),
    Kpi("average_user_satisfaction_score", 1, "Nobody rated an answer in these 30 days."),
    Kpi("employee_turnover_rate", 100, "There were no employees when these 30 days began."),
    Kpi("hiring_success_rate", 100, "No candidate was hired or rejected in these 30 days."),
    Kpi("time_to_hire_days", 1, "Nobody was hired in these 30 days."),
    Kpi("ai_consultation_satisfaction_rate", 100, "Nobody said of an answer in these 30 days whether it helped."),
    Kpi("quarterly_report_completion_rate", 100, "No quarterly update of a report was begun in these 90 days."),
)

# What these are made of does not exist in Parley.
UNKNOWN = {
    "report_accuracy_rating": "Reports are not rated.",
    "training_recommendation_implementation_rate": "Whether a recommended training took place is not recorded.",
    "cost_per_hire": "What hiring costs is not recorded.",
    "mrr": "What a subscription costs is not recorded.",
    "arr": "What a subscription costs is not recorded.",
    "churn_risk_score": "There is no model of who is about to leave.",
    "nps_score": "Nobody is asked how likely they are to recommend Parley.",
}
COLUMNS = (*(kpi.column for kpi in KPIS), *UNKNOWN)


@dataclass(frozen=True)
class Impact:
    """The KPIs of an organization, or of the platform, at the end of a day: by column, and why one has no value."""

    values: Mapping[str, Decimal | None]
    reasons: Mapping[str, str] = field(default_factory=dict)


_RUNS = "starts_at <= %({0})s AND (ends_at IS NULL OR ends_at > %({0})s) AND status <> 'cancelled'"


def _running(moment: str) -> str:
    return f"SELECT DISTINCT organization_id FROM {_as_of('subscriptions', moment)} s WHERE {_RUNS.format(moment)}"


_RETENTION = f"""
    SELECT b.organization_id, count(a.organization_id), count(*)
      FROM ({_running("since")}) b LEFT JOIN ({_running("until")}) a USING (organization_id) GROUP BY 1"""
_RENEWAL = f"""
    SELECT s.organization_id, count(a.organization_id), count(*)
      FROM {_as_of("subscriptions", "until")} s LEFT JOIN ({_running("until")}) a USING (organization_id)
     WHERE s.ends_at > %(since)s AND s.ends_at <= %(until)s GROUP BY 1"""
_TURNOVER = f"""
    SELECT b.organization_id, count(*) FILTER (WHERE a.status = 'left'), count(*)
      FROM {_as_of("employees", "since")} b LEFT JOIN {_as_of("employees", "until")} a ON a.pgh_obj_id = b.pgh_obj_id
     WHERE b.status <> 'left' GROUP BY 1"""
_HIRING = f"""
    SELECT a.organization_id, count(*) FILTER (WHERE a.stage = 'hired'), count(*)
      FROM {_as_of("candidates", "until")} a LEFT JOIN {_as_of("candidates", "since")} b ON b.pgh_obj_id = a.pgh_obj_id
     WHERE a.stage IN ('hired', 'rejected') AND b.stage IS DISTINCT FROM a.stage GROUP BY 1"""
_TIME_TO_HIRE = f"""
    SELECT a.organization_id, sum(extract(epoch FROM h.hired_at - a.created_at) / 86400), count(*)
      FROM {_as_of("candidates", "until")} a
      JOIN (SELECT pgh_obj_id, min(greatest(pgh_created_at, created_at)) AS hired_at FROM candidates_history
             WHERE stage = 'hired' GROUP BY 1) h ON h.pgh_obj_id = a.pgh_obj_id
     WHERE a.stage = 'hired' AND h.hired_at >= %(since)s AND h.hired_at < %(until)s GROUP BY 1"""
_CHAT = """
    SELECT organization_id, sum({}), sum({}) FROM chat_analytics
     WHERE period_type = 'daily' AND period_start >= %(since)s AND period_start < %(until)s
       AND branch_id IS NULL AND department_id IS NULL AND user_id IS NULL GROUP BY 1"""
_QUARTERLY = """
    SELECT organization_id, count(*) FILTER (WHERE status = 'SUCCESS'), count(*) FROM report_generation_stats
     WHERE is_quarterly_update AND generation_date >= %(first)s AND generation_date < %(end)s GROUP BY 1"""

_PARTS = {
    "customer_retention_rate": _RETENTION,
    "subscription_renewal_rate": _RENEWAL,
    "average_user_satisfaction_score": _CHAT.format("rating_sum", "total_ratings"),
    "employee_turnover_rate": _TURNOVER,
    "hiring_success_rate": _HIRING,
    "time_to_hire_days": _TIME_TO_HIRE,
    "ai_consultation_satisfaction_rate": _CHAT.format("helpful_count", "helpful_count + unhelpful_count"),
    "quarterly_report_completion_rate": _QUARTERLY,
}


def impact(day: Day) -> dict[Owner, Impact]:
    """Of every organization that there was at the end of the day, and of the platform. Causes a query for each KPI, and one."""
    owners: set[Owner] = {key for (key,) in _ask(f"SELECT pgh_obj_id FROM {_as_of('organizations', 'until')} o", until=day.until)}
    parts: dict[str, dict[Owner, Part]] = {}
    for column, sql in _PARTS.items():
        length = QUARTER if column == "quarterly_report_completion_rate" else PERIOD
        window = Window(day.end - length, day.end)
        found = _ask(sql, since=window.since, until=window.until, first=window.first, end=window.end)
        of_each: dict[Owner, Part] = {key: Part(Decimal(above or 0), Decimal(below or 0)) for key, above, below in found if key in owners}
        everybody = Part(sum((one.above for one in of_each.values()), Decimal()), sum((one.below for one in of_each.values()), Decimal()))
        parts[column] = {**of_each, None: everybody}
    return {owner: _impact({column: of_each.get(owner) for column, of_each in parts.items()}) for owner in [*owners, None]}


def _impact(parts: Mapping[str, Part | None]) -> Impact:
    values: dict[str, Decimal | None] = dict.fromkeys(COLUMNS)
    reasons = dict(UNKNOWN)
    for kpi in KPIS:
        part = parts[kpi.column]
        if part is None or not part.below:
            reasons[kpi.column] = kpi.nothing
        else:
            values[kpi.column] = round(part.above * kpi.times / part.below, 2)
    return Impact(values, reasons)
