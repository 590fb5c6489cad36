"""How the keys are written that secrets are sealed with: `FIELD_ENCRYPTION_KEYS`, read at start-up. `integrations/crypto.py` uses them."""

import base64
import binascii
import re

KEY_BYTES = 32

_ID = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")


def read(written: list[str]) -> dict[str, bytes]:
    """`id:32 bytes in base64`, the newest first. Raises ValueError with a sentence, which tells nothing of a key."""
    keys: dict[str, bytes] = {}
    for place, entry in enumerate(written, start=1):
        key_id, colon, text = entry.strip().partition(":")
        if not colon or not _ID.match(key_id):
            raise ValueError(f"entry {place} is not an id (letters, digits, - and _), a colon and 32 bytes in base64.")
        if key_id in keys:
            raise ValueError(f"two keys have the id {key_id}. Give each its own.")
        try:
            keys[key_id] = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise ValueError(f"the key {key_id} is not written in base64.") from None
        if len(keys[key_id]) != KEY_BYTES:
            raise ValueError(f"the key {key_id} has {len(keys[key_id])} bytes and needs {KEY_BYTES}.")
    return keys
