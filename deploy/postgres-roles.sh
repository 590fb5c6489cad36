#!/bin/sh
# Runs once, when PostgreSQL's volume is new: the login under which Parley serves. It owns nothing; migrations let the role that it
# acts as work with the tables, and row-level security holds for it.
set -eu
psql --variable ON_ERROR_STOP=1 --variable password="$DATABASE_APP_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE parley_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE ROLE parley_login LOGIN PASSWORD :'password' NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;
GRANT parley_app TO parley_login WITH INHERIT FALSE, SET TRUE;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
