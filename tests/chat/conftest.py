import pytest
from asgiref.sync import sync_to_async

from chat.services import conversations
from tenants import scoping
from tests.cast import make_cast


@pytest.fixture
def cast(stores):
    return make_cast()


@pytest.fixture
async def consultation(cast):
    """Olive's membership and her consultation about one employee."""

    def start():
        with scoping.tenant(cast.acme):
            employee = next(iter(cast.employees.values()))
            return conversations.start(cast.olive.membership, type="employee_specific", subject_employee_ids=[employee.pk])

    return cast.olive.membership, await sync_to_async(start, thread_sensitive=False)()
