"""Adding employees and changing them, one at a time; many at once are imported (`tenants.services.imports`)."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from tenants import access, roles
from tenants.choices import PeopleChange, Role
from tenants.errors import NotFound
from tenants.models import Employee, Membership
from tenants.signals import announce_people_changed

UPDATE = "people:employee:update"


def add(membership: Membership, **fields: Any) -> Employee:
    """A new employee in a place that this member sees; a leader's come into the leader's branch.

    `fields` are the model's, places and `reports_to` by id. Raises `Forbidden`, and `ValidationError` by field.
    """
    roles.require(membership, UPDATE)
    if membership.role == Role.LEADER and fields.get("branch") is None:
        fields["branch"] = membership.branch_id
    employee = Employee(organization_id=membership.organization_id, **_resolved(membership, fields))
    _save(employee, force_insert=True)
    announce_people_changed(PeopleChange.EMPLOYEE_ADDED, organization_id=employee.organization_id, target_id=employee.pk)
    return employee


def change(membership: Membership, employee: Employee, **fields: Any) -> Employee:
    """Changes these fields of an employee whom this member may see. Raises as `add` does; nothing is changed then."""
    roles.require(membership, UPDATE)
    if not fields:
        return employee
    if membership.role == Role.LEADER and "branch" in fields and fields["branch"] is None:
        raise ValidationError({"branch": "A leader's employees are in the leader's branch. Leave it as it is."})
    for name, value in _resolved(membership, fields).items():
        setattr(employee, name, value)
    if "branch" in fields and "department" not in fields and employee.department and employee.department.branch_id != employee.branch_id:
        employee.department = None  # the department stays behind in the old branch
        fields["department"] = None
    _save(employee, update_fields=[*fields, "branch", "updated_at"])
    announce_people_changed(PeopleChange.EMPLOYEE_UPDATED, organization_id=employee.organization_id, target_id=employee.pk)
    return employee


def _resolved(membership: Membership, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with rows in the place of ids, as far as this member may see those rows."""
    doors = {"branch": access.branches_for, "department": access.departments_for, "reports_to": access.employees_for}
    found = dict(fields)
    for name, door in doors.items():
        if found.get(name) is None:
            continue
        row = door(membership).filter(pk=found[name]).first()
        if row is None:
            raise ValidationError({name: "This does not exist, or is not yours to see. Choose another."})
        found[name] = row
    return found


def _save(employee: Employee, **how: Any) -> None:
    try:
        with transaction.atomic():
            employee.full_clean(exclude=["user"], validate_constraints=False)
            _refuse_twins(employee)
            employee.save(**how)
    except IntegrityError as error:  # somebody else took the number or the address between the look and the write
        raise ValidationError("Another employee has this number or email. Choose another.", code="unique") from error


def _refuse_twins(employee: Employee) -> None:
    others = Employee.objects.for_tenant(employee.organization_id).exclude(pk=employee.pk)
    for name in ("number", "email"):
        value = getattr(employee, name)
        if value and others.filter(**{name: value}).exists():
            raise ValidationError({name: ValidationError(f"Another employee has this {name}. Choose another.", code="unique")})


def find(membership: Membership, employee_id: Any) -> Employee:
    """The employee to change; `Forbidden` to a role that may change none, `NotFound` where it is missing or another's."""
    roles.require(membership, UPDATE)
    found = access.employees_for(membership).select_related("reports_to").filter(pk=employee_id).first()
    if found is None:
        raise NotFound
    return found
