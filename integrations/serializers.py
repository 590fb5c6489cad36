"""What bridges and what they are made of take and give. Answers are only documented here: `integrations.selectors` makes them."""

from typing import Any

from rest_framework import serializers

from config.api import Flag, Id, Number, PageQuery, Query, Strict, Text, Word
from integrations.choices import BridgeType, ChangeType, ChatbotType, ConnectionStatus, HttpMethod, PlatformName, Service
from integrations.drafts import (
    BRIDGES_LIMIT,
    FALLBACKS_LIMIT,
    ORIGINS_LIMIT,
    PROMPT_LIMIT,
    QUESTION_LIMIT,
    QUESTIONS_LIMIT,
    TEXT_LIMIT,
    TOOLS_LIMIT,
    TRAITS_LIMIT,
)
from integrations.services.bridges import THREAD_LIMIT
from integrations.services.versions import NOTE_LIMIT
from integrations.variables import VARIABLES_LIMIT

LAST_NUMBER = 2**31 - 1
VALUES = {"type": "object", "additionalProperties": True}


class Object(serializers.DictField):
    """A JSON object; what may be in it, `integrations.drafts` says."""

    default_error_messages = {"not_a_dict": "Send a JSON object."}


class Entries(serializers.ListField):
    """A list of JSON objects."""

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(child=Object(), max_length=max_length, **kwargs)


class Texts(serializers.ListField):
    """A list of texts."""

    def __init__(self, *, max_length: int, each: int, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=each), max_length=max_length, **kwargs)


# Input -----------------------------------------------------------------------------------------------------------------


class NamedQuery(PageQuery):
    q = Text(required=False, allow_blank=True, max_length=200, help_text="Words of the name; all must match.")


class PromptsQuery(PageQuery):
    bridge = Text(required=False, max_length=63, help_text="The slug of a bridge.")


class DiffQuery(Query):
    against = Number(required=False, min_value=1, max_value=LAST_NUMBER, help_text="Another version's number. Without it, the draft.")


class ModelConfigurationChange(Strict):
    name = Text(required=False, max_length=200)
    service = Word(required=False, choices=Service.choices)
    model = Text(required=False, max_length=200)
    base_url = Text(required=False, allow_blank=True, max_length=500, help_text="Another server drops the key.")
    configuration = Object(required=False, help_text="temperature, max_tokens, top_p …")
    key = Text(
        required=False, allow_blank=True, max_length=4_000, write_only=True, help_text="Never shown again. An empty one takes it away."
    )
    takes_pictures = Flag(required=False)
    is_active = Flag(required=False)


class NewModelConfiguration(ModelConfigurationChange):
    name = Text(max_length=200)
    model = Text(max_length=200)


class TemplateChange(Strict):
    name = Text(required=False, max_length=200)
    text = Text(required=False, max_length=PROMPT_LIMIT)
    variables = Entries(required=False, max_length=VARIABLES_LIMIT, help_text="Each {name, type, required, default, description}.")


class NewTemplate(TemplateChange):
    name = Text(max_length=200)
    text = Text(max_length=PROMPT_LIMIT)


class ApiCallChange(Strict):
    name = Text(required=False, max_length=64)
    description = Text(required=False, max_length=TEXT_LIMIT)
    parameters = Object(required=False, help_text="A JSON schema of an object.")
    method = Word(required=False, choices=HttpMethod.choices)
    url = Text(required=False, max_length=2_000, help_text="Names in braces are arguments. Another server drops the secret headers.")
    headers = Object(required=False, help_text="{name: value}")
    secret_headers = Object(required=False, write_only=True, help_text="{name: value}; never shown again. {} takes them away.")
    is_active = Flag(required=False)


class NewApiCall(ApiCallChange):
    name = Text(max_length=64)
    description = Text(max_length=TEXT_LIMIT)
    parameters = Object()
    url = Text(max_length=2_000)


