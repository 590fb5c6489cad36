"""Reads composed for the API: the member's own rows as plain dicts in the contract's shape, page by page.

Pages go by key, not by number: a cursor is `[direction, *values of the sort keys]` of the row at the page's edge, so that rows
added or removed meanwhile move nothing. Plain dicts, because a model and a serializer for each of fifty rows cost more than the query.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Min, Q, QuerySet

from config import periods
from tenants import access, roles, scoping
from tenants.models import Membership, RetentionPeriod, User

NEXT, PREVIOUS = "next", "previous"
READ = "people:employee:read"
NAMED_LIMIT = 1_000
Cursor = list[str]


@dataclass(frozen=True)
class Page:
    """Some rows of a list, and the cursors of the pages beside it; None at the list's ends."""

    results: list[dict[str, Any]]
    next: Cursor | None
    previous: Cursor | None


def days_shortened(organization_id: Any) -> dict[str, int]:
    """For how many days this organization has things kept, by their names in `config.periods`, where it shortened them. A query."""
    with scoping.tenant(organization_id):
        rows = RetentionPeriod.objects.for_tenant(organization_id).values_list("kept", "days")
        return {name: min(days, periods.BY_NAME[name].days) for name, days in rows if name in periods.BY_NAME}


def days_shortest() -> dict[str, int]:
    """For how many days those have things kept who have them kept for the shortest time, where anybody shortened them. A query."""
    with scoping.across_tenants("what is whole for everybody"):
        rows = RetentionPeriod.across_tenants.values_list("kept").annotate(days=Min("days"))
        return dict(rows.order_by("kept"))


def me(user: User, membership: Membership | None, *, all_memberships: Sequence[Membership]) -> dict[str, Any]:
    """Who asks, for which organization, and what they may do there. May cause a query for the grants."""
    granted = sorted(code for role, code in roles.granted() if membership is not None and role == membership.role)
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "account_type": user.account_type_informal,
        "membership": None if membership is None else _membership(membership),
        "permissions": granted,
        "memberships": [_membership(each) for each in all_memberships],
    }


def employees(
    membership: Membership,
    *,
    q: str = "",
    branch: str | None = None,
    department: str | None = None,
    status: str | None = None,
    cursor: Cursor | None = None,
    limit: int,
) -> Page:
    """The employees this member may see, by name. `Forbidden` to a role that sees none."""
    roles.require(membership, READ)
    rows = access.employees_for(membership)
    rows = _matching(rows, q, fields=("first_name", "last_name", "email", "number", "job_title"))
    if branch is not None:
        rows = rows.filter(branch_id=branch)
    if department is not None:
        rows = rows.filter(department_id=department)
    if status is not None:
        rows = rows.filter(status=status)
    return paged(rows, keys=("last_name", "first_name", "id"), columns=EMPLOYEE_COLUMNS, show=employee, cursor=cursor, limit=limit)


def one_employee(membership: Membership, employee_id: Any) -> dict[str, Any]:
    """One employee this member may see; `NotFound` otherwise."""
    roles.require(membership, READ)
    found = access.employees_for(membership).filter(id=employee_id).values(*EMPLOYEE_COLUMNS).first()
    if found is None:
        raise access.NotFound
    return employee(found)


def employees_named(membership: Membership, name: str) -> list[UUID]:
    """The employees this member may see in whose name these words occur; at most `NAMED_LIMIT`. Causes a query."""
    rows = _matching(access.employees_for(membership), name, fields=("first_name", "last_name"))
    return list(rows.values_list("pk", flat=True)[:NAMED_LIMIT])


def branches(membership: Membership, *, q: str = "", cursor: Cursor | None = None, limit: int) -> Page:
    roles.require(membership, READ)
    rows = _matching(access.branches_for(membership), q, fields=("name", "location"))
    return paged(rows, keys=("name", "id"), columns=("id", "name", "location"), show=dict, cursor=cursor, limit=limit)


def one_branch(membership: Membership, branch_id: Any) -> dict[str, Any]:
    roles.require(membership, READ)
    found = access.branches_for(membership).filter(id=branch_id).values("id", "name", "location").first()
    if found is None:
        raise access.NotFound
    return dict(found)


def departments(membership: Membership, *, q: str = "", branch: str | None = None, cursor: Cursor | None = None, limit: int) -> Page:
    roles.require(membership, READ)
    rows = _matching(access.departments_for(membership), q, fields=("name",))
    if branch is not None:
        rows = rows.filter(branch_id=branch)
    return paged(rows, keys=("name", "id"), columns=DEPARTMENT_COLUMNS, show=department, cursor=cursor, limit=limit)


