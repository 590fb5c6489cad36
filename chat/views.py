"""The pages: each view parses, goes through the door, makes one call and renders. What works here works without a script.

Every wish is a plain form post that ends in a redirect; the page's script only makes it quicker.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe
from django.views.defaults import page_not_found

from chat import access, actions, selectors
from chat.choices import ON_THEIR_WAY, Audience, ConsultationType, ConversationStatus, ExportFormat, MessageRole, MessageStatus
from chat.days import group_of, start_of
from chat.downloads import Download, Picture
from chat.forms import (
    CHOICES,
    CorrectForm,
    ExportForm,
    FeedbackForm,
    FilterForm,
    FindForm,
    ImportForm,
    NextForm,
    PinForm,
    PlaceForm,
    QuestionForm,
    ReadersForm,
    SearchForm,
    ShareForm,
    StartForm,
    StrandForm,
    TitleForm,
    new_client_id,
    write_cursor,
    write_search_cursor,
)
from chat.realtime import limits
from chat.records import ConversationRecord, MessageRecord, RepliedToRecord
from chat.search import QUERY_LIMIT
from chat.services import (
    attachments,
    contexts,
    conversations,
    exports,
    feedback,
    imports,
    queues,
    reading,
    replies,
    retention,
    strands,
    turns,
)
from chat.services import search as searching
from chat.services import shares as links
from chat.services.errors import ChatError, NothingToReplyTo, StoreAway, UnknownReply, UnknownStrand
from chat.strands import versions_of
from config import loop, mongo
from tenants import access as people_access
from tenants import roles, scoping
from tenants import selectors as people_selectors
from tenants.models import Employee, Membership
from tenants.services import employees

LIST_LIMIT = 30
LEAST_LATEST = 10  # on the first page, however many are pinned
PINNED_LIMIT = 50
RECENT_LIMIT = 5
PEOPLE_LIMIT = 100
NOTHING = searching.SearchPage(results=(), next=None)
_LINES = {choice.value: choice.line for choice in CHOICES}

MemberView = Callable[..., HttpResponseBase]


def member_page(view: MemberView) -> MemberView:
    """A view of an organization's member: finds the membership of the address, acts for its tenant, translates refusals.

    What is missing or another's is a 404, what the role may not is a 403, a store that is away a 503 that gives a text back.
    """

    @wraps(view)
    @login_required
    def for_member(request: HttpRequest, organization: str, **ids: Any) -> HttpResponseBase:
        try:
            # The middleware has looked already; a view that is called without it looks itself.
            membership = getattr(request, "membership", None) or people_access.membership_for(request.user, organization)
            with scoping.tenant(membership.organization_id):
                return view(request, membership, **ids)
        except people_access.NotFound as error:
            # Not raised: in development Django would show its own page in the place of ours.
            return page_not_found(request, error)
        except people_access.Forbidden as error:
            raise PermissionDenied(str(error)) from error
        except (StoreAway, *mongo.AWAY):
            return _away(request)

    return for_member


def _away(request: HttpRequest) -> HttpResponse:
    """503, with what was posted in a form that sends it again: nothing that a person wrote is lost."""
    kept = [(name, value) for name, values in request.POST.lists() for value in values if name != "csrfmiddlewaretoken"]
    response = render(request, "chat/away.html", {"kept": kept}, status=503)
    response["Retry-After"] = str(StoreAway.retry_after)
    return response


# Home and inbox --------------------------------------------------------------------------------------------------------


@login_required
@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """The way in: straight to the one organization, or a choice of them."""
    memberships = people_access.memberships_of(request.user)
    if len(memberships) == 1:
        return redirect("chat:home", memberships[0].organization.slug)
    return render(request, "chat/front.html", {"memberships": memberships})


@require_safe
@member_page
def home(request: HttpRequest, membership: Membership) -> HttpResponse:
    recent = selectors.inbox(membership, limit=RECENT_LIMIT).results if _may_read(membership) else ()
    return _render(
        request,
        membership,
        "chat/home.html",
        here="home",
        conversations=_with_unread(membership, recent),
        greeting_name=membership.user.get_short_name(),
    )


@require_safe
@member_page
def inbox(request: HttpRequest, membership: Membership) -> HttpResponse:
    return _render(request, membership, "chat/inbox.html", here="inbox", **_list(request, membership))


def _with_unread(membership: Membership, conversations: Sequence[ConversationRecord], *, open_id: str = "") -> list[dict[str, Any]]:
    """Rows of a list, with what is unread; nothing is in the conversation that is being opened."""
    unread = selectors.unread(membership, conversations) | {open_id: 0}
    return [row.as_json() | {"unread": unread[row.id]} for row in conversations]


def _list(request: HttpRequest, membership: Membership, *, open_id: str = "") -> dict[str, Any]:
    """What the list of consultations shows: the page of it that the address asks for. Those that are pinned stand before the others."""
    form = FilterForm(request.GET)
    form.is_valid()  # what is not understood is left out
    asked = form.cleaned_data
    filters = {
        "q": asked.get("q", ""),
        "status": asked.get("status") or ConversationStatus.ACTIVE.value,
        "type": asked.get("type") or None,
        "pinned": asked.get("pinned") or None,
        "about": asked.get("about", ""),
        "since": asked.get("since"),
        "until": asked.get("until"),
    }
    pinned, page = _rows(membership, filters, cursor=asked.get("cursor"))
    shown, now = (*pinned, *page.results), timezone.now()
    kept = None
    if any(record.deleted_at for record in shown):
        kept = timedelta(days=retention.deleted_kept_days(membership.organization_id))
    next_url = None
    if page.next is not None:
        query = {name: value for name, value in filters.items() if value} | {"cursor": write_cursor(page.next)}
        if "pinned" in query:
            query["pinned"] = "true"
        next_url = f"{reverse('chat:inbox', args=[membership.organization.slug])}?{urlencode(query)}"
    return {
        "conversations": [
            {
                **row,
                "group": group_of(record.last_message_at, pinned=record.pinned, now=now),
                "goes_at": record.deleted_at and kept and record.deleted_at + kept,
            }
            for record, row in zip(shown, _with_unread(membership, shown, open_id=open_id), strict=True)
        ],
        "filters": filters,
        "filtered": any(value for name, value in filters.items() if name != "status") or filters["status"] != ConversationStatus.ACTIVE,
        "types": ConsultationType.choices,
        "next_url": next_url,
    }


def _rows(
    membership: Membership, filters: dict[str, Any], *, cursor: selectors.InboxCursor | None
) -> tuple[tuple[ConversationRecord, ...], selectors.ConversationPage]:
    """The pinned ones, on the first page, and a page of the others. Causes two queries, and one more for a name."""
    wanted = {name: filters[name] for name in ("q", "status", "type")}
    if filters["about"]:
        wanted["about"] = [str(pk) for pk in people_selectors.employees_named(membership, filters["about"])]
    wanted["since"] = filters["since"] and start_of(filters["since"])
    wanted["until"] = filters["until"] and start_of(filters["until"] + timedelta(days=1))
    if filters["pinned"]:
        return (), selectors.inbox(membership, **wanted, pinned=True, cursor=cursor, limit=LIST_LIMIT)
    pinned = () if cursor else selectors.inbox(membership, **wanted, pinned=True, limit=PINNED_LIMIT).results
    left = max(LIST_LIMIT - len(pinned), LEAST_LATEST)
    return pinned, selectors.inbox(membership, **wanted, pinned=False, cursor=cursor, limit=left)


# Search ----------------------------------------------------------------------------------------------------------------


@require_safe
@member_page
def search(request: HttpRequest, membership: Membership) -> HttpResponse:
    """What was found; a search that is not understood comes back with the reason."""
    roles.require(membership, "chat:conversation:read")
    form = SearchForm(request.GET)
    found, problem, next_url, status = NOTHING, "", None, 200
    asked = form.cleaned_data if form.is_valid() else {}
    if form.errors:
        problem, status = " ".join(str(sentence) for sentences in form.errors.values() for sentence in sentences), 400
    elif query := form.query:
        try:
            found = searching.find(membership, q=query, cursor=asked["cursor"], limit=LIST_LIMIT)
        except ChatError as error:
            problem, status = error.sentence, error.http_status
    if found.next is not None:
        next_url = f"?{urlencode({'q': query, 'cursor': write_search_cursor(found.next)})}"
    return _render(
        request,
        membership,
        "chat/search.html",
        here="search",
        status=status,
        q=request.GET.get("q", "") if form.errors else form.query,
        problem=problem,
        results=[_result(result) for result in found.results],
        goes_on=asked.get("cursor") is not None,
        next_url=next_url,
        query_limit=QUERY_LIMIT,
    )


def _result(found: searching.Found) -> dict[str, Any]:
    """A result in the words of the page's templates."""
    said = found.message
    return {
        "conversation": {"id": found.conversation_id, "title": found.title, "type": found.type, "kind": found.conversation_kind},
        "message": said
        and {
            "id": said.id,
            "seq": said.seq,
            "strand": said.strand,
            "role": said.role,
            "author": {"id": said.user_id, "name": said.user_name},
        },
        "snippet": found.snippet,
        "at": found.at,
    }


