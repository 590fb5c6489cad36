"""Who is who: organizations, their people, what each may do, and who looked at what.

Table, column, index and constraint names are the specification's where it gives them (S3, D17).
"""

from datetime import datetime
from typing import Any

import pghistory
import pgtrigger
from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Lower, Now
from django.utils import timezone
from uuid_utils.compat import uuid7

from config import periods
from tenants.changes import CHANNEL
from tenants.choices import (
    AccessKind,
    AccountStatus,
    AccountType,
    CandidateStage,
    EmploymentStatus,
    OrganizationStatus,
    Role,
    SubscriptionPlan,
    SubscriptionStatus,
    ZodiacSign,
)
from tenants.scoping import TenantModel, row_level_security

PERMISSION_CODE = r"^[a-z][a-z_]*:[a-z][a-z_]*:[a-z][a-z_]*$"
MAY_SIGN_IN = (AccountStatus.PENDING_VERIFICATION, AccountStatus.ACTIVE)


def tracked(*, exclude: tuple[str, ...] = ()):
    """Audit (D12): every insert, update and delete of a tenant's row is kept, with who, when and why, in `<table>_history`."""

    def decorate(model: type[models.Model]) -> type[models.Model]:
        has_tenant = issubclass(model, TenantModel)
        return pghistory.track(
            pghistory.InsertEvent(),
            pghistory.UpdateEvent(),
            pghistory.DeleteEvent(),
            exclude=list(exclude),
            append_only=True,
            obj_field=pghistory.ObjForeignKey(related_name="history", related_query_name="history_query"),
            model_name=f"{model.__name__}History",
            meta={
                "db_table": f"{model._meta.db_table}_history",
                "verbose_name": f"{model._meta.verbose_name} history",
                "verbose_name_plural": f"{model._meta.verbose_name} history",
                "constraints": [row_level_security()] if has_tenant else [],
            },
        )(model)

    return decorate


def announced(channel: str = CHANNEL) -> pgtrigger.Trigger:
    """Whoever keeps what they read of an organization's people, or of what else a channel is about, hears that it changed
    (`tenants.changes`), however it was written."""
    return pgtrigger.Trigger(
        name="announce",
        when=pgtrigger.After,
        operation=pgtrigger.Update | pgtrigger.Delete,
        func=f"PERFORM pg_notify('{channel}', OLD.organization_id::text); RETURN NULL;",
    )


class Timestamped(models.Model):
    """When a row was made and last changed. `updated_at` belongs into every `update_fields`."""

    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now(), editable=False)

    class Meta:
        abstract = True


# Organizations ---------------------------------------------------------------------------------------------------------


class OrganizationQuerySet(models.QuerySet["Organization"]):
    """Organizations, and how many people they may have."""

    def with_seats(self, *, now: datetime) -> models.QuerySet[Any]:
        """Adds `seats`, booked by the newest subscription that runs (None without one), and `seats_taken` by active members."""
        # across_tenants: each of the two names the organization of the row it stands beside.
        running = Subscription.across_tenants.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=now), organization=OuterRef("pk"), starts_at__lte=now
        ).exclude(status=SubscriptionStatus.CANCELLED)
        members = Membership.across_tenants.filter(organization=OuterRef("pk"), is_active=True).order_by().values("organization")
        return self.annotate(
            seats=Subquery(running.order_by("-starts_at").values("seats")[:1]),
            seats_taken=Coalesce(Subquery(members.annotate(count=Count("pk")).values("count")), 0),
        )


