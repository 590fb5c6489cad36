"""What is recorded: by requests, by announcements, whatever MongoDB does meanwhile."""

import threading
from datetime import UTC, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pymongo.errors import AutoReconnect

from analytics import tracking
from analytics.choices import EventType, ReportAccess, ReportType
from analytics.documents import BufferedMetric, ReportAccessed, UserActivity
from config import mongo
from tenants import origins, scoping
from tenants.choices import Role
from tenants.services import accounts, employees, organizations
from tests.analytics.reading import buffered, events, kept, types
from tests.api.conftest import signed_in, with_key
from tests.cast import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def test_a_page_is_noted_with_who_where_and_from_what(cast):
    client = Client(headers={"User-Agent": FIREFOX}, REMOTE_ADDR="203.0.113.77")
    client.force_login(cast.liam.user)
    client.get("/o/acme/chat/")
    login, view = events(cast.acme)
    assert (login["eventType"], login["eventCategory"]) == ("LOGIN", "NAVIGATION")
    assert view["sessionId"] == login["sessionId"] == origins.session_of(client.session.session_key)
    del login["_id"], view["_id"]
    created = view.pop("createdAt")
    assert timedelta(0) <= created - view.pop("timestamp") < timedelta(seconds=5)
    assert view["eventMetadata"].pop("duration") > 0
    assert view == {
        "organizationId": str(cast.acme.pk),
        "userId": str(cast.liam.user.pk),
        "sessionId": view["sessionId"],
        "eventType": "PAGE_VIEW",
        "eventCategory": "NAVIGATION",
        "eventAction": "GET",
        "eventTarget": "chat:inbox",
        "eventMetadata": {"page": "o/<slug:organization>/chat/", "component": "page", "success": True, "errorMessage": None},
        "userRole": "leader",
        "departmentId": None,
        "deviceInfo": {"type": "desktop", "os": "Linux", "browser": "Firefox", "userAgent": FIREFOX},
        "geolocation": {"ipAddress": "203.0.113.0"},
    }


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:aa:bb:cc::1", "2001:db8:aa::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("", None),
        ("unix", None),
    ],
)
def test_of_an_address_only_its_network_is_kept(address, network):
    assert tracking.truncated(address) == network


def test_what_fails_is_noted_as_failed_and_strangers_are_not(cast):
    browser = signed_in(cast.mona.user)
    browser.client.get("/o/acme/chat/00000000-0000-0000-0000-00000000000a/")
    browser.client.get("/o/globex/chat/")
    browser.client.get("/healthz")
    Client().get("/o/acme/chat/")
    (login, failed) = events(cast.acme)
    assert (login["eventType"], failed["eventType"]) == ("LOGIN", "PAGE_VIEW")
    assert (failed["eventMetadata"]["success"], failed["eventMetadata"]["errorMessage"]) == (False, "HTTP 404")
    assert events(cast.globex) == []


def test_a_key_is_one_session_a_day_and_the_api_says_so(cast):
    program = with_key(cast.olive)
    program.get("me")
    program.get("conversations", {"q": "goals"})
    program.get("conversations", {"status": "archived"})
    program.get("conversations", {"status": "nonsense"})
    found = events(cast.acme)
    assert [event["eventType"] for event in found] == [
        "PAGE_VIEW",
        "PAGE_VIEW",
        "SEARCH_PERFORMED",
        "PAGE_VIEW",
        "FILTER_APPLIED",
        "PAGE_VIEW",
    ]
    assert {event["eventCategory"] for event in found} == {"DATA_ACCESS"}
    assert {event["eventMetadata"]["component"] for event in found} == {"api"}
    assert len({event["sessionId"] for event in found}) == 1
    assert found[-1]["eventMetadata"]["success"] is False


def test_signing_in_and_out_is_noted_in_the_organization_that_it_was_to(cast):
    accounts.add_member(cast.globex, user=cast.olive.user, role=Role.OWNER)
    client = Client()
    client.login(email="olive@acme.example", password=PASSWORD)
    assert (types(cast.acme), types(cast.globex)) == ([], [])  # nobody knows yet to which of the two
    client.get("/o/globex/chat/")
    client.get("/o/acme/chat/")
    client.post("/accounts/logout/")
    assert types(cast.globex) == ["LOGIN", "PAGE_VIEW", "LOGOUT"]
    assert types(cast.acme) == ["PAGE_VIEW"]


def test_what_is_done_to_people_is_noted_by_who_did_it_and_once_it_is_committed(cast):
    program = with_key(cast.olive)
    added = program.post("employees", {"first_name": "Nina", "last_name": "Näs"}).json()
    program.patch(f"employees/{added['id']}", {"job_title": "Lead"})
    program.post("employees", {"first_name": "", "last_name": ""})
    assert types(cast.acme, eventCategory="FEATURE_USE") == ["EMPLOYEE_ADDED", "EMPLOYEE_UPDATED"]
    event = events(cast.acme, eventType="EMPLOYEE_ADDED")[0]
    assert (event["userId"], event["userRole"], event["eventTarget"]) == (str(cast.olive.user.pk), "owner", added["id"])


