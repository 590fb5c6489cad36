"""Conversations and their messages, as MongoDB keeps them (S0-5…48, D1, D17).

Names in MongoDB are the specification's, in camelCase; attributes are in snake_case. Identifiers are UUIDs in canonical form.
The classes declare names, types and indexes; `mongo_migrate` makes collections, validators and indexes from them, nothing else does.
"""

from mongoengine import (
    BooleanField,
    DateTimeField,
    Decimal128Field,
    DictField,
    DynamicField,
    EmbeddedDocument,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    LongField,
    MapField,
    StringField,
)

from chat.choices import (
    SETTLED,
    Audience,
    CallType,
    ConsultationType,
    ContentType,
    ConversationStatus,
    DeviceType,
    Kind,
    MessageRole,
    MessageStatus,
    PresenceStatus,
    RevisionReason,
    ScopeType,
    SessionStatus,
    SubjectType,
    WaitingStatus,
)
from chat.parts import PartType
from tenants.choices import Role
from tenants.scoping import TenantDocument


class AccessScope(EmbeddedDocument):
    """Who besides its creator may read a conversation (S0-18…20)."""

    allowed_roles = ListField(StringField(choices=Role.values), db_field="allowedRoles")
    allowed_user_ids = ListField(StringField(), db_field="allowedUserIds")
    is_private = BooleanField(db_field="isPrivate", default=True)


class Origin(EmbeddedDocument):
    """What a conversation was started from (S1-11…13)."""

    current_page = StringField(db_field="currentPage")  # a path of this site
    connected_platforms = ListField(StringField(), db_field="connectedPlatforms")
    user_intent = StringField(db_field="userIntent")


class ConversationStrand(EmbeddedDocument):
    """A way that a conversation took since a question was edited; see `chat/strands.py`."""

    strand = IntField(required=True, min_value=1)  # the place of the question that begins it
    parent = IntField(required=True, min_value=0)
    edits = IntField(required=True, min_value=1)  # the place of the question that it was made from


class AttachedFile(EmbeddedDocument):
    """What a message shows of a file that came with it (S1-35); `Attachment` has the rest."""

    attachment_id = StringField(db_field="attachmentId", required=True)
    file_url = StringField(db_field="fileUrl", required=True)
    file_type = StringField(db_field="fileType", required=True)  # a media type
    file_name = StringField(db_field="fileName", required=True)
    file_size = IntField(db_field="fileSize", required=True)  # bytes
    width = IntField(null=True)  # pixels, of an image
    height = IntField(null=True)


class RepliedTo(EmbeddedDocument):
    """The message of the same conversation that a question replies to, and how it began when that was asked."""

    message_id = StringField(db_field="messageId", required=True)
    seq = IntField(required=True, min_value=1)
    strand = IntField(required=True, min_value=0)
    role = StringField(choices=MessageRole.values, required=True)
    user_name = StringField(db_field="userName", null=True)
    content = StringField(required=True)


class WaitingQuestion(EmbeddedDocument):
    """A question that is asked when the answer before it has ended; fields that `Message` has, too, are those of the question then."""

    message_id = StringField(db_field="messageId", required=True)
    user_id = StringField(db_field="userId", required=True)
    user_role = StringField(db_field="userRole", choices=Role.values, null=True)
    branch_id = StringField(db_field="branchId", null=True)
    department_id = StringField(db_field="departmentId", null=True)
    user_name = StringField(db_field="userName", null=True)
    client_id = StringField(db_field="clientId", required=True)
    api_key_id = StringField(db_field="apiKeyId")
    content = StringField(required=True)
    reply_to = EmbeddedDocumentField(RepliedTo, db_field="replyTo")
    attachments = EmbeddedDocumentListField(AttachedFile)
    strand = IntField(required=True, min_value=0)  # at whose end it is asked
    status = StringField(choices=WaitingStatus.values, required=True)
    due_at = DateTimeField(db_field="dueAt")  # when the sweeper sees to it; none while an answer is known to take it along
    created_at = DateTimeField(db_field="createdAt", required=True)


class QuestionQueue(EmbeddedDocument):
    """The questions that wait, oldest first. `version` grows with each change."""

    version = IntField(required=True, min_value=0)
    questions = EmbeddedDocumentListField(WaitingQuestion)


class Cold(EmbeddedDocument):
    """Where the messages of a conversation are that nobody did anything with for long; see `chat/services/cold.py`."""

    marked_at = DateTimeField(db_field="markedAt", required=True)  # since when it is about to leave
    away_at = DateTimeField(db_field="awayAt", null=True)  # since when they are in the file; none, and they are where they were
    sha256 = StringField(null=True)  # of the file
    bytes = LongField(null=True)
    messages = IntField(null=True)
    people = ListField(StringField())  # who wrote, or had something written anew


