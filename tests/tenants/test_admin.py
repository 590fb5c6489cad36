"""Staff do everything in Django admin: each registered model can be listed, searched, added, changed, found by autocomplete."""

import json
import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from config import urls
from tenants import access, authentication, scoping, selectors
from tenants.models import (
    AccessRecord,
    ApiKey,
    Branch,
    Candidate,
    Department,
    Employee,
    Grant,
    Membership,
    Organization,
    Permission,
    PermissionDomain,
    Subscription,
    User,
)
from tenants.services import accounts, audit, erasure
from tests.cast import PASSWORD, make_cast

pytestmark = pytest.mark.django_db

# One row of each of our models, for the change pages.
EXAMPLES = {
    Organization: lambda cast: cast.acme,
    Subscription: lambda cast: Subscription.across_tenants.filter(organization=cast.acme).first(),
    Branch: lambda cast: cast.north,
    Department: lambda cast: cast.sales,
    User: lambda cast: cast.olive.user,
    Membership: lambda cast: cast.mona.membership,
    Employee: lambda cast: cast.employees["Erik Ek"],
    Candidate: lambda cast: Candidate.across_tenants.create(
        organization=cast.acme, first_name="Cleo", last_name="Cole", position="Clerk", branch=cast.north
    ),
    PermissionDomain: lambda cast: PermissionDomain.objects.first(),
    Permission: lambda cast: Permission.objects.first(),
    Grant: lambda cast: Grant.objects.first(),
    ApiKey: lambda cast: accounts.create_api_key(cast.olive.membership, name="Nightly export")[0],
    AccessRecord: lambda cast: AccessRecord.across_tenants.create(
        organization=cast.acme, user=cast.olive.user, owner=cast.mona.user, conversation_id=cast.acme.pk
    ),
    EmailAddress: lambda cast: EmailAddress.objects.get(user=cast.olive.user),
    Authenticator: lambda cast: Authenticator.objects.create(user=cast.olive.user, type="totp", data={"secret": "x"}),
    UserSession: lambda cast: UserSession.objects.create(user=cast.olive.user, ip="127.0.0.1", session_key="k", user_agent="a"),
    Group: lambda cast: Group.objects.create(name="Support"),
}
CANNOT_BE_ADDED = {AccessRecord, Authenticator, UserSession}


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def staff(cast, client):
    client.force_login(cast.sam)
    return client


def page(model, view, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args)


def ours():
    return sorted((model for model in admin.site._registry if model in EXAMPLES), key=lambda model: model.__name__)


def everyone_elses():
    return sorted((model for model in admin.site._registry if model not in EXAMPLES), key=lambda model: model._meta.label)


def test_every_tenants_model_is_registered():
    assert urls.urlpatterns, "by their import the models are registered"
    registered = {model for model in admin.site._registry if model._meta.app_label in ("tenants", "account", "mfa", "usersessions", "auth")}
    assert registered == set(EXAMPLES)


def test_index_and_search_work(staff):
    assert staff.get("/admin/").status_code == 200
    assert staff.get("/admin/search/", {"s": "employ"}).status_code == 200


@pytest.mark.parametrize("model", ours(), ids=lambda model: model.__name__)
def test_list_search_and_change_pages_work(model, staff, cast):
    with scoping.across_tenants("a test makes a row"):
        row = EXAMPLES[model](cast)
    listed = staff.get(page(model, "changelist"))
    assert listed.status_code == 200
    assert row in listed.context["cl"].result_list
    searched = staff.get(page(model, "changelist"), {"q": "zzz no such thing"})
    assert searched.status_code == 200
    assert list(searched.context["cl"].result_list) == []
    assert staff.get(page(model, "change", row.pk)).status_code == 200
    assert staff.get(page(model, "history", row.pk)).status_code == 200
    assert staff.get(page(model, "add")).status_code == (403 if model in CANNOT_BE_ADDED else 200)


@pytest.mark.parametrize("model", everyone_elses(), ids=lambda model: model._meta.label)
def test_other_apps_pages_work_too(model, staff):
    model_admin = admin.site._registry[model]
    assert staff.get(page(model, "changelist")).status_code == 200
    assert staff.get(page(model, "changelist"), {"q": "zzz"}).status_code == 200
    assert staff.get(page(model, "add")).status_code in (200, 403)
    assert model_admin is not None


