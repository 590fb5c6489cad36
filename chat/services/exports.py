"""A conversation as a file, read from MongoDB in batches and written as it is read."""

import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import bson
from django.utils import timezone

from chat import strands, transcripts
from chat.choices import ExportFormat
from chat.documents import Message
from chat.records import ConversationRecord
from chat.services import errors
from config import mongo
from tenants import access as people
from tenants import roles
from tenants.choices import AccessKind
from tenants.models import Membership
from tenants.services import audit

log = logging.getLogger(__name__)

M = mongo.names(Message)

AT_ONCE = 2_000  # messages
MEDIA_TYPES = {
    ExportFormat.MARKDOWN: "text/markdown; charset=utf-8",
    ExportFormat.JSON: "application/json",
    ExportFormat.PDF: "application/pdf",
}
TYPESETTING = Path(transcripts.__file__).with_name("typesetting.py")  # not imported: what it needs takes long to load
TYPESETTING_SECONDS = 180.0
PRINTS_AT_ONCE = 1  # of one process; each takes a processor
WAIT_SECONDS = 10.0  # for one's turn
PART = 256 * 1024  # bytes that are read at once

_turns = threading.BoundedSemaphore(PRINTS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class File:
    """What is downloaded. `parts` is read once, while it is being sent."""

    name: str
    media_type: str
    parts: Iterator[bytes]


def export(membership: Membership, conversation: ConversationRecord, *, format: ExportFormat, now: datetime | None = None) -> File:
    """The whole conversation but for deleted messages, in the order it was said; as Markdown and PDF, the strand that this
    person looked at last. It came through the door.

    Raises `Forbidden`; for a PDF, which is made here and takes seconds, `Busy` and `TooLongToPrint`. An export of another person's
    conversation is recorded (D12). Causes the first query at once, so that a store that is away is said before the first byte; the others
    while `parts` is read.
    """
    roles.require(membership, "chat:conversation:export")
    now = now or timezone.now()
    path = () if format == ExportFormat.JSON else conversation.path(conversation.shown_to(membership.user_id))
    batches = _batches(conversation, path)
    batches = chain([first] if (first := next(batches, None)) else [], batches)
    if format == ExportFormat.JSON:
        parts = transcripts.as_json(conversation, batches, now=now)
    elif format == ExportFormat.PDF:
        subjects = _subject_names(membership, conversation)
        parts = _typeset(transcripts.as_lines(conversation, batches, subjects=subjects, now=now))
    else:
        subjects = _subject_names(membership, conversation)
        parts = transcripts.as_markdown(conversation, batches, subjects=subjects, now=now)
    audit.record_access(membership, owner_id=conversation.user_id, conversation_id=conversation.id, kind=AccessKind.EXPORT)
    return File(name=transcripts.file_name(conversation.title, format), media_type=MEDIA_TYPES[format], parts=parts)


def _typeset(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The pages that `chat/typesetting.py` makes of these lines. It runs apart, with limits of its own and nothing in its environment."""
    if not _turns.acquire(timeout=WAIT_SECONDS):
        raise errors.Busy
    try:
        with tempfile.TemporaryDirectory(prefix="parley-pdf-") as name:
            folder = Path(name)
            with (folder / "messages.jsonl").open("wb") as written:
                written.writelines(lines)
            command = [sys.executable, "-I", str(TYPESETTING), name]
            made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env={}, timeout=TYPESETTING_SECONDS)
            if made.returncode:
                log.error("A PDF could not be made: %s", made.stderr[-2_000:].decode(errors="replace"))
                raise errors.TooLongToPrint
            return _parts((folder / "out.pdf").open("rb"))  # it stays readable when its folder is gone
    except subprocess.TimeoutExpired:
        raise errors.TooLongToPrint from None
    finally:
        _turns.release()


def _parts(opened: BinaryIO) -> Iterator[bytes]:
    with opened:
        while part := opened.read(PART):
            yield part


def _batches(conversation: ConversationRecord, path: strands.Path) -> Iterator[transcripts.Batch]:
    """All messages, or those on a path."""
    wanted: dict[str, Any] = {M.organization_id: conversation.organization_id, M.conversation_id: conversation.id, M.deleted_at: None}
    messages = mongo.collection(Message)
    # Times that say their zone take as long to read as everything else of a message.
    plain = messages.codec_options.with_options(tz_aware=False)
    if path:
        wanted["$or"] = strands.clauses(path, most=strands.MOST)
    hint = strands.INDEX if path else None
    # One message at a time becomes objects: thousands at once have Python's collector look through all that a process holds.
    with messages.find_raw_batches(wanted, transcripts.PROJECTION, sort=[(M.seq, 1)], batch_size=AT_ONCE, hint=hint) as cursor:
        for batch in cursor:
            if batch:
                yield map(transcripts.shaped, bson.decode_iter(batch, plain))


def _subject_names(membership: Membership, conversation: ConversationRecord) -> list[str]:
    """The employees it is about, as far as this member may see them."""
    wanted = [UUID(value) for value in conversation.subject_employee_ids]
    found = people.employees_for(membership).in_bulk(wanted)
    return [found[key].name for key in wanted if key in found]
