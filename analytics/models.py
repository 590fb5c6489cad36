"""What was counted: a row for each day and whatever it was counted for (S4-11…69, S0-67…80, S1-53…56).

The nights' rollups write these tables and nothing else does. They hold sums and counts; ratios are generated columns or are divided when
they are read. Rows present are not a day done: `FillState` says how far each rollup has come. What is read of long periods is kept a
second time, added up (`OrganizationDay`), by whoever changes what it is made of.
"""

from decimal import Decimal

import uuid_utils.compat as uuid
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, NullIf, Round
from django.utils import timezone

from analytics.choices import FeatureCategory, PeriodType, ReportStatus, ReportType, SubscriptionState
from tenants.choices import Role
from tenants.models import Branch, Department, Employee, Organization, Timestamped, User
from tenants.scoping import TenantModel

__all__ = [
    "AiChatAnalytics",
    "ArchivedMonth",
    "BusinessImpact",
    "ChatAnalytics",
    "FeatureUtilization",
    "FillState",
    "ModelUsage",
    "OrganizationDay",
    "PersonNumber",
    "PlatformAdoption",
    "ReportGeneration",
    "UserEngagement",
]


def count(help_text: str = "") -> models.PositiveIntegerField:
    return models.PositiveIntegerField(default=0, db_default=0, help_text=help_text)


def total(help_text: str = "") -> models.PositiveBigIntegerField:
    return models.PositiveBigIntegerField(default=0, db_default=0, help_text=help_text)


def ratio(above: str, below: str, *, digits: int, times: int = 1) -> models.GeneratedField:
    """`above` for each of `below`, rounded to two places; NULL where there was none."""
    exact = models.DecimalField(max_digits=30, decimal_places=10)
    return models.GeneratedField(
        expression=Round(Cast(F(above), exact) * Decimal(times) / NullIf(Cast(F(below), exact), Decimal(0)), 2),
        output_field=models.DecimalField(max_digits=digits, decimal_places=2, null=True),
        db_persist=True,
    )


def share(help_text: str) -> models.DecimalField:
    """A rate in percent, or an average of stars."""
    return models.DecimalField(max_digits=5, decimal_places=2, null=True, help_text=help_text)


class Measured(TenantModel, Timestamped):
    """A row of one day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta(TenantModel.Meta):
        abstract = True


class UserEngagement(Measured):
    """What a person did on a day (S4-18…24)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    metric_date = models.DateField()
    login_count = count("Sessions in which something was done (S4-129).")
    session_duration_minutes = count("From the first to the last event of each session, together, in whole minutes.")
    reports_viewed = count()
    reports_downloaded = count()
    ai_chat_messages_sent = count()
    ai_chat_sessions = count("Sittings with the AI that began on the day.")
    employees_added = count()
    employees_updated = count()
    dashboard_visits = count()
    feature_interactions = models.JSONField(default=dict, help_text="Uses by feature (S4-19).")
    last_activity_at = models.DateTimeField(null=True)

    class Meta(Measured.Meta):
        db_table = "user_engagement_metrics"
        verbose_name = "engagement of a person"
        verbose_name_plural = "engagement of people"
        ordering = ["-metric_date", "user"]
        constraints = [
            *Measured.Meta.constraints,
            # One row for a person's day (S4-20, X-25).
            models.UniqueConstraint(fields=["organization", "user", "metric_date"], name="uq_user_engagement_organization_user_date"),
        ]
        indexes = [
            models.Index(fields=["user"], name="idx_user_engagement_user_id"),  # S4-21
            models.Index(fields=["organization", "metric_date"], name="idx_user_engagement_org_id"),  # S4-22; a period of an organization
            models.Index(fields=["-metric_date"], name="idx_user_engagement_date"),  # S4-23; the night deletes a day
            models.Index(fields=["-last_activity_at"], name="idx_user_eng_last_activity"),  # S4-24
        ]

    def __str__(self) -> str:
        return f"{self.metric_date} {self.user_id}"


