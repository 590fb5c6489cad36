"""Whose request it is (`tenants.middleware`)."""

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, override_settings
from django.urls import include, path

from tenants import access, scoping
from tenants.models import Branch, BranchHistory
from tests.cast import make_cast

pytestmark = pytest.mark.django_db


def look(request, organization=None):
    """Says for whom it acts and what it sees."""
    scope = scoping.current()
    seen = sorted(Branch.across_tenants.values_list("name", flat=True))
    role = request.membership.role if request.membership else None
    return HttpResponse(f"{role} {scope.tenant or scope.across or None} {seen}")


async def look_async(request, organization=None):
    return HttpResponse(f"{request.membership.role} {scoping.current().tenant}")


def rename(request, organization=None):
    with scoping.tenant(request.membership.organization_id):
        Branch.objects.for_tenant(request.membership.organization_id).filter(name="North").update(name="Nord")
    return HttpResponse()


def refuse(request, organization=None):
    raise access.Forbidden("Your role may not look here.")


def miss(request, organization=None):
    raise access.NotFound


def stream(request, organization=None):
    def parts():
        yield str(scoping.current().tenant)

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("elsewhere/", look),
    path("admin/look/", look),
    path("o/<slug:organization>/", look),
    path("o/<slug:organization>/async/", look_async),
    path("o/<slug:organization>/rename/", rename),
    path("o/<slug:organization>/refuse/", refuse),
    path("o/<slug:organization>/miss/", miss),
    path("o/<slug:organization>/stream/", stream),
]


@pytest.fixture(autouse=True)
def addresses(settings):
    settings.ROOT_URLCONF = __name__


@pytest.fixture
def cast():
    return make_cast()


def text(response):
    return response.content.decode()


def test_a_member_acts_for_their_organization(cast, client):
    client.force_login(cast.olive.user)
    assert text(client.get("/o/acme/")) == f"owner {cast.acme.pk} ['North', 'South']"
    assert scoping.current() == scoping.Scope()


def test_a_stranger_and_a_missing_organization_are_404(cast, client):
    client.force_login(cast.greta.user)
    assert client.get("/o/acme/").status_code == 404
    assert client.get("/o/nowhere/").status_code == 404
    assert text(client.get("/o/globex/")) == f"owner {cast.globex.pk} ['Lair']"


def test_nobody_is_sent_to_sign_in_and_back(cast, client):
    answer = client.get("/o/acme/?page=2")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/o/acme/%3Fpage%3D2")


def test_elsewhere_nobodys_rows_are_in_sight(cast, client):
    client.force_login(cast.olive.user)
    assert text(client.get("/elsewhere/")) == "None None []"


def test_staff_act_across_organizations_in_admin_and_others_do_not(cast, client):
    client.force_login(cast.sam)
    assert text(client.get("/admin/look/")) == "None staff in admin ['Lair', 'North', 'South']"
    assert text(client.get("/elsewhere/")) == "None None []"
    client.force_login(cast.olive.user)
    assert text(client.get("/admin/look/")) == "None None []"


def test_staff_without_second_factor_see_nothing_in_admin(cast, client, settings):
    settings.MFA_REQUIRED_OF_STAFF = True
    client.force_login(cast.sam)
    with override_settings(ROOT_URLCONF="config.urls"):
        assert client.get("/admin/").status_code == 302


def test_the_doors_refusals_become_responses(cast, client):
    client.force_login(cast.olive.user)
    assert client.get("/o/acme/refuse/").status_code == 403
    assert client.get("/o/acme/miss/").status_code == 404


def test_a_caller_that_acted_for_somebody_does_not_lend_that_to_a_request(cast, client):
    client.force_login(cast.olive.user)
    with scoping.tenant(cast.globex):
        assert text(client.get("/elsewhere/")) == "None None []"
        assert text(client.get("/o/acme/")).startswith(f"owner {cast.acme.pk}")


def test_a_stream_acts_for_nobody_once_the_view_returned(cast, client):
    client.force_login(cast.olive.user)
    assert b"".join(client.get("/o/acme/stream/").streaming_content) == b"None"


def test_changes_in_a_request_say_who_and_why(cast, client):
    client.force_login(cast.olive.user)
    client.post("/o/acme/rename/")
    with scoping.tenant(cast.acme):
        change = BranchHistory.objects.filter(pgh_label="update").select_related("pgh_context").get()
    assert change.name == "Nord"
    facts = change.pgh_context.metadata
    assert (facts["user"], facts["url"], facts["method"]) == (str(cast.olive.user.pk), "/o/acme/rename/", "POST")
    assert facts["request_id"]


@pytest.mark.django_db(transaction=True)
async def test_async_views_act_for_the_organization_too():
    cast = await sync_to_async(make_cast)()
    client = AsyncClient()
    await client.aforce_login(cast.olive.user)
    assert text(await client.get("/o/acme/async/")) == f"owner {cast.acme.pk}"
    assert text(await client.get("/o/acme/")) == f"owner {cast.acme.pk} ['North', 'South']"
    assert (await client.get("/o/globex/async/")).status_code == 404
    await sync_to_async(connections.close_all)()
