"""The schema against the API (`promises.py`): operations that read or remove."""

import pytest

from tests.api.promises import OTHERS, configuration, keep, operations, schema, world

__all__ = ["configuration", "world"]

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("label", OTHERS)
def test_the_api_keeps_what_its_schema_promises(label, world):
    keep(label, world=world)


def test_every_operation_is_tried():
    assert len(operations) == sum(len(methods) for methods in schema.raw_schema["paths"].values()) > 15
