"""Holding calls to what they may cost: reserved before, settled after, by all budgets that concern a call or by none.

1. `concerning` says which budgets those are. A process keeps what there is of an organization's, and hears of changes: a call without a
   budget asks nobody.
2. `reserve` takes the most that a call is likely to cost, in one statement. Where that does not fit, `BudgetExceeded` says of which
   budget, and when it begins anew.
3. `Hold.settle` gives it back and counts what the call did cost, in one statement, once, however often and late it is said.

A hold is a lease: this process renews those of all its calls in one statement now and then. Those of a process that died are released by
whoever reserves next, or by `release_lapsed`, within LEASE_SECONDS and a look's distance.
"""

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import uuid_utils.compat as uuid
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone

from config import loop
from config.failpoints import failpoint
from integrations.choices import BudgetPeriodLength, BudgetScope
from integrations.errors import BudgetExceeded
from integrations.models import Bridge, Budget
from integrations.providers.base import CompletionRequest, Usage
from integrations.signals import budget_nearly_spent
from tenants import changes, scoping
from tenants.models import ApiKey, Department, Membership

log = logging.getLogger(__name__)

LEASE_SECONDS = 9.0
RENEW_SECONDS = 2.5
KEPT_SECONDS = 86_400  # a hold that was released: a settlement that comes later than this counts nothing
CHANNEL = "configurations_changed"  # of the budgets' trigger, too
UNTOLD_SECONDS = 1.5  # that what is known of budgets is believed while PostgreSQL cannot tell of changes
WAIT_SECONDS = 1.0  # that an answer's end waits for its settlement, which goes on by itself
AGAIN_SECONDS = (0.5, 10.0)
AWAY = (OperationalError, InterfaceError)

BYTES_PER_TOKEN = 3  # at least, of nearly all that people write; the average is above 4
MESSAGE_TOKENS = 8  # around each message
OUTPUT_TOKENS = 4_096  # that a call may write which does not say how much


# What there is ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """An organization's active budgets, by what they are for; when they were read, by two clocks."""

    by_target: dict[tuple[str, str], tuple[UUID, ...]]
    read_at: float
    read_on: float


_known: dict[str, Known] = {}


async def concerning(request: CompletionRequest) -> tuple[UUID, ...]:
    """The budgets that hold a call, mostly none. Causes a query where what is known may be out of date."""
    organization_id = str(request.organization_id)
    known = _known.get(organization_id)
    if known is None or not _stands(known, organization_id):
        try:
            known = await loop.in_thread(_read, organization_id)
        except DatabaseError:
            if known is None:
                raise
            log.warning("The budgets could not be read, the last known ones count.")
    if not known.by_target:
        return ()
    targets = {
        BudgetScope.ORGANIZATION: organization_id,
        BudgetScope.DEPARTMENT: request.department_id,
        BudgetScope.PERSON: request.user_id,
        BudgetScope.KEY: request.api_key_id,
        BudgetScope.BRIDGE: request.bridge_id,
    }
    return tuple(budget for scope, target in targets.items() for budget in known.by_target.get((scope.value, str(target)), ()))


def _stands(known: Known, organization_id: str) -> bool:
    listening = changes.of_process()
    if not listening.hears:
        return time.monotonic() - known.read_on < UNTOLD_SECONDS
    return listening.is_current(organization_id, read_at=known.read_at, channel=CHANNEL, skew=0)


def _read(organization_id: str) -> Known:
    read_at, read_on = time.time(), time.monotonic()
    by_target: dict[tuple[str, str], tuple[UUID, ...]] = {}
    with scoping.tenant(organization_id):
        rows = Budget.objects.for_tenant(organization_id).filter(is_active=True).values_list("id", "scope", "target_id")
        for budget, scope, target in rows:
            by_target[scope, str(target)] = (*by_target.get((scope, str(target)), ()), budget)
    known = _known[organization_id] = Known(by_target, read_at, read_on)
    return known


def forget() -> None:
    """The next call reads them anew: after a change in this process, so that it counts at once."""
    _known.clear()


# What a call may cost --------------------------------------------------------------------------------------------------


