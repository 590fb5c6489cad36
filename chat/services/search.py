"""Finding conversations and messages by their words, within what a member may read.

1. The conversations that the member may read and that the operators leave, latest first: the *window*, at most `WINDOW` of them.
2. Titles and messages of these conversations in which all the words are, by the text indexes, which begin with the organization.
3. Both together, best first. Where a window holds no more, the next page goes on with the conversations before it.

Only the longest word is looked up in the index; the others are looked for in what it finds (docs/decisions/searching.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from chat import access, search, selectors
from chat.choices import SETTLED, ConversationStatus, MessageRole
from chat.documents import Conversation, Message
from chat.records import as_time
from chat.search import Piece, Query
from chat.services import errors
from chat.strands import FIRST
from config import mongo
from tenants import roles
from tenants import selectors as people
from tenants.models import Membership

C, M = mongo.names(Conversation), mongo.names(Message)

PAGE = 50
MOST = 100
WINDOW = 10_000  # conversations
WITHOUT_INDEX = (27, 291)  # MongoDB's codes where there is no index of words, or another one than is asked for
CONVERSATION, MESSAGE = "conversation", "message"
ME, PARLEY = "me", "parley"


@dataclass(frozen=True, slots=True)
class Place:
    """A result's place among those of its window: by score, then time, then identifier."""

    score: float
    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class SearchCursor:
    """Behind this place, in the window of conversations that begins behind `window` (None: with the latest)."""

    window: selectors.InboxCursor | None
    place: Place | None

    def spelled(self) -> list[Any]:
        """As JSON can carry it; `cursor_from` reads it."""
        window = self.window and [self.window.last_message_at.isoformat(), self.window.conversation_id]
        return [window, self.place and [self.place.score, self.place.at.isoformat(), self.place.id]]


def cursor_from(spelled: list[Any] | None) -> SearchCursor | None:
    """What `spelled` gave; it is trusted, so it must come from a signed text."""
    if spelled is None:
        return None
    window, place = spelled
    return SearchCursor(
        window=window and selectors.InboxCursor(datetime.fromisoformat(window[0]), window[1]),
        place=place and Place(place[0], datetime.fromisoformat(place[1]), place[2]),
    )


@dataclass(frozen=True, slots=True)
class FoundMessage:
    id: str
    seq: int
    strand: int
    role: str
    created_at: datetime
    user_id: str | None
    user_name: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """One result: a message, or (`message` is None) a conversation by its title."""

    conversation_id: str
    conversation_kind: str
    title: str
    type: str | None
    message: FoundMessage | None
    snippet: tuple[Piece, ...]
    at: datetime

    def as_json(self) -> dict[str, Any]:
        message = None
        if self.message is not None:
            message = {
                "id": self.message.id,
                "seq": self.message.seq,
                "strand": self.message.strand,
                "role": self.message.role,
                "created_at": as_time(self.message.created_at),
            }
        return {
            "kind": CONVERSATION if message is None else MESSAGE,
            "conversation": {"id": self.conversation_id, "title": self.title, "type": self.type},
            "message": message,
            "snippet": [{"text": piece.text, "hit": piece.hit} for piece in self.snippet],
            "at": as_time(self.at),
        }


@dataclass(frozen=True, slots=True)
class SearchPage:
    results: tuple[Found, ...]
    next: SearchCursor | None


def find(membership: Membership, *, q: str, cursor: SearchCursor | None = None, limit: int = PAGE) -> SearchPage:
    """What this member may read that fits the query, best first. Causes up to five queries.

    Raises `Forbidden`, `SearchNotUnderstood`, `SearchTooBroad` where a word is in too many messages to look through, and `SearchAway` while
    a migration makes the index of words.
    """
    roles.require(membership, "chat:conversation:read")
    limit = max(1, min(limit, MOST))
    query = search.parse(q)
    cursor = cursor or SearchCursor(window=None, place=None)
    window = _window(membership, query, behind=cursor.window)
    ids = [raw[C.conversation_id] for raw in window[:WINDOW]]
    try:
        found = [*_messages(membership, query, ids, cursor.place, limit), *_titles(membership, query, ids, cursor.place, limit)]
    except PyMongoError as error:
        if isinstance(error, OperationFailure) and error.code in WITHOUT_INDEX:
            raise errors.SearchAway from error
        if not error.timeout:
            raise
        # MongoDB has just answered, so it is not away.
        raise errors.SearchTooBroad(f"“{query.lead}” is in too many messages. Add a longer word that is rarer.") from error
    found.sort(key=lambda raw: (raw["score"], raw["at"], raw["id"]), reverse=True)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        last = shown[-1]
        following = SearchCursor(cursor.window, Place(last["score"], last["at"], last["id"]))
    elif len(window) > WINDOW:
        last = window[WINDOW - 1]
        following = SearchCursor(selectors.InboxCursor(last[C.last_message_at], last[C.conversation_id]), None)
    return SearchPage(results=tuple(_results(membership, query, shown)), next=following)


def _window(membership: Membership, query: Query, *, behind: selectors.InboxCursor | None) -> list[dict[str, Any]]:
    """The readable conversations that the operators leave, latest first, and one more if there are more than `WINDOW`."""
    offered = [ConversationStatus.ACTIVE.value, ConversationStatus.ARCHIVED.value]
    wanted: dict[str, Any] = {
        C.organization_id: str(membership.organization_id),
        C.status: query.status or {"$in": offered},
    }
    conditions = [access.readable_by(membership)]
    if query.types:
        wanted[C.type] = {"$in": list(query.types)}
    if query.pinned is not None:
        # A conversation that was never pinned may say nothing of it.
        wanted[C.is_pinned] = True if query.pinned else {"$ne": True}
    if query.about:
        wanted[C.subject_employee_ids] = {"$in": [str(pk) for pk in people.employees_named(membership, query.about)]}
    if behind is not None:
        wanted[C.last_message_at] = {"$lte": behind.last_message_at}
        conditions.append(selectors.beyond(behind))
    return list(
        mongo.collection(Conversation)
        .find({**wanted, "$and": conditions}, {"_id": 0, C.conversation_id: 1, C.last_message_at: 1})
        .sort([(C.last_message_at, -1), (C.conversation_id, -1)])
        .limit(WINDOW + 1)
    )


