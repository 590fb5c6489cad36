"""A missing or malformed value in production is a start-up error that names the variable."""

import importlib.util
import os
import re
import subprocess
import sys

import environs
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "a-long-random-text-of-a-test-only-0123456789-0123456789",
    "ALLOWED_HOSTS": "parley.example",
    "CSRF_TRUSTED_ORIGINS": "https://parley.example",
    "FIELD_ENCRYPTION_KEYS": "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "DATABASE_URL": "postgresql://parley_login:secret@db/parley",
    "MONGODB_URI": "mongodb://mongo:27017/parley?replicaSet=parley",
    "REDIS_URL": "redis://cache:6379/0",
    "CELERY_BROKER_URL": "redis://broker:6379/0",
}
SETTINGS = settings.BASE_DIR / "config" / "settings.py"


@pytest.fixture
def start_up(monkeypatch):
    """Reads the settings anew, as a process in production does; gives the sentence that stops it, empty if it starts."""

    def read(**changes: str | None) -> str:
        wanted = {name: value for name, value in {**PRODUCTION, **changes}.items() if value is not None}
        for name in (*os.environ, *PRODUCTION):
            if name.isupper() and name not in {"PATH", "HOME"}:
                monkeypatch.delenv(name, raising=False)
        for name, value in wanted.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(environs.Env, "read_env", lambda *arguments, **options: None)  # a developer's own .env
        specification = importlib.util.spec_from_file_location("settings_of_production", SETTINGS)
        assert specification is not None and specification.loader is not None
        try:
            specification.loader.exec_module(importlib.util.module_from_spec(specification))
        except ImproperlyConfigured as error:
            return str(error)
        return ""

    return read


def test_a_complete_environment_starts(start_up):
    assert start_up() == ""


def test_a_real_process_ends_with_the_sentence():
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, "DATABASE_POOL": "big"}
    result = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "check"], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "ImproperlyConfigured: DATABASE_POOL is malformed" in result.stderr


@pytest.mark.parametrize(
    "name",
    ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL", "FIELD_ENCRYPTION_KEYS"],
)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_what_production_needs_is_asked_for_by_name(start_up, name, value):
    assert start_up(**{name: value}).startswith(f"{name} is not set.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "perhaps"),
        ("PORT", "eight thousand"),
        ("WEB_CONCURRENCY", "many"),
        ("DATABASE_URL", "not a url"),
        ("MONGODB_URI", "postgresql://mongo"),
        ("REDIS_URL", "http://cache"),
        ("CELERY_BROKER_URL", "nowhere"),
        ("DATABASE_POOL", "big"),
        ("BEHIND_PROXY", "sometimes"),
        ("EMAIL_URL", "carrier-pigeon://loft"),
        ("METRICS_NETWORKS", "the office"),
        ("PROVIDER_IDLE_TIMEOUT", "soon"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "yaml"),
        ("FIELD_ENCRYPTION_KEYS", "a-secret-key-without-an-id"),
        ("FIELD_ENCRYPTION_KEYS", "1:secret"),
        ("FIELD_ENCRYPTION_KEYS", "1:c2VjcmV0"),
        ("FIELD_ENCRYPTION_KEYS", f"{PRODUCTION['FIELD_ENCRYPTION_KEYS']},{PRODUCTION['FIELD_ENCRYPTION_KEYS']}"),
        ("FIELD_ENCRYPTION_KEYS", "a.b:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("GOOGLE_TOKEN_URL", "oauth2.googleapis.com/token"),
    ],
)
def test_a_malformed_value_is_named(start_up, name, value):
    sentence = start_up(**{name: value})
    assert re.match(rf"{name} is (malformed|'{value}')", sentence), sentence
    assert "secret" not in sentence  # no other variable's value is shown


def test_development_needs_nothing(start_up):
    assert start_up(**dict.fromkeys(PRODUCTION) | {"DEBUG": "true"}) == ""
