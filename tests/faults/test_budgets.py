"""Budgets and real processes: racers of several never pass a cap, and what one that was killed had reserved is free again, once."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from config import loop
from integrations.errors import BudgetExceeded
from integrations.models import Budget, BudgetHold, BudgetPeriod
from integrations.providers.base import CompletionRequest
from integrations.services import budgets
from tenants import scoping
from tests import forks

BUDGETS = {"budget.reserved"}  # failpoints that are reached here
PROCESSES = 4
FREE_AGAIN_SECONDS = 15


@pytest.fixture
def two_budgets(cast) -> Iterator[list[Budget]]:
    """Of Acme: 20 dollars a day, 30 a month."""
    with scoping.tenant(cast.acme):
        rows = Budget.objects.for_tenant(cast.acme)
        made = [
            rows.create(scope="organization", target_id=cast.acme.pk, period=period, amount=Decimal(amount))
            for period, amount in (("day", 20), ("month", 30))
        ]
    budgets.forget()
    yield made
    with scoping.tenant(cast.acme):
        Budget.objects.for_tenant(cast.acme).all().delete()
    budgets.forget()


def figures(cast) -> set[tuple]:
    with scoping.tenant(cast.acme):
        return set(BudgetPeriod.objects.for_tenant(cast.acme).values_list("spent", "reserved", "unknown"))


def holds(cast) -> list[tuple]:
    with scoping.tenant(cast.acme):
        return list(BudgetHold.objects.for_tenant(cast.acme).order_by("id").values_list("hold", "amount", "released_at"))


def called(cast, environment, folder, *arguments: object, processes: int, **more: str) -> list[tuple[int, str]]:
    """How each of so many processes ended, all of which began to ask at once, and what it said."""
    command = (sys.executable, "-m", "tests.faults.budget_caller", str(folder / "gate"), str(cast.acme.pk), *map(str, arguments))
    with (folder / "gate").open("w") as gate, contextlib.ExitStack() as stack:
        fcntl.flock(gate, fcntl.LOCK_EX)
        running = []
        for _ in range(processes):
            reading, writing = os.pipe()
            said = stack.enter_context(os.fdopen(reading))
            process = forks.start(command, environment={**environment, **more}, output=writing)
            stack.callback(process.kill)
            os.close(writing)
            running.append((process, said))
        assert [said.readline() for _, said in running] == ["ready\n"] * processes
        fcntl.flock(gate, fcntl.LOCK_UN)
        return [(process.wait(30), said.read()) for process, said in running]


async def raced(cast, environment, folder, *arguments: object) -> int:
    """How many of 64 callers in several processes are let through."""
    ended = await asyncio.to_thread(called, cast, environment, folder, 64 // PROCESSES, *arguments, processes=PROCESSES)
    assert [code for code, _ in ended] == [0] * PROCESSES, ended
    return sum(int(said.split()[-1]) for _, said in ended)  # behind what it logged


async def test_sixty_four_callers_in_four_processes_never_pass_a_cap(cast, environment, two_budgets, tmp_path):
    assert await raced(cast, environment, tmp_path, 1, 1) == 20
    assert await loop.in_thread(figures, cast) == {(20, 0, 0)}


async def test_sixty_four_callers_whom_the_caps_hold_are_all_let_through(cast, environment, two_budgets, tmp_path):
    assert await raced(cast, environment, tmp_path, "0.3", "0.1") == 64
    assert await loop.in_thread(figures, cast) == {(Decimal("6.4"), 0, 0)}


async def test_what_a_killed_process_had_reserved_is_free_again_and_its_late_settlement_counts_once(
    cast, environment, two_budgets, tmp_path
):
    ended = await asyncio.to_thread(called, cast, environment, tmp_path, 1, 20, 20, processes=1, FAILPOINT="budget.reserved")
    died = time.monotonic()
    assert [code for code, _ in ended] == [-signal.SIGKILL]
    found = await loop.in_thread(holds, cast)
    assert [(amount, released) for _, amount, released in found] == [(20, None), (20, None)]
    request = CompletionRequest(organization_id=cast.acme.pk, messages=())
    with pytest.raises(BudgetExceeded):
        await budgets.reserve(request, Decimal(20))
    async with asyncio.timeout(FREE_AGAIN_SECONDS - (time.monotonic() - died)):
        while not await loop.in_thread(budgets.release_lapsed):  # noqa: ASYNC110  # as beat has it done
            await asyncio.sleep(0.2)
    assert await loop.in_thread(figures, cast) == {(0, 0, 1)}, "nobody knows what its call cost"
    hold = await budgets.reserve(request, Decimal(5))
    for _ in range(2):
        await budgets.Hold(str(cast.acme.pk), found[0][0]).settle(Decimal(3))
    assert await loop.in_thread(figures, cast) == {(3, 5, 0)}
    await hold.settle(Decimal(5))
    assert await loop.in_thread(figures, cast) == {(8, 0, 0)}
    assert await loop.in_thread(holds, cast) == []
