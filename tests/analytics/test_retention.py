"""What is past its period goes: into files that can be restored to the last digit, or for good; and only that."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from analytics.models import ArchivedMonth, FeatureUtilization, OrganizationDay, PlatformAdoption, UserEngagement
from analytics.rollups import totals
from analytics.services import retention
from analytics.windows import Day
from config import mongo, periods
from tenants import scoping
from tenants.models import RetentionPeriod
from tests.cast import make_cast

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
DAY = timedelta(days=1)
TODAY = NOW.date()


@pytest.fixture
def cast(stores, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return make_cast()


def engaged(organization, person, *, ago: int, logins: int = 1) -> None:
    with scoping.tenant(organization):
        UserEngagement.objects.for_tenant(organization).create(
            user=person.user, metric_date=TODAY - ago * DAY, login_count=logins, feature_interactions={"ai_consultation": logins}
        )


def rows(organization=None) -> list[dict]:
    """Every column of every row of engagement and features that an organization has."""
    found = []
    with scoping.tenant(organization), connection.cursor() as cursor:
        for table in ("user_engagement_metrics", "feature_utilization_metrics"):
            cursor.execute(f"SELECT row_to_json({table})::text FROM {table} ORDER BY id")
            found += [row for (row,) in cursor.fetchall()]
    return found


def applied() -> list[tuple]:
    return [(one.place, one.count, one.month and f"{one.month:%Y-%m}") for one in retention.apply(now=NOW)]


def shorten(cast, name: str, days: int) -> None:
    with scoping.tenant(cast.acme):
        RetentionPeriod.objects.for_tenant(cast.acme).create(kept=name, days=days)


def test_the_table_is_what_was_decided_and_what_is_live(stores):
    """D2, and the indexes that MongoDB has."""
    decided = {
        "idle_conversations": 90,
        "conversations": 365,
        "deleted_conversations": 30,
        "memories": 90,
        "sessions": 90,
        "activity": 90,
        "live_counts": 7,
        "dashboard_interactions": 30,
        "report_access": 180,
        "ai_sessions": 365,
        "notification_interactions": 90,
        "ledger": 730,
        "audit": 3650,
        "chat_analytics": 1825,
        "metrics": 730,
    }
    assert {kept.name: kept.days for kept in periods.TABLE} == decided
    live = {}
    for kept in periods.TABLE:
        for place in kept.documents:
            for index in mongo.database()[place.name].list_indexes():
                if index.get("expireAfterSeconds"):
                    live[kept.name] = index["expireAfterSeconds"]
    assert live == {name: decided[name] * 86_400 for name in live}
    assert live.keys() >= {"activity", "dashboard_interactions", "report_access", "ai_sessions", "notification_interactions"}


def test_every_metric_table_has_its_period(db):
    with_a_day = {
        model._meta.db_table
        for model in ArchivedMonth._meta.apps.get_app_config("analytics").get_models()
        if any(field.name in ("metric_date", "generation_date", "session_date", "period_start") for field in model._meta.fields)
    }
    assert with_a_day == {place.name for kept in periods.TABLE if kept.archived_days for place in kept.tables}


def test_months_past_their_period_are_in_files_and_come_back_to_the_last_digit(cast):
    engaged(cast.acme, cast.olive, ago=800)
    engaged(cast.acme, cast.liam, ago=800, logins=3)
    engaged(cast.acme, cast.olive, ago=729)
    engaged(cast.globex, cast.greta, ago=800)
    with scoping.tenant(cast.acme):
        FeatureUtilization.objects.for_tenant(cast.acme).create(
            feature_name="ai_consultation",
            feature_category="AI_CONSULTATION",
            metric_date=TODAY - 800 * DAY,
            duration_seconds=Decimal("10.123456"),
            timed_uses=3,
        )
    before = rows(cast.acme)
    month = f"{TODAY - 800 * DAY:%Y-%m}"
    wanted = [("user_engagement_metrics", 1, month), ("user_engagement_metrics", 2, month), ("feature_utilization_metrics", 1, month)]
    assert sorted((one.place, one.count, f"{one.month:%Y-%m}") for one in retention.due(now=NOW)) == sorted(wanted)
    assert rows(cast.acme) == before
    assert sorted(applied()) == sorted(wanted)
    assert applied() == []
    assert len(rows(cast.acme)) == 1

    with scoping.tenant(cast.acme):
        archived = list(ArchivedMonth.objects.for_tenant(cast.acme).order_by("table"))
        assert [(one.table, one.rows, one.remove_on) for one in archived] == [
            ("feature_utilization_metrics", 1, TODAY + 5 * 365 * DAY),
            ("user_engagement_metrics", 2, TODAY + 5 * 365 * DAY),
        ]
        assert all(str(cast.acme.pk) in one.path for one in archived)
    out = StringIO()
    call_command("restore_archive", "acme", month, stdout=out)
    assert out.getvalue() == "feature_utilization_metrics: 1 rows came back\nuser_engagement_metrics: 2 rows came back\n"
    assert rows(cast.acme) == before
    call_command("restore_archive", "acme", month, stdout=StringIO())
    assert rows(cast.acme) == before


def test_a_day_of_an_organization_lasts_as_long_as_the_rows_it_is_made_of_and_comes_back_with_them(cast):
    then = TODAY - 800 * DAY
    with scoping.tenant(cast.acme), transaction.atomic():
        engaged(cast.acme, cast.olive, ago=800)
        engaged(cast.acme, cast.liam, ago=800, logins=3)
        totals.renew(Day.of(then), organization_id=cast.acme.pk)

    def found():
        with scoping.tenant(cast.acme):
            days = OrganizationDay.objects.for_tenant(cast.acme).values_list("day", "login_count", "engaged")
            return [(day, logins, int.from_bytes(people).bit_count()) for day, logins, people in days]

    assert found() == [(then, 4, 2)]
    assert applied()
    assert found() == []
    call_command("restore_archive", "acme", f"{then:%Y-%m}", stdout=StringIO())
    assert found() == [(then, 4, 2)]


def test_the_platform_s_own_rows_are_archived_too(cast):
    with scoping.across_tenants("a test"):
        PlatformAdoption.across_tenants.create(organization=None, metric_date=TODAY - 800 * DAY, total_organizations=2)
    assert applied() == [("platform_adoption_metrics", 1, f"{TODAY - 800 * DAY:%Y-%m}")]
    with scoping.across_tenants("a test"):
        assert ArchivedMonth.across_tenants.get().path.startswith("archive/platform/")
        assert not PlatformAdoption.across_tenants.exists()


@pytest.mark.parametrize("after", [False, True])
def test_broken_off_before_or_after_the_rows_are_gone_nothing_is_lost_and_the_next_run_goes_on(cast, after, monkeypatch):
    engaged(cast.acme, cast.olive, ago=800)
    before, really = rows(cast.acme), retention._delete_these

    def broken(place, ids) -> None:
        if after:
            assert really(place, ids) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(retention, "_delete_these", broken)
    with pytest.raises(KeyboardInterrupt):
        applied()
    assert rows(cast.acme) == before
    monkeypatch.undo()
    assert len(applied()) == 1
    call_command("restore_archive", "acme", f"{TODAY - 800 * DAY:%Y-%m}", stdout=StringIO())
    assert rows(cast.acme) == before


def test_a_damaged_file_is_refused(cast):
    engaged(cast.acme, cast.olive, ago=800)
    applied()
    with scoping.tenant(cast.acme):
        path = ArchivedMonth.objects.for_tenant(cast.acme).get().path
    Path(default_storage.path(path)).write_bytes(b"something else")
    with pytest.raises(CommandError, match="checksum differs"):
        call_command("restore_archive", "acme", f"{TODAY - 800 * DAY:%Y-%m}")
    assert rows(cast.acme) == []


def test_files_past_their_period_are_removed(cast):
    engaged(cast.acme, cast.olive, ago=800)
    applied()
    with scoping.tenant(cast.acme):
        archived = ArchivedMonth.objects.for_tenant(cast.acme).get()
        ArchivedMonth.objects.for_tenant(cast.acme).update(remove_on=TODAY)
    assert default_storage.exists(archived.path)
    applied()
    assert not default_storage.exists(archived.path)
    with scoping.tenant(cast.acme):
        assert not ArchivedMonth.objects.for_tenant(cast.acme).exists()


def test_what_an_organization_keeps_for_less_goes_and_others_keep_theirs(cast):
    for organization, person in ((cast.acme, cast.olive), (cast.globex, cast.greta)):
        for ago in (9, 11):
            moment = NOW - ago * DAY
            said = {"organizationId": str(organization.pk), "userId": str(person.user.pk), "eventType": "PAGE_VIEW"}
            mongo.database()["user_activity_logs"].insert_one(said | {"timestamp": moment, "createdAt": moment})
        engaged(organization, person, ago=100)
    shorten(cast, periods.ACTIVITY.name, 10)
    shorten(cast, periods.METRICS.name, 50)
    month = f"{TODAY - 100 * DAY:%Y-%m}"
    out = StringIO()
    with time_machine.travel(NOW):
        call_command("apply_retention", "--dry-run", stdout=out)
    assert "acme user_activity_logs: 1\n" in out.getvalue()
    assert applied() == [("user_activity_logs", 1, None), ("user_engagement_metrics", 1, month)]

    def left(organization):
        return mongo.database()["user_activity_logs"].count_documents({"organizationId": str(organization.pk)})

    assert (left(cast.acme), left(cast.globex)) == (1, 2)
    assert (len(rows(cast.acme)), len(rows(cast.globex))) == (0, 1)


def test_the_ledger_of_an_organization_may_be_shorter(cast):
    with scoping.tenant(cast.acme), connection.cursor() as cursor:
        for ago in (9, 11):
            cursor.execute(
                "INSERT INTO raw_data (organization_id, latency, service, status, outcome, purpose, created_at)"
                " VALUES (%s, 1, 'mock', true, 'answered', 'answer', %s)",
                [cast.acme.pk, NOW - ago * DAY],
            )
    shorten(cast, periods.LEDGER.name, 10)
    assert [(one.place, one.count) for one in retention.due(now=NOW)] == [("raw_data", 1)]
    assert applied() == [("raw_data", 1, None)]


@pytest.mark.parametrize(
    "kept,days,sentence", [("activity", 91, "shortened, not lengthened"), ("nothing", 3, "Nothing is kept by this name")]
)
def test_a_period_is_shortened_and_never_lengthened(cast, kept, days, sentence):
    with pytest.raises(ValidationError, match=sentence):
        RetentionPeriod(organization=cast.acme, kept=kept, days=days).full_clean(exclude=["organization"])


def test_staff_shorten_a_period_in_admin(cast, client):
    client.force_login(cast.sam)
    page = client.get(f"/admin/tenants/organization/{cast.acme.pk}/change/").content.decode()
    assert re.search(r"What people did, event by event\. 90 days for everybody\.", page)
