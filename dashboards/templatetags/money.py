"""How templates say money."""

from decimal import Decimal

from django import template

from integrations.services import budgets

register = template.Library()


@register.filter
def dollars(amount: Decimal) -> str:
    """`$1,234.50`; more decimals only where the amount has them, six at most."""
    return budgets.dollars(amount)
