"""What conversations and messages take and give. The answers' serializers only document: `chat.records` makes the dicts."""

from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chat import parts
from chat.choices import (
    Audience,
    ConsultationType,
    ConversationStatus,
    DeviceType,
    ExportFormat,
    Kind,
    MessageRole,
    MessageStatus,
    PresenceStatus,
    SessionStatus,
    SubjectType,
    WaitingStatus,
)
from chat.days import start_of
from chat.search import QUERY_LIMIT
from chat.services.attachments import FILE_LIMIT, FILES_LIMIT, TYPES
from chat.services.errors import TextTooLong
from chat.services.feedback import COMMENT_LIMIT
from chat.structures import FIGURE_LIMIT
from chat.transcripts import FORMAT, VERSION
from config.api import PAGE_DEFAULT, PAGE_LIMIT, Flag, Id, Number, PageQuery, Query, Strict, Text, Word
from tenants.choices import Role

TITLE_LIMIT = 200
SUBJECTS_LIMIT = 50
CLIENT_ID_LIMIT = 100
SEARCH_LIMIT = 200
READERS_LIMIT = 100
SHARE_DAYS_LIMIT = 90
NUMBER_LIMIT = 2**31 - 1
PAGE_PATH_LIMIT = 200
PAGE_PATH = r"^/(?!/)[^?#\s\\]*$"
INTENT_LIMIT = 60


# Input -----------------------------------------------------------------------------------------------------------------


@extend_schema_field({"type": "string", "example": "2026-01-31"})
class DayOrTime(serializers.Field):
    """A day, which begins at midnight UTC, or a time that says its zone."""

    default_error_messages = {"invalid": "Send a day such as 2026-01-31, or a time with its zone such as 2026-01-31T09:41:00Z."}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            if len(value) == len("2026-01-31"):
                return start_of(date.fromisoformat(value))
            found = datetime.fromisoformat(value)
            if found.tzinfo is not None:
                return found.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            pass
        self.fail("invalid")
        raise AssertionError  # `fail` raises


class ConversationsQuery(PageQuery):
    status = Word(required=False, choices=ConversationStatus.choices, default="active", help_text="Deleted ones are your own only.")
    kind = Word(
        required=False, choices=Kind.choices, help_text="`api`: threads of programs, for who may see bridges. They come in no other list."
    )
    type = Word(required=False, choices=ConsultationType.choices)
    pinned = Flag(required=False)
    subject = Id(required=False, help_text="The same as `about`.")
    about = Id(required=False, help_text="Conversations about this employee.")
    after = DayOrTime(required=False, help_text="The last message came then or later: a day in UTC, or a time with its zone.")
    before = DayOrTime(required=False, help_text="The last message came before this day in UTC, or time.")
    q = Text(required=False, allow_blank=True, max_length=SEARCH_LIMIT, help_text="Part of the title.")

    def validate(self, attrs: dict) -> dict:
        if "subject" in attrs and "about" in attrs:
            raise serializers.ValidationError({"subject": "Give `about` alone; `subject` is the same."})
        return attrs


class NewConversation(Strict):
    kind = Word(required=False, choices=[Kind.ASSISTANT], default=Kind.ASSISTANT.value)
    type = Word(choices=ConsultationType.choices)
    title = Text(required=False, max_length=TITLE_LIMIT, allow_blank=False, help_text="Made from the type and the subjects where left out.")
    subject_employee_ids = serializers.ListField(child=Id(), required=False, default=list, max_length=SUBJECTS_LIMIT)
    client_id = Text(
        required=False,
        max_length=CLIENT_ID_LIMIT,
        allow_blank=False,
        help_text="A name of yours for this request: sent again, it gives the same conversation and makes no second one.",
    )

    opened_from = Text(
        required=False,
        max_length=PAGE_PATH_LIMIT,
        validators=[RegexValidator(PAGE_PATH, "A path of this site, without its query.")],
        help_text="The page that the person came from, as `/o/acme/people/`.",
    )
    intent = Text(required=False, max_length=INTENT_LIMIT, help_text="What they want, in a word or two, for statistics; else the type.")


class Readers(Strict):
    roles = serializers.ListField(child=Word(choices=Role.choices), required=False, default=list, max_length=len(Role))
    users = serializers.ListField(child=Id(), required=False, default=list, max_length=READERS_LIMIT, help_text="Ids of members.")


