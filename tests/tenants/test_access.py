"""The door to people and places (`tenants.access`)."""

import uuid

import pytest
from django.contrib.auth.models import AnonymousUser

from tenants import access, scoping
from tenants.models import Employee
from tenants.services import accounts, organizations
from tests.cast import make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return make_cast()


def names(membership):
    with scoping.tenant(membership.organization_id):
        return {employee.name for employee in access.employees_for(membership)}


def test_each_role_sees_its_own_employees(cast):
    assert names(cast.olive.membership) == {"Erik Ek", "Dina Dahl", "Wim Wolf"}
    assert names(cast.liam.membership) == {"Erik Ek", "Dina Dahl"}
    assert names(cast.mona.membership) == {"Erik Ek"}
    assert names(cast.ada.membership) == set()
    assert names(cast.vera.membership) == set()
    assert names(cast.greta.membership) == {"Hank Scorpio"}


def test_each_role_sees_its_own_places(cast):
    def places(person):
        with scoping.tenant(cast.acme):
            return (
                {branch.name for branch in access.branches_for(person.membership)},
                {department.name for department in access.departments_for(person.membership)},
            )

    assert places(cast.olive) == ({"North", "South"}, {"Sales", "Support", "Workshop"})
    assert places(cast.liam) == ({"North"}, {"Sales", "Support"})
    assert places(cast.mona) == ({"North"}, {"Sales"})
    assert places(cast.ada) == (set(), set())


def test_an_employee_outside_ones_reach_is_as_if_missing(cast):
    with scoping.tenant(cast.acme):
        for employee_id in (
            cast.employees["Wim Wolf"].pk,
            cast.strangers["Hank Scorpio"].pk,
            uuid.uuid4(),
            "nonsense",
            {"$ne": None},
            None,
        ):
            with pytest.raises(access.NotFound):
                access.employee_for(cast.mona.membership, employee_id)
        assert access.employee_for(cast.mona.membership, str(cast.employees["Erik Ek"].pk)).name == "Erik Ek"


def test_employees_among_keeps_the_order_and_refuses_a_single_stranger(cast):
    erik, dina, hank = cast.employees["Erik Ek"], cast.employees["Dina Dahl"], cast.strangers["Hank Scorpio"]
    with scoping.tenant(cast.acme):
        assert access.employees_among(cast.olive.membership, [str(dina.pk), str(erik.pk)]) == [dina, erik]
        with pytest.raises(access.NotFound):
            access.employees_among(cast.olive.membership, [str(erik.pk), str(hank.pk)])


def test_a_membership_is_found_by_its_address(cast):
    found = access.membership_for(cast.olive.user, "acme")
    assert (found.organization, found.user, found.role) == (cast.acme, cast.olive.user, "owner")
    assert access.memberships_of(cast.olive.user) == [found]
    assert access.membership_in(cast.acme.pk, user_id=str(cast.olive.user.pk)) == found


def test_strangers_and_missing_organizations_look_the_same(cast):
    sentences = set()
    for user, slug in ((cast.greta.user, "acme"), (cast.olive.user, "nowhere")):
        with pytest.raises(access.NotFound) as error:
            access.membership_for(user, slug)
        sentences.add(str(error.value))
    assert len(sentences) == 1


def test_inactive_and_suspended_are_not_found(cast):
    accounts.remove_member(cast.mona.membership)
    with pytest.raises(access.NotFound):
        access.membership_for(cast.mona.user, "acme")
    accounts.suspend(cast.liam.user)
    with pytest.raises(access.NotFound):
        access.membership_for(cast.liam.user, "acme")
    organizations.suspend(cast.acme)
    with pytest.raises(access.NotFound):
        access.membership_for(cast.olive.user, "acme")
    assert access.memberships_of(cast.olive.user) == []
    organizations.reinstate(cast.acme)
    assert access.membership_for(cast.olive.user, "acme").organization == cast.acme


def test_anonymous_has_no_memberships(cast):
    assert access.memberships_of(AnonymousUser()) == []


def test_a_query_for_another_organization_than_the_one_we_act_for_raises(cast):
    with scoping.tenant(cast.globex), pytest.raises(scoping.UnscopedQuery):
        list(access.employees_for(cast.olive.membership))
    with pytest.raises(scoping.UnscopedQuery):
        Employee.objects.for_tenant(cast.acme).count()
