"""Three organizations whose logs are made up and whose metric tables are compared with the oracle's."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import pymongo
import pytest
from django.db import connection

from analytics import documents, models
from analytics.services import fill
from chat.documents import Conversation, Message
from config import mongo
from integrations.models import ModelCall
from tenants import scoping
from tenants.choices import Role
from tenants.models import User
from tenants.services import organizations
from tests.analytics import oracle
from tests.cast import Cast, make_cast, make_person

LOGS = (documents.UserActivity, documents.AiChatSession, documents.ReportAccessed, Conversation, Message)
TABLES = (
    models.UserEngagement,
    models.FeatureUtilization,
    models.AiChatAnalytics,
    models.ChatAnalytics,
    models.ModelUsage,
    models.PlatformAdoption,
    models.BusinessImpact,
    models.OrganizationDay,
)
BY_CHANCE = {"id", "analytics_id", "created_at", "updated_at"}
# The columns of the tables in the order in which the oracle gives them, keys first.
ENGAGEMENT = """organization_id user_id login_count session_duration_minutes reports_viewed reports_downloaded ai_chat_messages_sent
    ai_chat_sessions employees_added employees_updated dashboard_visits feature_interactions last_activity_at"""
FEATURES = """organization_id feature_name user_role feature_category total_uses unique_users timed_uses duration_seconds
    average_duration_seconds success_count error_count outcome_count success_rate usage_distribution"""
AI_CHAT = """session_id organization_id user_id message_count total_tokens_used session_duration_seconds query_types
    employee_ids_discussed satisfaction_rating was_helpful feedback_text started_at ended_at"""
USAGE = """organization_id service model purpose calls failed_calls input_tokens cached_input_tokens output_tokens reasoning_tokens
    cost unpriced_calls latency_milliseconds"""
WHY = "across-tenants: a test empties the store"


@dataclass
class Ground:
    """What is counted: who there is, and everything that was logged."""

    cast: Cast
    people: list[tuple[str, str]] = field(default_factory=list)  # (organization, person)
    departments: list[str] = field(default_factory=list)

    def log(self, document: type, entries: list[dict[str, Any]]) -> None:
        """Writes entries; one with a client id that is there already is left out, as `tracking` leaves it out."""
        try:
            mongo.collection(document).insert_many([dict(entry) for entry in entries], ordered=False)
        except pymongo.errors.BulkWriteError as error:
            assert {one["code"] for one in error.details["writeErrors"]} == {11000}, error.details["writeErrors"]

    def call(self, rows: list[dict[str, Any]]) -> None:
        with scoping.across_tenants("a test writes the ledger"):
            ModelCall.across_tenants.bulk_create(ModelCall(**row) for row in rows)

    def empty_tables(self) -> None:
        with scoping.across_tenants("a test empties the tables"), connection.cursor() as cursor:
            for model in (*TABLES, models.FillState):
                cursor.execute(f"DELETE FROM {model._meta.db_table}")

    def empty(self) -> None:
        self.empty_tables()
        with scoping.across_tenants("a test empties the tables"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM raw_data")
        for document in LOGS:
            mongo.collection(document).delete_many({}, comment=WHY)

    def all_of(self, document: type) -> list[dict[str, Any]]:
        return list(mongo.collection(document).find({}, {"_id": 0}, comment=WHY))

    def tables(self) -> dict[str, list[tuple]]:
        """Every metric table as it is, but for what is different each time it is written."""
        with scoping.across_tenants("a test looks at the tables"):
            return {
                model._meta.db_table: sorted(
                    model.across_tenants.values_list(*(f.name for f in model._meta.concrete_fields if f.name not in BY_CHANCE)), key=repr
                )
                for model in TABLES
            }

    # What the oracle says of a day, and what the tables say, in the same shape.

    def expected(self, day: date) -> dict[str, dict]:
        events, sittings = self.all_of(documents.UserActivity), self.all_of(documents.AiChatSession)
        members = {(str(organization), str(user)) for organization in self._organizations() for user in self._users()}
        with scoping.across_tenants("a test looks at the ledger"):
            calls = list(ModelCall.across_tenants.all())
        engagement = oracle.engagement(events, sittings, day, members)
        chat = oracle.chat(self.all_of(Message), self.all_of(Conversation), self.all_of(documents.ReportAccessed), day)
        return {
            "engagement": engagement,
            "features": oracle.features(events, day),
            "ai_chat": oracle.ai_chat(sittings, day, members),
            "chat": chat,
            "organization_days": oracle.organization_days(engagement, chat),
            "usage": oracle.usage(calls, day),
        }

    def counted(self, day: date) -> dict[str, dict]:
        e, f, a, c, u = models.UserEngagement, models.FeatureUtilization, models.AiChatAnalytics, models.ChatAnalytics, models.ModelUsage
        d = models.OrganizationDay
        with scoping.across_tenants("a test looks at the tables"):
            chat = {
                tuple(str(key) if key else None for key in (row.organization_id, row.branch_id, row.department_id, row.user_id)): row
                for row in c.across_tenants.filter(period_start=at(day), period_type="daily")
            }
            names = list(oracle.chat_row([], {}, {}, day))
            return {
                "engagement": keyed(e.across_tenants.filter(metric_date=day), 2, ENGAGEMENT),
                "features": keyed(f.across_tenants.filter(metric_date=day), 3, FEATURES),
                "ai_chat": {
                    key[0]: (str(row[0]), str(row[1]), *row[2:])
                    for key, row in keyed(a.across_tenants.filter(session_date=day), 1, AI_CHAT).items()
                },
                "chat": {key: {name: getattr(row, name) for name in names} for key, row in chat.items()},
                "usage": keyed(u.across_tenants.filter(metric_date=day), 4, USAGE),
                "organization_days": {str(row.organization_id): organization_day(row) for row in d.across_tenants.filter(day=day)},
            }

    def _organizations(self) -> set[str]:
        return {organization for organization, _ in self.people}

    def _users(self) -> list[uuid.UUID]:
        return list(User.objects.values_list("pk", flat=True))


def keyed(rows: Any, length: int, names: str) -> dict:
    return {tuple(map(str, row[:length])): row[length:] for row in rows.values_list(*names.split())}


def organization_day(row: models.OrganizationDay) -> tuple:
    """As the oracle gives it: nine sums, and the people of each sort by their ids."""
    numbers = dict(models.PersonNumber.across_tenants.filter(organization=row.organization_id).values_list("number", "user_id"))

    def people(bits: bytes) -> set[str]:
        return {str(numbers[place]) for place in range(8 * len(bits)) if bits[place // 8] >> place % 8 & 1}

    sums = [getattr(row, name) for name in ENGAGEMENT.split()[2:11]]
    return sums, people(row.engaged), people(row.used), people(row.asked)


def at(day: date, hour: int = 0, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=UTC)


@pytest.fixture
def cast(stores) -> Cast:
    return make_cast()


@pytest.fixture
def ground(stores, monkeypatch) -> Ground:
    monkeypatch.setattr(fill, "FIRST_DAYS", 9)  # the organizations are older than what is logged
    cast = make_cast()
    initech = organizations.create("Initech", slug="initech")
    peter = make_person(initech, "Peter", "Penn", role=Role.OWNER)
    people = [cast.olive, cast.liam, cast.mona, cast.greta, peter]
    return Ground(
        cast=cast,
        people=[(str(person.membership.organization_id), str(person.user.pk)) for person in people],
        departments=[str(cast.sales.pk), str(cast.support.pk)],
    )