class FeatureUtilization(Measured):
    """How a feature was used on a day by people of a role, and by all (role `""`) (S4-34…42)."""

    feature_name = models.CharField(max_length=100)
    feature_category = models.CharField(max_length=50, choices=FeatureCategory)
    user_role = models.CharField(max_length=20, blank=True, default="", choices=Role, help_text="Empty: all roles together.")
    metric_date = models.DateField()
    total_uses = count()
    unique_users = count()
    timed_uses = count("Uses that said how long they took.")
    duration_seconds = models.DecimalField(
        max_digits=20, decimal_places=6, default=0, db_default=0, help_text="How long those took together."
    )
    average_duration_seconds = ratio("duration_seconds", "timed_uses", digits=10)
    success_count = count("Uses that said that they succeeded.")
    error_count = count("Uses that said that they failed.")
    outcome_count = count("Uses that said either.")
    success_rate = ratio("success_count", "outcome_count", digits=5, times=100)
    usage_distribution = models.JSONField(default=dict, help_text='Uses: {"hourly": {hour: n}, "by_department": {id: n}} (S4-36).')

    class Meta(Measured.Meta):
        db_table = "feature_utilization_metrics"
        verbose_name = "use of a feature"
        verbose_name_plural = "uses of features"
        ordering = ["-metric_date", "feature_name", "user_role"]
        constraints = [
            *Measured.Meta.constraints,
            # S4-37.
            models.UniqueConstraint(
                fields=["organization", "feature_name", "user_role", "metric_date"], name="uq_feature_utilization_org_feature_role_date"
            ),
            models.CheckConstraint(condition=Q(user_role__in=["", *Role.values]), name="ck_feature_utilization_role"),
            models.CheckConstraint(condition=Q(feature_category__in=FeatureCategory.values), name="ck_feature_utilization_category"),
        ]
        indexes = [
            models.Index(fields=["organization", "metric_date"], name="idx_feature_util_org_id"),  # S4-38
            models.Index(fields=["feature_name"], name="idx_feature_util_feature"),  # S4-39
            models.Index(fields=["feature_category"], name="idx_feature_util_category"),  # S4-40
            models.Index(fields=["user_role"], name="idx_feature_util_role"),  # S4-41
            models.Index(fields=["-metric_date"], name="idx_feature_util_date"),  # S4-42
        ]

    def __str__(self) -> str:
        return f"{self.metric_date} {self.feature_name} {self.user_role}"


