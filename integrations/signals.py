"""What this app announces, always after the commit."""

from django.dispatch import Signal

# Keyword arguments: organization_id (str), standing (integrations.services.budgets.Standing). So much of a budget is spent that its people
# are warned: once in each of its periods.
budget_nearly_spent = Signal()