def most_likely(request: CompletionRequest) -> Usage:
    """The most tokens that a call is likely to take: as if three bytes of its prompt, with its tools and its schema, were a token, none
    were cached, and it wrote as much as it may (or OUTPUT_TOKENS)."""
    read = sum(len(message.text.encode()) for message in request.messages)
    read += sum(len(orjson.dumps(part)) for part in (request.schema, request.response_format, *request.tools) if part)
    read += sum(len((use.name + use.arguments).encode()) for message in request.messages for use in message.tool_uses)
    pictures = sum(picture.tokens for message in request.messages for picture in message.pictures)
    prompt = -(-read // BYTES_PER_TOKEN) + MESSAGE_TOKENS * len(request.messages) + pictures
    return Usage(input_tokens=prompt, output_tokens=request.parameters.get("max_tokens") or request.max_tokens or OUTPUT_TOKENS)


# Reserving and settling ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stood in its period when a call was reserved or settled. US dollars."""

    budget_id: UUID
    starts_at: datetime
    amount: Decimal
    spent: Decimal
    reserved: Decimal

    @property
    def left(self) -> Decimal:
        return max(self.amount - self.spent - self.reserved, Decimal(0))

    def as_header(self) -> str:
        """For programs: `X-Parley-Budget`."""
        return f"spent={self.spent.normalize():f}; reserved={self.reserved.normalize():f}; of={self.amount.normalize():f}"


HEADER = "X-Parley-Budget"


class Hold:
    """What one call has reserved. `standing` is that of the budget with the least left; `is_unknown` says that its price is not known, so
    that nothing could be reserved."""

    __slots__ = ("_ended", "_organization_id", "id", "is_unknown", "standing")

    def __init__(self, organization_id: str, id: UUID, *, is_unknown: bool = False, standing: Standing | None = None) -> None:
        self.id = id
        self.is_unknown = is_unknown
        self.standing = standing
        self._organization_id = organization_id
        self._ended = False

    async def settle(self, cost: Decimal | None, *, is_estimate: bool = False) -> None:
        """Counts what the call did cost, None where nobody knows. Only the first word counts; the answer's end waits a moment for it at
        most, never for a PostgreSQL that is away."""
        await self._end(cost, is_estimate=is_estimate, was_made=True)

    async def release(self) -> None:
        """The call cost nothing, or was never made."""
        await self._end(Decimal(0), is_estimate=False, was_made=False)

    async def _end(self, cost: Decimal | None, *, is_estimate: bool, was_made: bool) -> None:
        if self._ended:
            return
        self._ended = True
        task = _desk().settle(self, lambda: _settle(self._organization_id, self.id, cost, is_estimate=is_estimate, was_made=was_made))
        await asyncio.wait({task}, timeout=WAIT_SECONDS)


class _Free(Hold):
    """Of a call that no budget concerns, or that costs nothing."""

    async def _end(self, cost: Decimal | None, *, is_estimate: bool, was_made: bool) -> None:
        pass


NONE: Hold = _Free("", UUID(int=0))


async def reserve(request: CompletionRequest, estimate: Decimal | None) -> Hold:
    """Holds the estimate, US dollars, in all budgets that concern the call. None: its price is unknown. Raises BudgetExceeded and
    DatabaseError: then nothing is held."""
    budgets = await concerning(request)
    if not budgets or estimate == 0:
        return NONE
    organization_id, hold = str(request.organization_id), uuid.uuid7()
    now = timezone.now()
    task = asyncio.ensure_future(loop.in_thread(_reserve, organization_id, hold, budgets, estimate, now=now))
    try:
        found = await asyncio.shield(task)
    except asyncio.CancelledError:
        # It may come to stand when nobody waits for it any more.
        kept = Hold(organization_id, hold)
        task.add_done_callback(lambda done: done.cancelled() or done.exception() or _desk().settle(kept, _nothing(organization_id, hold)))
        raise
    refused = next((one for one in found if one.refusal), None)
    if refused is not None:
        sentence, begins_anew = await loop.in_thread(_why_not, organization_id, refused, estimate)
        standing = Standing(refused.budget, refused.starts, refused.cap, refused.used, refused.held)
        raise BudgetExceeded(sentence, budget_id=str(refused.budget), begins_anew=begins_anew, headers={HEADER: standing.as_header()})
    if not found:
        return NONE  # they were removed or made inactive a moment ago
    held = estimate or Decimal(0)
    standings = [Standing(one.budget, one.starts, one.cap, one.used, one.held + held) for one in found]
    kept = Hold(organization_id, hold, is_unknown=estimate is None, standing=min(standings, key=lambda one: one.left))
    _desk().open(kept)
    failpoint("budget.reserved")
    return kept


def _nothing(organization_id: str, hold: UUID) -> Callable[[], list["_Counted"]]:
    return lambda: _settle(organization_id, hold, Decimal(0), is_estimate=False, was_made=False)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A row of what PostgreSQL's functions give."""

    budget: UUID
    starts: datetime
    cap: Decimal
    used: Decimal
    held: Decimal
    refusal: str | None = None
    is_new_warning: bool = False


def _reserve(organization_id: str, hold: UUID, budgets: tuple[UUID, ...], estimate: Decimal | None, *, now: datetime) -> list[_Counted]:
    with scoping.tenant(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM budgets_reserve(%s, %s, %s, %s::numeric, %s, make_interval(secs => %s))",
            [organization_id, hold, list(budgets), estimate, now, LEASE_SECONDS],
        )
        return [_Counted(*row) for row in cursor.fetchall()]


def _settle(organization_id: str, hold: UUID, cost: Decimal | None, *, is_estimate: bool, was_made: bool) -> list[_Counted]:
    with scoping.tenant(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT budget, starts, cap, used, held, NULL, is_new_warning FROM budgets_settle(%s, %s, %s::numeric, %s, %s, %s)",
            [organization_id, hold, cost, is_estimate, was_made, timezone.now()],
        )
        counted = [_Counted(*row) for row in cursor.fetchall()]
    for one in counted:
        if one.is_new_warning:
            standing = Standing(one.budget, one.starts, one.cap, one.used, one.held)
            log.warning("Budget %s of organization %s: $%s of $%s are spent.", one.budget, organization_id, one.used, one.cap)
            budget_nearly_spent.send_robust(sender=None, organization_id=organization_id, standing=standing)
    return counted


# Holds of this process -------------------------------------------------------------------------------------------------


class _Desk:
    """The open holds of an event loop, which it renews until they are settled."""

    def __init__(self) -> None:
        self._open: dict[UUID, Hold] = {}
        self._settling: set[asyncio.Task] = set()
        self._renewing: asyncio.Task | None = None

    def open(self, hold: Hold) -> None:
        self._open[hold.id] = hold
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())

    def settle(self, hold: Hold, work: Callable[[], list[_Counted]]) -> asyncio.Task:
        task = asyncio.create_task(self._settle(hold, work))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    async def _settle(self, hold: Hold, work: Callable[[], list[_Counted]]) -> None:
        pause = AGAIN_SECONDS[0]
        while True:
            try:
                await loop.in_thread(work)
            except AWAY as problem:
                log.warning("PostgreSQL is away, a call's cost waits to be counted: %s", problem)
                await asyncio.sleep(pause)
                pause = min(pause * 2, AGAIN_SECONDS[1])
            except Exception:
                log.exception("What a call cost could not be counted; its hold %s lapses.", hold.id)
                break
            else:
                break
        self._open.pop(hold.id, None)
        if not self._open and self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await loop.in_thread(renew, list(self._open))
            except Exception as problem:  # the next time may do; a renewal that ended would have all later holds lapse
                log.warning("%d holds could not be renewed and may lapse: %s", len(self._open), problem)


