"""Folds what waits in the buffer into the live counters, each entry exactly once (S4-130…133).

1. Who folds an organization's pending entries has its claim: a document that there is one of, so that inserting it is the compare-and-swap.
2. MongoDB adds up pending entries by day, in one reading that gives their ids, too. The claim keeps both: from then on it says what is
   folded, and whoever takes it over does the same again.
3. Whom and what they count once in a day is inserted, which done twice changes nothing; sums are added to the day unless the claim is
   among those that are in them already.
4. The entries are marked AGGREGATED, the claim goes, and tabs that watch are told.

An entry is written once, when it is counted: who folds it meanwhile stands in the claim, not in each entry. A claim whose worker died is
taken over after `RELEASED_AFTER`; a slow worker's writes carry a token that is not the claim's any more, or change nothing. What fails is
tried `TRIES` times, by as many runs, and then FAILED with its reason until somebody has it tried again (`manage.py fold_buffer
--retry-failed`); the entries that came since are folded by other claims.
"""

import logging
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pymongo
from bson import ObjectId
from prometheus_client import Counter
from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError

from analytics import live, windows
from analytics.choices import BufferStatus
from analytics.documents import BufferClaim, BufferedMetric, LiveDay, LiveMember
from config import mongo, redis
from config.failpoints import failpoint
from tenants.scoping import ACROSS_COMMENT

log = logging.getLogger(__name__)

B, C, D, L = mongo.names(BufferedMetric), mongo.names(BufferClaim), mongo.names(LiveDay), mongo.names(LiveMember)

RELEASED_AFTER = timedelta(minutes=1)
CLAIM_SECONDS = 30  # at most, of one command; less than a claim lives
TRIES = 3
AT_ONCE = 20_000  # entries of a claim, whose ids, people and sessions fit into one document
MARKED_AT_ONCE = 5_000
REMEMBERED = 1_000  # claims that a day knows to be in it
DUPLICATE = 11000
WHY_ACROSS = ACROSS_COMMENT + "which organizations have something in the buffer; each is then folded by its own"

FOLDED = Counter("parley_buffer_folded_total", "Entries of the metrics buffer that were folded into the live counters.")
FAILED = Counter("parley_buffer_failed_total", "Entries of the metrics buffer that were given up until somebody has them tried again.")


@dataclass(frozen=True, slots=True)
class Folded:
    entries: int = 0
    failed: int = 0

    def __add__(self, other: "Folded") -> "Folded":
        return Folded(self.entries + other.entries, self.failed + other.failed)


@dataclass(slots=True)
class Claim:
    """What one worker folds. `found` is None until its entries are read."""

    organization_id: str
    name: str  # by which a day knows what is in it
    token: str  # of the worker who has it
    tries: int = 0
    found: "Found | None" = None

    @property
    def mine(self) -> dict[str, Any]:
        return {C.organization_id: self.organization_id, C.name: self.name, C.token: self.token}


@dataclass(frozen=True, slots=True)
class Found:
    """Pending entries: their ids, and for each day the sums, by counter, and whom and what to count once."""

    entries: list[ObjectId]
    days: list[dict[str, Any]]


def fold(*, now: datetime) -> Folded:
    """Folds whatever waits, of every organization. Raises `mongo.AWAY` errors; what was not folded then is found by the next run."""
    done = Folded()
    with pymongo.timeout(CLAIM_SECONDS):
        abandoned = _abandoned(now=now)
        waiting = _organizations(BufferStatus.PENDING, hint="pending")
    for organization_id, name in abandoned:
        if (claim := _take_over(organization_id, name, now=now)) is not None:
            done += _fold_claim(claim, now=now)
    for organization_id in waiting:
        folded = None
        while (folded is None or folded.entries == AT_ONCE) and (claim := _claim(organization_id, now=now)) is not None:
            folded = _fold_claim(claim, now=now)
            done += folded
    return done


def retry_failed(*, now: datetime) -> int:
    """Has everything that FAILED tried again by the next run, as far as nothing else of its organization is being folded. Returns how
    many entries that are."""
    again = 0
    for organization_id in _organizations(BufferStatus.FAILED):
        failed = {C.organization_id: organization_id, C.is_open: False}
        changes = {C.is_open: True, C.tries: 0, C.claimed_at: now - 2 * RELEASED_AFTER}
        with suppress(DuplicateKeyError):
            claim = mongo.collection(BufferClaim).find_one_and_update(failed, {"$set": changes}, {C.entries: 1})
            again += len(claim[C.entries]) if claim else 0
    return again


