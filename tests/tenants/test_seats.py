"""Nobody joins a full organization: by the service, by an import, by staff in admin, or by two at once."""

import re
import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse

from tenants import scoping
from tenants.choices import Role, SubscriptionStatus
from tenants.errors import NoSeatLeft
from tenants.models import Membership, Organization, Subscription, User
from tenants.services import accounts, imports, seats
from tests.cast import make_cast

FULL = "Globex has booked 2 seats, of which 2 are taken. Book more, or remove somebody first."


@pytest.fixture
def cast(db):
    return with_two_seats(make_cast())


def with_two_seats(cast):
    """Globex has booked two seats: Greta has one, the other is free."""
    with scoping.tenant(cast.globex):
        Subscription.objects.for_tenant(cast.globex).update(seats=2)
    return cast


def people(organization):
    with scoping.tenant(organization):
        rows = Membership.objects.for_tenant(organization).filter(is_active=True)
        return sorted(rows.values_list("user__email", flat=True))


def somebody(name):
    return accounts.create(f"{name}@globex.example", first_name=name.title(), verified=True)


def join(cast, user):
    return accounts.add_member(cast.globex, user=user, role=Role.GUEST)


# The service -----------------------------------------------------------------------------------------------------------


def test_the_last_seat_is_given_and_then_no_more(cast):
    join(cast, somebody("hugo"))
    with pytest.raises(NoSeatLeft) as refused:
        join(cast, somebody("iris"))
    assert refused.value.messages == [FULL]
    assert people(cast.globex) == ["greta@globex.example", "hugo@globex.example"]


def test_who_has_a_seat_keeps_it_whatever_else_changes(cast):
    hugo = join(cast, somebody("hugo"))
    accounts.change(hugo, role=Role.OWNER, branch=None, department=None)
    assert join(cast, hugo.user).role == Role.GUEST


def test_who_leaves_makes_room_and_comes_back_only_where_there_is_some(cast):
    hugo = join(cast, somebody("hugo"))
    accounts.remove_member(hugo)
    iris = join(cast, somebody("iris"))
    with pytest.raises(NoSeatLeft):
        join(cast, hugo.user)
    accounts.remove_member(iris)
    assert join(cast, hugo.user).is_active


def test_other_organizations_seats_are_their_own(cast):
    join(cast, somebody("hugo"))
    accounts.add_member(cast.acme, user=somebody("iris"), role=Role.GUEST)


