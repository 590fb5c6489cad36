"""One event loop of a process's own, in a thread, for synchronous code that must run something asynchronous.

A Celery task hands an answer to it and returns; a synchronous view waits on it for a coroutine. Clients of MongoDB, Redis and
providers belong to a loop, so sharing one loop means sharing their connections; `asyncio.run` would make them anew each time.
"""

import asyncio
import atexit
import concurrent.futures
import contextvars
import functools
import gc
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

import uvloop
from django.db import InterfaceError, OperationalError, connections

T = TypeVar("T")

# A thread that computes gives the loop its turn after this long; Python's five milliseconds are a good part of a first token's time.
sys.setswitchinterval(0.0005)

END_SECONDS = 2.0
THREADS = 4
AT_ONCE = 32
AT_ONCE_SECONDS = 0.5

_lock = threading.Lock()
_threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="parley-sql")
_gates: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = weakref.WeakKeyDictionary()
_loop: asyncio.AbstractEventLoop | None = None


def settle() -> None:
    """A process says here that it has loaded what it needs: the collector of cycles passes over that from now on, and comes more rarely.
    It would hold up every answer of the process for a tenth of a second at a time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def background() -> asyncio.AbstractEventLoop:
    """The process's own loop, started at its first use."""
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = uvloop.new_event_loop()
            thread = threading.Thread(target=_loop.run_forever, name="parley-loop", daemon=True)
            thread.start()
            atexit.register(_end, _loop, thread)
        return _loop


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """A loop that still runs while the interpreter is taken down may crash the process: it ends first, with what it was doing."""

    def cancel_all() -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.call_later(0, loop.stop)

    if thread.is_alive():
        loop.call_soon_threadsafe(cancel_all)
        thread.join(END_SECONDS)


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


def begin(coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T] | None":
    """Runs the coroutine here and now until it waits for something, and makes a task of the rest; None where it has ended without. For
    what hardly ever waits and is done a thousand times a second: a task costs more than sending a frame. (Python 3.12 has eager tasks.)"""
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_go_on(coroutine, waits_for))


@types.coroutine
def _go_on(coroutine: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """What a coroutine that was begun by hand still does."""
    while True:
        try:
            answer = yield waits_for
        except BaseException as error:
            step = functools.partial(coroutine.throw, error)
        else:
            step = functools.partial(coroutine.send, answer)
        try:
            waits_for = step()
        except StopIteration as end:
            return end.value


def run(coroutine: Coroutine[Any, Any, T], *, timeout: float | None = None) -> T:
    """Runs the coroutine on the background loop and waits for what it returns. Never call it on that loop."""
    return submit(coroutine).result(timeout)


async def in_thread(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Runs synchronous code that asks PostgreSQL, for a coroutine. The code must bear being run twice.

    The threads keep their connections: fetching one from the pool, wiping it and giving it back are round trips of their own. The
    tenant is told before each statement where it differs (tenants/database), so that none is left over for the next.
    """
    context = contextvars.copy_context()
    work = functools.partial(context.run, _kept, functools.partial(function, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(_threads, work)


def _kept(work: Callable[[], T]) -> T:
    began = time.monotonic()
    try:
        return work()
    except (InterfaceError, OperationalError):
        connections.close_all()
        if time.monotonic() - began > AT_ONCE_SECONDS:
            raise  # PostgreSQL is away
        return work()  # the kept connection was one that died while nobody used it: once more, with a new one
    except BaseException:
        connections.close_all()
        raise


def gate() -> asyncio.Semaphore:
    """What a burst queues at, on this event loop, before it asks a store: a thousand at once would all be late, and time out."""
    running = asyncio.get_running_loop()
    found = _gates.get(running)
    if found is None:
        found = _gates[running] = asyncio.Semaphore(AT_ONCE)
    return found


def _copy_into(result: "concurrent.futures.Future[T]"):
    def copy(task: "asyncio.Task[T]") -> None:
        if task.cancelled():
            result.cancel()
        elif (error := task.exception()) is not None:
            result.set_exception(error)
        else:
            result.set_result(task.result())

    return copy
