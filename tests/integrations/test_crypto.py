"""Secrets at rest: sealed for their place, opened nowhere else; and sealed anew with a new key while everybody works on."""

import base64
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db import connections as databases

from config import keys
from integrations import crypto
from integrations.models import PlatformConnection
from integrations.services import connections, rotation
from tenants import scoping
from tests.cast import make_cast

PLAIN = "ya29.a-token-of-olive"
KEYS = [f"{name}:{base64.b64encode(bytes([number]) * 32).decode()}" for number, name in enumerate(("first", "second", "third"))]


@pytest.fixture(autouse=True)
def _first_key(settings):
    settings.FIELD_ENCRYPTION_KEYS = KEYS[:1]


@pytest.fixture
def cast(stores):
    return make_cast()


def put(person, account: str = "2001", plain: str = PLAIN) -> PlatformConnection:
    organization = person.membership.organization
    with scoping.tenant(organization):
        row = PlatformConnection(organization=organization, user=person.user, platform="google_analytics", account_id=account)
        for name in ("access_token", "refresh_token"):
            crypto.put(row, name, f"{plain}-{name}")
        row.save()
    return row


def rows(organization) -> list[PlatformConnection]:
    with scoping.tenant(organization):
        return list(PlatformConnection.objects.for_tenant(organization).order_by("pk"))


def test_what_is_sealed_is_opened_where_it_was_sealed_and_looks_like_nothing():
    blobs = {crypto.seal(PLAIN, "a/b") for _ in range(50)}
    assert len(blobs) == 50
    for blob in blobs:
        assert crypto.unseal(blob, "a/b") == PLAIN
        assert crypto.key_of(blob) == "first"
        assert PLAIN not in blob
        assert PLAIN.encode() not in base64.b64decode(blob.split(".", 2)[2])


@pytest.mark.parametrize("text", ["", "é", "\0", "x" * 100_000, "🔑"])
def test_any_text_comes_back_as_it_was(text):
    assert crypto.unseal(crypto.seal(text, "p"), "p") == text


@pytest.mark.parametrize("place", ["a/c", "a", "a/b/", "", "A/b"])
def test_elsewhere_it_does_not_open(place):
    with pytest.raises(crypto.Unreadable):
        crypto.unseal(crypto.seal(PLAIN, "a/b"), place)


def test_changed_anywhere_it_does_not_open():
    blob = crypto.seal(PLAIN, "p")
    head, text = blob.rsplit(".", 1)
    raw = base64.b64decode(text)
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(crypto.Unreadable):
            crypto.unseal(f"{head}.{base64.b64encode(changed).decode()}", "p")
    for broken in ("", "v1", "v1.first", "v1.first.", "v1.first.!", "v2" + blob[2:], blob.replace("first", "second"), blob[:-4], PLAIN):
        with pytest.raises(crypto.Unreadable):
            crypto.unseal(broken, "p")


def test_a_ciphertext_that_was_moved_does_not_open(cast):
    """To another column, row, person, organization or platform."""
    olive, other, liam, greta = put(cast.olive), put(cast.olive, "2002"), put(cast.liam), put(cast.greta)
    assert crypto.take(olive, "access_token") == f"{PLAIN}-access_token"
    for row in (other, liam, greta):
        row.access_token = olive.access_token
        with pytest.raises(crypto.Unreadable):
            crypto.take(row, "access_token")
    olive.refresh_token = olive.access_token
    with pytest.raises(crypto.Unreadable):
        crypto.take(olive, "refresh_token")
    olive.platform = "google_ads"
    with pytest.raises(crypto.Unreadable):
        crypto.take(olive, "access_token")


def test_a_field_without_a_secret_is_not_taken_for_one(cast):
    with pytest.raises(TypeError):
        crypto.take(put(cast.olive), "account_name")


def test_a_disconnected_row_can_hold_no_tokens(cast):
    row = put(cast.olive)
    with pytest.raises(IntegrityError, match="no_tokens_left"), scoping.tenant(cast.acme), transaction.atomic():
        PlatformConnection.objects.for_tenant(cast.acme).filter(pk=row.pk).update(is_connected=False)


def test_keys_are_read_as_they_are_written():
    assert list(keys.read(KEYS)) == ["first", "second", "third"]
    for wrong in ("", "x", ":" + KEYS[0], "first:", "first:AAAA", "a b:" + KEYS[0].partition(":")[2]):
        with pytest.raises(ValueError) as problem:
            keys.read([wrong])
        assert str(problem.value).endswith(".")
    with pytest.raises(ValueError, match="two keys"):
        keys.read([KEYS[0], KEYS[0]])


