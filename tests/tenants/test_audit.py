"""Who changed what, when and why; who read what (D12)."""

import uuid

import pgtrigger
import pytest
from django.db import DatabaseError, InternalError, ProgrammingError, connection, transaction
from django.utils import timezone

from tenants import scoping
from tenants.choices import AccessKind
from tenants.models import AccessRecord, Branch, Employee, EmployeeHistory, Membership, RetentionPeriod, UserHistory
from tenants.services import accounts, audit, permissions
from tests.cast import make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return make_cast()


def test_every_change_of_a_row_is_kept_with_before_and_after(cast):
    with scoping.tenant(cast.acme), scoping.because(user=cast.olive.user.pk, url="/somewhere/", request_id="r1"):
        branch = Branch.objects.for_tenant(cast.acme).create(name="East", location="Turku")
        branch.name = "Far East"
        branch.save(update_fields=["name", "updated_at"])
        branch.save(update_fields=["name"])  # nothing changes, nothing is kept
        pk = branch.pk
        branch.delete()
        branch.pk = pk
        changes = audit.changes_of(branch)
    assert [change.what for change in changes] == ["delete", "update", "insert"]
    gone, renamed, made = changes
    assert made.after["location"] == "Turku"
    assert (renamed.before["name"], renamed.after["name"]) == ("East", "Far East")
    assert gone.before["name"] == "Far East"
    assert {change.who for change in changes} == {cast.olive.user}
    assert made.why == {"url": "/somewhere/", "request_id": "r1"}


def test_changes_by_raw_sql_are_kept_too(cast):
    with scoping.tenant(cast.acme), connection.cursor() as cursor:
        cursor.execute("UPDATE employees SET job_title = 'Boss' WHERE id = %s", [cast.employees["Erik Ek"].pk])
        assert audit.changes_of(cast.employees["Erik Ek"])[0].after["job_title"] == "Boss"


def test_a_cause_ends_with_its_block_and_adds_up(cast):
    with scoping.tenant(cast.acme):
        with scoping.because(task="nightly"), scoping.because(user=cast.sam.pk):
            Employee.objects.for_tenant(cast.acme).update(job_title="A")
        Employee.objects.for_tenant(cast.acme).update(job_title="B")
        later, earlier, *_ = audit.changes_of(cast.employees["Erik Ek"])
    assert (earlier.who, earlier.why) == (cast.sam, {"task": "nightly"})
    assert (later.who, later.why) == (None, {})


def test_the_history_belongs_to_the_organization(cast):
    with scoping.tenant(cast.globex):
        assert not EmployeeHistory.objects.filter(last_name="Ek").exists()
        assert audit.changes_of(cast.employees["Erik Ek"]) == []
    assert EmployeeHistory.objects.count() == 0


def test_history_cannot_be_rewritten(cast):
    with scoping.tenant(cast.acme):
        for statement in ("UPDATE employees_history SET last_name = 'x'", "DELETE FROM employees_history"):
            with pytest.raises((InternalError, ProgrammingError, DatabaseError)), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


def test_passwords_are_not_in_the_history(cast):
    cast.olive.user.set_password("something-new-9")
    cast.olive.user.save(update_fields=["password"])
    columns = {field.column for field in UserHistory._meta.concrete_fields}
    assert not columns & {"password", "password_hash"}
    assert not any(cast.olive.user.password in str(vars(event)) for event in UserHistory.objects.all())


def test_memberships_accounts_and_grants_are_audited(cast):
    with scoping.because(user=cast.sam.pk):
        accounts.change(cast.mona.membership, role="leader", branch=cast.south, department=None)
        permissions.grant("guest", permission="people:employee:read")
    with scoping.tenant(cast.acme):
        change = audit.changes_of(Membership.objects.for_tenant(cast.acme).get(pk=cast.mona.membership.pk))[0]
    assert (change.before["role"], change.after["role"], change.who) == ("manager", "leader", cast.sam)


def test_reading_anothers_conversation_is_recorded_and_ones_own_is_not(cast):
    conversation = cast.acme.pk
    audit.record_access(cast.olive.membership, owner_id=cast.mona.user.pk, conversation_id=conversation, reason="a complaint")
    audit.record_access(cast.olive.membership, owner_id=cast.olive.user.pk, conversation_id=conversation)
    with scoping.tenant(cast.acme):
        (record,) = AccessRecord.objects.for_tenant(cast.acme)
    assert (record.user, record.owner, record.kind, record.reason) == (cast.olive.user, cast.mona.user, AccessKind.READ, "a complaint")
    with scoping.tenant(cast.globex):
        assert not AccessRecord.across_tenants.exists()


def aged(model, column: str, *, days: int) -> None:
    """Everything that is recorded in this table was, this long ago."""
    with scoping.across_tenants("a test"), pgtrigger.ignore(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET {column} = now() - interval '{days} days'")


def records(organization=None) -> tuple[int, int]:
    with scoping.across_tenants("a test"):
        employees, read = EmployeeHistory.objects.all(), AccessRecord.across_tenants.all()
        if organization:
            employees, read = employees.filter(organization_id=organization.pk), read.filter(organization=organization)
        return employees.count(), read.count()


def test_what_is_recorded_is_removed_after_ten_years(cast):
    with scoping.tenant(cast.acme):
        audit.record_access(cast.olive.membership, owner_id=cast.liam.user.pk, conversation_id=uuid.uuid4())
    now, before = timezone.now(), records()
    assert min(before) > 0
    for days, left in ((3649, before), (3651, (0, 0))):
        aged(EmployeeHistory, "pgh_created_at", days=days)
        aged(AccessRecord, "created_at", days=days)
        told = [(one.organization_id, one.table, one.count) for one in audit.past(now=now)]
        assert [(one.organization_id, one.table, one.count) for one in audit.remove_past(now=now)] == told
        assert records() == left
    assert told == [(None, "employees_history", before[0]), (None, "access_records", before[1])]
    with scoping.across_tenants("a test"):
        assert UserHistory.objects.exists(), "what is younger stays"
    with pytest.raises(ProgrammingError, match="Cannot update or delete"), transaction.atomic(), scoping.across_tenants("a test"):
        UserHistory.objects.all().delete()


def test_an_organization_may_have_it_sooner_and_others_keep_theirs(cast):
    with scoping.tenant(cast.acme):
        RetentionPeriod.objects.for_tenant(cast.acme).create(kept="audit", days=100)
    aged(EmployeeHistory, "pgh_created_at", days=101)
    others = records()[0] - records(cast.acme)[0]
    assert others > 0
    assert {one.organization_id for one in audit.past(now=timezone.now())} == {str(cast.acme.pk)}
    assert list(audit.remove_past(now=timezone.now()))
    assert (records(cast.acme)[0], records()[0]) == (0, others)
    assert list(audit.remove_past(now=timezone.now())) == []
