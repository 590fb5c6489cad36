"""The pool's connections act as the application's role, whoever acts as the owner meanwhile; and they may all die at once."""

import threading

import psycopg
from django.db import connection

from tenants.database import roles


def test_a_pool_that_grows_while_somebody_acts_as_owner_hands_out_no_owners_connection(stores):
    found = []
    at_once = threading.Barrier(8)

    def look() -> None:
        with connection.cursor() as cursor:
            at_once.wait(10)  # all hold a connection: the pool must have made new ones
            cursor.execute("SELECT current_user")
            found.append(cursor.fetchone()[0])
        connection.close()

    with roles.as_owner():
        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user = session_user")
            assert cursor.fetchone() == (True,)
    assert found == ["parley_app"] * 8


def test_connections_that_all_died_are_replaced_before_anybody_is_refused(stores, services):
    """As after a restart of PostgreSQL. The pool by itself looks at one after another, with longer and longer pauses."""
    everybody, held = threading.Barrier(8), []

    def hold_one() -> None:
        with connection.cursor() as cursor:
            everybody.wait(10)
            cursor.execute("SELECT pg_backend_pid()")
            held.append(cursor.fetchone()[0])
        connection.close()

    connection.close()
    threads = [threading.Thread(target=hold_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(services.postgres.url("postgres"), autocommit=True) as owner:
        # Only these: what other threads hold for longer is of other tests.
        assert owner.execute("SELECT count(pg_terminate_backend(pid)) FROM unnest(%s::int[]) AS pid", [held]).fetchone() == (8,)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
