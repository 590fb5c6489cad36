"""The one writer of the six logs of what people do, beside everybody's way: no request waits for MongoDB to say what was done in it.

`record` and its like put something on this process's list and return; a thread writes what has gathered, all organizations' in one
command a log. `write` does the same at once, for whoever has to promise that it is kept (`POST /api/v1/events`).

While MongoDB is away things stay on the list and are tried again, up to a bound; beyond it, and where the process is killed, they are
lost, and counted where that can be. They are not kept in a file: what is lost is a part of a statistic and nobody's words, and a file
that several processes fill, that must be read again once and erased with a person, is more than that is worth.

What is written twice is there once: everything has its `_id` from the moment it happened.
"""

import atexit
import hashlib
import ipaddress
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from django.utils import timezone
from prometheus_client import Counter
from pymongo.errors import BulkWriteError, PyMongoError

from analytics import features
from analytics.choices import BufferMetric, BufferStatus, EventCategory, EventType, ReportAccess, ReportAccessMethod, ReportType
from analytics.documents import BufferedMetric, DashboardInteraction, NotificationInteracted, ReportAccessed, UserActivity
from analytics.services import sittings
from analytics.services.sittings import Rated, Said
from chat import devices
from config import mongo
from tenants import origins
from tenants.models import Membership
from tenants.origins import Origin
from tenants.scoping import TenantDocument, tenant_key

log = logging.getLogger(__name__)

A, B, R = mongo.names(UserActivity), mongo.names(BufferedMetric), mongo.names(ReportAccessed)

GATHER_SECONDS = 1.0
AT_ONCE = 1_000
PAUSES = (0.5, 10.0)  # seconds between tries while MongoDB is away, first and most
KEPT = 50_000  # things held while MongoDB is away, some 100 MB; beyond, the oldest are lost
AT_EXIT_SECONDS = 5.0
LIVE = timedelta(days=7)  # older events are the night's only; a buffer's entry, which keeps them from counting twice, lives as long
DUPLICATE = 11000

WRITTEN = Counter("parley_tracking_written_total", "What was written to the logs of what people do.")
LOST = Counter("parley_tracking_lost_total", "What should have been written to these logs and is lost.", ["why"])
LATE = Counter("parley_tracking_late_total", "What could not be written to these logs at once, because MongoDB was away.")

CATEGORIES: dict[str, EventCategory] = {
    EventType.PAGE_VIEW: EventCategory.NAVIGATION,
    EventType.LOGIN: EventCategory.NAVIGATION,
    EventType.LOGOUT: EventCategory.NAVIGATION,
    EventType.BUTTON_CLICK: EventCategory.INTERACTION,
    EventType.FILTER_APPLIED: EventCategory.INTERACTION,
    EventType.SEARCH_PERFORMED: EventCategory.DATA_ACCESS,
    EventType.REPORT_DOWNLOAD: EventCategory.DATA_ACCESS,
}
"""What an event is where it does not say so itself; all others are uses of a feature."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A document for a log, with its `_id`, without `createdAt`. `origin` adds where it was done from, when it is written."""

    log: type[TenantDocument]
    document: dict[str, Any]
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """`duplicates` and `refused` are places in what was given to `write`."""

    duplicates: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()


# What happened ---------------------------------------------------------------------------------------------------------


