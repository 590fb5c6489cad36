"""People from a file (`services.imports`, `manage.py import_people`): all rows, or none and a sentence for each that is wrong."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tenants import access, scoping
from tenants.models import Branch, Department, Employee, Membership, User
from tenants.services import imports
from tests.cast import make_cast

pytestmark = pytest.mark.django_db

HEADER = "first_name,last_name,email,number,role,branch,department\n"


@pytest.fixture
def cast():
    return make_cast()


def run(organization, text, **options):
    return imports.import_people(organization, imports.read(text.encode()), **options)


def people(organization):
    with scoping.tenant(organization):
        rows = Employee.objects.for_tenant(organization).select_related("branch", "department", "user")
        return sorted(
            (
                row.name,
                row.branch.name if row.branch else "",
                row.department.name if row.department else "",
                row.user.email if row.user else "",
            )
            for row in rows
        )


ACME = [("Dina Dahl", "North", "Support", ""), ("Erik Ek", "North", "Sales", ""), ("Wim Wolf", "South", "Workshop", "")]


def test_rows_become_employees_accounts_and_memberships(cast):
    done = run(cast.acme, HEADER + "Nora,Nord,Nora@Acme.example,17,manager,North,Sales\nOle,Oak,,18,,south,\n")
    assert (done.added, done.changed, done.unchanged, done.problems) == (2, 0, 0, ())
    assert people(cast.acme) == sorted([*ACME, ("Nora Nord", "North", "Sales", "nora@acme.example"), ("Ole Oak", "South", "", "")])
    nora = access.membership_for(User.objects.get(email="nora@acme.example"), "acme")
    assert (nora.role, nora.branch_id, nora.department_id) == ("manager", cast.north.pk, cast.sales.pk)
    assert nora.user.current_account_status == "pending-verification"
    assert people(cast.globex) == [("Hank Scorpio", "Lair", "Research", "")]


def test_the_second_run_changes_nothing(cast):
    text = HEADER + "Nora,Nord,nora@acme.example,17,manager,North,Sales\n"
    run(cast.acme, text)
    before = (people(cast.acme), User.objects.count(), Membership.across_tenants.count())
    done = run(cast.acme, text)
    assert (done.added, done.changed, done.unchanged) == (0, 0, 1)
    assert (people(cast.acme), User.objects.count(), Membership.across_tenants.count()) == before


def test_a_known_person_is_changed_and_what_the_file_lacks_stays(cast):
    done = run(cast.acme, "email,first_name,last_name,job_title,strengths\nERIK.EK@acme.example,Erik,Ek,Director,planning; listening\n")
    assert (done.added, done.changed) == (0, 1)
    with scoping.tenant(cast.acme):
        erik = Employee.objects.for_tenant(cast.acme).get(email="erik.ek@acme.example")
    assert (erik.job_title, erik.strengths, erik.personality_traits, erik.department_id) == (
        "Director",
        ["planning", "listening"],
        ["curious", "calm"],
        cast.sales.pk,
    )


def test_an_empty_cell_leaves_what_is_there(cast):
    before = people(cast.acme)
    done = run(cast.acme, HEADER + "Erik,Ek,,,,,\nDina,Dahl,,77,,,\n")
    assert (done.added, done.changed, done.unchanged) == (1, 0, 1)  # 77 is nobody's number, so that is another Dina
    with scoping.tenant(cast.acme):
        Employee.objects.for_tenant(cast.acme).get(number="77").delete()
        assert Employee.objects.for_tenant(cast.acme).get(first_name="Erik").email == "erik.ek@acme.example"
    assert people(cast.acme) == before


def test_two_of_the_same_name_are_told_apart_by_number(cast):
    run(cast.acme, HEADER + "Erik,Ek,,77,,,\n")
    done = run(cast.acme, HEADER + "Erik,Ek,,,,,\n")
    assert [(problem.row, problem.column) for problem in done.problems] == [(1, "number")]


def test_a_role_for_somebody_who_has_an_account_elsewhere_adds_a_place(cast):
    run(cast.acme, HEADER + "Greta,Gran,greta@globex.example,,agent,,\n")
    assert {membership.organization.slug for membership in access.memberships_of(cast.greta.user)} == {"acme", "globex"}


def test_a_dry_run_says_what_would_happen_and_does_nothing(cast):
    done = run(cast.acme, HEADER + "Nora,Nord,nora@acme.example,17,manager,North,Sales\n", dry_run=True)
    assert (done.added, done.problems) == (1, ())
    assert people(cast.acme) == sorted(ACME)
    assert not User.objects.filter(email="nora@acme.example").exists()


def test_places_are_made_only_when_asked_for(cast):
    text = HEADER + "Nora,Nord,,17,,Moon,Crater\nOle,Oak,,18,,Moon,Crater\n"
    refused = run(cast.acme, text)
    assert [problem.column for problem in refused.problems] == ["branch", "branch"]
    assert run(cast.acme, text, create_places=True).added == 2
    with scoping.tenant(cast.acme):
        assert Branch.objects.for_tenant(cast.acme).filter(name="Moon").count() == 1
        assert Department.objects.for_tenant(cast.acme).filter(name="Crater").count() == 1


@pytest.mark.parametrize(
    ("row", "column", "sentence"),
    [
        (",Nord,,,,,", "first_name", "cannot be blank"),
        ("Nora,Nord,not an address,,,,", "email", "valid email"),
        ("Nora,Nord,,,manager,North,Sales", "email", "Give their address"),
        ("Nora,Nord,n@a.example,,boss,,", "role", "“boss” is not known here. Known: owner, leader"),
        ("Nora,Nord,n@a.example,,leader,,", "branch", "A leader leads a branch"),
        ("Nora,Nord,n@a.example,,manager,North,", "department", "A manager manages a department"),
        ("Nora,Nord,,,,Nowhere,", "branch", "There is no branch “Nowhere”"),
        ("Nora,Nord,,,,South,Sales", "department", "There is no department “Sales”"),
        ("Nora,Nord,,,,Lair,", "branch", "There is no branch “Lair”"),
        (f"{'N' * 151},Nord,,,,,", "first_name", "at most 150 characters"),
    ],
)
def test_a_bad_row_is_told_and_nothing_is_imported(cast, row, column, sentence):
    done = run(cast.acme, HEADER + "Good,Person,,1,,North,Sales\n" + row + "\n")
    assert [(problem.row, problem.column) for problem in done.problems] == [(2, column)]
    assert sentence in done.problems[0].sentence
    assert people(cast.acme) == sorted(ACME)


def test_a_person_named_twice_is_told(cast):
    done = run(cast.acme, HEADER + "Nora,Nord,n@a.example,,,,\nNora,Nord,N@A.example,,,,\n")
    assert [(problem.row, problem.sentence) for problem in done.problems] == [
        (2, "Row 1 names this person already. Remove one of the two.")
    ]


def test_figures_and_scores_are_checked(cast):
    header = "first_name,last_name,performance_indicators,compatibility_company,sun_sign,hired_on\n"
    good = run(cast.acme, header + "Nora,Nord,goals reached=92; on time=0.87,80.5,Leo,2024-02-29\n")
    assert good.problems == ()
    with scoping.tenant(cast.acme):
        nora = Employee.objects.for_tenant(cast.acme).get(first_name="Nora")
    assert nora.performance_indicators == {"goals reached": 92, "on time": 0.87}
    bad = run(cast.acme, header + "Ole,Oak,goals,101,dragon,2024-02-30\n")
    assert {problem.column for problem in bad.problems} >= {"performance_indicators", "sun_sign", "hired_on"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no rows"),
        (b"first_name,last_name\n", "has no rows"),
        ("Ærø,Ø\n".encode("utf-16"), "not UTF-8"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(content, sentence):
    with pytest.raises(imports.UnreadableFile, match=sentence):
        imports.read(content)


def test_unknown_and_missing_columns_are_named(cast):
    unknown = run(cast.acme, "first_name,last_name,salary\nNora,Nord,1\n")
    assert "not known here: salary" in unknown.problems[0].sentence
    missing = run(cast.acme, "first_name\nNora\n")
    assert "lacks the column last_name" in missing.problems[0].sentence


def test_spreadsheets_write_semicolons_and_a_mark(cast):
    done = run(cast.acme, "\ufefffirst_name;last_name;email\nNora;Nord, Jr.;nora@acme.example\n")
    assert (done.added, done.problems) == (1, ())


@hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.text(max_size=20) | st.sampled_from(["owner", "North", "a@b.example"]), min_size=7, max_size=7), min_size=1, max_size=4
    )
)
def test_no_table_whatever_breaks_the_import(cast, rows):
    """Every table is imported, or told what is wrong with it; never an exception that has no name."""
    table = HEADER + "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    try:
        done = imports.import_people(cast.acme, imports.read(table.encode(errors="ignore")), dry_run=True)
    except imports.UnreadableFile:
        return
    assert not any("Traceback" in problem.sentence or "psycopg" in problem.sentence for problem in done.problems)
    assert people(cast.acme) == sorted(ACME)


# The command ----------------------------------------------------------------------------------------------------------------


def command(path, **options):
    out = io.StringIO()
    call_command("import_people", str(path), organization="acme", stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def test_the_command_imports(cast, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text(HEADER + "Nora,Nord,nora@acme.example,17,manager,North,Sales\n")
    assert command(file, dry_run=True) == "Would import into Acme: 1 new, 0 changed, 0 unchanged.\n"
    assert people(cast.acme) == sorted(ACME)
    assert command(file) == "Imported into Acme: 1 new, 0 changed, 0 unchanged.\n"
    assert command(file) == "Imported into Acme: 0 new, 0 changed, 1 unchanged.\n"


@pytest.mark.parametrize(
    ("text", "organization", "code", "sentence"),
    [
        (HEADER + ",Nord,,,,,\n", "acme", 1, "1 problems; nothing was imported"),
        ("", "acme", 2, "has no rows"),
        (None, "acme", 2, "cannot be read"),
        (HEADER, "nowhere", 2, "There is no organization 'nowhere'"),
    ],
)
def test_the_command_has_exit_codes(cast, tmp_path, text, organization, code, sentence):
    file = tmp_path / "people.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(CommandError, match=sentence) as error:
        call_command("import_people", str(file), organization=organization, stdout=io.StringIO(), stderr=io.StringIO())
    assert error.value.returncode == code


def test_the_command_explains_itself():
    root = Path(__file__).resolve().parents[2]
    shown = subprocess.run(
        [sys.executable, "manage.py", "import_people", "--help"], cwd=root, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "Exit codes" in shown
