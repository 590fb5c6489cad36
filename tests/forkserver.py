"""A process that has imported all that a web process, a worker or a command imports, and forks for each that shall start.
`tests/forks.py` asks it.

    python -m tests.forkserver PROGRAM DESCRIPTOR        # one of MODULES, and the socket on which it is asked

It opens nothing and starts no thread. A fork takes over what its start has of its own, and then runs the very module that the command
line names. Where nobody can ask any more the server ends, and the kernel tells its forks to.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading

import django
from django.conf import settings
from django.core.checks import run_checks
from django.utils.module_loading import autodiscover_modules

import config.settings
from config import failpoints, mongo

MODULES = {
    "uvicorn": (
        *("uvicorn.main", "uvicorn.loops.uvloop", "uvicorn.lifespan.on", "uvicorn.protocols.http.httptools_impl"),
        *("uvicorn.protocols.websockets.websockets_sansio_impl", "config.asgi", "config.urls"),
    ),
    "celery": (
        *("celery.bin.celery", "celery.apps.worker", "celery.concurrency.thread", "celery.contrib.django.task", "celery.worker.components"),
        *("celery.worker.consumer", "kombu.transport.redis", "config.celery", "genai_prices.data"),
    ),
    "django": ("django.core.management",),
    "tests.faults.budget_caller": ("integrations.services.budgets",),
}
CHECK = ("celery", "django")  # those that let Django check itself as they start, and so import the pages
LONGEST, MOST = 1 << 17, 3  # bytes of a request, and open files that come with it
PR_SET_PDEATHSIG = 1


def load(program: str) -> None:
    """Imports what the program does until it is ready. MongoDB's client has threads, which a fork would miss: each makes its own."""
    connect, mongo.connect = mongo.connect, lambda: None
    django.setup()
    mongo.connect = connect
    for name in MODULES[program]:
        importlib.import_module(name)
    if program == "celery":
        autodiscover_modules("tasks")
    if program in CHECK:
        run_checks()
    assert threading.active_count() == 1, f"A fork would miss {threading.enumerate()[1:]}."
    gc.collect()
    gc.freeze()


class Server:
    def __init__(self, asked: socket.socket) -> None:
        self.asked = asked
        self.pid = os.getpid()
        self.waiting = selectors.DefaultSelector()
        self.waiting.register(asked, selectors.EVENT_READ)
        self.forks: dict[int, tuple[int, int]] = {}  # by the descriptor of each process: its number, and where its end is told

    def serve(self) -> list[str]:
        """Returns in forks only: the arguments of `python -m`."""
        while True:
            for key, _ in self.waiting.select():
                if key.fd in self.forks:
                    self.tell_end(key.fd)
                elif arguments := self.fork():
                    return arguments

    def tell_end(self, process: int) -> None:
        self.waiting.unregister(process)
        pid, says = self.forks.pop(process)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(says, b"ended %d\n" % os.waitstatus_to_exitcode(status))
        os.close(says)
        os.close(process)

    def fork(self) -> list[str]:
        request, files, _, _ = socket.recv_fds(self.asked, LONGEST, MOST, socket.MSG_CMSG_CLOEXEC)
        if not request:
            sys.exit()
        says, output, *listener = files
        if pid := os.fork():
            process = os.pidfd_open(pid)
            self.forks[process] = pid, says
            self.waiting.register(process, selectors.EVENT_READ)
            for file in (output, *listener):
                os.close(file)
            return []
        self.leave()
        start = json.loads(request)
        arguments = start["arguments"]
        if listener:  # which has another number here
            arguments[arguments.index("--fd") + 1] = str(listener[0])
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        take_over(start["environment"])
        os.write(says, b"runs %d\n" % os.getpid())
        os.close(says)
        return arguments

    def leave(self) -> None:
        """A fork is a session of its own, and has nothing of the server's but what was imported. It dies with the server."""
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != self.pid:
            sys.exit()
        self.waiting.close()
        self.asked.close()
        for process, (_, says) in self.forks.items():
            os.close(process)
            os.close(says)


def take_over(environment: dict[str, str]) -> None:
    """What was read from the environment as the modules were imported is read again."""
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(failpoints)  # in place: who imported its functions has the new ones' variables
    fresh = importlib.reload(config.settings)
    for name in filter(str.isupper, dir(fresh)):
        if getattr(settings, name) != getattr(fresh, name):
            setattr(settings, name, getattr(fresh, name))
    mongo.connect()


if __name__ == "__main__":
    program, descriptor = sys.argv[1:]
    load(program)
    sys.argv[1:] = Server(socket.socket(fileno=int(descriptor))).serve()
    runpy.run_module(program, run_name="__main__", alter_sys=True)
