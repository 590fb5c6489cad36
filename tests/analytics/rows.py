"""Rows of the metric tables, as the night would have written them."""

import random
from datetime import date
from decimal import Decimal

import uuid_utils.compat as uuid
from django.db import transaction

from analytics.models import (
    BusinessImpact,
    ChatAnalytics,
    FeatureUtilization,
    ModelUsage,
    PlatformAdoption,
    ReportGeneration,
    UserEngagement,
)
from analytics.rollups import totals
from analytics.windows import ONE_DAY, Day, Window
from tenants import scoping

FEATURES = {"ai_consultation": "AI_CONSULTATION", "analytics_viewing": "ANALYTICS_VIEWING", "report_generation": "REPORT_GENERATION"}


def put(model, organization, *rows):
    """These rows, each a dict of columns."""
    with scoping.tenant(organization):
        model.objects.for_tenant(organization).bulk_create([model(organization_id=organization.pk, **row) for row in rows])
        if model in (UserEngagement, ChatAnalytics) and rows:
            days = [row["metric_date"] if model is UserEngagement else row["period_start"].date() for row in rows]
            with transaction.atomic():
                totals.renew(Window(min(days), max(days) + ONE_DAY), organization_id=organization.pk)


def counted(organization, window: Window, **columns) -> None:
    """The night has counted these days."""
    put(PlatformAdoption, organization, *({"metric_date": day, **columns} for day in window.days()))


def engagement(user, day: date, *, messages: int = 1, logins: int = 1, minutes: int = 10, **columns) -> dict:
    used = {"ai_consultation": messages} if messages else {}
    return {
        "user_id": user.pk,
        "metric_date": day,
        "ai_chat_messages_sent": messages,
        "login_count": logins,
        "session_duration_minutes": minutes,
        "feature_interactions": used,
        **columns,
    }


def chat(day: date, **columns) -> dict:
    return {"period_start": Day.of(day).since, "period_end": Day.of(day).until, **columns}


def usage(day: date, model: str, **columns) -> dict:
    return {"metric_date": day, "service": "openai", "model": model, "purpose": "consultation", **columns}


def a_history(cast, window: Window, *, seed: int = 7) -> dict[type, list[dict]]:
    """Something of everything for Acme, with days on which nothing was done, and the like for Globex with other numbers. Gives the rows
    of Acme by table, as they were put in."""
    put_in: dict[type, list[dict]] = {}
    for organization, users, chance in (
        (cast.acme, [cast.olive.user, cast.liam.user, cast.mona.user], random.Random(seed)),
        (cast.globex, [cast.greta.user], random.Random(seed + 1)),
    ):
        rows: dict[type, list[dict]] = {
            model: [] for model in (UserEngagement, FeatureUtilization, ChatAnalytics, ModelUsage, ReportGeneration, PlatformAdoption)
        }
        rows[BusinessImpact] = []
        for number, day in enumerate(window.days()):
            rows[PlatformAdoption].append(
                {
                    "metric_date": day,
                    "total_employees": 40 + number // 10,
                    "new_employees_today": int(number % 10 == 0),
                    "total_branches": 2,
                    "total_departments": 3,
                    "active_users_count": 0,
                    "subscription_status": "ACTIVE",
                    "subscription_tier": "growth",
                }
            )
            rows[BusinessImpact].append(
                {
                    "metric_date": day,
                    "average_user_satisfaction_score": Decimal("4.20"),
                    "reasons": {"nps_score": "Nobody was asked yet."},
                }
            )
            if day.weekday() == 6:
                continue  # nobody works on Sundays
            there = [user for user in users if chance.random() < 0.7]
            asked = {user: chance.randrange(1, 12) for user in there}
            for user in there:
                rows[UserEngagement].append(engagement(user, day, messages=asked[user], minutes=chance.randrange(60)))
                rows[ChatAnalytics].append(
                    chat(day, user_id=user.pk, total_messages=2 * asked[user], total_conversations=1, answers=asked[user])
                )
            questions = sum(asked.values())
            failed = chance.randrange(0, 2) if questions else 0
            rows[ChatAnalytics].append(
                chat(
                    day,
                    total_conversations=len(there),
                    total_messages=2 * questions,
                    unique_users=len(there),
                    answers=questions,
                    failed_answers=failed,
                    total_tokens_used=900 * questions,
                    total_cost=Decimal("0.0021") * questions,
                    timed_answers=questions,
                    response_milliseconds=Decimal(1_400) * questions,
                    total_ratings=questions // 4,
                    rating_sum=questions // 4 * 4,
                    helpful_count=questions // 3,
                    unhelpful_count=questions // 9,
                    feature_usage={"employee_specific": len(there), "one_to_one": 1},
                    hourly_messages={"9": questions, "14": questions},
                )
            )
            for name, part in (("model-a", 600), ("=model-b", 300)):
                rows[ModelUsage].append(
                    usage(
                        day,
                        name,
                        calls=questions,
                        failed_calls=failed,
                        input_tokens=part * questions,
                        output_tokens=50 * questions,
                        cost=Decimal("0.001") * questions,
                        latency_milliseconds=700.5 * questions,
                    )
                )
            for name, category in FEATURES.items():
                for role in ("", "owner", "leader"):
                    rows[FeatureUtilization].append(
                        {
                            "feature_name": name,
                            "feature_category": category,
                            "user_role": role,
                            "metric_date": day,
                            "total_uses": questions,
                            "timed_uses": questions,
                            "duration_seconds": Decimal("1.5") * questions,
                            "success_count": max(questions - 1, 0),
                            "outcome_count": questions,
                            "usage_distribution": {"hourly": {"9": questions}, "by_department": {str(cast.sales.pk): questions}},
                        }
                    )
            rows[ReportGeneration].append(
                {
                    "report_id": uuid.uuid7(),
                    "report_type": "QA_QUESTIONNAIRE",
                    "generation_date": day,
                    "processing_time_seconds": Decimal("12.5"),
                    "status": "FAILED" if number % 7 == 0 else "SUCCESS",
                }
            )
        for model, of_model in rows.items():
            put(model, organization, *of_model)
        if organization == cast.acme:
            put_in = rows
    return put_in