class ConversationChange(Strict):
    title = Text(required=False, max_length=TITLE_LIMIT, allow_blank=False)
    pinned = Flag(required=False)
    access = Readers(required=False, help_text="Who besides its starter may read it and ask in it; `{}`: nobody.")


class Pin(Strict):
    pinned = Flag(required=False, default=True, help_text="False takes the pin away.")


class ReadUpTo(Strict):
    seq = Number(min_value=0, max_value=2**31 - 1, help_text="The place of the last message that was read.")


class SessionsQuery(PageQuery):
    pass


class MessagesQuery(Query):
    strand = Number(required=False, min_value=0, max_value=NUMBER_LIMIT, help_text="On this strand's path; else yours.")
    before = Number(required=False, min_value=1, help_text="Messages with a smaller `seq` than this.")
    after = Number(required=False, min_value=0, help_text="Messages with a greater `seq` than this.")
    limit = Number(required=False, min_value=1, max_value=PAGE_LIMIT, default=PAGE_DEFAULT, help_text="Messages on a page.")

    def validate(self, attrs: dict) -> dict:
        if "before" in attrs and "after" in attrs:
            raise serializers.ValidationError({"after": "Give `before` or `after`, not both."})
        return attrs


# A page sends by socket or by request.
TOO_LONG = {"max_length": TextTooLong(limit=settings.TEXT_LIMIT).sentence}


class MessageChange(Strict):
    text = Text(
        max_length=settings.TEXT_LIMIT,
        allow_blank=False,
        error_messages=TOO_LONG,
    )
    client_id = Text(
        required=False,
        max_length=CLIENT_ID_LIMIT,
        allow_blank=False,
        help_text="A name of yours for this message: sent again with the same text, it gives the same answer and asks nothing twice.",
    )


class NewAttachment(Strict):
    file = serializers.FileField(help_text=f"{FILE_LIMIT // 1024**2} MiB at most. Its extension is one of: {', '.join(TYPES)}.")
    client_id = Text(
        required=False,
        max_length=CLIENT_ID_LIMIT,
        allow_blank=False,
        help_text="A name of yours for this file: sent again, it gives the same one.",
    )


class NewMessage(MessageChange):
    attachment_ids = serializers.ListField(
        child=Id(),
        required=False,
        default=list,
        max_length=FILES_LIMIT,
        help_text="Files that you uploaded to this conversation.",
    )
    strand = Number(
        required=False, min_value=0, max_value=NUMBER_LIMIT, help_text="At whose end it is asked; else of the one that you looked at last."
    )
    reply_to = Id(required=False, help_text="The message of this conversation that it replies to; the model is told how that begins.")


class NextOf(Strict):
    strand = Number(required=False, min_value=0, max_value=NUMBER_LIMIT, help_text="Else of the one that you looked at last.")


class ShownStrand(Strict):
    strand = Number(min_value=0, max_value=NUMBER_LIMIT)


class NewFeedback(Strict):
    """At least one of the three; what is left out stays as it is."""

    helpful = Flag(required=False, allow_null=True, help_text="Thumbs up or down; null takes it away.")
    rating = Number(required=False, allow_null=True, min_value=1, max_value=5, help_text="Stars; null takes them away.")
    comment = Text(
        required=False, allow_null=True, allow_blank=True, max_length=COMMENT_LIMIT, help_text="Null takes it away, as blanks do."
    )


class EventsQuery(Query):
    strand = Number(
        required=False,
        min_value=0,
        max_value=NUMBER_LIMIT,
        help_text="Snapshots are of this strand; else of yours.",
    )
    after = Number(required=False, min_value=0, help_text="The last event number you have; `Last-Event-ID` says the same and wins.")


class SearchQuery(PageQuery):
    q = Text(max_length=QUERY_LIMIT, help_text="Words and operators.")


class NewShare(Strict):
    audience = Word(choices=Audience.choices)
    days = Number(min_value=1, max_value=SHARE_DAYS_LIMIT, help_text="After so many days it opens nothing any more.")


class ExportQuery(Query):
    format = Word(required=False, choices=ExportFormat.choices, default=ExportFormat.JSON.value)


# A conversation's file: what an export gives and an import takes --------------------------------------------------------


