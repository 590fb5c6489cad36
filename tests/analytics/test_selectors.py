"""What there is at the end of a day, and the KPIs: read from history, so that a past day stays as it was."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from analytics import selectors
from analytics.windows import ONE_DAY, Day, day_of
from tenants import scoping
from tenants.choices import CandidateStage, EmploymentStatus
from tenants.models import Candidate, Employee
from tests.cast import make_employee


def at_the_end_of_today():
    return Day.of(day_of(timezone.now()))


def test_what_there_is_at_the_end_of_a_day_is_read_from_history(ground):
    cast, today = ground.cast, at_the_end_of_today()
    long_ago = timezone.now() - timedelta(days=40)
    for number in range(4):
        make_employee(cast.acme, f"Erik E{number}", department=cast.sales, created_at=long_ago)
    make_employee(cast.acme, "New Here", department=cast.sales)
    with scoping.tenant(cast.acme):
        Employee.objects.for_tenant(cast.acme).filter(last_name="E0").update(status=EmploymentStatus.LEFT)
    with scoping.across_tenants("a test"):
        found = selectors.adoption(today)
        before = selectors.adoption(Day.of(today.first - ONE_DAY))
    of_acme, platform = found[cast.acme.pk], found[None]
    assert (of_acme.total_employees, of_acme.new_employees_today) == (len(cast.employees) + 4, len(cast.employees) + 1)
    assert (of_acme.total_departments, of_acme.total_branches, of_acme.new_organizations_today) == (3, 2, 1)
    assert (of_acme.subscription_status, of_acme.subscription_tier) == ("ACTIVE", "free")
    everybody = len(cast.employees) + 4 + len(cast.strangers)
    assert (platform.total_organizations, platform.total_employees, platform.subscription_status) == (3, everybody, None)
    assert set(before) == {None}  # none of them was there yesterday
    assert before[None] == selectors.Adoption()


def test_kpis_and_why_there_are_none(ground):
    cast, today = ground.cast, at_the_end_of_today()
    long_ago = timezone.now() - timedelta(days=40)
    for number in range(4):
        make_employee(cast.acme, f"Erik E{number}", department=cast.sales, created_at=long_ago)
    with scoping.tenant(cast.acme):
        Employee.objects.for_tenant(cast.acme).filter(last_name="E0").update(status=EmploymentStatus.LEFT)
        for name, stage, days in (("A", "hired", 10), ("B", "rejected", 5), ("C", "applied", 5)):
            made = timezone.now() - timedelta(days=days)
            candidates = Candidate.objects.for_tenant(cast.acme)
            one = candidates.create(first_name=name, last_name="X", position="p", stage=CandidateStage.APPLIED, created_at=made)
            candidates.filter(pk=one.pk).update(stage=stage)
    with scoping.across_tenants("a test"):
        found = selectors.impact(today)
    values, reasons = found[cast.acme.pk].values, found[cast.acme.pk].reasons
    assert values["employee_turnover_rate"] == Decimal(25)
    assert values["hiring_success_rate"] == Decimal(50)
    assert values["time_to_hire_days"] == Decimal(10)
    assert {name for name, value in values.items() if value is None} == set(reasons)
    assert reasons["mrr"] == "What a subscription costs is not recorded."
    assert reasons["average_user_satisfaction_score"] == "Nobody rated an answer in these 30 days."
    assert found[None].values["employee_turnover_rate"] == Decimal(25)
    assert found[cast.globex.pk].values["hiring_success_rate"] is None
