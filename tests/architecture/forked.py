"""Imported by a fork in place of the application: says what it is made of, waits where its environment says so, and ends with a code."""

import json
import os
import random
import secrets
import socket
import sys
import tempfile
import time
import uuid

import bson
import uuid_utils.compat
from django.conf import settings

from config import failpoints

sys.stdout.write(
    json.dumps(
        {
            "random": random.random(),
            "secrets": secrets.token_hex(),
            "uuid4": uuid.uuid4().hex,
            "uuid7": uuid_utils.compat.uuid7().hex[-12:],
            "objectid": str(bson.ObjectId())[8:18],
            "tempfile": next(tempfile._get_candidate_names()),
            "pid": os.getpid(),
            "session": os.getsid(0),
            "settings": [settings.ANSWERS_PER_WORKER, settings.OPENAI_BASE_URL],
            "failpoints": [failpoints._wanted, failpoints._file, failpoints._log],
            "environment": dict(os.environ),
            "listens": socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1])).getsockname()[1],
        }
    )
    + "\n"
)
sys.stdout.flush()
if os.environ["READY_FILE"] == "wait":
    time.sleep(60)
sys.exit(7)
