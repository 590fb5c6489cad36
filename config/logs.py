"""What logs must not say."""

import re
from collections.abc import MutableMapping
from typing import Any

# The secret in the address of a shared copy: whoever has it can open that.
_TOKEN = re.compile(r"(/s/)[\w-]{16,}")
# What a platform sends a browser back with, and what it is asked with.
_GIVEN = re.compile(r"([?&](?:code|state|code_verifier|access_token|refresh_token|fb_exchange_token|token)=)[^&\s\"'>]+")


def mask_tokens(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: the address of a shared copy loses its token, and any address what a platform put there."""
    for name, value in event.items():
        if isinstance(value, str) and "/s/" in value:
            event[name] = value = _TOKEN.sub(r"\1…", value)
        if isinstance(value, str) and "=" in value:
            event[name] = _GIVEN.sub(r"\1…", value)
    return event
