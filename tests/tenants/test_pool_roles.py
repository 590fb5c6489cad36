"""The pool's connections act as the application's role, whoever acts as the owner meanwhile."""

import threading

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
