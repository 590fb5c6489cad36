"""The cold archive of conversations (D2): what nobody did anything with for a year has its messages in a compressed file, and the rest
of it where it was, so that it is listed as ever; whoever opens it has them back (`chat.access`).

1. `mark` says that a conversation is about to leave. Whoever opens it from then on takes the mark away.
2. `put_away`, an hour later or more, when no request that began before the mark can be under way: its messages and their revisions are
   written into a file, which is read again; then, in one transaction, they go and the conversation tells of the file.
3. `bring_back`, in one transaction, puts them back and the conversation tells of no file. Then the file goes.

A run that is killed leaves nothing but a file that nobody tells of: the next writes it anew.
"""

import gzip
import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import bson
import pymongo
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils import timezone
from pymongo.errors import ConnectionFailure

from chat.choices import ConversationStatus
from chat.documents import Conversation, Message, MessageRevision
from config import mongo, periods
from config.failpoints import failpoint
from tenants import selectors as people
from tenants.choices import NOBODY
from tenants.models import Organization

log = logging.getLogger(__name__)

C, M, R = mongo.names(Conversation), mongo.names(Message), mongo.names(MessageRevision)

GRACE = timedelta(hours=1)  # between the mark and the leaving; no request takes that long
BATCH = 500  # conversations that are read, and documents that are put back, at once
IDS = 10_000  # messages whose revisions are asked for at once
SECONDS = 120  # that reading or putting back a large conversation may take
LIVING = {"$in": [ConversationStatus.ACTIVE.value, ConversationStatus.ARCHIVED.value]}


class Unreadable(ConnectionFailure):
    """The file is not there or not what was written. Told to people as a store that is away: an operator can put it back from a backup,
    and until then nothing is shown or written that would be wrong."""


class WrittenMeanwhile(Exception):
    """There is not what the file holds: the transaction is taken back."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation whose messages are due to go into a file."""

    organization_id: str
    conversation_id: str
    messages: int


def path_of(organization_id: str, conversation_id: str) -> str:
    """Where the file of a conversation is, in Django's storage: BSON documents one after the other, gzipped."""
    return f"archive/{organization_id}/conversations/{conversation_id}.bson.gz"


def due(*, now: datetime) -> Iterator[Waiting]:
    """What nobody wrote in or brought back for its organization's period and what is not in a file, longest ago first. A query for each
    BATCH."""
    for pk in Organization.objects.order_by("pk").values_list("pk", flat=True):
        days = people.days_shortened(pk).get(periods.CONVERSATIONS.name, periods.CONVERSATIONS.days)
        since = now - timedelta(days=days)
        idle: dict[str, Any] = {
            C.organization_id: str(pk),
            C.status: LIVING,
            C.last_message_at: {"$lte": since},
            f"{C.cold}.awayAt": None,
            C.opened_at: {"$not": {"$gt": since}},
            C.message_count: {"$gt": 0},
        }
        shown = {C.conversation_id: 1, C.message_count: 1, C.last_message_at: 1}
        order = [(C.last_message_at, 1), (C.conversation_id, 1)]
        while found := mongo.collection(Conversation).find(idle, shown, sort=order, limit=BATCH).to_list():
            for raw in found:
                yield Waiting(str(pk), raw[C.conversation_id], raw[C.message_count])
            last = found[-1]
            idle["$or"] = [
                {C.last_message_at: {"$gt": last[C.last_message_at]}},
                {C.last_message_at: last[C.last_message_at], C.conversation_id: {"$gt": last[C.conversation_id]}},
            ]


def run(*, now: datetime) -> int:
    """Marks what is due and puts away what was marked before; how many conversations went into files. One whose file cannot be written
    now is left to the next run."""
    gone = 0
    for one in due(now=now):
        try:
            gone += put_away(one, now=now) or mark(one, now=now)
        except OSError:
            log.exception("The file of the conversation %s cannot be written now.", one.conversation_id)
    return gone


