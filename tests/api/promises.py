"""The schema against the API: whatever it allows or forbids is sent, and what comes back is what it promises. Never a 500.

Half of the requests name things that are there, so that more than 404s are seen. The stream of events never ends, so its successes
are in `test_events.py`; here it is asked for what is not there. Two files share the operations, so that two processes can.

Schemathesis makes an operation's cases in three ways: the examples that the schema gives, each limit of each field from both sides
(three quarters of all cases), and random ones. They are the same in every run; `EXAMPLES=200` makes as many random ones for each operation.
"""

import functools
import logging
import os
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.generation.hypothesis import builder
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.python._constants.orchestrator import make_constants_value_source
from schemathesis.specs.openapi import checks as openapi_checks

from config import redis
from tenants import authentication
from tests.api.conftest import Caller, with_key
from tests.api.test_conversations import start
from tests.api.test_messages import say
from tests.chat.files import keep_file
from tests.configured import configured

EXAMPLES = int(os.environ.get("EXAMPLES", "5"))  # random ones, for each operation
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.unsupported_method,
]

schema = schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())
schema.config.generation.update(with_security_parameters=False)  # every request is Olive's; who else may what is the matrix's
operations = {found.ok().label: found.ok() for found in schema.get_all_operations()}
SENDING = [label for label in operations if label.startswith(("POST", "PATCH"))]
OTHERS = [label for label in operations if label not in SENDING]

# What Schemathesis notes on a test of which it could not make all cases.
LEFT_OUT = (
    *(builder.UnsatisfiableExampleMark, builder.NonSerializableMark, builder.UnserializablePayloadMark, builder.InvalidRegexMark),
    *(builder.InvalidHeadersExampleMark, builder.MissingPathParameters),
)


@dataclass(frozen=True)
class World:
    """Things that are there, by the name of the path parameter that asks for one."""

    caller: Caller
    known: dict[str, str]


@pytest.fixture(scope="module")
def configuration(cast) -> World:
    """What is in PostgreSQL, where it is as it was after each test; and a conversation, so that no list is empty."""
    olive = with_key(cast.olive)
    talk(olive, cast)
    return World(
        caller=olive,
        known={
            **configured(olive),
            "employee_id": str(cast.employees["Erik Ek"].id),
            "branch_id": str(cast.north.id),
            "department_id": str(cast.sales.id),
            "platform": "meta_ads",
            "connection_id": olive.post("connections/meta_ads/demo").json()["id"],
            "budget_id": olive.post("budgets", {"scope": "organization", "period": "month", "amount": "5"}).json()["id"],
        },
    )


@pytest.fixture
def world(cast, configuration, label, monkeypatch) -> Iterator[World]:
    redis.client().flushall()  # or what Olive sent within this minute counts against her limit
    of_a_talk = talk(configuration.caller, cast) if any(f"{{{name}}}" in label for name in OF_A_TALK) else {}
    # For each of a test's requests the key is the same one, and to find it takes a third of a request.
    monkeypatch.setattr(authentication, "api_key_of", functools.cache(authentication.api_key_of))
    # Three lines of each request, each line written three times, take a sixth of the requests' time.
    logging.disable(logging.WARNING)
    # Requests share the test's transaction, as with Django's test client (which made the world and connected these again).
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield World(caller=configuration.caller, known={**configuration.known, **of_a_talk})
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    logging.disable(logging.NOTSET)


OF_A_TALK = ("conversation_id", "message_id", "attachment_id", "question_id", "share_id")


def talk(olive: Caller, cast) -> dict[str, str]:
    """A conversation and what belongs to one: in MongoDB, where nothing is rolled back."""
    conversation = start(olive, cast)["id"]
    said = say(olive, f"conversations/{conversation}/messages")
    waits = olive.post(f"conversations/{conversation}/queue", {"text": "And then?", "client_id": "waits"}).json()
    attachment = keep_file(str(cast.acme.pk), conversation, user_id=said["message"]["author"]["id"])
    share = olive.post(f"conversations/{conversation}/shares", {"audience": "anyone", "days": 7}).json()["id"]
    return dict(zip(OF_A_TALK, (conversation, said["answer"]["id"], attachment, waits["queue"]["questions"][0]["id"], share), strict=True))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def keeps_its_promise(case, world):
    endless = case.path.endswith("/events")
    if not endless and zlib.crc32(repr(case).encode()) % 2:
        for name, value in case.path_parameters.items():
            if is_uuid(value):  # one that breaks the schema stays as it is
                case.path_parameters[name] = world.known[name]
    if isinstance(case.body, dict) and isinstance(case.body.get("subject_employee_ids"), list):
        case.body["subject_employee_ids"] = [
            world.known["employee_id"] if is_uuid(value) else value for value in case.body["subject_employee_ids"]
        ]
    is_form = case.media_type == "multipart/form-data"  # whatever stands in a form is a text, and so of the right type
    tried = [check for check in CHECKS if not (is_form and check is openapi_checks.negative_data_rejection)]
    case.call_and_validate(headers=world.caller.headers, checks=tried)


def is_uuid(value: object) -> bool:
    try:
        return str(uuid.UUID(str(value))) == value
    except ValueError:
        return False


def keep(label: str, *, world: World) -> None:
    """Tries one operation. Its cases are made here, and not by `schema.parametrize()`: that makes those of all operations while tests are
    collected, which each test process does."""
    feedback = FeedbackSources(constants_value_source=make_constants_value_source(schema))
    operation = operations[label]
    tried = build_operation_test(config=schema.config, operation=operation, test_func=keeps_its_promise, given_kwargs={}, feedback=feedback)
    assert [mark for mark in LEFT_OUT if mark.is_set(tried)] == []
    tried(world=world)
