"""The buffer is folded into the live counters: every entry once, whoever dies, however many fold, and to the numbers of the logs."""

import os
import random
import sys
import threading
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pymongo.errors import AutoReconnect

from analytics import live, tasks, tracking
from analytics.choices import EventType, SessionMessageRole
from analytics.documents import AiChatSession, BufferClaim, BufferedMetric, UserActivity
from analytics.services import buffer
from analytics.services.sittings import Said
from config import mongo
from tests import forks
from tests.analytics.reading import buffered, kept

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NONE = dict.fromkeys(live.COUNTERS, 0)

# The failpoints at which a folding process dies here.
BUFFER = {"buffer.claimed", "buffer.kept", "buffer.members", "buffer.folded", "buffer.marked"}


def note(organization, event_type, *, user="u1", session="s1", at=NOON, feature=None):
    entry = tracking.activity(
        organization_id=organization.pk,
        user_id=user,
        event_type=event_type,
        timestamp=at,
        metadata={"feature": feature} if feature else None,
    )
    entry.document["sessionId"] = session
    tracking.note(entry)


def sit(organization, *, user="u1", conversation="c1", at=NOON):
    fields = {"user_role": "owner", "department_id": None, "role": SessionMessageRole.USER, "timestamp": at}
    tracking.note(
        Said(
            organization_id=str(organization.pk),
            conversation_id=conversation,
            user_id=user,
            message_id=f"{conversation}/{user}/{at.isoformat()}",
            **fields,
        )
    )


@pytest.fixture(autouse=True)
def _the_events_are_of_now(monkeypatch):
    """An entry is for the live counters only if it is of the last days."""
    monkeypatch.setattr(tracking, "LIVE", timedelta(days=36_500))


def fold(*, now=NOON):
    assert tracking.flush(timeout=10)
    return buffer.fold(now=now)


def of(organization, day=NOON):
    return live.counters(organization.pk, day=day.date())


def an_hour(cast):
    """Some of everything, in two organizations and on two days."""
    for user, session in (("u1", "s1"), ("u1", "s2"), ("u2", "s3")):
        note(cast.acme, EventType.PAGE_VIEW, user=user, session=session)
    note(cast.acme, EventType.AI_CHAT_MESSAGE)
    note(cast.acme, EventType.AI_CHAT_MESSAGE, user="u2", session=None)
    note(cast.acme, EventType.REPORT_VIEW)
    note(cast.acme, EventType.DASHBOARD_LOAD)
    note(cast.acme, EventType.BUTTON_CLICK, feature="employee_management")
    note(cast.acme, EventType.DASHBOARD_LOAD, at=NOON - timedelta(hours=12, milliseconds=1))
    note(cast.globex, EventType.PAGE_VIEW, user="u9", session="s9")
    sit(cast.acme)
    sit(cast.acme, user="u2")


ACME = {
    "logins": 3,
    "active_users": 2,
    "ai_chat_messages_sent": 2,
    "ai_chat_sessions": 2,
    "reports_viewed": 1,
    "dashboard_visits": 1,
    "feature_uses": 5,
}
ACME_BEFORE = {**NONE, "logins": 1, "active_users": 1, "dashboard_visits": 1, "feature_uses": 1}
GLOBEX = {**NONE, "logins": 1, "active_users": 1}


def everything(cast):
    return of(cast.acme), of(cast.acme, NOON - timedelta(days=1)), of(cast.globex)


def test_each_day_of_each_organization_gets_what_is_its_own(cast):
    an_hour(cast)
    assert fold() == buffer.Folded(entries=12)
    assert everything(cast) == (ACME, ACME_BEFORE, GLOBEX)
    assert {(row["aggregationStatus"], row["aggregatedAt"]) for row in buffered(cast.acme)} == {("AGGREGATED", NOON)}
    assert fold() == buffer.Folded()
    note(cast.acme, EventType.PAGE_VIEW)
    note(cast.acme, EventType.PAGE_VIEW, user="u3", session="s3")
    fold()
    assert of(cast.acme) == {**ACME, "active_users": 3}


