"""Every Redis key of integrations', with its type and its time to live. Everything here may vanish at any second (D7)."""

CONFIG_TTL = 1_800


def config(organization_id: str, bridge_id: str) -> str:
    """String: the content of the version that a bridge was published as, as JSON {version, content} (S2-44), without keys or secrets.
    CONFIG_TTL. Whoever reads it knows which version they want, so that an old one is never taken for it."""
    return f"config_cache:{organization_id}:{bridge_id}"


ANSWER_BYTES = 256 * 1024  # a longer answer is not kept


def answer(organization_id: str, *, bridge: str, version: str, digest: str) -> str:
    """String: an answer with its owner, as JSON (D5). The bridge's `cache_seconds`. Chat's own answers stand beside it."""
    return f"chat:ai-cache:{organization_id}:{bridge}:{version}:{digest}"
