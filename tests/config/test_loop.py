"""The loop of a process's own ends before the interpreter is taken down."""

import subprocess
import sys

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
