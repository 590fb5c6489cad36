"""The database backend: a session acts for the tenant that the code acts for, whatever happened to its connection before."""

import threading
import time
from importlib import import_module

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import DatabaseError, ProgrammingError, connection, connections, transaction
from django.db.models import Count
from django.test import override_settings
from psycopg import sql

from tenants import scoping
from tenants.database import roles
from tenants.models import Branch, Department, Organization
from tests.cast import make_cast


def session():
    """What PostgreSQL believes now. (A statement of its own, so it is told first.)"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('rls.current_tenant', true), current_setting('rls.is_admin', true)")
        return cursor.fetchone()


def believed():
    """What the session believes without being told: past our cursors."""
    result = connection.connection.pgconn.exec_(b"SELECT current_setting('rls.current_tenant', true)")
    return result.get_value(0, 0).decode()


def seen():
    """The branches that raw SQL sees."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM branches ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


@pytest.fixture
def cast(db):
    return make_cast()


@pytest.fixture
def committed(transactional_db):
    return make_cast()


# Roles ------------------------------------------------------------------------------------------------------------------


def test_everything_acts_as_a_role_that_row_level_security_holds_for(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, session_user = current_user")
        assert cursor.fetchone() == ("parley_app", False)
    assert roles.problems() == []


def test_acting_as_the_owner_is_found_out(transactional_db):
    with roles.as_owner():
        assert any("superuser" in sentence for sentence in roles.problems())
        assert any("owns tables" in sentence for sentence in roles.problems())
    assert roles.problems() == []


def test_the_owner_is_dropped_inside_a_transaction_too(db):
    def who():
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            return cursor.fetchone()[0]

    with roles.as_owner():
        assert who() == "postgres"
    assert who() == "parley_app"
    with pytest.raises(DatabaseError), transaction.atomic(), roles.as_owner():
        connection.cursor().execute("SELECT 1/0")
    assert who() == "parley_app"


def test_a_role_that_does_not_exist_is_an_error_that_says_what_to_do(transactional_db):
    options = {name: value for name, value in connection.settings_dict["OPTIONS"].items() if name != "pool"}
    stranger = type(connections["default"])({**connection.settings_dict, "OPTIONS": options}, alias="default")
    with override_settings(DATABASE_ROLE="nobody_made_this"), pytest.raises(ProgrammingError, match=r"manage\.py migrate"):
        stranger.ensure_connection()
    stranger.close()


def test_the_role_may_not_truncate_or_change_tables(db):
    for statement in (
        "TRUNCATE branches CASCADE",
        "ALTER TABLE branches DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE branches NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY branches_tenant_isolation_policy ON branches",
        "CREATE TABLE elsewhere AS SELECT 1",
    ):
        with pytest.raises(ProgrammingError), transaction.atomic():
            connection.cursor().execute(statement)


def test_migrations_are_complete_and_may_run_again(transactional_db):
    call_command("makemigrations", "tenants", check=True, dry_run=True, verbosity=0)
    call_command("migrate", verbosity=0)
    assert roles.problems() == []


def test_the_check_of_the_database_passes(db):
    call_command("check", databases=["default"], fail_level="WARNING")


# Whose rows -------------------------------------------------------------------------------------------------------------


def test_without_a_tenant_raw_sql_sees_nothing(cast):
    assert seen() == []


def test_with_a_tenant_raw_sql_sees_its_rows_only(cast):
    with scoping.tenant(cast.acme):
        assert seen() == ["North", "South"]
    with scoping.tenant(cast.globex):
        assert seen() == ["Lair"]
    with scoping.across_tenants("a test"):
        assert seen() == ["Lair", "North", "South"]
    assert seen() == []


def test_a_row_cannot_be_written_or_moved_to_another_organization(cast):
    with scoping.tenant(cast.globex):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Branch.across_tenants.create(organization=cast.acme, name="Outpost")
        assert Branch.across_tenants.filter(pk=cast.north.pk).update(name="Taken") == 0
        assert Branch.across_tenants.filter(pk=cast.north.pk).delete()[0] == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Branch.across_tenants.update(organization=cast.acme)
    with scoping.tenant(cast.acme):
        assert seen() == ["North", "South"]


def test_scopes_nest_and_end(cast):
    with scoping.tenant(cast.acme):
        with scoping.tenant(cast.globex):
            assert seen() == ["Lair"]
        assert seen() == ["North", "South"]
        with scoping.nobody():
            assert seen() == []
            scoping.act_for(cast.globex)
            assert seen() == ["Lair"]
        assert seen() == ["North", "South"]
    with pytest.raises(RuntimeError), scoping.tenant(cast.acme):
        raise RuntimeError
    assert seen() == []


def test_a_savepoint_rollback_does_not_leave_a_stale_tenant(cast):
    with scoping.tenant(cast.acme):
        assert seen() == ["North", "South"]
        try:
            with transaction.atomic(), scoping.tenant(cast.globex):
                assert seen() == ["Lair"]
                raise RuntimeError
        except RuntimeError:
            pass
        assert seen() == ["North", "South"]
    with scoping.tenant(cast.globex):
        try:
            with transaction.atomic():
                with scoping.tenant(cast.acme):
                    seen()
                raise RuntimeError
        except RuntimeError:
            pass
        assert seen() == ["Lair"]


def test_a_savepoint_that_another_tenant_set_does_not_bring_it_back(cast):
    with scoping.tenant(cast.acme):
        seen()
        savepoint = transaction.savepoint()
    with scoping.tenant(cast.globex):
        assert seen() == ["Lair"]
        transaction.savepoint_rollback(savepoint)
        assert seen() == ["Lair"]


def test_a_rollback_does_not_leave_a_stale_tenant(committed):
    with scoping.tenant(committed.acme):
        assert seen() == ["North", "South"]
    try:
        with scoping.tenant(committed.globex), transaction.atomic():
            assert seen() == ["Lair"]
            raise RuntimeError
    except RuntimeError:
        pass
    # The rollback took the session back to Acme; code that acts for Globex must not see that.
    with scoping.tenant(committed.globex):
        assert seen() == ["Lair"]
    assert seen() == []


def test_a_failed_transaction_that_is_committed_does_not_leave_a_stale_tenant(committed):
    with scoping.tenant(committed.acme):
        seen()
    with scoping.tenant(committed.globex):
        with pytest.raises(DatabaseError), transaction.atomic():
            seen()
            connection.cursor().execute("SELECT 1/0")
        assert seen() == ["Lair"]


def test_the_commit_of_a_failed_transaction_is_a_rollback_and_is_taken_for_one(committed):
    with scoping.tenant(committed.acme):
        seen()
    with scoping.tenant(committed.globex):
        connection.set_autocommit(False)
        try:
            assert seen() == ["Lair"]
            with pytest.raises(DatabaseError):
                connection.cursor().execute("SELECT 1/0")
            connection.commit()
            assert seen() == ["Lair"]
        finally:
            connection.rollback()
            connection.set_autocommit(True)


def test_a_transaction_that_psycopg_ends_behind_our_back_does_not_leave_a_stale_tenant(committed):
    with scoping.tenant(committed.acme):
        seen()
    with scoping.tenant(committed.globex):
        connection.set_autocommit(False)
        try:
            assert seen() == ["Lair"]
            connection.connection.rollback()
            assert seen() == ["Lair"]
        finally:
            connection.rollback()
            connection.set_autocommit(True)


def test_a_commit_keeps_the_tenant_without_telling_it_again(committed, django_assert_num_queries):
    with scoping.tenant(committed.acme):
        with transaction.atomic():
            seen()
        assert believed() == str(committed.acme.pk)
        assert seen() == ["North", "South"]


def test_a_connection_that_goes_back_to_its_pool_takes_no_tenant_along(committed):
    assert connection.pool is not None
    with scoping.tenant(committed.acme):
        assert seen() == ["North", "South"]
        used = connection.connection
        connection.close()
    for _ in range(200):  # the pool wipes it in a thread of its own
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if connection.connection is used:
            break
        connection.close()
    assert session() == ("", "false")
    assert seen() == []


def test_the_pool_wipes_what_a_session_believed(committed):
    with scoping.tenant(committed.acme):
        seen()
        used = connection.connection
    connection.close()
    deadline = time.monotonic() + 10
    while used not in connection.pool._pool:  # it is put back by a thread of the pool, once it is wiped
        assert time.monotonic() < deadline, "The connection never came back to its pool."
        time.sleep(0.01)
    # Looked at where it lies: taking it out would tell it for whom we act now.
    assert used.pgconn.exec_(b"SELECT current_setting('rls.current_tenant', true)").get_value(0, 0) == b""


def test_threads_act_each_for_their_own(committed):
    found = {}
    start = threading.Barrier(2)

    def work(organization, expected):
        try:
            with scoping.tenant(organization):
                start.wait(5)
                found[organization.slug] = all(seen() == expected for _ in range(50))
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=work, args=(committed.acme, ["North", "South"])),
        threading.Thread(target=work, args=(committed.globex, ["Lair"])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {"acme": True, "globex": True}


async def test_the_tenant_follows_async_code_into_threads(committed):
    def work():
        try:
            return seen()
        finally:
            connections.close_all()

    with scoping.tenant(committed.acme):
        assert await sync_to_async(work, thread_sensitive=False)() == ["North", "South"]
        assert await sync_to_async(seen)() == ["North", "South"]
    assert await sync_to_async(seen)() == []
    await sync_to_async(connections.close_all)()


def test_every_way_of_sending_sql_is_told_first(cast):
    with scoping.tenant(cast.acme):
        with connection.cursor() as cursor, cursor.copy("COPY (SELECT name FROM branches ORDER BY name) TO STDOUT") as copy:
            assert [row for (row,) in copy.rows()] == ["North", "South"]
    with scoping.tenant(cast.globex):
        assert [branch.name for branch in Branch.objects.for_tenant(cast.globex).iterator()] == ["Lair"]
        assert list(connection.connection.execute("SELECT name FROM branches")) == [("Lair",)]
    with scoping.tenant(cast.acme), connection.cursor() as cursor:
        cursor.executemany("UPDATE branches SET location = %s", [["x"], ["y"]])
        assert cursor.rowcount == 4
        assert [name for (name,) in cursor.cursor.stream("SELECT name FROM branches ORDER BY name")] == ["North", "South"]
    with scoping.tenant(cast.globex), connection.chunked_cursor() as cursor:
        cursor.execute("SELECT name FROM branches")
        assert cursor.fetchall() == [("Lair",)]


def test_telling_costs_nothing_while_nothing_changes(cast, django_assert_num_queries):
    with scoping.tenant(cast.acme):
        seen()
        before = connection.connection._parley_told
        seen()
        assert connection.connection._parley_told is before


# Fail-closed querysets ---------------------------------------------------------------------------------------------------

DOORS = {
    "list": list,
    "len": len,
    "bool": bool,
    "index": lambda rows: rows[0],
    "slice": lambda rows: list(rows[:1]),
    "contains": lambda rows: "x" in rows,
    "repr": repr,
    "first": lambda rows: rows.first(),
    "last": lambda rows: rows.order_by("name").last(),
    "earliest": lambda rows: rows.earliest("created_at"),
    "latest": lambda rows: rows.latest("created_at"),
    "get": lambda rows: rows.get(name="North"),
    "count": lambda rows: rows.count(),
    "exists": lambda rows: rows.exists(),
    "aggregate": lambda rows: rows.aggregate(n=Count("pk")),
    "iterator": lambda rows: list(rows.iterator()),
    "values": lambda rows: list(rows.values()),
    "values_list": lambda rows: list(rows.values_list("name", flat=True)),
    "in_bulk": lambda rows: rows.in_bulk(),
    "explain": lambda rows: rows.explain(),
    "dates": lambda rows: list(rows.datetimes("created_at", "day")),
    "distinct": lambda rows: list(rows.distinct()),
    "union": lambda rows: list(rows.union(rows)),
    "update": lambda rows: rows.update(name="x"),
    "delete": lambda rows: rows.delete(),
    "raw_delete": lambda rows: rows._raw_delete("default"),
    "create": lambda rows: rows.create(name="x"),
    "get_or_create": lambda rows: rows.get_or_create(name="x"),
    "update_or_create": lambda rows: rows.update_or_create(name="x"),
    "bulk_create": lambda rows: rows.bulk_create([Branch(name="x")]),
    "bulk_update": lambda rows: rows.bulk_update([Branch(pk=Branch().pk, name="x")], ["name"]),
    "raw": lambda rows: rows.raw("SELECT * FROM branches"),
    "subquery": lambda rows: list(Organization.objects.filter(pk__in=rows.values("organization"))),
    "select_related": lambda rows: list(rows.select_related("organization")),
    "prefetch_related": lambda rows: list(rows.prefetch_related("departments")),
    "or": lambda rows: list(rows | rows),
    "contains_row": lambda rows: rows.contains(Branch(name="x")),
    "select_for_update": lambda rows: list(rows.select_for_update()),
    "defer": lambda rows: list(rows.only("name")),
    "none": lambda rows: list(rows.none()),
}


@pytest.mark.parametrize("door", DOORS)
def test_an_unscoped_query_raises(cast, door):
    with scoping.tenant(cast.acme), pytest.raises(scoping.UnscopedQuery):
        DOORS[door](Branch.objects.all())


def test_the_manager_itself_raises_as_its_queryset_does(cast):
    with scoping.tenant(cast.acme):
        for ask in (lambda: Branch.objects.get(pk=cast.north.pk), lambda: Branch.objects.count(), lambda: Branch.objects.create(name="x")):
            with pytest.raises(scoping.UnscopedQuery, match="for_tenant"):
                ask()


def test_a_query_for_one_organization_cannot_be_widened(cast):
    with scoping.tenant(cast.acme):
        mine = Branch.objects.for_tenant(cast.acme)
        for other in (Branch.objects.all(), Branch.across_tenants.all()):
            with pytest.raises(scoping.UnscopedQuery):
                list(mine | other)
        assert len(mine.filter(name="North") | mine.filter(name="South")) == 2
        with pytest.raises(scoping.UnscopedQuery):
            mine.for_tenant(cast.globex)
        with pytest.raises(scoping.UnscopedQuery):
            mine.create(name="x", organization=cast.globex)
        with pytest.raises(scoping.UnscopedQuery):
            mine.bulk_create([Branch(name="x", organization=cast.globex)])


def test_what_is_created_through_a_scoped_query_belongs_to_its_organization(cast):
    with scoping.tenant(cast.acme):
        mine = Branch.objects.for_tenant(cast.acme)
        assert mine.create(name="East").organization_id == cast.acme.pk
        assert mine.get_or_create(name="West")[0].organization_id == cast.acme.pk
        assert mine.update_or_create(name="West", defaults={"location": "Bergen"})[0].location == "Bergen"
        assert mine.update_or_create(name="Far", defaults={"location": "Tromsø"})[0].organization_id == cast.acme.pk
        assert mine.update(location="") == 5
        assert mine.filter(name="East").delete()[0] == 1
        assert Department.objects.for_tenant(cast.acme).filter(branch__in=mine).count() == 3


def test_a_scoped_query_needs_the_scope_it_names(cast):
    """Otherwise row-level security would silently give nothing."""
    with pytest.raises(scoping.UnscopedQuery, match="we act for nobody"):
        Branch.objects.for_tenant(cast.acme).count()
    with scoping.tenant(cast.globex), pytest.raises(scoping.UnscopedQuery, match=r"with scoping\.tenant"):
        Branch.objects.for_tenant(cast.acme).count()
    with scoping.across_tenants("a test"):
        assert Branch.objects.for_tenant(cast.acme).count() == 2


# The migration that makes the role -----------------------------------------------------------------------------------------

MAKE = import_module("tenants.migrations.0002_application_role").MAKE


def make_role(name):
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(MAKE).format(role=sql.Literal(name)))


