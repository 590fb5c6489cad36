"""Signing in, a second factor, choosing a new password, and what ends a session."""

import re
import time
from importlib import import_module

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from tenants.adapters import MFAAdapter
from tenants.choices import AccountStatus, AccountType
from tenants.models import User
from tenants.services import accounts, organizations
from tenants.signals import access_changed
from tests.cast import PASSWORD, make_cast

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def no_limits_left_over():
    """Neither from others nor for others: sign-ins are counted in the cache."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def heard():
    """What `access_changed` announced."""
    found = []

    def listen(user_id, organization_id, **kwargs):
        found.append((user_id, organization_id))

    access_changed.connect(listen)
    yield found
    access_changed.disconnect(listen)


def sign_in(client, email, password=PASSWORD):
    return client.post(LOGIN, {"login": email, "password": password})


def show_password_again(client):
    """What is asked of somebody who changes how they sign in."""
    assert client.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302


def is_signed_in(client):
    return client.get("/accounts/email/").status_code == 200


def test_people_sign_in_with_their_address_in_any_case(cast, client):
    assert sign_in(client, "Olive@Acme.Example").status_code == 302
    assert is_signed_in(client)
    assert UserSession.objects.get().user == cast.olive.user


def test_a_wrong_password_and_an_unknown_address_look_the_same(cast, client):
    def errors(email):
        return list(sign_in(client, email, "wrong-password-here").context["form"].non_field_errors())

    assert errors("olive@acme.example") == errors("nobody@acme.example") != []
    assert not is_signed_in(client)


def test_guessing_is_slowed_down(cast, client):
    answers = [sign_in(client, "olive@acme.example", "wrong-password-here") for _ in range(8)]
    assert "Too many failed login attempts" in answers[-1].content.decode()
    assert sign_in(client, "olive@acme.example").status_code == 200  # even with the right one, for a while


@pytest.mark.parametrize("status", [AccountStatus.SUSPENDED, AccountStatus.DEACTIVATED])
def test_suspended_and_deactivated_accounts_stay_out(cast, client, status):
    User.objects.filter(pk=cast.olive.user.pk).update(current_account_status=status)
    sign_in(client, "olive@acme.example")
    assert not is_signed_in(client)


def test_a_session_ends_with_its_account(cast, client):
    sign_in(client, "olive@acme.example")
    User.objects.filter(pk=cast.olive.user.pk).update(current_account_status=AccountStatus.SUSPENDED)
    assert not is_signed_in(client)


def test_signing_out_is_announced(cast, client, heard, django_capture_on_commit_callbacks):
    sign_in(client, "olive@acme.example")
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/logout/")
    assert heard == [(str(cast.olive.user.pk), None)]
    assert not is_signed_in(client)


def test_nobody_signs_up_by_themselves(cast, client):
    client.post("/accounts/signup/", {"email": "eve@evil.example", "password1": PASSWORD, "password2": PASSWORD})
    assert not User.objects.filter(email="eve@evil.example").exists()


def test_an_imported_person_chooses_a_password_by_mail_and_is_verified_by_it(cast, client):
    user = accounts.create("nora@acme.example", first_name="Nora")
    assert user.current_account_status == AccountStatus.PENDING_VERIFICATION
    client.post("/accounts/password/reset/", {"email": "nora@acme.example"})
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", mail.outbox[0].body)[1]
    form = client.get(link, follow=True)
    done = client.post(form.redirect_chain[-1][0], {"password1": "another-horse-9", "password2": "another-horse-9"})
    assert done.status_code == 302
    user.refresh_from_db()
    assert (user.current_account_status, user.is_email_verified) == (AccountStatus.ACTIVE, True)
    assert sign_in(Client(), "nora@acme.example", "another-horse-9").status_code == 302


def test_asking_for_a_new_password_does_not_tell_who_has_an_account(cast, client):
    known = client.post("/accounts/password/reset/", {"email": "olive@acme.example"})
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@acme.example"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_an_unverified_address_is_verified_before_the_first_sign_in(cast, client):
    accounts.create("nora@acme.example", password=PASSWORD)
    sign_in(client, "nora@acme.example")
    assert not is_signed_in(client)
    link = re.search(r"http://testserver(/accounts/confirm-email/\S+)", mail.outbox[0].body)[1]
    client.post(link)
    assert sign_in(client, "nora@acme.example").status_code == 302
    assert User.objects.get(email="nora@acme.example").current_account_status == AccountStatus.ACTIVE


def test_a_new_password_ends_other_sessions_and_is_announced(cast, client, heard, django_capture_on_commit_callbacks):
    other = Client()
    sign_in(client, "olive@acme.example")
    sign_in(other, "olive@acme.example")
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": "another-horse-9", "password2": "another-horse-9"})
    assert (str(cast.olive.user.pk), None) in heard
    assert not is_signed_in(other)


def test_signing_somebody_out_everywhere(cast, client, heard, django_capture_on_commit_callbacks):
    sign_in(client, "olive@acme.example")
    with django_capture_on_commit_callbacks(execute=True):
        accounts.sign_out(cast.olive.user)
    assert not is_signed_in(client)
    assert heard == [(str(cast.olive.user.pk), None)]


def test_one_of_several_browsers_is_signed_out_and_announced(cast, client, heard, django_capture_on_commit_callbacks):
    other, greta = Client(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), Client()
    sign_in(client, "olive@acme.example")
    sign_in(other, "olive@acme.example")
    sign_in(greta, "greta@globex.example")
    one = UserSession.objects.get(session_key=other.session.session_key)
    page = client.get("/accounts/sessions/").content.decode()
    assert f'action="/accounts/sessions/{one.pk}/end/"' in page
    assert "Firefox on Linux" in page
    assert greta.post(f"/accounts/sessions/{one.pk}/end/").status_code == 404
    assert Client().post(f"/accounts/sessions/{one.pk}/end/").headers["Location"].startswith(LOGIN)
    assert client.get(f"/accounts/sessions/{one.pk}/end/").status_code == 405
    assert is_signed_in(other)
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(f"/accounts/sessions/{one.pk}/end/", follow=True)
    assert "Signed out there." in answer.content.decode()
    assert heard == [(str(cast.olive.user.pk), None)]
    assert (is_signed_in(other), is_signed_in(client), is_signed_in(greta)) == (False, True, True)
    assert client.post(f"/accounts/sessions/{one.pk}/end/").status_code == 404


def test_signing_out_all_the_others_is_announced(cast, client, heard, django_capture_on_commit_callbacks):
    other = Client()
    sign_in(client, "olive@acme.example")
    sign_in(other, "olive@acme.example")
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/sessions/")
    assert heard == [(str(cast.olive.user.pk), None)]
    assert (is_signed_in(other), is_signed_in(client)) == (False, True)


def test_people_delete_their_account_with_their_password(cast, client, heard, django_capture_on_commit_callbacks):
    page = "/accounts/delete/"
    assert client.get(page).headers["Location"].startswith(LOGIN)
    sign_in(client, "liam@acme.example")
    shown = client.get(page).content.decode()
    assert "Conversations that nobody but you can read" in shown
    assert f'href="{page}"' in client.get("/accounts/email/").content.decode()
    for wrong in ({}, {"password": "wrong-password-here"}):
        assert client.post(page, wrong).status_code == (400 if wrong else 200)
    assert client.put(page).status_code == 405
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(page, {"password": PASSWORD}, follow=True)
    assert "Your account is deleted." in answer.content.decode()
    assert (str(cast.liam.user.pk), None) in heard
    assert not is_signed_in(client)
    assert "form" in sign_in(client, "liam@acme.example").context
    assert User.objects.get(pk=cast.liam.user.pk).name == "Former member"


def test_the_only_owner_is_told_what_to_do_first_and_guesses_are_limited(cast, client):
    sign_in(client, "olive@acme.example")
    answer = client.post("/accounts/delete/", {"password": PASSWORD})
    assert answer.status_code == 400
    assert "Acme would be left without an owner. Make somebody else an owner there first." in answer.content.decode()
    assert is_signed_in(client)
    found = [client.post("/accounts/delete/", {"password": "wrong-password-here"}).status_code for _ in range(12)]
    assert found[0] == 400
    assert found[-1] == 429


def test_programs_see_and_end_sign_ins_too(cast, client):
    sign_in(client, "olive@acme.example")
    [listed] = client.get("/api/v1/me/sign-ins").json()["results"]
    assert (listed["this_one"], listed["ip_address"]) == (True, "127.0.0.1")
    _, key = accounts.create_api_key(cast.olive.membership, name="laptop")
    _, other_key = accounts.create_api_key(cast.liam.membership, name="laptop")
    program, other = (Client(headers={"Authorization": f"Bearer {one}"}) for one in (key, other_key))
    assert [one["this_one"] for one in program.get("/api/v1/me/sign-ins").json()["results"]] == [False]
    assert other.get("/api/v1/me/sign-ins").json()["results"] == []
    address = f"/api/v1/me/sign-ins/{listed['id']}"
    assert other.delete(address).status_code == 404
    assert [program.delete(address).status_code for _ in range(2)] == [204, 404]
    assert not is_signed_in(client)


def test_suspending_an_organization_is_announced_for_each_of_its_people(cast, heard, client, django_capture_on_commit_callbacks):
    greta = Client()
    sign_in(client, "olive@acme.example")
    sign_in(greta, "greta@globex.example")
    with django_capture_on_commit_callbacks(execute=True):
        assert organizations.suspend(cast.acme) == 5
    people = (cast.olive, cast.liam, cast.mona, cast.ada, cast.vera)
    assert sorted(heard) == sorted((str(person.user.pk), str(cast.acme.pk)) for person in people)
    assert not is_signed_in(client)
    assert is_signed_in(greta)


def test_nothing_is_announced_when_the_change_is_undone(cast, heard):
    """The test's own transaction is never committed, so nothing may be heard."""
    accounts.remove_member(cast.mona.membership)
    organizations.suspend(cast.acme)
    assert heard == []


