"""What logs must not say."""

import re
from collections.abc import MutableMapping
from typing import Any

# The secret in the address of a shared copy: whoever has it can open that.
_TOKEN = re.compile(r"(/s/)[\w-]{16,}")


def mask_tokens(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: whatever looks like the address of a shared copy loses its token."""
    for name, value in event.items():
        if isinstance(value, str) and "/s/" in value:
            event[name] = _TOKEN.sub(r"\1…", value)
    return event
