"""The way to Redis: one pool for synchronous code and one for each event loop. Nothing durable lives there (D7)."""

import asyncio
import weakref
from functools import cache

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, ResponseError, TimeoutError
from redis.retry import Retry

# What a command raises when Redis cannot be reached now, is still loading, or is out of memory.
AWAY = (ConnectionError, TimeoutError, BusyLoadingError, ResponseError, OSError)

# RESP2: published messages come as ordinary replies, which the hub reads in order.
OPTIONS = {"socket_timeout": 2.0, "socket_connect_timeout": 1.0, "protocol": 2}

CONNECTIONS = 16  # of an event loop; what comes in a burst waits for one of them instead of opening its own
POOL_SECONDS = 5.0

_async_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis]" = weakref.WeakKeyDictionary()


@cache
def client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, retry=Retry(NoBackoff(), 1), **OPTIONS)


def async_client() -> redis.asyncio.Redis:
    """The client of the running event loop; made at its first use. It tries a command twice, so that one dead socket is no error."""
    loop = asyncio.get_running_loop()
    found = _async_clients.get(loop)
    if found is None:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.REDIS_URL,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 1),
            max_connections=CONNECTIONS,
            timeout=POOL_SECONDS,
            driver_info=None,  # telling the server our library's version costs as much as the rest of connecting
            **OPTIONS,
        )
        found = redis.asyncio.Redis.from_pool(pool)
        _async_clients[loop] = found
    return found


async def close() -> None:
    found = _async_clients.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.aclose()
