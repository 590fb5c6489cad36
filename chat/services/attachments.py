"""Files that come with a question: looked at, kept, shown, sent, and removed.

1. `upload` has the file looked at by a program of its own (`chat/inspection.py`), then keeps a document of it, then its bytes: where a
   crash lies in between, the document leads to what is left over.
2. `claim` takes the files of a question; from then on they stay with the conversation.
3. What nobody sent within a day is removed by the clock, the rest by `remove_all_of` when its conversation goes for good.

Bytes are removed before their document, and a document that is being removed (`removedAt`) is found by nobody but this module.
"""

import json
import secrets
import subprocess
import sys
import tempfile
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import uuid_utils.compat as uuid
from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils import timezone
from pymongo.errors import DuplicateKeyError

from chat import access, pictures
from chat.choices import ConversationStatus
from chat.documents import Attachment
from chat.records import AttachmentRecord, ConversationRecord, MessageRecord
from chat.services import errors, exports
from config import loop, mongo
from config.failpoints import failpoint
from integrations.providers import registry
from integrations.providers.base import Picture
from tenants import access as people
from tenants import roles
from tenants.models import Membership
from tenants.scoping import ACROSS_COMMENT

A = mongo.names(Attachment)

TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
}
ACCEPTED = ",".join(f".{extension}" for extension in TYPES)
DIRECTIONS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # letters that turn what follows around
FILE_LIMIT = 10 * 1024**2  # bytes; a form with several has 12 MiB in all, which the proxy lets pass
FILES_LIMIT = 5  # of one message
WAITING_LIMIT = 20  # files that a person has uploaded and not sent
NAME_LIMIT = 150  # characters
UNSENT_KEPT = timedelta(days=1)
INSPECTION_SECONDS = 25.0
AT_ONCE = 2  # inspections of one process; each takes a processor and up to a gigabyte
WAIT_SECONDS = 10.0  # for one's turn
BATCH = 100  # files that are removed between two looks
PART = 256 * 1024  # bytes that are read at once
THUMBNAIL_TYPE, SHOWN_TYPE = "image/webp", "image/jpeg"
INSPECTION = Path(access.__file__).with_name("inspection.py")  # not imported: what it needs takes long to load

WHY_ACROSS = ACROSS_COMMENT + "what nobody sent within a day is removed, of every organization"

_turns = threading.BoundedSemaphore(AT_ONCE)


def upload(
    membership: Membership,
    conversation: ConversationRecord,
    *,
    name: str,
    file: BinaryIO,
    size: int,
    client_id: str | None = None,
    now: datetime | None = None,
) -> AttachmentRecord:
    """Keeps a file for a question that this person has yet to send. The conversation came through the door; `size` is in bytes.

    The same `client_id` again, in this conversation, gives the same file, and stores its bytes where whoever took it died before that.
    Takes a second or so. Raises `Forbidden`, `ConversationClosed`, `FileTooLarge`, `FileRefused`, `TooManyWaiting`, `StorageFull`, `Busy`.
    """
    roles.require(membership, "chat:file:upload")
    if conversation.status != ConversationStatus.ACTIVE:
        raise errors.ConversationClosed
    type = TYPES[_extension(checked_name(name))]
    if size > FILE_LIMIT:
        raise errors.FileTooLarge(limit=FILE_LIMIT)
    if size == 0:
        raise errors.FileRefused("This file is empty. Choose another one.")
    own = {A.organization_id: conversation.organization_id, A.user_id: str(membership.user_id)}
    once = {**own, A.conversation_id: conversation.id, A.client_id: client_id}
    before = mongo.collection(Attachment).find_one(once) if client_id is not None else None
    if before and _is_stored(before):
        return AttachmentRecord.read(before)
    if before is None and mongo.collection(Attachment).count_documents({**own, A.is_sent: False}) >= WAITING_LIMIT:
        raise errors.TooManyWaiting(limit=WAITING_LIMIT)
    room = settings.ATTACHMENTS_LIMIT_MIB * 1024**2
    if room and size + _stored(conversation.organization_id) > room:
        raise errors.StorageFull(limit=settings.ATTACHMENTS_LIMIT_MIB)
    with tempfile.TemporaryDirectory(prefix="parley-file-") as folder:
        found = _inspected(Path(folder), file, type)
        kept = Path(folder) / ("clean" if found["width"] else "file")
        stored_as = f"attachments/{conversation.organization_id}/{secrets.token_hex(16)}"
        raw = before or {
            **once,
            A.attachment_id: str(uuid.uuid7()),
            A.file_name: unicodedata.normalize("NFC", name),
            A.file_type: type,
            A.file_size: kept.stat().st_size,
            A.width: found["width"],
            A.height: found["height"],
            A.stored_as: stored_as,
            A.thumbnail_as: f"{stored_as}-thumbnail" if found["width"] else None,
            A.shown_as: f"{stored_as}-shown" if found["width"] else None,
            A.text: found["text"],
            A.is_whole: found["is_whole"],
            A.is_sent: False,
            A.created_at: now or timezone.now(),
        }
        if before is None:
            try:
                mongo.collection(Attachment).insert_one(raw)
            except DuplicateKeyError:
                return AttachmentRecord.read(mongo.collection(Attachment).find_one(once))
        failpoint("attachment.recorded")
        if found["width"]:
            _store(raw[A.thumbnail_as], Path(folder) / "thumbnail")
            _store(raw[A.shown_as], Path(folder) / "shown")
        _store(raw[A.stored_as], kept)  # last: where it is whole, all of it is there
    return AttachmentRecord.read(raw)


