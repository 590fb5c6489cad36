"""How an organization asks its models: whom, with which words, and what they may call (S2-3…13).

A `Bridge` holds the draft that people edit. Publishing freezes it into a `BridgeVersion`, which never changes; what programs and chatbots
are answered with is the version that `Bridge.published` names.
"""

from typing import Any

import uuid_utils.compat as uuid
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from integrations.choices import BridgeType, ChatbotType, HttpMethod, Service
from integrations.crypto import SecretField
from tenants.models import Timestamped, announced, same_organization, tracked
from tenants.scoping import TenantModel

CACHE_SECONDS = 3_600  # S2-40
MOST_CACHE_SECONDS = 86_400
TOOL_NAME = RegexValidator(r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}\Z", "Use letters, digits, _ and -, 64 at most, and begin with a letter.")


def _document(help_text: str) -> models.JSONField:
    return models.JSONField(default=dict, blank=True, help_text=help_text)


def _entries(help_text: str, **kwargs: Any) -> models.JSONField:
    return models.JSONField(default=list, blank=True, help_text=help_text, **kwargs)


@tracked(exclude=("apikey",))
class ModelConfiguration(TenantModel, Timestamped):
    """A model that the organization has access to, and the key for it, which goes to this server only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    name = models.CharField(max_length=200, help_text="What people choose it by: GPT-4o mini of our own account.")
    service = models.CharField(max_length=100, choices=Service, default=Service.OPENAI)
    model = models.CharField(max_length=200, help_text="The model's name at its provider: gpt-4o-mini.")
    base_url = models.URLField(
        max_length=500, blank=True, help_text="The server, https://api.openai.com/v1. Empty: that of the platform, with the platform's key."
    )
    configuration = _document("What is asked for with every call: temperature, max_tokens, top_p.")
    apikey = SecretField(help_text="Sealed for this server: another one needs its own.")
    key_set_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Since when there is a key.")
    takes_pictures = models.BooleanField(default=False, help_text="Whether images may be sent to it.")
    is_active = models.BooleanField(default=True, help_text="An inactive one is asked nothing.")

    class Meta(TenantModel.Meta):
        db_table = "modelconfigurations"
        ordering = ["name"]
        constraints = [
            *TenantModel.Meta.constraints,
            # Finds it by name, in forms and imports.
            models.UniqueConstraint(fields=["organization", "name"], name="uq_modelconfigurations_name"),
            models.CheckConstraint(condition=Q(service__in=Service.values), name="ck_modelconfigurations_service"),
        ]
        indexes = [
            models.Index(fields=["organization", "service"], name="idx_modelconfig_org_service"),  # S2-4: an organization's, by provider
            models.Index(fields=["service", "model"], name="idx_modelconfig_service_model"),  # S2-5: who uses a model
        ]
        triggers = [announced("configurations_changed")]

    def __str__(self) -> str:
        return self.name


@tracked()
class Template(TenantModel, Timestamped):
    """A reusable prompt with named, typed variables (D15): `{{ name }}` in its text."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    name = models.CharField(max_length=200)
    text = models.TextField(help_text="The prompt. {{ name }} is replaced by the variable of that name.")
    variables = _entries("Each {name, type, required, default, description}; type is text, number, integer, boolean, date or list.")

    class Meta(TenantModel.Meta):
        db_table = "templates"
        ordering = ["name"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "name"], name="uq_templates_name"),  # finds it by name
        ]
        triggers = [announced("configurations_changed")]

    def __str__(self) -> str:
        return self.name