FILE_TEXT_LIMIT = 200_000  # characters of one message; an answer may be longer than a question
FILE_MESSAGES_LIMIT = 10_000
FILE_SOURCES_LIMIT = 200
FILE_WORD_LIMIT = 200  # characters of a name, a model, a source
FILE_SENTENCE_LIMIT = 2_000
FILE_NAMES_LIMIT = 50  # of scores, data points, recommendations or insights of one answer
FIRST_YEAR = 2000


class Moment(serializers.DateTimeField):
    """A time that says its zone, from the year 2000 to now."""

    default_error_messages = {
        "invalid": "Send a time in ISO 8601 with its zone, such as 2026-01-31T09:41:00Z.",
        "out": "Send a time between the year 2000 and now.",
    }

    def to_internal_value(self, value: Any) -> datetime:  # type: ignore[override]
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            self.fail("invalid")
        if found.year < FIRST_YEAR or found > timezone.now():
            self.fail("out")
        return found


class Figure(serializers.FloatField):
    """A number, and only a number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.fail("invalid")
        return super().to_internal_value(data)


class Each(serializers.ListField):
    """A list that is refused at its first wrong element: ten thousand of them need not be said ten thousand times."""

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        found = []
        for place, element in enumerate(data):
            try:
                found.append(self.child.run_validation(element))
            except serializers.ValidationError as error:
                raise serializers.ValidationError({str(place): error.detail}) from error
        return found


class AuthorInFile(Strict):
    id = Id(required=False, allow_null=True)
    name = Text(required=False, allow_null=True, allow_blank=True, max_length=FILE_WORD_LIMIT)
    role = Word(required=False, choices=Role.choices, allow_null=True)


class UsageInFile(Strict):
    input_tokens = Number(required=False, allow_null=True, min_value=0, max_value=NUMBER_LIMIT)
    output_tokens = Number(min_value=0, max_value=NUMBER_LIMIT)
    cost = Text(
        required=False,
        allow_null=True,
        validators=[RegexValidator(r"^[0-9]{1,9}(\.[0-9]{1,24})?\Z", 'Send US dollars as a decimal string, such as "0.0125".')],
        help_text="US dollars, as a decimal string; null where the price is unknown.",
    )


class AttachmentInFile(Strict):
    name = Text(max_length=FILE_WORD_LIMIT)
    type = Text(max_length=FILE_WORD_LIMIT)
    size = Number(min_value=0, max_value=NUMBER_LIMIT, help_text="Bytes.")


class ErrorInFile(Strict):
    code = Text(required=False, allow_null=True, max_length=FILE_WORD_LIMIT)
    detail = Text(required=False, allow_null=True, allow_blank=True, max_length=FILE_SENTENCE_LIMIT)


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "number"}]})
class FigureOrText(serializers.Field):
    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            return Text(max_length=FILE_SENTENCE_LIMIT, allow_blank=True).run_validation(data)
        return Figure(min_value=-FIGURE_LIMIT, max_value=FIGURE_LIMIT).run_validation(data)


class NamesInFile(serializers.DictField):
    """Names that can be kept, and what belongs to each."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict) or len(data) > FILE_NAMES_LIMIT:
            raise serializers.ValidationError(f"Send an object with at most {FILE_NAMES_LIMIT} names.")
        for name in data:
            if not 0 < len(name.strip()) <= FILE_WORD_LIMIT or "\0" in name or name.startswith("$"):
                raise serializers.ValidationError(f"Send names of up to {FILE_WORD_LIMIT} characters that do not begin with $.")
        return super().to_internal_value(data)


class StructureInFile(Strict):
    analysis_type = Word(choices=ConsultationType.choices)
    scores = NamesInFile(child=Figure(min_value=0, max_value=100), required=False, default=dict)
    recommendations = Each(child=Text(max_length=FILE_SENTENCE_LIMIT), required=False, default=list, max_length=FILE_NAMES_LIMIT)
    insights = Each(child=Text(max_length=FILE_SENTENCE_LIMIT), required=False, default=list, max_length=FILE_NAMES_LIMIT)
    data_points = NamesInFile(child=FigureOrText(), required=False, default=dict)


@extend_schema_field(parts.SCHEMA)
class PartsInFile(serializers.Field):
    """Checked by `parts.checked`; the HTML that this API gives with them is left out."""

    def to_internal_value(self, data: Any) -> list[parts.Part]:
        bare = [_without_html(part) for part in data] if isinstance(data, list) else data
        try:
            return parts.checked(bare)
        except parts.PartWrong as wrong:
            problem: Any = wrong.sentence
            for name in reversed(wrong.path.split(".") if wrong.path else []):
                problem = {name: problem if isinstance(problem, dict) else [problem]}
            raise serializers.ValidationError(problem) from wrong