_desks: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk]" = weakref.WeakKeyDictionary()


def _desk() -> _Desk:
    running = asyncio.get_running_loop()
    found = _desks.get(running)
    if found is None:
        found = _desks[running] = _Desk()
    return found


def renew(holds: Iterable[UUID]) -> int:
    """Gives these holds a new lease, unless somebody is at them just now or they were released; how many."""
    with scoping.across_tenants("a process renews the holds of all its calls at once"), connection.cursor() as cursor:
        # Passing over locked rows it waits for nobody while it has some.
        cursor.execute(
            "UPDATE budget_holds SET expires_at = clock_timestamp() + make_interval(secs => %s) WHERE id IN"
            " (SELECT id FROM budget_holds WHERE hold = ANY (%s) AND released_at IS NULL FOR UPDATE SKIP LOCKED)",
            [LEASE_SECONDS, list(holds)],
        )
        return cursor.rowcount


def release_lapsed() -> int:
    """Releases the holds of processes that died, and forgets those released long ago; how many were released."""
    with scoping.across_tenants("the holds of processes that died, whoever's they are"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT organization_id, budget_id, starts_at FROM budget_holds"
            " WHERE expires_at < clock_timestamp() AND released_at IS NULL"
        )
        lapsed = cursor.fetchall()
        cursor.execute(
            "DELETE FROM budget_holds WHERE expires_at < clock_timestamp() - make_interval(secs => %s) AND released_at IS NOT NULL",
            [KEPT_SECONDS],
        )
    released = 0
    for organization_id, budget, starts_at in lapsed:
        with scoping.tenant(organization_id), connection.cursor() as cursor:
            cursor.execute("SELECT budgets_release_lapsed(%s, %s, %s)", [organization_id, budget, starts_at])
            released += cursor.fetchone()[0]
    return released


