"""One event loop of a process's own, in a thread, for synchronous code that must run something asynchronous.

A Celery task hands an answer to it and returns; a synchronous view waits on it for a coroutine. Clients of MongoDB, Redis and
providers belong to a loop, so sharing one loop means sharing their connections; `asyncio.run` would make them anew each time.
"""

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop
from asgiref.sync import sync_to_async
from django.db import connections

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def background() -> asyncio.AbstractEventLoop:
    """The process's own loop, started at its first use."""
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = uvloop.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="parley-loop", daemon=True).start()
        return _loop


def submit(coroutine: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
    """Starts the coroutine on the background loop, with the caller's context variables, and does not wait for it."""
    loop = background()
    context = contextvars.copy_context()
    result: concurrent.futures.Future[T] = concurrent.futures.Future()

    def start() -> None:
        task = loop.create_task(coroutine, context=context)
        task.add_done_callback(_copy_into(result))

    loop.call_soon_threadsafe(start, context=context)
    return result


def run(coroutine: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
    """Runs the coroutine on the background loop and waits for what it returns. Never call it on that loop."""
    return submit(coroutine).result(timeout)


async def in_thread(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Runs synchronous code that asks PostgreSQL, for a coroutine: in a thread, which gives its connection back afterwards."""
    return await sync_to_async(_giving_back, thread_sensitive=False)(function, *args, **kwargs)


def _giving_back(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    try:
        return function(*args, **kwargs)
    finally:
        connections.close_all()


def _copy_into(result: "concurrent.futures.Future[T]"):
    def copy(task: "asyncio.Task[T]") -> None:
        if task.cancelled():
            result.cancel()
        elif (error := task.exception()) is not None:
            result.set_exception(error)
        else:
            result.set_result(task.result())

    return copy