def status() -> dict[str, int]:
    """How many entries are not folded: those that wait or are being folded, and those that were given up."""
    wanted = [status.value for status in (BufferStatus.PENDING, BufferStatus.FAILED)]
    stages: list[dict[str, Any]] = [
        {"$match": {B.aggregation_status: {"$in": wanted}}},
        {"$group": {"_id": f"${B.aggregation_status}", "n": {"$sum": 1}}},
    ]
    found = {row["_id"]: row["n"] for row in mongo.collection(BufferedMetric).aggregate(stages, comment=WHY_ACROSS)}
    return {name: found.get(name, 0) for name in wanted}


# Claims ----------------------------------------------------------------------------------------------------------------


def _organizations(status: BufferStatus, *, hint: str | None = None) -> list[str]:
    stages = [{"$match": {B.aggregation_status: status.value}}, {"$group": {"_id": f"${B.organization_id}"}}]
    more: dict[str, Any] = {} if hint is None else {"hint": hint}
    return sorted(row["_id"] for row in mongo.collection(BufferedMetric).aggregate(stages, comment=WHY_ACROSS, **more))


def _claim(organization_id: str, *, now: datetime) -> Claim | None:
    """None where somebody else folds this organization's entries."""
    claim = Claim(organization_id, name=str(uuid.uuid4()), token=str(uuid.uuid4()))
    document = {**claim.mine, C.is_open: True, C.tries: 0, C.claimed_at: now}
    try:
        with pymongo.timeout(CLAIM_SECONDS):
            mongo.collection(BufferClaim).insert_one(document)
    except DuplicateKeyError:
        return None
    failpoint("buffer.claimed")
    return claim


def _abandoned(*, now: datetime) -> list[tuple[str, str]]:
    """Claims that nobody works on any more: the organization and the name of each."""
    old = {C.is_open: True, C.claimed_at: {"$lt": now - RELEASED_AFTER}}
    found = mongo.collection(BufferClaim).find(old, {C.organization_id: 1, C.name: 1}, comment=WHY_ACROSS)
    return [(claim[C.organization_id], claim[C.name]) for claim in found]


def _take_over(organization_id: str, name: str, *, now: datetime) -> Claim | None:
    """None where somebody else took it over just now."""
    old = {C.organization_id: organization_id, C.is_open: True, C.name: name, C.claimed_at: {"$lt": now - RELEASED_AFTER}}
    token = str(uuid.uuid4())
    with pymongo.timeout(CLAIM_SECONDS):
        claim = mongo.collection(BufferClaim).find_one_and_update(
            old, {"$set": {C.token: token, C.claimed_at: now}}, return_document=ReturnDocument.AFTER
        )
    if claim is None:
        return None
    found = Found(claim[C.entries], claim[C.days]) if C.entries in claim else None
    return Claim(organization_id, name=name, token=token, tries=claim[C.tries], found=found)


def _keep(claim: Claim, found: Found) -> bool:
    """Has the claim say what it is of. False where somebody else took it over."""
    with pymongo.timeout(CLAIM_SECONDS):
        kept = mongo.collection(BufferClaim).update_one(claim.mine, {"$set": {C.entries: found.entries, C.days: found.days}})
    return kept.matched_count == 1


# Folding ---------------------------------------------------------------------------------------------------------------


def _fold_claim(claim: Claim, *, now: datetime) -> Folded:
    """Folds a claim, or notes why that cannot be done."""
    try:
        found = claim.found
        if found is None:
            found = _found(claim.organization_id)
            if not _keep(claim, found):
                return Folded()
            claim.found = found
            failpoint("buffer.kept")
        for day in found.days:
            _count(claim, day, now=now)
        entries = _mark(claim, found, now=now)
    except mongo.AWAY:
        raise
    except Exception as error:
        log.exception("A claim on the metrics buffer could not be folded.")
        return Folded(failed=_give_up(claim, reason=repr(error)[:500]))
    failpoint("buffer.marked")
    FOLDED.inc(entries)
    if any(day["_id"] == windows.day_of(now).isoformat() for day in found.days):
        with suppress(*redis.AWAY):
            live.tell(claim.organization_id, now=now)
    return Folded(entries=entries)


