"""A process that asks within budgets: `budget_caller GATE ORGANIZATION CALLERS ESTIMATE COST` says that it is ready, waits until nobody
holds the gate's lock, and prints how many callers were let through."""

import asyncio
import fcntl
import sys
from decimal import Decimal

import django

django.setup()

from integrations.errors import BudgetExceeded  # noqa: E402  # after the apps are there
from integrations.providers.base import CompletionRequest  # noqa: E402
from integrations.services import budgets  # noqa: E402


async def ask(organization: str, estimate: Decimal, cost: Decimal) -> bool:
    try:
        hold = await budgets.reserve(CompletionRequest(organization_id=organization, messages=()), estimate)
    except BudgetExceeded:
        return False
    await asyncio.sleep(0.01)
    await hold.settle(cost)
    return True


def wait_for_the_others(gate: str) -> None:
    with open(gate) as file:
        print("ready", flush=True)
        fcntl.flock(file, fcntl.LOCK_SH)


async def main(organization: str, callers: str, estimate: str, cost: str) -> None:
    asked = (ask(organization, Decimal(estimate), Decimal(cost)) for _ in range(int(callers)))
    print(sum(await asyncio.gather(*asked)), flush=True)


gate, *asked = sys.argv[1:]
wait_for_the_others(gate)
asyncio.run(main(*asked))