@tracked()
class Organization(Timestamped):
    """A customer: the tenant. Suspended, nobody of it gets in."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    slug = models.SlugField(
        max_length=63, db_index=False, help_text="Its place in addresses: acme in /o/acme/. Lower-case letters, digits and hyphens."
    )
    status = models.CharField(max_length=20, choices=OrganizationStatus, default=OrganizationStatus.ACTIVE)
    suspended_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        db_table = "organizations"
        ordering = ["name"]
        constraints = [
            # Finds the organization of an address.
            models.UniqueConstraint(fields=["slug"], name="uq_organizations_slug"),
            models.CheckConstraint(condition=Q(slug__regex=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"), name="ck_organizations_slug"),
            models.CheckConstraint(condition=Q(status__in=OrganizationStatus.values), name="ck_organizations_status"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.status == OrganizationStatus.ACTIVE


@tracked()
class Subscription(TenantModel, Timestamped):
    """What an organization has booked, and until when. The newest one that runs (begun, not ended, not cancelled) counts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    plan = models.CharField(max_length=20, choices=SubscriptionPlan, default=SubscriptionPlan.FREE)
    status = models.CharField(max_length=20, choices=SubscriptionStatus, default=SubscriptionStatus.ACTIVE)
    seats = models.PositiveIntegerField(default=5, help_text="People who may be members at once.")
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until cancelled.")

    class Meta(TenantModel.Meta):
        db_table = "subscriptions"
        ordering = ["-starts_at"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="ck_subscriptions_period"),
        ]

    def __str__(self) -> str:
        return f"{self.get_plan_display()} ({self.get_status_display().lower()})"


@tracked()
class RetentionPeriod(TenantModel, Timestamped):
    """How long an organization has something kept, where that is shorter than what everybody has (`config.periods`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kept = models.CharField("what", max_length=50, help_text="A name in the table of periods.")
    days = models.PositiveIntegerField(validators=[MinValueValidator(1)])

    class Meta(TenantModel.Meta):
        db_table = "retention_periods"
        ordering = ["organization", "kept"]
        constraints = [
            *TenantModel.Meta.constraints,
            # One period for each thing.
            models.UniqueConstraint(fields=["organization", "kept"], name="uq_retention_periods_organization_kept"),
            models.CheckConstraint(condition=Q(days__gte=1), name="ck_retention_periods_days"),
        ]

    def __str__(self) -> str:
        return f"{self.kept}: {self.days} days"

    def clean(self) -> None:
        known = periods.BY_NAME.get(self.kept)
        if known is None:
            raise ValidationError({"kept": f"Nothing is kept by this name. Choose one of {', '.join(periods.BY_NAME)}."})
        if self.days is not None and self.days > known.days:
            raise ValidationError({"days": f"Everybody has it kept for {known.days} days. That can be shortened, not lengthened."})


@tracked()
class Branch(TenantModel, Timestamped):
    """A place or unit of an organization. Leaders see their own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    location = models.CharField(max_length=200, blank=True)

    class Meta(TenantModel.Meta):
        db_table = "branches"
        ordering = ["name"]
        verbose_name_plural = "branches"
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "name"], name="uq_branches_organization_name"),
        ]

    def __str__(self) -> str:
        return self.name


@tracked()
class Department(TenantModel, Timestamped):
    """A department of a branch. Managers see their own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="departments")
    name = models.CharField(max_length=200)

    class Meta(TenantModel.Meta):
        db_table = "departments"
        ordering = ["name"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "branch", "name"], name="uq_departments_branch_name"),
        ]
        triggers = [announced()]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        same_organization(self, "branch")


def same_organization(row: TenantModel, *names: str) -> None:
    """Raises `ValidationError` where a row points at another organization's row; the database refuses it too."""
    for name in names:
        field: Any = row._meta.get_field(name)
        if getattr(row, field.attname) is None:
            continue
        try:
            other = getattr(row, name)
        except field.related_model.DoesNotExist:
            other = None
        if other is None or other.organization_id != row.organization_id:
            raise ValidationError({name: f"This {field.verbose_name} belongs to another organization. Choose one of this organization."})


# People ----------------------------------------------------------------------------------------------------------------


class UserManager(BaseUserManager["User"]):
    """Makes accounts with a normalised email."""

    def create_user(self, email: str, password: str | None = None, **fields) -> "User":
        """An account; without a password nobody can sign in with it until it is reset. `ValueError` without an email."""
        if not email:
            raise ValueError("An account needs an email address.")
        email = email.strip().lower()
        user = self.model(email=email, **{"username": email, **fields})
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields) -> "User":
        """Platform staff with every right. Whoever may run `createsuperuser` vouches for the address."""
        rights = {
            "account_type_informal": AccountType.STAFF,
            "current_account_status": AccountStatus.ACTIVE,
            "is_email_verified": True,
            "is_superuser": True,
        }
        with transaction.atomic(using=self._db):
            user = self.create_user(email, password, **{**rights, **fields})
            addresses = apps.get_model("account", "EmailAddress").objects.using(self._db)
            addresses.create(user=user, email=user.email, verified=True, primary=True)
        return user


