"""Versions of a bridge: a draft is frozen into one when it is published; an earlier one goes live again; two are compared.

What programs are answered with changes with `Bridge.published` alone, after the commit, in every process (`configurations`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from integrations import access, drafts
from integrations.choices import ChangeType
from integrations.models import ApiCall, Bridge, BridgeVersion, ModelConfiguration, PromptVersion
from integrations.services import settings
from integrations.tools import OFFERED
from tenants import roles
from tenants.errors import NotFound
from tenants.models import Membership

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
NOTE_LIMIT = 500
LINES_LIMIT = 2_000  # of a text; a longer one is shown as replaced
AROUND = 3  # lines shown before and after a changed one


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text: `sign` is "+" where it came, "-" where it went, " " where it stayed, "…" where some were left out."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs. `lines` are there for prompts."""

    field: str
    before: Any
    after: Any
    lines: tuple[Line, ...] = ()


def publish(bridge: Bridge, membership: Membership, *, note: str = "") -> tuple[BridgeVersion, bool]:
    """Freezes the draft into a version that is live at once, and whether there was anything to publish: where the draft is as the
    published version is, that one is given and nothing changes. Raises `Forbidden` and `ValidationError`."""
    roles.require(membership, access.PUBLISH)
    if len(note) > NOTE_LIMIT:
        raise ValidationError({"note": f"A note has {NOTE_LIMIT} characters at most."})
    with transaction.atomic():
        bridge = _locked(bridge)
        drafts.check(bridge)
        content = content_of(bridge)
        live = bridge.published
        if live is not None and live.content == content:
            return live, False
        version = BridgeVersion.objects.for_tenant(bridge.organization_id).create(
            bridge=bridge,
            number=(_versions(bridge).aggregate(last=Max("number"))["last"] or 0) + 1,
            note=note.strip(),
            content=content,
            prompt=_prompt(bridge),
            created_by_id=membership.user_id,
        )
        _go_live(bridge, version)
        settings.record(
            bridge, membership.user_id, ChangeType.PUBLISHED, version=version, changes={"version": [live and live.number, version.number]}
        )
    return version, True


def roll_back(bridge: Bridge, membership: Membership, *, number: int) -> tuple[BridgeVersion, bool]:
    """Makes this version the live one again, and whether it was not already. The draft stays as it is."""
    roles.require(membership, access.PUBLISH)
    with transaction.atomic():
        bridge = _locked(bridge)
        version = numbered(bridge, number)
        live = bridge.published
        if live == version:
            return version, False
        _go_live(bridge, version)
        settings.record(
            bridge, membership.user_id, ChangeType.ROLLED_BACK, version=version, changes={"version": [live and live.number, version.number]}
        )
    return version, True


def label(bridge: Bridge, membership: Membership, *, number: int, label: str) -> BridgeVersion:
    """Names a version; who calls `slug:label` gets it from now on. The version that had the label loses it; "" takes it away."""
    roles.require(membership, access.PUBLISH)
    if label and (not LABEL.match(label) or len(label) > 63):
        raise ValidationError({"label": "Use lower-case letters, digits and hyphens, none at the ends, 63 at most."})
    with transaction.atomic():
        bridge = _locked(bridge)
        version = numbered(bridge, number)
        if version.label == label:
            return version
        if label:
            _versions(bridge).filter(label=label).update(label="")
        before, version.label = version.label, label
        version.save(update_fields=["label"])
        settings.record(bridge, membership.user_id, ChangeType.LABELLED, version=version, changes={"label": [before, label]})
    return version


def numbered(bridge: Bridge, number: int) -> BridgeVersion:
    """The bridge's version of this number. Raises `NotFound`."""
    found = _versions(bridge).filter(number=number).select_related("created_by").first() if 0 < number < 2**31 else None
    if found is None:
        raise NotFound(f"The bridge {bridge.name} has no version {number}.")
    return found


