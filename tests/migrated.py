"""PostgreSQL with all migrations, made once for the test processes of a run, while these still collect their tests; each takes a copy.

    python -m tests.migrated FOLDER

Nothing is kept for another run, so nothing can be out of date. Where it could not be made, each process migrates for itself.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.db import connections
from django.test.utils import setup_databases

from config import local_services

VARIABLE = "MIGRATED"  # tells the test processes the folder
MEMORY = "/dev/shm"


@contextmanager
def being_made() -> Iterator[None]:
    """Starts to make it, and removes it at the end. In the process that starts those with tests."""
    base = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=local_services.THROWAWAY_PREFIX, dir=base, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # PostgreSQL may run as another user
        used, making = (local_services.take_lock(Path(folder, name)) for name in ("lock", "making"))
        maker = subprocess.Popen([sys.executable, "-m", "tests.migrated", folder], pass_fds=[making], stdin=subprocess.DEVNULL)
        os.close(making)  # held by the maker from now on, as long as it lives
        os.environ[VARIABLE] = folder
        try:
            yield
        finally:
            maker.terminate()
            maker.wait()
            os.close(used)


def copy_to(postgres: local_services.Postgres) -> None:
    """Gives this server the migrated databases in place of its empty ones, as soon as they are there."""
    if not (folder := os.environ.get(VARIABLE)):
        return
    with Path(folder, "making").open() as making:
        fcntl.flock(making, fcntl.LOCK_SH)
        if not Path(folder, "made").exists():
            return
        postgres.stop()
        shutil.rmtree(postgres.data)
        subprocess.run(["cp", "-a", Path(folder, postgres.name), postgres.data], check=True)
        postgres.start()


def make(folder: Path) -> None:
    services = local_services.LocalServices(root=folder, durable=False, without=frozenset({"REDIS_URL", "MONGODB_URI"}))
    services.start()
    os.environ.update(services.environment)
    django.setup()
    setup_databases(verbosity=0, interactive=False, keepdb=True)
    connections.close_all()
    if services.stop():
        Path(folder, "made").touch()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
