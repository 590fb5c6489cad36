"""The activity log of a day as columns: numbers in numpy's arrays, never an object for an event.

MongoDB gives every event the same shape (words become numbers, what is missing becomes a value that says so), so that all documents are
equally long and a batch of them *is* a table of records: nothing is decoded. A batch with an id of another length than a UUID's is
decoded, its ids are replaced by UUIDs, and it goes the same way. `docs/decisions/the-night.md` has the measurements.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import bson
import numpy as np

from analytics import features
from analytics.choices import EventType
from analytics.documents import UserActivity
from analytics.rollups import logs, raw
from analytics.windows import Day
from config import mongo
from tenants.choices import Role

U = mongo.names(UserActivity)

NO_ID = str(uuid.UUID(int=0))
NONE = 0  # the place of NO_ID among ids
TYPES, FEATURES, ROLES = list(EventType.values), list(features.CATEGORIES), list(Role.values)
OF_TYPE = np.array([FEATURES.index(features.OF_EVENT[type]) if type in features.OF_EVENT else -1 for type in TYPES])
LONGEST = 86_400.0  # seconds; a use that says it took longer does not know
AT_ONCE = 25_000  # events of one batch, some 6 MB

IDS = ("organization", "user", "session", "department")
SHAPE: dict[str, Any] = {
    "organization": f"${U.organization_id}",
    "user": f"${U.user_id}",
    "session": {"$ifNull": [f"${U.session_id}", NO_ID]},
    "department": {"$ifNull": [f"${U.department_id}", NO_ID]},
    "time": f"${U.timestamp}",
    "duration": {"$toDouble": {"$ifNull": [f"${U.event_metadata}.duration", -1.0]}},
    "type": {"$indexOfArray": [TYPES, f"${U.event_type}"]},
    "feature": {"$indexOfArray": [FEATURES, f"${U.event_metadata}.feature"]},
    "role": {"$indexOfArray": [ROLES, f"${U.user_role}"]},
    "success": {"$indexOfArray": [[False, True], f"${U.event_metadata}.success"]},
}


def _record() -> np.dtype:
    """Where in a document of SHAPE each value stands, by BSON's rules; `<id>_length` is what BSON says of a text."""
    fields: dict[str, tuple[str, int]] = {"length": ("<i4", 0)}
    place = 4
    for name in SHAPE:
        place += len(name) + 2  # its type, the name and a zero
        if name in IDS:
            fields[f"{name}_length"] = ("<i4", place)
            fields[name] = ("S36", place + 4)
            place += 4 + 37
        elif name in ("time", "duration"):
            fields[name] = ("<i8" if name == "time" else "<f8", place)
            place += 8
        else:
            fields[name] = ("<i4", place)
            place += 4
    formats, offsets = zip(*fields.values(), strict=True)
    return np.dtype({"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": place + 1})


RECORD = _record()


class Ids:
    """The ids seen so far, each with its place. An event keeps the place."""

    def __init__(self) -> None:
        self.places: dict[bytes, int] = {NO_ID.encode(): NONE}

    def __len__(self) -> int:
        return len(self.places)

    def texts(self) -> list[str]:
        return [key.decode() for key in self.places]

    def of(self, column: np.ndarray) -> np.ndarray:
        found, which = _distinct(np.ascontiguousarray(column))
        places = [self.places.setdefault(key, len(self.places)) for key in found.tolist()]
        return np.array(places, dtype=np.int32)[which]


_words = np.random.default_rng(1).integers(1, 2**63, size=9, dtype=np.uint64) | np.uint64(1)


def _distinct(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different ids, and for each the place of its own. Sorts numbers made of them, which is quicker than sorting texts; should two
    ids make the same number, it sorts texts."""
    words = ids.view(np.uint32).reshape(len(ids), 9)
    _, first, which = np.unique((words * _words).sum(axis=1, dtype=np.uint64), return_index=True, return_inverse=True)
    if (words[first][which] == words).all():
        return ids[first], which
    found, which = np.unique(ids, return_inverse=True)
    return found, which


@dataclass(frozen=True)
class Events:
    """A day's events, a column each; ids are places in the lists of ids. -1 is a feature, a role or an outcome that was not said, and a
    duration (microseconds) that was not."""

    organizations: list[str]
    users: list[str]
    sessions: int
    departments: list[str]
    organization: np.ndarray
    user: np.ndarray
    session: np.ndarray
    department: np.ndarray
    time: np.ndarray  # milliseconds since 1970
    type: np.ndarray
    feature: np.ndarray
    role: np.ndarray
    success: np.ndarray
    duration: np.ndarray

    def __len__(self) -> int:
        return len(self.time)


KEPT: dict[str, Any] = {"time": np.int64, "type": np.int8, "feature": np.int8, "role": np.int8, "success": np.int8}


def read(day: Day) -> Events:
    ids = {name: Ids() for name in IDS}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in SHAPE}
    pipeline: list[dict[str, Any]] = [{"$match": logs.of_day(U.timestamp, day)}, {"$project": {"_id": 0, **SHAPE}}]
    for batch in raw.batches(UserActivity, pipeline, size=RECORD.itemsize, at_once=AT_ONCE):
        records = _records(batch)
        for name in IDS:
            columns[name].append(ids[name].of(records[name]))
        for name, kind in KEPT.items():
            columns[name].append(records[name].astype(kind))
        seconds = records["duration"]
        said = (seconds >= 0) & (seconds <= LONGEST)
        columns["duration"].append(np.where(said, np.rint(np.where(said, seconds, 0) * 1e6), -1).astype(np.int64))
    one = {name: np.concatenate(parts) if parts else np.zeros(0, KEPT.get(name, np.int32)) for name, parts in columns.items()}
    one["feature"] = np.where(one["feature"] >= 0, one["feature"], OF_TYPE[one["type"]])
    return Events(
        organizations=ids["organization"].texts(),
        users=ids["user"].texts(),
        sessions=len(ids["session"]),
        departments=ids["department"].texts(),
        **one,
    )


def _records(batch: bytes) -> np.ndarray:
    if len(batch) % RECORD.itemsize == 0:
        records = np.frombuffer(batch, RECORD)
        if (records["length"] == RECORD.itemsize).all() and all((records[f"{name}_length"] == 37).all() for name in IDS):
            return records
    return np.frombuffer(b"".join(map(_uniform, bson.decode_all(batch))), RECORD)


def _uniform(document: dict[str, Any]) -> bytes:
    for name in IDS:
        if len(document[name].encode()) != 36:
            document[name] = str(uuid.uuid5(uuid.NAMESPACE_OID, document[name]))
    return bson.encode(document)