# Words -----------------------------------------------------------------------------------------------------------------


def window(period: str, now: datetime) -> tuple[datetime, datetime]:
    """The day or month in UTC that a moment is in: its begin, and its end, which is the next one's."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == BudgetPeriodLength.DAY:
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def dollars(amount: Decimal) -> str:
    """`$1,234.50`, and more decimals only where the amount has them."""
    exact = f"{amount.normalize():f}"
    decimals = max(len(exact.partition(".")[2]), 2)
    return f"${amount:,.{min(decimals, 6)}f}"


def target_names(organization_id: Any, scope: str, ids: Iterable[Any] | None = None) -> dict[UUID, str]:
    """What the departments, people, keys or bridges are called that a budget may be for, by id: all there are, or these. Causes a query."""
    if scope == BudgetScope.PERSON:
        members = Membership.objects.for_tenant(organization_id).select_related("user").order_by("user__email")
        found = members.filter(is_active=True) if ids is None else members.filter(user_id__in=list(ids))
        return {member.user_id: member.user.name or member.user.email for member in found}
    model = _NAMED[BudgetScope(scope)]
    rows = model.objects.for_tenant(organization_id).order_by("name")
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    elif model is ApiKey:
        rows = rows.filter(revoked_at=None)
    return dict(rows.values_list("pk", "name"))


_NAMED: dict[BudgetScope, type[scoping.TenantModel]] = {
    BudgetScope.DEPARTMENT: Department,
    BudgetScope.KEY: ApiKey,
    BudgetScope.BRIDGE: Bridge,
}


def whose(budget: Budget, name: str | None = None) -> str:
    """For sentences: `the department Sales`. Causes a query where no name is given."""
    if budget.scope == BudgetScope.ORGANIZATION:
        return "your organization"
    if name is None:
        name = target_names(budget.organization_id, budget.scope, [budget.target_id]).get(budget.target_id, "")
    return f"the {'API key' if budget.scope == BudgetScope.KEY else budget.scope} {name}".rstrip()


def _why_not(organization_id: str, refused: _Counted, estimate: Decimal | None) -> tuple[str, datetime]:
    """The sentence for who asked, and when the budget begins anew."""
    with scoping.tenant(organization_id):
        budget = Budget.objects.for_tenant(organization_id).filter(pk=refused.budget).first()
        if budget is None:
            return "A budget did not allow this call, and is gone by now. Try again.", refused.starts
        name = whose(budget)
    _, end = window(budget.period, refused.starts)
    period = "today" if budget.period == BudgetPeriodLength.DAY else "this month"
    then = f"It begins anew on {end.day} {end:%B %Y} at 00:00 UTC; an owner of your organization can change it."
    if refused.refusal == "unknown":
        return f"What this model costs is not known, and the budget of {name} takes no such calls. An owner can change that.", end
    left = max(refused.cap - refused.used - refused.held, Decimal(0))
    if estimate is not None and left:
        cents = f"{dollars(left)} of {dollars(refused.cap)} are left, and this may cost {dollars(estimate)}"
        return f"The budget of {name} for {period} does not hold this call: {cents}. {then}", end
    return f"The budget of {name} for {period}, {dollars(refused.cap)}, is used up. {then}", end