def content_of(bridge: Bridge) -> dict[str, Any]:
    """The draft as a version's content. Keys and secret headers are not in it. Causes queries."""
    wanted = ([bridge.model_configuration_id] if bridge.model_configuration_id else []) + list(bridge.fallbacks)
    kept = {row.id: row for row in ModelConfiguration.objects.for_tenant(bridge.organization_id).filter(id__in=wanted)}
    tools = {row.name: row for row in ApiCall.objects.for_tenant(bridge.organization_id).filter(name__in=bridge.api_endpoints)}
    template = bridge.template
    return {
        "system_prompt": bridge.system_prompt,
        "variables": bridge.variables,
        "template": template and {"name": template.name, "text": template.text, "variables": template.variables},
        "response_schema": bridge.response_schema,
        "is_api_call": bridge.is_api_call,
        "tools": [_tool(tools[name]) for name in bridge.api_endpoints if name in tools],
        "offered": [name for name in bridge.api_endpoints if name not in tools and name in OFFERED],
        "api_call": bridge.api_call,
        "configuration": bridge.configuration,
        "default_questions": bridge.default_questions,
        "actions": bridge.actions,
        "response_ids": bridge.response_ids,
        "cache_seconds": bridge.cache_seconds,
        "models": [model_content(kept[each]) for each in wanted if each in kept],
    }


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What differs between two contents, field by field; prompts line by line."""
    found = []
    for field in dict.fromkeys([*before, *after]):
        old, new = before.get(field), after.get(field)
        if old == new:
            continue
        lines: tuple[Line, ...] = ()
        if field == "system_prompt":
            lines = _lines(old or "", new or "")
        elif field == "template":
            lines = _lines((old or {}).get("text", ""), (new or {}).get("text", ""))
        found.append(Difference(field, old, new, lines))
    return found


def _lines(before: str, after: str) -> tuple[Line, ...]:
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > LINES_LIMIT:
        return (*(Line("-", text) for text in old), *(Line("+", text) for text in new))
    found: list[Line] = []
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(AROUND):
        if found or group[0][1]:
            found.append(Line("…", ""))
        for what, first, last, start, end in group:
            if what == "equal":
                found += [Line(" ", text) for text in old[first:last]]
            else:
                found += [Line("-", text) for text in old[first:last]] + [Line("+", text) for text in new[start:end]]
    return tuple(found)


def _tool(row: ApiCall) -> dict[str, Any]:
    names = ("name", "description", "parameters", "method", "url", "headers")
    return {"id": str(row.id), **{name: getattr(row, name) for name in names}}


def model_content(row: ModelConfiguration) -> dict[str, Any]:
    """A model as a version keeps it, without its key."""
    names = ("service", "model", "base_url", "configuration", "takes_pictures")
    return {"id": str(row.id), **{name: getattr(row, name) for name in names}}


def _prompt(bridge: Bridge) -> PromptVersion:
    """The prompt as it stands: the same row as the last version's where nothing was changed."""
    prompts = PromptVersion.objects.for_tenant(bridge.organization_id)
    last = prompts.filter(bridge=bridge).order_by("-id").first()
    if last is not None and last.system_prompt == bridge.system_prompt:
        return last
    return prompts.create(bridge=bridge, system_prompt=bridge.system_prompt)


def _locked(bridge: Bridge) -> Bridge:
    """The bridge as it stands now, which nobody else publishes meanwhile. Raises `NotFound`."""
    found = Bridge.objects.for_tenant(bridge.organization_id).select_for_update(of=("self",)).filter(pk=bridge.pk).first()
    if found is None:
        raise NotFound("This bridge is gone.")
    return found


def _go_live(bridge: Bridge, version: BridgeVersion) -> None:
    bridge.published = version
    bridge.save(update_fields=["published", "updated_at"])


def _versions(bridge: Bridge) -> Any:
    return BridgeVersion.objects.for_tenant(bridge.organization_id).filter(bridge=bridge)
