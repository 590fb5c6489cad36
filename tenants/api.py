"""REST: `me`, employees, branches, departments."""

from typing import Any, cast
from uuid import UUID

from rest_framework.permissions import IsAuthenticated

from config.api import Call, Endpoint, operation, page, page_of, unseal
from tenants import access, selectors
from tenants.models import User
from tenants.serializers import (
    BranchAnswer,
    BranchesQuery,
    DepartmentAnswer,
    DepartmentsQuery,
    EmployeeAnswer,
    EmployeeChange,
    EmployeesQuery,
    MeAnswer,
    NewEmployee,
    SignInAnswer,
)
from tenants.services import accounts, employees


class Me(Endpoint):
    permission_classes = [IsAuthenticated]  # someone who has not chosen an organization yet asks here which there are

    @operation(summary="Who I am, and what I may do", answer=MeAnswer, tags=["people"])
    def get(self, call: Call) -> Any:
        with_key = getattr(call.request.auth, "membership", None) is not None
        found = [call.membership] if with_key else access.memberships_of(call.request.user)
        return selectors.me(cast(User, call.request.user), call.membership, all_memberships=list(found))


class SignIns(Endpoint):
    permission_classes = [IsAuthenticated]

    @operation(summary="The browsers that I am signed in with, latest first", answer=page_of(SignInAnswer), tags=["people"])
    def get(self, call: Call) -> Any:
        here = None if call.request.auth else call.request.session.session_key
        found = [
            {
                "id": one.pk,
                "user_agent": one.user_agent,
                "ip_address": one.ip,
                "signed_in_at": one.created_at,
                "this_one": one.session_key == here,
            }
            for one in accounts.sign_ins(cast(User, call.request.user))
        ]
        return page(call.request, found, name="sign-ins")


class SignIn(Endpoint):
    permission_classes = [IsAuthenticated]

    @operation(summary="Sign one of my browsers out; its sockets close", answer=None, status_code=204, tags=["people"])
    def delete(self, call: Call, sign_in_id: int) -> Any:
        accounts.end_sign_in(cast(User, call.request.user), sign_in_id=sign_in_id)


class Employees(Endpoint):
    @operation(summary="Employees I may see, by name", answer=page_of(EmployeeAnswer), query=EmployeesQuery, tags=["people"])
    def get(self, call: Call) -> Any:
        asked = dict(call.query)
        found = selectors.employees(call.membership, cursor=unseal(asked.pop("cursor", None), name="employees"), **asked)
        return page(call.request, found.results, name="employees", next=found.next, previous=found.previous)

    @operation(
        summary="Add an employee",
        answer=EmployeeAnswer,
        status_code=201,
        body=NewEmployee,
        tags=["people"],
    )
    def post(self, call: Call) -> Any:
        added = employees.add(call.membership, **EmployeeChange.fields_of_model(call.body))
        return selectors.one_employee(call.membership, added.pk)


class Employee(Endpoint):
    @operation(summary="One employee", answer=EmployeeAnswer, tags=["people"])
    def get(self, call: Call, employee_id: UUID) -> Any:
        return selectors.one_employee(call.membership, employee_id)

    @operation(summary="Change an employee", answer=EmployeeAnswer, body=EmployeeChange, tags=["people"])
    def patch(self, call: Call, employee_id: UUID) -> Any:
        employee = employees.find(call.membership, employee_id)
        employees.change(call.membership, employee, **EmployeeChange.fields_of_model(call.body))
        return selectors.one_employee(call.membership, employee_id)


class Branches(Endpoint):
    @operation(summary="Branches I may see, by name", answer=page_of(BranchAnswer), query=BranchesQuery, tags=["people"])
    def get(self, call: Call) -> Any:
        asked = dict(call.query)
        found = selectors.branches(call.membership, cursor=unseal(asked.pop("cursor", None), name="branches"), **asked)
        return page(call.request, found.results, name="branches", next=found.next, previous=found.previous)


class Branch(Endpoint):
    @operation(summary="One branch", answer=BranchAnswer, tags=["people"])
    def get(self, call: Call, branch_id: UUID) -> Any:
        return selectors.one_branch(call.membership, branch_id)


class Departments(Endpoint):
    @operation(summary="Departments I may see, by name", answer=page_of(DepartmentAnswer), query=DepartmentsQuery, tags=["people"])
    def get(self, call: Call) -> Any:
        asked = dict(call.query)
        found = selectors.departments(call.membership, cursor=unseal(asked.pop("cursor", None), name="departments"), **asked)
        return page(call.request, found.results, name="departments", next=found.next, previous=found.previous)


class Department(Endpoint):
    @operation(summary="One department", answer=DepartmentAnswer, tags=["people"])
    def get(self, call: Call, department_id: UUID) -> Any:
        return selectors.one_department(call.membership, department_id)
