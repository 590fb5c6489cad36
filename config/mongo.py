"""The way to MongoDB: one options dict, a client for synchronous code and one for each event loop.

mongoengine speaks through the synchronous client; async code reads and writes with PyMongo's `AsyncMongoClient`, taking names
from the document classes. Every write is acknowledged by a majority and the journal before it counts, unless it says otherwise.
"""

import asyncio
import struct
import weakref
from decimal import Context, Decimal
from types import SimpleNamespace
from typing import Any

import mongoengine
from bson.decimal128 import Decimal128
from django.conf import settings
from pymongo import AsyncMongoClient, MongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure, ExecutionTimeout, WTimeoutError

# What an operation raises when MongoDB cannot be reached or cannot acknowledge now.
AWAY = (ConnectionFailure, ExecutionTimeout, WTimeoutError)

OPTIONS: dict[str, Any] = {
    # Implies the journal, unless the replica set was configured otherwise; asking for both waits for two things one after another.
    "w": "majority",
    "tz_aware": True,
    "uuidRepresentation": "standard",
    "serverSelectionTimeoutMS": 2_000,
    "connectTimeoutMS": 2_000,
    # The whole operation, retries included; PyMongo looks for a server for up to half a second longer. So a page answers 503 within
    # three seconds. Longer work says `pymongo.timeout(…)`.
    "timeoutMS": 2_000,
    "maxPoolSize": 100,
    "appname": "parley",
}

_async_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncMongoClient]" = weakref.WeakKeyDictionary()
_collections: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[type, bool], AsyncCollection]]" = weakref.WeakKeyDictionary()


_HALVES = struct.Struct("<QQ")
_COEFFICIENT = (1 << 49) - 1
_PRECISE = Context(prec=34)


def connect() -> None:
    """Tells mongoengine where MongoDB is; opens no connection before the first query. Called once, by `ConfigConfig.ready`."""
    mongoengine.connect(db=settings.MONGODB_DATABASE, host=settings.MONGODB_URI, alias="default", **OPTIONS)


def client() -> MongoClient:
    return mongoengine.get_connection("default")


def database():
    return mongoengine.get_db("default")


def collection(document: type[mongoengine.Document]) -> Collection:
    return database()[document._get_collection_name()]


def async_client() -> AsyncMongoClient:
    """The client of the running event loop; made at its first use, closed with the loop."""
    loop = asyncio.get_running_loop()
    found = _async_clients.get(loop)
    if found is None:
        found = _async_clients[loop] = AsyncMongoClient(settings.MONGODB_URI, **OPTIONS)
    return found


def async_collection(document: type[mongoengine.Document], *, journaled: bool = True) -> AsyncCollection:
    """The document's collection, for the running event loop. Not `journaled`: what is written may be lost with the server, and made
    again; it is acknowledged as soon as it is visible."""
    kept = _collections.setdefault(asyncio.get_running_loop(), {})
    found = kept.get((document, journaled))
    if found is None:
        found = async_client()[settings.MONGODB_DATABASE][document._get_collection_name()]
        found = kept[document, journaled] = found if journaled else found.with_options(write_concern=WriteConcern(w=1, j=False))
    return found


async def close() -> None:
    """Closes the running loop's client; used where a loop ends before its process does."""
    _collections.pop(asyncio.get_running_loop(), None)
    found = _async_clients.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


def decimal(value: Decimal128) -> Decimal:
    """What `to_decimal` gives, in a fifth of its time: a coefficient of 113 bits, and its exponent and sign above it."""
    low, high = _HALVES.unpack(value.bid)
    if high >> 61 > 2:  # negative, or no number
        return value.to_decimal()
    return Decimal((high & _COEFFICIENT) << 64 | low).scaleb((high >> 49) - 6176, _PRECISE)


def names(document: type[mongoengine.Document]) -> SimpleNamespace:
    """The stored names of a document's fields by attribute, for raw queries: `names(Message).conversation_id == "conversationId"`."""
    return SimpleNamespace(**{attribute: field.db_field for attribute, field in document._fields.items()})