class PartsOfQuestion(PartsInFile):
    """What a person's own message may hold: no buttons and cards, which are the assistant's."""

    def to_internal_value(self, data: Any) -> list[parts.Part]:
        checked = super().to_internal_value(data)
        for place, part in enumerate(checked):
            if part["type"] not in parts.OF_PEOPLE:
                raise serializers.ValidationError({str(place): {"type": [f"Send one of {', '.join(parts.OF_PEOPLE)}."]}})
        return checked


class NewQuestion(NewMessage):
    """Either `text`, or `parts` with a text among them: the text is made of them then."""

    text = Text(required=False, max_length=settings.TEXT_LIMIT, allow_blank=False, error_messages=TOO_LONG)
    parts = PartsOfQuestion(required=False, default=list)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["parts"]) == ("text" in attrs):
            raise serializers.ValidationError({"text": ["Send a text, or parts with a text among them."]})
        if attrs["parts"]:
            if not parts.are_whole(attrs["parts"]):
                raise serializers.ValidationError({"parts": ["Send at least one part of type text."]})
            attrs["text"] = parts.words(attrs["parts"])
        return attrs


def _without_html(part: Any) -> Any:
    return {name: value for name, value in part.items() if name != "html"} if isinstance(part, dict) else part


@extend_schema_field(parts.SCHEMA)
class PartsAnswer(serializers.Field):
    pass


class MessageInFile(Strict):
    id = Id(required=False)
    seq = Number(required=False, min_value=1, max_value=NUMBER_LIMIT, help_text="Its place; an import goes by the order of the list.")
    strand = Number(required=False, min_value=0, max_value=NUMBER_LIMIT, help_text="The `seq` that its strand begins with, or 0.")
    edits = Number(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=NUMBER_LIMIT,
        help_text="Of a question that begins a strand: the `seq` of the one that it was made from.",
    )
    role = Word(choices=MessageRole.choices)
    author = AuthorInFile(required=False, allow_null=True, help_text="Null for an answer.")
    text = Text(allow_blank=True, max_length=FILE_TEXT_LIMIT)
    status = Word(required=False, choices=MessageStatus.choices, default=MessageStatus.SENT.value)
    model = Text(required=False, allow_null=True, allow_blank=True, max_length=FILE_WORD_LIMIT)
    version = Text(required=False, allow_null=True, allow_blank=True, max_length=FILE_WORD_LIMIT)
    usage = UsageInFile(required=False, allow_null=True)
    finish_reason = Text(required=False, allow_null=True, allow_blank=True, max_length=FILE_WORD_LIMIT)
    confidence = Figure(required=False, allow_null=True, min_value=0, max_value=1)
    sources = Each(child=Text(max_length=FILE_WORD_LIMIT), required=False, max_length=FILE_SOURCES_LIMIT)
    parts = PartsInFile(
        required=False, help_text="What it holds besides words; with a `text` among them they are all of it, and `text` is made of them."
    )
    attachments = Each(
        child=AttachmentInFile(), required=False, max_length=FILES_LIMIT, help_text="What came with it; an import leaves them out."
    )
    structured_data = StructureInFile(required=False, allow_null=True, help_text="The analysis beside an answer.")
    error = ErrorInFile(required=False, allow_null=True)
    attempt = Number(required=False, min_value=1, max_value=NUMBER_LIMIT)
    answer_to = Id(required=False, allow_null=True, help_text="The `id` of the question in this file that it answers.")
    reply_to = Id(required=False, allow_null=True, help_text="The `id` of the earlier message in this file that it replies to.")
    created_at = Moment()
    edited_at = Moment(required=False, allow_null=True)


class ConversationInFile(Strict):
    id = Id(required=False)
    kind = Word(required=False, choices=Kind.choices)
    type = Word(choices=ConsultationType.choices, allow_null=True)
    title = Text(max_length=TITLE_LIMIT, allow_blank=False)
    subject_employee_ids = Each(child=Id(), required=False, max_length=SUBJECTS_LIMIT)
    subject_type = Word(required=False, choices=SubjectType.choices, allow_null=True)
    created_at = Moment()
    last_message_at = Moment(required=False, allow_null=True)


