"""Tables of what is counted by day are in partitions of a month (S4-141): each is made anew with its rows, keys, indexes and policies."""

from django.db import migrations, models
from psycopg import sql

# The table, and its day. A partitioned table's keys name the day.
TABLES = {
    "user_engagement_metrics": "metric_date",
    "feature_utilization_metrics": "metric_date",
    "platform_adoption_metrics": "metric_date",
    "business_impact_metrics": "metric_date",
    "model_usage_metrics": "metric_date",
    "chat_analytics": "period_start",
}
KEYS_WITHOUT_A_DAY = ("PRIMARY KEY (id", "UNIQUE (analytics_id")
CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'f') ORDER BY contype DESC, conname
"""
INDEXES = """
SELECT pg_get_indexdef(indexrelid) FROM pg_index
 WHERE indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) ORDER BY indexrelid
"""
POLICIES = "SELECT policyname, cmd, qual, with_check FROM pg_policies WHERE schemaname = 'public' AND tablename = %s"
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
MONTHS = """
SELECT to_char(month, 'YYYYMM'), to_char(month, 'YYYY-MM-DD 00:00:00+00'), to_char(month + interval '1 month', 'YYYY-MM-DD 00:00:00+00')
  FROM (SELECT DISTINCT date_trunc('month', {column} AT TIME ZONE 'UTC') AS month FROM {table}) months ORDER BY 1
"""


def by_month(apps, schema_editor):
    for table, column in TABLES.items():
        make_anew(schema_editor, table, column, in_months=True)


def whole(apps, schema_editor):
    for table, column in TABLES.items():
        make_anew(schema_editor, table, column, in_months=False)


def make_anew(schema_editor, table, column, *, in_months):
    names = {"table": sql.Identifier(table), "new": sql.Identifier(f"{table}_new"), "column": sql.Identifier(column)}

    def run(statement, **more):
        cursor.execute(sql.SQL(statement).format(**names, **more))

    def found(query):
        cursor.execute(query, [table])
        return cursor.fetchall()

    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('rls.is_admin', 'true', true)")  # the rows of everybody
        constraints, indexes, policies = found(CONSTRAINTS), found(INDEXES), found(POLICIES)
        columns = sql.SQL(", ").join(sql.Identifier(name) for (name,) in found(COLUMNS))
        like = "CREATE TABLE {new} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)"
        run(f"{like} PARTITION BY RANGE ({{column}})" if in_months else like)
        if in_months:
            run("CREATE TABLE {default} PARTITION OF {new} DEFAULT", default=sql.Identifier(f"{table}_default"))
            run("ALTER TABLE {default} ENABLE ROW LEVEL SECURITY", default=sql.Identifier(f"{table}_default"))
            run(MONTHS)
            for month, since, until in cursor.fetchall():
                bounds = {"since": sql.Literal(since), "until": sql.Literal(until), "partition": sql.Identifier(f"{table}_{month}")}
                run("CREATE TABLE {partition} PARTITION OF {new} FOR VALUES FROM ({since}) TO ({until})", **bounds)
                run("ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY", **bounds)
        run("INSERT INTO {new} ({columns}) SELECT {columns} FROM {table}", columns=columns)
        run("DROP TABLE {table}")
        run("ALTER TABLE {new} RENAME TO {table}")
        for name, definition in constraints:
            for key in KEYS_WITHOUT_A_DAY:
                if definition.startswith(key):
                    definition = f"{key}, {column})" if in_months else f"{key})"
            run("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}", name=sql.Identifier(name), definition=sql.SQL(definition))
        for (definition,) in indexes:
            cursor.execute(definition.replace(" ON ONLY ", " ON "))
        run("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        run("ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        for name, command, seen, written in policies:
            statement = "CREATE POLICY {name} ON {table} FOR {command} USING ({seen})" + (" WITH CHECK ({written})" if written else "")
            parts = {"command": sql.SQL(command), "seen": sql.SQL(seen), "written": sql.SQL(written or "")}
            run(statement, name=sql.Identifier(name), **parts)


class Migration(migrations.Migration):
    dependencies = [("analytics", "0005_counted_days_are_added_up")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(by_month, whole)],
            state_operations=[
                migrations.RemoveConstraint(model_name="chatanalytics", name="uq_chat_analytics_id"),
                migrations.AddConstraint(
                    model_name="chatanalytics",
                    constraint=models.UniqueConstraint(fields=["analytics_id", "period_start"], name="uq_chat_analytics_id"),
                ),
            ],
        ),
    ]
