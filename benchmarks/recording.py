"""`python -m benchmarks.recording`: what noting an event adds to a request, and how fast the buffer is drained beside a text COPY of
as many rows. Prints one line of JSON."""

import argparse
import json
import random
import sys
import time
import uuid
from typing import Any

import django

django.setup()

import psycopg
import pymongo
from bson import ObjectId
from django.conf import settings
from django.test import RequestFactory
from django.utils import timezone

from analytics import live, tracking
from analytics.choices import EventType
from analytics.documents import BufferedMetric
from analytics.services import buffer
from benchmarks.meters import percentile
from config import mongo
from tenants import origins, scoping
from tenants.models import Membership

NOTED = 20_000
PEOPLE, ORGANIZATIONS = 2_000, 5  # that the pending entries are of
AT_ONCE, SECONDS = 5_000, 120
SEED = 7
TABLE = """
    CREATE TEMPORARY TABLE copied
        (id text PRIMARY KEY, organization text, kind text, data jsonb, status text, at timestamptz, made timestamptz)
"""


def noting() -> list[float]:
    """Seconds that each of many events took the request in which it was noted."""
    with scoping.across_tenants("a benchmark takes anybody"):
        # Across tenants: the only organization there is.
        membership = Membership.across_tenants.select_related("user", "organization").first()
    request = RequestFactory().get("/", headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
    request.membership = membership  # type: ignore[attr-defined, union-attr]
    request.session = type("Session", (), {"session_key": "k" * 32})()  # type: ignore[assignment]
    times = []
    with origins.of_request(request):
        for _ in range(NOTED):
            began = time.perf_counter()
            tracking.record(membership, EventType.PAGE_VIEW, action="GET", target="chat:inbox", metadata={"duration": 0.01})
            times.append(time.perf_counter() - began)
            time.sleep(0.0002)  # the writing thread has its turns, as it has between requests
    tracking.flush(timeout=60)
    return times


def pending(count: int) -> list[dict[str, Any]]:
    """So many entries of today, of Zipf's people."""
    chance, now = random.Random(SEED), timezone.now()
    organizations = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(ORGANIZATIONS)]
    weights = [1 / (rank + 1) for rank in range(PEOPLE)]
    kinds = [EventType.PAGE_VIEW, EventType.PAGE_VIEW, EventType.AI_CHAT_MESSAGE, EventType.DASHBOARD_LOAD]
    return [
        {
            "_id": ObjectId(),
            "organizationId": organizations[user % ORGANIZATIONS],
            "metricType": "USER_ENGAGEMENT",
            "metricData": {
                "userId": f"user-{user}",
                "value": 1.0,
                "dimensions": {"event": chance.choice(kinds).value, "session": f"session-{user}-{chance.randrange(3)}"},
            },
            "aggregationStatus": "PENDING",
            "timestamp": now,
            "createdAt": now,
        }
        for user in chance.choices(range(PEOPLE), weights, k=count)
    ]


def draining(entries: list[dict[str, Any]]) -> float:
    """Seconds in which all of them were folded. Raises `AssertionError` where the counters do not say that each was, once."""
    collection = mongo.collection(BufferedMetric)
    with pymongo.timeout(SECONDS):
        for first in range(0, len(entries), AT_ONCE):
            collection.insert_many(entries[first : first + AT_ONCE], ordered=False)
    began = time.perf_counter()
    folded = buffer.fold(now=timezone.now())
    seconds = time.perf_counter() - began
    wanted = sum(entry["metricData"]["dimensions"]["event"] == EventType.AI_CHAT_MESSAGE for entry in entries)
    day = entries[0]["timestamp"].date()
    counted = [live.counters(organization, day=day) for organization in {entry["organizationId"] for entry in entries}]
    assert folded.entries == len(entries), folded
    assert sum(counters["ai_chat_messages_sent"] for counters in counted) == wanted
    assert sum(counters["active_users"] for counters in counted) == len({entry["metricData"]["userId"] for entry in entries})
    return seconds


def copying(entries: list[dict[str, Any]]) -> float:
    """Seconds in which PostgreSQL takes the same rows as text."""
    rows = [
        (str(e["_id"]), e["organizationId"], e["metricType"], json.dumps(e["metricData"]), "PENDING", e["timestamp"], e["createdAt"])
        for e in entries
    ]
    with psycopg.connect(settings.DATABASE_URL) as connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
        began = time.perf_counter()
        with cursor.copy("COPY copied FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()
        return time.perf_counter() - began


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000, help="pending entries of the buffer (100,000)")
    entries = pending(parser.parse_args(arguments).entries)
    noted = noting()
    buffer.fold(now=timezone.now())  # what noting left is not counted here
    found = {
        "noted_p50_us": percentile(noted, 0.5) * 1e6,
        "noted_p95_us": percentile(noted, 0.95) * 1e6,
        "drain_seconds": draining(entries),
        "copy_seconds": copying(entries),
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
