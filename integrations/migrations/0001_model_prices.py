"""A table for the prices that staff know better than the price list."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0002_application_role"),
    ]

    operations = [
        migrations.CreateModel(
            name="ModelPrice",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "host",
                    models.CharField(
                        blank=True, help_text="The server's host name, api.openai.com. Empty: whatever the server.", max_length=253
                    ),
                ),
                ("model", models.CharField(help_text="A model's name, or a pattern: gpt-4o-mini, gpt-4o*.", max_length=200)),
                ("since", models.DateTimeField(default=django.utils.timezone.now, help_text="Calls from this moment on have this price.")),
                ("input", models.DecimalField(decimal_places=6, help_text="US dollars for a million tokens read.", max_digits=12)),
                (
                    "cached_input",
                    models.DecimalField(
                        decimal_places=6, help_text="US dollars for a million tokens read from the provider's cache.", max_digits=12
                    ),
                ),
                ("output", models.DecimalField(decimal_places=6, help_text="US dollars for a million tokens written.", max_digits=12)),
            ],
            options={
                "db_table": "model_prices",
                "ordering": ["host", "model", "-since"],
                "constraints": [
                    models.UniqueConstraint(fields=("host", "model", "since"), name="uq_model_prices_host_model_since"),
                    models.CheckConstraint(
                        condition=models.Q(("input__gte", 0), ("cached_input__gte", 0), ("output__gte", 0)),
                        name="ck_model_prices_not_negative",
                    ),
                ],
            },
        ),
    ]
