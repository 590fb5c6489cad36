"""The people of the tests: Olive (owner), Liam (leader) and Mona (manager) of Acme, Ada, its support agent; Greta of Globex, who must
never see Acme; Vera, a guest of Acme; Sam, platform staff. Globex is always there.

    cast = make_cast()
    cast.olive.user, cast.olive.membership, cast.acme, cast.north, cast.sales, cast.employees["Erik Ek"]
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from tenants import roles, scoping
from tenants.choices import AccountType, Role, ZodiacSign
from tenants.models import (
    Branch,
    Department,
    Employee,
    Membership,
    Organization,
    User,
)
from tenants.services import accounts, organizations
from tests import tables

PASSWORD = "correct-horse-battery"
LASTS = timedelta(hours=1)  # a recording, for tests that stop the clock elsewhere


@dataclass(frozen=True)
class Person:
    """Somebody and their place in their organization."""

    user: User
    membership: Membership


@dataclass
class Cast:
    acme: Organization
    globex: Organization
    north: Branch  # Liam leads it
    south: Branch
    sales: Department  # in North; Mona manages it
    support: Department  # in North
    workshop: Department  # in South
    olive: Person
    liam: Person
    mona: Person
    ada: Person
    vera: Person
    greta: Person
    sam: User
    employees: dict[str, Employee] = field(default_factory=dict)  # of Acme, by name
    strangers: dict[str, Employee] = field(default_factory=dict)  # of Globex, by name


_recordings: dict[str, tuple[datetime, tables.Recording]] = {}  # by how passwords are hashed: when it was made, and what


def make_person(
    organization: Organization,
    first_name: str,
    last_name: str,
    *,
    role: Role,
    branch: Branch | None = None,
    department: Department | None = None,
    account_type: AccountType = AccountType.MEMBER,
) -> Person:
    """An account with the address `<first name>@<slug>.example`, the cast's password, and a place in the organization."""
    user = accounts.create(
        f"{first_name.lower()}@{organization.slug}.example",
        first_name=first_name,
        last_name=last_name,
        password=PASSWORD,
        account_type=account_type,
        verified=True,
    )
    membership = accounts.add_member(organization, user=user, role=role, branch=branch, department=department)
    return Person(user=user, membership=membership)


def make_employee(organization: Organization, name: str, *, department: Department, **fields) -> Employee:
    """An employee of this department (and its branch)."""
    first_name, _, last_name = name.partition(" ")
    with scoping.tenant(organization):
        return Employee.objects.for_tenant(organization).create(
            first_name=first_name,
            last_name=last_name,
            email=f"{first_name.lower()}.{last_name.lower()}@{organization.slug}.example",
            branch_id=department.branch_id,
            department=department,
            **fields,
        )


def make_cast() -> Cast:
    """Both organizations with their people. Needs a database; every call makes them anew, so call it once a test.

    The first call of a process makes them row by row; later ones put back the same rows under fresh identifiers (`tests.tables`).
    """
    roles.forget()
    hasher, now = settings.PASSWORD_HASHERS[0], timezone.now()
    made_at, recording = _recordings.get(hasher, (None, None))
    if made_at is not None and abs(now - made_at) < LASTS:
        return recording.play()
    alone = tables.are_empty()
    cast = _made()
    if alone:
        _recordings[hasher] = now, tables.record(cast)
    return cast


def _made() -> Cast:
    acme = organizations.create("Acme", slug="acme", seats=50)
    globex = organizations.create("Globex", slug="globex")
    north = organizations.add_branch(acme, name="North", location="Oslo")
    south = organizations.add_branch(acme, name="South", location="Rome")
    sales = organizations.add_department(north, name="Sales")
    support = organizations.add_department(north, name="Support")
    workshop = organizations.add_department(south, name="Workshop")
    lair = organizations.add_branch(globex, name="Lair")
    research = organizations.add_department(lair, name="Research")
    cast = Cast(
        acme=acme,
        globex=globex,
        north=north,
        south=south,
        sales=sales,
        support=support,
        workshop=workshop,
        olive=make_person(acme, "Olive", "Olsen", role=Role.OWNER),
        liam=make_person(acme, "Liam", "Lund", role=Role.LEADER, branch=north),
        mona=make_person(acme, "Mona", "Moe", role=Role.MANAGER, branch=north, department=sales),
        ada=make_person(acme, "Ada", "Aas", role=Role.AGENT, account_type=AccountType.AGENT),
        vera=make_person(acme, "Vera", "Vik", role=Role.GUEST, account_type=AccountType.GUEST),
        greta=make_person(globex, "Greta", "Gran", role=Role.OWNER),
        sam=accounts.create(
            "sam@parley.example",
            first_name="Sam",
            last_name="Staff",
            password=PASSWORD,
            account_type=AccountType.STAFF,
            verified=True,
            superuser=True,
        ),
    )
    cast.employees = {
        "Erik Ek": make_employee(
            acme,
            "Erik Ek",
            department=sales,
            job_title="Account manager",
            personality_traits=["curious", "calm"],
            strengths=["listening"],
            development_areas=["delegating"],
            compatibility_job_role=Decimal("82.50"),
            compatibility_department=Decimal("74.00"),
            sun_sign=ZodiacSign.LEO,
            performance_indicators={"goals reached": 92},
        ),
        "Dina Dahl": make_employee(acme, "Dina Dahl", department=support, job_title="Support engineer"),
        "Wim Wolf": make_employee(acme, "Wim Wolf", department=workshop, job_title="Mechanic"),
    }
    cast.strangers = {"Hank Scorpio": make_employee(globex, "Hank Scorpio", department=research, job_title="Researcher")}
    return cast