def _found(organization_id: str) -> Found:
    """The oldest pending entries of an organization."""
    stood: dict[str, Any] = {"session": f"${B.metric_data}.dimensions.session", "sitting": f"${B.metric_data}.dimensions.sitting"}
    event, value = f"${B.metric_data}.dimensions.event", f"${B.metric_data}.value"
    stood["user"] = {"$cond": [{"$ifNull": [event, False]}, f"${B.metric_data}.userId", None]}  # a sitting is nothing that somebody did
    uses = {"$ifNull": [f"${B.metric_data}.dimensions.feature", False]}
    sums = {name: {"$sum": {"$cond": [{"$eq": [event, kind.value]}, value, 0]}} for name, kind in live.EVENTS.items()}
    sets = {name: {"$addToSet": {"$ifNull": [stood[what], None]}} for name, what in live.DISTINCT.items()}
    by_day = {"$dateToString": {"date": f"${B.timestamp}", "format": "%Y-%m-%d"}}
    stages: list[dict[str, Any]] = [
        {"$match": {B.organization_id: organization_id, B.aggregation_status: BufferStatus.PENDING.value}},
        {"$sort": {B.created_at: 1}},
        {"$limit": AT_ONCE},
        {"$group": {"_id": by_day, **sums, live.USES: {"$sum": {"$cond": [uses, value, 0]}}, **sets, "entries": {"$push": "$_id"}}},
    ]
    with pymongo.timeout(CLAIM_SECONDS):
        days = list(mongo.collection(BufferedMetric).aggregate(stages, hint="pending"))
    return Found([entry for day in days for entry in day.pop("entries")], days)


def _count(claim: Claim, day: dict[str, Any], *, now: datetime) -> None:
    one = {D.organization_id: claim.organization_id, D.day: day["_id"]}
    days, members = mongo.collection(LiveDay), mongo.collection(LiveMember)
    new = [
        {**one, L.kind: name, L.member: member, L.created_at: now} for name in live.DISTINCT for member in day[name] if member is not None
    ]
    with pymongo.timeout(CLAIM_SECONDS):
        if new:
            _insert_new(members, new)
        failpoint("buffer.members")
        counted = {
            name: members.count_documents({**one, L.kind: name}, hint=[(name, ASCENDING) for name in (*one, L.kind, L.member)])
            for name in live.DISTINCT
        }
        with suppress(DuplicateKeyError):  # somebody else made it
            days.update_one(one, {"$setOnInsert": {D.counts: {}, D.folded: [], D.updated_at: now}}, upsert=True)
        sums = {f"{D.counts}.{name}": int(day[name]) for name in (*live.EVENTS, live.USES)}
        days.update_one(
            {**one, D.folded: {"$ne": claim.name}},
            {"$inc": sums, "$push": {D.folded: {"$each": [claim.name], "$slice": -REMEMBERED}}},
        )
        days.update_one(one, {"$max": {f"{D.counts}.{name}": n for name, n in counted.items()} | {D.updated_at: now}})
    failpoint("buffer.folded")


def _insert_new(members: Any, documents: list[dict[str, Any]]) -> None:
    try:
        members.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(failure["code"] != DUPLICATE for failure in error.details["writeErrors"]):
            raise


def _mark(claim: Claim, found: Found, *, now: datetime) -> int:
    """Marks the claim's entries and lets it go; says how many were marked now."""
    changes = {"$set": {B.aggregation_status: BufferStatus.AGGREGATED.value, B.aggregated_at: now}, "$unset": {B.reason: ""}}
    marked = _change(claim, found, changes, unless=BufferStatus.AGGREGATED)
    with pymongo.timeout(CLAIM_SECONDS):
        mongo.collection(BufferClaim).delete_one(claim.mine)
    return marked


def _change(claim: Claim, found: Found, changes: dict[str, Any], *, unless: BufferStatus) -> int:
    entries, changed = mongo.collection(BufferedMetric), 0
    for start in range(0, len(found.entries), MARKED_AT_ONCE):
        some = {B.organization_id: claim.organization_id, "_id": {"$in": found.entries[start : start + MARKED_AT_ONCE]}}
        with pymongo.timeout(CLAIM_SECONDS):
            changed += entries.update_many({**some, B.aggregation_status: {"$ne": unless.value}}, changes, hint="_id_").modified_count
    return changed


def _give_up(claim: Claim, *, reason: str) -> int:
    """One try less; returns how many entries have none left. A claim that did not get as far as to know its entries is let go."""
    claims = mongo.collection(BufferClaim)
    with pymongo.timeout(CLAIM_SECONDS):
        if claim.found is None:
            claims.delete_one(claim.mine)
            return 0
        if claim.tries + 1 < TRIES:
            claims.update_one(claim.mine, {"$inc": {C.tries: 1}})
            return 0
    failed = _change(
        claim, claim.found, {"$set": {B.aggregation_status: BufferStatus.FAILED.value, B.reason: reason}}, unless=BufferStatus.AGGREGATED
    )
    with pymongo.timeout(CLAIM_SECONDS):
        claims.update_one(claim.mine, {"$set": {C.is_open: False}})
    FAILED.inc(failed)
    return failed
