import pytest

from chat.services import conversations
from tenants import scoping
from tests.cast import make_cast


@pytest.fixture
def cast(stores):
    return make_cast()


@pytest.fixture
def consultation(cast):
    """Olive's membership and her consultation about one employee."""
    with scoping.tenant(cast.acme):
        employee = next(iter(cast.employees.values()))
        started = conversations.start(cast.olive.membership, type="employee_specific", subject_employee_ids=[employee.pk])
    return cast.olive.membership, started
