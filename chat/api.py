"""REST: conversations, their messages, and the stream of their events."""

from datetime import datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuid
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from chat import access, selectors, sse, uploads
from chat.choices import Audience, ExportFormat
from chat.downloads import Download, Picture
from chat.realtime.limits import Left
from chat.records import ConversationRecord
from chat.serializers import (
    AttachmentAnswer,
    ContextAnswer,
    ConversationAnswer,
    ConversationChange,
    ConversationFile,
    ConversationsQuery,
    EventsQuery,
    ExportQuery,
    ListedConversationAnswer,
    MessageAnswer,
    MessageChange,
    MessagesQuery,
    NewAttachment,
    NewConversation,
    NewFeedback,
    NewImport,
    NewMessage,
    NewQuestion,
    NewShare,
    NewShareAnswer,
    NextOf,
    PeopleThereAnswer,
    QueueAnswer,
    QueuedAnswer,
    ReadAnswer,
    ReadUpTo,
    SearchQuery,
    SearchResultAnswer,
    SessionAnswer,
    SessionsQuery,
    ShareAnswer,
    ShownStrand,
    StrandsAnswer,
    SubmittedAnswer,
    VersionsAnswer,
)
from chat.serializers import (
    Pin as PinBody,
)
from chat.services import (
    attachments,
    contexts,
    conversations,
    errors,
    exports,
    feedback,
    imports,
    queues,
    reading,
    search,
    shares,
    strands,
    turns,
)
from chat.uploads import UploadParser
from config import json
from config.api import Call, Endpoint, address, authenticated_again, operation, page, page_of, unseal
from tenants.models import ApiKey

LIST = "conversations"


def _place(cursor: str | None) -> selectors.InboxCursor | None:
    place = unseal(cursor, name=LIST)
    if place is None:
        return None
    last_message_at, conversation_id, backwards = place
    return selectors.InboxCursor(datetime.fromisoformat(last_message_at), conversation_id, backwards)


def _spelled(place: selectors.InboxCursor | None) -> list[Any] | None:
    return None if place is None else [place.last_message_at.isoformat(), place.conversation_id, place.backwards]


class Conversations(Endpoint):
    @operation(
        summary="My conversations and those shared with me, latest first",
        answer=page_of(ListedConversationAnswer),
        query=ConversationsQuery,
        tags=["conversations"],
    )
    def get(self, call: Call) -> Any:
        asked = dict(call.query)
        subject = asked.pop("about", None) or asked.pop("subject", None)
        when = {"since": asked.pop("after", None), "until": asked.pop("before", None)}
        found = selectors.inbox(call.membership, cursor=_place(asked.pop("cursor", None)), subject=subject, **when, **asked)
        unread = selectors.unread(call.membership, found.results)
        results = [conversation.as_json() | {"unread": unread[conversation.id]} for conversation in found.results]
        return page(call.request, results, name=LIST, next=_spelled(found.next), previous=_spelled(found.previous))

    @operation(
        summary="Start a consultation",
        answer=ConversationAnswer,
        status_code=201,
        body=NewConversation,
        tags=["conversations"],
    )
    def post(self, call: Call) -> Any:
        wanted = {name: value for name, value in call.body.items() if name != "kind"}  # one kind can be started here so far
        return conversations.start(call.membership, **wanted).as_json()