@pytest.mark.parametrize(
    "ended",
    [
        {"status": SubscriptionStatus.CANCELLED},
        {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-02-01T00:00:00Z"},
        {"starts_at": "2999-01-01T00:00:00Z"},
    ],
    ids=["cancelled", "ended", "not begun"],
)
def test_a_subscription_that_does_not_run_has_no_seats(cast, ended):
    with scoping.tenant(cast.globex):
        Subscription.objects.for_tenant(cast.globex).update(**ended)
    with pytest.raises(NoSeatLeft, match="no subscription that runs"):
        join(cast, somebody("hugo"))


def test_the_newest_subscription_that_runs_counts(cast):
    with scoping.tenant(cast.globex):
        Subscription.objects.for_tenant(cast.globex).create(seats=3)
    join(cast, somebody("hugo"))
    join(cast, somebody("iris"))
    with pytest.raises(NoSeatLeft, match="3 seats"):
        join(cast, somebody("jan"))


# An import -------------------------------------------------------------------------------------------------------------

TWO_MORE = "first_name,last_name,email,role\nHugo,Hase,hugo@globex.example,guest\nIris,Ipsum,iris@globex.example,guest\n"


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_import_says_in_which_row_the_seats_ran_out_and_adds_nobody(cast, dry_run):
    done = imports.import_people(cast.globex, imports.read(TWO_MORE.encode()), dry_run=dry_run)
    assert [(problem.row, problem.sentence) for problem in done.problems] == [(2, FULL)]
    assert people(cast.globex) == ["greta@globex.example"]
    assert not User.objects.filter(email="hugo@globex.example").exists()


# Staff in admin --------------------------------------------------------------------------------------------------------


@pytest.fixture
def staff(cast):
    client = Client()
    client.force_login(cast.sam)
    return client


def page(model, view, *args):
    return reverse(f"admin:tenants_{model._meta.model_name}_{view}", args=args)


def rows_of(prefix, *rows, initial=0):
    found = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        found |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return found


def globex(cast, *members, initial=0):
    form = {
        "name": "Globex",
        "slug": "globex",
        "status": "active",
        **rows_of("subscription"),
        **rows_of("branch"),
        **rows_of("retentionperiod"),
    }
    return form | rows_of("membership", *members, initial=initial)


def test_staff_cannot_add_a_member_too_many(cast, staff):
    join(cast, somebody("hugo"))
    iris = somebody("iris")
    answer = staff.post(page(Membership, "add"), {"organization": cast.globex.pk, "user": iris.pk, "role": "guest", "is_active": "on"})
    assert answer.status_code == 200
    assert FULL in answer.content.decode()
    assert "iris@globex.example" not in people(cast.globex)


def test_staff_cannot_bring_somebody_back_to_a_full_organization(cast, staff):
    hugo = join(cast, somebody("hugo"))
    accounts.remove_member(hugo)
    join(cast, somebody("iris"))
    answer = staff.post(page(Membership, "change", hugo.pk), {"user": hugo.user_id, "role": "guest", "is_active": "on"})
    assert FULL in answer.content.decode()
    answer = staff.post(page(Membership, "change", hugo.pk), {"user": hugo.user_id, "role": "agent"})
    assert answer.status_code == 302
    assert people(cast.globex) == ["greta@globex.example", "iris@globex.example"]


def test_two_rows_of_one_form_do_not_share_the_last_seat(cast, staff):
    new = [{"user": somebody(name).pk, "role": "guest", "is_active": "on"} for name in ("hugo", "iris")]
    answer = staff.post(page(Organization, "change", cast.globex.pk), globex(cast, *new))
    assert answer.status_code == 200
    assert "Globex has booked 2 seats, of which 1 are taken." in answer.content.decode()
    assert people(cast.globex) == ["greta@globex.example"]
    assert staff.post(page(Organization, "change", cast.globex.pk), globex(cast, new[0])).status_code == 302
    assert people(cast.globex) == ["greta@globex.example", "hugo@globex.example"]


def test_one_may_go_as_another_comes(cast, staff):
    hugo = join(cast, somebody("hugo"))
    going = {"id": hugo.pk, "user": hugo.user_id, "role": "guest"}
    coming = {"user": somebody("iris").pk, "role": "guest", "is_active": "on"}
    answer = staff.post(page(Organization, "change", cast.globex.pk), globex(cast, going, coming, initial=1))
    assert answer.status_code == 302, answer.context["errors"]
    assert people(cast.globex) == ["greta@globex.example", "iris@globex.example"]


def test_a_new_organization_has_a_subscription_before_it_has_members(cast, staff):
    form = globex(cast, {"user": somebody("hugo").pk, "role": "guest", "is_active": "on"}) | {"name": "Hooli", "slug": "hooli"}
    answer = staff.post(page(Organization, "add"), form)
    assert answer.status_code == 200
    assert "no subscription that runs" in answer.content.decode()
    assert not Organization.objects.filter(slug="hooli").exists()


def test_staff_see_how_many_seats_are_taken(cast, staff):
    join(cast, somebody("hugo"))
    for address in (page(Organization, "changelist"), page(Organization, "change", cast.globex.pk)):
        assert "2 of 2" in staff.get(address).content.decode()
    with scoping.tenant(cast.globex):
        Subscription.objects.for_tenant(cast.globex).delete()
    assert "2, without a subscription that runs" in staff.get(page(Organization, "changelist")).content.decode()


# Two at once -----------------------------------------------------------------------------------------------------------


def test_of_two_who_want_the_last_seat_one_gets_it(transactional_db):
    cast = with_two_seats(make_cast())
    hugo, iris = somebody("hugo"), somebody("iris")
    inside, go = threading.Event(), threading.Event()
    outcomes = {}

    def first():
        try:
            with transaction.atomic():
                join(cast, hugo)
                inside.set()
                assert go.wait(10)
            outcomes["hugo"] = "in"
        finally:
            connections.close_all()

    def second():
        try:
            assert inside.wait(10)
            join(cast, iris)
            outcomes["iris"] = "in"
        except NoSeatLeft as error:
            outcomes["iris"] = error.messages[0]
        finally:
            connections.close_all()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    threads[1].join(0.5)  # it waits for the first; without a lock it would be in by now
    go.set()
    for thread in threads:
        thread.join(10)
    assert outcomes == {"hugo": "in", "iris": FULL}
    assert people(cast.globex) == ["greta@globex.example", "hugo@globex.example"]


def test_a_seat_needs_a_transaction_to_be_held_in(transactional_db):
    cast = with_two_seats(make_cast())
    with pytest.raises(transaction.TransactionManagementError):
        seats.take(cast.globex.pk)


def test_a_refusal_is_a_bad_value_wherever_values_are_checked(cast):
    with pytest.raises(ValidationError) as refused:
        seats.take(cast.globex.pk, wanted=2)
    assert refused.value.code == "no_seat_left"


def test_the_form_of_an_organization_says_its_seats_in_words(cast, staff):
    shown = staff.get(page(Organization, "change", cast.globex.pk)).content.decode()
    assert "(&#x27;" not in shown
    assert re.search(r">\s*\d+(, without a subscription that runs| of \d+)\s*<", shown)
