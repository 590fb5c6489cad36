"""Lists of what an organization configures, in the API's shape. Secrets are told of, never shown."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet

from integrations import access, crypto
from integrations.models import ApiCall, Bridge, BridgeChange, BridgeVersion, Chatbot, ModelConfiguration, PromptVersion, Template, Trial
from integrations.services import versions
from tenants import selectors
from tenants.models import Membership
from tenants.scoping import TenantModel
from tenants.selectors import Cursor, Page

Row = dict[str, Any]
VERSION_COLUMNS = ("id", "number", "label", "note", "created_at", "created_by_id", "created_by__first_name", "created_by__last_name")
CHANGE_COLUMNS = ("id", "type", "time", "version_id", "changes", "user_id", "user__first_name", "user__last_name")


def listed(
    model: type[TenantModel], membership: Membership, *, q: str = "", cursor: Cursor | None = None, limit: int, **where: Any
) -> Page:
    """The organization's rows of a table, by name. Raises `Forbidden`."""
    rows = access.listed(model, membership).filter(**where)
    keys = ("title", "id") if model is Chatbot else ("name", "id")
    for word in q.split():
        rows = rows.filter(**{f"{keys[0]}__icontains": word})
    return selectors.paged(rows, keys=keys, columns=_columns(model), show=_SHOWN[model], cursor=cursor, limit=limit)


def one(row: TenantModel) -> Row:
    """A row in the API's shape. Causes a query."""
    model = type(row)
    return _SHOWN[model](model.objects.for_tenant(row.organization_id).values(*_columns(model)).get(pk=row.pk))  # type: ignore[attr-defined]


def versions_of(bridge: Bridge, *, cursor: Cursor | None = None, limit: int) -> Page:
    """A bridge's versions, newest first, without their contents."""
    rows = BridgeVersion.objects.for_tenant(bridge.organization_id).filter(bridge=bridge)
    return _newest(rows, VERSION_COLUMNS, key="number", show=lambda row: _version(row, bridge), cursor=cursor, limit=limit)


def version(bridge: Bridge, found: BridgeVersion) -> Row:
    """A version with its content."""
    row = BridgeVersion.objects.for_tenant(bridge.organization_id).values(*VERSION_COLUMNS, "content", "prompt_id").get(pk=found.pk)
    return {**_version(row, bridge), "prompt": row["prompt_id"], "content": row["content"]}


def changes_of(bridge: Bridge, *, cursor: Cursor | None = None, limit: int) -> Page:
    """Who changed what of a bridge, newest first."""
    rows = BridgeChange.objects.for_tenant(bridge.organization_id).filter(bridge_id=bridge.id)
    return _newest(rows, CHANGE_COLUMNS, key="id", show=_change, cursor=cursor, limit=limit)


def prompts(membership: Membership, *, bridge: Bridge | None = None, cursor: Cursor | None = None, limit: int) -> Page:
    """System prompts as they stood in versions, newest first. Raises `Forbidden`."""
    access.listed(Bridge, membership)
    rows = PromptVersion.objects.for_tenant(membership.organization_id)
    if bridge is not None:
        rows = rows.filter(bridge=bridge)
    return _newest(rows, PROMPT_COLUMNS, key="id", show=_prompt, cursor=cursor, limit=limit)


PROMPT_COLUMNS = ("id", "system_prompt", "created_at", "bridge__slug")


def one_prompt(membership: Membership, prompt_id: int) -> Row | None:
    """Raises `Forbidden`."""
    access.listed(Bridge, membership)
    row = PromptVersion.objects.for_tenant(membership.organization_id).filter(pk=prompt_id).values(*PROMPT_COLUMNS).first()
    return row and _prompt(row)


def differences(bridge: Bridge, after: Mapping[str, Any], *, against: BridgeVersion | None) -> list[Row]:
    """What differs from a version, or from the draft where none is named, to `after`."""
    before = versions.content_of(bridge) if against is None else against.content
    return [
        {
            "field": each.field,
            "before": each.before,
            "after": each.after,
            "lines": [{"sign": line.sign, "text": line.text} for line in each.lines],
        }
        for each in versions.diff(before, after)
    ]


# Shapes ----------------------------------------------------------------------------------------------------------------


def _columns(model: type[TenantModel]) -> list[str]:
    """Everything that people see, and the sealed column, of which only is told that it is there."""
    hidden = {"organization", "created_by", "updated_by", "published"}
    more = ["published__number"] if model is Bridge else []
    return [field.attname for field in model._meta.concrete_fields if field.name not in hidden] + more


def _shown(row: Row, model: type[TenantModel]) -> Row:
    found: Row = {}
    for field in model._meta.concrete_fields:
        if field.attname in row:
            value = row[field.attname]
            found[field.name] = bool(value) if isinstance(field, crypto.SecretField) else value
    return found


def _model_configuration(row: Row) -> Row:
    shown = _shown(row, ModelConfiguration)
    shown["has_key"] = shown.pop("apikey")
    return shown


def _api_call(row: Row) -> Row:
    shown = _shown(row, ApiCall)
    shown["has_secret_headers"] = shown.pop("secret_headers")
    return shown


def _bridge(row: Row) -> Row:
    return {**_shown(row, Bridge), "published": row["published__number"]}


_SHOWN: Mapping[type[TenantModel], Callable[[Row], Row]] = {
    Bridge: _bridge,
    ModelConfiguration: _model_configuration,
    ApiCall: _api_call,
    Template: lambda row: _shown(row, Template),
    Chatbot: lambda row: _shown(row, Chatbot),
    Trial: lambda row: _shown(row, Trial),
}


def _version(row: Row, bridge: Bridge) -> Row:
    return {
        "id": row["id"],
        "number": row["number"],
        "label": row["label"],
        "note": row["note"],
        "is_published": row["id"] == bridge.published_id,
        "created_at": row["created_at"],
        "created_by": _person(row, "created_by"),
    }


def _change(row: Row) -> Row:
    shown = {name: row[name] for name in ("id", "type", "time", "version_id", "changes")}
    return {**shown, "user": _person(row, "user")}


def _prompt(row: Row) -> Row:
    return {"id": row["id"], "bridge": row["bridge__slug"], "system_prompt": row["system_prompt"], "created_at": row["created_at"]}


def _person(row: Row, name: str) -> Row | None:
    if row[f"{name}_id"] is None:
        return None
    return {"id": row[f"{name}_id"], "name": f"{row[f'{name}__first_name']} {row[f'{name}__last_name']}".strip()}


def _newest(rows: QuerySet[Any], columns: Any, *, key: str, show: Callable[[Row], Row], cursor: Cursor | None, limit: int) -> Page:
    """Pages by a number that falls."""
    if cursor is not None:
        rows = rows.filter(**{f"{key}__lt": int(cursor[1])})
    found = list(rows.order_by(f"-{key}").values(*columns)[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(results=[show(row) for row in found], next=["next", str(found[-1][key])] if more else None, previous=None)
