"""`duckdb_night.py FILE`, run by DuckDB's Python: counts the events of an NDJSON file by organization, person and type on one
thread, as much as the first of the night's tables needs, and prints the seconds."""

import sys
import time

import duckdb

began = time.perf_counter()
duckdb.execute("SET threads = 1")
duckdb.execute(
    """
    SELECT organizationId, userId, eventType, count(*), count(DISTINCT sessionId), min("timestamp"), max("timestamp")
      FROM read_ndjson(?, columns = {
           organizationId: 'VARCHAR', userId: 'VARCHAR', sessionId: 'VARCHAR', eventType: 'VARCHAR', "timestamp": 'TIMESTAMP'})
     GROUP BY ALL
    """,
    [sys.argv[1]],
).fetchall()
print(time.perf_counter() - began)
