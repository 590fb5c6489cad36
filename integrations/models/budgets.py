"""What an organization lets its calls cost, and what of it is spent and spoken for.

Money is in US dollars. What reserves and settles are functions of PostgreSQL (migration 0014), so that a call pays one statement before
and one after, and racers meet at the rows' locks; see docs/decisions/budgets.md.
"""

from decimal import Decimal
from typing import Any

import pgtrigger
import uuid_utils.compat as uuid
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from integrations.choices import BudgetPeriodLength, BudgetScope
from tenants.models import Timestamped, tracked
from tenants.scoping import TenantModel

WARN_PERCENT = 80
LEAST = Decimal("0.0001")


def _money(help_text: str, **kwargs: Any) -> models.DecimalField:
    return models.DecimalField(max_digits=20, decimal_places=10, help_text=help_text, **kwargs)


@tracked()
class Budget(TenantModel, Timestamped):
    """A cap on what calls to models may cost in a day or a month (UTC), for all of the organization or one target in it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    scope = models.CharField(max_length=20, choices=BudgetScope, default=BudgetScope.ORGANIZATION)
    target_id = models.UUIDField(help_text="Of the department, person, key or bridge; of the organization itself where it is for all.")
    period = models.CharField(max_length=10, choices=BudgetPeriodLength, default=BudgetPeriodLength.MONTH)
    amount = models.DecimalField(
        max_digits=14, decimal_places=4, validators=[MinValueValidator(LEAST)], help_text="US dollars in a period."
    )
    warn_percent = models.PositiveSmallIntegerField(
        default=WARN_PERCENT,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Once a period, when so much of it is spent, its people are warned.",
    )
    refuse_unknown = models.BooleanField(
        default=False, help_text="Refuse calls whose price is unknown. Otherwise they are let through, counted, and told of."
    )
    is_active = models.BooleanField(default=True, help_text="An inactive one holds nobody up.")

    class Meta(TenantModel.Meta):
        db_table = "budgets"
        ordering = ["-created_at", "-id"]
        constraints = [
            *TenantModel.Meta.constraints,
            # One cap for the same thing and period; finds an organization's, too.
            models.UniqueConstraint(fields=["organization", "scope", "target_id", "period"], name="uq_budgets_target_period"),
            models.CheckConstraint(condition=Q(scope__in=BudgetScope.values), name="ck_budgets_scope"),
            models.CheckConstraint(condition=Q(period__in=BudgetPeriodLength.values), name="ck_budgets_period"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="ck_budgets_amount"),
            models.CheckConstraint(condition=Q(warn_percent__gte=1) & Q(warn_percent__lte=100), name="ck_budgets_warn_percent"),
        ]
        triggers = [
            # Also of the first one: processes believe that an organization has none.
            pgtrigger.Trigger(
                name="announce",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func="PERFORM pg_notify('configurations_changed', COALESCE(NEW.organization_id, OLD.organization_id)::text); RETURN NULL;",
            )
        ]

    def __str__(self) -> str:
        return f"${self.amount.normalize():f} a {self.period} for {self.get_scope_display().lower()}"


class BudgetPeriod(TenantModel):
    """What was spent of a budget in one of its periods, and what calls that go on have reserved. Written by PostgreSQL's functions only."""

    id = models.BigAutoField(primary_key=True)
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="periods", db_index=False)
    starts_at = models.DateTimeField()
    spent = _money("US dollars that calls cost.", default=0)
    estimated = _money("Part of it: calls that were broken off, whose usage was counted in characters.", default=0)
    reserved = _money("US dollars that calls under way may cost at most.", default=0)
    calls = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0, help_text="Calls whose cost nobody knows.")
    warned_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "budget_periods"
        ordering = ["-starts_at"]
        constraints = [
            *TenantModel.Meta.constraints,
            # The counter of a budget's period; its newest ones.
            models.UniqueConstraint(fields=["budget", "starts_at"], name="uq_budget_periods_budget_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d}: {self.spent}"


class BudgetHold(TenantModel):
    """What one call has reserved of one budget. Its presence is the reservation; settling removes it. One whose process was silent
    until `expires_at` is released, and stays for a day, so that a settlement that comes late is counted, once."""

    id = models.BigAutoField(primary_key=True)
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="+", db_index=False)
    hold = models.UUIDField(help_text="The call's, one for all its budgets.")
    starts_at = models.DateTimeField(help_text="Of the budget's period that it counts in.")
    amount = _money("US dollars.")
    expires_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "budget_holds"
        ordering = ["-id"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["hold", "budget"], name="uq_budget_holds_hold_budget"),  # settles and renews a call's
        ]
        indexes = [
            models.Index(fields=["budget", "starts_at"], name="idx_budget_holds_budget"),  # those of a counter, to release
            models.Index(fields=["expires_at"], name="idx_budget_holds_expires"),  # those that lapsed, everybody's
        ]

    def __str__(self) -> str:
        return f"{self.amount} until {self.expires_at:%H:%M:%S}"
