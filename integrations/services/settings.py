"""Making, changing and removing what an organization configures: bridges' drafts, models, templates, tools, chatbots and trials.

Every way in checks the whole row (`integrations.drafts`), seals secrets, and writes down what changed of a bridge.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from integrations import access, crypto, drafts, egress
from integrations.choices import ChangeType
from integrations.errors import InUse
from integrations.models import ApiCall, Bridge, BridgeChange, BridgeVersion, Chatbot, ModelConfiguration, Template
from tenants.models import Membership
from tenants.scoping import TenantModel

M = TypeVar("M", bound=TenantModel)

# Fields that people send and that name rows of the organization.
_POINTERS: dict[str, type[TenantModel]] = {"model_configuration": ModelConfiguration, "template": Template}
# What is sent once, kept sealed, and never shown again: the name it is sent by, and the column.
_SECRETS: dict[type[TenantModel], tuple[str, str, str]] = {
    ModelConfiguration: ("key", "apikey", "base_url"),
    ApiCall: ("secret_headers", "secret_headers", "url"),
}
KEY_LIMIT = 4_000  # characters


def create(model: type[M], membership: Membership, /, **fields: Any) -> M:
    """A new row. `fields` are the model's, pointers by id. Raises `Forbidden`, and `ValidationError` by field."""
    access.require_change(model, membership)
    row = model(organization_id=membership.organization_id)
    return _keep(row, membership, fields, is_new=True)


def change(row: M, membership: Membership, /, **fields: Any) -> M:
    """Changes these fields. Raises as `create` does; nothing is changed then."""
    access.require_change(type(row), membership)
    return _keep(row, membership, fields, is_new=False) if fields else row


def delete(row: TenantModel, membership: Membership) -> None:
    """Raises `Forbidden`, or `InUse` with a sentence that names what rests on it."""
    access.require_change(type(row), membership)
    with transaction.atomic():
        if user := _user_of(row):
            raise InUse(f"{user} Take it out there first.")
        if isinstance(row, Bridge):
            record(row, membership.user_id, ChangeType.DELETED, changes={"name": [row.name, None], "slug": [row.slug, None]})
            row.published = None
            row.save(update_fields=["published", "updated_at"])
            BridgeVersion.objects.for_tenant(row.organization_id).filter(bridge=row).delete()
        row.delete()


def record(
    bridge: Bridge, user_id: Any, what: ChangeType, *, changes: Mapping[str, Any] | None = None, version: BridgeVersion | None = None
) -> None:
    """Writes down who changed what of a bridge. `changes` are {field: [before, after]}; bridges keep no secrets."""
    BridgeChange.objects.for_tenant(bridge.organization_id).create(
        user_id=user_id,
        bridge_id=bridge.id,
        type=what,
        version_id=str(version.id) if version else "",
        changes=dict(changes or {}),
    )


def secret_headers(row: ApiCall) -> dict[str, str]:
    """A tool's sealed headers, for the moment at which it is called."""
    plain = crypto.take(row, "secret_headers")
    return orjson.loads(plain) if plain else {}


def values_of(row: TenantModel) -> dict[str, Any]:
    """Every field that people edit, as JSON, without secrets."""
    found: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        if field.editable and not isinstance(field, crypto.SecretField) and field.name != "organization":
            value = getattr(row, field.attname)
            found[field.name] = (
                [str(each) for each in value] if field.name in ("fallbacks", "bridge") and isinstance(value, list) else value
            )
            if field.is_relation:
                found[field.name] = None if value is None else str(value)
    return found


def address_of(row: TenantModel) -> str:
    """The field with the address that a row's secret is kept for."""
    return _SECRETS[type(row)][2]