@tracked(exclude=("password", "last_login", "is_active", "current_status", "last_seen_at", "updated_at", "erased_at"))
class User(AbstractBaseUser, PermissionsMixin):
    """A person (or robot) who can sign in (S3-10…15). What they may do in an organization says their `Membership`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = models.CharField(max_length=254)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    email = models.EmailField()
    password = models.CharField(max_length=256, db_column="password_hash")

    display_name = models.CharField(max_length=200, null=True, blank=True)
    avatar_url = models.CharField(max_length=500, null=True, blank=True)
    current_status = models.CharField(max_length=20, default="offline", db_default="offline")
    last_seen_at = models.DateTimeField(null=True, blank=True)
    chat_preferences = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()), blank=True)

    # In PostgreSQL these two are enumerated types, user_account_type_informal_enum and user_account_status_enum.
    account_type_informal = models.CharField(
        "account type",
        max_length=63,
        choices=AccountType,
        default=AccountType.GUEST,
        db_default=AccountType.GUEST.value,
    )
    current_account_status = models.CharField(
        "account status",
        max_length=63,
        choices=AccountStatus,
        default=AccountStatus.PENDING_VERIFICATION,
        db_default=AccountStatus.PENDING_VERIFICATION.value,
    )
    is_email_verified = models.BooleanField(default=False, db_default=False)

    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now(), editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Erased for good, and now an empty shell.")
    erased_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When nothing of the person was left anywhere.")

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        db_table = "users"
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(fields=["username"], name="uq_users_username"),
            # Finds the account that signs in.
            models.UniqueConstraint(fields=["email"], name="uq_users_email"),
            models.CheckConstraint(condition=Q(email=Lower("email")), name="ck_users_email_lower"),
        ]
        indexes = [
            # Who is there (S3-66).
            models.Index(fields=["current_status", "last_seen_at"], name="idx_users_status_last_seen"),
            # Who is erased and not yet gone everywhere.
            models.Index(fields=["deleted_at"], condition=Q(deleted_at__isnull=False, erased_at__isnull=True), name="idx_users_unfinished"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()
        self.username = self.username or self.email

    @property
    def name(self) -> str:
        """What to call this person on a screen."""
        return self.display_name or self.get_full_name() or self.email

    def get_full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def get_short_name(self) -> str:
        return self.first_name or self.name

    @property
    def is_active(self) -> bool:  # type: ignore[override]  # Django's is a class attribute
        """May sign in. Suspended, deactivated and deleted accounts may not."""
        return self.current_account_status in MAY_SIGN_IN and self.deleted_at is None

    @property
    def is_staff(self) -> bool:
        """Platform staff, who may open Django admin."""
        return self.account_type_informal == AccountType.STAFF


@tracked()
class Membership(TenantModel, Timestamped):
    """A person's place in an organization: role, branch, department. Inactive, it is as if it were not there."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    department = models.ForeignKey(Department, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    is_active = models.BooleanField(default=True)

    class Meta(TenantModel.Meta):
        db_table = "memberships"
        ordering = ["organization", "user"]
        constraints = [
            *TenantModel.Meta.constraints,
            # One place for each person in an organization; finds it for every request.
            models.UniqueConstraint(fields=["organization", "user"], name="uq_memberships_organization_user"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="ck_memberships_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_role_display().lower()} of {self.organization}"

    def clean(self) -> None:
        same_organization(self, "branch", "department")
        if self.department and self.branch_id is None:
            self.branch_id = self.department.branch_id
        if self.department and self.department.branch_id != self.branch_id:
            raise ValidationError({"department": "This department is in another branch. Choose one of the branch."})
        if self.role == Role.LEADER and self.branch_id is None:
            raise ValidationError({"branch": "A leader leads a branch. Choose it."})
        if self.role == Role.MANAGER and self.department_id is None:
            raise ValidationError({"department": "A manager manages a department. Choose it."})


percent = [MinValueValidator(0), MaxValueValidator(100)]


def score() -> models.DecimalField:
    return models.DecimalField(
        max_digits=5, decimal_places=2, null=True, blank=True, validators=percent, help_text="0 to 100; empty where unknown."
    )


def words(help_text: str) -> ArrayField:
    return ArrayField(models.CharField(max_length=200), default=list, db_default=[], blank=True, help_text=help_text)


@tracked()
class Employee(TenantModel, Timestamped):
    """Someone who works for an organization and may be discussed in consultations, with what contexts cache of them (S0-51…58)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="Their account, if they have one."
    )
    number = models.CharField(max_length=50, blank=True, help_text="The organization's own number for them.")
    first_name = models.CharField(max_length=150)
    last_name = models.CharField(max_length=150)
    email = models.EmailField(blank=True)
    job_title = models.CharField(max_length=200, blank=True)
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    department = models.ForeignKey(Department, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reports_to = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=20, choices=EmploymentStatus, default=EmploymentStatus.ACTIVE)
    hired_on = models.DateField(null=True, blank=True)

    personality_traits = words("Comma-separated: curious, calm.")
    behavioral_patterns = words("Comma-separated: prepares meetings in writing.")

    compatibility_job_role = score()
    compatibility_department = score()
    compatibility_company = score()
    compatibility_industry = score()

    sun_sign = models.CharField(max_length=20, choices=ZodiacSign, blank=True)
    moon_sign = models.CharField(max_length=20, choices=ZodiacSign, blank=True)
    rising_sign = models.CharField(max_length=20, choices=ZodiacSign, blank=True)
    harmonic_code = models.CharField(max_length=50, blank=True)
    last_harmonic_update = models.DateTimeField(null=True, blank=True)

    performance_indicators = models.JSONField(
        default=dict, blank=True, help_text='Names and figures: {"goals reached": 92, "on-time delivery": 0.87}.'
    )
    training_needs = words("Comma-separated.")
    strengths = words("Comma-separated.")
    development_areas = words("Comma-separated.")

    class Meta(TenantModel.Meta):
        db_table = "employees"
        ordering = ["last_name", "first_name", "id"]
        constraints = [
            *TenantModel.Meta.constraints,
            # Finds the row that an import means.
            models.UniqueConstraint(fields=["organization", "number"], condition=~Q(number=""), name="uq_employees_organization_number"),
            models.UniqueConstraint(fields=["organization", "email"], condition=~Q(email=""), name="uq_employees_organization_email"),
            models.CheckConstraint(condition=Q(email=Lower("email")), name="ck_employees_email_lower"),
        ]
        indexes = [
            # An organization's people by name, page by page.
            models.Index(fields=["organization", "last_name", "first_name", "id"], name="idx_employees_org_name"),
            # A leader's people, a manager's people.
            models.Index(fields=["organization", "branch"], name="idx_employees_org_branch"),
            models.Index(fields=["organization", "department"], name="idx_employees_org_department"),
        ]
        triggers = [announced()]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        self.email = self.email.strip().lower()
        same_organization(self, "branch", "department", "reports_to")
        if self.department and self.branch_id is None:
            self.branch_id = self.department.branch_id
        if self.department and self.department.branch_id != self.branch_id:
            raise ValidationError({"department": "This department is in another branch. Choose one of the branch."})
        if self.reports_to_id and self.reports_to_id == self.id:
            raise ValidationError({"reports_to": "Nobody reports to themselves. Choose someone else, or nobody."})

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@tracked()
class Candidate(TenantModel, Timestamped):
    """Someone who may come to work for an organization."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    first_name = models.CharField(max_length=150)
    last_name = models.CharField(max_length=150)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=50, blank=True)
    position = models.CharField(max_length=200)
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    department = models.ForeignKey(Department, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    stage = models.CharField(max_length=20, choices=CandidateStage, default=CandidateStage.APPLIED)
    strengths = words("Comma-separated.")
    notes = models.TextField(blank=True)
    employee = models.ForeignKey(
        Employee, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="Who they became, once hired."
    )

    class Meta(TenantModel.Meta):
        db_table = "candidates"
        ordering = ["last_name", "first_name", "id"]
        constraints = [*TenantModel.Meta.constraints]
        indexes = [models.Index(fields=["organization", "stage"], name="idx_candidates_org_stage")]  # the pipeline of one organization

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}, {self.position}"

    def clean(self) -> None:
        same_organization(self, "branch", "department", "employee")


# What each may do ------------------------------------------------------------------------------------------------------


class PermissionDomain(models.Model):
    """A family of permissions, `domain:function` (S3-55…60)."""

    permission_prefix = models.CharField(
        primary_key=True,
        max_length=100,
        validators=[RegexValidator(r"^[a-z][a-z_]*:[a-z][a-z_]*$", "Write domain:function in lower case, e.g. chat:room.")],
    )
    description = models.CharField(max_length=200)

    class Meta:
        db_table = "access_permission_domains"
        ordering = ["permission_prefix"]

    def __str__(self) -> str:
        return self.permission_prefix


class Permission(models.Model):
    """One thing that can be allowed: `domain:function:action`. Code asks for it by its code; staff grant it to roles."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    domain = models.ForeignKey(PermissionDomain, on_delete=models.PROTECT, related_name="permissions", db_column="permission_prefix")
    code = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(PERMISSION_CODE, "Write domain:function:action in lower case, e.g. chat:message:send.")],
    )
    description = models.CharField(max_length=200)

    class Meta:
        db_table = "access_permissions"
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    def clean(self) -> None:
        if self.domain_id and not self.code.startswith(f"{self.domain_id}:"):
            raise ValidationError({"code": f"A permission of this domain begins with {self.domain_id}:"})


@tracked()
class Grant(models.Model):
    """A role is allowed a permission, in every organization. A change acts within two seconds."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    role = models.CharField(max_length=20, choices=Role)
    permission = models.ForeignKey(Permission, on_delete=models.CASCADE, related_name="grants")
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta:
        db_table = "access_grants"
        ordering = ["permission__code", "role"]
        constraints = [
            models.UniqueConstraint(fields=["role", "permission"], name="uq_access_grants_role_permission"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="ck_access_grants_role"),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} may {self.permission}"


@tracked(exclude=("last_used_at",))
class ApiKey(TenantModel):
    """A program's way in, with its member's rights. Only a hash of the key is kept; the key is shown once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200, help_text="What uses it, e.g. Nightly export.")
    prefix = models.CharField(max_length=16, editable=False, help_text="How the key begins, to recognise it by.")
    key_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until revoked.")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        db_table = "api_keys"
        ordering = ["-created_at"]
        verbose_name = "API key"
        constraints = [
            *TenantModel.Meta.constraints,
            # Finds the key of a request.
            models.UniqueConstraint(fields=["key_hash"], name="uq_api_keys_key_hash"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def clean(self) -> None:
        if not hasattr(self, "organization") and hasattr(self, "membership"):
            self.organization_id = self.membership.organization_id
        same_organization(self, "membership")

    def is_usable(self, *, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


# Who looked at what ----------------------------------------------------------------------------------------------------


class AccessRecord(TenantModel):
    """Someone read another person's conversation (D12). Written once, never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", help_text="Who looked.")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", help_text="Whose conversation it is.")
    conversation_id = models.UUIDField()
    kind = models.CharField(max_length=20, choices=AccessKind, default=AccessKind.READ)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    class Meta(TenantModel.Meta):
        db_table = "access_records"
        ordering = ["-created_at"]
        constraints = [*TenantModel.Meta.constraints]
        indexes = [
            # Who read this conversation.
            models.Index(fields=["organization", "conversation_id", "-created_at"], name="idx_access_records_conv"),
            # What this person read.
            models.Index(fields=["organization", "user", "-created_at"], name="idx_access_records_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.get_kind_display().lower()} a conversation of {self.owner}"
