"""The wall between organizations, table by table, as PostgreSQL itself sees it, and in the source."""

import ast
import itertools
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.models.fields.related import RelatedField
from django_rls_tenants.rls.constraints import RLSConstraint

from tenants import checks, scoping
from tenants.choices import Role
from tenants.models import Grant, Organization, Permission
from tenants.scoping import TenantManager, TenantModel
from tests import tenancy
from tests.cast import make_cast

ROOT = Path(__file__).resolve().parents[2]
OURS = ("tenants", "integrations", "chat", "analytics", "dashboards", "config")

# Tables that belong to an organization but are looked up before one is known, each with the reason. An entry that is not needed fails.
WITHOUT_ROW_LEVEL_SECURITY: dict[str, str] = {}

# Tables with rows that are no organization's: the platform as a whole.
WITH_A_ROW_OF_THE_PLATFORM = {"analytics.ArchivedMonth", "analytics.PlatformAdoption", "analytics.BusinessImpact"}

# The files that may say `across_tenants`, and why. A stale entry fails.
ACROSS = {
    "analytics/rollups/ledger.py": "the night finds the first call of everybody",
    "analytics/services/fill.py": "the night counts the days of every organization; each row names its own",
    "analytics/services/retention.py": "the rows of the platform as a whole are nobody's",
    "integrations/services/connections.py": "the clock renews and revokes whosever connections are due; each for its organization",
    "integrations/services/budgets.py": "a process renews the holds of all its calls; those of dead ones are released, whoever's they are",
    "integrations/services/ledger.py": "one statement writes the calls of all organizations; each row names its own",
    "integrations/services/reconciliation.py": "the export of the platform's own key is of all organizations",
    "tenants/access.py": "finds the membership, before there is a tenant",
    "tenants/acting.py": "defines it",
    "tenants/authentication.py": "an API key names its organization",
    "tenants/middleware.py": "staff in admin",
    "tenants/models.py": "counts the seats of each organization in a list of them",
    "tenants/scoping.py": "defines it",
    "tenants/selectors.py": "how long something is whole for everybody",
    "tenants/services/audit.py": "records of everybody are removed when their period is over",
    "tenants/services/erasure.py": "a person is erased in every organization",
}


def tenant_models():
    return sorted((model for model in apps.get_models() if issubclass(model, TenantModel)), key=lambda model: model._meta.label)


def sources():
    for app in OURS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts and "node_modules" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text()


def tables_with_an_organization():
    """Every table (partitions too) with a column organization_id, and whether row-level security is on, forced and has a policy."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
                   EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = c.relname AND p.cmd = 'ALL'
                              AND p.qual LIKE '%organization_id%' AND p.with_check LIKE '%organization_id%'),
                   c.relispartition
              FROM pg_class c
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
             WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
             ORDER BY c.relname
            """
        )
        return cursor.fetchall()


def test_every_table_with_an_organization_has_forced_row_level_security(db):
    found = tables_with_an_organization()
    assert {"memberships", "employees", "employees_history", "api_keys", "access_records"} <= {name for name, *_ in found}
    bare = {name for name, enabled, forced, policy, is_partition in found if not is_partition and not (enabled and forced and policy)}
    assert bare == set(WITHOUT_ROW_LEVEL_SECURITY)


def test_naming_a_partition_leads_past_no_wall(db):
    """Row-level security of a table says nothing of its partitions: each has its own switched on, and no policy lets anybody in."""
    partitions = {name: enabled for name, enabled, _, _, is_partition in tables_with_an_organization() if is_partition}
    assert partitions, "the scan sees nothing"
    assert all(partitions.values())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_policies WHERE schemaname = 'public' AND tablename = ANY(%s)", [list(partitions)])
        assert cursor.fetchone() == (0,)


def test_every_tenant_model_keeps_what_makes_it_one():
    found = tenant_models()
    assert len(found) >= 8
    for model in found:
        assert isinstance(model._meta.managers_map["objects"], TenantManager), model
        assert model._meta.default_manager_name == "across_tenants", model
        assert model._meta.base_manager_name == "across_tenants", model
        assert any(isinstance(constraint, RLSConstraint) for constraint in model._meta.constraints), model
        assert model._meta.get_field("organization").null == (model._meta.label in WITH_A_ROW_OF_THE_PLATFORM), model
    assert checks.every_tenant_model_has_row_level_security(None) == []


def test_the_check_finds_a_model_without_row_level_security(monkeypatch):
    model = tenant_models()[0]
    monkeypatch.setattr(model._meta, "constraints", [])
    assert [error.id for error in checks.every_tenant_model_has_row_level_security(None)] == ["tenants.E001"]


def test_a_model_with_an_organization_is_a_tenant_model_or_a_history():
    stray = [
        model._meta.label
        for model in apps.get_models()
        if any(isinstance(field, RelatedField) and field.related_model is Organization for field in model._meta.concrete_fields)
        and not issubclass(model, TenantModel)
        and not hasattr(model, "pgh_tracked_model")
    ]
    assert stray == []