class ConversationFile(Strict):
    """A conversation as `…/export?format=json` gives it."""

    format = Word(choices=[FORMAT])
    version = Number(min_value=VERSION, max_value=VERSION)
    exported_at = Moment(required=False)
    conversation = ConversationInFile()
    messages = Each(child=MessageInFile(), max_length=FILE_MESSAGES_LIMIT)


class NewImport(ConversationFile):
    """The file, whole, and a name for the request."""

    client_id = Text(
        required=False,
        max_length=CLIENT_ID_LIMIT,
        allow_blank=False,
        help_text="A name of yours for this request: sent again, it gives the same conversation and makes no second one.",
    )


# Answers ---------------------------------------------------------------------------------------------------------------


class PersonAnswer(serializers.Serializer):
    id = serializers.UUIDField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(choices=Role.choices, allow_null=True)


class ConversationOwnerAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    role = serializers.ChoiceField(choices=Role.choices, allow_null=True)


class ConversationAccessAnswer(serializers.Serializer):
    private = serializers.BooleanField()
    roles = serializers.ListField(child=serializers.ChoiceField(choices=Role.choices))
    users = serializers.ListField(child=serializers.UUIDField())


class ConversationContextAnswer(serializers.Serializer):
    opened_from = serializers.CharField(allow_null=True, help_text="The page that it was started from.")
    intent = serializers.CharField(allow_null=True)


class ThreadAnswer(serializers.Serializer):
    bridge = serializers.UUIDField()
    id = serializers.CharField(help_text="The program's own name for it.")
    sub_id = serializers.CharField()


class ConversationAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Kind.choices)
    type = serializers.ChoiceField(choices=ConsultationType.choices, allow_null=True)
    title = serializers.CharField()
    status = serializers.ChoiceField(choices=ConversationStatus.choices)
    pinned = serializers.BooleanField()
    subject_employee_ids = serializers.ListField(child=serializers.UUIDField())
    subject_type = serializers.ChoiceField(choices=SubjectType.choices, allow_null=True)
    owner = ConversationOwnerAnswer()
    access = ConversationAccessAnswer()
    context = ConversationContextAnswer()  # type: ignore[assignment]
    thread = ThreadAnswer(allow_null=True, help_text="Of kind `api`: the thread of a bridge that it is.")
    message_count = serializers.IntegerField()
    tokens_used = serializers.IntegerField()
    satisfaction_rating = serializers.FloatField(allow_null=True, help_text="The average of its answers' ratings, 1 to 5.")
    last_message_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True, help_text="It is removed for good some days after this moment.")


class ListedConversationAnswer(ConversationAnswer):
    unread = serializers.IntegerField(help_text="How many of its messages you have not read.")


class UsageAnswer(serializers.Serializer):
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField()
    cost = serializers.CharField(allow_null=True, help_text="US dollars, as a decimal string; null where the price is unknown.")


class FeedbackAnswer(serializers.Serializer):
    helpful = serializers.BooleanField(allow_null=True)
    rating = serializers.IntegerField(allow_null=True)
    comment = serializers.CharField(allow_null=True)
    submitted_at = serializers.DateTimeField()