def record(
    membership: Membership,
    event_type: EventType,
    *,
    category: EventCategory | None = None,
    action: str | None = None,
    target: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """A member did something, now. `metadata` by S4-77's names. Waits for nothing and raises nothing."""
    note(
        activity(
            organization_id=membership.organization_id,
            user_id=membership.user_id,
            role=membership.role,
            department_id=membership.department_id,
            event_type=event_type,
            category=category,
            action=action,
            target=target,
            metadata=metadata,
            timestamp=timezone.now(),
        ),
        origin=origins.current(),
    )


def dashboard_loaded(membership: Membership, *, dashboard: str) -> None:
    """A member opened a dashboard, of which `dashboard` says which."""
    record(membership, EventType.DASHBOARD_LOAD, target=dashboard)


def report_accessed(
    membership: Membership,
    *,
    report_id: Any,
    report_type: ReportType,
    access: ReportAccess,
    method: ReportAccessMethod = ReportAccessMethod.DIRECT_LINK,
    employee_id: Any = None,
    employee_name: str | None = None,
    department_id: Any = None,
) -> None:
    """A member read, downloaded, shared or printed a report: an entry of the reports' log, and an event where it counts as one."""
    now = timezone.now()
    who = {"userId": str(membership.user_id), "userName": membership.user.name, "userRole": str(membership.role)}
    document = {
        "_id": ObjectId(),
        R.organization_id: tenant_key(membership.organization_id),
        R.report_id: str(report_id),
        R.report_type: str(report_type),
        R.employee_id: _text(employee_id),
        R.employee_name: employee_name,
        R.accessed_by: who,
        R.department_id: _text(department_id),
        R.access_type: str(access),
        R.access_method: str(method),
        R.timestamp: now,
    }
    note(Entry(ReportAccessed, document), origin=origins.current())
    event_type = {ReportAccess.VIEW: EventType.REPORT_VIEW, ReportAccess.DOWNLOAD: EventType.REPORT_DOWNLOAD}.get(access)
    if event_type is not None:
        record(membership, event_type, target=str(report_id))


def activity(
    *,
    organization_id: Any,
    user_id: Any,
    event_type: str,
    timestamp: datetime,
    role: str | None = None,
    department_id: Any = None,
    category: str | None = None,
    action: str | None = None,
    target: str | None = None,
    metadata: dict[str, Any] | None = None,
    once: str | None = None,
) -> Entry:
    """An event as its log keeps it. `once` names it within its organization, so that it is kept once however often it is noted."""
    document: dict[str, Any] = {
        "_id": ObjectId() if once is None else named(organization_id, once),
        A.organization_id: tenant_key(organization_id),
        A.user_id: str(user_id),
        A.event_type: str(event_type),
        A.event_category: str(category or CATEGORIES.get(event_type, EventCategory.FEATURE_USE)),
        A.event_action: action,
        A.event_target: target,
        A.user_role: _text(role),
        A.department_id: _text(department_id),
        A.timestamp: timestamp,
    }
    if metadata:
        document[A.event_metadata] = metadata
    return Entry(UserActivity, document)


def named(organization_id: Any, name: str) -> ObjectId:
    """The `_id` of something that may be noted again."""
    return ObjectId(hashlib.sha256(f"{organization_id}/{name}".encode()).digest()[:12])


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


# The list --------------------------------------------------------------------------------------------------------------


class _Waiting:
    """What this process has not written yet. A forked child begins with nothing: the parent writes its own."""

    def __init__(self) -> None:
        self.things: deque[Entry | Said | Rated] = deque()
        self.changed = threading.Condition()
        self.writing = 0
        self.thread: threading.Thread | None = None
        self.hurry = False


_waiting = _Waiting()


def note(thing: Entry | Said | Rated, *, origin: Origin | None = None) -> None:
    """Puts it on the list. Waits for nothing; may be called in a coroutine and in a thread."""
    if origin is not None and isinstance(thing, Entry):
        thing = Entry(thing.log, thing.document, origin)
    waiting = _waiting
    with waiting.changed:
        if len(waiting.things) >= KEPT:
            waiting.things.popleft()
            LOST.labels("no room").inc()
        waiting.things.append(thing)
        if waiting.thread is None:
            waiting.thread = threading.Thread(target=_write_forever, args=(waiting,), name="parley-tracking", daemon=True)
            waiting.thread.start()
        if len(waiting.things) == 1 or len(waiting.things) >= AT_ONCE:
            waiting.changed.notify_all()


def flush(*, timeout: float) -> bool:
    """Has everything written at once and waits for it, at most `timeout` seconds. False if something still waits."""
    deadline = time.monotonic() + timeout
    waiting = _waiting
    with waiting.changed:
        waiting.hurry = True
        waiting.changed.notify_all()
        try:
            return waiting.changed.wait_for(lambda: not waiting.things and not waiting.writing, deadline - time.monotonic())
        finally:
            waiting.hurry = False


def _write_forever(waiting: _Waiting) -> None:
    pause = PAUSES[0]
    while True:
        with waiting.changed:
            waiting.changed.wait_for(lambda: waiting.things)
            waiting.changed.wait_for(lambda: waiting.hurry or len(waiting.things) >= AT_ONCE, GATHER_SECONDS)
            batch = [waiting.things.popleft() for _ in range(min(AT_ONCE, len(waiting.things)))]
            waiting.writing = len(batch)
        try:
            _write_all(batch)
            pause = PAUSES[0]
        except mongo.AWAY as problem:
            log.warning("MongoDB is away, %d things wait to be written down: %s", len(batch), problem)
            LATE.inc(len(batch))
            with waiting.changed:
                waiting.things.extendleft(reversed(batch))
                waiting.writing = 0
                waiting.changed.wait(pause)
            pause = min(pause * 2, PAUSES[1])
        except Exception:
            # The thread is the only writer: whatever happens to a batch, the next one gets its turn.
            log.exception("%d things that happened could not be written down.", len(batch))
            LOST.labels("error").inc(len(batch))
        finally:
            with waiting.changed:
                waiting.writing = 0
                waiting.changed.notify_all()


def _write_all(batch: list[Entry | Said | Rated]) -> None:
    entries = [thing for thing in batch if isinstance(thing, Entry)]
    written = write(entries)
    if written.refused:
        LOST.labels("refused").inc(len(written.refused))
    begun = sittings.say((thing for thing in batch if isinstance(thing, Said)), now=timezone.now())
    _insert(BufferedMetric, list(map(_sitting, begun)))
    for thing in batch:
        if isinstance(thing, Rated):
            sittings.rate(thing, now=timezone.now())


def _begin_anew() -> None:
    global _waiting
    _waiting = _Waiting()


def _at_exit() -> None:
    if _waiting.things and not flush(timeout=AT_EXIT_SECONDS):
        log.error("%d things that happened were not written down.", len(_waiting.things))


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_begin_anew)


