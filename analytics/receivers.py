"""What the apps to the left announce becomes something to be written down. Nothing here waits, and nothing is asked of a store."""

from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from analytics import tasks, tracking
from analytics.choices import EventType, SessionMessageRole
from analytics.services.sittings import Rated, Said
from chat.choices import MessageStatus
from chat.records import ConversationRecord, MessageRecord
from chat.services import imports
from chat.signals import answer_ended, answer_rated, question_asked
from tenants import access, origins
from tenants.choices import PeopleChange
from tenants.models import Membership, User
from tenants.signals import people_changed, person_erased, signed_in, signing_out

SIGNED_IN_TO = "tracking.organization"
"""Of a browser's session: the organization that its sign-in was noted for. Whoever has several signs in to the one they open first."""


@receiver(signed_in)
def note_sign_in(sender: Any, user: User, request: HttpRequest, **kwargs: Any) -> None:
    """Causes a query."""
    memberships = access.memberships_of(user)
    if len(memberships) == 1:
        signed_in_to(memberships[0], request)


def signed_in_to(membership: Membership, request: HttpRequest) -> None:
    """This sign-in is to this organization, if it was not to any before."""
    if not isinstance(getattr(request, "session", None), SessionBase) or SIGNED_IN_TO in request.session:
        return
    request.session[SIGNED_IN_TO] = str(membership.organization_id)
    with origins.of_request(request, membership=membership):
        tracking.record(membership, EventType.LOGIN)


@receiver(signing_out)
def note_sign_out(sender: Any, user: User, request: HttpRequest, **kwargs: Any) -> None:
    """Causes a query."""
    organization_id = request.session.get(SIGNED_IN_TO)
    for membership in access.memberships_of(user):
        if str(membership.organization_id) == organization_id:
            with origins.of_request(request, membership=membership):
                tracking.record(membership, EventType.LOGOUT)


@receiver(people_changed)
def note_people(sender: Any, organization_id: str, what: PeopleChange, target_id: str, **kwargs: Any) -> None:
    """What nobody did (an import by hand, the demo) is no event."""
    origin = origins.current()
    if origin is not None:
        place = origin.membership
        if place is not None and str(place.organization_id) != organization_id:
            place = None
        entry = tracking.activity(
            organization_id=organization_id,
            user_id=origin.user_id,
            role=None if place is None else place.role,
            department_id=None if place is None else place.department_id,
            event_type=EventType(what.value),
            target=target_id,
            timestamp=timezone.now(),
        )
        tracking.note(entry, origin=origin)


@receiver(question_asked)
def note_question(sender: Any, conversation: ConversationRecord, question: MessageRecord, **kwargs: Any) -> None:
    query_type = conversation.intent or conversation.type
    entry = tracking.activity(
        organization_id=question.organization_id,
        user_id=question.user_id,
        role=question.user_role,
        department_id=question.department_id,
        event_type=EventType.AI_CHAT_MESSAGE,
        action=query_type,
        target=conversation.id,
        timestamp=question.created_at,
        once=f"question/{question.id}",
    )
    tracking.note(entry, origin=origins.current())
    tracking.note(
        Said(
            organization_id=question.organization_id,
            conversation_id=question.conversation_id,
            user_id=str(question.user_id),
            user_role=question.user_role,
            department_id=question.department_id,
            message_id=question.id,
            role=SessionMessageRole.USER,
            timestamp=question.created_at,
            employee_ids=conversation.subject_employee_ids,
            query_type=query_type,
        )
    )


@receiver(answer_ended)
def note_answer(sender: Any, answer: MessageRecord, **kwargs: Any) -> None:
    """What failed, or was stopped, said nothing."""
    if answer.status == MessageStatus.SENT and answer.provider != imports.PROVIDER:
        tracking.note(_answer(answer))


@receiver(answer_rated)
def note_rating(sender: Any, answer: MessageRecord, **kwargs: Any) -> None:
    said = answer.feedback
    if said is None or answer.status != MessageStatus.SENT or answer.provider == imports.PROVIDER:
        return
    tracking.note(
        Rated(
            answer=_answer(answer),
            rating=said.get("rating"),
            was_helpful=said.get("isHelpful"),
            comment=said.get("comment"),
            submitted_at=said.get("submittedAt") or timezone.now(),
        )
    )


@receiver(person_erased)
def erase_the_rest(sender: Any, **kwargs: Any) -> None:
    """Where the broker is away, the clock sees to it."""
    tasks.erase_recent.apply_async(retry=False)


def _answer(answer: MessageRecord) -> Said:
    return Said(
        organization_id=answer.organization_id,
        conversation_id=answer.conversation_id,
        user_id=str(answer.user_id),
        user_role=answer.user_role,
        department_id=answer.department_id,
        message_id=answer.id,
        role=SessionMessageRole.ASSISTANT,
        timestamp=answer.created_at,
        token_count=None if answer.input_tokens is None else answer.input_tokens + (answer.output_tokens or 0),
        response_time=answer.response_time,
        employee_ids=tuple(named["employeeId"] for named in answer.referenced_employees),
        confidence=answer.confidence,
        sources=answer.sources,
    )
