"""Programs and sockets show who they are (`tenants.authentication`)."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from tenants import access, authentication, roles, scoping
from tenants.choices import Role
from tenants.models import ApiKey, ApiKeyHistory
from tenants.services import accounts, organizations, permissions
from tenants.signals import access_changed
from tests.cast import PASSWORD, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def key(cast):
    return accounts.create_api_key(cast.mona.membership, name="Nightly export")[1]


def api_request(user=None, method="get", **headers) -> Request:
    request = getattr(APIRequestFactory(enforce_csrf_checks=True), method)("/api/v1/me", headers=headers)
    if user is not None:
        request.user = user
    return Request(request)


# Keys -------------------------------------------------------------------------------------------------------------------


def test_a_key_ends_in_its_members_membership(cast, key):
    request = api_request(Authorization=f"Bearer {key}")
    with scoping.nobody():
        user, api_key = authentication.ApiKeyAuthentication().authenticate(request)
        assert (user, api_key.membership, request.membership) == (cast.mona.user, cast.mona.membership, cast.mona.membership)
        assert scoping.current().tenant == str(cast.acme.pk)
        assert request.membership.organization == cast.acme
    assert scoping.current() == scoping.Scope()


def test_only_the_hash_is_stored(cast, key):
    with scoping.tenant(cast.acme):
        row = ApiKey.objects.for_tenant(cast.acme).get()
        assert key not in str(vars(row))
        assert not any(key in str(vars(event)) for event in ApiKeyHistory.objects.all())
    assert (row.prefix, len(row.key_hash)) == (key[:13], 64)


@pytest.mark.parametrize(
    "header", ["Bearer parley_wrong", "Bearer x", "Bearer parley_" + "x" * 300, "bearer parley_é", "Bearer {'$ne': None}"]
)
def test_a_wrong_key_is_refused_with_a_sentence(cast, key, header):
    with pytest.raises(exceptions.AuthenticationFailed, match="not valid"):
        authentication.ApiKeyAuthentication().authenticate(api_request(Authorization=header))


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}])
def test_no_key_leaves_the_question_to_the_next(cast, header):
    assert authentication.ApiKeyAuthentication().authenticate(api_request(**header)) is None


def test_a_key_stops_working_with_whatever_it_hangs_on(cast, key):
    assert authentication.api_key_of(key)
    for stop, resume in (
        (lambda: organizations.suspend(cast.acme), lambda: organizations.reinstate(cast.acme)),
        (lambda: accounts.suspend(cast.mona.user), lambda: accounts.reinstate(cast.mona.user)),
        (
            lambda: accounts.remove_member(cast.mona.membership),
            lambda: accounts.add_member(cast.acme, user=cast.mona.user, role=Role.MANAGER, branch=cast.north, department=cast.sales),
        ),
    ):
        stop()
        assert authentication.api_key_of(key) is None
        resume()
        assert authentication.api_key_of(key) is not None


def test_an_expired_or_revoked_key_is_refused(cast, key, django_capture_on_commit_callbacks):
    heard = []
    access_changed.connect(listener := lambda user_id, **kwargs: heard.append(user_id))
    late = accounts.create_api_key(cast.mona.membership, name="Late", expires_at=timezone.now() - timedelta(seconds=1))[1]
    assert authentication.api_key_of(late) is None
    with django_capture_on_commit_callbacks(execute=True):
        accounts.revoke_api_key(authentication.api_key_of(key))
        assert authentication.api_key_of(key) is None
    access_changed.disconnect(listener)
    assert heard == [str(cast.mona.user.pk)]


def test_use_is_noted_once_a_minute(cast, key, time_machine):
    time_machine.move_to("2026-03-01T12:00:00+00:00", tick=False)
    first = authentication.api_key_of(key).pk

    def last_used():
        with scoping.tenant(cast.acme):
            return ApiKey.objects.for_tenant(cast.acme).get(pk=first).last_used_at

    assert last_used() == timezone.now()
    noted = last_used()
    time_machine.shift(30)
    authentication.api_key_of(key)
    assert last_used() == noted
    time_machine.shift(31)
    authentication.api_key_of(key)
    assert last_used() == timezone.now()


def test_a_key_needs_a_name(cast):
    with pytest.raises(ValidationError):
        accounts.create_api_key(cast.mona.membership, name="")


def test_a_key_does_not_act_for_another_organization(cast, key):
    request = api_request(Authorization=f"Bearer {key}", **{"X-Organization": "globex"})
    with pytest.raises(exceptions.NotFound):
        authentication.ApiKeyAuthentication().authenticate(request)


# Browsers ----------------------------------------------------------------------------------------------------------------


def test_a_browser_with_one_organization_need_not_name_it(cast):
    request = api_request(cast.olive.user)
    with scoping.nobody():
        assert authentication.SessionAuthentication().authenticate(request) == (cast.olive.user, None)
        assert request.membership == cast.olive.membership
        assert scoping.current().tenant == str(cast.acme.pk)


def test_a_browser_with_several_organizations_names_one(cast):
    accounts.add_member(cast.globex, user=cast.olive.user, role=Role.GUEST)
    with scoping.nobody():
        request = api_request(cast.olive.user)
        authentication.SessionAuthentication().authenticate(request)
        assert request.membership is None
        request = api_request(cast.olive.user, **{"X-Organization": "globex"})
        authentication.SessionAuthentication().authenticate(request)
        assert request.membership.role == "guest"
        with pytest.raises(access.NotFound):
            authentication.SessionAuthentication().authenticate(api_request(cast.greta.user, **{"X-Organization": "acme"}))


def test_a_browser_shows_its_csrf_token(cast):
    with pytest.raises(exceptions.PermissionDenied, match="CSRF"):
        authentication.SessionAuthentication().authenticate(api_request(cast.olive.user, method="post"))


# Sockets ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def session_key(cast, client):
    client.post("/accounts/login/", {"login": "olive@acme.example", "password": PASSWORD})
    return client.session.session_key


def socket(session_key=None, **headers):
    if session_key:
        headers = {"cookie": f"a=b; {settings.SESSION_COOKIE_NAME}={session_key}", "origin": "http://parley.example", **headers}
    headers = {"host": "parley.example", **headers}
    return {"type": "websocket", "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value is not None]}


def test_a_socket_with_a_session_is_its_person(cast, session_key):
    found = authentication.scope_principal(socket(session_key), organization="acme")
    assert (found.user, found.membership, found.session_key) == (cast.olive.user, cast.olive.membership, session_key)
    assert authentication.scope_principal(socket(session_key), organization="globex") is None
    assert authentication.scope_principal(socket(session_key), organization="nowhere") is None


@pytest.mark.parametrize("origin", [None, "http://evil.example", "https://parley.example.evil", "null", ""])
def test_a_foreign_page_cannot_open_a_socket_with_the_cookie(cast, session_key, origin):
    assert authentication.scope_principal(socket(session_key, origin=origin), organization="acme") is None


def test_a_trusted_origin_can(cast, session_key, settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://chat.acme.example"]
    assert authentication.scope_principal(socket(session_key, origin="https://chat.acme.example"), organization="acme")


def test_a_socket_without_a_session_is_nobodys(cast, session_key):
    for scope in (socket(), socket("nonsense"), {"headers": []}, socket(session_key, cookie="\x00=;;;")):
        assert authentication.scope_principal(scope, organization="acme") is None
    Session.objects.all().delete()
    assert authentication.scope_principal(socket(session_key), organization="acme") is None


def test_a_socket_with_a_key_is_its_member(cast, key):
    scope = socket(authorization=f"Bearer {key}")
    found = authentication.scope_principal(scope, organization="acme")
    assert (found.user, found.membership, found.session_key) == (cast.mona.user, cast.mona.membership, None)
    assert found.api_key is not None
    assert authentication.scope_principal(scope, organization="globex") is None
    assert authentication.scope_principal(socket(authorization="Bearer parley_wrong"), organization="acme") is None


def test_signing_out_shows_at_the_next_question(cast, session_key, client):
    principal = authentication.scope_principal(socket(session_key), organization="acme")
    assert not authentication.is_signed_out(principal)
    client.post("/accounts/logout/")
    assert authentication.is_signed_out(principal)
    assert authentication.scope_principal(socket(session_key), organization="acme") is None


# The command ----------------------------------------------------------------------------------------------------------------


def test_the_command_prints_the_key_alone_on_the_last_line(cast, capsys):
    call_command("create_api_key", organization="acme", user="Olive@acme.example", name="From the command line")
    printed = capsys.readouterr()
    key = printed.out.splitlines()[-1]
    assert authentication.api_key_of(key).membership == cast.olive.membership
    assert key not in printed.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"organization": "nowhere", "user": "olive@acme.example"}, "There is no organization 'nowhere'"),
        ({"organization": "acme", "user": "greta@globex.example"}, "Nobody with the address greta@globex.example belongs to acme"),
        ({"organization": "acme", "user": "olive@acme.example", "days": 0}, "--days takes a number"),
    ],
)
def test_the_command_says_what_is_wrong(cast, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("create_api_key", name="x", **arguments)


# Permissions ------------------------------------------------------------------------------------------------------------------


def test_grants_decide_and_can_be_changed(cast):
    assert roles.may(cast.olive.membership, "chat:message:send")
    assert not roles.may(cast.vera.membership, "people:membership:update")
    with pytest.raises(access.Forbidden, match="may not do this here") as error:
        roles.require(cast.vera.membership, "people:membership:update")
    assert error.value.permission == "people:membership:update"
    permissions.grant(Role.GUEST, permission="people:membership:update")
    roles.forget()
    assert roles.may(cast.vera.membership, "people:membership:update")
    permissions.revoke(Role.GUEST, permission="people:membership:update")
    roles.forget()
    assert not roles.may(cast.vera.membership, "people:membership:update")
    with pytest.raises(access.NotFound):
        permissions.grant(Role.GUEST, permission="no:such:thing")


def test_a_change_made_elsewhere_acts_within_two_seconds(cast, monkeypatch):
    """Another process cannot call `forget` here; this one reads anew by itself."""
    clock = [1000.0]
    monkeypatch.setattr(roles.time, "monotonic", lambda: clock[0])
    roles.forget()
    assert roles.may(cast.vera.membership, "chat:message:send")
    permissions.revoke(Role.GUEST, permission="chat:message:send")
    assert roles.may(cast.vera.membership, "chat:message:send")  # still believed
    clock[0] += 2.0
    assert not roles.may(cast.vera.membership, "chat:message:send")


def test_asking_again_causes_no_query(cast, django_assert_num_queries):
    roles.forget()
    with django_assert_num_queries(1):
        for _ in range(10):
            roles.may(cast.olive.membership, "chat:message:send")


@pytest.fixture(autouse=True)
def grants_are_read_anew():
    roles.forget()
    yield
    roles.forget()
