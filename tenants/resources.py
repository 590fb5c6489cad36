"""How a table of people (CSV) becomes employees, accounts and memberships; used by admin's import and by `import_people`."""

import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from import_export import fields, resources, widgets
from import_export.formats import base_formats
from import_export.results import RowResult

from tenants import scoping
from tenants.choices import EmploymentStatus, PeopleChange, Role, ZodiacSign
from tenants.models import Branch, Department, Employee, Membership
from tenants.services import accounts, organizations
from tenants.signals import announce_people_changed

ROWS_LIMIT = 20_000
COLUMNS = (
    "first_name", "last_name", "email", "number", "job_title", "branch", "department", "status", "hired_on", "role", "personality_traits",
    "behavioral_patterns", "compatibility_job_role", "compatibility_department", "compatibility_company", "compatibility_industry",
    "sun_sign", "moon_sign", "rising_sign", "harmonic_code", "performance_indicators", "training_needs", "strengths", "development_areas",
)  # fmt: skip


class People(base_formats.CSV):
    """Comma- or semicolon-separated text, as spreadsheets write it."""

    def get_title(self) -> str:
        return "csv"

    def create_dataset(self, in_stream: Any, **kwargs: Any) -> Any:
        text = in_stream.decode(self.encoding or "utf-8-sig") if isinstance(in_stream, bytes) else in_stream
        header = text.partition("\n")[0]
        delimiter = ";" if header.count(";") > header.count(",") else ","
        return super().create_dataset(text.replace("\x00", ""), delimiter=delimiter, **kwargs)


class Words(widgets.Widget):
    """`curious; calm` or `curious, calm`."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> list[str]:
        text = str(value or "")
        return [word.strip() for word in text.split(";" if ";" in text else ",") if word.strip()]

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "; ".join(value or ())


class Figures(widgets.Widget):
    """`goals reached=92; on-time delivery=0.87`, or a JSON object."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> dict[str, Any]:
        text = str(value or "").strip()
        if text.startswith("{"):
            try:
                return json.loads(text)
            except ValueError as error:
                raise ValueError("This is not JSON. Write: goals reached=92; on-time delivery=0.87") from error
        found: dict[str, Any] = {}
        for part in filter(str.strip, text.split(";")):
            name, equals, figure = part.partition("=")
            try:
                found[name.strip()] = float(figure) if "." in figure else int(figure)
            except ValueError as error:
                raise ValueError(f"“{part.strip()}” is not a name and a figure. Write: goals reached=92") from error
            if not (name.strip() and equals):
                raise ValueError(f"“{part.strip()}” is not a name and a figure. Write: goals reached=92")
        return found

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "; ".join(f"{name}={figure}" for name, figure in (value or {}).items())


class Choice(widgets.CharWidget):
    """One of a list of words, in any case."""

    def __init__(self, choices: Any) -> None:
        super().__init__()
        self.choices = choices

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        word = str(value or "").strip().lower().replace(" ", "_")
        if word and word not in self.choices.values:
            raise ValueError(f"“{value}” is not known here. Known: {', '.join(self.choices.values)}.")
        return word


