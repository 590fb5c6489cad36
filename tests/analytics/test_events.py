"""POST /api/v1/events: what pages and programs say that happened, item by item."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from analytics import tracking
from analytics.documents import DashboardInteraction, NotificationInteracted
from config import json
from tenants import origins
from tests.analytics.reading import buffered, events, kept
from tests.api.conftest import signed_in, with_key


@pytest.fixture
def olive(cast):
    return with_key(cast.olive)


def item(**changes):
    return {"client_id": str(uuid.uuid4()), "event_type": "PAGE_VIEW", **changes}


def ahead(**distance):
    return (datetime.now(UTC) + timedelta(**distance)).isoformat()


def refusals(response):
    """(place or field, code) of each error of a refused request."""
    assert response.status_code == 400, response.content
    assert response.json()["type"] == "validation_error"
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def test_one_event_is_kept_whole(cast, olive):
    said = item(
        event_type="BUTTON_CLICK",
        event_action="export",
        event_target="#export",
        metadata={
            "page": "/o/acme/chat/",
            "component": "toolbar",
            "feature": "analytics_viewing",
            "duration": 1.5,
            "success": True,
            "custom_data": {"colour": "teal", "n": 3},
        },
        screen="1280x800",
        timezone="Europe/Oslo",
        timestamp=ahead(minutes=-5),
    )
    response = olive.post("events", said)
    assert (response.status_code, response.json()) == (201, {"accepted": 1, "duplicates": 0, "errors": []})
    (event,) = events(cast.acme)
    assert (event["userId"], event["userRole"], event["clientId"]) == (str(cast.olive.user.pk), "owner", said["client_id"])
    assert (event["eventCategory"], event["eventAction"], event["eventTarget"]) == ("INTERACTION", "export", "#export")
    assert event["eventMetadata"]["customData"] == {"colour": "teal", "n": 3}
    assert (event["deviceInfo"]["screenResolution"], event["geolocation"]["timezone"]) == ("1280x800", "Europe/Oslo")
    assert event["timestamp"] == datetime.fromisoformat(said["timestamp"]).replace(
        microsecond=datetime.fromisoformat(said["timestamp"]).microsecond // 1000 * 1000
    )
    assert "clockSkew" not in event
    assert [row["_id"] for row in buffered(cast.acme)] == [event["_id"]]


def test_a_browser_sends_its_token_and_is_the_session_that_it_is(cast):
    browser = signed_in(cast.olive.user)
    assert browser.post("events", item()).status_code == 201
    assert Client().post("/api/v1/events", json.dumps(item()), content_type="application/json").status_code == 401
    without_token = Client(enforce_csrf_checks=True)
    without_token.force_login(cast.olive.user)
    assert without_token.post("/api/v1/events", json.dumps(item()), content_type="application/json").status_code == 403
    (event,) = events(cast.acme, eventType="PAGE_VIEW")
    assert event["sessionId"] == origins.session_of(browser.client.session.session_key)


def test_the_good_items_of_a_batch_are_kept_once_and_the_bad_ones_named(cast, olive):
    good = [item() for _ in range(3)]
    bad = [
        {**item(), "event_type": "WALKED_AWAY"},
        {**item(), "client_id": {"$ne": None}},
        {**item(), "organization_id": str(cast.globex.pk)},
        {**item(), "user_id": str(cast.greta.user.pk)},
        {**item(), "timestamp": ahead(days=2)},
        {**item(), "timestamp": ahead(days=-91)},
        {**item(), "timestamp": "yesterday"},
        {**item(), "timestamp": "2026-01-01T00:00:00"},
        {**item(), "metadata": {"duration": "long"}},
        {**item(), "metadata": {"custom_data": {"$where": "1"}}},
        {**item(), "metadata": {"custom_data": {"a": {"$gt": ""}}}},
        {**item(), "metadata": {"feature": "teleport"}},
        {"event_type": "PAGE_VIEW"},
        "PAGE_VIEW",
        None,
        {**item(), "log": "secrets"},
        {**item(), "log": {"$ne": 1}},
    ]
    batch = [good[0], *bad, good[1], good[2], good[0]]
    response = olive.post("events", batch)
    assert response.status_code == 207
    answer = response.json()
    assert (answer["accepted"], answer["duplicates"]) == (3, 1)
    assert [(error["index"], error["code"], error["attr"]) for error in answer["errors"]] == [
        (1, "invalid_choice", "event_type"),
        (2, "invalid", "client_id"),
        (3, "unknown", "organization_id"),
        (4, "unknown", "user_id"),
        (5, "in_the_future", "timestamp"),
        (6, "too_old", "timestamp"),
        (7, "invalid", "timestamp"),
        (8, "invalid", "timestamp"),
        (9, "invalid", "metadata.duration"),
        (10, "bad_name", "metadata.custom_data"),
        (11, "bad_value", "metadata.custom_data"),
        (12, "invalid_choice", "metadata.feature"),
        (13, "required", "client_id"),
        (14, "invalid", None),
        (15, "invalid", None),
        (16, "invalid_choice", "log"),
        (17, "invalid_choice", "log"),
    ]
    assert [error["detail"] for error in answer["errors"] if not error["detail"].endswith(".")] == []
    again = olive.post("events", batch).json()
    assert (again["accepted"], again["duplicates"]) == (0, 4)
    assert sorted(event["clientId"] for event in events(cast.acme)) == sorted(one["client_id"] for one in good)
    assert len(buffered(cast.acme)) == 3
    assert events(cast.globex) == []


def test_where_nothing_can_be_kept_the_answer_is_the_usual_one(cast, olive):
    assert refusals(olive.post("events", {**item(), "event_type": "WALKED_AWAY"})) == [("event_type", "invalid_choice")]
    assert refusals(olive.post("events", [{**item(), "event_type": "WALKED_AWAY"}])) == [("0.event_type", "invalid_choice")]
    assert refusals(olive.post("events", [])) == [(None, "empty")]
    assert refusals(olive.post("events", [item()] * 501)) == [(None, "too_many")]
    assert olive.post("events", [item(event_action="x" * 100) for _ in range(499)] + ["x" * 262_144]).status_code == 413
    assert olive.send("POST", "events", b"[{").status_code == 400
    assert olive.get("events").status_code == 405
    assert events(cast.acme) == []


def test_what_mongodb_would_not_take_is_refused_and_the_rest_kept(cast, olive):
    big = item(metadata={"custom_data": {"n": 2**63}})
    zero = item(event_action="a\0b")
    lone = item(metadata={"custom_data": {"a\0b": 1}})
    answer = olive.post("events", [big, item(), zero, lone]).json()
    assert (answer["accepted"], [error["index"] for error in answer["errors"]]) == (1, [0, 2, 3])
    assert len(events(cast.acme)) == 1


def test_a_clock_that_is_ahead_is_kept_as_skew_and_the_event_counts_now(cast, olive):
    assert olive.post("events", item(timestamp=ahead(hours=3))).status_code == 201
    (event,) = events(cast.acme)
    assert event["clockSkew"] == pytest.approx(3 * 3600, abs=5)
    assert abs(event["timestamp"] - event["createdAt"]) < timedelta(seconds=5)


def test_two_people_may_call_different_things_the_same(cast, olive):
    same = item(client_id="1")
    assert olive.post("events", same).json()["accepted"] == 1
    assert with_key(cast.liam).post("events", same).json()["accepted"] == 1
    assert with_key(cast.greta).post("events", same).json()["accepted"] == 1
    assert olive.post("events", same).json()["duplicates"] == 1


def test_what_is_done_with_widgets_and_notifications_has_its_own_logs(cast, olive):
    widget = {
        "log": "dashboard",
        "client_id": "w",
        "dashboard_type": "OWNER_DASHBOARD",
        "interaction_type": "WIDGET_RESIZE",
        "widget_id": "logins",
        "widget_type": "CHART",
        "interaction_data": {"action": "drag", "previous_state": {"width": 1}, "new_state": {"width": 2}, "data_loaded": True},
        "performance_metrics": {"load_time": 12.5, "total_time": 20},
    }
    notified = {
        "log": "notification",
        "client_id": "n",
        "notification_id": str(uuid.uuid4()),
        "notification_type": "REPORT_READY",
        "interaction_type": "CLICKED",
        "delivery_channel": "IN_APP",
        "interaction_data": {"time_to_click": 3},
        "notification_content": {"title": "Ready", "priority": "HIGH"},
    }
    for expected in ((2, 0), (0, 2)):
        answer = olive.post("events", [widget, notified]).json()
        assert (answer["accepted"], answer["duplicates"], answer["errors"]) == (*expected, [])
    (row,) = kept(DashboardInteraction, cast.acme)
    assert row["interactionData"] == {"action": "drag", "previousState": {"width": 1}, "newState": {"width": 2}, "dataLoaded": True}
    assert (row["performanceMetrics"], row["userId"]) == ({"loadTime": 12.5, "totalTime": 20.0}, str(cast.olive.user.pk))
    (row,) = kept(NotificationInteracted, cast.acme)
    assert (row["notificationContent"], row["interactionType"]) == ({"title": "Ready", "priority": "HIGH"}, "CLICKED")
    assert buffered(cast.acme) == []
    assert refusals(olive.post("events", {**notified, "client_id": "m", "notification_id": {"$ne": None}})) == [
        ("notification_id", "invalid")
    ]


def test_what_was_cut_off_between_log_and_buffer_is_made_up_for_by_sending_again(cast, olive, monkeypatch):
    insert = tracking._insert
    monkeypatch.setattr(tracking, "_insert", lambda kind, rows: (set(), set()) if kind.__name__ == "BufferedMetric" else insert(kind, rows))
    said = item()
    olive.post("events", said)
    assert buffered(cast.acme) == []
    monkeypatch.undo()
    assert olive.post("events", said).json()["duplicates"] == 1
    assert len(buffered(cast.acme)) == 1


def test_old_events_are_the_nights(cast, olive):
    assert olive.post("events", item(timestamp=ahead(days=-8))).json()["accepted"] == 1
    assert (len(events(cast.acme)), buffered(cast.acme)) == (1, [])
