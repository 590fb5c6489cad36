"""The ledger writes what gathers, keeps what it cannot write yet, and can be made whole from the messages."""

import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from bson import BSON
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from uuid_utils.compat import uuid7

from integrations.models import ModelCall
from integrations.providers.base import Attempt, Outcome, Usage
from integrations.services import ledger
from tenants import scoping
from tenants.models import Organization

AT = datetime(2026, 11, 22, 5, 30, 0, 123_000, tzinfo=UTC)


@pytest.fixture
def acme(stores):
    return Organization.objects.create(name="Acme", slug="acme")


@pytest.fixture
def globex(stores):
    return Organization.objects.create(name="Globex", slug="globex")


def attempt_of(organization, **fields) -> Attempt:
    attempt = Attempt(
        id=uuid7(),
        started_at=AT,
        organization_id=str(getattr(organization, "pk", organization)),
        provider="openai",
        model="m-1",
        outcome=Outcome.ANSWERED,
        error_code="",
        error="",
        first_attempt_error="",
        usage=Usage(12, 5, 4, 2),
        cost=Decimal("0.000068"),
        finish_reason="stop",
        latency_ms=1500,
        first_token_ms=200,
        purpose="answer",
        attempt=1,
        call=1,
        conversation_id=str(uuid.UUID(int=1)),
        message_id=str(uuid.UUID(int=2)),
        api_key_name="",
        variables={"name": "Erik"},
    )
    return replace(attempt, **fields)


def ids(organization) -> set[uuid.UUID]:
    with scoping.tenant(organization):
        return set(ModelCall.objects.for_tenant(organization).values_list("id", flat=True))


def test_what_gathers_is_written_at_once_for_all_organizations(acme, globex, django_assert_num_queries):
    ours = [attempt_of(acme) for _ in range(30)]
    theirs = [attempt_of(globex) for _ in range(20)]
    with django_assert_num_queries(4):  # BEGIN, the calls, their figures, COMMIT
        ledger.write([*ours, *theirs])
    assert ids(acme) == {attempt.id for attempt in ours}
    assert ids(globex) == {attempt.id for attempt in theirs}


def test_writing_twice_adds_nothing(acme):
    attempts = [attempt_of(acme) for _ in range(3)]
    ledger.write(attempts)
    ledger.write(attempts)
    assert len(ids(acme)) == 3


def test_attempts_recorded_by_many_threads_are_all_written(acme):
    attempts = [attempt_of(acme) for _ in range(2_000)]
    threads = [threading.Thread(target=lambda part=part: [ledger.record(a) for a in part]) for part in (attempts[:900], attempts[900:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.flush(timeout=20)
    assert ids(acme) == {attempt.id for attempt in attempts}


@pytest.mark.parametrize(
    "unacceptable", [{"organization_id": str(uuid.uuid4())}, {"message_id": "not an id"}, {"variables": {"an": object()}}]
)
def test_a_row_that_cannot_be_written_does_not_hold_back_the_others(unacceptable, acme, caplog):
    nobody = attempt_of(acme, **unacceptable)
    attempts = [attempt_of(acme), nobody, attempt_of(acme)]
    for attempt in attempts:
        ledger.record(attempt)
    assert ledger.flush(timeout=10)
    assert ids(acme) == {attempts[0].id, attempts[2].id}
    assert str(nobody.id) in caplog.text


def test_text_that_postgresql_cannot_hold_is_written_without_what_it_cannot(acme):
    ledger.write([attempt_of(acme, error="nul \0 here", model="m" * 500)])
    with scoping.tenant(acme):
        row = ModelCall.objects.for_tenant(acme).get()
    assert (row.error, len(row.model)) == ("nul � here", 200)


def test_while_postgresql_is_away_nothing_is_lost(acme, services, monkeypatch):
    monkeypatch.setattr(ledger, "PAUSES", (0.1, 0.2))
    services.postgres.stop()
    try:
        attempts = [attempt_of(acme) for _ in range(10)]
        for attempt in attempts:
            ledger.record(attempt)
        assert not ledger.flush(timeout=1)
        ledger.record(later := attempt_of(acme))
    finally:
        services.postgres.start()
        connection.close()
    assert ledger.flush(timeout=20)
    assert ids(acme) == {attempt.id for attempt in [*attempts, later]}


def test_what_postgresql_did_not_take_is_tried_again_until_it_does(acme, monkeypatch, caplog):
    monkeypatch.setattr(ledger, "PAUSES", (0.01, 0.02))
    really, away = ledger.write, [OperationalError("no connection"), InterfaceError("connection closed"), OperationalError("again")]

    def write(attempts) -> None:
        if away:
            raise away.pop()
        really(attempts)

    monkeypatch.setattr(ledger, "write", write)
    attempts = [attempt_of(acme) for _ in range(20)]
    for attempt in attempts:
        ledger.record(attempt)
    assert ledger.flush(timeout=10)
    assert away == []
    assert ids(acme) == {attempt.id for attempt in attempts}
    assert caplog.text.count("PostgreSQL is away") == 3


def test_what_a_crash_lost_is_restored_from_the_message(acme):
    """The message keeps its attempts in MongoDB; its times have milliseconds, its documents no Decimal and no UUID."""
    written, lost = attempt_of(acme), attempt_of(acme, outcome=Outcome.CANCELLED, usage=None, cost=None, first_token_ms=None)
    ledger.write([written])
    kept = BSON.encode({"attempts": [ledger.as_document(attempt) for attempt in (written, lost)]}).decode()
    assert [ledger.from_document(document) for document in kept["attempts"]] == [written, lost]
    ledger.restore(kept["attempts"])
    ledger.restore(kept["attempts"])
    assert ids(acme) == {written.id, lost.id}


def test_the_list_is_bounded_and_says_what_it_dropped(acme, monkeypatch, caplog):
    monkeypatch.setattr(ledger, "KEPT", 3)
    monkeypatch.setattr(ledger, "write", lambda attempts: (_ for _ in ()).throw(OperationalError("away")))
    monkeypatch.setattr(ledger, "PAUSES", (0.05, 0.05))
    attempts = [attempt_of(acme) for _ in range(5)]
    for attempt in attempts:
        ledger.record(attempt)
    assert str(attempts[0].id) in caplog.text
    monkeypatch.undo()
    assert ledger.flush(timeout=10)


def test_nobody_sees_the_calls_of_another_organization(acme, globex):
    ledger.write([attempt_of(acme), attempt_of(globex)])
    with scoping.tenant(acme), connection.cursor() as cursor:
        cursor.execute("SELECT organization_id FROM raw_data")
        assert cursor.fetchall() == [(acme.pk,)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM raw_data")
        assert cursor.fetchone() == (0,)


def test_a_partition_that_is_named_itself_shows_and_takes_nothing(acme):
    """Policies of the table do not hold for a partition that a statement names; the partition's own must."""
    ledger.write([attempt_of(acme, started_at=datetime(1999, 1, 1, tzinfo=UTC))])
    with scoping.tenant(acme), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM raw_data")
        assert cursor.fetchone() == (1,)
        cursor.execute("SELECT count(*) FROM raw_data_default")
        assert cursor.fetchone() == (0,)
        with pytest.raises(DatabaseError):
            cursor.execute(
                "INSERT INTO raw_data_default (organization_id, latency, service, status, outcome, purpose)"
                " VALUES (%s, 0, 'x', true, 'answered', 'x')",
                [acme.pk],
            )