@pytest.mark.parametrize("name", [model._meta.label for model in tenant_models()])
def test_each_tenant_table_is_empty_for_strangers(db, name):
    """Rows of Acme, put in as nobody could but staff, cannot be seen by nobody or by Globex; raw SQL, no ORM."""
    cast = make_cast()
    model = apps.get_model(name)
    with scoping.across_tenants("a test fills the table"):
        row = model.across_tenants.filter(organization=cast.acme).first() or filled(model, cast)
    table = connection.ops.quote_name(model._meta.db_table)

    def count():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table} WHERE organization_id = %s", [cast.acme.pk])
            return cursor.fetchone()[0]

    with scoping.tenant(cast.acme):
        assert count() >= 1, row
    with scoping.tenant(cast.globex):
        assert count() == 0
    with scoping.tenant(uuid.uuid4()):
        assert count() == 0
    assert count() == 0


def filled(model, cast):
    """A row with something in each column that needs it."""
    values = {}
    for field in model._meta.concrete_fields:
        if field.name == "organization":
            values[field.name] = cast.acme
        elif field.has_default() or field.null or field.primary_key or field.has_db_default() or field.generated:
            continue
        elif isinstance(field, models.ForeignKey):
            values[field.name] = field.related_model._default_manager.filter().first() or filled(field.related_model, cast)
        else:
            values[field.name] = something(field)
    return model.across_tenants.create(**values)


_hours = itertools.count()  # a period ends after it begins


def something(field):
    if field.choices:
        return field.choices[0][0]
    if isinstance(field, models.UUIDField):
        return uuid.uuid4()
    if isinstance(field, models.BooleanField):
        return False
    if isinstance(field, models.BinaryField):
        return b"x"
    if isinstance(field, models.CharField | models.TextField):
        return "" if field.blank else "x"
    if isinstance(field, models.DateTimeField):
        return datetime(2026, 1, 1, tzinfo=UTC) + next(_hours) * timedelta(hours=1)
    if isinstance(field, models.DateField):
        return date(2026, 1, 1)
    return 1


# The source ---------------------------------------------------------------------------------------------------------------


def calls_of_shortcuts(source):
    """Calls of get_object_or_404 and get_list_or_404 whose first argument is a bare name, i.e. a model: unscoped."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in {"get_object_or_404", "get_list_or_404", "aget_object_or_404", "aget_list_or_404"}:
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Name | ast.Attribute):
                    yield node.lineno


def test_the_scan_sees_a_bare_model():
    assert list(calls_of_shortcuts("get_object_or_404(Employee, pk=1)")) == [1]
    assert list(calls_of_shortcuts("shortcuts.get_object_or_404(models.Employee, pk=1)")) == [1]
    assert list(calls_of_shortcuts("get_object_or_404(Employee.objects.for_tenant(o), pk=1)")) == []


def test_nobody_gets_an_object_or_404_from_a_bare_model():
    found = [f"{path}:{line}" for path, source in sources() for line in calls_of_shortcuts(source)]
    assert found == []


def test_going_across_tenants_is_where_it_is_known_to_be():
    uses = {path for path, source in sources() if re.search(r"\bacross_tenants\b", re.sub(r'(?m)#.*$|"""(?s:.*?)"""', "", source))}
    assert uses == set(ACROSS)


def test_allowed_reasons_in_mongodb_are_all_used():
    text = "\n".join(source for _, source in sources()) + "\n".join(
        path.read_text() for path in (ROOT / "tests").rglob("*.py") if path.name != "tenancy.py"
    )
    stale = [reason for reason in tenancy.ALLOWED_ACROSS if reason not in text]
    assert stale == []


# Permissions ------------------------------------------------------------------------------------------------------------

ASKED = re.compile(r"""roles\.(?:may|require)\([^"')]*["']([a-z_]+:[a-z_]+:[a-z_]+)["']""")


def test_every_permission_that_code_asks_for_exists(db):
    asked = {code for _, source in sources() for code in ASKED.findall(source)}
    assert asked, "the scan sees nothing"
    assert asked <= set(Permission.objects.values_list("code", flat=True))


def test_owners_are_granted_everything_and_guests_little(db):
    held = {role: set() for role in Role.values}
    for role, code in Grant.objects.values_list("role", "permission__code"):
        held[role].add(code)
    assert held["owner"] == set(Permission.objects.values_list("code", flat=True))
    assert held["guest"] < held["manager"] < held["leader"] < held["owner"]
    assert not any(code.startswith(("people:", "supervisor:")) for code in held["guest"])


# Pointers between rows -----------------------------------------------------------------------------------------------------


def pointers():
    """(table, column) of every key from one tenants' table to another."""
    for model in tenant_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and issubclass(field.related_model, TenantModel):
                yield model._meta.db_table, field.column


def test_every_pointer_between_tenants_tables_names_the_organization_too(db):
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c
              JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.attname <> 'organization_id'
             WHERE c.contype = 'f' AND cardinality(c.conkey) = 2 AND c.conparentid = 0
            """
        )
        assert set(cursor.fetchall()) == set(pointers())


def test_the_database_refuses_a_pointer_into_another_organization(db):
    cast = make_cast()
    with scoping.across_tenants("a test"):
        stranger = cast.strangers["Hank Scorpio"]
        with pytest.raises(IntegrityError, match="same_organization"), transaction.atomic():
            type(stranger).across_tenants.filter(pk=cast.employees["Erik Ek"].pk).update(branch=stranger.branch_id)
            connection.check_constraints()
