"""The pool's connections act as the application's role, whoever acts as the owner meanwhile; and they may all die at once."""

import threading
from typing import Any

import psycopg
from django.db import connection

from tenants.database import roles

AT_ONCE = 6


def of_each(question: str) -> list[Any]:
    """What the database answers in as many threads at once; all hold a connection before any of them asks."""
    found: list[Any] = []
    everybody = threading.Barrier(AT_ONCE)

    def look() -> None:
        try:
            with connection.cursor() as cursor:
                everybody.wait(10)
                cursor.execute(question)
                found.append(cursor.fetchone()[0])
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_pool_that_grows_while_somebody_acts_as_owner_hands_out_no_owners_connection(stores):
    with roles.as_owner():
        assert of_each("SELECT current_user") == ["parley_app"] * AT_ONCE
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user = session_user")
            assert cursor.fetchone() == (True,)


def test_connections_that_all_died_are_replaced_before_anybody_is_refused(stores, services):
    """As after a restart of PostgreSQL. The pool by itself looks at one after another, with longer and longer pauses."""
    connection.close()
    held = of_each("SELECT pg_backend_pid()")
    with psycopg.connect(services.postgres.url("postgres"), autocommit=True) as owner:
        # Only these: what other threads hold for longer is of other tests.
        assert owner.execute("SELECT count(pg_terminate_backend(pid)) FROM unnest(%s::int[]) AS pid", [held]).fetchone() == (AT_ONCE,)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
