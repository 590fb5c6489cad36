"""A pytest plugin, loaded before Django's settings are: real PostgreSQL, MongoDB and Valkey, one throw-away set for each test process.

With pytest-xdist every worker has its own three servers, so a test may kill one. Where a store's URL is set, that server is used.
"""

import contextlib
import os
import sys

from config import local_services
from tests import mongo_commands

# Registers with PyMongo as it is imported, before there is a client.
assert mongo_commands.watcher
_stack = contextlib.ExitStack()
services: local_services.LocalServices | None = None


def _only_distributes() -> bool:
    """True in the process that hands tests to pytest-xdist's workers and runs none itself."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return False
    return any(argument.startswith(("-n", "--numprocesses")) and argument not in ("-n0", "-n=0") for argument in sys.argv)


def pytest_configure(config) -> None:
    config.addinivalue_line("markers", "faults: kills processes or stores for real")


def pytest_unconfigure(config) -> None:
    _stack.close()


os.environ.setdefault("DEBUG", "1")
for _name in ("AI_TITLES", "AI_ANALYSES", "AI_MEMORY", "AI_ANSWER_CACHE"):
    os.environ[_name] = "false"  # tests count the calls to providers; those of titles switch them on, and so on
os.environ["LOG_LEVEL"] = "WARNING"  # three lines of each request, each written three times, take 0.8 ms of it
os.environ["OFFLINE_WORDS_PER_SECOND"] = "400"  # several pieces still, and nobody reads along
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
for _name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "EMAIL_URL"):
    os.environ.pop(_name, None)

if not _only_distributes():
    services = _stack.enter_context(local_services.throwaway())
    os.environ.update(services.environment)
    os.environ["DATA_DIR"] = str(services.root / "data")