# A new consultation ----------------------------------------------------------------------------------------------------


@member_page
def start(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The form of a new consultation; posted, it starts one and asks the first question."""
    roles.require(membership, "chat:conversation:create")
    if request.method != "POST":
        return _start_page(request, membership, StartForm(initial=_wished(request)))
    form = StartForm(request.POST, request.FILES)
    if "look" in request.POST:  # the search among the people, without a script
        found = FindForm(request.POST)
        found.is_valid()
        shown = StartForm(initial={**request.POST.dict(), "employees": form.chosen})
        return _start_page(request, membership, shown, find=found.cleaned_data.get("find", ""))
    if not form.is_valid():
        return _start_page(request, membership, form, status=400)
    asked = form.cleaned_data
    try:
        conversation = conversations.start(
            membership,
            type=asked["type"],
            subject_employee_ids=asked["employees"],
            title=asked["title"],
            client_id=asked["client_id"],
            opened_from=asked["opened_from"],
        )
    except ChatError as error:
        form.add_error(_FIELDS.get(error.field or ""), error.sentence)
        return _start_page(request, membership, form, status=error.http_status)
    return _send(request, membership, conversation, text=asked["text"], client_id=asked["client_id"], files=asked["files"])


_FIELDS = {"subject_employee_ids": "employees", "title": "title", "text": "text"}


def _wished(request: HttpRequest) -> dict[str, Any]:
    """What a link to the form already says: the type, the people, and where it stands."""
    came = urlsplit(request.headers.get("referer", ""))
    return {
        "type": request.GET.get("type", ""),
        "employees": request.GET.getlist("employee"),
        "client_id": new_client_id(),
        "opened_from": came.path if came.netloc == request.get_host() else "",
    }


def _start_page(request: HttpRequest, membership: Membership, form: StartForm, *, find: str = "", status: int = 200) -> HttpResponse:
    chosen = [value for value in form.chosen if isinstance(value, str)]
    found, more = _people(membership, find=find, chosen=chosen)
    return _render(
        request,
        membership,
        "chat/start.html",
        here="start",
        status=status,
        form=form,
        find=find,
        people=found,
        people_note=_people_note(found, find=find, more=more),
        text_limit=settings.TEXT_LIMIT,
        may_attach=roles.may(membership, "chat:file:upload"),
        accepted=attachments.ACCEPTED,
        files_limit=attachments.FILES_LIMIT,
    )


@require_POST
@member_page
def import_file(request: HttpRequest, membership: Membership) -> HttpResponse:
    """A new consultation from an exported file; what is wrong with the file is said on the form's page."""
    roles.require(membership, "chat:conversation:create")
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, " ".join(str(sentence) for sentences in form.errors.values() for sentence in sentences))
        return redirect("chat:start", membership.organization.slug)
    wanted = {name: form.cleaned_data[name] for name in ("conversation", "messages", "client_id")}
    try:
        conversation = imports.take(membership, **wanted)
    except ChatError as error:
        messages.error(request, f"{error.field}: {error.sentence}")
        return redirect("chat:start", membership.organization.slug)
    return redirect(_address(membership, conversation.id))