class BridgeFields(Strict):
    name = Text(required=False, max_length=200)
    slug = Text(required=False, max_length=63)
    bridge_type = Word(required=False, choices=BridgeType.choices)
    model_configuration = Id(required=False, allow_null=True)
    fallbacks = serializers.ListField(child=Id(), required=False, max_length=FALLBACKS_LIMIT)
    configuration = Object(required=False)
    system_prompt = Text(required=False, allow_blank=True, max_length=PROMPT_LIMIT)
    template = Id(required=False, allow_null=True)
    variables = Entries(required=False, max_length=VARIABLES_LIMIT)
    response_schema = Object(required=False, allow_null=True)
    is_api_call = Flag(required=False)
    api_endpoints = Texts(required=False, max_length=TOOLS_LIMIT, each=64)
    api_call = Object(required=False)
    response_ids = Texts(required=False, max_length=50, each=100)
    default_questions = Texts(required=False, max_length=QUESTIONS_LIMIT, each=QUESTION_LIMIT)
    actions = Object(required=False)
    cache_seconds = Number(required=False, min_value=0, max_value=86_400)
    is_active = Flag(required=False)


class NewBridge(BridgeFields):
    name = Text(max_length=200)
    slug = Text(max_length=63)


class ChatbotChange(Strict):
    title = Text(required=False, max_length=200)
    type = Word(required=False, choices=ChatbotType.choices)
    config = Object(required=False, help_text="buttonName, height, heightUnit, width, widthUnit, type, themeColor.")
    bridge = serializers.ListField(child=Id(), required=False, max_length=BRIDGES_LIMIT, help_text="The first one answers.")
    allowed_origins = Texts(required=False, max_length=ORIGINS_LIMIT, each=253)
    is_active = Flag(required=False)


class NewChatbot(ChatbotChange):
    title = Text(max_length=200)


class TrialChange(Strict):
    name = Text(required=False, max_length=200)
    text = Text(required=False, allow_blank=True, max_length=PROMPT_LIMIT)
    values = Object(required=False, help_text="{variable: value}")
    traits = Entries(required=False, max_length=TRAITS_LIMIT, help_text="Each {type, value}.")


class NewTrial(TrialChange):
    name = Text(max_length=200)


class PublishBody(Strict):
    note = Text(required=False, allow_blank=True, max_length=NOTE_LIMIT, help_text="What changed, in a sentence.")


class LabelBody(Strict):
    label = Text(  # type: ignore[assignment]  # a field's own label is none of ours
        allow_blank=True, max_length=63, help_text="An empty one takes it away."
    )


class TryBody(Strict):
    text = Text(required=False, allow_blank=True, max_length=PROMPT_LIMIT)
    variables = Object(required=False, help_text="{variable: value}")
    version = Number(required=False, min_value=1, max_value=LAST_NUMBER, help_text="Without it, the draft.")
    model_configuration = Id(required=False, help_text="Another model than the version's.")


