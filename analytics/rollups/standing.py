"""What there is at the end of a day (S4-11…17) and the KPIs (S4-43…62), of each organization and of the platform.

Both are made of tables alone: PostgreSQL's own, with their history, and those that the rollups before have filled.
"""

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Min

from analytics import selectors
from analytics.models import BusinessImpact, PlatformAdoption
from analytics.rollups.base import Rollup, Row, Source
from analytics.windows import Day
from tenants.models import Organization


def adoption_rows(day: Day, found: Mapping[str, Any]) -> list[Row]:
    return [(owner, day.first, *dataclasses.astuple(adoption)) for owner, adoption in selectors.adoption(day).items()]


def impact_rows(day: Day, found: Mapping[str, Any]) -> list[Row]:
    return [
        (owner, day.first, *(impact.values[name] for name in selectors.COLUMNS), json.dumps(impact.reasons))
        for owner, impact in selectors.impact(day).items()
    ]


def first() -> datetime | None:
    return Organization.objects.aggregate(first=Min("created_at"))["first"]


# Each row's history says what was so at the end of a day; nothing is written of a day that is over.
HISTORY = Source(name="history", read=lambda day: None, first=first, changed=lambda since, before: set(), kept_days=729)

ADOPTION = Rollup(
    name="adoption",
    model=PlatformAdoption,
    day_column="metric_date",
    columns=("organization_id", "metric_date", *(field.name for field in dataclasses.fields(selectors.Adoption))),
    sources=(HISTORY,),
    rows=adoption_rows,
    after=("engagement", "ai_chat"),
    reach=None,  # totals of later days count an earlier one's sittings
)

IMPACT = Rollup(
    name="impact",
    model=BusinessImpact,
    day_column="metric_date",
    columns=("organization_id", "metric_date", *selectors.COLUMNS, "reasons"),
    sources=(HISTORY,),
    rows=impact_rows,
    after=("chat",),
    reach=selectors.PERIOD.days,
)
