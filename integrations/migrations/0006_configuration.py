"""Bridges, their versions, models, tools, templates and chatbots (S2-3…13, 28…33)."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.manager
import django.utils.timezone
import django_rls_tenants.rls.constraints
import pgtrigger.compiler
import pgtrigger.migrations
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0005_figures_of_calls"),
        ("pghistory", "0007_auto_20250421_0444"),
        ("tenants", "0009_retention_periods"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiCall",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "name",
                    models.CharField(
                        help_text="What the model calls it by: find_order.",
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-zA-Z_][a-zA-Z0-9_-]{0,63}\\Z", "Use letters, digits, _ and -, 64 at most, and begin with a letter."
                            )
                        ],
                    ),
                ),
                ("description", models.TextField(help_text="When to use it and what it gives; the model reads this.")),
                ("parameters", models.JSONField(blank=True, default=dict, help_text="A JSON schema of its arguments; an object.")),
                (
                    "method",
                    models.CharField(
                        choices=[("GET", "Get"), ("POST", "Post"), ("PUT", "Put"), ("PATCH", "Patch"), ("DELETE", "Delete")],
                        default="GET",
                        max_length=10,
                    ),
                ),
                (
                    "url",
                    models.CharField(
                        help_text="https://api.example.com/orders/{order_id}. Names in braces are arguments.", max_length=2000
                    ),
                ),
                (
                    "headers",
                    models.JSONField(blank=True, default=dict, help_text="Sent with each call, readable by all who see this tool."),
                ),
                (
                    "secret_headers",
                    models.TextField(blank=True, editable=False, help_text="Sealed JSON of headers that nobody sees again."),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
                ),
            ],
            options={
                "db_table": "apicalls",
                "ordering": ["name"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ApiCallHistory",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, serialize=False)),
                (
                    "name",
                    models.CharField(
                        help_text="What the model calls it by: find_order.",
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-zA-Z_][a-zA-Z0-9_-]{0,63}\\Z", "Use letters, digits, _ and -, 64 at most, and begin with a letter."
                            )
                        ],
                    ),
                ),
                ("description", models.TextField(help_text="When to use it and what it gives; the model reads this.")),
                ("parameters", models.JSONField(blank=True, default=dict, help_text="A JSON schema of its arguments; an object.")),
                (
                    "method",
                    models.CharField(
                        choices=[("GET", "Get"), ("POST", "Post"), ("PUT", "Put"), ("PATCH", "Patch"), ("DELETE", "Delete")],
                        default="GET",
                        max_length=10,
                    ),
                ),
                (
                    "url",
                    models.CharField(
                        help_text="https://api.example.com/orders/{order_id}. Names in braces are arguments.", max_length=2000
                    ),
                ),
                (
                    "headers",
                    models.JSONField(blank=True, default=dict, help_text="Sent with each call, readable by all who see this tool."),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        related_query_name="history_query",
                        to="integrations.apicall",
                    ),
                ),
            ],
            options={
                "verbose_name": "api call history",
                "verbose_name_plural": "api call history",
                "db_table": "apicalls_history",
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Bridge",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "bridge_type",
                    models.CharField(
                        choices=[("api", "Programs"), ("chatbot", "Chatbots")], db_column="bridgeType", default="api", max_length=20
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "slug",
                    models.SlugField(
                        db_column="slugName",
                        db_index=False,
                        help_text="What programs call it by, unique in the organization. Lower-case letters, digits and hyphens.",
                        max_length=63,
                    ),
                ),
                (
                    "fallbacks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        blank=True,
                        default=list,
                        help_text="Model configurations to ask in turn where that one fails.",
                        size=None,
                    ),
                ),
                (
                    "configuration",
                    models.JSONField(blank=True, default=dict, help_text="temperature, max_tokens, top_p: they go before the model's own."),
                ),
                (
                    "system_prompt",
                    models.TextField(blank=True, help_text="What the model is told first. {{ name }} is replaced by a variable."),
                ),
                (
                    "variables",
                    models.JSONField(
                        blank=True, default=list, help_text="Those of the system prompt, each {name, type, required, default, description}."
                    ),
                ),
                (
                    "response_schema",
                    models.JSONField(blank=True, help_text="A JSON schema that answers follow. Empty: free text.", null=True),
                ),
                ("is_api_call", models.BooleanField(default=False, help_text="Whether the model may call tools.")),
                ("api_endpoints", models.JSONField(blank=True, default=list, help_text="The names of the tools that it may call.")),
                ("api_call", models.JSONField(blank=True, default=dict, help_text="Limits of tools: {max_rounds} (8 at most).")),
                ("response_ids", models.JSONField(blank=True, db_column="responseIds", default=list, help_text="Answers to refer to.")),
                (
                    "default_questions",
                    models.JSONField(
                        blank=True, db_column="defaultQuestions", default=list, help_text="What a person is offered to ask first."
                    ),
                ),
                (
                    "actions",
                    models.JSONField(blank=True, default=dict, help_text="Actions that buttons in answers may name: {name: {label, …}}."),
                ),
                (
                    "cache_seconds",
                    models.PositiveIntegerField(
                        default=3600,
                        help_text="How long the same question of the same asker is answered from memory. 0: never.",
                        validators=[django.core.validators.MaxValueValidator(86400)],
                    ),
                ),
                ("is_active", models.BooleanField(default=True, help_text="An inactive one answers nobody.")),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
                ),
            ],
            options={
                "db_table": "configurations",
                "ordering": ["name"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="BridgeChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("bridge_id", models.UUIDField(help_text="The bridge; it may be gone.")),
                ("type", models.CharField(help_text="created, updated, published, rolled_back, labelled, deleted.", max_length=20)),
                ("time", models.DateTimeField(auto_now_add=True)),
                ("version_id", models.CharField(blank=True, default="", help_text="The version it was about, if one was.", max_length=36)),
                ("changes", models.JSONField(default=dict, help_text="{field: [before, after]}")),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "user_bridge_config_history",
                "ordering": ["-id"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="BridgeVersion",
            fields=[
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField(help_text="1, 2, 3 … in the bridge.")),
                ("label", models.CharField(blank=True, help_text="production, staging: callable as slug:label.", max_length=63)),
                ("note", models.CharField(blank=True, help_text="What changed, in a sentence.", max_length=500)),
                ("content", models.JSONField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "bridge",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="integrations.bridge"
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
                ),
            ],
            options={
                "db_table": "bridge_versions",
                "ordering": ["-number"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name="bridge",
            name="published",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="integrations.bridgeversion",
            ),
        ),
        migrations.CreateModel(
            name="Chatbot",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=200)),
                ("type", models.CharField(choices=[("chatbot", "Chatbot")], default="chatbot", max_length=20)),
                (
                    "config",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="buttonName, height, heightUnit, width, widthUnit, type (popup or embedded), themeColor.",
                    ),
                ),
                (
                    "bridge",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), blank=True, default=list, help_text="Its bridges, the first one answers.", size=None
                    ),
                ),
                (
                    "allowed_origins",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=253),
                        blank=True,
                        default=list,
                        help_text="Where it may stand: https://www.example.com.",
                        size=None,
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_column="createdBy",
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
                ),
                (
                    "updated_by",
                    models.ForeignKey(
                        db_column="updatedBy",
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "chatbots",
                "ordering": ["title"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="ChatbotHistory",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, serialize=False)),
                ("title", models.CharField(max_length=200)),
                ("type", models.CharField(choices=[("chatbot", "Chatbot")], default="chatbot", max_length=20)),
                (
                    "config",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="buttonName, height, heightUnit, width, widthUnit, type (popup or embedded), themeColor.",
                    ),
                ),
                (
                    "bridge",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), blank=True, default=list, help_text="Its bridges, the first one answers.", size=None
                    ),
                ),
                (
                    "allowed_origins",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=253),
                        blank=True,
                        default=list,
                        help_text="Where it may stand: https://www.example.com.",
                        size=None,
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_column="createdBy",
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        related_query_name="history_query",
                        to="integrations.chatbot",
                    ),
                ),
                (
                    "updated_by",
                    models.ForeignKey(
                        db_column="updatedBy",
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "chatbot history",
                "verbose_name_plural": "chatbot history",
                "db_table": "chatbots_history",
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ModelConfiguration",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(help_text="What people choose it by: GPT-4o mini of our own account.", max_length=200)),
                (
                    "service",
                    models.CharField(
                        choices=[("openai", "OpenAI, or a server that speaks as it does"), ("offline", "The offline consultant")],
                        default="openai",
                        max_length=100,
                    ),
                ),
                ("model", models.CharField(help_text="The model's name at its provider: gpt-4o-mini.", max_length=200)),
                (
                    "base_url",
                    models.URLField(
                        blank=True,
                        help_text="The server, https://api.openai.com/v1. Empty: that of the platform, with the platform's key.",
                        max_length=500,
                    ),
                ),
                (
                    "configuration",
                    models.JSONField(
                        blank=True, default=dict, help_text="What is asked for with every call: temperature, max_tokens, top_p."
                    ),
                ),
                ("apikey", models.TextField(blank=True, editable=False, help_text="Sealed for this server: another one needs its own.")),
                ("takes_pictures", models.BooleanField(default=False, help_text="Whether images may be sent to it.")),
                ("is_active", models.BooleanField(default=True, help_text="An inactive one is asked nothing.")),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
                ),
            ],
            options={
                "db_table": "modelconfigurations",
                "ordering": ["name"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name="bridge",
            name="model_configuration",
            field=models.ForeignKey(
                blank=True,
                db_column="apikey",
                help_text="Whom to ask, and with which key. Empty: the platform's model.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="integrations.modelconfiguration",
            ),
        ),
        migrations.CreateModel(
            name="ModelConfigurationHistory",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, serialize=False)),
                ("name", models.CharField(help_text="What people choose it by: GPT-4o mini of our own account.", max_length=200)),
                (
                    "service",
                    models.CharField(
                        choices=[("openai", "OpenAI, or a server that speaks as it does"), ("offline", "The offline consultant")],
                        default="openai",
                        max_length=100,
                    ),
                ),
                ("model", models.CharField(help_text="The model's name at its provider: gpt-4o-mini.", max_length=200)),
                (
                    "base_url",
                    models.URLField(
                        blank=True,
                        help_text="The server, https://api.openai.com/v1. Empty: that of the platform, with the platform's key.",
                        max_length=500,
                    ),
                ),
                (
                    "configuration",
                    models.JSONField(
                        blank=True, default=dict, help_text="What is asked for with every call: temperature, max_tokens, top_p."
                    ),
                ),
                ("takes_pictures", models.BooleanField(default=False, help_text="Whether images may be sent to it.")),
                ("is_active", models.BooleanField(default=True, help_text="An inactive one is asked nothing.")),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        related_query_name="history_query",
                        to="integrations.modelconfiguration",
                    ),
                ),
            ],
            options={
                "verbose_name": "model configuration history",
                "verbose_name_plural": "model configuration history",
                "db_table": "modelconfigurations_history",
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PromptVersion",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("system_prompt", models.TextField()),
                (
                    "bridge",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="integrations.bridge"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"
                    ),
                ),
            ],
            options={
                "db_table": "system_prompt_versionings",
                "ordering": ["-id"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name="bridgeversion",
            name="prompt",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="integrations.promptversion"),
        ),
        migrations.CreateModel(
            name="Template",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("text", models.TextField(help_text="The prompt. {{ name }} is replaced by the variable of that name.")),
                (
                    "variables",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Each {name, type, required, default, description}; type is text, number, integer, boolean, date or list.",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.organization"),
                ),
            ],
            options={
                "db_table": "templates",
                "ordering": ["name"],
                "abstract": False,
                "base_manager_name": "across_tenants",
                "default_manager_name": "across_tenants",
            },
            managers=[
                ("across_tenants", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="BridgeHistory",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, serialize=False)),
                (
                    "bridge_type",
                    models.CharField(
                        choices=[("api", "Programs"), ("chatbot", "Chatbots")], db_column="bridgeType", default="api", max_length=20
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "slug",
                    models.SlugField(
                        db_column="slugName",
                        db_index=False,
                        help_text="What programs call it by, unique in the organization. Lower-case letters, digits and hyphens.",
                        max_length=63,
                    ),
                ),
                (
                    "fallbacks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(),
                        blank=True,
                        default=list,
                        help_text="Model configurations to ask in turn where that one fails.",
                        size=None,
                    ),
                ),
                (
                    "configuration",
                    models.JSONField(blank=True, default=dict, help_text="temperature, max_tokens, top_p: they go before the model's own."),
                ),
                (
                    "system_prompt",
                    models.TextField(blank=True, help_text="What the model is told first. {{ name }} is replaced by a variable."),
                ),
                (
                    "variables",
                    models.JSONField(
                        blank=True, default=list, help_text="Those of the system prompt, each {name, type, required, default, description}."
                    ),
                ),
                (
                    "response_schema",
                    models.JSONField(blank=True, help_text="A JSON schema that answers follow. Empty: free text.", null=True),
                ),
                ("is_api_call", models.BooleanField(default=False, help_text="Whether the model may call tools.")),
                ("api_endpoints", models.JSONField(blank=True, default=list, help_text="The names of the tools that it may call.")),
                ("api_call", models.JSONField(blank=True, default=dict, help_text="Limits of tools: {max_rounds} (8 at most).")),
                ("response_ids", models.JSONField(blank=True, db_column="responseIds", default=list, help_text="Answers to refer to.")),
                (
                    "default_questions",
                    models.JSONField(
                        blank=True, db_column="defaultQuestions", default=list, help_text="What a person is offered to ask first."
                    ),
                ),
                (
                    "actions",
                    models.JSONField(blank=True, default=dict, help_text="Actions that buttons in answers may name: {name: {label, …}}."),
                ),
                (
                    "cache_seconds",
                    models.PositiveIntegerField(
                        default=3600,
                        help_text="How long the same question of the same asker is answered from memory. 0: never.",
                        validators=[django.core.validators.MaxValueValidator(86400)],
                    ),
                ),
                ("is_active", models.BooleanField(default=True, help_text="An inactive one answers nobody.")),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        related_query_name="history_query",
                        to="integrations.bridge",
                    ),
                ),
                (
                    "published",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="integrations.bridgeversion",
                    ),
                ),
                (
                    "model_configuration",
                    models.ForeignKey(
                        blank=True,
                        db_column="apikey",
                        db_constraint=False,
                        help_text="Whom to ask, and with which key. Empty: the platform's model.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="integrations.modelconfiguration",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        help_text="What a question's variables are put into.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="integrations.template",
                    ),
                ),
            ],
            options={
                "verbose_name": "bridge history",
                "verbose_name_plural": "bridge history",
                "db_table": "configurations_history",
                "abstract": False,
            },
        ),
        migrations.AddField(
            model_name="bridge",
            name="template",
            field=models.ForeignKey(
                blank=True,
                help_text="What a question's variables are put into.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="integrations.template",
            ),
        ),
        migrations.CreateModel(
            name="TemplateHistory",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
                ("id", models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("text", models.TextField(help_text="The prompt. {{ name }} is replaced by the variable of that name.")),
                (
                    "variables",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Each {name, type, required, default, description}; type is text, number, integer, boolean, date or list.",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "pgh_context",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="pghistory.context",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="history",
                        related_query_name="history_query",
                        to="integrations.template",
                    ),
                ),
            ],
            options={
                "verbose_name": "template history",
                "verbose_name_plural": "template history",
                "db_table": "templates_history",
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="apicall",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_apicall_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="apicall",
            constraint=models.UniqueConstraint(fields=("organization", "name"), name="uq_apicalls_name"),
        ),
        migrations.AddConstraint(
            model_name="apicall",
            constraint=models.CheckConstraint(
                condition=models.Q(("method__in", ["GET", "POST", "PUT", "PATCH", "DELETE"])), name="ck_apicalls_method"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apicall",
            trigger=pgtrigger.compiler.Trigger(
                name="announce",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_notify('configurations_changed', OLD.organization_id::text); RETURN NULL;",
                    hash="88a7dfa047e1b53061bf4d155b00c7284d453950",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_announce_098c5",
                    table="apicalls",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apicall",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "apicalls_history" ("created_at", "description", "headers", "id", "is_active", "method", "name", "organization_id", "parameters", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at", "url") VALUES (NEW."created_at", NEW."description", NEW."headers", NEW."id", NEW."is_active", NEW."method", NEW."name", NEW."organization_id", NEW."parameters", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."updated_at", NEW."url"); RETURN NULL;',
                    hash="6ced2e1ef71aa787f1236825c7e4bfd394c2c118",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_6bf86",
                    table="apicalls",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apicall",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."description" IS DISTINCT FROM (NEW."description") OR OLD."headers" IS DISTINCT FROM (NEW."headers") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_active" IS DISTINCT FROM (NEW."is_active") OR OLD."method" IS DISTINCT FROM (NEW."method") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."parameters" IS DISTINCT FROM (NEW."parameters") OR OLD."updated_at" IS DISTINCT FROM (NEW."updated_at") OR OLD."url" IS DISTINCT FROM (NEW."url"))',
                    func='INSERT INTO "apicalls_history" ("created_at", "description", "headers", "id", "is_active", "method", "name", "organization_id", "parameters", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at", "url") VALUES (NEW."created_at", NEW."description", NEW."headers", NEW."id", NEW."is_active", NEW."method", NEW."name", NEW."organization_id", NEW."parameters", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."updated_at", NEW."url"); RETURN NULL;',
                    hash="ba857017600659b5087c25d987ce3f81dc82f1cd",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_b3687",
                    table="apicalls",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apicall",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "apicalls_history" ("created_at", "description", "headers", "id", "is_active", "method", "name", "organization_id", "parameters", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "updated_at", "url") VALUES (OLD."created_at", OLD."description", OLD."headers", OLD."id", OLD."is_active", OLD."method", OLD."name", OLD."organization_id", OLD."parameters", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."updated_at", OLD."url"); RETURN NULL;',
                    hash="79399dc1d41695ba414201e19ff339d6e569c854",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_15956",
                    table="apicalls",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="apicallhistory",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_apicallhistory_rls", tenant_pk_type="uuid"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="apicallhistory",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="20cf314863de4e14d0d9dd3d4313c4419a663643",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_29d4e",
                    table="apicalls_history",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="bridgechange",
            index=models.Index(fields=["user"], name="idx_config_history_user_id"),
        ),
        migrations.AddIndex(
            model_name="bridgechange",
            index=models.Index(fields=["bridge_id", "-id"], name="idx_config_history_bridge_id"),
        ),
        migrations.AddConstraint(
            model_name="bridgechange",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_bridgechange_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="chatbot",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_chatbot_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="chatbot",
            constraint=models.UniqueConstraint(fields=("organization", "title"), name="uq_chatbots_title"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="chatbot",
            trigger=pgtrigger.compiler.Trigger(
                name="announce",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_notify('configurations_changed', OLD.organization_id::text); RETURN NULL;",
                    hash="cd912a8a940eb5efd608ccc6346068a405e64daa",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_announce_af60f",
                    table="chatbots",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="chatbot",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "chatbots_history" ("allowed_origins", "bridge", "config", "createdBy", "created_at", "id", "is_active", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "title", "type", "updatedBy", "updated_at") VALUES (NEW."allowed_origins", NEW."bridge", NEW."config", NEW."createdBy", NEW."created_at", NEW."id", NEW."is_active", NEW."organization_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."title", NEW."type", NEW."updatedBy", NEW."updated_at"); RETURN NULL;',
                    hash="75d5dc460329fd5604ef994f3b84f93a815a13e9",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_18b3c",
                    table="chatbots",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="chatbot",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "chatbots_history" ("allowed_origins", "bridge", "config", "createdBy", "created_at", "id", "is_active", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "title", "type", "updatedBy", "updated_at") VALUES (NEW."allowed_origins", NEW."bridge", NEW."config", NEW."createdBy", NEW."created_at", NEW."id", NEW."is_active", NEW."organization_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."title", NEW."type", NEW."updatedBy", NEW."updated_at"); RETURN NULL;',
                    hash="3159f0b201c2787a333e0f461798cec4ec7f42f1",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_68fb3",
                    table="chatbots",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="chatbot",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "chatbots_history" ("allowed_origins", "bridge", "config", "createdBy", "created_at", "id", "is_active", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "title", "type", "updatedBy", "updated_at") VALUES (OLD."allowed_origins", OLD."bridge", OLD."config", OLD."createdBy", OLD."created_at", OLD."id", OLD."is_active", OLD."organization_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."title", OLD."type", OLD."updatedBy", OLD."updated_at"); RETURN NULL;',
                    hash="c773ded1d2743e89ff9ea266884c88ed10526e5e",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_bebaf",
                    table="chatbots",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="chatbothistory",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_chatbothistory_rls", tenant_pk_type="uuid"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="chatbothistory",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="ff8357a1c4ee24edcb4ceb574205a8e02cd918b6",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_9b9c6",
                    table="chatbots_history",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="modelconfiguration",
            index=models.Index(fields=["organization", "service"], name="idx_modelconfig_org_service"),
        ),
        migrations.AddIndex(
            model_name="modelconfiguration",
            index=models.Index(fields=["service", "model"], name="idx_modelconfig_service_model"),
        ),
        migrations.AddConstraint(
            model_name="modelconfiguration",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_modelconfiguration_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="modelconfiguration",
            constraint=models.UniqueConstraint(fields=("organization", "name"), name="uq_modelconfigurations_name"),
        ),
        migrations.AddConstraint(
            model_name="modelconfiguration",
            constraint=models.CheckConstraint(
                condition=models.Q(("service__in", ["openai", "offline"])), name="ck_modelconfigurations_service"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="modelconfiguration",
            trigger=pgtrigger.compiler.Trigger(
                name="announce",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_notify('configurations_changed', OLD.organization_id::text); RETURN NULL;",
                    hash="d48db70112b254f30a7473768c92880dcca2c05d",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_announce_a8637",
                    table="modelconfigurations",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="modelconfiguration",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "modelconfigurations_history" ("base_url", "configuration", "created_at", "id", "is_active", "model", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "service", "takes_pictures", "updated_at") VALUES (NEW."base_url", NEW."configuration", NEW."created_at", NEW."id", NEW."is_active", NEW."model", NEW."name", NEW."organization_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."service", NEW."takes_pictures", NEW."updated_at"); RETURN NULL;',
                    hash="67a62e3a0446a3dccb036b01fefc46726be080f9",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_b6580",
                    table="modelconfigurations",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="modelconfiguration",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."base_url" IS DISTINCT FROM (NEW."base_url") OR OLD."configuration" IS DISTINCT FROM (NEW."configuration") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_active" IS DISTINCT FROM (NEW."is_active") OR OLD."model" IS DISTINCT FROM (NEW."model") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."organization_id" IS DISTINCT FROM (NEW."organization_id") OR OLD."service" IS DISTINCT FROM (NEW."service") OR OLD."takes_pictures" IS DISTINCT FROM (NEW."takes_pictures") OR OLD."updated_at" IS DISTINCT FROM (NEW."updated_at"))',
                    func='INSERT INTO "modelconfigurations_history" ("base_url", "configuration", "created_at", "id", "is_active", "model", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "service", "takes_pictures", "updated_at") VALUES (NEW."base_url", NEW."configuration", NEW."created_at", NEW."id", NEW."is_active", NEW."model", NEW."name", NEW."organization_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."service", NEW."takes_pictures", NEW."updated_at"); RETURN NULL;',
                    hash="354790b46234ded34062693a0529ee71f1fa2463",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_3c38c",
                    table="modelconfigurations",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="modelconfiguration",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "modelconfigurations_history" ("base_url", "configuration", "created_at", "id", "is_active", "model", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "service", "takes_pictures", "updated_at") VALUES (OLD."base_url", OLD."configuration", OLD."created_at", OLD."id", OLD."is_active", OLD."model", OLD."name", OLD."organization_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."service", OLD."takes_pictures", OLD."updated_at"); RETURN NULL;',
                    hash="10b7dd318a98f2cb9d3b65117bc7f8d5e8ac65bb",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_82afb",
                    table="modelconfigurations",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="modelconfigurationhistory",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_modelconfigurationhistory_rls", tenant_pk_type="uuid"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="modelconfigurationhistory",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="417098673fe320310463d955b3e6925baf85d16f",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_ac549",
                    table="modelconfigurations_history",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="promptversion",
            index=models.Index(fields=["bridge"], name="idx_system_prompts_bridge_id"),
        ),
        migrations.AddIndex(
            model_name="promptversion",
            index=models.Index(fields=["organization"], name="idx_system_prompts_org_id"),
        ),
        migrations.AddConstraint(
            model_name="promptversion",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_promptversion_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="bridgeversion",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_bridgeversion_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="bridgeversion",
            constraint=models.UniqueConstraint(fields=("bridge", "number"), name="uq_bridge_versions_number"),
        ),
        migrations.AddConstraint(
            model_name="bridgeversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("label", ""), _negated=True), fields=("bridge", "label"), name="uq_bridge_versions_label"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bridgeversion",
            trigger=pgtrigger.compiler.Trigger(
                name="announce",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_notify('configurations_changed', OLD.organization_id::text); RETURN NULL;",
                    hash="a0d2f091951325abd76f621291085daba2531db8",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_announce_22384",
                    table="bridge_versions",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_template_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.UniqueConstraint(fields=("organization", "name"), name="uq_templates_name"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="template",
            trigger=pgtrigger.compiler.Trigger(
                name="announce",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_notify('configurations_changed', OLD.organization_id::text); RETURN NULL;",
                    hash="90eb41e325173e9ae56f83bf709c57ea6ebaa7d4",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_announce_1bb83",
                    table="templates",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="template",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "templates_history" ("created_at", "id", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "text", "updated_at", "variables") VALUES (NEW."created_at", NEW."id", NEW."name", NEW."organization_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."text", NEW."updated_at", NEW."variables"); RETURN NULL;',
                    hash="799fb7269ed9a0e6e1dd9ca184dcb2e1806f9954",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_9d50a",
                    table="templates",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="template",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "templates_history" ("created_at", "id", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "text", "updated_at", "variables") VALUES (NEW."created_at", NEW."id", NEW."name", NEW."organization_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."text", NEW."updated_at", NEW."variables"); RETURN NULL;',
                    hash="35794ce387a3b1587fb9286e6c52a5ff42625f28",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_7c706",
                    table="templates",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="template",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "templates_history" ("created_at", "id", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "text", "updated_at", "variables") VALUES (OLD."created_at", OLD."id", OLD."name", OLD."organization_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."text", OLD."updated_at", OLD."variables"); RETURN NULL;',
                    hash="08b5ec4b8fddc719a0f38ebc9317fdd0ce76d095",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_8c3c5",
                    table="templates",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="bridgehistory",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_bridgehistory_rls", tenant_pk_type="uuid"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bridgehistory",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="72563c56b9735b898e5dd330f52c6a9ba2fbbfe6",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_c33b5",
                    table="configurations_history",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="bridge",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_bridge_rls", tenant_pk_type="uuid"
            ),
        ),
        migrations.AddConstraint(
            model_name="bridge",
            constraint=models.UniqueConstraint(fields=("organization", "slug"), name="uq_configurations_org_slug"),
        ),
        migrations.AddConstraint(
            model_name="bridge",
            constraint=models.CheckConstraint(
                condition=models.Q(("slug__regex", "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")), name="ck_configurations_slug"
            ),
        ),
        migrations.AddConstraint(
            model_name="bridge",
            constraint=models.CheckConstraint(condition=models.Q(("bridge_type__in", ["api", "chatbot"])), name="ck_configurations_type"),
        ),
        migrations.AddConstraint(
            model_name="bridge",
            constraint=models.CheckConstraint(condition=models.Q(("cache_seconds__lte", 86400)), name="ck_configurations_cache"),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bridge",
            trigger=pgtrigger.compiler.Trigger(
                name="announce",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="PERFORM pg_notify('configurations_changed', OLD.organization_id::text); RETURN NULL;",
                    hash="993f7fb0381c5ee7bb663adf3f3d4a90b398fb66",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_announce_a6f2d",
                    table="configurations",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bridge",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "configurations_history" ("actions", "api_call", "api_endpoints", "apikey", "bridgeType", "cache_seconds", "configuration", "created_at", "defaultQuestions", "fallbacks", "id", "is_active", "is_api_call", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "published_id", "responseIds", "response_schema", "slugName", "system_prompt", "template_id", "updated_at", "variables") VALUES (NEW."actions", NEW."api_call", NEW."api_endpoints", NEW."apikey", NEW."bridgeType", NEW."cache_seconds", NEW."configuration", NEW."created_at", NEW."defaultQuestions", NEW."fallbacks", NEW."id", NEW."is_active", NEW."is_api_call", NEW."name", NEW."organization_id", _pgh_attach_context(), NOW(), \'insert\', NEW."id", NEW."published_id", NEW."responseIds", NEW."response_schema", NEW."slugName", NEW."system_prompt", NEW."template_id", NEW."updated_at", NEW."variables"); RETURN NULL;',
                    hash="636452295c1b7c10489581ddc1c9a3df80f7f506",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_8e1a3",
                    table="configurations",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bridge",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "configurations_history" ("actions", "api_call", "api_endpoints", "apikey", "bridgeType", "cache_seconds", "configuration", "created_at", "defaultQuestions", "fallbacks", "id", "is_active", "is_api_call", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "published_id", "responseIds", "response_schema", "slugName", "system_prompt", "template_id", "updated_at", "variables") VALUES (NEW."actions", NEW."api_call", NEW."api_endpoints", NEW."apikey", NEW."bridgeType", NEW."cache_seconds", NEW."configuration", NEW."created_at", NEW."defaultQuestions", NEW."fallbacks", NEW."id", NEW."is_active", NEW."is_api_call", NEW."name", NEW."organization_id", _pgh_attach_context(), NOW(), \'update\', NEW."id", NEW."published_id", NEW."responseIds", NEW."response_schema", NEW."slugName", NEW."system_prompt", NEW."template_id", NEW."updated_at", NEW."variables"); RETURN NULL;',
                    hash="b701c2aecc4debc4a656514bf6039be6511c45fc",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_9e9b7",
                    table="configurations",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="bridge",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "configurations_history" ("actions", "api_call", "api_endpoints", "apikey", "bridgeType", "cache_seconds", "configuration", "created_at", "defaultQuestions", "fallbacks", "id", "is_active", "is_api_call", "name", "organization_id", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "published_id", "responseIds", "response_schema", "slugName", "system_prompt", "template_id", "updated_at", "variables") VALUES (OLD."actions", OLD."api_call", OLD."api_endpoints", OLD."apikey", OLD."bridgeType", OLD."cache_seconds", OLD."configuration", OLD."created_at", OLD."defaultQuestions", OLD."fallbacks", OLD."id", OLD."is_active", OLD."is_api_call", OLD."name", OLD."organization_id", _pgh_attach_context(), NOW(), \'delete\', OLD."id", OLD."published_id", OLD."responseIds", OLD."response_schema", OLD."slugName", OLD."system_prompt", OLD."template_id", OLD."updated_at", OLD."variables"); RETURN NULL;',
                    hash="8195f34817fe232fc8a6d873de5ce37d6a70fafc",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_7e05a",
                    table="configurations",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="templatehistory",
            constraint=django_rls_tenants.rls.constraints.RLSConstraint(
                field="organization", name="integrations_templatehistory_rls", tenant_pk_type="uuid"
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="templatehistory",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="d469d4b3d84cbae5c2ebc79986ef466fe7083d5a",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_5a9c2",
                    table="templates_history",
                    when="BEFORE",
                ),
            ),
        ),
    ]