class MessageErrorAnswer(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField(allow_null=True, help_text="A sentence for people.")


class AttachmentAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    type = serializers.CharField(help_text="A media type.")
    size = serializers.IntegerField(help_text="Bytes.")
    url = serializers.CharField(help_text="Where it can be downloaded.")
    thumbnail_url = serializers.CharField(allow_null=True, help_text="A small WebP of it; null for what is no image.")
    width = serializers.IntegerField(allow_null=True, help_text="Pixels; null for what is no image.")
    height = serializers.IntegerField(allow_null=True)


class StructureAnswer(serializers.Serializer):
    analysis_type = serializers.ChoiceField(choices=ConsultationType.choices)
    scores = serializers.DictField(child=serializers.FloatField(), help_text="By name, 0 to 100.")
    recommendations = serializers.ListField(child=serializers.CharField())
    insights = serializers.ListField(child=serializers.CharField())
    data_points = serializers.DictField(help_text="By name: text or a number.")


class ReferencedEmployeeAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField(allow_null=True)
    relevance = serializers.CharField(allow_null=True, help_text="Why they are named.")


class CalledToolAnswer(serializers.Serializer):
    name = serializers.CharField()
    arguments = serializers.CharField(help_text="JSON as the model wrote it.")
    content = serializers.CharField(allow_null=True, help_text="What the model was told; null where the program called it itself.")
    status = serializers.IntegerField(allow_null=True, help_text="HTTP's.")
    error = serializers.CharField()
    latency_ms = serializers.IntegerField(allow_null=True)


class RepliedToAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    seq = serializers.IntegerField()
    strand = serializers.IntegerField()
    role = serializers.ChoiceField(choices=MessageRole.choices)
    author = serializers.CharField(allow_null=True, help_text="A person's name; null for an answer.")
    text = serializers.CharField(help_text="How it began when it was replied to.")


class MessageAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    seq = serializers.IntegerField(help_text="Contiguous in its conversation, from 1, over all strands.")
    strand = serializers.IntegerField(help_text="The `seq` of the edited question that begins its strand; 0 in the first.")
    edits = serializers.IntegerField(
        allow_null=True, help_text="Of a question that begins a strand: the `seq` of the one that it was made from."
    )
    role = serializers.ChoiceField(choices=MessageRole.choices)
    author = PersonAnswer(allow_null=True, help_text="Null for an answer.")
    text = serializers.CharField()
    parts = PartsAnswer(help_text="With a `text` among them they are all of the message, else they stand below its text.")
    tools = CalledToolAnswer(many=True, help_text="What an answer in a thread of programs had called.")
    html = serializers.CharField(help_text="The text as safe HTML; empty while it is being written.")
    status = serializers.ChoiceField(choices=MessageStatus.choices)
    model = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    usage = UsageAnswer(allow_null=True)
    finish_reason = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True)
    reused_from = serializers.DateTimeField(allow_null=True, help_text="When the earlier answer was written that this one repeats.")
    sources = serializers.ListField(child=serializers.CharField())
    structured_data = StructureAnswer(allow_null=True, help_text="The analysis beside an answer; it follows the text a moment later.")
    referenced_employees = ReferencedEmployeeAnswer(many=True, help_text="Whom of those discussed the answer names.")
    follow_ups = serializers.ListField(child=serializers.CharField(), help_text="Questions that may come next.")
    attachments = AttachmentAnswer(many=True)
    feedback = FeedbackAnswer(allow_null=True)
    error = MessageErrorAnswer(allow_null=True)
    attempt = serializers.IntegerField()
    versions = serializers.IntegerField(help_text="How many texts it has had, this one included.")
    answer_to = serializers.UUIDField(allow_null=True, help_text="The question that this answers.")
    reply_to = RepliedToAnswer(allow_null=True, help_text="The message that this one replies to.")
    client_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)


class SubmittedAnswer(serializers.Serializer):
    message = MessageAnswer(help_text="What was said, durable now.")
    answer = MessageAnswer(
        allow_null=True, help_text="The answer on its way: follow it by events, or read it again. Null where people talk among themselves."
    )


class WaitingAnswer(serializers.Serializer):
    id = serializers.UUIDField(help_text="Of the message that it becomes.")
    author = PersonAnswer()
    text = serializers.CharField()
    reply_to = RepliedToAnswer(allow_null=True)
    attachments = AttachmentAnswer(many=True)
    strand = serializers.IntegerField(help_text="At whose end it is asked.")
    status = serializers.ChoiceField(choices=WaitingStatus.choices)
    client_id = serializers.CharField()
    created_at = serializers.DateTimeField(help_text="When it was sent.")


class QueueAnswer(serializers.Serializer):
    version = serializers.IntegerField(help_text="Grows with each change.")
    questions = WaitingAnswer(many=True, help_text="Oldest first.")


class QueuedAnswer(serializers.Serializer):
    queue = QueueAnswer(help_text="What waits now.")
    message = MessageAnswer(allow_null=True, help_text="The question that was asked now; null where it waits.")
    answer = MessageAnswer(allow_null=True, help_text="The answer to it, on its way.")


class StrandAnswer(serializers.Serializer):
    strand = serializers.IntegerField(help_text="The `seq` of the question that begins it.")
    parent = serializers.IntegerField(help_text="The strand that it left.")  # type: ignore[assignment]
    edits = serializers.IntegerField(help_text="The `seq` of the question in whose place it begins.")


class StrandsAnswer(serializers.Serializer):
    shown = serializers.IntegerField(help_text="The strand that you looked at last; 0 is the first.")
    results = StrandAnswer(many=True, help_text="Besides the first, oldest first.")