def mark(one: Waiting, *, now: datetime) -> bool:
    """Always false: nothing went yet."""
    unmarked = {**_of(one.organization_id, one.conversation_id), C.cold: None}
    mongo.collection(Conversation).update_one(unmarked, {"$set": {C.cold: {"markedAt": now}}})
    return False


def put_away(one: Waiting, *, now: datetime) -> bool:
    """False where it is not marked long enough, or was opened meanwhile. Run again after a crash, it goes on."""
    organization_id, conversation_id = one.organization_id, one.conversation_id
    of = _of(organization_id, conversation_id)
    wanted = {**of, C.status: LIVING, f"{C.cold}.markedAt": {"$lte": now - GRACE}, f"{C.cold}.awayAt": None}
    marked = mongo.collection(Conversation).find_one(wanted, {C.cold: 1, C.last_message_at: 1})
    if marked is None:
        return False
    with pymongo.timeout(SECONDS):
        ids = [raw[M.message_id] for raw in mongo.collection(Message).find(of, {M.message_id: 1}, sort=[(M.seq, 1)])]
        wrote = mongo.collection(Message).distinct(M.user_id, of)
    revisions = [{R.organization_id: organization_id, R.message_id: {"$in": ids[start : start + IDS]}} for start in range(0, len(ids), IDS)]
    revised = [user for some in revisions for user in mongo.collection(MessageRevision).distinct(R.revised_by, some)]
    path = path_of(organization_id, conversation_id)
    counted, digest, size = _write(path, of, revisions)
    failpoint("cold.written")
    away = {
        "markedAt": marked[C.cold]["markedAt"],
        "awayAt": now,
        "sha256": digest,
        "bytes": size,
        "messages": len(ids),
        "people": sorted({str(user) for user in (*wrote, *revised) if user} - {NOBODY}),
    }
    same = {**wanted, f"{C.cold}.markedAt": marked[C.cold]["markedAt"], C.last_message_at: marked[C.last_message_at]}

    def leave(session: Any) -> bool:
        if not mongo.collection(Conversation).update_one(same, {"$set": {C.cold: away}}, session=session).matched_count:
            return False
        gone = sum(mongo.collection(MessageRevision).delete_many(some, session=session).deleted_count for some in revisions)
        gone += mongo.collection(Message).delete_many(of, session=session).deleted_count
        if gone != counted:
            raise WrittenMeanwhile
        return True

    try:
        left = _in_transaction(leave)
    except WrittenMeanwhile:
        log.warning("Something was written in the conversation %s while its file was: it stays for another night.", conversation_id)
        return False
    failpoint("cold.gone")
    return left


def bring_back(organization_id: str, conversation_id: str, *, now: datetime | None = None) -> bool:
    """Takes the mark away, or puts the messages back; false where somebody else has done so. Raises `Unreadable`."""
    now = now or timezone.now()
    of = _of(organization_id, conversation_id)
    opened = {"$unset": {C.cold: ""}, "$set": {C.opened_at: now}}
    conversations = mongo.collection(Conversation)
    if conversations.update_one({**of, f"{C.cold}.markedAt": {"$type": "date"}, f"{C.cold}.awayAt": None}, opened).modified_count:
        return True
    raw = conversations.find_one({**of, f"{C.cold}.awayAt": {"$type": "date"}}, {C.cold: 1})
    if raw is None:
        return False
    path = path_of(organization_id, conversation_id)
    same = {**of, f"{C.cold}.sha256": raw[C.cold]["sha256"]}
    try:
        with default_storage.open(path, "rb") as file, tempfile.TemporaryFile() as content:
            digest = _copy(file, content)
            if digest != raw[C.cold]["sha256"]:
                raise Unreadable(f"{path} is not what was written: its checksum differs. Take it from a backup.")

            def back(session: Any) -> bool:
                if not conversations.update_one(same, opened, session=session).modified_count:
                    return False
                content.seek(0)
                for document, batch in _read(content, raw[C.cold]["messages"]):
                    mongo.collection(document).insert_many(batch, session=session)
                return True

            returned = _in_transaction(back)
    except OSError as error:
        if conversations.find_one({**same}, {C.cold: 1}) is None:
            return False  # somebody else has, and the file is gone for that
        raise Unreadable(f"{path} cannot be read. Take it from a backup.") from error
    failpoint("cold.back")
    if returned:
        default_storage.delete(path)
    return returned


