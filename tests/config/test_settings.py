"""A missing or malformed value in production is a start-up error that names the variable."""

import os
import re
import subprocess
import sys

import pytest
from django.conf import settings

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
READ = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("production_settings", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""


def start_up(**changes: str | None) -> subprocess.CompletedProcess:
    """Reads the settings as a new process in production does, with nothing of this one's environment but the path."""
    wanted = {**PRODUCTION, **changes}
    environment = {"PATH": os.environ["PATH"], **{name: value for name, value in wanted.items() if value is not None}}
    path = str(settings.BASE_DIR / "config" / "settings.py")
    return subprocess.run(
        [sys.executable, "-c", READ, path], env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )


def test_a_complete_environment_starts():
    result = start_up()
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL"])
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_what_production_needs_is_asked_for_by_name(name, value):
    result = start_up(**{name: value})
    assert result.returncode != 0
    assert f"ImproperlyConfigured: {name}" in result.stderr


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
    ],
)
def test_a_malformed_value_is_named(name, value):
    result = start_up(**{name: value})
    assert result.returncode != 0
    assert re.search(rf"ImproperlyConfigured: {name}\b", result.stderr), result.stderr[-600:]
    assert "secret" not in result.stderr.rpartition("ImproperlyConfigured")[2]  # no value of another variable is shown


def test_development_needs_nothing():
    result = start_up(**dict.fromkeys(PRODUCTION) | {"DEBUG": "true"})
    assert (result.returncode, result.stderr) == (0, "")