class Conversation(Endpoint):
    @operation(summary="One conversation", answer=ConversationAnswer, tags=["conversations"])
    def get(self, call: Call, conversation_id: UUID) -> Any:
        return access.conversation_for(call.membership, conversation_id).as_json()

    @operation(
        summary="Rename or pin a conversation, or say who may read it",
        answer=ConversationAnswer,
        body=ConversationChange,
        tags=["conversations"],
    )
    def patch(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        if "title" in call.body:
            conversation = conversations.rename(call.membership, conversation, title=call.body["title"])
        if "pinned" in call.body:
            conversation = conversations.pin(call.membership, conversation, on=call.body["pinned"])
        if "access" in call.body:
            wanted = call.body["access"]
            conversation = conversations.open_to(call.membership, conversation, to_roles=wanted["roles"], user_ids=wanted["users"])
        return conversation.as_json()

    @operation(
        summary=f"Delete a conversation; it can be restored until it is removed for good, after {settings.DELETED_KEPT_DAYS} days",
        answer=None,
        status_code=204,
        tags=["conversations"],
    )
    def delete(self, call: Call, conversation_id: UUID) -> Any:
        conversations.delete(call.membership, access.conversation_for(call.membership, conversation_id))


class Pin(Endpoint):
    @operation(summary="Pin a conversation, or take the pin away", answer=ConversationAnswer, body=PinBody, tags=["conversations"])
    def post(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        return conversations.pin(call.membership, conversation, on=call.body["pinned"]).as_json()


class Archive(Endpoint):
    @operation(summary="Archive a conversation", answer=ConversationAnswer, tags=["conversations"])
    def post(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        return conversations.archive(call.membership, conversation).as_json()


class Restore(Endpoint):
    @operation(summary="Take a conversation out of the archive, or back once deleted", answer=ConversationAnswer, tags=["conversations"])
    def post(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.restorable_conversation_for(call.membership, conversation_id)
        return conversations.restore(call.membership, conversation).as_json()


class Read(Endpoint):
    @operation(
        summary="I have read a conversation up to this place, for good and on all my devices",
        answer=ReadAnswer,
        body=ReadUpTo,
        tags=["presence"],
    )
    def post(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        return {"conversation": conversation.id, "unread": reading.mark(call.membership, conversation, seq=call.body["seq"])}


class Presence(Endpoint):
    @operation(
        summary="Who may read a conversation by name, or views it now; how they are and how far they have read",
        answer=PeopleThereAnswer,
        tags=["presence"],
    )
    def get(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        return {"results": [person.as_json() for person in selectors.people_there(call.membership, conversation)]}


SESSIONS = "sessions"


class Sessions(Endpoint):
    @operation(
        summary="Where my tabs are and were open in this organization, newest first",
        answer=page_of(SessionAnswer),
        query=SessionsQuery,
        tags=["presence"],
    )
    def get(self, call: Call) -> Any:
        place = unseal(call.query.get("cursor"), name=SESSIONS)
        before = None if place is None else (datetime.fromisoformat(place[0]), str(place[1]))
        limit = call.query["limit"]
        found = selectors.sessions(call.membership, before=before, limit=limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        results = [session.as_json() for session in found[:limit]]
        return page(call.request, results, name=SESSIONS, next=last and [last.connected_at.isoformat(), last.id])


class Export(Endpoint):
    @operation(
        summary="A conversation as a file: JSON that can be imported again, Markdown, or PDF",
        answer=ConversationFile,
        also={"text/markdown": OpenApiTypes.STR, "application/pdf": OpenApiTypes.BINARY},
        query=ExportQuery,
        refusals=(409,),
        tags=["conversations"],
    )
    def get(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        return Download(exports.export(call.membership, conversation, format=ExportFormat(call.query["format"])))


class Context(Endpoint):
    @operation(
        summary="What a model would be told now of whom a conversation is about, with my rights, and what it remembers",
        answer=ContextAnswer,
        tags=["conversations"],
    )
    def get(self, call: Call, conversation_id: UUID) -> Any:
        """Employees are corrected by `PATCH employees/{id}`."""
        return contexts.given(call.membership, access.conversation_for(call.membership, conversation_id)).as_json()


class Import(Endpoint):
    parser_classes = [json.FileParser]

    @operation(
        summary="Make a new consultation of mine from an exported file",
        answer=ConversationAnswer,
        status_code=201,
        body=NewImport,
        tags=["conversations"],
    )
    def post(self, call: Call) -> Any:
        """The body is what `…/export?format=json` gave, 5 MiB and 10,000 messages at most, and may carry a `client_id`. Ids are made anew,
        employees whom you may not see are left out, and tokens and costs enter no total."""
        taken = imports.take(
            call.membership,
            conversation=call.body["conversation"],
            messages=call.body["messages"],
            client_id=call.body.get("client_id"),
        )
        return taken.as_json()


class Shares(Endpoint):
    @operation(summary="The links to copies of my conversation, newest first", answer=page_of(ShareAnswer), tags=["shares"])
    def get(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.owned_conversation_for(call.membership, conversation_id)
        return page(call.request, [share.as_json() for share in selectors.shares(conversation)], name="shares")

    @operation(
        summary="Make a link to a copy of my conversation as it is now",
        answer=NewShareAnswer,
        status_code=201,
        body=NewShare,
        refusals=(409,),
        tags=["shares"],
    )
    def post(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.owned_conversation_for(call.membership, conversation_id)
        made = shares.create(call.membership, conversation, audience=Audience(call.body["audience"]), days=call.body["days"])
        shown = {name: value for name, value in made.share.as_json().items() if name in ("id", "audience", "expires_at")}
        return shown | {"url": call.request.build_absolute_uri(reverse("chat:shared", args=[made.token]))}


class Share(Endpoint):
    @operation(summary="Revoke a link: nobody can open it any more", answer=None, status_code=204, tags=["shares"])
    def delete(self, call: Call, conversation_id: UUID, share_id: UUID) -> Any:
        conversation = access.owned_conversation_for(call.membership, conversation_id)
        shares.revoke(call.membership, conversation, share_id=share_id)


class Messages(Endpoint):
    counts_itself = ("POST",)

    @operation(
        summary="A conversation's messages on the path of a strand: the newest page, or the one before or after a place",
        answer=page_of(MessageAnswer),
        query=MessagesQuery,
        tags=["messages"],
    )
    def get(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        asked = dict(call.query)
        strand = _strand(call, conversation, asked.pop("strand", None))
        found = selectors.messages(conversation, strand=strand, **asked)
        return {
            "next": None if found.after is None else address(call.request, before=None, after=found.after),
            "previous": None if found.before is None else address(call.request, after=None, before=found.before),
            "results": [message.as_json() for message in found.results],
        }

    @operation(
        summary="Say something; the answer is on its way when this returns",
        answer=SubmittedAnswer,
        status_code=201,
        body=NewQuestion,
        refusals=(409, 422, 429),
        tags=["messages"],
    )
    def post(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        said = {**_addressed(call), "parts": call.body["parts"]}
        return _submitted(turns.submit(call.membership, conversation, strand=call.body.get("strand"), **said))


def _strand(call: Call, conversation: ConversationRecord, wanted: int | None) -> int:
    """The strand that is asked for, or that this person looked at last."""
    if wanted is None:
        return conversation.shown_to(call.membership.user_id)
    if not conversation.has_strand(wanted):
        raise errors.UnknownStrand
    return wanted


def _question(call: Call) -> dict[str, Any]:
    client_id = call.body.get("client_id") or str(uuid.uuid7())
    return {"text": call.body["text"], "client_id": client_id, "api_key_id": _api_key_id(call)}


def _api_key_id(call: Call) -> str | None:
    """Of the program that asks; None for a person who is signed in."""
    return str(call.request.auth.pk) if isinstance(call.request.auth, ApiKey) else None


def _addressed(call: Call) -> dict[str, Any]:
    """A question with its files, and what it replies to."""
    return {**_question(call), "attachment_ids": call.body["attachment_ids"], "reply_to": call.body.get("reply_to")}


def _submitted(submitted: turns.Submitted) -> Response:
    body = {
        "message": submitted.message.as_json(),
        "answer": submitted.answer and submitted.answer.as_json(),
    }
    return Response(body, status=201, headers=_limit_headers(submitted.left))


class Attachments(Endpoint):
    parser_classes = [UploadParser]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        uploads.prepare(request)
        return super().initialize_request(request, *args, **kwargs)

    @operation(
        summary="Upload a file, to be sent with a message",
        answer=AttachmentAnswer,
        status_code=201,
        body=NewAttachment,
        refusals=(409,),
        tags=["attachments"],
    )
    def post(self, call: Call, conversation_id: UUID) -> Any:
        """Name its id in `attachment_ids` of a message within a day; after that it is removed. What a file is has to be said alike by
        its extension and its content. Images are written anew, without what cameras note in them."""
        conversation = access.conversation_for(call.membership, conversation_id)
        file, client_id = call.body["file"], call.body.get("client_id")
        kept = attachments.upload(call.membership, conversation, name=file.name, file=file, size=file.size, client_id=client_id)
        return kept.as_json()


class Attachment(Endpoint):
    @operation(
        summary="The file itself, as a download",
        answer=OpenApiTypes.BINARY,
        media_type="application/octet-stream",
        tags=["attachments"],
    )
    def get(self, call: Call, attachment_id: UUID) -> Any:
        return Download(attachments.download(access.attachment_for(call.membership, attachment_id)))

    @operation(summary="Remove a file that I have not sent", answer=None, status_code=204, refusals=(409,), tags=["attachments"])
    def delete(self, call: Call, attachment_id: UUID) -> Any:
        attachments.take_back(call.membership, access.attachment_for(call.membership, attachment_id))


class Thumbnail(Endpoint):
    @operation(summary="A small picture of an image", answer=OpenApiTypes.BINARY, media_type="image/webp", tags=["attachments"])
    def get(self, call: Call, attachment_id: UUID) -> Any:
        return Picture(attachments.thumbnail(access.attachment_for(call.membership, attachment_id)))


def _limit_headers(left: Left | None) -> dict[str, str]:
    """What the person may still send, as programs look for it (IETF draft "RateLimit header fields")."""
    if left is None:
        return {}
    return {"RateLimit-Limit": str(left.limit), "RateLimit-Remaining": str(left.messages), "RateLimit-Reset": str(left.seconds)}


class Events(Endpoint):
    @operation(
        summary="What happens in a conversation, as it happens (server-sent events)",
        answer=OpenApiTypes.STR,
        media_type="text/event-stream",
        query=EventsQuery,
        tags=["events"],
    )
    def get(self, call: Call, conversation_id: UUID) -> Any:
        def admit() -> ConversationRecord:
            return access.conversation_for(authenticated_again(call.request), conversation_id)

        conversation = access.conversation_for(call.membership, conversation_id)
        after = _last_event_id(call)
        strand = _strand(call, conversation, call.query.get("strand"))
        return sse.response(conversation, user_id=str(call.membership.user_id), admit=admit, after=after, strand=strand)


def _last_event_id(call: Call) -> int | None:
    """Where the reader wants to go on: what its browser remembers, or else the address."""
    given = call.request.headers.get("Last-Event-ID", "").strip()
    if not given:
        return call.query.get("after")
    if not (given.isascii() and given.isdigit() and len(given) <= 15):
        sentence = "Send the number of the last event you have, or leave it out."
        raise ValidationError({"Last-Event-ID": ErrorDetail(sentence, code="invalid")})
    return int(given)


class Message(Endpoint):
    @operation(summary="One message", answer=MessageAnswer, tags=["messages"])
    def get(self, call: Call, message_id: UUID) -> Any:
        return access.message_for(call.membership, message_id).as_json()

    @operation(
        summary="Ask a question in other words: a strand begins beside it, and the earlier question and what followed it stay",
        answer=SubmittedAnswer,
        status_code=201,
        body=MessageChange,
        refusals=(409, 422, 429),
        tags=["messages"],
    )
    def patch(self, call: Call, message_id: UUID) -> Any:
        question = access.message_for(call.membership, message_id)
        conversation = access.conversation_for(call.membership, question.conversation_id)
        return _submitted(turns.edit(call.membership, conversation, question, **_question(call)))


class Strands(Endpoint):
    @operation(summary="The strands that edited questions began", answer=StrandsAnswer, tags=["messages"])
    def get(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        results = [strand.as_json() for strand in conversation.strands]
        return {"shown": conversation.shown_to(call.membership.user_id), "results": results}

    @operation(
        summary="Look at a strand: exports, links and questions of mine are of it from now on",
        answer=StrandsAnswer,
        body=ShownStrand,
        tags=["messages"],
    )
    def post(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        strands.show(call.membership, conversation, strand=call.body["strand"])
        return {"shown": call.body["strand"], "results": [strand.as_json() for strand in conversation.strands]}


class Queue(Endpoint):
    @operation(summary="The questions that wait for an answer's end", answer=QueueAnswer, tags=["queue"])
    def get(self, call: Call, conversation_id: UUID) -> Any:
        return access.conversation_for(call.membership, conversation_id).queue.as_json()

    @operation(
        summary="Ask when no answer is on its way any more: at once, or later",
        answer=QueuedAnswer,
        status_code=201,
        body=NewMessage,
        refusals=(409, 422, 429),
        tags=["queue"],
    )
    def post(self, call: Call, conversation_id: UUID) -> Any:
        """It is asked when the answers before it have ended or were stopped; where one failed, it stays until somebody asks for the next
        one or that answer is retried. Ten may wait in a conversation."""
        conversation = access.conversation_for(call.membership, conversation_id)
        queued = queues.add(call.membership, conversation, strand=call.body.get("strand"), **_addressed(call))
        return Response(queued.as_json(), status=201, headers=_limit_headers(queued.left))


class Next(Endpoint):
    @operation(
        summary="Ask the oldest question that waits, if no answer is on its way",
        answer=QueuedAnswer,
        body=NextOf,
        refusals=(409,),
        tags=["queue"],
    )
    def post(self, call: Call, conversation_id: UUID) -> Any:
        conversation = access.conversation_for(call.membership, conversation_id)
        return queues.next_one(call.membership, conversation, strand=call.body.get("strand")).as_json()


class Waiting(Endpoint):
    @operation(summary="Take back a question of mine that waits", answer=None, status_code=204, refusals=(409,), tags=["queue"])
    def delete(self, call: Call, conversation_id: UUID, question_id: UUID) -> Any:
        """Its files can be sent with another one."""
        queues.remove(call.membership, access.conversation_for(call.membership, conversation_id), question_id)


class Stop(Endpoint):
    @operation(
        summary="Stop an answer that is being written; what is there stays",
        answer=MessageAnswer,
        refusals=(409,),
        tags=["messages"],
    )
    def post(self, call: Call, message_id: UUID) -> Any:
        return turns.stop(call.membership, access.message_for(call.membership, message_id)).as_json()


class Retry(Endpoint):
    @operation(
        summary="Have an answer that was interrupted, stopped or failed written again",
        answer=MessageAnswer,
        refusals=(409, 429),
        tags=["messages"],
    )
    def post(self, call: Call, message_id: UUID) -> Any:
        answer = access.message_for(call.membership, message_id)
        return turns.retry(call.membership, answer, api_key_id=_api_key_id(call)).as_json()


class Regenerate(Endpoint):
    @operation(
        summary="Have the newest answer written anew; what it said stays as a version",
        answer=MessageAnswer,
        refusals=(409, 429),
        tags=["messages"],
    )
    def post(self, call: Call, message_id: UUID) -> Any:
        answer = access.message_for(call.membership, message_id)
        return turns.regenerate(call.membership, answer, api_key_id=_api_key_id(call)).as_json()


class Versions(Endpoint):
    @operation(summary="What an answer said each time it was written, oldest first", answer=VersionsAnswer, tags=["messages"])
    def get(self, call: Call, message_id: UUID) -> Any:
        answer = access.message_for(call.membership, message_id)
        return {"results": [version.as_json() for version in selectors.versions(answer)]}


class Feedback(Endpoint):
    @operation(
        summary="Say whether an answer helped: thumb, stars, comment; at least one of them",
        answer=MessageAnswer,
        body=NewFeedback,
        refusals=(409,),
        tags=["messages"],
    )
    def post(self, call: Call, message_id: UUID) -> Any:
        return feedback.give(call.membership, access.message_for(call.membership, message_id), **call.body).as_json()


FOUND = "search"


class Search(Endpoint):
    @operation(
        summary="Find conversations and messages by their words, best first",
        answer=page_of(SearchResultAnswer),
        query=SearchQuery,
        tags=["search"],
    )
    def get(self, call: Call) -> Any:
        """Words (all of them must be there), `"quoted phrases"`, `-excluded` words, and operators: `from:me`, `from:parley` or a name,
        `type:` a type or words of its label, `about:` an employee's name, `before:` and `after:` a day (UTC; the day itself is after),
        `pinned:yes`, `status:archived`. Pages go forwards only; one may be short, or empty, and still have a `next`.
        """
        asked = dict(call.query)
        place = search.cursor_from(unseal(asked.pop("cursor", None), name=FOUND))
        found = search.find(call.membership, cursor=place, **asked)
        return page(
            call.request,
            [result.as_json() for result in found.results],
            name=FOUND,
            next=None if found.next is None else found.next.spelled(),
        )
