"""`python -m benchmarks.bridges`: within one process of the world, how long it takes to look up a bridge that was asked before, and how
many calls of 64 callers at once are reserved and settled a second in the same two budgets. Prints one line of JSON.
"""

import asyncio
import json
import sys
import time
from decimal import Decimal
from typing import Any

import django

django.setup()

from benchmarks.meters import percentile
from benchmarks.seed import member
from config import loop
from integrations.choices import BudgetPeriodLength, BudgetScope
from integrations.models import Bridge, Budget
from integrations.providers.base import CompletionRequest
from integrations.services import budgets, configurations, settings, versions
from tenants import changes, scoping
from tenants.services import organizations

LOOKED_UP = 20_000
CALLERS, CALLS = 64, 10
HEARD_WITHIN = 10.0  # seconds until PostgreSQL tells this process of changes
AMOUNT, COST = Decimal(1_000_000), Decimal("0.01")


def main() -> int:
    organization = organizations.create("Bridged", slug="bridged")
    with scoping.tenant(organization):
        owner = member(organization, "bridged")
        bridge = settings.create(Bridge, owner, name="Bench", slug="bench", system_prompt="Be brief.")
        versions.publish(bridge, owner)
        for scope, target in ((BudgetScope.ORGANIZATION, organization.pk), (BudgetScope.PERSON, owner.user_id)):
            rows = Budget.objects.for_tenant(organization)
            rows.create(scope=scope, target_id=target, period=BudgetPeriodLength.DAY, amount=AMOUNT)
    until = time.monotonic() + HEARD_WITHIN
    while not changes.of_process().hears and time.monotonic() < until:
        time.sleep(0.01)
    request = CompletionRequest(organization_id=organization.pk, messages=(), user_id=owner.user_id)
    print(json.dumps({"look_up_ms": loop.run(look_up(organization.pk)), "budgets": loop.run(race(request))}))
    return 0


async def look_up(organization_id: Any) -> dict[str, float]:
    """Milliseconds, one after another; the first look, which reads, is not among them."""
    await configurations.live_bridge(organization_id, "bench")
    times = []
    for _ in range(LOOKED_UP):
        began = time.perf_counter()
        await configurations.live_bridge(organization_id, "bench")
        times.append((time.perf_counter() - began) * 1e3)
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}


async def race(request: CompletionRequest) -> dict[str, float]:
    """Calls a second of all callers, and milliseconds of one from its reservation to its settlement."""
    times: list[float] = []

    async def call() -> None:
        for _ in range(CALLS):
            began = time.perf_counter()
            hold = await budgets.reserve(request, COST)
            await hold.settle(COST)
            times.append((time.perf_counter() - began) * 1e3)

    await call()  # connections are there
    times.clear()
    began = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(CALLERS)))
    took = time.perf_counter() - began
    return {"a_second": len(times) / took, "p50": percentile(times, 0.5), "p95": percentile(times, 0.95)}


if __name__ == "__main__":
    sys.exit(main())
