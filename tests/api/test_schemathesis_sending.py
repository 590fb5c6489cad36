"""The schema against the API (`promises.py`): operations that are sent something."""

import pytest

from tests.api.promises import SENDING, configuration, keep, world

__all__ = ["configuration", "world"]

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("label", SENDING)
def test_the_api_keeps_what_its_schema_promises(label, world):
    keep(label, world=world)