def bring_back_of(organization_id: str, user_id: str, *, now: datetime) -> None:
    """Everything that this person wrote in comes back, and what is marked stays: so that it can be changed where it is."""
    conversations = mongo.collection(Conversation)
    there = {C.organization_id: organization_id, C.cold: {"$exists": True}}
    conversations.update_many({**there, f"{C.cold}.awayAt": None}, {"$unset": {C.cold: ""}})
    while raw := conversations.find_one({**there, f"{C.cold}.people": user_id}, {C.conversation_id: 1}):
        bring_back(organization_id, raw[C.conversation_id], now=now)


def away(organization_id: str) -> Iterator[str]:
    """The ids of conversations of an organization that are in files. A query."""
    wanted = {C.organization_id: organization_id, C.cold: {"$exists": True}, f"{C.cold}.awayAt": {"$type": "date"}}
    for raw in mongo.collection(Conversation).find(wanted, {C.conversation_id: 1}):
        yield raw[C.conversation_id]


def past(*, now: datetime) -> Iterator[Waiting]:
    """What is in a file for longer than files are kept. A query for each organization."""
    until = now - timedelta(days=periods.CONVERSATIONS.archived_days)
    for pk in Organization.objects.order_by("pk").values_list("pk", flat=True):
        wanted = {C.organization_id: str(pk), C.cold: {"$exists": True}, f"{C.cold}.awayAt": {"$lte": until}}
        for raw in mongo.collection(Conversation).find(wanted, {C.conversation_id: 1, C.message_count: 1}, limit=BATCH).to_list():
            yield Waiting(str(pk), raw[C.conversation_id], raw[C.message_count])


def forget(organization_id: str, conversation_id: str) -> None:
    """Removes the file, if there is one. Raises OSError."""
    default_storage.delete(path_of(organization_id, conversation_id))


def _write(path: str, messages: dict[str, Any], revisions: list[dict[str, Any]]) -> tuple[int, str, int]:
    """How many documents, the file's checksum and size in bytes. Messages come first."""
    counted = 0
    with tempfile.TemporaryFile() as content:
        with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as packed, pymongo.timeout(SECONDS):
            for document, wanted in ((Message, messages), *((MessageRevision, some) for some in revisions)):
                for batch in mongo.collection(document).find_raw_batches(wanted):
                    packed.write(batch)
                    counted += sum(1 for _ in bson.decode_iter(batch))
        content.seek(0)
        digest = _copy(content, None)
        size = content.tell()
        content.seek(0)
        default_storage.delete(path)
        if default_storage.save(path, File(content)) != path:
            raise OSError(f"{path} is being written by somebody else.")
    with default_storage.open(path, "rb") as file:
        if _copy(file, None) != digest:
            raise OSError(f"{path} was not written as it should be.")
    return counted, digest, size


def _copy(file: Any, into: Any) -> str:
    """The checksum of what is read to the end."""
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
        if into is not None:
            into.write(part)
    return digest.hexdigest()


def _read(content: Any, messages: int) -> Iterator[tuple[type, list[Any]]]:
    """Batches of documents, of messages first."""
    batch: list[Any] = []
    options = mongo.collection(Message).codec_options
    packed: Any
    with gzip.GzipFile(fileobj=content, mode="rb") as packed:
        for number, document in enumerate(bson.decode_file_iter(packed, options), start=1):
            batch.append(document)
            if number == messages or len(batch) == BATCH:
                yield (Message if number <= messages else MessageRevision), batch
                batch = []
    if batch:
        yield MessageRevision, batch


def _in_transaction(work: Callable[[Any], bool]) -> bool:
    with pymongo.timeout(SECONDS), mongo.client().start_session() as session:
        return session.with_transaction(work)


def _of(organization_id: str, conversation_id: str) -> dict[str, Any]:
    return {C.organization_id: organization_id, C.conversation_id: conversation_id}