class Platform(TenantModel, Timestamped):
    """A table that has, beside the organizations' rows, one for the platform as a whole: its organization is NULL (X-30). Tenants never
    see that row: NULL equals nobody's organization."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    organization = models.ForeignKey(  # type: ignore[assignment]  # NULL is the platform
        Organization, on_delete=models.CASCADE, related_name="+", db_index=False, null=True, blank=True
    )
    metric_date = models.DateField()

    class Meta(TenantModel.Meta):
        abstract = True


class PlatformAdoption(Platform):
    """How much there is of an organization at the end of a day, and what came on it (S4-11…17)."""

    total_organizations = count()
    new_organizations_today = count()
    total_employees = count()
    new_employees_today = count()
    total_candidates = count()
    new_candidates_today = count()
    total_departments = count()
    total_branches = count()
    active_users_count = count("People who did something on the day.")
    reports_generated_total = count()
    reports_generated_today = count()
    ai_chat_sessions_total = count()
    ai_chat_sessions_today = count()
    subscription_status = models.CharField(max_length=20, choices=SubscriptionState, null=True)
    subscription_tier = models.CharField(max_length=50, null=True)

    class Meta(Platform.Meta):
        db_table = "platform_adoption_metrics"
        verbose_name = "adoption"
        verbose_name_plural = "adoption"
        ordering = ["-metric_date"]
        constraints = [
            *Platform.Meta.constraints,
            # S4-14, and one row of the platform.
            models.UniqueConstraint(
                fields=["organization", "metric_date"], name="uq_platform_adoption_organization_date", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(subscription_status__in=SubscriptionState.values) | Q(subscription_status__isnull=True),
                name="ck_platform_adoption_subscription_status",
            ),
        ]
        indexes = [
            models.Index(fields=["organization"], name="idx_platform_adoption_org_id"),  # S4-15
            models.Index(fields=["-metric_date"], name="idx_platform_adoption_date"),  # S4-16
            models.Index(fields=["subscription_status"], name="idx_platform_adoption_subs"),  # S4-17
        ]

    def __str__(self) -> str:
        return f"{self.metric_date} {self.organization_id or 'platform'}"


class BusinessImpact(Platform):
    """The KPIs of a day (S4-43…62); `docs/metrics.md` defines each. NULL: what it is made of does not exist; `reasons` says what."""

    customer_retention_rate = share("Percent.")
    subscription_renewal_rate = share("Percent.")
    average_user_satisfaction_score = models.DecimalField(max_digits=3, decimal_places=2, null=True, help_text="Stars, 1 to 5.")
    report_accuracy_rating = models.DecimalField(max_digits=3, decimal_places=2, null=True, help_text="Stars, 1 to 5.")
    training_recommendation_implementation_rate = share("Percent.")
    employee_turnover_rate = share("Percent.")
    hiring_success_rate = share("Percent.")
    time_to_hire_days = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    cost_per_hire = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    ai_consultation_satisfaction_rate = share("Percent.")
    quarterly_report_completion_rate = share("Percent.")
    mrr = models.DecimalField(max_digits=12, decimal_places=2, null=True, help_text="US dollars a month.")
    arr = models.DecimalField(max_digits=12, decimal_places=2, null=True, help_text="US dollars a year.")
    churn_risk_score = models.DecimalField(max_digits=3, decimal_places=2, null=True, help_text="0 to 1.")
    nps_score = share("-100 to 100.")
    reasons = models.JSONField(default=dict, help_text="Why a column is NULL, by column: a sentence.")

    class Meta(Platform.Meta):
        db_table = "business_impact_metrics"
        verbose_name = "business impact"
        verbose_name_plural = "business impact"
        ordering = ["-metric_date"]
        constraints = [
            *Platform.Meta.constraints,
            # S4-58, and one row of the platform.
            models.UniqueConstraint(
                fields=["organization", "metric_date"], name="uq_business_impact_organization_date", nulls_distinct=False
            ),
        ]
        indexes = [
            models.Index(fields=["organization"], name="idx_business_impact_org_id"),  # S4-59
            models.Index(fields=["-metric_date"], name="idx_business_impact_date"),  # S4-60
            models.Index(fields=["customer_retention_rate"], name="idx_business_impact_retention"),  # S4-61
            models.Index(fields=["average_user_satisfaction_score"], name="idx_business_impact_satis"),  # S4-62
        ]

    def __str__(self) -> str:
        return f"{self.metric_date} {self.organization_id or 'platform'}"


class ReportGeneration(Measured):
    """One report that was made, or was tried to (S4-25…33)."""

    report_id = models.UUIDField(help_text="The report.")
    report_type = models.CharField(max_length=50, choices=ReportType)
    employee = models.ForeignKey(Employee, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    generated_by_user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    generation_date = models.DateField()
    generation_timestamp = models.DateTimeField(default=timezone.now)
    processing_time_seconds = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    status = models.CharField(max_length=20, choices=ReportStatus)
    error_message = models.TextField(blank=True)
    is_auto_generated = models.BooleanField(default=False)
    is_quarterly_update = models.BooleanField(default=False)
    report_size_kb = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    ai_tokens_used = models.PositiveIntegerField(null=True)
    viewed_count = count()
    downloaded_count = count()
    first_viewed_at = models.DateTimeField(null=True)
    last_viewed_at = models.DateTimeField(null=True)

    class Meta(Measured.Meta):
        db_table = "report_generation_stats"
        verbose_name = "report made"
        verbose_name_plural = "reports made"
        ordering = ["-generation_timestamp"]
        constraints = [
            *Measured.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "report_id"], name="uq_report_stats_organization_report"),
            models.CheckConstraint(condition=Q(report_type__in=ReportType.values), name="ck_report_stats_type"),
            models.CheckConstraint(condition=Q(status__in=ReportStatus.values), name="ck_report_stats_status"),
        ]
        indexes = [
            models.Index(fields=["organization", "generation_date"], name="idx_report_stats_org_id"),  # S4-28
            models.Index(fields=["report_type"], name="idx_report_stats_type"),  # S4-29
            models.Index(fields=["-generation_date"], name="idx_report_stats_date"),  # S4-30
            models.Index(fields=["employee"], name="idx_report_stats_employee"),  # S4-31
            models.Index(fields=["status"], name="idx_report_stats_status"),  # S4-32
            models.Index(fields=["is_auto_generated", "is_quarterly_update"], name="idx_report_stats_auto"),  # S4-33
        ]

    def __str__(self) -> str:
        return f"{self.generation_date} {self.report_type}"


class AiChatAnalytics(Measured):
    """A sitting of a person with the AI (S4-69…75); its day is the one on which it began."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    session_id = models.UUIDField()
    session_date = models.DateField()
    message_count = count()
    total_tokens_used = total()
    session_duration_seconds = models.PositiveIntegerField(null=True)
    query_types = models.JSONField(default=list)
    employee_ids_discussed = ArrayField(models.UUIDField(), default=list, db_default=[])
    satisfaction_rating = models.PositiveSmallIntegerField(null=True)
    was_helpful = models.BooleanField(null=True)
    feedback_text = models.TextField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta(Measured.Meta):
        db_table = "ai_chat_analytics"
        verbose_name = "sitting with the AI"
        verbose_name_plural = "sittings with the AI"
        ordering = ["-started_at"]
        constraints = [
            *Measured.Meta.constraints,
            models.UniqueConstraint(fields=["session_id"], name="uq_ai_chat_analytics_session"),
            models.CheckConstraint(
                condition=Q(satisfaction_rating__range=(1, 5)) | Q(satisfaction_rating__isnull=True), name="ck_ai_chat_analytics_rating"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "session_date"], name="idx_ai_chat_analytics_org_id"),  # S4-71
            models.Index(fields=["user"], name="idx_ai_chat_analytics_user_id"),  # S4-72
            models.Index(fields=["session_id"], name="idx_ai_chat_analytics_session"),  # S4-73
            models.Index(fields=["-session_date"], name="idx_ai_chat_analytics_date"),  # S4-74
            models.Index(fields=["satisfaction_rating"], name="idx_ai_chat_analytics_rating"),  # S4-75
        ]

    def __str__(self) -> str:
        return f"{self.session_date} {self.session_id}"


