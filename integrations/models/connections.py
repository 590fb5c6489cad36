"""The platforms that people connected (S1-37…47, D8): whose account, and the tokens that the platform gave for it."""

import uuid_utils.compat as uuid
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from integrations.choices import ConnectionStatus, PlatformName
from integrations.crypto import SecretField
from tenants.models import Timestamped, tracked
from tenants.scoping import TenantModel

PLACE = ("organization_id", "user_id", "platform", "id")


# The history keeps who connected what and when; no token, and no words, which might tell of somebody who was erased.
@tracked(
    exclude=(
        *("access_token", "refresh_token", "revocation_token", "refreshing_until", "token_expiry", "last_synced_at", "updated_at"),
        *("revoke_after", "revocation_tries", "account_name", "platform_data", "error_message"),
    )
)
class PlatformConnection(TenantModel, Timestamped):
    """A person's connection to one account of a platform, for one organization.

    Its account is chosen after the platform agreed: until then `account_id` is empty and `platform_data["accounts"]` says which there are.
    Disconnected, it has no tokens any more but the one in `revocation_token`, which is good for nothing but telling the platform.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    platform = models.CharField(max_length=40, choices=PlatformName)
    account_id = models.CharField(max_length=200, blank=True, help_text="As the platform calls it. Empty: not chosen yet.")
    account_name = models.CharField(max_length=200, blank=True)
    is_connected = models.BooleanField(default=True)
    access_token = SecretField(bound_to=PLACE)
    refresh_token = SecretField(bound_to=PLACE)
    token_expiry = models.DateTimeField(null=True, blank=True, help_text="Of the access token. Empty: it does not expire.")
    scope = ArrayField(models.CharField(max_length=200), default=list, blank=True, help_text="What the platform lets us do.")
    platform_data = models.JSONField(default=dict, blank=True, help_text="What is particular to the platform: propertyId, adAccountId, …")
    connected_at = models.DateTimeField(default=timezone.now)
    last_synced_at = models.DateTimeField(null=True, blank=True, help_text="When something was last read from the platform.")
    status = models.CharField(max_length=20, choices=ConnectionStatus, default=ConnectionStatus.ACTIVE)
    error_message = models.CharField(max_length=500, blank=True, help_text="Why it is not active, for its person.")
    is_demo = models.BooleanField(default=False, help_text="Sample data; nothing is asked of the platform.")
    # A compare-and-swap on this says who refreshes; of many who need a fresh token one asks for it.
    refreshing_until = models.DateTimeField(null=True, blank=True, editable=False)
    revocation_token = SecretField(bound_to=PLACE)
    revoke_after = models.DateTimeField(null=True, blank=True, editable=False, help_text="When the platform is told (again) to revoke.")
    revocation_tries = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta(TenantModel.Meta):
        db_table = "platform_integrations"
        ordering = ["platform", "account_name", "id"]
        indexes = [
            # S1-76: connections in trouble, in the administration.
            models.Index(fields=["status"], name="idx_platform_int_status"),
            # S1-77: whose token is refreshed next.
            models.Index(fields=["token_expiry"], name="idx_platform_int_token_expiry"),
            # What a platform is to be told to revoke.
            models.Index(fields=["revoke_after"], name="idx_platform_int_revoke_after", condition=Q(revoke_after__isnull=False)),
            # Whose connections go when a person is erased.
            models.Index(fields=["user"], name="idx_platform_int_user"),
        ]
        constraints = [
            *TenantModel.Meta.constraints,
            # S1-75, D8: a person's connections; one for each account.
            models.UniqueConstraint(fields=["organization", "user", "platform", "account_id"], name="uq_platform_integrations"),
            models.CheckConstraint(
                condition=Q(is_connected=True) | Q(access_token="", refresh_token=""), name="ck_platform_integrations_no_tokens_left"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_platform_display()} {self.account_name}".strip()

    @property
    def is_usable(self) -> bool:
        """Whether a tool may ask it something now."""
        waits_for_person = self.status in (ConnectionStatus.EXPIRED, ConnectionStatus.REVOKED)
        return self.is_connected and bool(self.account_id) and not waits_for_person

    @property
    def needs_account(self) -> bool:
        return self.is_connected and not self.account_id and bool(self.platform_data.get("accounts"))
