"""`python -m benchmarks.nights EVENTS …`: what a night costs. Writes a day with each of these numbers of events into the world's MongoDB,
has the job count it, and does simpler things with the same day for comparison. Prints one line of JSON.

The day has organizations of very different sizes, people of whom few do most, and hours that are busy and quiet. The same seed gives
the same day.
"""

import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

import orjson
import pymongo
from django.db import transaction
from django.utils import timezone

from analytics.choices import EventType
from analytics.documents import UserActivity
from analytics.windows import Day, day_of
from benchmarks import meters
from benchmarks.peers import setup
from config import mongo
from tenants.choices import Role
from tenants.models import User
from tenants.services import organizations

HERE = Path(__file__).resolve().parent
ORGANIZATIONS, PEOPLE_AMONG, SEED = 20, 2_000, 22
SAMPLE = 5_000  # events that the naive loop takes
AT_ONCE = 10_000
HOURS = (1, 1, 1, 1, 1, 2, 4, 9, 16, 20, 20, 18, 14, 17, 19, 18, 15, 10, 6, 4, 3, 2, 2, 1)
CACHE_GB = (
    4  # of mongod meanwhile; with the half that `make run` gives it, a million events are read from the disk, and the disk is measured
)
LOOK_SECONDS = 0.02
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def people() -> list[tuple[str, str]]:
    """(organization, person) pairs; the first organizations have most of the people."""
    chance = random.Random(SEED)
    made = [organizations.create(f"Night {n}", slug=f"night-{n}-{uuid.uuid4().hex[:6]}", seats=100_000) for n in range(ORGANIZATIONS)]
    with transaction.atomic():
        names = [uuid.uuid4().hex for _ in range(PEOPLE_AMONG)]
        users = [User.objects.create(email=f"{name}@night.example", username=name, password="!") for name in names]
    return [(str(made[min(ORGANIZATIONS - 1, int(chance.paretovariate(0.7)) - 1)].pk), str(user.pk)) for user in users]


def events(many: int, day: date, there: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    chance = random.Random(f"{SEED} {many}")
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(there))))  # Zipf's
    types = list(EventType.values)
    for number in range(many):
        organization, user = chance.choices(there, cum_weights=weights)[0]
        hour = chance.choices(range(24), HOURS)[0]
        moment = Day.of(day).since + timedelta(hours=hour, milliseconds=chance.randrange(3_600_000))
        yield {
            "organizationId": organization,
            "userId": user,
            "sessionId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{user} {hour // 4}")),
            "eventType": chance.choice(types),
            "eventCategory": "INTERACTION",
            "eventAction": "open",
            "eventTarget": f"/o/acme/chat/{user}/",
            "eventMetadata": {"page": f"/o/acme/chat/{user}/", "duration": chance.random() * 60, "success": number % 50 != 0},
            "userRole": Role.values[number % 4],
            "departmentId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{organization} {number % 9}")),
            "deviceInfo": {"type": "desktop", "os": "Linux", "browser": "Firefox", "screenResolution": "1920x1080", "userAgent": AGENT},
            "geolocation": {"country": None, "city": None, "ipAddress": "203.0.113.0", "timezone": "Europe/Oslo"},
            "clientId": str(uuid.UUID(int=chance.getrandbits(128))),
            "timestamp": moment,
            "createdAt": moment,
        }


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def bare(day: date) -> None:
    window = Day.of(day)
    match = {"$match": {"timestamp": {"$gte": window.since, "$lt": window.until}}}
    with pymongo.timeout(3600):
        list(mongo.collection(UserActivity).aggregate([match, {"$group": {"_id": "$userId", "n": {"$sum": 1}}}]))


def naive(day: date) -> None:
    """What one would write first: an object for each event."""
    counted: Counter[tuple[str, str, str]] = Counter()
    window = Day.of(day)
    found = UserActivity.objects.across_tenants("a benchmark").filter(timestamp__gte=window.since, timestamp__lt=window.until)
    for event in found.limit(SAMPLE):
        counted[event.organization_id, event.user_id, event.event_type] += 1


