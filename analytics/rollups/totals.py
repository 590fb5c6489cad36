"""The days of organizations (`organization_days`): engagement added up, and who was there, made anew whenever the rows change that say so.

Whoever writes or removes rows of `user_engagement_metrics` or `chat_analytics` calls `renew` for their days in the same transaction: the
night, retention and a restored archive. So the two can never disagree. `docs/metrics.md` says what each column is.
"""

import uuid
from typing import Any

from django.db import connection

from analytics.models import ChatAnalytics, UserEngagement
from analytics.windows import Window

LOCK = 0x64617973  # "days": one transaction makes them at a time, so that the later sees what the earlier wrote
MADE_OF = (UserEngagement._meta.db_table, ChatAnalytics._meta.db_table)

# `%(organization)s` NULL means everybody's, inside `scoping.across_tenants`.
_MINE = "(%(organization)s::uuid IS NULL OR organization_id = %(organization)s)"
_ENGAGED = f"user_engagement_metrics WHERE metric_date >= %(first)s AND metric_date < %(end)s AND {_MINE}"
_ASKED = f"""chat_analytics WHERE period_type = 'daily' AND period_start >= %(since)s AND period_start < %(until)s AND user_id IS NOT NULL
    AND {_MINE}"""

_NUMBER = f"""
INSERT INTO person_numbers (id, organization_id, user_id, number)
SELECT gen_random_uuid(), organization_id, user_id, row_number() OVER (PARTITION BY organization_id ORDER BY user_id) - 1
       + coalesce((SELECT max(number) + 1 FROM person_numbers p WHERE p.organization_id = there.organization_id), 0)
  FROM (SELECT organization_id, user_id FROM {_ENGAGED} UNION SELECT organization_id, user_id FROM {_ASKED}) there
 WHERE NOT EXISTS (SELECT FROM person_numbers p WHERE p.organization_id = there.organization_id AND p.user_id = there.user_id)
"""

_FORGET = f"DELETE FROM organization_days WHERE day >= %(first)s AND day < %(end)s AND {_MINE}"

# Each byte of who was there by itself, those in between with zeros, then joined.
_MAKE = f"""
WITH there AS (
    SELECT organization_id, user_id, metric_date AS day, 1 AS engaged, (feature_interactions <> '{{}}')::int AS used, 0 AS asked
      FROM {_ENGAGED}
     UNION ALL
    SELECT organization_id, user_id, (period_start AT TIME ZONE 'UTC')::date, 0, 0, 1 FROM {_ASKED}
), bytes AS (
    SELECT organization_id, day, number / 8 AS place, bit_or(engaged << number %% 8) AS engaged, bit_or(used << number %% 8) AS used,
           bit_or(asked << number %% 8) AS asked
      FROM there JOIN person_numbers USING (organization_id, user_id) GROUP BY 1, 2, 3
), every AS (
    SELECT * FROM bytes
     UNION ALL
    SELECT organization_id, day, generate_series(0, max(place)), 0, 0, 0 FROM bytes GROUP BY 1, 2
), byte AS (
    SELECT organization_id, day, place, max(engaged) AS engaged, max(used) AS used, max(asked) AS asked FROM every GROUP BY 1, 2, 3
), people AS (
    SELECT organization_id, day, string_agg(set_byte('\\x00', 0, engaged), '' ORDER BY place) AS engaged,
           string_agg(set_byte('\\x00', 0, used), '' ORDER BY place) AS used,
           string_agg(set_byte('\\x00', 0, asked), '' ORDER BY place) AS asked
      FROM byte GROUP BY 1, 2
), sums AS (
    SELECT organization_id, metric_date AS day, sum(login_count) AS login_count, sum(session_duration_minutes) AS session_duration_minutes,
           sum(reports_viewed) AS reports_viewed, sum(reports_downloaded) AS reports_downloaded,
           sum(ai_chat_messages_sent) AS ai_chat_messages_sent, sum(ai_chat_sessions) AS ai_chat_sessions,
           sum(employees_added) AS employees_added, sum(employees_updated) AS employees_updated, sum(dashboard_visits) AS dashboard_visits
      FROM {_ENGAGED} GROUP BY 1, 2
)
INSERT INTO organization_days (id, organization_id, day, engaged, used, asked, login_count, session_duration_minutes, reports_viewed,
    reports_downloaded, ai_chat_messages_sent, ai_chat_sessions, employees_added, employees_updated, dashboard_visits)
SELECT gen_random_uuid(), organization_id, day, engaged, used, asked, coalesce(login_count, 0), coalesce(session_duration_minutes, 0),
       coalesce(reports_viewed, 0), coalesce(reports_downloaded, 0), coalesce(ai_chat_messages_sent, 0), coalesce(ai_chat_sessions, 0),
       coalesce(employees_added, 0), coalesce(employees_updated, 0), coalesce(dashboard_visits, 0)
  FROM people LEFT JOIN sums USING (organization_id, day)
"""


def renew(window: Window, *, organization_id: uuid.UUID | str | None = None) -> None:
    """Makes these days anew, of one organization or of everybody. Belongs into the transaction that changed the rows they are made of."""
    parameters: dict[str, Any] = {
        "first": window.first,
        "end": window.end,
        "since": window.since,
        "until": window.until,
        "organization": organization_id,
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for statement in (_NUMBER, _FORGET, _MAKE):
            cursor.execute(statement, parameters)
