"""What conversations and messages take and give. The answers' serializers only document: `chat.records` makes the dicts."""

from django.conf import settings
from rest_framework import serializers

from chat.choices import ConsultationType, ConversationStatus, Kind, MessageRole, MessageStatus, SubjectType
from chat.search import QUERY_LIMIT
from chat.services.feedback import COMMENT_LIMIT
from config.api import PAGE_DEFAULT, PAGE_LIMIT, Flag, Id, Number, PageQuery, Query, Strict, Text, Word
from tenants.choices import Role

TITLE_LIMIT = 200
SUBJECTS_LIMIT = 50
CLIENT_ID_LIMIT = 100
SEARCH_LIMIT = 200
READERS_LIMIT = 100


# Input -----------------------------------------------------------------------------------------------------------------


class ConversationsQuery(PageQuery):
    status = Word(required=False, choices=[ConversationStatus.ACTIVE, ConversationStatus.ARCHIVED], default="active")
    kind = Word(required=False, choices=Kind.choices)
    type = Word(required=False, choices=ConsultationType.choices)
    pinned = Flag(required=False)
    subject = Id(required=False, help_text="Conversations about this employee.")
    q = Text(required=False, allow_blank=True, max_length=SEARCH_LIMIT, help_text="Part of the title.")


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


class Readers(Strict):
    roles = serializers.ListField(child=Word(choices=Role.choices), required=False, default=list, max_length=len(Role))
    users = serializers.ListField(child=Id(), required=False, default=list, max_length=READERS_LIMIT, help_text="Ids of members.")


class ConversationChange(Strict):
    title = Text(required=False, max_length=TITLE_LIMIT, allow_blank=False)
    pinned = Flag(required=False)
    access = Readers(required=False, help_text="Who besides its starter may read it and ask in it; `{}`: nobody.")


class Pin(Strict):
    pinned = Flag(required=False, default=True, help_text="False takes the pin away.")


class MessagesQuery(Query):
    before = Number(required=False, min_value=1, help_text="Messages with a smaller `seq` than this.")
    after = Number(required=False, min_value=0, help_text="Messages with a greater `seq` than this.")
    limit = Number(required=False, min_value=1, max_value=PAGE_LIMIT, default=PAGE_DEFAULT, help_text="Messages on a page.")

    def validate(self, attrs: dict) -> dict:
        if "before" in attrs and "after" in attrs:
            raise serializers.ValidationError({"after": "Give `before` or `after`, not both."})
        return attrs


class NewMessage(Strict):
    text = Text(max_length=settings.TEXT_LIMIT, allow_blank=False)
    client_id = Text(
        required=False,
        max_length=CLIENT_ID_LIMIT,
        allow_blank=False,
        help_text="A name of yours for this message: sent again with the same text, it gives the same answer and asks nothing twice.",
    )


class NewFeedback(Strict):
    """At least one of the three; what is left out stays as it is."""

    helpful = Flag(required=False, allow_null=True, help_text="Thumbs up or down; null takes it away.")
    rating = Number(required=False, allow_null=True, min_value=1, max_value=5, help_text="Stars; null takes them away.")
    comment = Text(
        required=False, allow_null=True, allow_blank=True, max_length=COMMENT_LIMIT, help_text="Null takes it away, as blanks do."
    )


class EventsQuery(Query):
    after = Number(required=False, min_value=0, help_text="The last event number you have; `Last-Event-ID` says the same and wins.")


class SearchQuery(PageQuery):
    q = Text(max_length=QUERY_LIMIT, help_text="Words and operators.")


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
    message_count = serializers.IntegerField()
    tokens_used = serializers.IntegerField()
    satisfaction_rating = serializers.FloatField(allow_null=True, help_text="The average of its answers' ratings, 1 to 5.")
    last_message_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)


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


class MessageAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    seq = serializers.IntegerField(help_text="Contiguous in its conversation, from 1.")
    role = serializers.ChoiceField(choices=MessageRole.choices)
    author = PersonAnswer(allow_null=True, help_text="Null for an answer.")
    text = serializers.CharField()
    parts = serializers.ListField(child=serializers.DictField())
    html = serializers.CharField(help_text="The text as safe HTML; empty while it is being written.")
    status = serializers.ChoiceField(choices=MessageStatus.choices)
    model = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    usage = UsageAnswer(allow_null=True)
    finish_reason = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True)
    sources = serializers.ListField(child=serializers.CharField())
    attachments = serializers.ListField(child=serializers.DictField())
    feedback = FeedbackAnswer(allow_null=True)
    error = MessageErrorAnswer(allow_null=True)
    attempt = serializers.IntegerField()
    versions = serializers.IntegerField(help_text="How many texts it has had, this one included.")
    answer_to = serializers.UUIDField(allow_null=True, help_text="The question that this answers.")
    client_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)


class SubmittedAnswer(serializers.Serializer):
    message = MessageAnswer(help_text="What was said, durable now.")
    answer = MessageAnswer(
        allow_null=True, help_text="The answer on its way: follow it by events, or read it again. Null where people talk among themselves."
    )


class VersionsAnswer(serializers.Serializer):
    results = MessageAnswer(many=True, help_text="The answer as it was, oldest first; the last one is the present.")


class FoundConversationAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    type = serializers.ChoiceField(choices=ConsultationType.choices, allow_null=True)


class FoundMessageAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    seq = serializers.IntegerField()
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
