"""Keeping budgets, and looking at what they were spent on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from integrations import access
from integrations.choices import BudgetScope
from integrations.models import Budget, BudgetPeriod, CallMetric
from integrations.services import budgets
from tenants.models import Membership

ROWS = 500  # of a breakdown, those that cost most
FIELDS = ("amount", "warn_percent", "refuse_unknown", "is_active")  # that may be changed; another target is another budget
TARGETS = {
    BudgetScope.DEPARTMENT: "department_id",
    BudgetScope.PERSON: "user_id",
    BudgetScope.KEY: "apikey_id",
    BudgetScope.BRIDGE: "bridge_id",
}


# Keeping ---------------------------------------------------------------------------------------------------------------


def create(membership: Membership, *, scope: str, period: str, target_id: Any = None, **fields: Any) -> Budget:
    """A new budget. Raises Forbidden, and ValidationError for a target that is not the organization's, and for a second budget of the
    same target and period."""
    access.require_change(Budget, membership)
    organization_id = membership.organization_id
    if scope == BudgetScope.ORGANIZATION:
        target_id = organization_id
    elif target_id is None or not budgets.target_names(organization_id, scope, [target_id]):
        raise ValidationError({"target_id": f"Choose a {scope} of your organization."})
    budget = Budget(organization_id=organization_id, scope=scope, target_id=target_id, period=period, **fields)
    _check(budget)
    try:
        with transaction.atomic():
            budget.save(force_insert=True)
    except IntegrityError as error:
        if "uq_budgets_target_period" not in str(error):
            raise
        raise ValidationError({"period": "There is a budget for this and period already. Change that one."}) from error
    transaction.on_commit(budgets.forget)
    return budget


def change(membership: Membership, budget: Budget, **fields: Any) -> Budget:
    """Changes FIELDS; calls that are under way are not held up. Raises Forbidden and ValidationError."""
    access.require_change(Budget, membership)
    for name, value in fields.items():
        setattr(budget, name, value)
    _check(budget)
    budget.save(update_fields=[*fields, "updated_at"])
    transaction.on_commit(budgets.forget)
    return budget


def delete(membership: Membership, budget: Budget) -> None:
    """Removes it with its counters. What was spent stays in the ledger. Raises Forbidden."""
    access.require_change(Budget, membership)
    budget.delete()
    transaction.on_commit(budgets.forget)


def _check(budget: Budget) -> None:
    budget.clean_fields(exclude=["organization"])
    budget.amount = round(budget.amount, 4)  # as PostgreSQL keeps it


# Looking ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """A budget and how it stands in its running period. US dollars; `used_percent` is of what is spent, rounded down."""

    budget: Budget
    target: str  # what it is for, by name; empty for who is gone
    starts_at: datetime
    begins_anew: datetime
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)
    calls: int = 0
    unknown: int = 0
    warned_at: datetime | None = None

    @property
    def left(self) -> Decimal:
        return max(self.budget.amount - self.spent - self.reserved, Decimal(0))

    @property
    def used_percent(self) -> int:
        return int(self.spent * 100 / self.budget.amount)

    @property
    def reserved_percent(self) -> int:
        return min(int(self.reserved * 100 / self.budget.amount), max(100 - self.used_percent, 0))

    @property
    def is_used_up(self) -> bool:
        return self.spent >= self.budget.amount

    @property
    def is_warned(self) -> bool:
        return self.spent * 100 >= self.budget.amount * self.budget.warn_percent

    @property
    def standing(self) -> budgets.Standing:
        return budgets.Standing(self.budget.pk, self.starts_at, self.budget.amount, self.spent, self.reserved)

    def as_json(self) -> dict[str, Any]:
        budget = self.budget
        return {
            "id": str(budget.pk),
            "scope": budget.scope,
            "target_id": str(budget.target_id),
            "target": self.target,
            "period": budget.period,
            "amount": budget.amount,
            "warn_percent": budget.warn_percent,
            "refuse_unknown": budget.refuse_unknown,
            "is_active": budget.is_active,
            "starts_at": self.starts_at,
            "begins_anew": self.begins_anew,
            "spent": self.spent,
            "estimated": self.estimated,
            "reserved": self.reserved,
            "left": self.left,
            "calls": self.calls,
            "unknown_calls": self.unknown,
            "warned_at": self.warned_at,
            "created_at": budget.created_at,
        }


def states(membership: Membership, found: list[Budget], *, now: datetime | None = None) -> list[State]:
    """How these budgets stand now. Causes a query, and one for each scope whose names are needed."""
    now = now or timezone.now()
    windows = {budget.pk: budgets.window(budget.period, now) for budget in found}
    organization_id = membership.organization_id
    counters = {
        (counter.budget_id, counter.starts_at): counter
        for counter in BudgetPeriod.objects.for_tenant(organization_id).filter(
            budget_id__in=list(windows), starts_at__in={begin for begin, _ in windows.values()}
        )
    }
    names: dict[UUID, str] = {organization_id: membership.organization.name}
    for scope in {budget.scope for budget in found} - {BudgetScope.ORGANIZATION.value}:
        names |= budgets.target_names(organization_id, scope, [budget.target_id for budget in found if budget.scope == scope])
    said = []
    for budget in found:
        begin, end = windows[budget.pk]
        counter = counters.get((budget.pk, begin))
        figures = ("spent", "reserved", "estimated", "calls", "unknown", "warned_at")
        counted: Mapping[str, Any] = {} if counter is None else {name: getattr(counter, name) for name in figures}
        said.append(State(budget=budget, target=names.get(budget.target_id, ""), starts_at=begin, begins_anew=end, **counted))
    return said


BY = ("model", "bridge", "person", "key", "day")
_COLUMNS = {"model": "model", "bridge": "bridge_id", "person": "user_id", "key": "apikey_id", "day": "day"}
_SCOPES = {"bridge": BudgetScope.BRIDGE, "person": BudgetScope.PERSON, "key": BudgetScope.KEY}


@dataclass(frozen=True, slots=True)
class Line:
    """What calls of one model, bridge, person, key or day cost. `cost` is None where none of their costs is known."""

    of: str
    name: str
    calls: int
    unknown: int
    input_tokens: int
    output_tokens: int
    cost: Decimal | None
    share: int = 0  # per cent of the whole

    def as_json(self) -> dict[str, Any]:
        return {
            "of": self.of or None,
            "name": self.name,
            "calls": self.calls,
            "unknown_calls": self.unknown,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost": self.cost,
        }


@dataclass(frozen=True, slots=True)
class Spending:
    """A budget's calls over some days, from the ledger. `total` is of all of them, also where `lines` are cut off at ROWS."""

    first: date
    until: date
    by: str
    total: Line
    lines: list[Line]