def test_without_keys_development_has_one_of_its_own(settings):
    settings.FIELD_ENCRYPTION_KEYS = []
    blob = crypto.seal(PLAIN, "p")
    assert crypto.key_of(blob) == crypto.DEVELOPMENT
    settings.SECRET_KEY = "another"
    with pytest.raises(crypto.Unreadable):
        crypto.unseal(blob, "p")


# Rotation ------------------------------------------------------------------------------------------------------------------


def rotate(**options) -> str:
    out = StringIO()
    call_command("rotate_encryption_keys", stdout=out, stderr=out, **options)
    return out.getvalue()


def sealed_with(cast) -> set[str]:
    found = [*rows(cast.acme), *rows(cast.globex)]
    return {crypto.key_of(blob) for row in found for blob in (row.access_token, row.refresh_token)}


def test_everything_is_sealed_with_the_new_key_and_the_old_one_can_go(cast, settings):
    for person in (cast.olive, cast.liam, cast.greta):
        put(person)
    settings.FIELD_ENCRYPTION_KEYS = [KEYS[1], KEYS[0]]
    assert sealed_with(cast) == {"first"}
    assert rotate(dry_run=True) == "6 secrets are not sealed with the key 'second'.\n"
    assert sealed_with(cast) == {"first"}
    assert rotate() == "6 secrets are sealed with the key 'second' now.\n"
    settings.FIELD_ENCRYPTION_KEYS = [KEYS[1]]
    assert sealed_with(cast) == {"second"}
    for organization in (cast.acme, cast.globex):
        for row in rows(organization):
            assert crypto.take(row, "refresh_token") == f"{PLAIN}-refresh_token"


def test_the_second_run_changes_nothing(cast, settings):
    put(cast.olive)
    settings.FIELD_ENCRYPTION_KEYS = [KEYS[1], KEYS[0]]
    rotate()
    [before] = rows(cast.acme)
    assert rotate() == "0 secrets are sealed with the key 'second' now.\n"
    [after] = rows(cast.acme)
    assert (after.access_token, after.refresh_token) == (before.access_token, before.refresh_token)


def test_a_run_that_was_killed_is_gone_on_with(cast, settings, monkeypatch):
    for account in ("1", "2", "3"):
        put(cast.olive, account)
    settings.FIELD_ENCRYPTION_KEYS = [KEYS[1], KEYS[0]]
    steps = iter(range(4))
    monkeypatch.setattr(rotation, "AT_ONCE", 2)
    with pytest.raises(StopIteration):
        rotation.rotate(step=lambda: next(steps))
    assert sealed_with(cast) == {"first", "second"}
    for row in rows(cast.acme):
        assert crypto.take(row, "access_token") == f"{PLAIN}-access_token"
    assert rotate() == "2 secrets are sealed with the key 'second' now.\n"
    assert sealed_with(cast) == {"second"}


def test_what_does_not_open_is_named_and_the_rest_is_done(cast, settings):
    lost = put(cast.olive)
    settings.FIELD_ENCRYPTION_KEYS = [KEYS[1]]
    put(cast.liam)
    settings.FIELD_ENCRYPTION_KEYS = [KEYS[2], KEYS[1]]
    out = StringIO()
    with pytest.raises(CommandError, match="2 secrets do not open"):
        call_command("rotate_encryption_keys", stdout=out, stderr=out)
    assert "2 secrets are sealed with the key 'third' now." in out.getvalue()
    assert f"platform_integrations/access_token/{lost.pk} does not open." in out.getvalue()


def test_a_token_that_is_written_meanwhile_is_not_lost(cast, settings, monkeypatch):
    """Somebody's token is renewed between the look and the write."""
    row = put(cast.olive)
    settings.FIELD_ENCRYPTION_KEYS = [KEYS[1], KEYS[0]]
    seal = crypto.seal

    def renewed_meanwhile(plain: str, place: str) -> str:
        monkeypatch.setattr(crypto, "seal", seal)

        def renew() -> None:
            with scoping.tenant(cast.acme):
                fresh = PlatformConnection.objects.for_tenant(cast.acme).get(pk=row.pk)
                crypto.put(fresh, "access_token", "fresh")
                fresh.save(update_fields=["access_token"])
            databases.close_all()

        thread = threading.Thread(target=renew)
        thread.start()
        thread.join()
        return seal(plain, place)

    monkeypatch.setattr(crypto, "seal", renewed_meanwhile)
    rotate()
    [after] = rows(cast.acme)
    assert crypto.take(after, "access_token") == "fresh"
    assert sealed_with(cast) == {"second"}


def test_a_connection_whose_key_is_gone_can_still_be_disconnected(cast, settings):
    row = put(cast.olive)
    settings.FIELD_ENCRYPTION_KEYS = [KEYS[2]]
    with scoping.tenant(cast.acme):
        connections.disconnect(row, now=row.connected_at)
    connections.revoke_waiting(now=row.connected_at)
    assert rows(cast.acme) == []