def test_the_counters_are_what_the_logs_add_up_to(cast):
    """Two hundred random events and sittings in several folds, counted from the logs in plain Python."""
    chance = random.Random(4)
    for _ in range(4):
        for _ in range(50):
            at = NOON + timedelta(hours=chance.uniform(-30, 11))
            user = f"u{chance.randrange(6)}"
            session = chance.choice([None, f"{user}/{chance.randrange(3)}"])
            feature = chance.choice([None, None, "report_generation"])
            organization = chance.choice([cast.acme, cast.globex])
            note(organization, chance.choice(EventType.values), user=user, session=session, at=at, feature=feature)
            if chance.random() < 0.2:
                sit(organization, user=user, at=at)
        fold()
    expected = defaultdict(Counter)
    for organization in (cast.acme, cast.globex):
        distinct = defaultdict(set)
        for event in kept(UserActivity, organization):
            day = organization.slug, event["timestamp"].date()
            distinct[day, "active_users"].add(event["userId"])
            distinct[day, "logins"].add(event["sessionId"])
            uses = event.get("eventMetadata") or event["eventType"] in FEATURES
            expected[day]["feature_uses"] += bool(uses)
            for name, event_type in live.EVENTS.items():
                expected[day][name] += event["eventType"] == event_type
        for sitting in kept(AiChatSession, organization):
            distinct[(organization.slug, sitting["sessionStarted"].date()), "ai_chat_sessions"].add(sitting["sessionId"])
        for (day, name), members in distinct.items():
            expected[day][name] = len(members - {None})
    assert len(expected) >= 4
    by_slug = {"acme": cast.acme, "globex": cast.globex}
    for (slug, day), counted in expected.items():
        assert live.counters(by_slug[slug].pk, day=day) == {name: counted[name] for name in live.COUNTERS}


FEATURES = {
    "REPORT_VIEW",
    "REPORT_DOWNLOAD",
    "AI_CHAT_MESSAGE",
    "EMPLOYEE_ADDED",
    "EMPLOYEE_UPDATED",
    "DEPARTMENT_SETUP",
    "USER_MANAGED",
    "DASHBOARD_LOAD",
    "NOTIFICATION_CLICKED",
}


@pytest.mark.parametrize("point", [*sorted(BUFFER), "buffer.folded:2"])
def test_whoever_dies_while_folding_counts_nothing_twice_and_loses_nothing(cast, point, tmp_path):
    an_hour(cast)
    tracking.flush(timeout=10)
    output = tmp_path / "output"
    with output.open("wb") as file:
        command = (sys.executable, "-m", "django", "fold_buffer")
        died = forks.start(command, environment={**os.environ, "FAILPOINT": point}, output=file.fileno())
    assert died.wait(60) == -9, output.read_text()
    fold(now=timezone.now())  # the claim is not old enough to be another's
    fold(now=timezone.now() + timedelta(minutes=2))
    assert everything(cast) == (ACME, ACME_BEFORE, GLOBEX)
    assert {row["aggregationStatus"] for row in (*buffered(cast.acme), *buffered(cast.globex))} == {"AGGREGATED"}


def test_a_claim_is_left_alone_for_a_minute(cast):
    an_hour(cast)
    tracking.flush(timeout=10)
    claim = buffer._claim(str(cast.acme.pk), now=NOON)
    assert claim
    assert fold(now=NOON + timedelta(seconds=59)) == buffer.Folded(entries=1)  # Globex's
    assert of(cast.acme) == NONE
    fold(now=NOON + timedelta(seconds=61))
    assert everything(cast) == (ACME, ACME_BEFORE, GLOBEX)


