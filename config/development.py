"""What `manage.py` knows before Django reads the settings, so that commands need no variables on a developer's machine.

`manage.py up` writes where its servers are to `DATA_DIR/environment`; while it runs, `manage.py create_api_key …` in another
terminal finds them there. Nothing here acts on a process that was not started through `manage.py`, nor where SECRET_KEY is set.
"""

import fcntl
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from dotenv import dotenv_values

BASE_DIR = Path(__file__).resolve().parent.parent
ADDRESSES = "environment"  # the file's name in the data folder
# What a command must share with the running processes to meet them.
SHARED = ("DEBUG", "DATABASE_URL", "MONGODB_URI", "REDIS_URL", "CELERY_BROKER_URL", "OPENAI_BASE_URL", "OPENAI_MODEL", "OPENAI_API_KEY")


def data_directory(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("DATA_DIR") or BASE_DIR / ".local").resolve()


def adopt(arguments: Sequence[str], *, environment: MutableMapping[str, str]) -> None:
    """Completes `environment` for the command in `arguments` (as `sys.argv`); a value that is set always wins."""
    for name, value in dotenv_values(BASE_DIR / ".env").items():
        if value is not None:
            environment.setdefault(name, value)
    if arguments[1:2] == ["up"]:
        environment.setdefault("DEBUG", "true")
    elif not environment.get("SECRET_KEY") and is_running(data_directory(environment)):
        for name, value in dotenv_values(data_directory(environment) / ADDRESSES, interpolate=False).items():
            if value is not None:
                environment.setdefault(name, value)


def is_running(folder: Path) -> bool:
    """True while a supervisor holds the folder's lock; what a killed one wrote must not be believed."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def publish(folder: Path, *, environment: Mapping[str, str]) -> None:
    """Writes the addresses for `adopt`, readable by this user alone."""
    quoted = {name: environment[name].replace("\\", "\\\\").replace("'", "\\'") for name in SHARED if environment.get(name)}
    lines = [f"{name}='{value}'\n" for name, value in quoted.items()]
    path = folder / ADDRESSES
    path.touch(mode=0o600)
    path.write_text("".join(lines))


def withdraw(folder: Path) -> None:
    (folder / ADDRESSES).unlink(missing_ok=True)