def seal_secret(row: TenantModel, given: Any, *, before: str | None) -> list[str]:
    """Seals what came for a row's secret: None leaves it as it is, an empty one takes it away. One that was given for another server
    than the row names now goes, too. `before` is the address that it was kept for. Gives what is wrong, in sentences."""
    _, column, address = _SECRETS[type(row)]
    if given is None:
        if getattr(row, column) and before is not None and _server(before) != _server(getattr(row, address)):
            _put(row, column, "")
        return []
    if isinstance(row, ApiCall):
        if problems := drafts.headers_problems(given):
            return problems
        _put(row, column, orjson.dumps(given).decode() if given else "")
        return []
    if not isinstance(given, str) or len(given) > KEY_LIMIT or not given.isascii() or not (given.isprintable() and given == given.strip()):
        return ["A key is printable ASCII, without a space at its ends."]
    if given and not getattr(row, address):
        return ["A key is kept for one server. Give its address too."]
    _put(row, column, given)
    return []


def _put(row: TenantModel, column: str, plain: str) -> None:
    crypto.put(row, column, plain)
    if isinstance(row, ModelConfiguration):
        row.key_set_at = timezone.now() if plain else None


def _server(url: str) -> Any:
    try:
        return drafts.server_of(url, own=settings.TOOL_SERVERS)
    except egress.Refused:
        return url


def _keep(row: M, membership: Membership, fields: dict[str, Any], *, is_new: bool) -> M:
    problems: dict[str, list[str]] = {}
    before = {} if is_new else values_of(row)
    secret = _SECRETS.get(type(row))
    given = fields.pop(secret[0], None) if secret else None
    address = None if is_new or secret is None else getattr(row, secret[2])
    for name, value in fields.items():
        if name in _POINTERS and value is not None:
            value = _POINTERS[name].objects.for_tenant(membership.organization_id).filter(pk=value).first()
            if value is None:
                problems[name] = ["This does not exist. Choose another."]
                continue
        setattr(row, name, value)
    if secret and (wrong := seal_secret(row, given, before=address)):
        problems[secret[0]] = wrong
    try:
        drafts.check(row)
    except ValidationError as error:
        problems = {**error.message_dict, **problems}
    if problems:
        raise ValidationError(problems)
    if isinstance(row, Chatbot):
        row.updated_by_id = membership.user_id
        row.created_by_id = membership.user_id if is_new else row.created_by_id
    try:
        with transaction.atomic():
            row.save(**({"force_insert": True} if is_new else {"update_fields": _columns(row)}))
            if isinstance(row, Bridge):
                now = values_of(row)
                changed = {name: [before.get(name), value] for name, value in now.items() if before.get(name) != value}
                if changed:
                    record(row, membership.user_id, ChangeType.CREATED if is_new else ChangeType.UPDATED, changes=changed)
    except IntegrityError as error:  # somebody else took the name between the look and the write
        raise ValidationError("Somebody else changed this at the same moment. Look at it again, and save once more.") from error
    return row


def _columns(row: TenantModel) -> list[str]:
    fixed = {"id", "organization", "created_at", "created_by", "published"}
    return [field.name for field in row._meta.concrete_fields if field.name not in fixed]


def _user_of(row: TenantModel) -> str:
    """A sentence that names what rests on the row; "" where nothing does."""
    bridges = Bridge.objects.for_tenant(row.organization_id)
    versions = BridgeVersion.objects.for_tenant(row.organization_id)
    found: Any = None
    if isinstance(row, Bridge):
        chatbot = Chatbot.objects.for_tenant(row.organization_id).filter(bridge__contains=[row.id]).first()
        return f"The chatbot “{chatbot}” is made of this bridge." if chatbot else ""
    if isinstance(row, ModelConfiguration):
        found = bridges.filter(model_configuration=row).first() or bridges.filter(fallbacks__contains=[row.id]).first()
        found = found or _callable(versions.filter(content__models__contains=[{"id": str(row.id)}]))
    elif isinstance(row, Template):
        found = bridges.filter(template=row).first()
    elif isinstance(row, ApiCall):
        found = bridges.filter(api_endpoints__contains=[row.name]).first()
        found = found or _callable(versions.filter(content__tools__contains=[{"id": str(row.id)}]))
    return f"The bridge “{found}” uses this." if found else ""


def _callable(versions: Any) -> Bridge | None:
    """The bridge of one of these versions that programs still reach."""
    for version in versions.select_related("bridge"):
        if version.label or version.bridge.published_id == version.id:
            return version.bridge
    return None
