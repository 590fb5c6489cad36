"""The times of production keep the promise that the other tests are too impatient to wait for: nothing is pending or streaming fifteen
seconds after its worker died."""

import asyncio

import pytest
from django.conf import settings

from config import failpoints
from config.supervision import FIRST_PAUSE, Keeper
from tests.faults.conftest import QUICK
from tests.faults.house import House
from tests.faults.provider import TEXT
from tests.faults.turning import WITHIN, exactly_once, turning

START_SECONDS = 4.0  # what a worker needs to start on two busy cores


async def test_the_times_add_up():
    # A worker dies just after it renewed its lease; another, or its successor, looks just before the lease runs out.
    assert settings.LEASE_SECONDS + settings.SWEEP_SECONDS < WITHIN
    assert FIRST_PAUSE + START_SECONDS < settings.LEASE_SECONDS
    # An answer nobody comes to is given up in time.
    assert settings.PICKUP_SECONDS + settings.SWEEP_SECONDS < WITHIN
    # A lease outlives three renewals that fail.
    assert settings.LEASE_SECONDS > 3 * settings.CHECKPOINT_SECONDS
    # An end that nobody heard of is told in time.
    assert settings.PICKUP_AGAIN_SECONDS + settings.SWEEP_SECONDS < WITHIN / 2


@pytest.mark.parametrize("point", ["answer.checkpointed"])
async def test_the_text_of_a_worker_that_died_is_interrupted_in_time_with_the_times_of_production(house: House, point: str):
    as_in_production = {name: str(getattr(settings, name)) for name in QUICK}
    # Started as production starts them: a fork has nothing left to import.
    house.processes.web("web", keeper=Keeper)
    house.processes.worker("worker-1", keeper=Keeper, **as_in_production)
    house.processes.worker("worker-2", keeper=Keeper, **as_in_production)
    await asyncio.to_thread(house.processes.wait_until_ready)
    assert point in failpoints.DECLARED
    house.provider.pause = 0.2
    async with turning(house, "web") as turn:
        house.processes.arm("worker", point)
        await turn.page.send("In time? ⏱️")
        await turn.dies("worker")
        answer = exactly_once(await turn.ends(), "In time? ⏱️")
        assert answer["status"] == "interrupted"
        assert answer["text"]
        assert TEXT.startswith(answer["text"])
