"""Documents of an aggregation as the bytes that came, batch by batch, made into no object of Python.

PyMongo's raw batches make an object of each document before they join them again, which took half of a night. A command's answer kept as it
came does not: the batch in it is a BSON array, in which it is enough to know where each document begins.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bson
import mongoengine
import numpy as np
import pymongo
from bson.codec_options import CodecOptions
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession

from analytics.rollups import columns, logs
from config import mongo

AS_IT_CAME = CodecOptions(document_class=RawBSONDocument)
ARRAY = 4  # BSON's number of it
EMPTY = 5  # bytes of an array without anything

Batch = tuple[bytes, np.ndarray]  # and where in it each document begins


def batches(document: type[mongoengine.Document], pipeline: list[dict[str, Any]], *, at_once: int) -> Iterator[Batch]:
    """MongoDB works on the next batch meanwhile."""
    if mongo.client().is_mongos or len(mongo.client().nodes) > 1:
        # A cursor is known to the server that opened it, and a command may go to another one: the driver's own cursors go right.
        with logs.patiently():
            for given in logs.collection(document).aggregate_raw_batches(pipeline, batchSize=at_once, comment=logs.WHY_ACROSS):
                yield given, columns.places_in_row(given)
        return
    with mongo.client().start_session() as session, ThreadPoolExecutor(1, "parley-night") as ahead:
        coming = ahead.submit(_first, session, document, pipeline, at_once)
        cursor = Int64(0)
        try:
            while True:
                array, cursor = coming.result()
                if cursor:
                    coming = ahead.submit(_next, session, document, cursor, at_once)
                if len(array) > EMPTY:
                    yield array, columns.places_in_array(array)
                if not cursor:
                    return
        finally:
            if cursor:
                ahead.submit(_close, session, document, cursor)


def side_by_side(*readings: Iterator[Batch]) -> Iterator[Batch]:
    """What several readings give, in turn: MongoDB works on all of them at once."""
    for round_ in itertools.zip_longest(*readings):
        yield from filter(None, round_)


def _first(
    session: ClientSession, document: type[mongoengine.Document], pipeline: list[dict[str, Any]], at_once: int
) -> tuple[bytes, Int64]:
    command = {"aggregate": mongo.collection(document).name, "pipeline": pipeline, "cursor": {"batchSize": at_once}}
    with logs.patiently():
        return _asked(session, {**command, "comment": logs.WHY_ACROSS})


def _next(session: ClientSession, document: type[mongoengine.Document], cursor: Int64, at_once: int) -> tuple[bytes, Int64]:
    with pymongo.timeout(0):  # none: the cursor has the time that it was opened with, and MongoDB refuses to be told another
        return _asked(session, {"getMore": cursor, "collection": mongo.collection(document).name, "batchSize": at_once})


def _close(session: ClientSession, document: type[mongoengine.Document], cursor: Int64) -> None:
    mongo.database().command({"killCursors": mongo.collection(document).name, "cursors": [cursor]}, session=session)


def _asked(session: ClientSession, command: dict[str, Any]) -> tuple[bytes, Int64]:
    """The batch, as a BSON array, and the cursor's number, 0 at its end."""
    answer: Any = mongo.database().command(command, codec_options=AS_IT_CAME, session=session)
    raw = bytes(answer["cursor"].raw)  # the batch is the first thing in it
    if raw[4] != ARRAY:
        raise ValueError("MongoDB's answer does not begin with its batch.")
    begin = raw.index(b"\0", 5) + 1
    end = begin + int.from_bytes(raw[begin : begin + 4], "little")
    rest = raw[end:]
    return raw[begin:end], Int64(bson.decode((len(rest) + 4).to_bytes(4, "little") + rest)["id"])
