"""The activity log of a day as columns: numbers in numpy's arrays, never an object for an event.

A batch in which something has another type, or an id another length, than what is written down has is decoded, such ids are replaced by
UUIDs and such values left out, and it goes the same way.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import bson
import numpy as np

from analytics import features
from analytics.choices import EventType
from analytics.documents import UserActivity
from analytics.rollups import columns, raw
from analytics.rollups.columns import BOOL, DATE, DOCUMENT, DOUBLE, INT, LONG, Data, Fields, Ids, UnreadableError, Words
from analytics.windows import Day
from config import mongo
from tenants.choices import Role

U = mongo.names(UserActivity)

NO_ID = str(uuid.UUID(int=0))
NONE = 0  # the place of NO_ID among ids
TYPES, FEATURES, ROLES = list(EventType.values), list(features.CATEGORIES), list(Role.values)
_of_type = (features.OF_EVENT.get(type) for type in TYPES)
OF_TYPE = np.array([*(FEATURES.index(name) if name else -1 for name in _of_type), -1], np.int8)  # the last: of no known type
LONGEST = 86_400.0  # seconds; a use that says it took longer does not know
AT_ONCE = 10_000  # events of one batch, some 3 MB

IDS = {"organization": U.organization_id, "user": U.user_id, "session": U.session_id, "department": U.department_id}
EVENT = Fields([*IDS.values(), U.timestamp, U.event_type, U.user_role, U.event_metadata])
METADATA = Fields(["duration", "feature", "success"])
SHOWN = {"_id": 0, **dict.fromkeys(EVENT.names, 1), U.event_metadata: dict.fromkeys(METADATA.names, 1)}
TYPE, FEATURE, ROLE = Words(TYPES), Words(FEATURES), Words(ROLES)


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


def read(day: Day) -> Events:
    ids = {name: Ids(NO_ID) for name in IDS}
    found = [_columns(b"", np.zeros(0, np.int64), ids)]  # what an array has where there is nothing
    noon = day.since + (day.until - day.since) / 2
    halves = ({"$gte": day.since, "$lt": noon}, {"$gte": noon, "$lt": day.until})
    for given, places in raw.side_by_side(
        *(raw.batches(UserActivity, [{"$match": {U.timestamp: half}}, {"$project": SHOWN}], at_once=AT_ONCE) for half in halves)
    ):
        try:
            found.append(_columns(given, places, ids))
        except UnreadableError:
            row = b"".join(bson.encode(_readable(document)) for document in columns.decoded(given, places))
            found.append(_columns(row, columns.places_in_row(row), ids))
    return Events(
        organizations=ids["organization"].texts(),
        users=ids["user"].texts(),
        sessions=len(ids["session"]),
        departments=ids["department"].texts(),
        **{name: np.concatenate([batch.pop(name) for batch in found]) for name in tuple(found[0])},
    )


def _columns(given: bytes, places: np.ndarray, ids: dict[str, Ids]) -> dict[str, np.ndarray]:
    """The columns of `Events` but for the lists of ids. Raises UnreadableError."""
    data = Data(given)
    event = EVENT.find(data, places)
    kinds, moments = event[U.timestamp]
    if (kinds != DATE).any():
        raise UnreadableError
    type_ = TYPE.of(data, *event[U.event_type])
    return {
        **{name: ids[name].of(data, *event[field]) for name, field in IDS.items()},
        "time": data.i64[moments],
        "type": type_,
        "role": ROLE.of(data, *event[U.user_role]),
        **_metadata(data, *event[U.event_metadata], type_),
    }


def _metadata(data: Data, kinds: np.ndarray, places: np.ndarray, type_: np.ndarray) -> dict[str, np.ndarray]:
    there = np.flatnonzero(kinds == DOCUMENT)
    said = METADATA.find(data, places[there])
    feature, success, seconds = OF_TYPE[type_], np.full(len(kinds), -1, np.int8), np.full(len(kinds), -1.0)

    named = FEATURE.of(data, *said["feature"])
    feature[there[named >= 0]] = named[named >= 0]

    kinds, places = said["success"]
    success[there[kinds == BOOL]] = data.u8[places[kinds == BOOL]]

    kinds, places = said["duration"]
    for kind, numbers in ((DOUBLE, data.f64), (INT, data.i32), (LONG, data.i64)):
        seconds[there[kinds == kind]] = numbers[places[kinds == kind]]
    known = (seconds >= 0) & (seconds <= LONGEST)
    duration = np.where(known, np.rint(np.where(known, seconds, 0) * 1e6), -1).astype(np.int64)
    return {"feature": feature, "success": success, "duration": duration}


def _readable(document: dict[str, Any]) -> dict[str, Any]:
    """The event with ids as long as a UUID's, and of its metadata what is of a type that is read."""
    for field in IDS.values():
        if isinstance(id_ := document.get(field), str) and len(id_.encode()) != Ids.LENGTH:
            document[field] = str(uuid.uuid5(uuid.NAMESPACE_OID, id_))
    metadata = document.get(U.event_metadata) or {}
    document[U.event_metadata] = {name: value for name, value in metadata.items() if isinstance(value, (str, float, int))}
    return document
