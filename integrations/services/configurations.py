"""What a bridge answers with now: the version that is published, with the keys of its models.

Each process keeps what it read, keys too, in its own memory, and forgets it when PostgreSQL tells that something of the organization's
configuration changed (`tenants.changes`). While PostgreSQL cannot tell, it is read again after `UNTOLD_SECONDS`. Redis keeps contents,
which carry no secrets, for processes that have not read them yet.
"""

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from config import loop, redis
from integrations import cache, crypto
from integrations.errors import ModelsGone, NoSuchBridge
from integrations.models import Bridge, BridgeVersion, ModelConfiguration
from integrations.providers.base import Target
from tenants import changes, scoping

CHANNEL = "configurations_changed"  # of the triggers of `integrations.models.configuration`
UNTOLD_SECONDS = 1.5  # a change is live within two, however it becomes known
KEPT_SECONDS = 300.0
KEPT_LIMIT = 5_000  # bridges in a process's memory
NUMBER = re.compile(r"[1-9][0-9]{0,8}\Z")


@dataclass(frozen=True, slots=True)
class LiveBridge:
    """A bridge as it answers now. `content` is the version's (`BridgeVersion`); `targets` are its models, the preferred one first; none
    means the platform's model."""

    id: str
    organization_id: str
    slug: str
    version_id: str
    number: int
    content: Mapping[str, Any]
    targets: tuple[Target, ...]


_kept: dict[tuple[str, str, str], tuple[LiveBridge, float]] = {}


def published(organization_id: Any, slug: str, *, label: str = "") -> LiveBridge:
    """The version that a program's `model` means: the published one of `slug`, or with a label the one that has it. Raises NoSuchBridge.

    From memory where that is up to date; else it causes queries.
    """
    organization_id = scoping.tenant_key(organization_id)
    return _remembered(organization_id, slug, label) or _read(organization_id, slug, label)


async def live_bridge(organization_id: Any, slug: str, *, label: str = "") -> LiveBridge:
    """The same, for a coroutine."""
    organization_id = scoping.tenant_key(organization_id)
    found = _remembered(organization_id, slug, label)
    return found if found is not None else await loop.in_thread(_read, organization_id, slug, label)


def named(model: str) -> tuple[str, str]:
    """The slug and the label that a program's `model` names: `slug`, `slug:label`, or `slug@3` for the version of that number."""
    slug, at, number = model.partition("@")
    return (slug, at + number) if at else (model.partition(":")[0], model.partition(":")[2])


def forget() -> None:
    """The next question is answered from the stores."""
    _kept.clear()


def live(bridge: Bridge, version: BridgeVersion) -> LiveBridge:
    """A version of a bridge with today's keys: a key that was changed counts at once, for the server that it was given for.

    Raises ModelsGone where none of the version's models is left.
    """
    return with_keys(bridge, version.content, version_id=str(version.id), number=version.number)


def with_keys(bridge: Bridge, content: Mapping[str, Any], *, version_id: str = "", number: int = 0) -> LiveBridge:
    """The same for any content, as a draft's that is tried."""
    models: list[Mapping[str, Any]] = content.get("models", [])
    wanted = [uuid.UUID(model["id"]) for model in models]
    rows = ModelConfiguration.objects.for_tenant(bridge.organization_id).filter(id__in=wanted, is_active=True) if wanted else ()
    kept = {str(row.id): row for row in rows}
    if wanted and not kept:
        raise ModelsGone(bridge.slug)  # no targets would mean the platform's model, which nobody chose
    return LiveBridge(
        id=str(bridge.id),
        organization_id=str(bridge.organization_id),
        slug=bridge.slug,
        version_id=version_id,
        number=number,
        content=content,
        targets=tuple(_target(model, kept[model["id"]]) for model in models if model["id"] in kept),
    )


def _remembered(organization_id: str, slug: str, label: str) -> LiveBridge | None:
    found = _kept.get((organization_id, slug, label))
    if found is None:
        return None
    bridge, read_at = found
    age = time.time() - read_at
    told = changes.of_process().is_current(organization_id, read_at=read_at, channel=CHANNEL, skew=0.0)
    # What PostgreSQL did not tell of is believed for a moment, what it told of not at all.
    untold = not changes.of_process().hears and age < UNTOLD_SECONDS
    return bridge if (told or untold) and 0 <= age < KEPT_SECONDS else None


def _read(organization_id: str, slug: str, label: str) -> LiveBridge:
    read_at = time.time()
    with scoping.tenant(organization_id):
        bridge = Bridge.objects.for_tenant(organization_id).filter(slug=slug, is_active=True).first()
        if bridge is None:
            raise NoSuchBridge(slug)
        versions = BridgeVersion.objects.for_tenant(organization_id).filter(bridge=bridge)
        version = versions.filter(**_meant(bridge, label)).defer("content").first()
        if version is None:
            raise NoSuchBridge(f"{slug}:{label}".replace(":@", "@") if label else slug)
        content = version.content if label else _content(organization_id, bridge, version)
        found = with_keys(bridge, content, version_id=str(version.id), number=version.number)
    if len(_kept) >= KEPT_LIMIT:
        _kept.clear()
    _kept[organization_id, slug, label] = found, read_at
    return found


def _meant(bridge: Bridge, label: str) -> dict[str, Any]:
    if not label:
        return {"pk": bridge.published_id}
    number = label.removeprefix("@")
    if number == label:
        return {"label": label}
    return {"number": int(number) if NUMBER.match(number) else 0}


def _content(organization_id: str, bridge: Bridge, version: BridgeVersion) -> dict[str, Any]:
    """A published version's content, from Redis if it is there."""
    key, version_id = cache.config(organization_id, str(bridge.id)), str(version.id)
    try:
        raw = redis.client().get(key)
    except redis.AWAY:
        return version.content
    found = orjson.loads(raw) if isinstance(raw, bytes) else {}
    if found.get("version") == version_id:
        return found["content"]
    try:
        redis.client().set(key, orjson.dumps({"version": version_id, "content": version.content}), ex=cache.CONFIG_TTL)
    except redis.AWAY:
        pass
    return version.content


def _target(model: Mapping[str, Any], kept: ModelConfiguration) -> Target:
    same_server = model["base_url"] == kept.base_url
    return Target(
        service=model["service"],
        model=model["model"],
        base_url=model["base_url"],
        key=crypto.take(kept, "apikey") if same_server else "",
        parameters=model.get("configuration", {}),
        takes_pictures=model.get("takes_pictures", False),
    )
