"""The cast that is put back for a test is the cast that was made: every row of every table, and every object."""

import pytest
from django.db import connection, transaction

from tenants import scoping
from tenants.database import roles
from tenants.models import Employee, Grant, Membership, Organization
from tests import tables
from tests.cast import make_cast


def all_rows() -> bytes:
    """Every row there is, with identifiers numbered by age."""
    with transaction.atomic(), roles.as_owner(), connection.cursor() as cursor:
        text = b"\n".join(table.encode() + b"\n" + lines for table, lines in tables.read(cursor).items())
    numbers = {found: b"#%d" % number for number, found in enumerate(sorted(set(tables.IDENTIFIER.findall(text))))}
    return tables.IDENTIFIER.sub(lambda found: numbers[found[0]], text)


@pytest.fixture
def two_casts(stores):
    """The rows and the objects of two, one after the other."""
    make_cast()
    tables.empty()
    seen = []
    for _ in range(2):
        cast = make_cast()
        seen.append((cast, all_rows()))
        if len(seen) == 1:
            tables.empty()
    return seen


def test_each_has_the_same_rows_under_other_identifiers(two_casts):
    (first, rows_of_first), (second, rows_of_second) = two_casts
    assert rows_of_first == rows_of_second
    assert rows_of_first.count(b"@acme.example") > 8, "the scan sees nothing"
    assert b"users_history" in rows_of_first
    assert {first.acme.pk, first.olive.user.pk}.isdisjoint({second.acme.pk, second.olive.user.pk})


def test_its_objects_stand_for_its_rows(two_casts):
    _, (cast, _) = two_casts
    with scoping.across_tenants("a test looks at everything"):
        for thing in (cast.acme, cast.north, cast.sales, cast.olive.user, cast.mona.membership, cast.employees["Erik Ek"], cast.sam):
            before = {field.attname: getattr(thing, field.attname) for field in thing._meta.concrete_fields}
            thing.refresh_from_db()
            assert {field.attname: getattr(thing, field.attname) for field in thing._meta.concrete_fields} == before
        assert cast.mona.membership.department == cast.sales
        assert Membership.across_tenants.count() == 6
        assert Employee.across_tenants.count() == 4


def test_emptying_leaves_what_the_migrations_made_and_puts_back_what_a_test_changed(stores):
    granted = set(Grant.objects.values_list("role", "permission__code"))
    assert granted
    make_cast()
    Grant.objects.filter(role="owner").delete()
    tables.empty()
    assert set(Grant.objects.values_list("role", "permission__code")) == granted
    assert not Organization.objects.exists()


def test_what_is_made_beside_other_rows_is_not_recorded(stores):
    """It would come back with them."""
    assert tables.are_empty()
    make_cast()
    assert not tables.are_empty()