# Writing ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Part:
    """What goes to one log: documents, and their places among what was given."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def write(entries: Iterable[Entry]) -> Written:
    """Writes entries to their logs, durably, and what counts of them into the buffer; what is there already stays as it is.

    The logs first: where this ends in between, a writer that tries again makes up for it, and otherwise the live counters lack something
    until the night. Raises `mongo.AWAY` errors.
    """
    now = timezone.now()
    parts: dict[type[TenantDocument], _Part] = {}
    for place, entry in enumerate(entries):
        part = parts.setdefault(entry.log, _Part())
        part.documents.append({**entry.document, **_from_where(entry), "createdAt": now})
        part.places.append(place)
    duplicates: set[int] = set()
    refused: set[int] = set()
    for kind, part in parts.items():
        there, no = _insert(kind, part.documents)
        WRITTEN.inc(len(part.documents) - len(there) - len(no))
        duplicates |= {part.places[index] for index in there}
        refused |= {part.places[index] for index in no}
        if kind is UserActivity:
            counted = [document for index, document in enumerate(part.documents) if index not in no and now - document[A.timestamp] < LIVE]
            _insert(BufferedMetric, [_counted(document, now=now) for document in counted])
    return Written(frozenset(duplicates), frozenset(refused))


def _insert(kind: type[TenantDocument], documents: list[dict[str, Any]]) -> tuple[set[int], set[int]]:
    """Inserts what is not there yet. Returns the places of what is, and of what cannot be. Raises `mongo.AWAY` errors."""
    if not documents:
        return set(), set()
    try:
        mongo.collection(kind).insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise mongo.AWAY[0]("What was written is not acknowledged.") from error
        failures = {failure["index"]: failure["code"] for failure in error.details["writeErrors"]}
        refused = {index for index, code in failures.items() if code != DUPLICATE}
        for index in refused:
            log.error("%s %s is refused by MongoDB.", kind.__name__, documents[index]["_id"])
        return failures.keys() - refused, refused
    except (BSONError, OverflowError, PyMongoError) as error:
        if isinstance(error, mongo.AWAY) or len(documents) == 1:
            if isinstance(error, mongo.AWAY):
                raise
            log.error("%s %s cannot be written: %s", kind.__name__, documents[0]["_id"], error)
            return set(), {0}
        found = [_insert(kind, [document]) for document in documents]  # one that MongoDB does not take must not take the others along
        return {n for n, (there, _) in enumerate(found) if there}, {n for n, (_, no) in enumerate(found) if no}
    return set(), set()


def _from_where(entry: Entry) -> dict[str, Any]:
    """Session, device and address of whoever did it; what the entry says itself has the word."""
    origin, document = entry.origin, entry.document
    if origin is None or origin.user_id != (document.get(A.user_id) or document[R.accessed_by]["userId"]):
        return {}
    found: dict[str, Any] = {}
    if entry.log is NotificationInteracted:
        return found
    if entry.log is not ReportAccessed:
        found[A.session_id] = origin.session_id
    if entry.log is not DashboardInteraction:
        found[A.device_info] = {**device(origin.user_agent), **document.get(A.device_info, {})}
        found[A.geolocation] = {"ipAddress": truncated(origin.address), **document.get(A.geolocation, {})}
    return found


@lru_cache(maxsize=2_048)
def device(user_agent: str) -> dict[str, str | None]:
    """Type, system and browser, as S4-78 names them."""
    if not user_agent:
        return {}
    found = devices.device_of(user_agent)
    return {"type": str(found.type), "os": found.platform or None, "browser": found.browser or None, "userAgent": user_agent}


def truncated(address: str) -> str | None:
    """The network that an address is in (IPv4 /24, IPv6 /48); None for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False).network_address)


