"""Starting and keeping conversations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import uuid_utils.compat as uuid
from django.utils import timezone
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from chat import access, events
from chat.choices import ConsultationType, ConversationStatus, Kind, SubjectType
from chat.documents import Conversation
from chat.realtime import stream
from chat.records import ConversationRecord
from chat.services import errors
from config import loop, mongo
from tenants import access as people
from tenants import roles
from tenants.choices import Role
from tenants.models import Employee, Membership

C = mongo.names(Conversation)

TITLE_LIMIT = 200
NOT_DELETED = {C.status: {"$ne": ConversationStatus.DELETED.value}}


@dataclass(frozen=True, slots=True)
class SubjectRule:
    """How many employees a consultation of a type is about, and what several of them are called."""

    least: int
    most: int
    several: SubjectType


SUBJECT_RULES = {
    ConsultationType.EMPLOYEE_SPECIFIC: SubjectRule(1, 1, SubjectType.SINGLE_EMPLOYEE),
    ConsultationType.TEAM_COMPATIBILITY: SubjectRule(2, 20, SubjectType.TEAM),
    ConsultationType.ONE_TO_ONE: SubjectRule(1, 1, SubjectType.SINGLE_EMPLOYEE),
    ConsultationType.PROMOTION_READINESS: SubjectRule(1, 5, SubjectType.COMPARISON),
    ConsultationType.TEAM_FORMATION: SubjectRule(2, 20, SubjectType.TEAM),
    ConsultationType.CONFLICT_RESOLUTION: SubjectRule(2, 6, SubjectType.COMPARISON),
    ConsultationType.PERFORMANCE_OPTIMIZATION: SubjectRule(1, 20, SubjectType.TEAM),
    ConsultationType.TRAINING_GUIDANCE: SubjectRule(1, 20, SubjectType.TEAM),
}


def start(
    membership: Membership,
    *,
    type: str,
    subject_employee_ids: Sequence[object],
    title: str = "",
    client_id: str | None = None,
    opened_from: str = "",
    intent: str = "",
    now: datetime | None = None,
) -> ConversationRecord:
    """Starts a consultation of one of S0's eight types about employees whom this member may see. `opened_from`: the page that the person
    came from, as a path; `intent`: what they want, in a word or two; else it is the type.

    The same `client_id` again gives the same conversation. Raises `Forbidden`, `UnknownSubjects`, `WrongSubjects`, `TitleWrong`.
    """
    roles.require(membership, "chat:conversation:create")
    now = now or timezone.now()
    consultation = ConsultationType(type)
    subjects = _subjects(membership, subject_employee_ids, consultation)
    title = checked_title(title) if title.strip() else automatic_title(consultation, [employee.name for employee in subjects])
    raw = new_document(membership, consultation, subjects, title=title, client_id=client_id, now=now)
    raw[C.context] = {"userIntent": intent or consultation.value} | ({"currentPage": opened_from} if opened_from else {})
    try:
        mongo.collection(Conversation).insert_one(raw)
    except DuplicateKeyError:
        same = {C.organization_id: raw[C.organization_id], C.user_id: raw[C.user_id], C.client_id: client_id}
        return ConversationRecord.read(mongo.collection(Conversation).find_one(same))
    return ConversationRecord.read(raw)


def new_document(
    membership: Membership,
    consultation: ConsultationType,
    subjects: Sequence[Employee],
    *,
    title: str,
    client_id: str | None,
    now: datetime,
) -> dict[str, Any]:
    """A private consultation of this person's in which nothing was said yet, as MongoDB keeps it."""
    raw = {
        C.conversation_id: str(uuid.uuid7()),
        C.organization_id: str(membership.organization_id),
        C.branch_id: str(membership.branch_id) if membership.branch_id else None,
        C.department_id: str(membership.department_id) if membership.department_id else None,
        C.user_id: str(membership.user_id),
        C.user_role: str(membership.role),
        C.kind: Kind.ASSISTANT.value,
        C.type: consultation.value,
        C.title: title,
        C.subject_employee_ids: [str(employee.pk) for employee in subjects],
        C.subject_type: subject_type(consultation, subjects).value if subjects else None,
        C.status: ConversationStatus.ACTIVE.value,
        C.is_pinned: False,
        C.last_message_at: now,
        C.message_count: 0,
        C.access_scope: {"allowedRoles": [], "allowedUserIds": [], "isPrivate": True},
        C.total_tokens_used: 0,
        C.answer_count: 0,
        C.created_at: now,
        C.updated_at: now,
    }
    if client_id:
        raw[C.client_id] = client_id
    return raw