class ChatAnalytics(Measured):
    """Consultations of a day, in one scope (S0-67…80): the organization, a branch, a department or a person. Weeks and months are sums."""

    analytics_id = models.UUIDField(default=uuid.uuid7, editable=False)
    branch = models.ForeignKey(Branch, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    department = models.ForeignKey(Department, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    period_type = models.CharField(max_length=10, choices=PeriodType, default=PeriodType.DAILY)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()

    total_conversations = count("Conversations in which something was asked.")
    new_conversations = count("Of these, the ones that began in the period.")
    total_messages = count("Questions and answers.")
    unique_users = count()
    conversation_minutes = models.DecimalField(
        max_digits=20, decimal_places=6, default=0, db_default=0, help_text="From the first to the last message of each, together."
    )
    average_messages_per_conversation = ratio("total_messages", "total_conversations", digits=12)
    average_conversation_duration = ratio("conversation_minutes", "total_conversations", digits=12)
    hourly_messages = models.JSONField(default=dict, help_text="Messages by hour of the day, UTC.")
    peak_usage_hours = ArrayField(models.PositiveSmallIntegerField(), default=list, db_default=[])

    answers = count("Answers that ended, in any way.")
    failed_answers = count()
    retry_count = count("Attempts beyond an answer's first.")
    total_tokens_used = total()
    total_cost = models.DecimalField(max_digits=20, decimal_places=10, default=0, db_default=0, help_text="US dollars, where known.")
    unpriced_answers = count("Answers whose cost is unknown.")
    timed_answers = count()
    response_milliseconds = models.DecimalField(max_digits=20, decimal_places=3, default=0, db_default=0)
    average_response_time = ratio("response_milliseconds", "timed_answers", digits=14)
    confident_answers = count("Answers with a confidence.")
    confidence_sum = models.DecimalField(max_digits=20, decimal_places=6, default=0, db_default=0)
    average_confidence_score = ratio("confidence_sum", "confident_answers", digits=7)
    error_rate = ratio("failed_answers", "answers", digits=5, times=100)

    feature_usage = models.JSONField(default=dict, help_text="Conversations by type (S0-71).")
    total_ratings = count()
    rating_sum = count()
    average_rating = ratio("rating_sum", "total_ratings", digits=5)
    helpful_count = count()
    unhelpful_count = count()
    feedback_comments = count()

    most_discussed_employees = models.JSONField(default=list, help_text='[{"employeeId", "mentionCount"}], most first.')
    common_topics = models.JSONField(default=list, help_text='[{"topic", "frequency"}], most first.')
    report_access_count = models.JSONField(default=dict, help_text="Reports read, by type.")

    class Meta(Measured.Meta):
        db_table = "chat_analytics"
        verbose_name = "consultations of a day"
        verbose_name_plural = "consultations by day"
        ordering = ["-period_start"]
        constraints = [
            *Measured.Meta.constraints,
            models.UniqueConstraint(fields=["analytics_id", "period_start"], name="uq_chat_analytics_id"),  # S0-77
            models.UniqueConstraint(
                fields=["organization", "branch", "department", "user", "period_type", "period_start"],
                name="uq_chat_analytics_scope_period",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(period_type__in=PeriodType.values), name="ck_chat_analytics_period_type"),
            models.CheckConstraint(condition=Q(period_end__gt=F("period_start")), name="ck_chat_analytics_period"),
        ]
        indexes = [
            models.Index(fields=["organization", "period_type", "-period_start"], name="idx_chat_analytics_org_period"),  # S0-78
            models.Index(fields=["user", "-period_start"], name="idx_chat_analytics_user"),  # S0-79
            models.Index(fields=["period_type", "period_start", "period_end"], name="idx_chat_analytics_period"),  # S0-80
            # A period of an organization as a whole, past the rows of its people.
            models.Index(
                fields=["organization", "period_start"],
                name="idx_chat_analytics_whole",
                condition=Q(period_type="daily", branch=None, department=None, user=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period_start:%Y-%m-%d} {self.period_type}"


class ModelUsage(Measured):
    """What a model was called for on a day, and what it cost (S1-54, 60, 61): the ledger by day."""

    metric_date = models.DateField()
    service = models.CharField(max_length=100, help_text="The provider: openai, offline.")
    model = models.CharField(max_length=200, blank=True)
    purpose = models.CharField(max_length=50)
    calls = count()
    failed_calls = count()
    input_tokens = total()
    cached_input_tokens = total("Part of the input.")
    output_tokens = total()
    reasoning_tokens = total("Part of the output.")
    cost = models.DecimalField(max_digits=20, decimal_places=10, default=0, db_default=0, help_text="US dollars, where known.")
    unpriced_calls = count("Calls whose cost is unknown.")
    latency_milliseconds = models.FloatField(default=0, db_default=0, help_text="Of all calls together.")

    class Meta(Measured.Meta):
        db_table = "model_usage_metrics"
        verbose_name = "use of a model"
        verbose_name_plural = "uses of models"
        ordering = ["-metric_date"]
        constraints = [
            *Measured.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization", "metric_date", "service", "model", "purpose"], name="uq_model_usage_organization_date_model"
            ),
        ]
        indexes = [models.Index(fields=["-metric_date"], name="idx_model_usage_date")]  # the night deletes a day

    def __str__(self) -> str:
        return f"{self.metric_date} {self.model}"


class PersonNumber(TenantModel):
    """By which number `OrganizationDay` knows a person of an organization, from 0. It is never given to another."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveIntegerField()

    class Meta(TenantModel.Meta):
        db_table = "person_numbers"
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "user"], name="uq_person_numbers_organization_user"),
            models.UniqueConstraint(fields=["organization", "number"], name="uq_person_numbers_organization_number"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.user_id}"


class OrganizationDay(TenantModel):
    """An organization's rows of `UserEngagement` of a day added up, and who was there, so that two years are 730 rows (S4-142).

    `analytics.rollups.totals` makes it of those rows and of the people's rows of `ChatAnalytics`, in the transaction that changes them,
    and it is there as long as one of them is. People are bits: the one with number n is bit n % 8 of byte n // 8.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    login_count = total()
    session_duration_minutes = total()
    reports_viewed = total()
    reports_downloaded = total()
    ai_chat_messages_sent = total()
    ai_chat_sessions = total()
    employees_added = total()
    employees_updated = total()
    dashboard_visits = total()
    engaged = models.BinaryField(help_text="Who has a row of engagement.")
    used = models.BinaryField(help_text="Who of them used a feature.")
    asked = models.BinaryField(help_text="Who has a row of consultations.")

    class Meta(TenantModel.Meta):
        db_table = "organization_days"
        verbose_name = "day of an organization"
        verbose_name_plural = "days of organizations"
        ordering = ["-day"]
        constraints = [
            *TenantModel.Meta.constraints,
            # A day's row, and a period of an organization.
            models.UniqueConstraint(fields=["organization", "day"], name="uq_organization_days_organization_day"),
        ]
        indexes = [models.Index(fields=["-day"], name="idx_organization_days_day")]  # the night makes a day anew

    def __str__(self) -> str:
        return f"{self.day} {self.organization_id}"


class ArchivedMonth(TenantModel):
    """A month of a table that is in a compressed file (`analytics.services.retention`); of the platform's own rows where nobody's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    organization = models.ForeignKey(  # type: ignore[assignment]  # NULL is the platform
        Organization, on_delete=models.CASCADE, related_name="+", null=True, blank=True
    )
    table = models.CharField(max_length=63)
    month = models.DateField(help_text="Its first day.")
    path = models.CharField(max_length=300, help_text="In Django's storage: a JSON object for each row, a line each, gzipped.")
    sha256 = models.CharField(max_length=64, help_text="Of the file.")
    rows = models.PositiveIntegerField()
    bytes = models.PositiveIntegerField()
    archived_at = models.DateTimeField(default=timezone.now)
    remove_on = models.DateField()
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        db_table = "archived_months"
        ordering = ["-month", "table"]
        verbose_name_plural = "archived months"
        constraints = [*TenantModel.Meta.constraints]
        indexes = [
            # What is past its archive's period.
            models.Index(fields=["remove_on"], name="idx_archived_months_remove_on")
        ]

    def __str__(self) -> str:
        return f"{self.table} {self.month:%Y-%m}"


class FillState(models.Model):
    """How far a rollup has come: every day before `filled_until` is counted, with what was written before `seen_until`."""

    rollup = models.CharField(primary_key=True, max_length=50)
    filled_until = models.DateField(null=True, help_text="The first day that is not counted yet.")
    seen_until = models.DateTimeField(null=True, help_text="What was written later than this is not looked at yet; it may be of any day.")
    ran_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True, help_text="How long the latest run took.")
    rows = models.PositiveBigIntegerField(null=True, help_text="What it wrote.")
    error = models.TextField(blank=True, help_text="Why the latest run ended early.")

    class Meta:
        db_table = "analytics_fill_state"
        verbose_name = "watermark"

    def __str__(self) -> str:
        return self.rollup