class Conversation(TenantDocument):
    """A thread of messages between a person and an AI, or among people (`kind`)."""

    conversation_id = StringField(db_field="conversationId", required=True)
    kind = StringField(choices=Kind.values, required=True)
    branch_id = StringField(db_field="branchId", null=True)
    department_id = StringField(db_field="departmentId", null=True)
    user_id = StringField(db_field="userId", required=True)
    user_role = StringField(db_field="userRole", choices=Role.values)

    type = StringField(choices=ConsultationType.values, null=True)
    title = StringField(required=True)
    subject_employee_ids = ListField(StringField(), db_field="subjectEmployeeIds")
    subject_type = StringField(db_field="subjectType", choices=SubjectType.values, null=True)

    context = EmbeddedDocumentField(Origin)

    status = StringField(choices=ConversationStatus.values, required=True)
    is_pinned = BooleanField(db_field="isPinned", default=False)
    last_message_at = DateTimeField(db_field="lastMessageAt", required=True)
    message_count = IntField(db_field="messageCount", default=0)

    strands = EmbeddedDocumentListField(ConversationStrand)
    edit_count = IntField(db_field="editCount")  # strands that were begun, or are about to be
    shown = MapField(IntField())  # by person, the strand that they looked at last
    queue = EmbeddedDocumentField(QuestionQueue)

    context_summary = StringField(db_field="contextSummary", null=True)
    key_insights = ListField(StringField(), db_field="keyInsights")
    related_report_ids = ListField(StringField(), db_field="relatedReportIds")

    access_scope = EmbeddedDocumentField(AccessScope, db_field="accessScope")

    total_tokens_used = LongField(db_field="totalTokensUsed", default=0)
    estimated_cost = Decimal128Field(db_field="estimatedCost")
    average_response_time = FloatField(db_field="averageResponseTime", null=True)  # milliseconds
    answer_count = IntField(db_field="answerCount", default=0)  # what the average is over
    counted_answers = ListField(StringField(), db_field="countedAnswers")  # the latest attempts whose figures are in the totals
    user_satisfaction_rating = FloatField(db_field="userSatisfactionRating", null=True)  # the average of its answers' ratings, 1 to 5

    # Of a thread of programs (S2-14, D1): the bridge that answers in it, and the program's own names for it.
    bridge_id = StringField(db_field="bridgeId")
    thread_id = StringField(db_field="threadId")
    sub_thread_id = StringField(db_field="subThreadId")

    client_id = StringField(db_field="clientId", null=True)
    created_at = DateTimeField(db_field="createdAt", required=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)
    archived_at = DateTimeField(db_field="archivedAt", null=True)
    deleted_at = DateTimeField(db_field="deletedAt", null=True)
    removed_at = DateTimeField(db_field="removedAt", null=True)  # on its way out for good: nobody restores it any more
    cold = EmbeddedDocumentField(Cold)
    opened_at = DateTimeField(db_field="openedAt", null=True)  # when it was last opened out of the cold

    meta = {
        "collection": "chat_conversations",
        "auto_create_index": False,
        "indexes": [
            # One conversation by its id, at the door (S0-25).
            {"name": "conversationId_1", "fields": ["conversation_id"], "unique": True},
            # What a person started, newest first (S0-26).
            {"name": "userId_1_createdAt_-1", "fields": ["user_id", "-created_at"]},
            # An organization's conversations, latest first (S0-27).
            {"name": "organizationId_1_status_1_lastMessageAt_-1", "fields": ["organization_id", "status", "-last_message_at"]},
            # The inbox: a person's own, with a tie-breaker for the cursor.
            {
                "name": "inbox",
                "fields": ["organization_id", "user_id", "status", "-last_message_at", "-conversation_id"],
            },
            # Conversations about an employee (S0-28).
            {"name": "subjectEmployeeIds_1_status_1", "fields": ["subject_employee_ids", "status"]},
            # Conversations of one type (S0-29).
            {"name": "type_1_organizationId_1_createdAt_-1", "fields": ["type", "organization_id", "-created_at"]},
            # The inbox's second branch: what is shared with a role.
            {
                "name": "shared_with_role",
                "fields": [
                    "organization_id",
                    "access_scope.allowed_roles",
                    "status",
                    "-last_message_at",
                    "-conversation_id",
                ],
            },
            # The inbox's third branch: what is shared with a person.
            {
                "name": "shared_with_person",
                "fields": [
                    "organization_id",
                    "access_scope.allowed_user_ids",
                    "status",
                    "-last_message_at",
                    "-conversation_id",
                ],
            },
            # The pinned ones of the side list, first branch. Few are pinned: these indexes are small, and a turn elsewhere costs nothing.
            {
                "name": "pinned",
                "fields": ["organization_id", "user_id", "status", "-last_message_at", "-conversation_id"],
                "partialFilterExpression": {"isPinned": True},
            },
            # Second branch: what is shared with a role and pinned.
            {
                "name": "pinned_for_role",
                "fields": ["organization_id", "access_scope.allowed_roles", "status", "-last_message_at", "-conversation_id"],
                "partialFilterExpression": {"isPinned": True},
            },
            # Third branch: what is shared with a person and pinned.
            {
                "name": "pinned_for_person",
                "fields": ["organization_id", "access_scope.allowed_user_ids", "status", "-last_message_at", "-conversation_id"],
                "partialFilterExpression": {"isPinned": True},
            },
            # What is in a state, of all organizations (S1-68).
            {"name": "status_1", "fields": ["status"]},
            # What nobody has written in for long, of all organizations (S1-69).
            {"name": "lastMessageAt_-1", "fields": ["-last_message_at"]},
            # What a person has in a state, in all organizations (S1-70).
            {"name": "userId_1_status_1_lastMessageAt_-1", "fields": ["user_id", "status", "-last_message_at"]},
            # What was deleted, longest ago first: removed for good after its period.
            {"name": "deleted", "fields": ["deleted_at", "conversation_id"], "partialFilterExpression": {"status": "deleted"}},
            # What is in files, and since when.
            {"name": "cold", "fields": ["organization_id", "cold.away_at"], "partialFilterExpression": {"cold": {"$exists": True}}},
            # Whose messages are in files, when somebody is erased.
            {"name": "cold_people", "fields": ["organization_id", "cold.people"], "partialFilterExpression": {"cold": {"$exists": True}}},
            # Conversations shared with a person (S0-30).
            {"name": "accessScope.allowedUserIds_1", "fields": ["access_scope.allowed_user_ids"]},
            # The same start sent twice makes one conversation.
            {
                "name": "start_once",
                "fields": ["organization_id", "user_id", "client_id"],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
            # One conversation for each thread of a bridge that is not deleted (S2-18…20).
            {
                "name": "thread",
                "fields": ["organization_id", "bridge_id", "thread_id", "sub_thread_id"],
                "unique": True,
                "partialFilterExpression": {"threadId": {"$type": "string"}, "status": {"$in": ["active", "archived"]}},
            },
            # The sweeper's look for questions that wait for nobody.
            {"name": "queue", "fields": ["queue.questions.due_at"], "sparse": True},
            # The search in titles (S1-71).
            {"name": "search", "fields": ["organization_id", "$title"], "default_language": "none"},
        ],
    }


class AiResponseMetadata(EmbeddedDocument):
    """What an answer took and rests on (S0-36, D10)."""

    tokens_used = IntField(db_field="tokensUsed")
    input_tokens = IntField(db_field="inputTokens")
    output_tokens = IntField(db_field="outputTokens")
    cost = Decimal128Field(null=True)  # US dollars; null where the price is unknown
    response_time = FloatField(db_field="responseTime")  # milliseconds, from question to last token
    first_token_time = FloatField(db_field="firstTokenTime", null=True)  # milliseconds
    temperature = FloatField(null=True)
    confidence_score = FloatField(db_field="confidenceScore", null=True)
    sources = ListField(StringField())
    provider = StringField()
    generated_at = DateTimeField(db_field="generatedAt", null=True)  # of one that repeats an earlier answer: when that was written


class ReferencedEmployee(EmbeddedDocument):
    """S0-37."""

    employee_id = StringField(db_field="employeeId", required=True)
    employee_name = StringField(db_field="employeeName")
    relevance = StringField()


class ReferencedReport(EmbeddedDocument):
    """S0-38."""

    report_id = StringField(db_field="reportId", required=True)
    report_type = StringField(db_field="reportType")
    accessed_at = DateTimeField(db_field="accessedAt")


class StructuredData(EmbeddedDocument):
    """S0-39."""

    analysis_type = StringField(db_field="analysisType")
    scores = MapField(FloatField())
    recommendations = ListField(StringField())
    insights = ListField(StringField())
    data_points = MapField(DynamicField(), db_field="dataPoints")


class ErrorDetails(EmbeddedDocument):
    """S0-41."""

    error_code = StringField(db_field="errorCode")
    error_message = StringField(db_field="errorMessage")
    retry_count = IntField(db_field="retryCount", default=0)


class Feedback(EmbeddedDocument):
    """S0-42."""

    is_helpful = BooleanField(db_field="isHelpful", null=True)
    rating = IntField(min_value=1, max_value=5, null=True)
    comment = StringField(null=True)
    submitted_at = DateTimeField(db_field="submittedAt")


class ToolCallRecord(EmbeddedDocument):
    """A tool that an answer had called, or that its program was to call (S2-16). Arguments and result are shortened."""

    id = StringField()
    name = StringField(required=True)
    arguments = StringField(required=True)
    result = StringField(null=True)
    status = IntField(null=True)  # HTTP's
    error = StringField()
    latency = IntField()  # milliseconds
    by_caller = BooleanField(db_field="byCaller")  # the program's own tool, which it calls itself


class Lease(EmbeddedDocument):
    """Who works on an answer, and until when. Present only while the answer is on its way: its presence is the job."""

    token = StringField(null=True)
    expires_at = DateTimeField(db_field="expiresAt", required=True)


class MessagePart(EmbeddedDocument):
    """S1-28; `chat/parts.py` says what a value holds."""

    type = StringField(choices=PartType.values, required=True)
    value = DynamicField(required=True)


class Message(TenantDocument):
    """One message. `seq` is contiguous within its conversation, from 1."""

    message_id = StringField(db_field="messageId", required=True)
    conversation_id = StringField(db_field="conversationId", required=True)
    seq = IntField(required=True, min_value=1)
    strand = IntField(min_value=1)  # the place of the question that begins its strand; the first strand's messages have none
    edits = IntField(min_value=1)  # of a question that begins a strand: the place of the one that it was made from
    role = StringField(choices=MessageRole.values, required=True)
    content = StringField()
    content_type = StringField(db_field="contentType", choices=ContentType.values, required=True)

    user_id = StringField(db_field="userId", null=True)
    user_role = StringField(db_field="userRole", choices=Role.values, null=True)
    branch_id = StringField(db_field="branchId", null=True)
    department_id = StringField(db_field="departmentId", null=True)
    user_name = StringField(db_field="userName", null=True)
    client_id = StringField(db_field="clientId", null=True)
    api_key_id = StringField(db_field="apiKeyId")  # of the program that asked; of an answer, that it is written for
    reply_to = EmbeddedDocumentField(RepliedTo, db_field="replyTo")
    attachments = EmbeddedDocumentListField(AttachedFile)

    awaited = BooleanField()  # of an answer: a question waits for its end
    # An answer names the question it answers; user, role, branch and department say with whose rights it is written.
    answer_to = StringField(db_field="answerTo", null=True)
    attempt = IntField(default=1, min_value=1)
    lease = EmbeddedDocumentField(Lease, null=True)
    finished_by = StringField(db_field="finishedBy", null=True)  # the lease under which the end was saved
    queued_at = DateTimeField(db_field="queuedAt", null=True)
    started_at = DateTimeField(db_field="startedAt", null=True)
    stop_requested_at = DateTimeField(db_field="stopRequestedAt", null=True)
    ai_model = StringField(db_field="aiModel", null=True)
    version = StringField(null=True)
    finish_reason = StringField(db_field="finishReason", null=True)
    ai_response_metadata = EmbeddedDocumentField(AiResponseMetadata, db_field="aiResponseMetadata", null=True)
    # Every call to a provider that all attempts at this answer took: what the ledger is restored from after a crash.
    calls = ListField(DictField())
    referenced_employees = EmbeddedDocumentListField(ReferencedEmployee, db_field="referencedEmployees")
    referenced_reports = EmbeddedDocumentListField(ReferencedReport, db_field="referencedReports")
    structured_data = EmbeddedDocumentField(StructuredData, db_field="structuredData", null=True)
    follow_ups = ListField(StringField(), db_field="followUps")  # questions that may come next
    parts = EmbeddedDocumentListField(MessagePart)

    # Of a message in a thread of programs (S2-14…17).
    bridge_id = StringField(db_field="bridgeId")
    version_id = StringField(db_field="versionId")
    conversation_type = StringField(db_field="conversationType", choices=CallType.values)
    function = DictField()  # which call a tool's message answers: {"id"}
    tools_call_data = EmbeddedDocumentListField(ToolCallRecord, db_field="toolsCallData")
    is_reset = BooleanField(db_field="isReset")  # nothing before it counts
    chatbot_message = StringField(db_field="chatbotMessage")
    revised_prompt = StringField(db_field="revisedPrompt")
    image_url = StringField(db_field="imageUrl")
    urls = ListField(StringField())
    ai_config = DictField(db_field="AiConfig")  # the parameters that it was asked for with
    annotations = ListField(DictField())

    status = StringField(choices=MessageStatus.values, required=True)
    error_details = EmbeddedDocumentField(ErrorDetails, db_field="errorDetails", null=True)
    feedback = EmbeddedDocumentField(Feedback, null=True)
    versions = IntField(default=1, min_value=1)  # this text and the earlier ones, which are `MessageRevision`s

    created_at = DateTimeField(db_field="createdAt", required=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)
    edited_at = DateTimeField(db_field="editedAt", null=True)
    deleted_at = DateTimeField(db_field="deletedAt", null=True)

    meta = {
        "collection": "chat_messages",
        "auto_create_index": False,
        "indexes": [
            # One message by its id, at the door (S0-44).
            {"name": "messageId_1", "fields": ["message_id"], "unique": True},
            # S0-45.
            {"name": "conversationId_1_createdAt_1", "fields": ["conversation_id", "created_at"]},
            # What a person wrote, newest first (S0-46).
            {"name": "userId_1_createdAt_-1", "fields": ["user_id", "-created_at"]},
            # Where an employee was discussed (S0-47).
            {
                "name": "referencedEmployees.employeeId_1",
                "fields": ["referenced_employees.employee_id"],
                "sparse": True,
            },
            # Messages in trouble, newest first (S0-48).
            {"name": "status_1_createdAt_-1", "fields": ["status", "-created_at"]},
            # What people, models, tools and the system said (S1-73).
            {"name": "role_1", "fields": ["role"]},
            # A page of history; two messages never share a place.
            {"name": "place", "fields": ["organization_id", "conversation_id", "seq"], "unique": True},
            # A page of a path, the newest answer of a strand.
            {"name": "path", "fields": ["organization_id", "conversation_id", "strand", "seq"]},
            # The same message sent twice is one message.
            {
                "name": "send_once",
                "fields": ["organization_id", "conversation_id", "user_id", "client_id"],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
            # A question has one answer.
            {
                "name": "answer_once",
                "fields": ["organization_id", "answer_to"],
                "unique": True,
                "partialFilterExpression": {"answerTo": {"$type": "string"}},
            },
            # The sweeper's look for answers that nobody works on.
            {"name": "lease", "fields": ["lease.expires_at"], "sparse": True},
            # The days of which a message changed since the last night; an answer enters when it is settled.
            {
                "name": "changed",
                "fields": ["updated_at", "created_at"],
                "partialFilterExpression": {"status": {"$in": [status.value for status in SETTLED]}},
            },
            # The search in messages (S0-138, S1-74). An answer enters when it is settled and let go: MongoDB takes the words out of a text
            # anew whenever any key of its message changes, and a lease's are changed with every checkpoint.
            {
                "name": "search",
                "fields": ["organization_id", "$content"],
                "default_language": "none",
                "partialFilterExpression": {"status": {"$in": [status.value for status in SETTLED]}, "lease": None},
            },
        ],
    }


class MessageRevision(TenantDocument):
    """What a message said before it was given another text (D12). Fields that `Message` has, too, are as they were in it."""

    message_id = StringField(db_field="messageId", required=True)
    conversation_id = StringField(db_field="conversationId", required=True)
    attempt = IntField(required=True, min_value=1)
    reason = StringField(choices=RevisionReason.values, required=True)
    revised_by = StringField(db_field="revisedBy", required=True)
    revised_at = DateTimeField(db_field="revisedAt", required=True)

    content = StringField()
    content_type = StringField(db_field="contentType", choices=ContentType.values, required=True)
    status = StringField(choices=MessageStatus.values, required=True)
    queued_at = DateTimeField(db_field="queuedAt", null=True)
    started_at = DateTimeField(db_field="startedAt", null=True)
    ai_model = StringField(db_field="aiModel", null=True)
    version = StringField(null=True)
    finish_reason = StringField(db_field="finishReason", null=True)
    ai_response_metadata = EmbeddedDocumentField(AiResponseMetadata, db_field="aiResponseMetadata", null=True)
    referenced_employees = EmbeddedDocumentListField(ReferencedEmployee, db_field="referencedEmployees")
    referenced_reports = EmbeddedDocumentListField(ReferencedReport, db_field="referencedReports")
    structured_data = EmbeddedDocumentField(StructuredData, db_field="structuredData", null=True)
    follow_ups = ListField(StringField(), db_field="followUps")
    parts = EmbeddedDocumentListField(MessagePart)
    feedback = EmbeddedDocumentField(Feedback, null=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)

    meta = {
        "collection": "message_revisions",
        "auto_create_index": False,
        "indexes": [
            # The versions of a message, oldest first; each is kept once.
            {"name": "version", "fields": ["organization_id", "message_id", "attempt"], "unique": True},
            # What a person had written anew, when they are erased.
            {"name": "revised_by", "fields": ["organization_id", "revised_by"]},
        ],
    }


class SharedReply(EmbeddedDocument):
    """What a question behind a link replies to."""

    role = StringField(choices=MessageRole.values, required=True)
    author = StringField(null=True)
    text = StringField(required=True)


class SharedMessage(EmbeddedDocument):
    """What a link shows of a message: no costs, nobody's id."""

    role = StringField(choices=MessageRole.values, required=True)
    author = StringField(null=True)  # a person's name
    text = StringField(required=True)
    parts = EmbeddedDocumentListField(MessagePart)
    reply_to = EmbeddedDocumentField(SharedReply, db_field="replyTo")
    created_at = DateTimeField(db_field="createdAt", required=True)


class Share(TenantDocument):
    """A link to a copy of a conversation as it was when the link was made. Of the link's token only the hash is kept."""

    share_id = StringField(db_field="shareId", required=True)
    conversation_id = StringField(db_field="conversationId", required=True)
    user_id = StringField(db_field="userId", required=True)
    token_hash = StringField(db_field="tokenHash", required=True)  # SHA-256, hexadecimal
    audience = StringField(choices=Audience.values, required=True)
    title = StringField(required=True)
    messages = EmbeddedDocumentListField(SharedMessage)  # none any more once it is revoked
    is_whole = BooleanField(db_field="isWhole", default=True)  # False where earlier messages did not fit into the copy
    views = IntField(default=0)
    created_at = DateTimeField(db_field="createdAt", required=True)
    expires_at = DateTimeField(db_field="expiresAt", required=True)
    revoked_at = DateTimeField(db_field="revokedAt")
    remove_at = DateTimeField(db_field="removeAt", required=True)

    meta = {
        "collection": "chat_shares",
        "auto_create_index": False,
        "indexes": [
            # One link by its id, to revoke it.
            {"name": "shareId_1", "fields": ["share_id"], "unique": True},
            # The copy behind a link that somebody opens.
            {"name": "tokenHash_1", "fields": ["token_hash"], "unique": True},
            # A conversation's links, newest first.
            {
                "name": "organizationId_1_conversationId_1_createdAt_-1",
                "fields": ["organization_id", "conversation_id", "-created_at"],
            },
            # What MongoDB removes by itself.
            {"name": "removeAt_1", "fields": ["remove_at"], "expireAfterSeconds": 0},
        ],
    }


class ActiveConversation(EmbeddedDocument):
    """S0-84."""

    conversation_id = StringField(db_field="conversationId", required=True)
    joined_at = DateTimeField(db_field="joinedAt", required=True)
    last_message_at = DateTimeField(db_field="lastMessageAt", null=True)  # when this tab sent one last


class ChatSession(TenantDocument):
    """One open socket of a person, from when to when, and on what device (S0-81…93). `session_id` is the socket's own id, too."""

    session_id = StringField(db_field="sessionId", required=True)
    user_id = StringField(db_field="userId", required=True)
    branch_id = StringField(db_field="branchId", null=True)
    department_id = StringField(db_field="departmentId", null=True)
    user_role = StringField(db_field="userRole", choices=Role.values)

    connection_id = StringField(db_field="connectionId", required=True)  # the web process, and which of its connections
    socket_id = StringField(db_field="socketId", required=True)
    ip_address = StringField(db_field="ipAddress", null=True)
    user_agent = StringField(db_field="userAgent")

    status = StringField(choices=SessionStatus.values, required=True)
    last_activity = DateTimeField(db_field="lastActivity", required=True)  # of the person: a frame of theirs
    active_conversations = EmbeddedDocumentListField(ActiveConversation, db_field="activeConversations")

    device_type = StringField(db_field="deviceType", choices=DeviceType.values)
    browser = StringField()
    platform = StringField()

    presence_status = StringField(db_field="presenceStatus", choices=PresenceStatus.values, required=True)
    last_seen_at = DateTimeField(db_field="lastSeenAt", required=True)  # when its process last said that it is open

    connected_at = DateTimeField(db_field="connectedAt", required=True)
    disconnected_at = DateTimeField(db_field="disconnectedAt", null=True)
    total_duration = IntField(db_field="totalDuration", null=True)  # seconds

    created_at = DateTimeField(db_field="createdAt", required=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)
    expires_at = DateTimeField(db_field="expiresAt", required=True)

    meta = {
        "collection": "chat_sessions",
        "auto_create_index": False,
        "indexes": [
            # A socket's own document, to write it again (S0-89).
            {"name": "sessionId_1", "fields": ["session_id"], "unique": True},
            # Where a person is open now (S0-90).
            {"name": "userId_1_status_1", "fields": ["user_id", "status"]},
            # The session of a connection in the logs (S0-91).
            {"name": "connectionId_1", "fields": ["connection_id"]},
            # Who was active last (S0-92).
            {"name": "status_1_lastActivity_-1", "fields": ["status", "-last_activity"]},
            # What MongoDB removes by itself (S0-93).
            {"name": "expiresAt_1", "fields": ["expires_at"], "expireAfterSeconds": 0},
            # A person's sessions, newest first.
            {"name": "mine", "fields": ["organization_id", "user_id", "-connected_at", "-session_id"]},
            # The sessions in which a conversation was viewed, when it is removed for good.
            {"name": "viewed", "fields": ["organization_id", "active_conversations.conversation_id"]},
            # The sweeper's look for sessions whose process is gone.
            {"name": "lost", "fields": ["status", "last_seen_at"]},
        ],
    }


class ReadMark(TenantDocument):
    """How far a person has read a conversation: up to and with the message at `seq`."""

    conversation_id = StringField(db_field="conversationId", required=True)
    user_id = StringField(db_field="userId", required=True)
    seq = IntField(required=True, min_value=0)
    read_at = DateTimeField(db_field="readAt", required=True)

    meta = {
        "collection": "chat_read_marks",
        "auto_create_index": False,
        "indexes": [
            # A person's marks in the conversations of a list; there is one of each.
            {"name": "mark", "fields": ["organization_id", "conversation_id", "user_id"], "unique": True},
        ],
    }


class Attachment(TenantDocument):
    """A file that somebody attaches to a question of theirs. Its bytes are in Django's storage, under names that we make up."""

    attachment_id = StringField(db_field="attachmentId", required=True)
    conversation_id = StringField(db_field="conversationId", required=True)
    user_id = StringField(db_field="userId", required=True)
    client_id = StringField(db_field="clientId", null=True)
    file_name = StringField(db_field="fileName", required=True)  # what the person calls it; never a name in the storage
    file_type = StringField(db_field="fileType", required=True)
    file_size = IntField(db_field="fileSize", required=True)  # bytes that are kept
    width = IntField(null=True)
    height = IntField(null=True)
    stored_as = StringField(db_field="storedAs", required=True)
    thumbnail_as = StringField(db_field="thumbnailAs", null=True)
    shown_as = StringField(db_field="shownAs", null=True)  # an image as a model is shown it
    text = StringField()
    is_whole = BooleanField(db_field="isWhole", default=True)  # False where the file has more text than is kept
    is_sent = BooleanField(db_field="isSent", required=True)
    created_at = DateTimeField(db_field="createdAt", required=True)
    removed_at = DateTimeField(db_field="removedAt", null=True)  # its bytes are on their way out, then this document goes, too

    meta = {
        "collection": "chat_attachments",
        "auto_create_index": False,
        "indexes": [
            # One file by its id, at the door; and those of a question.
            {"name": "attachmentId_1", "fields": ["attachment_id"], "unique": True},
            # All of a conversation, when it is removed for good.
            {"name": "organizationId_1_conversationId_1", "fields": ["organization_id", "conversation_id"]},
            # What an organization's files take up together: it is limited.
            {"name": "stored", "fields": ["organization_id", "file_size"]},
            # What a person has uploaded and not sent: it is limited.
            {
                "name": "waiting",
                "fields": ["organization_id", "user_id"],
                "partialFilterExpression": {"isSent": False},
            },
            # What nobody sent within a day.
            {"name": "unsent", "fields": ["created_at"], "partialFilterExpression": {"isSent": False}},
            # The same file sent twice under one name of the client's is one.
            {
                "name": "upload_once",
                "fields": ["organization_id", "conversation_id", "user_id", "client_id"],
                "unique": True,
                "partialFilterExpression": {"clientId": {"$type": "string"}},
            },
        ],
    }


class CompatibilityScores(EmbeddedDocument):
    """S0-53; 0 to 100."""

    job_role = FloatField(db_field="jobRole", null=True)
    department = FloatField(null=True)
    company = FloatField(null=True)
    industry = FloatField(null=True)


class AstrologyData(EmbeddedDocument):
    """S0-54."""

    sun_sign = StringField(db_field="sunSign", null=True)
    moon_sign = StringField(db_field="moonSign", null=True)
    rising_sign = StringField(db_field="risingSign", null=True)
    harmonic_code = StringField(db_field="harmonicCode", null=True)
    last_harmonic_update = DateTimeField(db_field="lastHarmonicUpdate", null=True)


class EmployeeContext(EmbeddedDocument):
    """What a model was given of an employee when it last analyzed them, and what it found (S0-51…56)."""

    employee_id = StringField(db_field="employeeId", required=True)
    employee_name = StringField(db_field="employeeName")
    personality_traits = ListField(StringField(), db_field="personalityTraits")
    behavioral_patterns = ListField(StringField(), db_field="behavioralPatterns")
    compatibility_scores = EmbeddedDocumentField(CompatibilityScores, db_field="compatibilityScores")
    astrology_data = EmbeddedDocumentField(AstrologyData, db_field="astrologyData")
    recent_insights = ListField(StringField(), db_field="recentInsights")
    discussion_topics = ListField(StringField(), db_field="discussionTopics")
    performance_indicators = MapField(DynamicField(), db_field="performanceIndicators")
    training_needs = ListField(StringField(), db_field="trainingNeeds")
    strengths = ListField(StringField())
    development_areas = ListField(StringField(), db_field="developmentAreas")


class TeamContext(EmbeddedDocument):
    """S0-57."""

    team_member_ids = ListField(StringField(), db_field="teamMemberIds")
    team_dynamics = StringField(db_field="teamDynamics")
    compatibility_matrix = MapField(FloatField(), db_field="compatibilityMatrix")
    conflict_areas = ListField(StringField(), db_field="conflictAreas")
    synergies = ListField(StringField())


class ConversationMemory(EmbeddedDocument):
    """S0-58."""

    key_points = ListField(StringField(), db_field="keyPoints")
    decisions = ListField(StringField())
    follow_up_items = ListField(StringField(), db_field="followUpItems")
    previous_queries = ListField(StringField(), db_field="previousQueries")
    context_window = StringField(db_field="contextWindow")


class ReportReference(EmbeddedDocument):
    """S0-59."""

    report_id = StringField(db_field="reportId", required=True)
    report_type = StringField(db_field="reportType")
    last_accessed = DateTimeField(db_field="lastAccessed")
    key_findings = ListField(StringField(), db_field="keyFindings")


class Context(TenantDocument):
    """What a conversation remembers, of itself and of whom it is about (S0-49…61). It goes by itself when nobody has used it for long."""

    context_id = StringField(db_field="contextId", required=True)
    conversation_id = StringField(db_field="conversationId", required=True)
    scope_type = StringField(db_field="scopeType", choices=ScopeType.values, required=True)
    scope_reference = StringField(db_field="scopeReference", required=True)  # a conversation's, an employee's or a department's id
    employee_context = EmbeddedDocumentField(EmployeeContext, db_field="employeeContext", null=True)
    team_context = EmbeddedDocumentField(TeamContext, db_field="teamContext", null=True)
    conversation_memory = EmbeddedDocumentField(ConversationMemory, db_field="conversationMemory", null=True)
    report_references = EmbeddedDocumentListField(ReportReference, db_field="reportReferences")

    # Of a conversation's memory: the place up to which it reaches, the strand of the message there, and the place of the answer after
    # which a model was last asked for it.
    through = IntField(min_value=0, null=True)
    strand = IntField(min_value=0, null=True)
    asked_at = IntField(db_field="askedAt", min_value=0, null=True)

    token_count = IntField(db_field="tokenCount", default=0)  # about
    last_updated = DateTimeField(db_field="lastUpdated", required=True)
    expires_at = DateTimeField(db_field="expiresAt", required=True)
    created_at = DateTimeField(db_field="createdAt", required=True)
    updated_at = DateTimeField(db_field="updatedAt", required=True)

    meta = {
        "collection": "chat_contexts",
        "auto_create_index": False,
        "indexes": [
            # One context by its id (S0-62).
            {"name": "contextId_1", "fields": ["context_id"], "unique": True},
            # What a conversation remembers, read beside its history; each thing once.
            {
                "name": "remembered_once",
                "fields": ["organization_id", "conversation_id", "scope_type", "scope_reference"],
                "unique": True,
            },
            # A conversation's contexts (S0-63).
            {"name": "conversationId_1", "fields": ["conversation_id"]},
            # Where an employee was discussed (S0-64).
            {"name": "employeeContext.employeeId_1", "fields": ["employee_context.employee_id"], "sparse": True},
            # What MongoDB removes by itself (S0-65).
            {"name": "expiresAt_1", "fields": ["expires_at"], "expireAfterSeconds": 0},
            # Everything remembered of one employee or team (S0-66).
            {"name": "scopeType_1_scopeReference_1", "fields": ["scope_type", "scope_reference"]},
        ],
    }