@pytest.mark.parametrize("model", ours(), ids=lambda model: model.__name__)
def test_filters_work(model, staff, cast):
    for name in admin.site._registry[model].list_filter:
        field = name[0] if isinstance(name, tuple) else name
        value = {
            "organization": str(cast.acme.pk),
            "branch": str(cast.north.pk),
            "department": str(cast.sales.pk),
            "user": str(cast.sam.pk),
        }
        suffix = "__id__exact" if field in value else "__exact"
        assert staff.get(page(model, "changelist"), {field + suffix: value.get(field, "x")}).status_code in (200, 302), field


def test_autocomplete_finds_rows_and_says_whose_they_are(staff, cast):
    asked = {"app_label": "tenants", "model_name": "employee", "field_name": "branch", "term": "North"}
    found = staff.get("/admin/autocomplete/", asked).json()
    assert [row["text"] for row in found["results"]] == ["North · Acme"]
    for model in ours():
        for field in admin.site._registry[model].autocomplete_fields:
            asked = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field, "term": "a"}
            assert staff.get("/admin/autocomplete/", asked).status_code == 200, (model, field)


def test_the_policy_of_the_browser_is_relaxed_under_admin_only(staff, cast):
    assert "'unsafe-inline'" in staff.get("/admin/")["Content-Security-Policy"]
    assert "'unsafe-inline'" not in staff.get("/accounts/login/")["Content-Security-Policy"]


def test_nobody_but_staff_gets_in(client, cast):
    answer = client.get("/admin/tenants/employee/")
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")
    assert client.get(answer["Location"])["Location"].startswith("/accounts/login/")
    client.force_login(cast.olive.user)
    assert client.get("/admin/login/").status_code == 403
    assert client.get("/admin/tenants/employee/").status_code == 302


# Doing things -----------------------------------------------------------------------------------------------------------


def test_staff_make_an_organization(staff):
    answer = staff.post(
        page(Organization, "add"),
        {
            "name": "Initech",
            "slug": "initech",
            "status": "active",
            **{
                f"{prefix}-{name}": value
                for prefix in ("subscription", "branch", "membership", "retentionperiod")
                for name, value in (("TOTAL_FORMS", 0), ("INITIAL_FORMS", 0))
            },
            "retentionperiod-TOTAL_FORMS": 1,
            "retentionperiod-0-kept": "activity",
            "retentionperiod-0-days": 30,
        },
    )
    assert answer.status_code == 302, answer.context["errors"]
    made = Organization.objects.get(slug="initech")
    assert made.name == "Initech"
    assert selectors.days_shortened(made.pk) == {"activity": 30}


def test_staff_make_an_account_and_change_it(staff):
    answer = staff.post(
        page(User, "add"),
        {
            "email": "New@Acme.example",
            "first_name": "Nina",
            "last_name": "New",
            "account_type_informal": "member",
            "current_account_status": "active",
            "usable_password": "true",
            "password1": PASSWORD,
            "password2": PASSWORD,
            "membership-TOTAL_FORMS": 0,
            "membership-INITIAL_FORMS": 0,
        },
    )
    assert answer.status_code == 302, answer.context["errors"]
    made = User.objects.get(email="new@acme.example")
    assert made.check_password(PASSWORD)
    assert EmailAddress.objects.get(user=made).primary


def test_an_employee_cannot_be_put_into_another_organizations_branch(staff, cast):
    with scoping.across_tenants("a test"):
        lair = Branch.across_tenants.get(organization=cast.globex)
    answer = staff.post(
        page(Employee, "change", cast.employees["Erik Ek"].pk),
        {"first_name": "Erik", "last_name": "Ek", "status": "active", "branch": str(lair.pk), "performance_indicators": "{}"},
    )
    assert answer.status_code == 200
    assert "belongs to another organization" in answer.content.decode()


