"""Of a person who was erased analytics keeps numbers, and nothing that says who they were or what they said."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from analytics import tasks
from analytics.documents import AiChatSession, DashboardInteraction, NotificationInteracted, ReportAccessed, UserActivity
from analytics.models import AiChatAnalytics, ArchivedMonth
from analytics.services import erasure, retention
from config import mongo
from tenants import scoping
from tenants.services import erasure as people
from tests.cast import make_cast

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
WORDS = "Liam thought so"
LOGS = (UserActivity, DashboardInteraction, ReportAccessed, AiChatSession, NotificationInteracted)


@pytest.fixture
def cast(stores, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return make_cast()


def logged(organization, person) -> None:
    """Something of this person's in every log, each with words of theirs."""
    one = {"organizationId": str(organization.pk), "userId": str(person.user.pk)}
    when = {"timestamp": NOW, "createdAt": NOW}
    where = {"deviceInfo": {"userAgent": WORDS}, "geolocation": {"city": WORDS}}
    metadata = {"feature": "ai_consultation", "customData": {"said": WORDS}, "errorMessage": WORDS}
    insert = {
        UserActivity: one | when | where | {"eventType": "BUTTON_CLICK", "eventMetadata": metadata, "clientId": WORDS},
        DashboardInteraction: one
        | when
        | {
            "dashboardType": "LEADER_DASHBOARD",
            "interactionType": "WIDGET_RESIZE",
            "interactionData": {"newState": {"title": WORDS}, "previousState": {"title": WORDS}},
        },
        ReportAccessed: {
            "organizationId": str(organization.pk),
            "reportId": "r1",
            "reportType": "QA_QUESTIONNAIRE",
            "accessType": "VIEW",
            "accessedBy": {"userId": str(person.user.pk), "userName": WORDS},
        }
        | when
        | where,
        AiChatSession: one
        | {
            "sessionId": f"s-{person.user.pk}",
            "conversationId": "c1",
            **dict.fromkeys(("sessionStarted", "sessionEnded", "createdAt", "updatedAt"), NOW),
            "messages": [],
            "satisfactionFeedback": {"rating": 4.0, "feedbackText": WORDS},
        },
        NotificationInteracted: one
        | when
        | {
            "notificationId": "n1",
            "notificationType": "USER_MENTION",
            "interactionType": "CLICKED",
            "notificationContent": {"message": WORDS},
        },
    }
    for document, value in insert.items():
        mongo.collection(document).insert_one(value)
    with scoping.tenant(organization):
        for ago in (1, 800):
            AiChatAnalytics.objects.for_tenant(organization).create(
                user=person.user,
                session_id=person.user.pk if ago == 1 else person.membership.pk,
                session_date=NOW.date() - timedelta(days=ago),
                satisfaction_rating=4,
                feedback_text=WORDS,
            )


def all_that_is_kept(organization) -> str:
    found = [list(mongo.collection(log).find({"organizationId": str(organization.pk)}, {"_id": 0})) for log in LOGS]
    with scoping.tenant(organization):
        found += [list(AiChatAnalytics.objects.for_tenant(organization).values("user_id", "satisfaction_rating", "feedback_text"))]
    return json.dumps(found, default=str)


def counted(organization) -> int:
    return sum(mongo.collection(log).count_documents({"organizationId": str(organization.pk)}) for log in LOGS)


def test_an_erased_person_is_counted_and_not_known(cast):
    logged(cast.acme, cast.liam)
    logged(cast.acme, cast.mona)
    list(retention.apply(now=NOW))
    people.erase(cast.liam.user)
    tasks.erase_recent()
    kept = all_that_is_kept(cast.acme)
    assert counted(cast.acme) == 10
    assert kept.count(WORDS) == 13, "Mona's stay"
    erasure.erase(str(cast.mona.user.pk))
    kept = all_that_is_kept(cast.acme)
    assert WORDS not in kept
    assert str(cast.liam.user.pk) in kept and '"feature": "ai_consultation"' in kept and '"rating": 4.0' in kept
    assert kept.count("Former member") == 2

    with scoping.tenant(cast.acme):
        archived = ArchivedMonth.objects.for_tenant(cast.acme).get()
        assert retention.restore(archived, now=NOW) == 2
    assert WORDS not in all_that_is_kept(cast.acme)


def test_somebody_whose_erasing_was_broken_off_is_found_again(cast, monkeypatch):
    logged(cast.acme, cast.liam)
    people.erase(cast.liam.user)
    with monkeypatch.context() as broken:
        broken.setattr(erasure, "_empty_file", lambda *_: 1 / 0)
        list(retention.apply(now=NOW))
        with pytest.raises(ZeroDivisionError):
            tasks.erase_recent()
    assert erasure.erase_recent(now=timezone.now()) == 1
    assert WORDS not in all_that_is_kept(cast.acme)
    assert erasure.erase_recent(now=timezone.now() + timedelta(days=3)) == 0