def test_what_staff_do_in_admin_is_theirs(cast):
    staff = Client()
    staff.force_login(cast.sam)
    response = staff.post("/admin/tenants/department/add/", {"organization": cast.acme.pk, "branch": cast.north.pk, "name": "Night"})
    assert response.status_code == 302, response.content
    place = cast.vera.membership
    form = {"organization": cast.acme.pk, "user": place.user_id, "role": "agent", "is_active": "on"}
    assert staff.post(f"/admin/tenants/membership/{place.pk}/change/", form).status_code == 302
    found = events(cast.acme)
    assert [(event["eventType"], event["userId"], event["userRole"]) for event in found] == [
        ("DEPARTMENT_SETUP", str(cast.sam.pk), None),
        ("USER_MANAGED", str(cast.sam.pk), None),
    ]


def test_what_nobody_did_is_no_event(cast):
    organizations.add_department(cast.north, name="Night")
    with scoping.tenant(cast.acme):
        employees.add(cast.olive.membership, first_name="Nina", last_name="Näs")
    assert events(cast.acme) == []


def test_a_report_that_is_read_is_in_both_logs(cast):
    for access in (ReportAccess.VIEW, ReportAccess.PRINT):
        tracking.report_accessed(
            cast.olive.membership,
            report_id="r-1",
            report_type=ReportType.QA_QUESTIONNAIRE,
            access=access,
            employee_id=cast.employees["Erik Ek"].pk,
        )
    tracking.dashboard_loaded(cast.olive.membership, dashboard="owner")
    assert types(cast.acme) == ["REPORT_VIEW", "DASHBOARD_LOAD"]
    assert [row["accessType"] for row in kept(ReportAccessed, cast.acme)] == ["VIEW", "PRINT"]
    assert [row["metricType"] for row in buffered(cast.acme)] == ["REPORT_GENERATION", "FEATURE_UTILIZATION"]


def test_what_was_noted_while_mongodb_is_away_is_written_when_it_is_back_and_once(cast, monkeypatch):
    insert, away = tracking._insert, threading.Event()
    away.set()

    def insert_if_there(kind, documents):
        if away.is_set() and kind is BufferedMetric:  # it goes away between the two
            raise AutoReconnect("gone")
        return insert(kind, documents)

    monkeypatch.setattr(tracking, "_insert", insert_if_there)
    monkeypatch.setattr(tracking, "PAUSES", (0.01, 0.01))
    for _ in range(3):
        tracking.record(cast.olive.membership, EventType.PAGE_VIEW)
    assert not tracking.flush(timeout=0.3)
    away.clear()
    assert len(events(cast.acme)) == len(buffered(cast.acme)) == 3


def test_beyond_its_bound_the_oldest_are_lost_and_counted(cast, monkeypatch):
    monkeypatch.setattr(tracking, "KEPT", 2)
    monkeypatch.setattr(tracking, "_write_all", lambda batch: (_ for _ in ()).throw(AutoReconnect("gone")))
    lost = tracking.LOST.labels("no room")._value.get()
    for _ in range(10):
        tracking.record(cast.olive.membership, EventType.PAGE_VIEW)
    monkeypatch.undo()
    assert tracking.flush(timeout=15)
    assert tracking.LOST.labels("no room")._value.get() - lost + len(events(cast.acme)) == 10


def test_what_mongodb_refuses_takes_nothing_else_along(cast):
    lost = tracking.LOST.labels("refused")._value.get()
    at = timezone.now().astimezone(UTC)
    for user_id, target in (("a", "one"), ("b", {"$ne": None}), ("c", 2**80), ("d", "four")):
        one = tracking.activity(organization_id=cast.acme.pk, user_id=user_id, event_type="PAGE_VIEW", target=target, timestamp=at)
        tracking.note(one)
    assert [event["userId"] for event in events(cast.acme)] == ["a", "d"]
    assert [row["metricData"]["userId"] for row in buffered(cast.acme)] == ["a", "d"]
    assert tracking.LOST.labels("refused")._value.get() == lost + 2


def test_recording_asks_nothing_of_a_store(cast, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr(tracking, "_write_all", lambda batch: None)
    monkeypatch.setattr(mongo, "collection", lambda document: pytest.fail("a request waits for MongoDB"))
    with django_assert_num_queries(0):
        tracking.record(cast.olive.membership, EventType.PAGE_VIEW)
    assert tracking.flush(timeout=5)


def test_each_document_names_its_own_organization(cast):
    tracking.record(cast.olive.membership, EventType.PAGE_VIEW)
    tracking.record(cast.greta.membership, EventType.PAGE_VIEW)
    assert (len(events(cast.acme)), len(events(cast.globex))) == (1, 1)
    assert UserActivity.for_tenant(cast.acme).count() == 1


def test_opening_the_dashboard_is_noted_as_that_and_being_refused_is_not(cast):
    for person, status in ((cast.olive, 200), (cast.liam, 403)):
        client = Client()
        client.force_login(person.user)
        assert client.get("/o/acme/dashboard/").status_code == status
    (loaded,) = events(cast.acme, eventType="DASHBOARD_LOAD")
    assert (loaded["userId"], loaded["eventTarget"], loaded["eventCategory"]) == (
        str(cast.olive.user.pk),
        "OWNER_DASHBOARD",
        "FEATURE_USE",
    )