def _messages(membership: Membership, query: Query, ids: list[str], place: Place | None, limit: int) -> list[dict[str, Any]]:
    wanted = {
        **_among(membership, ids, query),
        # Says the same as the index does: texts that are still being written are not in it.
        M.status: {"$in": [status.value for status in SETTLED]},
        M.lease: None,
        M.deleted_at: None,
        **_between(query, M.created_at),
        **_said_by(membership, query.author),
        "$and": _holding(query, M.content),
    }
    shown = {M.conversation_id: 1, M.seq: 1, M.strand: 1, M.role: 1, M.user_id: 1, M.user_name: 1}
    return _best(Message, wanted, shown, id=M.message_id, at=M.created_at, text=M.content, place=place, limit=limit)


def _titles(membership: Membership, query: Query, ids: list[str], place: Place | None, limit: int) -> list[dict[str, Any]]:
    """By their titles; nobody says a title, so there are none from somebody."""
    if query.author:
        return []
    wanted = {**_among(membership, ids, query), **_between(query, C.last_message_at), "$and": _holding(query, C.title)}
    return _best(
        Conversation, wanted, {C.conversation_id: 1}, id=C.conversation_id, at=C.last_message_at, text=C.title, place=place, limit=limit
    )


def _among(membership: Membership, ids: list[str], query: Query) -> dict[str, Any]:
    lead = query.lead.replace("\\", " ")
    return {
        C.organization_id: str(membership.organization_id),
        "$text": {"$search": f'"{lead}"'},
        C.conversation_id: {"$in": ids},
    }


def _between(query: Query, field: str) -> dict[str, Any]:
    bounds = {"$gte": query.after, "$lt": query.before}
    given = {operator: moment for operator, moment in bounds.items() if moment is not None}
    return {field: given} if given else {}


def _said_by(membership: Membership, author: str) -> dict[str, Any]:
    if not author:
        return {}
    if author.casefold() == PARLEY:
        return {M.role: MessageRole.ASSISTANT.value}
    if author.casefold() == ME:
        return {M.role: MessageRole.USER.value, M.user_id: str(membership.user_id)}
    return {M.role: MessageRole.USER.value, M.user_name: _like(search.name_pattern(author))}


def _holding(query: Query, field: str) -> list[dict[str, Any]]:
    """What the index was not asked for: the other words, the phrases, and that the excluded ones are not there."""
    others = [{field: _like(search.pattern(word))} for word in query.words if word != query.lead]
    return [*others, *({field: {"$not": _like(search.pattern(word))}} for word in query.excluded)] or [{}]


def _like(pattern: str) -> dict[str, str]:
    return {"$regex": f"(*UCP){pattern}", "$options": "i"}


def _best(
    document: type,
    wanted: dict[str, Any],
    shown: dict[str, int],
    *,
    id: str,
    at: str,
    text: str,
    place: Place | None,
    limit: int,
) -> list[dict[str, Any]]:
    """The best behind a place, and one more if there are more: `{score, at, id, text, …shown}`."""
    figures = {"_id": 0, "score": {"$meta": "textScore"}, "at": f"${at}", "id": f"${id}", "text": f"${text}"}
    stages: list[dict[str, Any]] = [{"$match": wanted}, {"$project": {**figures, **shown}}]
    if place is not None:
        stages.append({"$match": _behind(place)})
    stages += [{"$sort": {"score": -1, "at": -1, "id": -1}}, {"$limit": limit + 1}]
    return list(mongo.collection(document).aggregate(stages))


def _behind(place: Place) -> dict[str, Any]:
    same = {"score": place.score}
    return {
        "$or": [
            {"score": {"$lt": place.score}},
            {**same, "at": {"$lt": place.at}},
            {**same, "at": place.at, "id": {"$lt": place.id}},
        ]
    }


def _results(membership: Membership, query: Query, found: list[dict[str, Any]]) -> Iterable[Found]:
    about = _conversations(membership, {raw[M.conversation_id] for raw in found})
    for raw in found:
        conversation = about[raw[M.conversation_id]]
        message = None
        text = raw["text"]
        if M.seq in raw:
            message = FoundMessage(
                id=raw["id"],
                seq=raw[M.seq],
                strand=raw.get(M.strand, FIRST),
                role=raw[M.role],
                created_at=raw["at"],
                user_id=raw.get(M.user_id),
                user_name=raw.get(M.user_name),
            )
            text = text if message.role == MessageRole.USER else search.plain(text)
        yield Found(
            conversation_id=conversation[C.conversation_id],
            conversation_kind=conversation[C.kind],
            title=conversation[C.title],
            type=conversation.get(C.type),
            message=message,
            snippet=search.snippet(text, query.words),
            at=raw["at"],
        )


def _conversations(membership: Membership, ids: set[str]) -> dict[str, dict[str, Any]]:
    """What results show of their conversations, by id."""
    wanted = {C.organization_id: str(membership.organization_id), C.conversation_id: {"$in": list(ids)}}
    shown = {"_id": 0, C.conversation_id: 1, C.kind: 1, C.title: 1, C.type: 1}
    return {raw[C.conversation_id]: raw for raw in mongo.collection(Conversation).find(wanted, shown)}
