"""A trial can only point at a bridge of its own organization."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("integrations", "0009_trials_and_since_when_there_is_a_key")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE bridge_trials ADD CONSTRAINT fk_bridge_trials_bridge_same_organization FOREIGN KEY (organization_id, bridge_id)"
            " REFERENCES configurations (organization_id, id) DEFERRABLE INITIALLY DEFERRED",
            "ALTER TABLE bridge_trials DROP CONSTRAINT fk_bridge_trials_bridge_same_organization",
        )
    ]
