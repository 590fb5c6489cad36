"""The metric tables are what the oracle makes of the same logs, whatever happens on the way to them."""

import itertools
import random
import threading
import uuid
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from bson import Decimal128
from django.db import connection, connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics.choices import EventType, ReportType
from analytics.documents import AiChatSession, ReportAccessed, UserActivity
from analytics.models import FillState, PlatformAdoption
from analytics.rollups import events as columns
from analytics.rollups.registry import ROLLUPS
from analytics.services import fill
from analytics.windows import ONE_DAY, Window
from chat.documents import Conversation, Message
from tenants import scoping
from tenants.choices import Role
from tenants.models import RetentionPeriod
from tests.analytics.conftest import Ground, at

DAYS = 3
# A leap day, the ends of months and of a year, and days that are 23 and 25 hours long where some tenants live.
FIRSTS = {
    "leap day": date(2028, 2, 28),
    "end of a month": date(2027, 4, 29),
    "end of a year": date(2026, 12, 30),
    "Europe's shortest day": date(2027, 3, 27),
    "Europe's longest day": date(2027, 10, 30),
    "America's shortest day": date(2027, 3, 13),
}
ZONES = ("UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")  # which the persons live in


def examples(number: int) -> settings:
    return settings(
        max_examples=number,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


# Where a day begins or ends, in UTC and in those zones, one counts wrong more easily than elsewhere.
minutes = st.integers(0, DAYS * 1440 - 1) | st.sampled_from([0, 1439, 1440, 2879, 2880, 1380, 1500, 59, 60, 61, 419, 420, 1755])
delays = st.sampled_from([0, 0, 0, 1, 600, 1440, 3000, -300])  # minutes until it was written; below 0, a clock was ahead
maybe = lambda values: st.none() | values  # noqa: E731

an_event = st.fixed_dictionaries(
    {
        "person": st.integers(0, 4),
        "session": maybe(st.integers(0, 2)),
        "type": st.sampled_from(EventType.values),
        "feature": maybe(st.sampled_from([*columns.FEATURES, "no such feature"])),
        "role": maybe(st.sampled_from(Role.values)),
        "department": maybe(st.integers(0, 1)),
        "duration": maybe(st.sampled_from([0, 1, 2.5, 0.333333, 86_400.0, 1e300, -3.0])),
        "success": maybe(st.booleans()),
        "minute": minutes,
        "delay": delays,
        "client": st.integers(0, 30),  # the same twice is the same event, sent twice
    }
)
a_sitting = st.fixed_dictionaries(
    {
        "person": st.integers(0, 4),
        "minute": minutes,
        "lasts": st.integers(0, 90),
        "delay": st.sampled_from([0, 60, 2000]),
        "messages": st.integers(0, 9),
        "types": st.lists(st.sampled_from(["promotion_readiness", "team_formation", None]), max_size=3),
        "rating": maybe(st.integers(1, 5)),
        "helpful": maybe(st.booleans()),
    }
)
a_message = st.fixed_dictionaries(
    {
        "person": st.integers(0, 4),
        "conversation": st.integers(0, 2),
        "answer": st.booleans(),
        "status": st.sampled_from(["sent", "sent", "sent", "error", "interrupted", "cancelled", "pending"]),
        "minute": minutes,
        "delay": st.sampled_from([0, 0, 2000]),
        "attempt": st.integers(1, 3),
        "cost": maybe(st.sampled_from(["0.0000000001", "0.02", "1"])),
        "seconds": maybe(st.sampled_from([1200.5, 300, 0.125])),
        "confidence": maybe(st.sampled_from([0.1, 0.25, 0.9])),
        "rating": maybe(st.integers(1, 5)),
        "helpful": maybe(st.booleans()),
        "mentions": st.lists(st.sampled_from(["e1", "e2", "e3"]), max_size=2),
        "imported": st.sampled_from([False, False, False, True]),
    }
)
a_call = st.fixed_dictionaries(
    {"person": st.integers(0, 4), "minute": minutes, "answered": st.booleans(), "cost": maybe(st.sampled_from(["0.01", "0.0000000003"]))}
)
a_reading = st.fixed_dictionaries({"person": st.integers(0, 4), "minute": minutes, "type": st.sampled_from(ReportType.values)})
histories = st.fixed_dictionaries(
    {
        "first": st.sampled_from(list(FIRSTS.values())),
        "events": st.lists(an_event, min_size=1, max_size=40),
        "sittings": st.lists(a_sitting, max_size=6),
        "messages": st.lists(a_message, max_size=15),
        "calls": st.lists(a_call, max_size=4),
        "readings": st.lists(a_reading, max_size=3),
    }
)
numbers = itertools.count(1)


def entries(ground: Ground, history: dict) -> list[tuple[datetime, type, dict]]:
    """What is written, with the moment when it is, in that order."""
    first, written = at(history["first"]), []

    def moment(minute: int) -> datetime:
        return first + timedelta(minutes=minute, milliseconds=minute * 7 % 1000)

    for one in history["events"]:
        organization, user = ground.people[one["person"]]
        when = moment(one["minute"])
        event = {
            "organizationId": organization,
            "userId": user,
            "sessionId": None if one["session"] is None else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{user} {one['session']}")),
            "eventType": one["type"],
            "userRole": one["role"],
            "departmentId": None if one["department"] is None else ground.departments[one["department"]],
            "eventMetadata": {"feature": one["feature"], "duration": one["duration"], "success": one["success"]},
            "geolocation": {"timezone": ZONES[one["person"]]},
            "clientId": f"c{one['client']}",
            "timestamp": when.astimezone(ZoneInfo(ZONES[one["person"]])),
            "createdAt": when + timedelta(minutes=one["delay"]),
        }
        if one["minute"] % 5 == 0:
            del event["eventMetadata"], event["userRole"]
        if one["minute"] % 7 == 0 and event["sessionId"]:
            event["sessionId"] = f"s{one['session']}"  # not a UUID: counted all the same
        written.append((event["createdAt"], UserActivity, event))
    for one in history["sittings"]:
        organization, user = ground.people[one["person"]]
        when = moment(one["minute"])
        ended = when + timedelta(minutes=one["lasts"])
        sitting = {
            "organizationId": organization,
            "sessionId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"sitting {next(numbers)}")),
            "conversationId": "c",
            "userId": user,
            "sessionStarted": when,
            "sessionEnded": ended,
            "messages": [
                {"messageId": "m", "role": "USER", "timestamp": when, "metadata": {"queryType": type} if type else None}
                for type in one["types"]
            ],
            "sessionMetrics": {"totalMessages": one["messages"], "totalTokens": one["messages"] * 7, "employeesDiscussed": []},
            "sessionContext": {"queryType": one["types"][0] if one["types"] else None},
            "satisfactionFeedback": {"rating": one["rating"], "wasHelpful": one["helpful"]},
            "createdAt": when,
            "updatedAt": ended + timedelta(minutes=one["delay"]),
        }
        written.append((sitting["updatedAt"], AiChatSession, sitting))
    for place in {(one["person"], one["conversation"]) for one in history["messages"]}:
        conversation = {
            "conversationId": f"conversation {place}",
            "organizationId": ground.people[place[0]][0],
            "userId": ground.people[place[0]][1],
            "kind": "api" if place[1] == 2 else "assistant",
            "type": "team_formation",
            "title": "t",
            "status": "active",
            "context": {"userIntent": f"intent {place[1]}"},
            "lastMessageAt": first,
            "createdAt": first + timedelta(days=place[0] - 1),
            "updatedAt": first,
        }
        written.append((first - ONE_DAY, Conversation, conversation))
    for seq, one in enumerate(history["messages"], start=1):
        organization, user = ground.people[one["person"]]
        when = moment(one["minute"])
        took = {"tokensUsed": 10, "responseTime": one["seconds"], "confidenceScore": one["confidence"]}
        took = {name: value for name, value in took.items() if name != "responseTime" or value is not None}
        took["cost"] = None if one["cost"] is None else Decimal128(one["cost"])
        message = {
            "messageId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"message {next(numbers)}")),
            "conversationId": f"conversation {(one['person'], one['conversation'])}",
            "organizationId": organization,
            "seq": seq,
            "role": "assistant" if one["answer"] else "user",
            "content": "x",
            "contentType": "text",
            "status": one["status"] if one["answer"] else "sent",
            "departmentId": ground.departments[0] if one["person"] == 2 else None,
            "branchId": str(ground.cast.north.pk) if one["person"] in (1, 2) else None,
            "attempt": one["attempt"],
            "createdAt": when,
            "updatedAt": when + timedelta(minutes=one["delay"]),
        }
        if not one["imported"]:
            message["userId"] = user
        if one["answer"]:
            message["aiResponseMetadata"] = took
            message["feedback"] = {"rating": one["rating"], "isHelpful": one["helpful"], "comment": "so" if one["rating"] == 3 else None}
            message["referencedEmployees"] = [{"employeeId": name} for name in one["mentions"]]
        written.append((message["updatedAt"], Message, message))
    for one in history["readings"]:
        organization, user = ground.people[one["person"]]
        when = moment(one["minute"])
        reading = {
            "organizationId": organization,
            "reportId": "r",
            "reportType": one["type"],
            "accessedBy": {"userId": user},
            "departmentId": ground.departments[1] if organization == str(ground.cast.acme.pk) else None,
            "accessType": "VIEW",
            "timestamp": when,
            "createdAt": when,
        }
        written.append((when, ReportAccessed, reading))
    for one in history["calls"]:
        when = moment(one["minute"])
        call = {
            "organization_id": uuid.UUID(ground.people[one["person"]][0]),
            "service": "openai",
            "model": "m",
            "purpose": "answer",
            "status": one["answered"],
            "outcome": "answered" if one["answered"] else "failed",
            "latency": 12.5,
            "input_tokens": 3,
            "output_tokens": None,
            "expected_cost": one["cost"] and Decimal(one["cost"]),
            "created_at": when.astimezone(ZoneInfo(ZONES[one["person"]])),
        }
        written.append((when, dict, call))
    return sorted(written, key=lambda one: one[0])


def write(ground: Ground, written: list[tuple[datetime, type, dict]]) -> None:
    of_each = defaultdict(list)
    for _, kind, entry in written:
        of_each[kind].append(entry)
    ground.call(of_each.pop(dict, []))
    for document, documents in of_each.items():
        ground.log(document, documents)


def night_after(day: date) -> datetime:
    return at(day + ONE_DAY, 2)


def check(ground: Ground, first: date, days: int) -> None:
    for day in Window(first, first + days * ONE_DAY).days():
        counted, expected = ground.counted(day), ground.expected(day)
        for table in expected:
            assert counted[table].keys() == expected[table].keys(), table
            for key, row in expected[table].items():
                assert counted[table][key] == row, (table, day, key)


def check_totals(first: date, days: int) -> None:
    """What the platform's row of a day says is what its organizations' rows say together."""
    with scoping.across_tenants("a test looks at the tables"):
        rows = PlatformAdoption.across_tenants.filter(metric_date__gte=first, metric_date__lt=first + days * ONE_DAY)
        of_day = defaultdict(list)
        for row in rows.exclude(organization=None):
            of_day[row.metric_date].append(row)
        platform = {row.metric_date: row for row in rows.filter(organization=None)}
    assert platform.keys() == of_day.keys() == set(Window(first, first + days * ONE_DAY).days())
    for day, total in platform.items():
        for name in SUMS:
            assert getattr(total, name) == sum(getattr(one, name) for one in of_day[day]), (name, day)


SUMS = ("total_organizations", "total_departments", "total_branches", "ai_chat_sessions_total", "active_users_count")


def night_by_night(ground: Ground, written: list[tuple[datetime, type, dict]], window: Window, monkeypatch) -> datetime:
    """Each night of a window after what was written until then; the last night."""
    monkeypatch.setattr(fill, "FIRST_DAYS", 1)
    for day in window.days():
        night = night_after(day)
        write(ground, [one for one in written if one[0] < night])
        written = [one for one in written if one[0] >= night]
        fill.catch_up(now=night)
    assert not written
    monkeypatch.setattr(fill, "FIRST_DAYS", window.length)
    return night


@examples(2)
@given(history=histories)
def test_night_by_night_at_once_and_again_the_tables_are_the_oracle_s(ground, monkeypatch, history):
    ground.empty()
    first = history["first"]
    window = Window(first, first + (DAYS + 4) * ONE_DAY)  # by then everything late has come
    night = night_by_night(ground, entries(ground, history), window, monkeypatch)
    check(ground, first, window.length)
    check_totals(first, window.length)
    nightly = ground.tables()
    fill.refill(Window(first + ONE_DAY, first + 2 * ONE_DAY), now=night)
    assert ground.tables() == nightly
    ground.empty_tables()
    fill.catch_up(now=night)
    assert ground.tables() == nightly


@pytest.mark.parametrize("first", FIRSTS.values(), ids=FIRSTS)
def test_whatever_the_calendar_the_tables_are_the_oracle_s(ground, monkeypatch, first):
    monkeypatch.setattr(fill, "FIRST_DAYS", DAYS + 1)

    @examples(4)
    @given(history=histories)
    def holds(history):
        ground.empty()
        write(ground, entries(ground, {**history, "first": first}))
        fill.catch_up(now=night_after(first + DAYS * ONE_DAY))
        check(ground, first, DAYS)
        check_totals(first, DAYS)

    holds()


def a_month(seed: int) -> dict:
    """Thirty days over the end of a month and Europe's longest day, with late, early, double and empty-handed events."""
    chance = random.Random(seed)
    return {
        "first": date(2027, 10, 10),
        "events": [
            {
                "person": chance.randrange(5),
                "session": chance.choice([None, 0, 1, 2]),
                "type": chance.choice(EventType.values),
                "feature": chance.choice([None, *columns.FEATURES]),
                "role": chance.choice([None, *Role.values]),
                "department": chance.choice([None, 0, 1]),
                "duration": chance.choice([None, 0, 2.5]),
                "success": chance.choice([None, True, False]),
                "minute": chance.randrange(25 * 1440),
                "delay": chance.choice([0] * 30 + [600, 1440, 3000, -300]),
                "client": chance.randrange(500),
            }
            for _ in range(400)
        ],
        "sittings": [
            {
                "person": chance.randrange(5),
                "minute": chance.randrange(25 * 1440),
                "lasts": chance.randrange(90),
                "delay": chance.choice([0] * 9 + [2000]),
                "messages": 3,
                "types": ["team_formation"],
                "rating": chance.choice([None, 1, 5]),
                "helpful": chance.choice([None, True]),
            }
            for _ in range(30)
        ],
        "messages": [
            {
                "person": chance.randrange(5),
                "conversation": chance.randrange(3),
                "answer": number % 2 == 1,
                "status": chance.choice(["sent", "error"]),
                "minute": chance.randrange(25 * 1440),
                "delay": chance.choice([0] * 19 + [2000]),
                "attempt": 1,
                "cost": "0.02",
                "seconds": 300,
                "confidence": 0.9,
                "rating": chance.choice([None, 4]),
                "helpful": None,
                "mentions": ["e1"],
                "imported": False,
            }
            for number in range(60)
        ],
        "calls": [
            {"person": chance.randrange(5), "minute": chance.randrange(25 * 1440), "answered": number % 5 > 0, "cost": "0.01"}
            for number in range(30)
        ],
        "readings": [{"person": 0, "minute": chance.randrange(25 * 1440), "type": "PERSONALITY_ROLE"} for _ in range(5)],
    }


def test_thirty_nights_fill_the_tables_as_one_backfill_does(ground, monkeypatch):
    history = a_month(seed=30)
    window = Window(history["first"], history["first"] + 30 * ONE_DAY)
    night = night_by_night(ground, entries(ground, history), window, monkeypatch)
    check(ground, window.first, window.length)
    check_totals(window.first, window.length)
    nightly = ground.tables()
    ground.empty_tables()
    assert fill.catch_up(now=night) == window.length * len(ROLLUPS)
    assert ground.tables() == nightly


A_HISTORY = {
    "first": date(2028, 2, 28),
    "events": [
        {
            "person": n % 5,
            "session": n % 3,
            "type": EventType.values[n % len(EventType.values)],
            "feature": None,
            "role": Role.values[n % 5],
            "department": n % 2,
            "duration": 1.5,
            "success": n % 2 == 0,
            "minute": n * 97 % (DAYS * 1440),
            "delay": 0,
            "client": n,
        }
        for n in range(60)
    ],
    "sittings": [
        {"person": 0, "minute": 100, "lasts": 5, "delay": 0, "messages": 4, "types": ["team_formation"], "rating": 4, "helpful": True}
    ],
    "messages": [
        {
            "person": 2,
            "conversation": 0,
            "answer": n % 2 == 1,
            "status": "sent",
            "minute": 100 + n,
            "delay": 0,
            "attempt": 1,
            "cost": "0.02",
            "seconds": 300,
            "confidence": 0.9,
            "rating": 5,
            "helpful": True,
            "mentions": ["e1"],
            "imported": False,
        }
        for n in range(4)
    ],
    "calls": [{"person": 0, "minute": 200, "answered": True, "cost": "0.01"}],
    "readings": [{"person": 0, "minute": 300, "type": "PERSONALITY_ROLE"}],
}
LAST = A_HISTORY["first"] + (DAYS - 1) * ONE_DAY
NIGHT = night_after(LAST)


@pytest.fixture
def history(ground, monkeypatch):
    monkeypatch.setattr(fill, "FIRST_DAYS", DAYS)
    write(ground, entries(ground, A_HISTORY))
    return ground


class Killed(BaseException):
    """The process is gone."""


def killed_at(statement: int):
    left = itertools.count()

    def wrapper(execute, sql, params, many, context):
        found = execute(sql, params, many, context)
        if next(left) == statement:
            raise Killed
        return found

    return connection.execute_wrapper(wrapper)


def test_killed_after_every_statement_and_run_again_the_tables_are_the_same(history, monkeypatch):
    """Where a kill left what the one before it left, the next run is killed a statement later; where more was left than that, it goes
    on from there. So every statement of every run is the last of one, and each goes on from what its predecessors left."""
    monkeypatch.setattr(fill, "FIRST_DAYS", 2)
    fill.catch_up(now=NIGHT)
    whole = history.tables()
    history.empty_tables()
    left, statement, kills = states(), 0, 0
    while True:
        try:
            with killed_at(statement):
                fill.catch_up(now=NIGHT)
            break  # it ended before that statement
        except Killed:
            kills += 1
        statement = statement + 1 if (now := states()) == left else 0
        left = now
    assert history.tables() == whole
    assert kills > 2 * len(ROLLUPS)


def states() -> list[tuple]:
    """Every transaction of a run moves one of these."""
    return sorted(FillState.objects.values_list("rollup", "filled_until", "seen_until", "ran_at", "rows", "error"))


def test_two_at_once_give_the_same_tables(history):
    fill.catch_up(now=NIGHT)
    whole, failures = history.tables(), []
    history.empty_tables()

    def run():
        try:
            fill.catch_up(now=NIGHT)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert history.tables() == whole


def test_what_is_written_during_a_run_is_counted_by_the_next(history):
    event = next(entry for _, kind, entry in entries(history, A_HISTORY) if kind is UserActivity)
    late = {**event, "eventType": "REPORT_VIEW", "clientId": "late", "timestamp": at(LAST, 5), "createdAt": NIGHT + timedelta(seconds=1)}

    def tell(filled):
        if filled.rollup == "features" and filled.day == LAST:
            history.log(UserActivity, [late])

    fill.catch_up(now=NIGHT, tell=tell)
    assert history.counted(LAST)["engagement"] != history.expected(LAST)["engagement"]
    fill.catch_up(now=NIGHT + ONE_DAY)
    check(history, A_HISTORY["first"], DAYS)


def test_run_twice_it_has_nothing_to_do_but_move_on(history):
    fill.catch_up(now=NIGHT)
    later = NIGHT + timedelta(hours=10)
    fill.catch_up(now=later)
    assert fill.catch_up(now=later) == 0
    states = {state.rollup: state for state in FillState.objects.all()}
    assert set(states) == {rollup.name for rollup in ROLLUPS}
    assert {state.seen_until for state in states.values()} == {later}
    assert {state.filled_until for state in states.values()} == {LAST + ONE_DAY}


def test_a_day_that_is_not_over_and_one_whose_log_is_gone_are_refused(history):
    with pytest.raises(fill.DayNotOver, match="2028-03-02 is not over"):
        fill.refill(Window(LAST + ONE_DAY * 1, LAST + ONE_DAY * 2 + ONE_DAY), now=NIGHT)
    with pytest.raises(fill.DayGone, match="not whole any more"):
        fill.refill(Window(LAST - 100 * ONE_DAY, LAST), now=NIGHT)
    with pytest.raises(fill.UnknownRollup, match="There are: engagement"):
        fill.rollup_named("nonsense")


def test_a_day_that_an_organization_does_not_keep_any_more_is_not_counted_again(history):
    cast = history.cast
    with scoping.tenant(cast.acme):
        RetentionPeriod.objects.for_tenant(cast.acme).create(kept="activity", days=2)
    rollup = fill.rollup_named("engagement")
    with pytest.raises(fill.DayGone, match="not whole any more"):
        fill.refill(Window(LAST - 2 * ONE_DAY, LAST), now=NIGHT, rollups=[rollup])
    assert fill.refill(Window(LAST, LAST + ONE_DAY), now=NIGHT, rollups=[rollup])