def one_department(membership: Membership, department_id: Any) -> dict[str, Any]:
    roles.require(membership, READ)
    found = access.departments_for(membership).filter(id=department_id).values(*DEPARTMENT_COLUMNS).first()
    if found is None:
        raise access.NotFound
    return department(found)


# Shapes ----------------------------------------------------------------------------------------------------------------

DEPARTMENT_COLUMNS = ("id", "name", "branch_id", "branch__name")
EMPLOYEE_COLUMNS = (
    "id",
    "number",
    "first_name",
    "last_name",
    "email",
    "job_title",
    "branch_id",
    "branch__name",
    "department_id",
    "department__name",
    "reports_to_id",
    "status",
    "hired_on",
    "personality_traits",
    "behavioral_patterns",
    "compatibility_job_role",
    "compatibility_department",
    "compatibility_company",
    "compatibility_industry",
    "sun_sign",
    "moon_sign",
    "rising_sign",
    "harmonic_code",
    "last_harmonic_update",
    "performance_indicators",
    "training_needs",
    "strengths",
    "development_areas",
    "created_at",
    "updated_at",
)


def employee(row: dict[str, Any]) -> dict[str, Any]:
    """An employee in the contract's shape, from `EMPLOYEE_COLUMNS`."""
    return {
        "id": row["id"],
        "number": row["number"],
        "name": f"{row['first_name']} {row['last_name']}".strip(),
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "email": row["email"],
        "job_title": row["job_title"],
        "branch": _named(row, "branch"),
        "department": _named(row, "department"),
        "reports_to": row["reports_to_id"],
        "status": row["status"],
        "hired_on": row["hired_on"],
        "personality_traits": row["personality_traits"],
        "behavioral_patterns": row["behavioral_patterns"],
        "compatibility": {name: row[f"compatibility_{name}"] for name in ("job_role", "department", "company", "industry")},
        "astrology": {
            "sun_sign": row["sun_sign"] or None,
            "moon_sign": row["moon_sign"] or None,
            "rising_sign": row["rising_sign"] or None,
            "harmonic_code": row["harmonic_code"] or None,
            "last_harmonic_update": row["last_harmonic_update"],
        },
        "performance": {
            "indicators": row["performance_indicators"],
            "training_needs": row["training_needs"],
            "strengths": row["strengths"],
            "development_areas": row["development_areas"],
        },
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def department(row: dict[str, Any]) -> dict[str, Any]:
    """A department in the contract's shape, from `DEPARTMENT_COLUMNS`."""
    return {"id": row["id"], "name": row["name"], "branch": _named(row, "branch")}


def _named(row: dict[str, Any], name: str) -> dict[str, Any] | None:
    if row[f"{name}_id"] is None:
        return None
    return {"id": row[f"{name}_id"], "name": row[f"{name}__name"]}


def _membership(membership: Membership) -> dict[str, Any]:
    organization = membership.organization
    return {
        "organization": {"id": organization.id, "name": organization.name, "slug": organization.slug},
        "role": membership.role,
        "branch": membership.branch_id,
        "department": membership.department_id,
    }


# Search and pages ------------------------------------------------------------------------------------------------------


def _matching(rows: QuerySet, q: str, *, fields: Sequence[str]) -> QuerySet:
    """The rows in which every word of `q` occurs in one of the fields."""
    for word in q.split():
        found = Q()
        for field in fields:
            found |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(found)
    return rows


def paged(
    rows: QuerySet,
    *,
    keys: Sequence[str],
    columns: Sequence[str],
    show: Callable[[dict[str, Any]], dict[str, Any]],
    cursor: Cursor | None,
    limit: int,
) -> Page:
    """`limit` rows after (or before) the cursor, in the order of `keys`, which end in a unique one."""
    backwards = cursor is not None and cursor[0] == PREVIOUS
    if cursor is not None:
        rows = rows.filter(_beyond(keys, cursor[1:], "lt" if backwards else "gt"))
    rows = rows.order_by(*(f"-{key}" if backwards else key for key in keys))
    found = list(rows.values(*columns)[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    if backwards:
        found.reverse()
    has_next = more if not backwards else True
    has_previous = cursor is not None if not backwards else more
    return Page(
        results=[show(row) for row in found],
        next=[NEXT, *_edge(found[-1], keys)] if found and has_next else None,
        previous=[PREVIOUS, *_edge(found[0], keys)] if found and has_previous else None,
    )


def _beyond(keys: Sequence[str], values: Sequence[str], comparison: str) -> Q:
    """(keys) > (values), or <, as rows are compared."""
    found = Q()
    for place, key in enumerate(keys):
        equal = dict(zip(keys[:place], values[:place], strict=True))
        found |= Q(**equal, **{f"{key}__{comparison}": values[place]})
    return found


def _edge(row: dict[str, Any], keys: Sequence[str]) -> Cursor:
    return [str(row[key]) for key in keys]