@pytest.mark.parametrize("has_said", [False, True], ids=["before it said of what", "after"])
def test_a_slow_worker_whose_claim_was_taken_over_adds_nothing(cast, has_said):
    an_hour(cast)
    tracking.flush(timeout=10)
    organization_id = str(cast.acme.pk)
    claim = buffer._claim(organization_id, now=NOON)
    found = buffer._found(organization_id)
    if has_said:
        assert buffer._keep(claim, found)
    fold(now=NOON + timedelta(seconds=61))
    assert not buffer._keep(claim, found)
    if has_said:
        for day in found.days:
            buffer._count(claim, day, now=NOON)
        assert buffer._mark(claim, found, now=NOON) == 0
    assert everything(cast) == (ACME, ACME_BEFORE, GLOBEX)


def test_more_than_a_claim_holds_is_folded_by_several(cast, monkeypatch):
    monkeypatch.setattr(buffer, "AT_ONCE", 4)
    an_hour(cast)
    assert fold() == buffer.Folded(entries=12)
    assert everything(cast) == (ACME, ACME_BEFORE, GLOBEX)


def test_a_claim_is_gone_when_it_is_folded(cast):
    an_hour(cast)
    fold()
    assert kept(BufferClaim, cast.acme) == []


def test_several_workers_at_once_fold_each_entry_once(cast):
    folded, rounds = [], 5
    start = threading.Barrier(4)

    def work():
        start.wait()
        for _ in range(rounds):
            folded.append(buffer.fold(now=NOON).entries)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    start.wait()
    for round in range(rounds):
        for n in range(100):
            note(cast.acme, EventType.AI_CHAT_MESSAGE, user=f"u{n}", session=f"s{n}/{round}")
        tracking.flush(timeout=10)
    for worker in workers:
        worker.join()
    folded.append(fold().entries)
    assert sum(folded) == 100 * rounds
    assert of(cast.acme) == {
        **NONE,
        "logins": 100 * rounds,
        "active_users": 100,
        "ai_chat_messages_sent": 100 * rounds,
        "feature_uses": 100 * rounds,
    }


def test_what_fails_is_tried_three_times_and_then_given_up_with_its_reason_until_somebody_tries_again(cast, monkeypatch):
    an_hour(cast)
    count = buffer._count

    def fails(claim, *args, **kwargs):
        if claim.organization_id == str(cast.acme.pk):
            raise ValueError("two and two are five")
        count(claim, *args, **kwargs)

    monkeypatch.setattr(buffer, "_count", fails)
    runs = [fold(now=NOON + n * timedelta(minutes=5)) for n in range(5)]
    assert runs == [buffer.Folded(entries=1), buffer.Folded(), buffer.Folded(failed=11), buffer.Folded(), buffer.Folded()]
    assert {(row["aggregationStatus"], row["reason"]) for row in buffered(cast.acme)} == {("FAILED", "ValueError('two and two are five')")}
    with pytest.raises(CommandError, match="11 entries have failed"):
        call_command("fold_buffer")
    monkeypatch.undo()
    call_command("fold_buffer", retry_failed=True)
    assert everything(cast) == (ACME, ACME_BEFORE, GLOBEX)


def test_where_mongodb_goes_away_in_between_the_next_run_goes_on(cast, monkeypatch):
    an_hour(cast)
    mark = buffer._mark
    monkeypatch.setattr(buffer, "_mark", lambda *args, **kwargs: (_ for _ in ()).throw(AutoReconnect("gone")))
    with pytest.raises(AutoReconnect):
        fold()
    monkeypatch.setattr(buffer, "_mark", mark)
    fold(now=NOON + timedelta(minutes=5))
    assert everything(cast) == (ACME, ACME_BEFORE, GLOBEX)


def test_the_clock_folds_and_the_folded_go_after_a_week(cast):
    note(cast.acme, EventType.PAGE_VIEW, at=timezone.now())
    tracking.flush(timeout=10)
    tasks.fold_buffer()
    assert of(cast.acme, timezone.now())["active_users"] == 1
    indexes = mongo.collection(BufferedMetric).index_information()
    (by_time,) = [index for index in indexes.values() if "expireAfterSeconds" in index]
    assert (by_time["key"], by_time["expireAfterSeconds"]) == ([("aggregatedAt", 1)], 604_800)