def _subjects(membership: Membership, subject_employee_ids: Sequence[object], consultation: ConsultationType) -> list[Employee]:
    rule = SUBJECT_RULES[consultation]
    wanted = list(dict.fromkeys(access.key(value) for value in subject_employee_ids))
    if not rule.least <= len(wanted) <= rule.most:
        count = f"{rule.least}" if rule.least == rule.most else f"{rule.least} to {rule.most}"
        noun = "employee" if rule.most == 1 else "employees"
        raise errors.WrongSubjects(f"“{consultation.label}” is about {count} {noun}; {len(wanted)} were chosen.")
    found = {str(employee.pk): employee for employee in people.employees_for(membership).filter(pk__in=wanted)}
    if len(found) < len(wanted):
        raise errors.UnknownSubjects
    return [found[pk] for pk in wanted]


def subject_type(consultation: ConsultationType, subjects: Sequence[Employee]) -> SubjectType:
    return SubjectType.SINGLE_EMPLOYEE if len(subjects) == 1 else SUBJECT_RULES[consultation].several


def automatic_title(consultation: ConsultationType, names: Sequence[str]) -> str:
    """What a consultation about these people is called until its first exchange gives it a title (`titles.py`)."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{consultation.label}: {', '.join(names[:3])}{more}"[:TITLE_LIMIT]


def checked_title(title: str) -> str:
    title = " ".join(title.split())
    if not 1 <= len(title) <= TITLE_LIMIT:
        raise errors.TitleWrong
    return title


def rename(membership: Membership, conversation: ConversationRecord, *, title: str) -> ConversationRecord:
    return _change(membership, conversation, {C.title: checked_title(title)})


def pin(membership: Membership, conversation: ConversationRecord, *, on: bool = True) -> ConversationRecord:
    return _change(membership, conversation, {C.is_pinned: on})


def archive(membership: Membership, conversation: ConversationRecord) -> ConversationRecord:
    return _change(membership, conversation, {C.status: ConversationStatus.ARCHIVED.value, C.archived_at: timezone.now()})


def restore(membership: Membership, conversation: ConversationRecord) -> ConversationRecord:
    """Takes it out of the archive, or back after it was deleted: until it is removed for good."""
    back = {C.status: ConversationStatus.ACTIVE.value, C.archived_at: None, C.deleted_at: None}
    return _change(membership, conversation, back, where={C.removed_at: None})


def open_to(
    membership: Membership, conversation: ConversationRecord, *, to_roles: Sequence[str], user_ids: Sequence[object]
) -> ConversationRecord:
    """Lets these roles and these members of the organization read it and ask in it, and nobody else (S0-18…20). Neither: it is private
    again. Raises `UnknownPeople`."""
    wanted = sorted({access.key(value) for value in user_ids} - {conversation.user_id})
    if len(people.members_among(membership, wanted)) < len(wanted):
        raise errors.UnknownPeople
    scope = {
        "allowedRoles": sorted({Role(role).value for role in to_roles}),
        "allowedUserIds": wanted,
        "isPrivate": not (to_roles or wanted),
    }
    return _change(membership, conversation, {C.access_scope: scope})


def delete(membership: Membership, conversation: ConversationRecord) -> None:
    """A soft delete: it is gone for everybody and removed for good after its period (D2)."""
    _change(
        membership,
        conversation,
        {C.status: ConversationStatus.DELETED.value, C.deleted_at: timezone.now()},
        permission="chat:conversation:delete",
    )


def _change(
    membership: Membership,
    conversation: ConversationRecord,
    changes: dict[str, Any],
    *,
    permission: str = "chat:conversation:update",
    where: dict[str, Any] = NOT_DELETED,
) -> ConversationRecord:
    """Only who started a conversation changes it; saved first, announced afterwards."""
    roles.require(membership, permission)
    if conversation.user_id != str(membership.user_id):
        raise people.Forbidden("Only the person who started this conversation can change it.")
    raw = mongo.collection(Conversation).find_one_and_update(
        {C.organization_id: conversation.organization_id, C.conversation_id: conversation.id, **where},
        {"$set": {**changes, C.updated_at: timezone.now()}},
        return_document=ReturnDocument.AFTER,
    )
    if raw is None:
        raise people.NotFound
    changed = ConversationRecord.read(raw)
    loop.run(stream.announce([events.conversation(changed.as_json())]))
    return changed