@pytest.fixture
def powerless(db):
    """Inside, a login role that may make no roles (as a hosted PostgreSQL's usually may not)."""
    with roles.as_owner(), transaction.atomic():
        connection.cursor().execute("CREATE ROLE powerless")
        connection.cursor().execute("SET LOCAL ROLE powerless")
        yield
        transaction.set_rollback(True)


def test_making_the_role_again_is_safe(db):
    with roles.as_owner():
        make_role("parley_app")
        make_role("parley_app")


def test_without_the_right_to_make_roles_the_migration_says_what_to_run(powerless):
    with (
        pytest.raises(ProgrammingError, match=r"may not create roles\. Have .* run: CREATE ROLE brand_new NOLOGIN"),
        transaction.atomic(),
    ):
        make_role("brand_new")


def test_without_the_right_to_act_as_the_role_the_migration_says_what_to_run(powerless):
    with (
        pytest.raises(ProgrammingError, match=r"may not act as parley_app\. Have .* run: GRANT parley_app TO powerless;"),
        transaction.atomic(),
    ):
        make_role("parley_app")


def test_a_role_that_looks_past_row_level_security_is_refused(db):
    with roles.as_owner(), pytest.raises(DatabaseError, match="ALTER ROLE all_seeing NOSUPERUSER NOBYPASSRLS"), transaction.atomic():
        connection.cursor().execute("CREATE ROLE all_seeing BYPASSRLS")
        make_role("all_seeing")