def test_the_key_is_shown_once_and_only_its_hash_is_kept(staff, cast):
    answer = staff.post(
        page(ApiKey, "add"), {"membership": str(cast.olive.membership.pk), "name": "Nightly", "expires_at_0": "", "expires_at_1": ""}
    )
    assert answer.status_code == 200
    key = re.search(r">(parley_[\w-]+)<", answer.content.decode())[1]
    with scoping.tenant(cast.acme):
        row = ApiKey.objects.for_tenant(cast.acme).get()
    assert key not in json.dumps([str(value) for value in vars(row).values()])
    assert authentication.api_key_of(key).pk == row.pk
    assert key not in staff.get(page(ApiKey, "change", row.pk)).content.decode()
    staff.post(page(ApiKey, "changelist"), {"action": "revoke", "_selected_action": [str(row.pk)]})
    assert authentication.api_key_of(key) is None


def test_suspending_an_organization_signs_its_people_out(staff, cast, django_capture_on_commit_callbacks, client):
    browser = client.__class__()
    browser.post("/accounts/login/", {"login": "olive@acme.example", "password": PASSWORD})
    assert UserSession.objects.filter(user=cast.olive.user).count() == 1
    staff.post(page(Organization, "changelist"), {"action": "suspend", "_selected_action": [str(cast.acme.pk)]})
    assert UserSession.objects.filter(user=cast.olive.user).count() == 0
    assert not browser.get("/accounts/login/").wsgi_request.user.is_authenticated
    with pytest.raises(access.NotFound):
        access.membership_for(cast.olive.user, "acme")
    staff.post(page(Organization, "changelist"), {"action": "reinstate", "_selected_action": [str(cast.acme.pk)]})
    assert access.membership_for(cast.olive.user, "acme")


def test_staff_edit_who_may_do_what(staff, cast):
    grant = Grant.objects.get(role="guest", permission__code="chat:message:send")
    staff.post(page(Grant, "delete", grant.pk), {"post": "yes"})
    answer = staff.post(page(Grant, "add"), {"role": "guest", "permission": str(Permission.objects.get(code="supervisor:chat:read").pk)})
    assert answer.status_code == 302
    assert set(
        Grant.objects.filter(role="guest", permission__code__in=["chat:message:send", "supervisor:chat:read"]).values_list(
            "permission__code", flat=True
        )
    ) == {"supervisor:chat:read"}


def test_the_history_says_who_changed_what_and_why(staff, cast):
    erik = cast.employees["Erik Ek"]
    staff.post(
        page(Employee, "change", erik.pk),
        {"first_name": "Erik", "last_name": "Eriksson", "status": "active", "performance_indicators": "{}", "email": erik.email},
    )
    with scoping.tenant(cast.acme):
        change = audit.changes_of(erik)[0]
    assert (change.what, change.who) == ("update", cast.sam)
    assert change.after["last_name"] == "Eriksson"
    assert change.before["last_name"] == "Ek"
    assert change.why["url"] == page(Employee, "change", erik.pk)
    shown = staff.get(page(Employee, "history", erik.pk)).content.decode()
    assert "Eriksson" in shown
    assert LogEntry.objects.filter(object_id=str(erik.pk)).exists()


def test_staff_send_links_to_choose_a_password(staff, cast):
    staff.post(page(User, "changelist"), {"action": "send_password_link", "_selected_action": [str(cast.mona.user.pk)]})
    assert [message.to for message in mail.outbox] == [["mona@acme.example"]]
    assert "/accounts/password/reset/key/" in mail.outbox[0].body


def test_an_account_that_staff_suspend_is_signed_out(staff, cast):
    staff.post(page(User, "changelist"), {"action": "suspend", "_selected_action": [str(cast.mona.user.pk), str(cast.sam.pk)]})
    cast.mona.user.refresh_from_db()
    cast.sam.refresh_from_db()
    assert (cast.mona.user.is_active, cast.sam.is_active) == (False, True)


# Import -----------------------------------------------------------------------------------------------------------------

GOOD = """first_name,last_name,email,role,branch,department,job_title,strengths
Erik,Ek,erik.ek@acme.example,,North,Sales,Director,listening; planning
Nora,Nord,nora@acme.example,manager,North,Support,Head of support,
"""
BAD = """first_name,last_name,email,role,branch,department
Erik,Ek,erik.ek@acme.example,,Nowhere,
,Nord,nora@acme.example,boss,,
"""


def upload(text, cast, **answers):
    file = SimpleUploadedFile("people.csv", text.encode(), content_type="text/csv")
    return {"import_file": file, "format": "0", "resource": "0", "organization": str(cast.acme.pk), **answers}


