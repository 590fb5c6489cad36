"""Forms of budgets: they only parse; `integrations.services.spending` checks."""

from typing import Any

from django import forms

from integrations.choices import BudgetPeriodLength, BudgetScope
from integrations.models.budgets import LEAST, WARN_PERCENT
from integrations.services import budgets
from tenants.models import Membership


class BudgetForm(forms.Form):
    """What may be changed of a budget."""

    amount = forms.DecimalField(
        label="US dollars",
        max_digits=14,
        decimal_places=4,
        min_value=LEAST,
        widget=forms.NumberInput({"inputmode": "decimal", "step": "any"}),
        help_text="Calls that would go beyond are refused until the next period begins.",
    )
    warn_percent = forms.IntegerField(
        label="Warn at", min_value=1, max_value=100, initial=WARN_PERCENT, help_text="Per cent of the amount, once in each period."
    )
    refuse_unknown = forms.BooleanField(
        label="Refuse models whose price is not known", required=False, help_text="Otherwise their calls are let through and counted."
    )
    is_active = forms.BooleanField(label="Active", required=False, initial=True)


class NewBudgetForm(BudgetForm):
    """`target` is the organization, or a scope and the id of what the budget is for."""

    target = forms.ChoiceField(label="For")
    period = forms.ChoiceField(label="In", choices=BudgetPeriodLength.choices, initial=BudgetPeriodLength.MONTH.value)
    field_order = ("target", "period", "amount", "warn_percent", "refuse_unknown", "is_active")

    def __init__(self, *args: Any, membership: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups: list[Any] = [(BudgetScope.ORGANIZATION.value, f"All of {membership.organization.name}")]
        for scope, label in (
            (BudgetScope.DEPARTMENT, "Departments"),
            (BudgetScope.PERSON, "People"),
            (BudgetScope.KEY, "API keys"),
            (BudgetScope.BRIDGE, "Bridges"),
        ):
            names = budgets.target_names(membership.organization_id, scope)
            if names:
                groups.append((label, [(f"{scope.value}:{target}", name) for target, name in names.items()]))
        self.fields["target"].choices = groups  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """As `spending.create` takes them."""
        given = dict(self.cleaned_data)
        scope, _, target = given.pop("target").partition(":")
        return {**given, "scope": scope, "target_id": target or None}