class VersionsAnswer(serializers.Serializer):
    results = MessageAnswer(many=True, help_text="The answer as it was, oldest first; the last one is the present.")


class FoundConversationAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    type = serializers.ChoiceField(choices=ConsultationType.choices, allow_null=True)


class FoundMessageAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    seq = serializers.IntegerField()
    strand = serializers.IntegerField()
    role = serializers.ChoiceField(choices=MessageRole.choices)
    created_at = serializers.DateTimeField()


class PieceAnswer(serializers.Serializer):
    text = serializers.CharField(help_text="Plain text.")
    hit = serializers.BooleanField(help_text="True for what was looked for.")


class SearchResultAnswer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=["message", "conversation"])
    conversation = FoundConversationAnswer()
    message = FoundMessageAnswer(allow_null=True, help_text="Null for a conversation that was found by its title.")
    snippet = PieceAnswer(many=True, help_text="The text around the first hit, in pieces.")
    at = serializers.DateTimeField(help_text="When the message was written, or something last said in the conversation.")


class NewShareAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    url = serializers.URLField(help_text="The link. It is given here and never again.")
    audience = serializers.ChoiceField(choices=Audience.choices)
    expires_at = serializers.DateTimeField()


class ShareAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    audience = serializers.ChoiceField(choices=Audience.choices)
    views = serializers.IntegerField(help_text="How often it was opened.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


# Being there -------------------------------------------------------------------------------------------------------------


class ReadAnswer(serializers.Serializer):
    conversation = serializers.UUIDField()
    unread = serializers.IntegerField()


class ReaderAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class PersonThereAnswer(serializers.Serializer):
    user = ReaderAnswer()
    status = serializers.ChoiceField(choices=PresenceStatus.choices, allow_null=True, help_text="Null for somebody who is not there.")
    viewing = serializers.BooleanField(help_text="Whether they have the conversation open.")
    typing = serializers.BooleanField()
    read = serializers.IntegerField(allow_null=True, help_text="The place of the last message they have read, as far as known.")


class PeopleThereAnswer(serializers.Serializer):
    results = PersonThereAnswer(many=True)


class DeviceAnswer(serializers.Serializer):
    type = serializers.ChoiceField(choices=DeviceType.choices)
    browser = serializers.CharField()
    platform = serializers.CharField()


class SessionAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=SessionStatus.choices)
    presence = serializers.ChoiceField(choices=PresenceStatus.choices)
    device = DeviceAnswer()
    ip_address = serializers.IPAddressField(allow_null=True)
    conversations = serializers.ListField(child=serializers.UUIDField(), help_text="Those that were open in it.")
    connected_at = serializers.DateTimeField()
    last_activity = serializers.DateTimeField()
    disconnected_at = serializers.DateTimeField(allow_null=True)
    seconds = serializers.IntegerField(allow_null=True, help_text="How long it was open; null while it is.")


class SubjectAnswer(serializers.Serializer):
    """An employee as a model is told of them."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    job_title = serializers.CharField()
    department = serializers.CharField()
    traits = serializers.ListField(child=serializers.CharField())
    patterns = serializers.ListField(child=serializers.CharField())
    strengths = serializers.ListField(child=serializers.CharField())
    development_areas = serializers.ListField(child=serializers.CharField())
    training_needs = serializers.ListField(child=serializers.CharField())
    compatibility = serializers.DictField(child=serializers.FloatField(), help_text="By name, 0 to 100.")
    performance = serializers.DictField()
    signs = serializers.DictField(child=serializers.CharField())
    insights = serializers.ListField(child=serializers.CharField(), help_text="What this conversation found of them.")


class MemoryAnswer(serializers.Serializer):
    through = serializers.IntegerField(help_text="The place (`seq`) up to which it reaches.")
    summary = serializers.CharField()
    key_points = serializers.ListField(child=serializers.CharField())
    decisions = serializers.ListField(child=serializers.CharField())
    follow_up_items = serializers.ListField(child=serializers.CharField())
    previous_queries = serializers.ListField(child=serializers.CharField())
    updated_at = serializers.DateTimeField()


class ContextAnswer(serializers.Serializer):
    employees = SubjectAnswer(many=True, help_text="Those of its subjects whom you may see, as they are now.")
    memory = MemoryAnswer(allow_null=True, help_text="Null where everything said still fits into the question to the model.")