def _stored(organization_id: str) -> int:
    """Bytes of all files of an organization, read off an index. Of several that come at once, each sees those that were kept before."""
    summed: list[dict[str, Any]] = [
        {"$match": {A.organization_id: organization_id}},
        {"$group": {"_id": None, "bytes": {"$sum": f"${A.file_size}"}}},
    ]
    found = mongo.collection(Attachment).aggregate(summed, hint="stored").to_list()
    return found[0]["bytes"] if found else 0


def _store(name: str, file: Path) -> None:
    default_storage.delete(name)  # what a process that died has left of it
    default_storage.save(name, ContentFile(file.read_bytes()))


def _is_stored(raw: dict[str, Any]) -> bool:
    name = raw[A.stored_as]
    return default_storage.exists(name) and default_storage.size(name) == raw[A.file_size]


def checked_name(name: str) -> str:
    """The name a person gave a file, or `FileRefused`: one that is a path, hides something or has no extension of ours is none."""
    hidden = any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in DIRECTIONS for letter in name)
    if hidden or "/" in name or "\\" in name or not name.strip(" ."):
        raise errors.FileRefused("This file's name holds characters that a name cannot have. Rename the file first.")
    if len(name) > NAME_LIMIT:
        raise errors.FileRefused(f"This file's name is too long. {NAME_LIMIT} characters are the most.")
    if _extension(name) not in TYPES:
        raise errors.FileRefused(f"Files of this type cannot be attached. These can: {', '.join(TYPES)}.")
    return name


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _inspected(folder: Path, file: BinaryIO, type: str) -> dict[str, Any]:
    """What `chat/inspection.py` says of the file. It runs apart, with limits of its own and nothing of ours in its environment."""
    copied = 0
    with (folder / "file").open("wb") as copy:
        while part := file.read(PART):
            copied += len(part)
            if copied > FILE_LIMIT:
                raise errors.FileTooLarge(limit=FILE_LIMIT)
            copy.write(part)
    if not _turns.acquire(timeout=WAIT_SECONDS):
        raise errors.Busy
    try:
        looked = subprocess.run(
            [sys.executable, "-I", str(INSPECTION), str(folder), type],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=INSPECTION_SECONDS,
        )
        found = json.loads(looked.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # it was ended, by us or by its own limits, before it had said anything
        raise errors.FileRefused("This file takes too long to read. Send a smaller or simpler one.") from None
    finally:
        _turns.release()
    if "problem" in found:
        raise errors.FileRefused(found["problem"])
    return found


# Showing -----------------------------------------------------------------------------------------------------------------


def download(raw: dict[str, Any]) -> exports.File:
    """The file under its own name, as bytes that a browser has no use for but to keep them; it came through the door. `NotFound` where
    its bytes are gone."""
    return exports.File(name=raw[A.file_name], media_type="application/octet-stream", parts=_parts(_opened(raw[A.stored_as])))


def thumbnail(raw: dict[str, Any]) -> bytes:
    """A small WebP of an image; `NotFound` for any other file."""
    if not raw.get(A.thumbnail_as):
        raise people.NotFound
    with _opened(raw[A.thumbnail_as]) as opened:
        return opened.read()


def _opened(name: str) -> File:
    try:
        return default_storage.open(name)
    except FileNotFoundError:
        raise people.NotFound from None


def _parts(opened: File) -> Iterator[bytes]:
    with opened:
        yield from opened.chunks(PART)


# Sending -----------------------------------------------------------------------------------------------------------------


async def claim(membership: Membership, conversation: ConversationRecord, attachment_ids: Sequence[object]) -> list[AttachmentRecord]:
    """The files that go with a question, in this order; they can no longer be taken back. Each is this person's own, and of this
    conversation. Causes two queries. Raises `TooManyFiles`, `UnknownFile`."""
    if len(attachment_ids) > FILES_LIMIT:
        raise errors.TooManyFiles(limit=FILES_LIMIT)
    try:
        wanted = list(dict.fromkeys(access.key(value) for value in attachment_ids))
    except people.NotFound:
        raise errors.UnknownFile from None
    these = {
        A.organization_id: conversation.organization_id,
        A.conversation_id: conversation.id,
        A.user_id: str(membership.user_id),
        A.attachment_id: {"$in": wanted},
        A.removed_at: None,
    }
    files = mongo.async_collection(Attachment)
    found = {raw[A.attachment_id]: AttachmentRecord.read(raw) for raw in await files.find(these, {A.text: 0}).to_list()}
    if len(found) < len(wanted):
        raise errors.UnknownFile
    claimed = await files.update_many(these, {"$set": {A.is_sent: True}})
    if claimed.matched_count < len(wanted):  # one was removed meanwhile
        raise errors.UnknownFile
    return [found[key] for key in wanted]


async def release(organization_id: str, files: Sequence[AttachmentRecord]) -> None:
    """Files of a question that is not asked after all: they can be sent with another one, for as long as unsent files are kept."""
    these = {A.organization_id: organization_id, A.attachment_id: {"$in": [file.id for file in files]}}
    if files:
        await mongo.async_collection(Attachment).update_many(these, {"$set": {A.is_sent: False}})


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a file, as far as it is kept; `is_whole` is false where the file has more."""

    text: str
    is_whole: bool


async def texts_of(messages: Sequence[MessageRecord]) -> dict[str, FileText]:
    """The texts of the files of these messages, which are of one conversation, by the files' ids. One query, none without files."""
    wanted = [attached.id for message in messages for attached in message.attachments if not attached.is_image]
    if not wanted:
        return {}
    these = {
        A.organization_id: messages[0].organization_id,
        A.conversation_id: messages[0].conversation_id,
        A.attachment_id: {"$in": wanted},
    }
    found = mongo.async_collection(Attachment).find(these, {A.attachment_id: 1, A.text: 1, A.is_whole: 1})
    return {raw[A.attachment_id]: FileText(text=raw[A.text], is_whole=raw[A.is_whole]) for raw in await found.to_list()}


async def pictures_of(messages: Sequence[MessageRecord]) -> dict[str, Picture]:
    """Those of the images of these messages, which are of one conversation, that a model is shown now, by their ids; the newest first to
    be kept. One query, none without images, and none where no model that would be asked takes them."""
    wanted = pictures.chosen(messages)
    if not wanted or not registry.takes_pictures():
        return {}
    these = {
        A.organization_id: messages[0].organization_id,
        A.conversation_id: messages[0].conversation_id,
        A.attachment_id: {"$in": [image.id for image in wanted]},
    }
    cursor = mongo.async_collection(Attachment).find(these, {A.attachment_id: 1, A.shown_as: 1})
    stored = {raw[A.attachment_id]: raw.get(A.shown_as) for raw in await cursor.to_list()}
    return await loop.in_thread(_read, {image: stored[image.id] for image in wanted if stored.get(image.id)})


def _read(stored: dict[AttachmentRecord, str]) -> dict[str, Picture]:
    found = dict[str, Picture]()
    for image, name in stored.items():
        try:
            with default_storage.open(name) as opened:
                found[image.id] = Picture(name=image.name, type=SHOWN_TYPE, data=opened.read(), tokens=pictures.tokens(image))
        except FileNotFoundError:
            pass  # its file is gone: the model is told its name alone
    return found


# Removing ----------------------------------------------------------------------------------------------------------------


def take_back(membership: Membership, raw: dict[str, Any]) -> None:
    """Removes a file that this person has not sent; it came through the door. Raises `Forbidden`, `FileSent`."""
    roles.require(membership, "chat:file:upload")
    if not _remove(raw):
        raise errors.FileSent


def remove_unsent(*, now: datetime) -> int:
    """Removes what was uploaded more than a day before `now` and never sent; how many that were."""
    forgotten = mongo.collection(Attachment).find(
        {A.is_sent: False, A.created_at: {"$lt": now - UNSENT_KEPT}}, {A.text: 0}, comment=WHY_ACROSS
    )
    return sum(_remove(raw) for raw in forgotten)


def remove_unsent_of(organization_id: str, user_id: str) -> None:
    """Removes what this person has uploaded and not sent."""
    these = {A.organization_id: organization_id, A.user_id: user_id, A.is_sent: False}
    for raw in mongo.collection(Attachment).find(these, {A.text: 0}):
        _remove(raw)


def remove_all_of(organization_id: str, conversation_id: str) -> None:
    """Removes every file of a conversation that is removed for good. Run again after a crash, it goes on."""
    these = {A.organization_id: organization_id, A.conversation_id: conversation_id}
    while found := mongo.collection(Attachment).find(these, {A.text: 0}, limit=BATCH).to_list():
        for raw in found:
            _delete(raw)


def _remove(raw: dict[str, Any]) -> bool:
    """False where it was sent meanwhile."""
    one = {A.organization_id: raw[A.organization_id], A.attachment_id: raw[A.attachment_id]}
    marked = mongo.collection(Attachment).update_one({**one, A.is_sent: False}, {"$set": {A.removed_at: timezone.now()}})
    if not marked.matched_count:
        return False
    _delete(raw)
    return True


def _delete(raw: dict[str, Any]) -> None:
    for name in filter(None, (raw[A.stored_as], raw.get(A.thumbnail_as), raw.get(A.shown_as))):
        default_storage.delete(name)
    mongo.collection(Attachment).delete_one({A.organization_id: raw[A.organization_id], A.attachment_id: raw[A.attachment_id]})