def test_the_import_shows_a_preview_and_then_does_it(staff, cast):
    preview = staff.post(page(Employee, "import"), upload(GOOD, cast))
    assert preview.status_code == 200
    assert preview.context["result"].diff_headers == GOOD.splitlines()[0].split(",")
    nora = preview.context["result"].valid_rows()[1].diff
    assert [re.sub("<[^>]+>", "", cell) for cell in nora] == [*GOOD.splitlines()[2].split(",")]
    with scoping.tenant(cast.acme):
        assert not Employee.objects.for_tenant(cast.acme).filter(first_name="Nora").exists()
    confirm = preview.context["confirm_form"]
    done = staff.post(page(Employee, "process_import"), {name: confirm.initial.get(name) or "" for name in confirm.fields})
    assert done.status_code == 302
    with scoping.tenant(cast.acme):
        nora = Employee.objects.for_tenant(cast.acme).get(first_name="Nora")
        erik = Employee.objects.for_tenant(cast.acme).get(first_name="Erik")
        assert (nora.department, nora.branch, nora.user.email) == (cast.support, cast.north, "nora@acme.example")
        assert (erik.pk, erik.job_title, erik.strengths) == (cast.employees["Erik Ek"].pk, "Director", ["listening", "planning"])
    assert access.membership_for(nora.user, "acme").role == "manager"


def test_the_import_says_what_is_wrong_in_each_row_and_imports_nothing(staff, cast):
    before = Employee.across_tenants.count()
    answer = staff.post(page(Employee, "import"), upload(BAD, cast))
    shown = answer.content.decode()
    assert "There is no branch “Nowhere”" in shown
    assert "“boss” is not known here" in shown
    assert "confirm_form" not in answer.context
    assert Employee.across_tenants.count() == before


def test_people_can_be_exported_as_they_are_imported(staff, cast):
    form = staff.get(page(Employee, "export"))
    assert form.status_code == 200
    answer = staff.post(page(Employee, "export"), {"format": "0", "resource": "0"})
    assert 'href="/admin/tenants/employee/export/' in staff.get(page(Employee, "changelist")).content.decode()
    assert answer["Content-Type"] == "text/csv"
    assert "Erik,Ek,erik.ek@acme.example" in answer.content.decode()


def test_an_expired_key_is_shown_as_such(staff, cast):
    accounts.create_api_key(cast.olive.membership, name="Old", expires_at=timezone.now())
    assert "Expired" in staff.get(page(ApiKey, "changelist")).content.decode()


def test_staff_erase_people_after_a_look_at_what_goes(staff, cast):
    chosen = {"action": "erase", "_selected_action": [str(one.user.pk) for one in (cast.liam, cast.olive)]}
    look = staff.post(page(User, "changelist"), chosen).content.decode()
    assert "What goes:" in look
    assert "liam@acme.example" in look
    assert User.objects.get(pk=cast.liam.user.pk).email == "liam@acme.example"
    said = staff.post(page(User, "changelist"), {**chosen, "confirmed": "yes"}, follow=True).content.decode()
    assert "Erased: 1." in said
    assert "Acme would be left without an owner" in said
    shell = User.objects.get(pk=cast.liam.user.pk)
    assert (shell.name, shell.is_active) == ("Former member", False)
    assert User.objects.get(pk=cast.olive.user.pk).is_active
    assert staff.post(page(User, "change", shell.pk), {"email": "liam@acme.example"}).status_code == 403
    assert staff.post(page(User, "delete", cast.mona.user.pk), {"post": "yes"}).status_code == 403
    history = staff.get(page(User, "history", shell.pk)).content.decode()
    assert "liam" not in history.lower()
    assert (
        "Nobody here can be erased" in staff.post(page(User, "changelist"), {**chosen, "_selected_action": str(shell.pk)}).content.decode()
    )


def test_an_erased_account_s_name_is_in_no_table(cast):
    erasure.erase(cast.liam.user)
    with scoping.across_tenants("a test"), connection.cursor() as cursor:
        for table in ("users", "users_history", "account_emailaddress", "api_keys", "django_admin_log"):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text ILIKE '%%liam%%'")
            assert cursor.fetchone() == (0,), table