def _counted(document: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """The buffer's entry of an event. It has the event's `_id`, so that there is one of it."""
    event_type = document[A.event_type]
    feature = (document.get(A.event_metadata) or {}).get("feature") or features.OF_EVENT.get(event_type)
    kind = BufferMetric.FEATURE_UTILIZATION if feature else BufferMetric.USER_ENGAGEMENT
    if event_type in (EventType.REPORT_VIEW, EventType.REPORT_DOWNLOAD):
        kind = BufferMetric.REPORT_GENERATION
    dimensions = {"event": event_type, "session": document.get(A.session_id), "feature": feature}
    return _buffered(document, kind, dimensions, timestamp=document[A.timestamp], now=now)


def _sitting(session: dict[str, Any]) -> dict[str, Any]:
    entry = {"_id": named(session["organizationId"], f"sitting/{session['sessionId']}"), **session}
    dimensions = {"sitting": session["sessionId"]}
    return _buffered(entry, BufferMetric.USER_ENGAGEMENT, dimensions, timestamp=session["sessionStarted"], now=session["createdAt"])


def _buffered(
    document: dict[str, Any], kind: BufferMetric, dimensions: dict[str, Any], *, timestamp: datetime, now: datetime
) -> dict[str, Any]:
    return {
        "_id": document["_id"],
        B.organization_id: document["organizationId"],
        B.metric_type: kind.value,
        B.metric_data: {"userId": document["userId"], "value": 1.0, "dimensions": {n: v for n, v in dimensions.items() if v is not None}},
        B.aggregation_status: BufferStatus.PENDING.value,
        B.timestamp: timestamp,
        B.created_at: now,
    }
