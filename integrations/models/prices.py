"""Prices that staff know better than `genai-prices`: a contract's, or a server's of one's own."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tenants.models import tracked


@tracked()
class ModelPrice(models.Model):
    """What a server takes for a model, from a moment on. Of several that match, the most exact and then the newest counts.

    Belongs to the platform, not to an organization.
    """

    id = models.BigAutoField(primary_key=True)
    host = models.CharField(max_length=253, blank=True, help_text="The server's host name, api.openai.com. Empty: whatever the server.")
    model = models.CharField(max_length=200, help_text="A model's name, or a pattern: gpt-4o-mini, gpt-4o*.")
    since = models.DateTimeField(default=timezone.now, help_text="Calls from this moment on have this price.")
    input = models.DecimalField(max_digits=12, decimal_places=6, help_text="US dollars for a million tokens read.")
    cached_input = models.DecimalField(
        max_digits=12, decimal_places=6, help_text="US dollars for a million tokens read from the provider's cache."
    )
    output = models.DecimalField(max_digits=12, decimal_places=6, help_text="US dollars for a million tokens written.")
    reasoning = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        help_text="US dollars for a million tokens that the model wrote to itself. Empty: as what it writes.",
    )

    class Meta:
        db_table = "model_prices"
        ordering = ["host", "model", "-since"]
        constraints = [
            # Two prices for the same moment would make the cost a matter of chance.
            models.UniqueConstraint(fields=["host", "model", "since"], name="uq_model_prices_host_model_since"),
            models.CheckConstraint(
                condition=Q(input__gte=0) & Q(cached_input__gte=0) & Q(output__gte=0), name="ck_model_prices_not_negative"
            ),
            models.CheckConstraint(condition=Q(reasoning=None) | Q(reasoning__gte=0), name="ck_model_prices_reasoning"),
        ]

    def __str__(self) -> str:
        return f"{self.model} since {self.since:%Y-%m-%d}"