@require_GET
@member_page
def people(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Rows of the people whom a search finds, for the form of a new consultation."""
    form = FindForm(request.GET)
    if not form.is_valid():
        return HttpResponse("Search for 100 characters at most.", status=400, content_type="text/plain")
    found, more = _people(membership, find=form.cleaned_data["find"], chosen=[])
    response = render(request, "chat/_people.html", {"people": found})
    response["X-Note"] = _people_note(found, find=form.cleaned_data["find"], more=more)
    return response


def _people(membership: Membership, *, find: str, chosen: list[str]) -> tuple[list[dict[str, Any]], bool]:
    """The chosen people and then those a search finds, by name; and whether there are more."""
    page = people_selectors.employees(membership, q=find, limit=PEOPLE_LIMIT)
    known = {str(row["id"]): row for row in page.results}
    try:
        missing = people_access.employees_among(membership, [value for value in chosen if value not in known])
    except people_access.NotFound:
        missing = []
    first = [_person(str(one.pk), one.name, one.job_title, chosen=True) for one in missing]
    rows = [_person(key, row["name"], row["job_title"], chosen=key in chosen) for key, row in known.items()]
    return first + sorted(rows, key=lambda row: not row["chosen"]), page.next is not None


def _person(id: str, name: str, job: str, *, chosen: bool) -> dict[str, Any]:
    return {"id": id, "name": name, "role": job, "chosen": chosen}


def _people_note(found: list[dict[str, Any]], *, find: str, more: bool) -> str:
    if more:
        return f"The first {PEOPLE_LIMIT} are shown. Find others by name or job."
    if not found:
        return "Nobody fits. Try another name." if find else "There are no employees here whom you may see yet."
    return ""


# A conversation --------------------------------------------------------------------------------------------------------


@require_safe
@member_page
def conversation(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    return _conversation_page(request, membership, access.conversation_for(membership, conversation))


def _conversation_page(
    request: HttpRequest,
    membership: Membership,
    conversation: ConversationRecord,
    *,
    problem: str = "",
    text: str = "",
    client_id: str = "",
    reply_to: object | None = None,
    status: int = 200,
) -> HttpResponse:
    """The newest messages of a strand, those before a place or those around one. A refused question comes back with the reason and its
    own text."""
    place = PlaceForm(request.GET)
    asked = place.cleaned_data if place.is_valid() else {}
    before, around, strand = asked.get("before"), asked.get("around"), asked.get("strand")
    if strand is None or not conversation.has_strand(strand):
        strand = conversation.shown_to(membership.user_id)
    if before is None:
        snapshot = loop.run(selectors.snapshot(conversation, strand=strand))
        n, conversation, shown, earlier = snapshot.n, snapshot.conversation, snapshot.messages, snapshot.earlier
        if around and earlier and around < earlier:
            before = around + selectors.PAGE // 2
    if before is not None:
        page = selectors.messages(conversation, strand=strand, before=before)
        n, shown, earlier = 0, page.results, page.before
    else:
        _note_read(membership, conversation, shown)
    replied_to = _replied_to(conversation, reply_to or asked.get("reply_to"))
    subjects = _subjects(membership, conversation)
    left = loop.run(limits.left(user_id=str(membership.user_id), role=membership.role))
    is_theirs = conversation.user_id == str(membership.user_id)
    may_write = conversation.status == ConversationStatus.ACTIVE and roles.may(membership, "chat:message:send")
    return _render(
        request,
        membership,
        "chat/conversation.html",
        here="conversation",
        status=status,
        conversation=conversation.as_json(),
        conversation_id=conversation.id,
        n=n,
        older=before is not None,
        around=around,
        earlier=earlier,
        strand=strand,
        strands=[known.as_json() for known in conversation.strands],
        messages_shown=[{**message.as_json(), "beside": _beside(conversation, message)} for message in shown],
        on_its_way=any(message.status in ON_THEIR_WAY for message in shown),
        queue=conversation.queue.as_json(),
        waiting=[question.as_json() for question in conversation.queue.questions if question.strand == strand],
        blank_waiting={"author": {"id": str(membership.user_id)}},
        may_send=may_write,
        may_rate=roles.may(membership, "chat:message:feedback"),
        comment_limit=feedback.COMMENT_LIMIT,
        may_change=is_theirs and roles.may(membership, "chat:conversation:update"),
        may_export=roles.may(membership, "chat:conversation:export"),
        export_formats=ExportFormat.choices,
        may_share=is_theirs and access.may_share(membership, audience=Audience.ORGANIZATION),
        may_delete=is_theirs and roles.may(membership, "chat:conversation:delete"),
        names={str(subject.pk): subject.name for subject in subjects},
        actions=actions.addresses(membership.organization.slug, conversation.id),
        about=_about(conversation, subjects),
        type_line=_LINES.get(conversation.type or "", ""),
        left=left and left.as_json(),
        text_limit=settings.TEXT_LIMIT,
        may_attach=may_write and roles.may(membership, "chat:file:upload"),
        accepted=attachments.ACCEPTED,
        files_limit=attachments.FILES_LIMIT,
        file_limit=attachments.FILE_LIMIT,
        blank_file={"id": "", "name": "", "size": 0, "thumbnail_url": "blank"},
        blank_question=_blank(MessageRole.USER),
        blank_answer=_blank(MessageRole.ASSISTANT),
        problem=problem,
        text=text or asked.get("ask", ""),
        replied_to=replied_to and replied_to.as_json(),
        client_id=client_id or new_client_id(),
        suggestion_id=new_client_id(),
        open_id=conversation.id,
        **_side(membership, conversation),
    )


def _replied_to(conversation: ConversationRecord, message_id: object | None) -> RepliedToRecord | None:
    """What the next question is to reply to, if it may be replied to."""
    if message_id is None:
        return None
    try:
        return loop.run(replies.find(conversation, message_id))
    except (UnknownReply, NothingToReplyTo):
        return None


def _note_read(membership: Membership, conversation: ConversationRecord, shown: Sequence[MessageRecord]) -> None:
    """Whoever opens a conversation reads its newest messages; what is still being written is read when it has ended."""
    seq = max((message.seq for message in shown if message.status not in ON_THEIR_WAY), default=0)
    mark = selectors.read_up_to(membership, conversation)
    if mark is None or mark < seq:
        reading.mark(membership, conversation, seq=seq)


def _beside(conversation: ConversationRecord, message: MessageRecord) -> dict[str, Any] | None:
    """Where a question stands among its versions, from 1, and the strands of its neighbours; None where it was never edited."""
    if message.is_answer or not conversation.strands:
        return None
    versions = versions_of(conversation.strands, seq=message.seq, strand=message.strand)
    if len(versions) == 1:
        return None
    at = versions.index(message.strand)
    return {
        "place": at + 1,
        "count": len(versions),
        "earlier": versions[at - 1] if at else None,
        "later": versions[at + 1] if at + 1 < len(versions) else None,
    }


def _side(membership: Membership, conversation: ConversationRecord) -> dict[str, Any]:
    """The list beside an open conversation: its own filters are another address's, so it shows the first page."""
    first = HttpRequest()
    return _list(first, membership, open_id=conversation.id)


def _subjects(membership: Membership, conversation: ConversationRecord) -> list[Any]:
    """The employees it is about, as far as this member may see them."""
    wanted = conversation.subject_employee_ids
    found = people_access.employees_for(membership).in_bulk([UUID(value) for value in wanted])
    return [found[UUID(value)] for value in wanted if UUID(value) in found]


def _about(conversation: ConversationRecord, subjects: list[Any]) -> str:
    """Whom it is about, where the title does not say it already."""
    named = ", ".join(subject.name for subject in subjects[:3])
    more = f" and {len(subjects) - 3} more" if len(subjects) > 3 else ""
    return "" if named in conversation.title else named + more


def _blank(role: MessageRole) -> dict[str, Any]:
    """What the page's script fills: the same template as every message, with nothing in it."""
    return {
        "id": "",
        "role": role.value,
        "status": MessageStatus.SENT.value,
        "author": None,
        "error": None,
        "usage": None,
        "model": None,
        "reused_from": None,
        "attachments": [],
        "feedback": None,
        "structured_data": None,
        "parts": [],
        "versions": 1,
        "strand": 0,
        "reply_to": None,
        "beside": None,
    }


@require_GET
@member_page
def export(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponseBase:
    found = access.conversation_for(membership, conversation)
    form = ExportForm(request.GET)
    if not form.is_valid():
        return HttpResponse("Ask for markdown, json or pdf.", status=400, content_type="text/plain")
    try:
        return Download(exports.export(membership, found, format=ExportFormat(form.cleaned_data["format"])))
    except ChatError as error:
        return _conversation_page(request, membership, found, problem=error.sentence, status=error.http_status)


@require_POST
@member_page
def send(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    return _ask(request, membership, conversation)


@require_POST
@member_page
def queue(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    """A question that is asked when no answer is on its way any more."""
    return _ask(request, membership, conversation, waits=True)


def _ask(request: HttpRequest, membership: Membership, conversation: UUID, *, waits: bool = False) -> HttpResponse:
    found = access.conversation_for(membership, conversation)
    form = NextForm(request.POST, request.FILES)
    if not form.is_valid():
        kept: dict[str, Any] = {"text": request.POST.get("text", ""), "reply_to": form.cleaned_data.get("reply_to")}
        return _conversation_page(request, membership, found, problem=_problem(form), **kept, status=400)
    return _send(request, membership, found, **form.cleaned_data, waits=waits)


@require_POST
@member_page
def ask_next(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    found = access.conversation_for(membership, conversation)
    form = StrandForm(request.POST)
    try:
        queues.next_one(membership, found, strand=form.cleaned_data["strand"] if form.is_valid() else None)
    except StoreAway:
        raise
    except ChatError as error:
        messages.error(request, error.sentence)
    return redirect(_address(membership, found.id))


@require_POST
@member_page
def take_back(request: HttpRequest, membership: Membership, *, conversation: UUID, question: UUID) -> HttpResponse:
    """Removes a question that waits; with `edit` its text is where a new one is written."""
    found = access.conversation_for(membership, conversation)
    try:
        _, taken = queues.remove(membership, found, question)
    except StoreAway:
        raise
    except ChatError as error:
        messages.error(request, error.sentence)
    else:
        if "edit" in request.POST:
            replied_to = taken.reply_to and taken.reply_to.id
            return _conversation_page(request, membership, found, text=taken.text, reply_to=replied_to)
        messages.success(request, "Removed. It is not asked.")
    return redirect(_address(membership, found.id))


def _problem(form: Form) -> str:
    """What is wrong with a form, in one line."""
    return " ".join(str(sentence) for sentences in form.errors.values() for sentence in sentences)


def _send(
    request: HttpRequest,
    membership: Membership,
    conversation: ConversationRecord,
    *,
    text: str,
    client_id: str,
    files: Sequence[UploadedFile] = (),
    strand: int | None = None,
    reply_to: UUID | None = None,
    waits: bool = False,
) -> HttpResponse:
    take: Callable[..., turns.Submitted | queues.Queued] = queues.add if waits else turns.submit
    try:
        ids = [_uploaded(membership, conversation, file, client_id=client_id) for file in files]
        said: dict[str, Any] = {"text": text, "client_id": client_id, "reply_to": reply_to}
        taken = take(membership, conversation, **said, attachment_ids=ids, strand=strand)
    except StoreAway:
        raise
    except ChatError as error:
        kept: dict[str, Any] = {"text": text, "reply_to": reply_to}
        response = _conversation_page(request, membership, conversation, problem=error.sentence, **kept, status=error.http_status)
        if error.retry_after is not None:
            response["Retry-After"] = str(error.retry_after)
        return response
    return redirect(_address(membership, conversation.id) + (f"#m-{taken.message.id}" if taken.message else "#queue"))


def _uploaded(membership: Membership, conversation: ConversationRecord, file: UploadedFile, *, client_id: str) -> str:
    """The id of a file of a form; a form that is sent twice has it once."""
    body: Any = file.file
    digest = hashlib.file_digest(body, "sha256").hexdigest()
    body.seek(0)
    name, size = file.name or "", file.size or 0
    return attachments.upload(membership, conversation, name=name, file=body, size=size, client_id=f"{client_id}:{digest}").id


@require_safe
@member_page
def attachment(request: HttpRequest, membership: Membership, *, conversation: UUID, attachment: UUID) -> HttpResponseBase:
    return Download(attachments.download(access.attachment_for(membership, attachment)))


@require_safe
@member_page
def picture(request: HttpRequest, membership: Membership, *, conversation: UUID, attachment: UUID) -> HttpResponse:
    return Picture(attachments.thumbnail(access.attachment_for(membership, attachment)))


@require_POST
@member_page
def edit(request: HttpRequest, membership: Membership, *, conversation: UUID, message: UUID) -> HttpResponse:
    """Asks a question in other words. What is refused comes back where a new question is written: nothing that was written is lost."""
    question = access.message_for(membership, message)
    found = access.conversation_for(membership, question.conversation_id)
    form = QuestionForm(request.POST)
    if not form.is_valid():
        return _conversation_page(request, membership, found, problem=_problem(form), text=request.POST.get("text", ""), status=400)
    try:
        submitted = turns.edit(membership, found, question, **form.cleaned_data)
    except StoreAway:
        raise
    except ChatError as error:
        text = form.cleaned_data["text"]
        return _conversation_page(request, membership, found, problem=error.sentence, text=text, status=error.http_status)
    return redirect(_address(membership, found.id) + f"#m-{submitted.message.id}")


@require_POST
@member_page
def look_at(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    """Shows another version of a question, with what followed it."""
    found = access.conversation_for(membership, conversation)
    form = StrandForm(request.POST)
    try:
        if not form.is_valid():
            raise UnknownStrand
        strands.show(membership, found, strand=form.cleaned_data["strand"])
    except UnknownStrand as error:
        messages.error(request, error.sentence)
    return redirect(_address(membership, found.id))


@require_POST
@member_page
def stop(request: HttpRequest, membership: Membership, *, conversation: UUID, message: UUID) -> HttpResponse:
    return _wish(request, membership, message, turns.stop)


@require_POST
@member_page
def retry(request: HttpRequest, membership: Membership, *, conversation: UUID, message: UUID) -> HttpResponse:
    return _wish(request, membership, message, turns.retry)


@require_POST
@member_page
def regenerate(request: HttpRequest, membership: Membership, *, conversation: UUID, message: UUID) -> HttpResponse:
    return _wish(request, membership, message, turns.regenerate)


@require_POST
@member_page
def give_feedback(request: HttpRequest, membership: Membership, *, conversation: UUID, message: UUID) -> HttpResponse:
    form = FeedbackForm(request.POST)
    if not form.is_valid():
        found = access.message_for(membership, message)
        messages.error(request, _problem(form))
        return redirect(_address(membership, found.conversation_id) + f"#m-{found.id}")
    return _wish(request, membership, message, feedback.give, **form.given)


def _wish(request: HttpRequest, membership: Membership, message: UUID, act: Callable[..., Any], **arguments: Any) -> HttpResponse:
    found = access.message_for(membership, message)
    try:
        act(membership, found, **arguments)
    except StoreAway:
        raise
    except ChatError as error:
        messages.error(request, error.sentence)
    return redirect(_address(membership, found.conversation_id) + f"#m-{found.id}")


@require_safe
@member_page
def versions(request: HttpRequest, membership: Membership, *, conversation: UUID, message: UUID) -> HttpResponse:
    """What an answer said each time it was written."""
    answer = access.message_for(membership, message)
    talk = access.conversation_for(membership, answer.conversation_id)
    return _render(
        request,
        membership,
        "chat/versions.html",
        here="conversation",
        conversation=talk.as_json(),
        answer=answer.as_json(),
        versions_shown=[version.as_json() for version in selectors.versions(answer)],
    )


@require_safe
@member_page
def context(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    """What a model would be told now, with this member's rights."""
    found = access.conversation_for(membership, conversation)
    return _render(
        request,
        membership,
        "chat/context.html",
        here="conversation",
        conversation=found.as_json(),
        given=contexts.given(membership, found).as_json(),
        may_correct=roles.may(membership, employees.UPDATE),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def correct(request: HttpRequest, membership: Membership, *, conversation: UUID, employee: UUID) -> HttpResponse:
    """The part of an employee's record that a model is told of: shown, and posted, changed."""
    found = access.conversation_for(membership, conversation)
    if str(employee) not in found.subject_employee_ids:
        raise people_access.NotFound
    who = employees.find(membership, employee)
    if request.method != "POST":
        form = CorrectForm(initial={name: getattr(who, name) for name in CorrectForm.base_fields})
        return _correct_page(request, membership, found, who, form)
    form = CorrectForm(request.POST)
    if form.is_valid():
        said = {name: value for name, value in form.cleaned_data.items() if name in request.POST}
        try:
            employees.change(membership, who, **said)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"Corrected. From now on answers rest on it: {who.name}.")
            return redirect("chat:context", membership.organization.slug, found.id)
    return _correct_page(request, membership, found, who, form, status=400)


def _correct_page(
    request: HttpRequest, membership: Membership, conversation: ConversationRecord, who: Employee, form: CorrectForm, *, status: int = 200
) -> HttpResponse:
    shown = conversation.as_json()
    return _render(
        request, membership, "chat/correct.html", here="conversation", status=status, conversation=shown, employee=who, form=form
    )


@require_POST
@member_page
def rename(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    form = TitleForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(sentence) for sentence in form.errors["title"]))
        return redirect(_address(membership, conversation))
    return _change(request, membership, conversation, conversations.rename, title=form.cleaned_data["title"])


@require_POST
@member_page
def pin(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    form = PinForm(request.POST)
    form.is_valid()
    return _change(request, membership, conversation, conversations.pin, on=form.cleaned_data["on"])


@require_POST
@member_page
def archive(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    return _change(request, membership, conversation, conversations.archive, done="Archived.")


@require_POST
@member_page
def restore(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    return _change(request, membership, conversation, conversations.restore, door=access.restorable_conversation_for)


@member_page
def readers(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    """Who besides its starter may read it: shown, and posted, changed."""
    found = access.owned_conversation_for(membership, conversation)
    roles.require(membership, "chat:conversation:update")
    if request.method != "POST":
        known = people_access.members_among(membership, found.allowed_user_ids)
        emails = "\n".join(sorted(member.user.email for member in known))
        return _readers_page(request, membership, found, ReadersForm(initial={"roles": found.allowed_roles, "emails": emails}))
    form = ReadersForm(request.POST)
    if not form.is_valid():
        return _readers_page(request, membership, found, form, status=400)
    members = people_access.members_with_emails(membership, form.cleaned_data["emails"])
    if unknown := sorted(set(form.cleaned_data["emails"]) - {member.user.email for member in members}):
        form.add_error("emails", f"Not a member of {membership.organization.name}: {', '.join(unknown)}.")
        return _readers_page(request, membership, found, form, status=400)
    changed = conversations.open_to(membership, found, to_roles=form.cleaned_data["roles"], user_ids=[member.user_id for member in members])
    messages.success(request, "Only you can read it now." if changed.is_private else "Who may read it has changed.")
    return redirect(_address(membership, conversation))


def _readers_page(
    request: HttpRequest, membership: Membership, conversation: ConversationRecord, form: ReadersForm, *, status: int = 200
) -> HttpResponse:
    shown = conversation.as_json()
    return _render(request, membership, "chat/readers.html", here="conversation", status=status, conversation=shown, form=form)


@require_POST
@member_page
def delete(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    conversations.delete(membership, access.conversation_for(membership, conversation))
    days = retention.deleted_kept_days(membership.organization_id)
    messages.success(request, f"Deleted. For {days} days you can restore it, under “Deleted” in the list.")
    return redirect("chat:inbox", membership.organization.slug)


def _change(
    request: HttpRequest,
    membership: Membership,
    conversation: UUID,
    act: Callable[..., Any],
    *,
    done: str = "",
    door: Callable[..., ConversationRecord] = access.conversation_for,
    **arguments: Any,
) -> HttpResponse:
    found = door(membership, conversation)
    try:
        act(membership, found, **arguments)
    except StoreAway:
        raise
    except ChatError as error:
        messages.error(request, error.sentence)
    else:
        if done:
            messages.success(request, done)
    return redirect(_address(membership, conversation))


# Links to a copy -------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@member_page
def shares(request: HttpRequest, membership: Membership, *, conversation: UUID) -> HttpResponse:
    """A conversation's links and the form of a new one. Posted, it shows the new link: once, and kept nowhere on the way."""
    found = access.owned_conversation_for(membership, conversation)
    if request.method != "POST":
        return _shares_page(request, membership, found, form=ShareForm())
    form = ShareForm(request.POST)
    if not form.is_valid():
        return _shares_page(request, membership, found, form=form, status=400)
    asked = form.cleaned_data
    try:
        made = links.create(membership, found, audience=Audience(asked["audience"]), days=asked["days"])
    except ChatError as error:
        form.add_error(None, error.sentence)
        return _shares_page(request, membership, found, form=form, status=error.http_status)
    address = request.build_absolute_uri(reverse("chat:shared", args=[made.token]))
    return _shares_page(request, membership, found, form=ShareForm(), made=made, address=address, status=201)


def _shares_page(
    request: HttpRequest,
    membership: Membership,
    conversation: ConversationRecord,
    *,
    form: ShareForm,
    made: links.NewShare | None = None,
    address: str = "",
    status: int = 200,
) -> HttpResponse:
    now = timezone.now()
    response = _render(
        request,
        membership,
        "chat/shares.html",
        here="shares",
        status=status,
        conversation=conversation.as_json(),
        form=form,
        audiences=[choice for choice in Audience if access.may_share(membership, audience=choice)],
        rows=[(share, share.is_live(now=now)) for share in selectors.shares(conversation)],
        made=made,
        address=address,
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response


@require_POST
@member_page
def revoke(request: HttpRequest, membership: Membership, *, conversation: UUID, share: UUID) -> HttpResponse:
    links.revoke(membership, access.owned_conversation_for(membership, conversation), share_id=share)
    messages.success(request, "Revoked. Nobody can open this link any more.")
    return redirect("chat:shares", membership.organization.slug, conversation)


@require_safe
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """What a link opens, for whomever it is meant for. To everybody else each link looks the same, whether it is one or not."""
    try:
        found = access.shared_copy(token, user_id=request.user.pk, now=timezone.now())
        links.opened(found)
    except people_access.NotFound:
        response = render(request, "chat/shared_missing.html", status=404)
    else:
        response = render(request, "chat/shared.html", {"share": found.share, "actions": {}})
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


# What every page has ---------------------------------------------------------------------------------------------------


def _address(membership: Membership, conversation: UUID | str) -> str:
    return reverse("chat:conversation", args=[membership.organization.slug, conversation])


def _may_read(membership: Membership) -> bool:
    return roles.may(membership, "chat:conversation:read")


def shell(request: HttpRequest, membership: Membership, *, here: str) -> dict[str, Any]:
    """What `shell.html` needs to know: whose page it is, where in the navigation, and what else there is for this person."""
    return {
        "membership": membership,
        "memberships": people_access.memberships_of(request.user),
        "may_read": _may_read(membership),
        "may_start": roles.may(membership, "chat:conversation:create"),
        "may_see_metrics": roles.may(membership, "analytics:metrics:view"),
        "may_see_settings": roles.may(membership, "integrations:bridges:view"),
        "may_see_budgets": roles.may(membership, "integrations:budgets:view"),
        "may_connect": roles.may(membership, "integrations:connection:use"),
        "user_id": str(membership.user_id),
        "consultation_types": CHOICES,
        "here": here,
    }


def _render(request: HttpRequest, membership: Membership, template: str, *, here: str, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, template, shell(request, membership, here=here) | context, status=status)