def test_changes_of_a_membership_are_announced(cast, heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        accounts.change(cast.mona.membership, role="leader", branch=cast.south, department=None)
        accounts.change(cast.mona.membership, role="leader", branch=cast.south, department=None)  # nothing new
        accounts.remove_member(cast.mona.membership)
    assert heard == [(str(cast.mona.user.pk), str(cast.acme.pk))] * 2


def test_passwords_are_hashed_with_argon2():
    """The tests themselves use a quick hasher, so this reads the settings file's own."""
    assert import_module("config.settings").PASSWORD_HASHERS[0] == "django.contrib.auth.hashers.Argon2PasswordHasher"
    assert make_password("x", hasher=Argon2PasswordHasher()).startswith("argon2$argon2id$")


# The second factor ------------------------------------------------------------------------------------------------------


def current_code(secret):
    """What an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


@pytest.fixture
def mfa(settings):
    settings.MFA_REQUIRED_OF_STAFF = True


def test_staff_without_a_second_factor_are_sent_to_set_one_up(cast, client, mfa):
    sign_in(client, "sam@parley.example")
    for path in ("/admin/", "/admin/tenants/employee/", "/admin/autocomplete/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/"), path
    shown = client.get("/accounts/2fa/", follow=True)
    assert shown.status_code == 200
    assert "second factor" in shown.content.decode()


def test_staff_with_a_second_factor_get_in_and_are_asked_for_it(cast, client, mfa):
    secret = generate_totp_secret()
    TOTP.activate(cast.sam, secret)
    asked = sign_in(client, "sam@parley.example")
    assert asked["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/admin/").status_code == 302  # not yet signed in
    assert client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    code = client.post("/accounts/2fa/authenticate/", {"code": current_code(secret)})
    assert code.status_code == 302
    assert client.get("/admin/").status_code == 200


def test_other_people_need_no_second_factor(cast, client, mfa):
    sign_in(client, "olive@acme.example")
    assert is_signed_in(client)


def test_recovery_codes_stand_in_for_a_lost_telephone(cast, client):
    from_page = Client()
    sign_in(from_page, "olive@acme.example")
    show_password_again(from_page)
    page = from_page.get("/accounts/2fa/totp/activate/")
    secret = page.context["form"].secret
    from_page.post("/accounts/2fa/totp/activate/", {"code": current_code(secret)})
    assert Authenticator.objects.filter(user=cast.olive.user).count() == 2
    codes = Authenticator.objects.get(user=cast.olive.user, type="recovery_codes").wrap().get_unused_codes()
    sign_in(client, "olive@acme.example")
    client.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert is_signed_in(client)


def test_second_factors_are_kept_encrypted(cast):
    secret = generate_totp_secret()
    TOTP.activate(cast.sam, secret)
    kept = str(Authenticator.objects.get(user=cast.sam).data)
    assert secret not in kept
    assert MFAAdapter().decrypt(Authenticator.objects.get(user=cast.sam).data["secret"]) == secret


def test_encrypted_factors_survive_a_change_of_the_secret_key(settings):
    sealed = MFAAdapter().encrypt("secret")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-one"
    assert MFAAdapter().decrypt(sealed) == "secret"


def test_webauthn_can_be_set_up(cast, client):
    sign_in(client, "olive@acme.example")
    assert client.get("/accounts/2fa/webauthn/add/").status_code == 302  # first the password again
    show_password_again(client)
    assert client.get("/accounts/2fa/webauthn/add/").status_code == 200


def test_robots_and_guests_are_no_staff(cast):
    assert [user.is_staff for user in (cast.vera.user, cast.ada.user, cast.sam)] == [False, False, True]
    assert accounts.create("robot@acme.example", account_type=AccountType.ROBOT).is_staff is False


def test_the_first_of_the_staff_is_made_on_the_command_line(cast, client, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="First@parley.example", interactive=False, verbosity=0)
    assert sign_in(client, "first@parley.example").status_code == 302
    assert client.get("/admin/").status_code == 200


def test_every_account_has_its_address(cast):
    assert EmailAddress.objects.count() == User.objects.count()
