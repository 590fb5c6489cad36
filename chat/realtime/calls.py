"""Calling a worker to a pending answer, the quick way: a Redis list that every worker waits on. The slow way is the sweeper.

A call carries what is needed to read the answer's context while its lease is still being claimed. It promises nothing: the claim
in MongoDB decides who writes, and whether anybody still has to.
"""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from chat.realtime import keys
from chat.records import ConversationRecord, MessageRecord
from chat.strands import Path

AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Call:
    """A pending answer: where it is, whom it is about, and with whose rights it is written.

    `unheard_of` says that readers may not know of the answer yet: its worker begins with the whole message. Nobody else announces an
    answer that is on its way, since that could arrive behind the worker's first words and take them back.
    """

    organization_id: str
    conversation_id: str
    message_id: str
    attempt: int
    seq: int
    answer_to: str
    user_id: str
    rights: tuple[str, str | None, str | None] | None  # role, branch, department of who asked a moment ago; None: look them up
    conversation_type: str
    title: str  # of the conversation, as it was then
    subject_employee_ids: tuple[str, ...]
    path: Path = ()  # on which the answer stands
    unheard_of: bool = False
    remembers: bool = False  # the conversation has a memory, to be read beside its history
    asked: str = ""  # by which an earlier answer to the same question is found; empty where it is to be written
    alone: tuple[str, float] | None = None  # the question where nothing stands before it: its text, and when it was asked (epoch seconds)

    @classmethod
    def to(
        cls, answer: MessageRecord, conversation: ConversationRecord, *, question: MessageRecord | None = None, unheard_of: bool = False
    ) -> "Call":
        """`question` where it was asked just now: then an earlier answer may do."""
        is_plain = question is not None and not question.attachments and not question.reply_to
        return cls(
            organization_id=answer.organization_id,
            conversation_id=answer.conversation_id,
            message_id=answer.id,
            attempt=answer.attempt,
            seq=answer.seq,
            answer_to=answer.answer_to or "",
            user_id=answer.user_id or "",
            rights=None if unheard_of else rights_of(answer),
            conversation_type=conversation.type or "",
            title=conversation.title,
            subject_employee_ids=conversation.subject_employee_ids,
            path=conversation.path(answer.strand),
            unheard_of=unheard_of,
            remembers=conversation.remembers,
            asked=asked(question) if question is not None and is_plain else "",
            alone=(question.text, question.created_at.timestamp()) if question is not None and is_plain and question.seq == 1 else None,
        )


def asked(question: MessageRecord) -> str:
    """A question's text, as `Call.asked` names it."""
    return hashlib.sha256(question.text.encode()).hexdigest()


def rights_of(answer: MessageRecord) -> tuple[str, str | None, str | None]:
    """With whose rights the answer is written, as its question was taken."""
    return (answer.user_role or "", answer.branch_id, answer.department_id)


def push(pipeline: Pipeline, call: Call) -> None:
    pipeline.lpush(keys.CALLS, orjson.dumps(asdict(call)))
    pipeline.expire(keys.CALLS, keys.CALLS_TTL)


async def wait(client: Redis, *, seconds: float) -> list[Call]:
    """The next calls, oldest first; none after `seconds`."""
    found: Any = await client.blmpop(seconds, 1, keys.CALLS, direction="RIGHT", count=AT_ONCE)
    return [_read(raw) for raw in found[1]] if found else []


def _read(raw: bytes) -> Call:
    fields = orjson.loads(raw)
    fields["rights"] = tuple(fields["rights"]) if fields["rights"] else None
    fields["subject_employee_ids"] = tuple(fields["subject_employee_ids"])
    fields["path"] = tuple((strand, before) for strand, before in fields["path"])
    fields["alone"] = tuple(fields["alone"]) if fields["alone"] else None
    return Call(**fields)
