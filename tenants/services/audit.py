"""Who changed what, when and why (kept by the database's triggers), and who read another person's conversation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenants import scoping
from tenants.choices import NOBODY, AccessKind
from tenants.models import AccessRecord, Membership, User


@dataclass(frozen=True)
class Change:
    """One change of one row. `before` and `after` hold the columns that differ."""

    at: datetime
    what: str  # insert, update or delete
    who: User | None
    why: dict[str, Any]  # url, request_id, task …
    before: dict[str, Any]
    after: dict[str, Any]


def record_access(
    membership: Membership,
    *,
    owner_id: Any,
    conversation_id: Any,
    kind: AccessKind = AccessKind.READ,
    reason: str = "",
    request_id: str = "",
) -> None:
    """Writes that this person looked at another's conversation (D12). One's own are not recorded, nor those whose owner was erased."""
    if str(owner_id) in (str(membership.user_id), NOBODY):
        return
    with scoping.tenant(membership.organization_id):
        AccessRecord.objects.for_tenant(membership.organization_id).create(
            user_id=membership.user_id,
            owner_id=owner_id,
            conversation_id=conversation_id,
            kind=kind,
            reason=reason[:500],
            request_id=request_id[:100],
        )


def changes_of(row: Any) -> list[Change]:
    """Everything that ever happened to this row, newest first. Acts for whom the caller acts."""
    history = type(row).pgh_event_model
    events = list(history.objects.filter(pgh_obj_id=row.pk).select_related("pgh_context").order_by("pgh_id"))
    columns = [field.attname for field in history._meta.concrete_fields if not field.name.startswith("pgh_")]
    user_ids: set[str] = {event.pgh_context.metadata.get("user", "") for event in events if event.pgh_context} - {""}
    users = {str(user.pk): user for user in User.objects.filter(pk__in=user_ids)}
    found: list[Change] = []
    known: dict[str, Any] = {}
    for event in events:
        facts = dict(event.pgh_context.metadata) if event.pgh_context else {}
        now = {} if event.pgh_label == "delete" else {name: getattr(event, name) for name in columns}
        before = {name: value for name, value in known.items() if name not in now or now[name] != value}
        after = {name: value for name, value in now.items() if name not in known or known[name] != value}
        who = users.get(facts.pop("user", ""))
        found.append(Change(at=event.pgh_created_at, what=event.pgh_label, who=who, why=facts, before=before, after=after))
        known = now
    return found[::-1]