class ThreadName(Text):
    """A program's own name for something."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=False, max_length=THREAD_LIMIT, **kwargs)


class SaidBody(Strict):
    role = serializers.ChoiceField(choices=("user", "assistant"))
    text = Text(max_length=PROMPT_LIMIT)


class CompletionBody(Strict):
    text = Text(required=False, allow_blank=True, max_length=PROMPT_LIMIT, help_text="The question.")
    messages = serializers.ListField(
        child=SaidBody(),
        required=False,
        max_length=200,
        help_text="What was said before, and the question last. In a thread, only what is new: it knows what was said in it before.",
    )
    thread_id = ThreadName(help_text="A name of yours for a conversation that is kept, and gone on with under the same name.")
    sub_thread_id = ThreadName(help_text="Of a thread within that thread.")
    client_id = ThreadName(help_text="A name of yours for this question: sent again in its thread, it gives the same answer.")
    reset = Flag(required=False, help_text="True: nothing that was said in the thread before counts from here on.")
    variables = Object(required=False, help_text="{variable: value}")
    label = Text(  # type: ignore[assignment]
        required=False, max_length=63, help_text="Of the version that answers; without it, the published one."
    )
    stream = serializers.BooleanField(
        default=False,
        help_text="Server-sent events instead: {text} for each piece, then {answer}, which is what is answered otherwise, or {error}.",
    )


class RunBody(Strict):
    version = Number(required=False, min_value=1, max_value=LAST_NUMBER, help_text="Without it, the draft.")


# Answers ---------------------------------------------------------------------------------------------------------------


class ModelConfigurationAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    service = serializers.ChoiceField(choices=Service.choices)
    model = serializers.CharField()
    base_url = serializers.CharField()
    configuration = serializers.DictField()
    has_key = serializers.BooleanField()
    key_set_at = serializers.DateTimeField(allow_null=True)
    takes_pictures = serializers.BooleanField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TemplateAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    text = serializers.CharField()
    variables = serializers.ListField(child=serializers.DictField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ApiCallAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    parameters = serializers.DictField()
    method = serializers.ChoiceField(choices=HttpMethod.choices)
    url = serializers.CharField()
    headers = serializers.DictField()
    has_secret_headers = serializers.BooleanField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class BridgeAnswer(serializers.Serializer):
    """The draft. `published` is the number of the version that answers."""

    id = serializers.UUIDField()
    bridge_type = serializers.ChoiceField(choices=BridgeType.choices)
    name = serializers.CharField()
    slug = serializers.CharField()
    model_configuration = serializers.UUIDField(allow_null=True)
    fallbacks = serializers.ListField(child=serializers.UUIDField())
    configuration = serializers.DictField()
    system_prompt = serializers.CharField()
    template = serializers.UUIDField(allow_null=True)
    variables = serializers.ListField(child=serializers.DictField())
    response_schema = serializers.DictField(allow_null=True)
    is_api_call = serializers.BooleanField()
    api_endpoints = serializers.ListField(child=serializers.CharField())
    api_call = serializers.DictField()
    response_ids = serializers.ListField(child=serializers.CharField())
    default_questions = serializers.ListField(child=serializers.CharField())
    actions = serializers.DictField()
    cache_seconds = serializers.IntegerField()
    is_active = serializers.BooleanField()
    published = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class EditorAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class VersionAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]
    note = serializers.CharField()
    is_published = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    created_by = EditorAnswer(allow_null=True)


class WholeVersionAnswer(VersionAnswer):
    prompt = serializers.IntegerField(help_text="Of `prompts`.")
    content = serializers.DictField()


class PublishedAnswer(WholeVersionAnswer):
    is_new = serializers.BooleanField(help_text="False where it was live already, and nothing was done.")


class LineAnswer(serializers.Serializer):
    sign = serializers.ChoiceField(choices=["+", "-", " ", "…"])
    text = serializers.CharField()


class DifferenceAnswer(serializers.Serializer):
    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    lines = LineAnswer(many=True, help_text="Of a prompt.")


class DiffAnswer(serializers.Serializer):
    differences = DifferenceAnswer(many=True)


class BridgeChangeAnswer(serializers.Serializer):
    id = serializers.IntegerField()
    type = serializers.ChoiceField(choices=ChangeType.choices)
    time = serializers.DateTimeField()
    version_id = serializers.CharField()
    changes = serializers.DictField(help_text="{field: [before, after]}")
    user = EditorAnswer(allow_null=True)


class PromptAnswer(serializers.Serializer):
    id = serializers.IntegerField()
    bridge = serializers.CharField(help_text="Its slug.")
    system_prompt = serializers.CharField()
    created_at = serializers.DateTimeField()


class ChatbotAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    title = serializers.CharField()
    type = serializers.ChoiceField(choices=ChatbotType.choices)
    config = serializers.DictField()
    bridge = serializers.ListField(child=serializers.UUIDField())
    allowed_origins = serializers.ListField(child=serializers.CharField())
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TrialAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    bridge = serializers.UUIDField()
    name = serializers.CharField()
    text = serializers.CharField()
    values = serializers.DictField()
    traits = serializers.ListField(child=serializers.DictField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ToolRunAnswer(serializers.Serializer):
    name = serializers.CharField()
    arguments = serializers.CharField(help_text="JSON, as the model wrote it.")
    content = serializers.CharField(help_text="What the model was told.")
    status = serializers.IntegerField(allow_null=True, help_text="HTTP's; null where nothing came.")
    error = serializers.CharField()
    latency_ms = serializers.IntegerField()
    parts = serializers.ListField(child=serializers.DictField(), help_text="Tables, charts and buttons for the person, {type, value}.")


class OutcomeAnswer(serializers.Serializer):
    text = serializers.CharField()
    error = serializers.CharField(help_text="Why there is no answer; empty where there is one.")
    model = serializers.CharField()
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cost = serializers.CharField(allow_null=True, help_text="US dollars; null where the price is unknown.")
    latency_ms = serializers.IntegerField(allow_null=True)
    first_token_ms = serializers.IntegerField(allow_null=True)
    tools = ToolRunAnswer(many=True, help_text="The tools that were called for it, in their order.")


class TokensAnswer(serializers.Serializer):
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost = serializers.CharField(allow_null=True, help_text="US dollars; null where the price is unknown.")


class CompletionAnswer(serializers.Serializer):
    text = serializers.CharField()
    conversation = serializers.UUIDField(allow_null=True, help_text="Where the thread is kept; null without one.")
    message = serializers.UUIDField(allow_null=True, help_text="The answer as it is kept there.")
    model = serializers.CharField()
    version = serializers.IntegerField(help_text="Of the bridge.")
    finish_reason = serializers.CharField()
    usage = TokensAnswer(help_text="Of all calls that it took.")
    tools = ToolRunAnswer(many=True, help_text="The tools that were called for it.")
    from_cache = serializers.BooleanField()


class TraitAnswer(serializers.Serializer):
    type = serializers.CharField()
    value = serializers.JSONField()
    holds = serializers.BooleanField(allow_null=True, help_text="Null where that cannot be known.")
    detail = serializers.CharField()


class TriedAnswer(serializers.Serializer):
    trial = serializers.UUIDField()
    name = serializers.CharField()
    passed = serializers.BooleanField()
    outcome = OutcomeAnswer()
    traits = TraitAnswer(many=True)


class RunAnswer(serializers.Serializer):
    passed = serializers.BooleanField(help_text="Every trial passed.")
    results = TriedAnswer(many=True)


class AccountAnswer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()


class ConnectionAnswer(serializers.Serializer):
    """A connection of one's own. `account` is null until one of `accounts` is chosen."""

    id = serializers.UUIDField()
    platform = serializers.ChoiceField(choices=PlatformName.choices)
    account = AccountAnswer(allow_null=True)
    accounts = AccountAnswer(many=True, help_text="To choose from.")
    is_connected = serializers.BooleanField(help_text="False: disconnected, and the platform is still to be told.")
    is_demo = serializers.BooleanField(help_text="Sample data.")
    status = serializers.ChoiceField(choices=ConnectionStatus.choices)
    error_message = serializers.CharField(allow_blank=True, help_text="Why it is not active.")
    scope = serializers.ListField(child=serializers.CharField())
    platform_data = serializers.DictField(child=serializers.CharField(), help_text="propertyId, adAccountId, …")
    token_expiry = serializers.DateTimeField(allow_null=True)
    connected_at = serializers.DateTimeField()
    last_synced_at = serializers.DateTimeField(allow_null=True)


class ConnectionsAnswer(serializers.Serializer):
    results = ConnectionAnswer(many=True)


class AuthorizationAnswer(serializers.Serializer):
    authorization_url = serializers.URLField(help_text="Open it in the browser that asked, within ten minutes.")


class ChooseAccount(Strict):
    account_id = Text(max_length=200, help_text="Of one of `accounts`.")
