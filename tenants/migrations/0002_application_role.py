"""The role that Parley acts as: it owns nothing and row-level security holds for it.

Safe where the role exists already, also when several databases of one server are migrated at once.
"""

from django.conf import settings
from django.db import migrations
from psycopg import sql

MAKE = """
DO $make$
DECLARE
    role text := {role};
    found pg_roles%ROWTYPE;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION', role);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;  -- another database's migration was quicker
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'The login role % may not create roles. Have an administrator run: '
                    'CREATE ROLE % NOLOGIN NOSUPERUSER NOBYPASSRLS; GRANT % TO %;',
                    current_user, role, role, current_user USING ERRCODE = 'insufficient_privilege';
        END;
    END IF;
    SELECT * INTO found FROM pg_roles WHERE rolname = role;
    IF found.rolsuper OR found.rolbypassrls THEN
        RAISE EXCEPTION 'The role % is a superuser or has BYPASSRLS, so row-level security would not hold. '
            'Run: ALTER ROLE % NOSUPERUSER NOBYPASSRLS;', role, role;
    END IF;
    IF role <> current_user AND NOT pg_has_role(current_user, role, 'SET') THEN
        BEGIN
            EXECUTE format('GRANT %I TO CURRENT_USER', role);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'The login role % may not act as %. Have an administrator run: GRANT % TO %;',
                current_user, role, role, current_user USING ERRCODE = 'insufficient_privilege';
        END;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO %I', role);
    EXECUTE format('GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO %I', role);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', role);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO %I', role);
END
$make$
"""

# The role itself stays: other databases of the server may use it.
UNMAKE = """
DO $unmake$
DECLARE
    role text := {role};
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM %I', role);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM %I', role);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', role);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', role);
        EXECUTE format('REVOKE USAGE ON SCHEMA public FROM %I', role);
    END IF;
END
$unmake$
"""


def run(schema_editor, statement):
    if settings.DATABASE_ROLE:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(role=sql.Literal(settings.DATABASE_ROLE)))


def make(apps, schema_editor):
    run(schema_editor, MAKE)


def unmake(apps, schema_editor):
    run(schema_editor, UNMAKE)


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [migrations.RunPython(make, unmake)]