@dataclass(frozen=True)
class Filled:
    """What the job took: the seconds of all tables as it says them, without those of a start, and the most memory it ever had."""

    seconds: float
    peak_mb: float


def fill(day: date) -> Filled:
    """The job in a process of its own."""
    command = (sys.executable, "manage.py", "fill_analytics", "--from", str(day), "--until", str(day))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, ThreadPoolExecutor(1) as reading:
        assert process.stdout is not None
        said, peak = reading.submit(process.stdout.read), 0.0
        while process.poll() is None:
            peak = max(peak, meters.peak_mb(process.pid))
            time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Filled(sum(float(found) for found in re.findall(r"rows, ([\d.]+) s$", said.result(), re.MULTILINE)), peak)


def quickest(day: date) -> Filled:
    """Of two tries; the memory is the larger one."""
    tries = [fill(day) for _ in range(2)]
    return Filled(min(tried.seconds for tried in tries), max(tried.peak_mb for tried in tries))


def ndjson(day: date, path: Path) -> None:
    window = Day.of(day)
    found = mongo.collection(UserActivity).find({"timestamp": {"$gte": window.since, "$lt": window.until}}, {"_id": 0})
    with pymongo.timeout(3600), path.open("wb") as file:
        for event in found:
            file.write(orjson.dumps(event) + b"\n")


def duckdb(day: date) -> float:
    """Seconds that DuckDB takes to read and count the same events from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.ndjson"
        ndjson(day, path)
        command = (setup.DUCKDB.program("python"), str(HERE / "peers" / "duckdb_night.py"), str(path))
        return min(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(2))


def write(many: int, day: date, there: list[tuple[str, str]]) -> None:
    writing = events(many, day, there)
    with pymongo.timeout(3600):
        while batch := list(itertools.islice(writing, AT_ONCE)):
            mongo.collection(UserActivity).insert_many(batch, ordered=False)


@contextmanager
def cache() -> Iterator[None]:
    """Inside, mongod has a cache as of a server that keeps such logs."""

    def take(size: str) -> None:
        mongo.client().admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=f"cache_size={size}")

    before = mongo.client().admin.command("serverStatus")["wiredTiger"]["cache"]["maximum bytes configured"]
    take(f"{CACHE_GB}GB")
    try:
        yield
    finally:
        take(f"{before >> 20}MB")


@cache()
def main(sizes: list[int]) -> dict[str, Any]:
    """The seconds of each size; `again` are those of the first day once the others are kept, too."""
    there, yesterday = people(), day_of(timezone.now()) - timedelta(days=1)
    days = {many: yesterday - place * timedelta(days=1) for place, many in enumerate(sizes, start=1)}
    found: dict[str, Any] = {}
    peaks = []
    for many, day in days.items():
        write(many, day, there)
        bare(day)  # warms the cache for all alike
        filled = quickest(day)
        peaks.append(filled.peak_mb)
        found[str(many)] = {
            "bare": min(seconds(lambda day=day: bare(day)) for _ in range(2)),
            "job": filled.seconds,
            "job_mb": round(filled.peak_mb),
        }
    first = days[sizes[0]]
    again = quickest(first).seconds
    if Path(setup.DUCKDB.program("python")).exists():
        for many, day in days.items():
            found[str(many)]["duckdb"] = duckdb(day)
    found[str(sizes[0])]["naive"] = seconds(lambda: naive(first)) * sizes[0] / SAMPLE
    with pymongo.timeout(3600):
        size = mongo.database().command("collStats", UserActivity._get_collection_name())["avgObjSize"]
    return {"seconds": found, "again": again, "peak_mb": round(max(peaks)), "bytes_of_an_event": size}


if __name__ == "__main__":
    print(json.dumps(main([int(number) for number in sys.argv[1:]])))