class Lower(widgets.CharWidget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return str(value or "").strip().lower()


class Plain(widgets.CharWidget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return str(value or "").strip()


def column(name: str, widget: widgets.Widget | None = None, **kwargs: Any) -> fields.Field:
    return fields.Field(column_name=name, attribute=name, widget=widget or Plain(), **kwargs)


class PeopleResource(resources.ModelResource):
    """One row, one employee of one organization. With a `role` the person also gets an account and a membership.

    An employee is found again by `number`, else by `email`, else by both names. What the file leaves out, be it a column or a cell, stays
    as it is. Branches and departments are named; a name that does not exist is an error, or is made where `create_places` says so.
    """

    first_name = column("first_name")
    last_name = column("last_name")
    email = column("email", Lower())
    number = column("number")
    job_title = column("job_title")
    branch = fields.Field(column_name="branch", attribute="branch", widget=Plain())
    department = fields.Field(column_name="department", attribute="department", widget=Plain())
    status = fields.Field(column_name="status", attribute="status", widget=Choice(EmploymentStatus), default=EmploymentStatus.ACTIVE)
    hired_on = column("hired_on", widgets.DateWidget("%Y-%m-%d"))
    # No column of the table: what the row asks for is kept on the instance, where the preview finds it.
    role = fields.Field(column_name="role", attribute="_wanted_role", widget=Choice(Role))
    personality_traits = column("personality_traits", Words())
    behavioral_patterns = column("behavioral_patterns", Words())
    compatibility_job_role = column("compatibility_job_role", widgets.DecimalWidget())
    compatibility_department = column("compatibility_department", widgets.DecimalWidget())
    compatibility_company = column("compatibility_company", widgets.DecimalWidget())
    compatibility_industry = column("compatibility_industry", widgets.DecimalWidget())
    sun_sign = column("sun_sign", Choice(ZodiacSign))
    moon_sign = column("moon_sign", Choice(ZodiacSign))
    rising_sign = column("rising_sign", Choice(ZodiacSign))
    harmonic_code = column("harmonic_code")
    performance_indicators = column("performance_indicators", Figures())
    training_needs = column("training_needs", Words())
    strengths = column("strengths", Words())
    development_areas = column("development_areas", Words())

    class Meta:
        model = Employee
        name = "People"
        fields = COLUMNS
        import_order = COLUMNS
        export_order = COLUMNS
        import_id_fields: tuple[str, ...] = ()
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True
        use_transactions = True
        store_instance = True

    def __init__(
        self,
        organization: Any = None,
        create_places: bool = False,
        on_row: Callable[[RowResult], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.organization = organization
        self.create_places = create_places
        self.on_row = on_row
        self.seen: dict[Any, int | None] = {}
        self.headers: tuple[str, ...] = ()

    # The file as a whole.

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        headers = list(self.headers)
        if unknown := sorted(set(headers) - set(COLUMNS)):
            raise ValueError(f"The file has columns that are not known here: {', '.join(unknown)}. Known: {', '.join(COLUMNS)}.")
        if missing := [name for name in ("first_name", "last_name") if name not in headers]:
            raise ValueError(f"The file lacks the column {' and '.join(missing)}. Its first line has to name the columns.")
        if len(headers) != len(set(headers)):
            raise ValueError("The file has two columns of the same name. Remove one.")
        if len(dataset) > ROWS_LIMIT:
            raise ValueError(f"The file has {len(dataset)} rows; at most {ROWS_LIMIT} go at once. Split it.")
        self.seen = {}
        with scoping.tenant(self.organization):
            self.branches = {branch.name.lower(): branch for branch in Branch.objects.for_tenant(self.organization)}
            self.departments = {
                (department.branch_id, department.name.lower()): department
                for department in Department.objects.for_tenant(self.organization).select_related("branch")
            }

    def import_data(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        self.headers = tuple(str(header or "").strip().lower() for header in dataset.headers or ())
        dataset.headers = list(self.headers)
        with scoping.tenant(self.organization):
            return super().import_data(dataset, *args, **kwargs)

    def get_import_fields(self) -> list[fields.Field]:
        """The columns that the file has, in its order; a preview need not show the others."""
        every = {field.column_name: field for field in super().get_import_fields()}
        return [every[name] for name in self.headers if name in every] or list(every.values())

    # One row.

    def get_instance(self, instance_loader: Any, row: Any) -> Employee | None:
        employees = Employee.objects.for_tenant(self.organization).select_related("branch", "department")
        number, email = str(row.get("number") or "").strip(), str(row.get("email") or "").strip().lower()
        names = {name: str(row.get(name) or "").strip() for name in ("first_name", "last_name")}
        if number:
            return employees.filter(number=number).first()
        if email:
            return employees.filter(email=email).first()
        found = list(employees.filter(**names)[:2])
        if len(found) > 1:
            raise ValidationError({"number": "Several employees have this name. Give their number or email."})
        return found[0] if found else None

    def init_instance(self, row: Any = None) -> Employee:
        return Employee(organization=self.organization)

    def before_import_row(self, row: Any, row_number: int | None = None, **kwargs: Any) -> None:
        key: Any = str(row.get("number") or "").strip() or str(row.get("email") or "").strip().lower()
        key = key or tuple(str(row.get(name) or "").strip().lower() for name in ("first_name", "last_name"))
        if (earlier := self.seen.setdefault(key, row_number)) != row_number:
            raise ValidationError(f"Row {earlier} names this person already. Remove one of the two.")

    def import_field(self, field: fields.Field, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        if field.column_name in ("branch", "department", "role"):
            return  # `import_instance` puts the person in their place
        if not instance._state.adding and not str(row.get(field.column_name) or "").strip():
            return
        super().import_field(field, instance, row, is_m2m, **kwargs)

    def import_instance(self, instance: Any, row: Any, **kwargs: Any) -> None:
        super().import_instance(instance, row, **kwargs)
        errors: dict[str, Any] = {}
        try:
            self._place(instance, row)
        except ValidationError as error:
            errors.update(error.update_error_dict({}))
        try:
            instance._wanted_role = self.fields["role"].widget.clean(row.get("role"))
        except ValueError as error:
            errors["role"] = ValidationError(str(error))
        else:
            if instance._wanted_role and not instance.email:
                errors["email"] = ValidationError("Somebody with a role signs in by email. Give their address.")
        if errors:
            raise ValidationError(errors)

    def _place(self, instance: Any, row: Any) -> None:
        """Puts the employee where the row says, if it has these columns."""
        branch_name, department_name = (str(row.get(name) or "").strip() for name in ("branch", "department"))
        if not branch_name and not department_name:
            return
        branch = self._branch(branch_name) if branch_name else None
        instance.branch = branch
        instance.department = self._department(department_name, branch=branch) if department_name else None
        if instance.department is not None:
            instance.branch = instance.department.branch

    def _branch(self, name: str) -> Branch:
        found = self.branches.get(name.lower())
        if found is None and self.create_places:
            found = self.branches[name.lower()] = organizations.add_branch(self.organization, name=name)
        if found is None:
            raise ValidationError({"branch": f"There is no branch “{name}”. Make it first, or let the import make it."})
        return found

    def _department(self, name: str, *, branch: Branch | None) -> Department:
        named = [found for (_, key), found in self.departments.items() if key == name.lower()]
        if branch is not None:
            named = [found for found in named if found.branch_id == branch.pk]
        if len(named) > 1:
            raise ValidationError({"department": f"Several branches have a department “{name}”. Name the branch too."})
        if named:
            return named[0]
        if branch is not None and self.create_places:
            made = organizations.add_department(branch, name=name)
            made.branch = branch
            self.departments[branch.pk, name.lower()] = made
            return made
        raise ValidationError(
            {"department": f"There is no department “{name}”. Make it first, or name its branch and let the import make it."}
        )

    def validate_instance(self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True) -> None:
        super().validate_instance(instance, import_validation_errors, validate_unique)
        if getattr(instance, "_wanted_role", ""):
            self._check_role(instance)

    def _check_role(self, instance: Any) -> None:
        if instance._wanted_role == Role.LEADER and instance.branch_id is None:
            raise ValidationError({"branch": "A leader leads a branch. Name it."})
        if instance._wanted_role == Role.MANAGER and instance.department_id is None:
            raise ValidationError({"department": "A manager manages a department. Name it."})

    def skip_row(self, instance: Any, original: Employee, row: Any, import_validation_errors: Any = None) -> bool:
        if import_validation_errors or not self._has_wanted_place(instance):
            return False
        same = (instance.branch_id, instance.department_id) == (original.branch_id, original.department_id)
        original._wanted_role = getattr(instance, "_wanted_role", "")  # type: ignore[attr-defined]  # which the person has already
        return same and super().skip_row(instance, original, row, import_validation_errors)

    def _has_wanted_place(self, instance: Any) -> bool:
        """True if the person belongs to the organization as the row says already, or the row does not ask for it."""
        role = getattr(instance, "_wanted_role", "")
        if not role:
            return True
        places = Membership.objects.for_tenant(self.organization).filter(user__email=instance.email, is_active=True, role=role)
        place = places.filter(branch=instance.branch, department=instance.department).first()
        return place is not None and place.user_id == instance.user_id

    def do_instance_save(self, instance: Any, is_create: bool) -> None:
        with transaction.atomic():  # a row that the database refuses does not take the others with it
            if role := getattr(instance, "_wanted_role", ""):
                user, _ = accounts.get_or_create(instance.email, first_name=instance.first_name, last_name=instance.last_name)
                accounts.add_member(self.organization, user=user, role=Role(role), branch=instance.branch, department=instance.department)
                instance.user = user
            instance.save()
            what = PeopleChange.EMPLOYEE_ADDED if is_create else PeopleChange.EMPLOYEE_UPDATED
            announce_people_changed(what, organization_id=instance.organization_id, target_id=instance.pk)

    def after_import_row(self, row: Any, row_result: RowResult, **kwargs: Any) -> None:
        if self.on_row is not None:
            self.on_row(row_result)

    # Showing and exporting.

    def dehydrate_branch(self, employee: Employee) -> str:
        return employee.branch.name if employee.branch else ""

    def dehydrate_department(self, employee: Employee) -> str:
        return employee.department.name if employee.department else ""

    def dehydrate_role(self, employee: Employee) -> str:
        return getattr(employee, "_wanted_role", "")
