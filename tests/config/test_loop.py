"""The loop of a process's own ends before the interpreter is taken down; what is begun by hand is a task only where it waits."""

import asyncio
import subprocess
import sys

import pytest

from config import loop
from config.settings import BASE_DIR

PROGRAM = """
import asyncio, atexit, threading, time
atexit.register(lambda: print("then", [thread.name for thread in threading.enumerate() if thread.name == "parley-loop"]))
from config import loop

async def forever():
    try:
        while True:
            await asyncio.sleep(0.001)
    finally:
        print("cancelled")

loop.submit(forever())
time.sleep(0.1)
print("end of the program")
"""


def test_it_is_gone_with_all_it_was_doing():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=BASE_DIR, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["end of the program", "cancelled", "then []"]


async def test_what_waits_for_nothing_is_done_when_it_was_begun():
    done = []

    async def work() -> None:
        done.append("done")

    assert loop.begin(work()) is None
    assert done == ["done"]


async def test_what_waits_goes_on_as_a_task():
    ready, done = asyncio.Event(), []

    async def work() -> str:
        done.append("begun")
        await ready.wait()
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        except TimeoutError:
            done.append("too late")
        return "ended"

    task = loop.begin(work())
    assert (done, task and task.done()) == (["begun"], False)
    ready.set()
    assert await task == "ended"
    assert done == ["begun", "too late"]


async def test_what_fails_or_is_cancelled_while_it_waits_says_so():
    async def work(ready: asyncio.Event) -> None:
        await ready.wait()
        raise ValueError("no")

    ready = asyncio.Event()
    failing = loop.begin(work(ready))
    ready.set()
    with pytest.raises(ValueError, match="no"):
        await failing
    cancelled = loop.begin(work(asyncio.Event()))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
