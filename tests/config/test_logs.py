"""No log says the secret of a shared copy."""

import logging

import pytest
from django.conf import settings
from django.test import Client

from config.logs import mask_tokens

TOKEN = "8sXv_kJ2-Zy4mQpN1tBd7rLw0aHc5eGf"


def test_the_address_of_a_copy_is_said_without_its_token():
    said = {"event": f"Not Found: /s/{TOKEN}/", "request": f"GET /s/{TOKEN}/?x=1", "code": 404, "path": "/o/acme/chat/s/"}
    assert mask_tokens(None, "info", dict(said)) == {**said, "event": "Not Found: /s/…/", "request": "GET /s/…/?x=1"}


@pytest.mark.django_db
def test_a_request_for_a_copy_leaves_no_token_in_what_is_written(caplog):
    made = dict(settings.LOGGING["formatters"]["structured"])
    formatter = made.pop("()")(**made)
    with caplog.at_level(logging.INFO):
        Client().get(f"/s/{TOKEN}/")
    lines = [formatter.format(record) for record in caplog.records]
    assert any("/s/…/" in line for line in lines)
    assert not any(TOKEN in line for line in lines)
