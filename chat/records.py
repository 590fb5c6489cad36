"""A conversation and a message as they were read: frozen, cheap to make from what MongoDB returns, and shown as JSON.

Lists read raw documents (hydrating fifty takes 20 ms, this takes under one). The JSON shapes are the contract's.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chat import markdown, parts, strands
from chat.choices import Audience, MessageRole, MessageStatus, PresenceStatus, WaitingStatus
from chat.parts import Part
from chat.strands import FIRST, Path, Strand

FILE_URL = "/api/v1/attachments"


def as_time(value: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds, which is what MongoDB keeps."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class RepliedToRecord:
    """What a question replies to: where it stands, who said it, and how it began when the question was asked."""

    id: str
    seq: int
    strand: int
    role: str
    user_name: str | None
    text: str

    @classmethod
    def read(cls, raw: Any) -> "RepliedToRecord":
        return cls(
            id=raw["messageId"],
            seq=raw["seq"],
            strand=raw["strand"],
            role=raw["role"],
            user_name=raw.get("userName"),
            text=raw["content"],
        )

    def as_stored(self) -> dict[str, Any]:
        return {
            "messageId": self.id,
            "seq": self.seq,
            "strand": self.strand,
            "role": self.role,
            "userName": self.user_name,
            "content": self.text,
        }

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "seq": self.seq, "strand": self.strand, "role": self.role, "author": self.user_name, "text": self.text}


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """A question that waits; `kept` is what MongoDB has of it."""

    id: str
    user_id: str
    client_id: str
    text: str
    attachments: "tuple[AttachmentRecord, ...]"
    strand: int
    kept: dict[str, Any] = field(repr=False)
    reply_to: RepliedToRecord | None = None

    @classmethod
    def read(cls, raw: Any) -> "WaitingRecord":
        return cls(
            id=raw["messageId"],
            user_id=raw["userId"],
            client_id=raw["clientId"],
            text=raw["content"],
            attachments=tuple(AttachmentRecord.read(attached) for attached in raw.get("attachments", ())),
            strand=raw["strand"],
            kept=raw,
            reply_to=RepliedToRecord.read(raw["replyTo"]) if raw.get("replyTo") else None,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "author": {"id": self.user_id, "name": self.kept.get("userName"), "role": self.kept.get("userRole")},
            "text": self.text,
            "reply_to": self.reply_to and self.reply_to.as_json(),
            "attachments": [attached.as_json() for attached in self.attachments],
            "strand": self.strand,
            "status": WaitingStatus(self.kept["status"]).value,
            "client_id": self.client_id,
            "created_at": as_time(self.kept["createdAt"]),
        }


@dataclass(frozen=True, slots=True)
class QueueRecord:
    version: int = 0
    questions: tuple[WaitingRecord, ...] = ()  # oldest first

    @classmethod
    def read(cls, raw: Any) -> "QueueRecord":
        return cls(version=raw["version"], questions=tuple(map(WaitingRecord.read, raw.get("questions", ()))))

    def sent_as(self, client_id: str, *, user_id: object) -> WaitingRecord | None:
        """What this person sent under this `client_id`, if it waits."""
        return next((one for one in self.questions if (one.client_id, one.user_id) == (client_id, str(user_id))), None)

    def as_json(self) -> dict[str, Any]:
        return {"version": self.version, "questions": [question.as_json() for question in self.questions]}


NO_QUEUE = QueueRecord()


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    id: str
    organization_id: str
    user_id: str
    user_role: str | None
    kind: str
    type: str | None
    title: str
    status: str
    pinned: bool
    subject_employee_ids: tuple[str, ...]
    subject_type: str | None
    message_count: int
    last_message_at: datetime
    is_private: bool
    allowed_roles: tuple[str, ...]
    allowed_user_ids: tuple[str, ...]
    tokens_used: int
    satisfaction_rating: float | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    opened_from: str | None = None  # the page, as a path
    intent: str | None = None
    deleted_at: datetime | None = None
    remembers: bool = False  # more than its newest messages: there is a memory
    strands: tuple[Strand, ...] = ()  # besides the first, oldest first; lists of conversations do not read them
    shown: dict[str, int] = field(default_factory=dict)
    queue: QueueRecord = NO_QUEUE  # lists of conversations do not read it
    bridge_id: str | None = None  # of a thread of programs, with their names for it
    thread_id: str | None = None
    sub_thread_id: str | None = None

    @classmethod
    def read(cls, raw: Any) -> "ConversationRecord":
        scope = raw.get("accessScope") or {}
        return cls(
            id=raw["conversationId"],
            organization_id=raw["organizationId"],
            user_id=raw["userId"],
            user_role=raw.get("userRole"),
            kind=raw["kind"],
            type=raw.get("type"),
            title=raw["title"],
            status=raw["status"],
            pinned=raw.get("isPinned", False),
            subject_employee_ids=tuple(raw.get("subjectEmployeeIds", ())),
            subject_type=raw.get("subjectType"),
            message_count=raw.get("messageCount", 0),
            last_message_at=raw["lastMessageAt"],
            is_private=scope.get("isPrivate", True),
            allowed_roles=tuple(scope.get("allowedRoles", ())),
            allowed_user_ids=tuple(scope.get("allowedUserIds", ())),
            tokens_used=raw.get("totalTokensUsed", 0),
            satisfaction_rating=raw.get("userSatisfactionRating"),
            created_at=raw["createdAt"],
            updated_at=raw["updatedAt"],
            archived_at=raw.get("archivedAt"),
            opened_from=(raw.get("context") or {}).get("currentPage"),
            intent=(raw.get("context") or {}).get("userIntent"),
            deleted_at=raw.get("deletedAt"),
            remembers=bool(raw.get("contextSummary")),
            strands=tuple(sorted(map(Strand.read, raw.get("strands", ())), key=lambda strand: strand.number)),
            shown=raw.get("shown", {}),
            queue=QueueRecord.read(raw["queue"]) if "queue" in raw else NO_QUEUE,
            bridge_id=raw.get("bridgeId"),
            thread_id=raw.get("threadId"),
            sub_thread_id=raw.get("subThreadId"),
        )

    def has_strand(self, number: int) -> bool:
        return number == FIRST or any(strand.number == number for strand in self.strands)

    def shown_to(self, user_id: object) -> int:
        """The strand that this person looked at last."""
        number = self.shown.get(str(user_id), FIRST)
        return number if self.has_strand(number) else FIRST

    def path(self, strand: int) -> Path:
        return strands.path_of(self.strands, strand)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "pinned": self.pinned,
            "subject_employee_ids": list(self.subject_employee_ids),
            "subject_type": self.subject_type,
            "owner": {"id": self.user_id, "role": self.user_role},
            "access": {
                "private": self.is_private,
                "roles": list(self.allowed_roles),
                "users": list(self.allowed_user_ids),
            },
            "context": {"opened_from": self.opened_from, "intent": self.intent},
            "thread": None if self.bridge_id is None else {"bridge": self.bridge_id, "id": self.thread_id, "sub_id": self.sub_thread_id},
            "message_count": self.message_count,
            "tokens_used": self.tokens_used,
            "satisfaction_rating": self.satisfaction_rating,
            "last_message_at": as_time(self.last_message_at),
            "created_at": as_time(self.created_at),
            "updated_at": as_time(self.updated_at),
            "archived_at": as_time(self.archived_at),
            "deleted_at": as_time(self.deleted_at),
        }


@dataclass(frozen=True, slots=True)
class AttachmentRecord:
    """A file as a message, or whoever uploaded it, sees it. Sizes are in bytes, width and height in pixels, of images only."""

    id: str
    url: str
    name: str
    type: str
    size: int
    width: int | None = None
    height: int | None = None

    @classmethod
    def read(cls, raw: Any) -> "AttachmentRecord":
        """From an `Attachment`, or from what a message keeps of it."""
        return cls(
            id=raw["attachmentId"],
            url=f"{FILE_URL}/{raw['attachmentId']}",
            name=raw["fileName"],
            type=raw["fileType"],
            size=raw["fileSize"],
            width=raw.get("width"),
            height=raw.get("height"),
        )

    @property
    def is_image(self) -> bool:
        return self.width is not None

    def as_stored(self) -> dict[str, Any]:
        """What a message keeps of it (S1-35)."""
        return {
            "attachmentId": self.id,
            "fileUrl": self.url,
            "fileType": self.type,
            "fileName": self.name,
            "fileSize": self.size,
            "width": self.width,
            "height": self.height,
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "size": self.size,
            "url": self.url,
            "thumbnail_url": f"{self.url}/thumbnail" if self.is_image else None,
            "width": self.width,
            "height": self.height,
        }


@dataclass(frozen=True, slots=True)
class MessageRecord:
    id: str
    organization_id: str
    conversation_id: str
    seq: int
    role: str
    text: str
    status: str
    attempt: int
    created_at: datetime
    strand: int = FIRST
    edits: int | None = None
    user_id: str | None = None
    user_role: str | None = None
    branch_id: str | None = None
    department_id: str | None = None
    user_name: str | None = None
    client_id: str | None = None
    api_key_id: str | None = None  # of the program that it is written for
    answer_to: str | None = None
    reply_to: RepliedToRecord | None = None
    provider: str | None = None
    model: str | None = None
    version: str | None = None
    finish_reason: str | None = None
    confidence: float | None = None
    reused_from: datetime | None = None  # when the earlier answer was written that this one repeats
    sources: tuple[str, ...] = ()
    attachments: tuple[AttachmentRecord, ...] = ()
    structured_data: dict[str, Any] | None = None
    referenced_employees: tuple[dict[str, str], ...] = ()
    follow_ups: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: str | None = None
    response_time: float | None = None
    error_code: str | None = None
    error_sentence: str | None = None
    feedback: dict[str, Any] | None = None
    versions: int = 1
    queued_at: datetime | None = None
    stop_requested_at: datetime | None = None
    awaited: bool = False
    lease_token: str | None = field(default=None, repr=False)
    edited_at: datetime | None = None
    bridge_id: str | None = None  # of a message in a thread of programs
    tools: tuple[dict[str, Any], ...] = ()

    @classmethod
    def read(cls, raw: Any) -> "MessageRecord":
        metadata = raw.get("aiResponseMetadata") or {}
        error = raw.get("errorDetails") or {}
        cost = metadata.get("cost")
        return cls(
            id=raw["messageId"],
            organization_id=raw["organizationId"],
            conversation_id=raw["conversationId"],
            seq=raw["seq"],
            role=raw["role"],
            text=raw.get("content") or "",
            status=raw["status"],
            attempt=raw.get("attempt", 1),
            created_at=raw["createdAt"],
            strand=raw.get("strand", FIRST),
            edits=raw.get("edits"),
            user_id=raw.get("userId"),
            user_role=raw.get("userRole"),
            branch_id=raw.get("branchId"),
            department_id=raw.get("departmentId"),
            user_name=raw.get("userName"),
            client_id=raw.get("clientId"),
            api_key_id=raw.get("apiKeyId"),
            answer_to=raw.get("answerTo"),
            reply_to=RepliedToRecord.read(raw["replyTo"]) if raw.get("replyTo") else None,
            provider=metadata.get("provider"),
            model=raw.get("aiModel"),
            version=raw.get("version"),
            finish_reason=raw.get("finishReason"),
            confidence=metadata.get("confidenceScore"),
            reused_from=metadata.get("generatedAt"),
            sources=tuple(metadata.get("sources", ())),
            attachments=tuple(AttachmentRecord.read(attached) for attached in raw.get("attachments", ())),
            structured_data=raw.get("structuredData"),
            referenced_employees=tuple(raw.get("referencedEmployees") or ()),
            follow_ups=tuple(raw.get("followUps") or ()),
            parts=tuple(raw.get("parts") or ()),
            input_tokens=metadata.get("inputTokens"),
            output_tokens=metadata.get("outputTokens"),
            cost=None if cost is None else str(cost),
            response_time=metadata.get("responseTime"),
            error_code=error.get("errorCode"),
            error_sentence=error.get("errorMessage"),
            feedback=raw.get("feedback"),
            versions=raw.get("versions", 1),
            queued_at=raw.get("queuedAt"),
            stop_requested_at=raw.get("stopRequestedAt"),
            awaited=raw.get("awaited", False),
            lease_token=(raw.get("lease") or {}).get("token"),
            edited_at=raw.get("editedAt"),
            bridge_id=raw.get("bridgeId"),
            tools=tuple(raw.get("toolsCallData") or ()),
        )

    @property
    def is_answer(self) -> bool:
        return self.role == MessageRole.ASSISTANT

    @property
    def lets_next_be_asked(self) -> bool:
        """True for an end that the next question waited for: whole, or stopped. Where it failed, people decide."""
        return self.awaited and self.status in (MessageStatus.SENT, MessageStatus.CANCELLED)

    def as_json(self) -> dict[str, Any]:
        author = None
        if not self.is_answer:
            author = {"id": self.user_id, "name": self.user_name, "role": self.user_role}
        usage = None
        if self.output_tokens is not None:
            usage = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens, "cost": self.cost}
        error = None
        if self.error_code is not None:
            error = {"code": self.error_code, "detail": self.error_sentence}
        return {
            "id": self.id,
            "conversation": self.conversation_id,
            "seq": self.seq,
            "strand": self.strand,
            "edits": self.edits,
            "role": self.role,
            "author": author,
            "text": self.text,
            "parts": parts.as_shown(self.parts),
            "tools": [
                {
                    "name": tool["name"],
                    "arguments": tool["arguments"],
                    "content": tool.get("result"),
                    "status": tool.get("status"),
                    "error": tool.get("error", ""),
                    "latency_ms": tool.get("latency"),
                }
                for tool in self.tools
            ],
            "html": self.html(),
            "status": self.status,
            "model": self.model,
            "version": self.version,
            "usage": usage,
            "finish_reason": self.finish_reason,
            "confidence": self.confidence,
            "reused_from": as_time(self.reused_from),
            "sources": list(self.sources),
            "structured_data": self._structure_as_json(),
            "referenced_employees": [
                {"id": one["employeeId"], "name": one.get("employeeName"), "relevance": one.get("relevance")}
                for one in self.referenced_employees
            ],
            "follow_ups": list(self.follow_ups),
            "attachments": [attached.as_json() for attached in self.attachments],
            "feedback": self._feedback_as_json(),
            "error": error,
            "attempt": self.attempt,
            "versions": self.versions,
            "answer_to": self.answer_to,
            "reply_to": self.reply_to and self.reply_to.as_json(),
            "client_id": self.client_id,
            "created_at": as_time(self.created_at),
            "edited_at": as_time(self.edited_at),
        }

    def _structure_as_json(self) -> dict[str, Any] | None:
        """The analysis beside the text; None where there is none."""
        if not (kept := self.structured_data):
            return None
        return {
            "analysis_type": kept.get("analysisType"),
            "scores": kept.get("scores", {}),
            "recommendations": kept.get("recommendations", []),
            "insights": kept.get("insights", []),
            "data_points": kept.get("dataPoints", {}),
        }

    def _feedback_as_json(self) -> dict[str, Any] | None:
        """What was said of the answer; None where nothing was, or all of it was taken away."""
        given = self.feedback or {}
        said = {"helpful": given.get("isHelpful"), "rating": given.get("rating"), "comment": given.get("comment")}
        if all(value is None for value in said.values()):
            return None
        return {**said, "submitted_at": as_time(given.get("submittedAt"))}

    def html(self) -> str:
        """The text rendered to the allow-list; empty while an answer is being written, since the reader renders what arrives."""
        if self.status in (MessageStatus.PENDING, MessageStatus.STREAMING):
            return ""
        return markdown.render(self.text)


@dataclass(frozen=True, slots=True)
class SharedMessageRecord:
    role: str
    author: str | None
    text: str
    created_at: datetime
    parts: tuple[Part, ...] = ()
    reply_to: dict[str, Any] | None = None  # as a `SharedReply` is kept


@dataclass(frozen=True, slots=True)
class ShareRecord:
    """A link. `messages` is empty in lists of links."""

    id: str
    organization_id: str
    conversation_id: str
    user_id: str
    audience: Audience
    title: str
    is_whole: bool
    views: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    messages: tuple[SharedMessageRecord, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, raw: Any) -> "ShareRecord":
        return cls(
            id=raw["shareId"],
            organization_id=raw["organizationId"],
            conversation_id=raw["conversationId"],
            user_id=raw["userId"],
            audience=Audience(raw["audience"]),
            title=raw["title"],
            is_whole=raw["isWhole"],
            views=raw["views"],
            created_at=raw["createdAt"],
            expires_at=raw["expiresAt"],
            revoked_at=raw.get("revokedAt"),
            messages=tuple(
                SharedMessageRecord(
                    message["role"],
                    message.get("author"),
                    message["text"],
                    message["createdAt"],
                    tuple(parts.as_shown(message.get("parts", ()))),
                    message.get("replyTo"),
                )
                for message in raw.get("messages", ())
            ),
        )

    def is_live(self, *, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "audience": self.audience.value,
            "views": self.views,
            "created_at": as_time(self.created_at),
            "expires_at": as_time(self.expires_at),
            "revoked_at": as_time(self.revoked_at),
        }


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A tab that is or was open."""

    id: str
    status: str
    presence: str
    device_type: str | None
    browser: str
    platform: str
    ip_address: str | None
    conversation_ids: tuple[str, ...]
    connected_at: datetime
    last_activity: datetime
    disconnected_at: datetime | None
    seconds: int | None

    @classmethod
    def read(cls, raw: Any) -> "SessionRecord":
        return cls(
            id=raw["sessionId"],
            status=raw["status"],
            presence=raw["presenceStatus"],
            device_type=raw.get("deviceType"),
            browser=raw.get("browser", ""),
            platform=raw.get("platform", ""),
            ip_address=raw.get("ipAddress"),
            conversation_ids=tuple(one["conversationId"] for one in raw.get("activeConversations", ())),
            connected_at=raw["connectedAt"],
            last_activity=raw["lastActivity"],
            disconnected_at=raw.get("disconnectedAt"),
            seconds=raw.get("totalDuration"),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "status": self.status,
            "presence": self.presence,
            "device": {"type": self.device_type, "browser": self.browser, "platform": self.platform},
            "ip_address": self.ip_address,
            "conversations": list(self.conversation_ids),
            "connected_at": as_time(self.connected_at),
            "last_activity": as_time(self.last_activity),
            "disconnected_at": as_time(self.disconnected_at),
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class PersonThere:
    """A person who may read a conversation, and how they are: `status` is None for somebody who is not there. `read`: up to which place."""

    id: str
    name: str
    status: PresenceStatus | None
    is_viewing: bool
    is_typing: bool
    read: int | None

    def as_json(self) -> dict[str, Any]:
        return {
            "user": {"id": self.id, "name": self.name},
            "status": self.status and self.status.value,
            "viewing": self.is_viewing,
            "typing": self.is_typing,
            "read": self.read,
        }
