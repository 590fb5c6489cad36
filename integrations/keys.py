"""What integrations keep in Redis: every key, with how long it lives. All of it may vanish at any second (D7)."""

CONNECTING_SECONDS = 600  # from "Connect" until the platform sends the browser back


def connecting(state_hash: str) -> str:
    """What a browser has begun to connect: for whom, what, and the verifier, sealed. The first that comes back with the state takes it."""
    return f"connections:connecting:{state_hash}"


LIMIT_SECONDS = 60


def limit(organization_id: str, endpoint: str) -> str:
    """String: calls of an organization to an endpoint in this window (S2-41). LIMIT_SECONDS."""
    return f"rate_limit:{organization_id}:{endpoint}"


def thread_limit(organization_id: str, thread_id: str) -> str:
    """String: calls within a thread in this window (S2-42), which is named within its organization: another's of that name is another.
    LIMIT_SECONDS."""
    return f"rate_limit:{organization_id}:thread:{thread_id}"