@tracked(exclude=("secret_headers",))
class ApiCall(TenantModel, Timestamped):
    """An HTTP tool that a bridge's model may call (D15, S2-12). What it may be given, its schema says."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    name = models.CharField(max_length=64, validators=[TOOL_NAME], help_text="What the model calls it by: find_order.")
    description = models.TextField(help_text="When to use it and what it gives; the model reads this.")
    parameters = _document("A JSON schema of its arguments; an object.")
    method = models.CharField(max_length=10, choices=HttpMethod, default=HttpMethod.GET)
    url = models.CharField(max_length=2000, help_text="https://api.example.com/orders/{order_id}. Names in braces are arguments.")
    headers = _document("Sent with each call, readable by all who see this tool.")
    secret_headers = SecretField(help_text="Sealed JSON of headers that nobody sees again.")
    is_active = models.BooleanField(default=True)

    class Meta(TenantModel.Meta):
        db_table = "apicalls"
        ordering = ["name"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "name"], name="uq_apicalls_name"),  # finds the tool that a model calls
            models.CheckConstraint(condition=Q(method__in=HttpMethod.values), name="ck_apicalls_method"),
        ]
        triggers = [announced("configurations_changed")]

    def __str__(self) -> str:
        return self.name


@tracked()
class Bridge(TenantModel, Timestamped):
    """A named way to ask a model: programs call it by its slug, chatbots are made of it (S2-6…9). This row is its draft."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    bridge_type = models.CharField(max_length=20, choices=BridgeType, default=BridgeType.API, db_column="bridgeType")
    name = models.CharField(max_length=200)
    slug = models.SlugField(
        max_length=63,
        db_index=False,
        db_column="slugName",
        help_text="What programs call it by, unique in the organization. Lower-case letters, digits and hyphens.",
    )
    model_configuration = models.ForeignKey(
        ModelConfiguration,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_column="apikey",
        help_text="Whom to ask, and with which key. Empty: the platform's model.",
    )
    fallbacks = ArrayField(
        models.UUIDField(), default=list, blank=True, help_text="Model configurations to ask in turn where that one fails."
    )
    configuration = _document("temperature, max_tokens, top_p: they go before the model's own.")
    system_prompt = models.TextField(blank=True, help_text="What the model is told first. {{ name }} is replaced by a variable.")
    template = models.ForeignKey(
        Template, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="What a question's variables are put into."
    )
    variables = _entries("Those of the system prompt, each {name, type, required, default, description}.")
    response_schema = models.JSONField(null=True, blank=True, help_text="A JSON schema that answers follow. Empty: free text.")
    is_api_call = models.BooleanField(default=False, help_text="Whether the model may call tools.")
    api_endpoints = _entries("The names of the tools that it may call.")
    api_call = _document("Limits of tools: {max_rounds} (8 at most).")
    response_ids = _entries("Answers to refer to.", db_column="responseIds")
    default_questions = _entries("What a person is offered to ask first.", db_column="defaultQuestions")
    actions = _document("Actions that buttons in answers may name: {name: {label, …}}.")
    cache_seconds = models.PositiveIntegerField(
        default=CACHE_SECONDS,
        validators=[MaxValueValidator(MOST_CACHE_SECONDS)],
        help_text="How long the same question of the same asker is answered from memory. 0: never.",
    )
    published = models.ForeignKey(
        "integrations.BridgeVersion", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    is_active = models.BooleanField(default=True, help_text="An inactive one answers nobody.")

    class Meta(TenantModel.Meta):
        db_table = "configurations"
        ordering = ["name"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "slug"], name="uq_configurations_org_slug"),  # S2-9: finds what a program calls
            models.CheckConstraint(condition=Q(slug__regex=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"), name="ck_configurations_slug"),
            models.CheckConstraint(condition=Q(bridge_type__in=BridgeType.values), name="ck_configurations_type"),
            models.CheckConstraint(condition=Q(cache_seconds__lte=MOST_CACHE_SECONDS), name="ck_configurations_cache"),
        ]
        triggers = [announced("configurations_changed")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        same_organization(self, "model_configuration", "template")


class PromptVersion(TenantModel, Timestamped):
    """A system prompt as it stood in a version of a bridge (S2-28). Never changed."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey("tenants.Organization", on_delete=models.CASCADE, related_name="+", db_index=False)
    bridge = models.ForeignKey(Bridge, on_delete=models.CASCADE, related_name="+", db_index=False)
    system_prompt = models.TextField()

    class Meta(TenantModel.Meta):
        db_table = "system_prompt_versionings"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["bridge"], name="idx_system_prompts_bridge_id"),  # S2-29: a bridge's prompts
            models.Index(fields=["organization"], name="idx_system_prompts_org_id"),  # S2-30: row-level security
        ]

    def __str__(self) -> str:
        return f"{self.bridge} {self.pk}"


class BridgeVersion(TenantModel):
    """A bridge as it was published, or kept beside. Never changed but for its label.

    `content` is everything an answer depends on, without keys: the fields of the draft by name, `models` (id, service, model, base_url,
    configuration and takes_pictures of each, the preferred one first), `tools` (each tool's definition without its secrets), `offered` (the
    names of Parley's own tools) and `template`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    bridge = models.ForeignKey(Bridge, on_delete=models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField(help_text="1, 2, 3 … in the bridge.")
    label = models.CharField(max_length=63, blank=True, help_text="production, staging: callable as slug:label.")
    note = models.CharField(max_length=500, blank=True, help_text="What changed, in a sentence.")
    content = models.JSONField()
    prompt = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey("tenants.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        db_table = "bridge_versions"
        ordering = ["-number"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["bridge", "number"], name="uq_bridge_versions_number"),  # a bridge's versions, newest first
            # Finds the version that a program names.
            models.UniqueConstraint(fields=["bridge", "label"], condition=~Q(label=""), name="uq_bridge_versions_label"),
        ]
        triggers = [announced("configurations_changed")]

    def __str__(self) -> str:
        return f"{self.bridge} v{self.number}"


@tracked()
class Trial(TenantModel, Timestamped):
    """A question that a bridge is tried on before a version goes live, and the traits that its answer should have."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    bridge = models.ForeignKey(Bridge, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=200)
    text = models.TextField(blank=True, help_text="The question.")
    values = models.JSONField(default=dict, blank=True, help_text="{variable: value}")
    traits = _entries("Each {type, value}: contains, lacks, matches, follows_schema, max_length, max_cost.")

    class Meta(TenantModel.Meta):
        db_table = "bridge_trials"
        ordering = ["name"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["bridge", "name"], name="uq_bridge_trials_name"),  # a bridge's trials, by name
        ]

    def __str__(self) -> str:
        return self.name


class BridgeChange(TenantModel):
    """Who changed what of a bridge (S2-31). Only ever added."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey("tenants.User", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    bridge_id = models.UUIDField(help_text="The bridge; it may be gone.")
    type = models.CharField(max_length=20, help_text="created, updated, published, rolled_back, labelled, deleted.")
    time = models.DateTimeField(auto_now_add=True)
    version_id = models.CharField(max_length=36, default="", blank=True, help_text="The version it was about, if one was.")
    changes = models.JSONField(default=dict, help_text="{field: [before, after]}")

    class Meta(TenantModel.Meta):
        db_table = "user_bridge_config_history"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user"], name="idx_config_history_user_id"),  # S2-32: what a person changed
            models.Index(fields=["bridge_id", "-id"], name="idx_config_history_bridge_id"),  # S2-33: a bridge's changes, newest first
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.bridge_id}"


@tracked()
class Chatbot(TenantModel, Timestamped):
    """What a customer's website shows in a widget: its looks, its bridges, and where it may stand (S2-10, 11)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid7, editable=False)
    title = models.CharField(max_length=200)
    type = models.CharField(max_length=20, choices=ChatbotType, default=ChatbotType.CHATBOT)
    config = _document("buttonName, height, heightUnit, width, widthUnit, type (popup or embedded), themeColor.")
    bridge = ArrayField(models.UUIDField(), default=list, blank=True, help_text="Its bridges, the first one answers.")
    allowed_origins = ArrayField(
        models.CharField(max_length=253), default=list, blank=True, help_text="Where it may stand: https://www.example.com."
    )
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, related_name="+", editable=False, db_column="createdBy"
    )
    updated_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, related_name="+", editable=False, db_column="updatedBy"
    )

    class Meta(TenantModel.Meta):
        db_table = "chatbots"
        ordering = ["title"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "title"], name="uq_chatbots_title"),  # finds it by its title
        ]
        triggers = [announced("configurations_changed")]

    def __str__(self) -> str:
        return self.title
