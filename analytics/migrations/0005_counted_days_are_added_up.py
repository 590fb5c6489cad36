"""What was counted before is added up by organization and day: their people get numbers, then each day its sums and its people's bits."""

from django.db import migrations

EVERYBODY_S = "SELECT set_config('rls.is_admin', 'true', true)"
EMPTY = ["DELETE FROM organization_days", "DELETE FROM person_numbers"]
NUMBER = """
INSERT INTO person_numbers (id, organization_id, user_id, number)
SELECT gen_random_uuid(), organization_id, user_id, row_number() OVER (PARTITION BY organization_id ORDER BY user_id) - 1
  FROM (SELECT organization_id, user_id FROM user_engagement_metrics UNION
        SELECT organization_id, user_id FROM chat_analytics WHERE period_type = 'daily' AND user_id IS NOT NULL) there
"""
MAKE = r"""
WITH there AS (
    SELECT organization_id, user_id, metric_date AS day, 1 AS engaged, (feature_interactions <> '{}')::int AS used, 0 AS asked
      FROM user_engagement_metrics
     UNION ALL
    SELECT organization_id, user_id, (period_start AT TIME ZONE 'UTC')::date, 0, 0, 1
      FROM chat_analytics WHERE period_type = 'daily' AND user_id IS NOT NULL
), bytes AS (
    SELECT organization_id, day, number / 8 AS place, bit_or(engaged << number % 8) AS engaged, bit_or(used << number % 8) AS used,
           bit_or(asked << number % 8) AS asked
      FROM there JOIN person_numbers USING (organization_id, user_id) GROUP BY 1, 2, 3
), every AS (
    SELECT * FROM bytes
     UNION ALL
    SELECT organization_id, day, generate_series(0, max(place)), 0, 0, 0 FROM bytes GROUP BY 1, 2
), byte AS (
    SELECT organization_id, day, place, max(engaged) AS engaged, max(used) AS used, max(asked) AS asked FROM every GROUP BY 1, 2, 3
), people AS (
    SELECT organization_id, day, string_agg(set_byte('\x00', 0, engaged), '' ORDER BY place) AS engaged,
           string_agg(set_byte('\x00', 0, used), '' ORDER BY place) AS used,
           string_agg(set_byte('\x00', 0, asked), '' ORDER BY place) AS asked
      FROM byte GROUP BY 1, 2
), sums AS (
    SELECT organization_id, metric_date AS day, sum(login_count) AS login_count, sum(session_duration_minutes) AS session_duration_minutes,
           sum(reports_viewed) AS reports_viewed, sum(reports_downloaded) AS reports_downloaded,
           sum(ai_chat_messages_sent) AS ai_chat_messages_sent, sum(ai_chat_sessions) AS ai_chat_sessions,
           sum(employees_added) AS employees_added, sum(employees_updated) AS employees_updated, sum(dashboard_visits) AS dashboard_visits
      FROM user_engagement_metrics GROUP BY 1, 2
)
INSERT INTO organization_days (id, organization_id, day, engaged, used, asked, login_count, session_duration_minutes, reports_viewed,
    reports_downloaded, ai_chat_messages_sent, ai_chat_sessions, employees_added, employees_updated, dashboard_visits)
SELECT gen_random_uuid(), organization_id, day, engaged, used, asked, coalesce(login_count, 0), coalesce(session_duration_minutes, 0),
       coalesce(reports_viewed, 0), coalesce(reports_downloaded, 0), coalesce(ai_chat_messages_sent, 0), coalesce(ai_chat_sessions, 0),
       coalesce(employees_added, 0), coalesce(employees_updated, 0), coalesce(dashboard_visits, 0)
  FROM people LEFT JOIN sums USING (organization_id, day)
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0004_days_of_organizations")]

    operations = [
        migrations.RunSQL([EVERYBODY_S, NUMBER, MAKE], [EVERYBODY_S, *EMPTY]),
    ]
