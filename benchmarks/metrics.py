"""`python -m benchmarks.metrics`: an organization whose 200 people were counted for two years. Prints the key of its owner."""

import sys
from datetime import UTC, datetime

import django

django.setup()

from django.db import connection, transaction

from analytics.rollups import totals
from analytics.windows import latest
from benchmarks.seed import key_of, member
from tenants import scoping
from tenants.models import Organization
from tenants.services import accounts, organizations

PEOPLE = 200
DAYS = 730

# Each row is of a day `d` days ago, of person `n`; numbers vary by both, and a tenth of the days of each is without anything.
ROWS = """
INSERT INTO user_engagement_metrics (id, organization_id, user_id, metric_date, login_count, session_duration_minutes, reports_viewed,
    reports_downloaded, ai_chat_messages_sent, ai_chat_sessions, employees_added, employees_updated, dashboard_visits,
    feature_interactions, created_at, updated_at)
SELECT gen_random_uuid(), %(organization)s, u, today - d, 1 + n %% 3, (n * d) %% 90, n %% 5, 0, (n + d) %% 12, 1, 0, n %% 2, 1,
    '{"ai_consultation": 5, "analytics_viewing": 1}', now(), now()
FROM unnest(%(users)s::uuid[]) WITH ORDINALITY AS people (u, n), generate_series(1, %(days)s) d, CAST(%(today)s AS date) today
WHERE (n + d) %% 10 > 0;

INSERT INTO chat_analytics (id, analytics_id, organization_id, user_id, period_type, period_start, period_end, total_conversations,
    total_messages, unique_users, answers, total_tokens_used, total_cost, timed_answers, response_milliseconds, hourly_messages,
    peak_usage_hours, feature_usage, most_discussed_employees, common_topics, report_access_count, created_at, updated_at)
SELECT gen_random_uuid(), gen_random_uuid(), %(organization)s, u, 'daily', (today - d)::timestamp AT TIME ZONE 'UTC',
    (today - d + 1)::timestamp AT TIME ZONE 'UTC', 1, 2 * n, 1, n, 900 * n, 0.002 * n, n, 1400 * n, '{"9": 4, "14": 8}', '{}',
    '{"employee_specific": 1}', '[]', '[]', '{}', now(), now()
FROM (SELECT u, n FROM unnest(%(users)s::uuid[]) WITH ORDINALITY AS people (u, n) UNION ALL SELECT NULL, 2000) who,
    generate_series(1, %(days)s) d, CAST(%(today)s AS date) today
WHERE u IS NULL OR (n + d) %% 10 > 0;

INSERT INTO platform_adoption_metrics (id, organization_id, metric_date, total_employees, created_at, updated_at)
SELECT gen_random_uuid(), %(organization)s, today - d, 400, now(), now()
FROM generate_series(1, %(days)s) d, CAST(%(today)s AS date) today;

INSERT INTO business_impact_metrics (id, organization_id, metric_date, nps_score, reasons, created_at, updated_at)
SELECT gen_random_uuid(), %(organization)s, today - d, 30, '{"mrr": "There is no subscription with a price."}', now(), now()
FROM generate_series(1, %(days)s) d, CAST(%(today)s AS date) today;

INSERT INTO model_usage_metrics (id, organization_id, metric_date, service, model, purpose, calls, input_tokens, output_tokens, cost,
    created_at, updated_at)
SELECT gen_random_uuid(), %(organization)s, today - d, 'openai', 'model-' || m, 'answer', 500, 400000, 90000, 1.25, now(), now()
FROM generate_series(1, 4) m, generate_series(1, %(days)s) d, CAST(%(today)s AS date) today;

INSERT INTO feature_utilization_metrics (id, organization_id, metric_date, feature_name, feature_category, user_role, total_uses,
    unique_users, timed_uses, duration_seconds, success_count, outcome_count, usage_distribution, created_at, updated_at)
SELECT gen_random_uuid(), %(organization)s, today - d, 'ai_consultation' || f, 'AI_CONSULTATION', role, 900, 150, 900, 1200, 880, 900,
    '{"hourly": {"9": 400, "14": 500}, "by_department": {}}', now(), now()
FROM generate_series(1, 7) f, unnest(ARRAY['', 'owner', 'leader', 'manager', 'agent', 'guest']) role, generate_series(1, %(days)s) d,
    CAST(%(today)s AS date) today;

INSERT INTO report_generation_stats (id, organization_id, report_id, report_type, generation_date, generation_timestamp,
    processing_time_seconds, status, error_message, is_auto_generated, is_quarterly_update, created_at, updated_at)
SELECT gen_random_uuid(), %(organization)s, gen_random_uuid(), 'QA_QUESTIONNAIRE', today - d, now(), 12.5, 'SUCCESS', '', false, false,
    now(), now()
FROM generate_series(1, 20) r, generate_series(1, %(days)s) d, CAST(%(today)s AS date) today;

INSERT INTO analytics_fill_state (rollup, ran_at, error) VALUES ('benchmark', now(), '') ON CONFLICT (rollup) DO UPDATE SET ran_at = now();
"""


def main() -> int:
    organization = organizations.create("Counted", slug="counted")
    users = [accounts.create(f"counted-{number}@bench.example", first_name="Counted", last_name=str(number)) for number in range(PEOPLE)]
    with scoping.tenant(organization):
        fill(organization, [user.pk for user in users])
        print(key_of(member(organization, "counted")))
    return 0


def fill(organization: Organization, users: list) -> None:
    today = datetime.now(UTC).date()
    parameters = {"organization": organization.pk, "users": [str(user) for user in users], "days": DAYS, "today": today}
    with connection.cursor() as cursor:
        for statement in ROWS.split(";\n"):
            if statement.strip():
                cursor.execute(statement, parameters)
    with transaction.atomic():
        totals.renew(latest(DAYS, before=today), organization_id=organization.pk)


if __name__ == "__main__":
    sys.exit(main())