def spending(membership: Membership, budget: Budget, *, by: str, first: date | None = None, until: date | None = None) -> Spending:
    """What a budget was spent on in these days (UTC, `until` is the first that is not meant), or in its running period."""
    begin, end = budgets.window(budget.period, timezone.now())
    first, until = first or begin.date(), until or end.date()
    calls = CallMetric.objects.for_tenant(membership.organization_id).filter(
        created_at__gte=datetime.combine(first, time(), UTC), created_at__lt=datetime.combine(until, time(), UTC)
    )
    if budget.scope != BudgetScope.ORGANIZATION:
        calls = calls.filter(**{TARGETS[BudgetScope(budget.scope)]: budget.target_id})
    figures = {
        "calls": Count("pk"),
        "unknown": Count("pk", filter=Q(cost=None) & (Q(success=True) | Q(output_tokens__gt=0))),
        "read": Sum("input_tokens", default=0),
        "written": Sum("output_tokens", default=0),
        "dollars": Sum("cost"),
    }
    total = _line("", "", calls.aggregate(**figures))
    grouped = calls.annotate(day=TruncDate("created_at", tzinfo=UTC)).order_by().values(column := _COLUMNS[by]).annotate(**figures)
    order = F("day").asc() if by == "day" else F("dollars").desc(nulls_last=True)
    rows = list(grouped.order_by(order, column)[:ROWS])
    names: dict[Any, str] = {}
    if by in _SCOPES:
        ids = [row[column] for row in rows if row[column] is not None]
        names = budgets.target_names(membership.organization_id, _SCOPES[by], ids)
    whole = total.cost or Decimal(0)
    lines = [_line(row[column], _name(row[column], names, by=by), row, whole=whole) for row in rows]
    return Spending(first=first, until=until, by=by, total=total, lines=lines)


def _name(of: Any, names: Mapping[Any, str], *, by: str) -> str:
    if by in _SCOPES:
        return names.get(of, "who is gone" if by == "person" else "what is gone") if of is not None else "none"
    return str(of) or "unknown"


def _line(of: Any, name: str, row: Mapping[str, Any], *, whole: Decimal = Decimal(0)) -> Line:
    cost = row["dollars"]
    return Line(
        of="" if of is None else str(of),
        name=name,
        calls=row["calls"],
        unknown=row["unknown"],
        input_tokens=row["read"],
        output_tokens=row["written"],
        cost=cost,
        share=int(cost * 100 / whole) if cost and whole else 0,
    )
