"""REST: bridges, their versions, prompts, changes and trials, and what they are made of."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.response import Response

from config.api import Call, Endpoint, PageQuery, operation, page, page_of, unseal
from integrations import access, limits, models, selectors, tasks
from integrations import serializers as shapes
from integrations.errors import ThreadRefused
from integrations.models import PlatformConnection
from integrations.serializers import AuthorizationAnswer, ChooseAccount, ConnectionAnswer, ConnectionsAnswer
from integrations.services import answers, connections, playground, settings, versions
from integrations.services.bridges import Place
from tenants.errors import NotFound
from tenants.models import ApiKey

BRIDGES: dict[str, Any] = {"tags": ["bridges"]}


def _list(call: Call, model: Any, *, name: str, **where: Any) -> Any:
    asked = dict(call.query)
    found = selectors.listed(model, call.membership, cursor=unseal(asked.pop("cursor", None), name=name), **asked, **where)
    return page(call.request, found.results, name=name, next=found.next, previous=found.previous)


def _bridge(call: Call, slug: str) -> models.Bridge:
    return access.found(models.Bridge, call.membership, slug=slug)


class Bridges(Endpoint):
    @operation(summary="Bridges, by name", answer=page_of(shapes.BridgeAnswer), query=shapes.NamedQuery, **BRIDGES)
    def get(self, call: Call) -> Any:
        return _list(call, models.Bridge, name="bridges")

    @operation(summary="Make a bridge's draft", answer=shapes.BridgeAnswer, status_code=201, body=shapes.NewBridge, **BRIDGES)
    def post(self, call: Call) -> Any:
        return selectors.one(settings.create(models.Bridge, call.membership, **call.body))


class Bridge(Endpoint):
    @operation(summary="A bridge's draft", answer=shapes.BridgeAnswer, **BRIDGES)
    def get(self, call: Call, slug: str) -> Any:
        return selectors.one(_bridge(call, slug))

    @operation(summary="Change a bridge's draft", answer=shapes.BridgeAnswer, body=shapes.BridgeFields, **BRIDGES)
    def patch(self, call: Call, slug: str) -> Any:
        """What answers is the published version; publish the draft to change that."""
        return selectors.one(settings.change(_bridge(call, slug), call.membership, **call.body))

    @operation(summary="Remove a bridge and its versions", answer=None, status_code=204, refusals=(409,), **BRIDGES)
    def delete(self, call: Call, slug: str) -> Any:
        settings.delete(_bridge(call, slug), call.membership)


class BridgeVersions(Endpoint):
    @operation(summary="A bridge's versions, newest first", answer=page_of(shapes.VersionAnswer), query=PageQuery, **BRIDGES)
    def get(self, call: Call, slug: str) -> Any:
        found = selectors.versions_of(
            _bridge(call, slug), cursor=unseal(call.query.get("cursor"), name="versions"), limit=call.query["limit"]
        )
        return page(call.request, found.results, name="versions", next=found.next)

    @operation(summary="Publish the draft", answer=shapes.PublishedAnswer, body=shapes.PublishBody, **BRIDGES)
    def post(self, call: Call, slug: str) -> Any:
        """The draft becomes a version that answers from now on. A draft that is as the published version is changes nothing."""
        bridge = _bridge(call, slug)
        return _published(bridge, *versions.publish(bridge, call.membership, note=call.body.get("note", "")))


class BridgeVersion(Endpoint):
    @operation(summary="A version with its content", answer=shapes.WholeVersionAnswer, **BRIDGES)
    def get(self, call: Call, slug: str, number: int) -> Any:
        bridge = _bridge(call, slug)
        return selectors.version(bridge, versions.numbered(bridge, number))


class BridgePublish(Endpoint):
    @operation(summary="Make a version the live one again", answer=shapes.PublishedAnswer, **BRIDGES)
    def post(self, call: Call, slug: str, number: int) -> Any:
        bridge = _bridge(call, slug)
        return _published(bridge, *versions.roll_back(bridge, call.membership, number=number))


class BridgeLabel(Endpoint):
    @operation(summary="Name a version: callable as slug:label", answer=shapes.WholeVersionAnswer, body=shapes.LabelBody, **BRIDGES)
    def post(self, call: Call, slug: str, number: int) -> Any:
        bridge = _bridge(call, slug)
        return selectors.version(bridge, versions.label(bridge, call.membership, number=number, label=call.body["label"]))


class BridgeDiff(Endpoint):
    @operation(summary="What a version changed", answer=shapes.DiffAnswer, query=shapes.DiffQuery, **BRIDGES)
    def get(self, call: Call, slug: str, number: int) -> Any:
        bridge = _bridge(call, slug)
        after = versions.numbered(bridge, number)
        other = call.query.get("against")
        against = None if other is None else versions.numbered(bridge, other)
        return {"differences": selectors.differences(bridge, after.content, against=against)}


class BridgeChanges(Endpoint):
    @operation(summary="Who changed what of a bridge", answer=page_of(shapes.BridgeChangeAnswer), query=PageQuery, **BRIDGES)
    def get(self, call: Call, slug: str) -> Any:
        found = selectors.changes_of(
            _bridge(call, slug), cursor=unseal(call.query.get("cursor"), name="bridge-changes"), limit=call.query["limit"]
        )
        return page(call.request, found.results, name="bridge-changes", next=found.next)


class Try(Endpoint):
    @operation(summary="Ask the draft or a version, to see how it does", answer=shapes.OutcomeAnswer, body=shapes.TryBody, **BRIDGES)
    def post(self, call: Call, slug: str) -> Any:
        asked = dict(call.body)
        return asdict(playground.run(_bridge(call, slug), call.membership, values=asked.pop("variables", {}), **asked))


class Completions(Endpoint):
    @operation(
        summary="Ask a bridge",
        answer=shapes.CompletionAnswer,
        body=shapes.CompletionBody,
        refusals=(402, 409, 422, 429, 502, 503, 504),
        **BRIDGES,
    )
    def post(self, call: Call, slug: str) -> Any:
        """The published version answers, with the tools of the bridge where it has any. OpenAI's clients ask at /v1/chat/completions."""
        asked = dict(call.body)
        streamed, label = asked.pop("stream"), asked.pop("label", "")
        key = call.request.auth if isinstance(call.request.auth, ApiKey) else None
        place = _place(asked)
        if place is not None:
            limits.take_now(call.membership.organization_id, "completions", place.thread_id)
        said = answers.begin(
            call.membership,
            slug,
            label=label,
            text=asked.get("text", ""),
            messages=[(each["role"], each["text"]) for each in asked.get("messages", ())],
            values=asked.get("variables", {}),
            place=place,
            api_key=key,
            streamed=streamed,
        )
        response: Response | StreamingHttpResponse
        if streamed:
            response = StreamingHttpResponse(answers.events(said), content_type="text/event-stream")
            response.headers["Cache-Control"] = "no-store"
        else:
            response = Response(answers.whole(said))
        for name, value in said.asking.headers().items():
            response.headers[name] = value
        return response


def _place(asked: Mapping[str, Any]) -> Place | None:
    named = {name: asked[name] for name in ("thread_id", "sub_thread_id", "client_id", "reset") if asked.get(name)}
    if named and "thread_id" not in named:
        raise ThreadRefused("thread_missing", f"Name the thread, too: {min(named)} belongs to one.", http_status=400, field="thread_id")
    return Place(**named) if named else None


class Trials(Endpoint):
    @operation(summary="A bridge's trials, by name", answer=page_of(shapes.TrialAnswer), query=shapes.NamedQuery, **BRIDGES)
    def get(self, call: Call, slug: str) -> Any:
        return _list(call, models.Trial, name="trials", bridge=_bridge(call, slug))

    @operation(summary="Keep a trial", answer=shapes.TrialAnswer, status_code=201, body=shapes.NewTrial, **BRIDGES)
    def post(self, call: Call, slug: str) -> Any:
        return selectors.one(settings.create(models.Trial, call.membership, bridge_id=_bridge(call, slug).id, **call.body))


class Trial(Endpoint):
    @operation(summary="A trial", answer=shapes.TrialAnswer, **BRIDGES)
    def get(self, call: Call, slug: str, trial_id: UUID) -> Any:
        return selectors.one(_trial(call, slug, trial_id))

    @operation(summary="Change a trial", answer=shapes.TrialAnswer, body=shapes.TrialChange, **BRIDGES)
    def patch(self, call: Call, slug: str, trial_id: UUID) -> Any:
        return selectors.one(settings.change(_trial(call, slug, trial_id), call.membership, **call.body))

    @operation(summary="Remove a trial", answer=None, status_code=204, **BRIDGES)
    def delete(self, call: Call, slug: str, trial_id: UUID) -> Any:
        settings.delete(_trial(call, slug, trial_id), call.membership)


class RunTrials(Endpoint):
    @operation(summary="Run all trials against the draft or a version", answer=shapes.RunAnswer, body=shapes.RunBody, **BRIDGES)
    def post(self, call: Call, slug: str) -> Any:
        tried = playground.run_trials(_bridge(call, slug), call.membership, **call.body)
        results = [
            {
                "trial": each.trial.id,
                "name": each.trial.name,
                "passed": each.passed,
                "outcome": asdict(each.outcome),
                "traits": [asdict(trait) for trait in each.traits],
            }
            for each in tried
        ]
        return {"passed": all(each.passed for each in tried), "results": results}


class Prompts(Endpoint):
    @operation(
        summary="System prompts as they stood, newest first", answer=page_of(shapes.PromptAnswer), query=shapes.PromptsQuery, **BRIDGES
    )
    def get(self, call: Call) -> Any:
        bridge = _bridge(call, call.query["bridge"]) if "bridge" in call.query else None
        cursor = unseal(call.query.get("cursor"), name="prompts")
        found = selectors.prompts(call.membership, bridge=bridge, cursor=cursor, limit=call.query["limit"])
        return page(call.request, found.results, name="prompts", next=found.next)


class Prompt(Endpoint):
    @operation(summary="A system prompt as it stood", answer=shapes.PromptAnswer, **BRIDGES)
    def get(self, call: Call, prompt_id: int) -> Any:
        found = selectors.one_prompt(call.membership, prompt_id) if prompt_id < 2**63 else None
        if found is None:
            raise NotFound
        return found


# What bridges are made of ----------------------------------------------------------------------------------------------


class Templates(Endpoint):
    @operation(summary="Templates, by name", answer=page_of(shapes.TemplateAnswer), query=shapes.NamedQuery, **BRIDGES)
    def get(self, call: Call) -> Any:
        return _list(call, models.Template, name="templates")

    @operation(summary="Make a template", answer=shapes.TemplateAnswer, status_code=201, body=shapes.NewTemplate, **BRIDGES)
    def post(self, call: Call) -> Any:
        return selectors.one(settings.create(models.Template, call.membership, **call.body))


class Template(Endpoint):
    @operation(summary="A template", answer=shapes.TemplateAnswer, **BRIDGES)
    def get(self, call: Call, template_id: UUID) -> Any:
        return selectors.one(access.found(models.Template, call.membership, pk=template_id))

    @operation(summary="Change a template", answer=shapes.TemplateAnswer, body=shapes.TemplateChange, **BRIDGES)
    def patch(self, call: Call, template_id: UUID) -> Any:
        """Versions that were published with it keep what it said then."""
        return selectors.one(settings.change(access.found(models.Template, call.membership, pk=template_id), call.membership, **call.body))

    @operation(summary="Remove a template", answer=None, status_code=204, refusals=(409,), **BRIDGES)
    def delete(self, call: Call, template_id: UUID) -> Any:
        settings.delete(access.found(models.Template, call.membership, pk=template_id), call.membership)


class ApiCalls(Endpoint):
    @operation(summary="Tools, by name", answer=page_of(shapes.ApiCallAnswer), query=shapes.NamedQuery, **BRIDGES)
    def get(self, call: Call) -> Any:
        return _list(call, models.ApiCall, name="api-calls")

    @operation(summary="Make a tool", answer=shapes.ApiCallAnswer, status_code=201, body=shapes.NewApiCall, **BRIDGES)
    def post(self, call: Call) -> Any:
        return selectors.one(settings.create(models.ApiCall, call.membership, **call.body))


class ApiCall(Endpoint):
    @operation(summary="A tool", answer=shapes.ApiCallAnswer, **BRIDGES)
    def get(self, call: Call, tool_id: UUID) -> Any:
        return selectors.one(access.found(models.ApiCall, call.membership, pk=tool_id))

    @operation(summary="Change a tool", answer=shapes.ApiCallAnswer, body=shapes.ApiCallChange, **BRIDGES)
    def patch(self, call: Call, tool_id: UUID) -> Any:
        return selectors.one(settings.change(access.found(models.ApiCall, call.membership, pk=tool_id), call.membership, **call.body))

    @operation(summary="Remove a tool", answer=None, status_code=204, refusals=(409,), **BRIDGES)
    def delete(self, call: Call, tool_id: UUID) -> Any:
        settings.delete(access.found(models.ApiCall, call.membership, pk=tool_id), call.membership)


class ModelConfigurations(Endpoint):
    @operation(summary="Models, by name", answer=page_of(shapes.ModelConfigurationAnswer), query=shapes.NamedQuery, **BRIDGES)
    def get(self, call: Call) -> Any:
        return _list(call, models.ModelConfiguration, name="model-configurations")

    @operation(summary="Add a model", answer=shapes.ModelConfigurationAnswer, status_code=201, body=shapes.NewModelConfiguration, **BRIDGES)
    def post(self, call: Call) -> Any:
        return selectors.one(settings.create(models.ModelConfiguration, call.membership, **call.body))


class ModelConfiguration(Endpoint):
    @operation(summary="A model", answer=shapes.ModelConfigurationAnswer, **BRIDGES)
    def get(self, call: Call, model_id: UUID) -> Any:
        return selectors.one(access.found(models.ModelConfiguration, call.membership, pk=model_id))

    @operation(
        summary="Change a model, or its key", answer=shapes.ModelConfigurationAnswer, body=shapes.ModelConfigurationChange, **BRIDGES
    )
    def patch(self, call: Call, model_id: UUID) -> Any:
        """A key is for one server: with another address, it is gone. Drafts use the change when they are published, keys at once."""
        return selectors.one(
            settings.change(access.found(models.ModelConfiguration, call.membership, pk=model_id), call.membership, **call.body)
        )

    @operation(summary="Remove a model", answer=None, status_code=204, refusals=(409,), **BRIDGES)
    def delete(self, call: Call, model_id: UUID) -> Any:
        settings.delete(access.found(models.ModelConfiguration, call.membership, pk=model_id), call.membership)


class Chatbots(Endpoint):
    @operation(summary="Chatbots, by title", answer=page_of(shapes.ChatbotAnswer), query=shapes.NamedQuery, **BRIDGES)
    def get(self, call: Call) -> Any:
        return _list(call, models.Chatbot, name="chatbots")

    @operation(summary="Make a chatbot", answer=shapes.ChatbotAnswer, status_code=201, body=shapes.NewChatbot, **BRIDGES)
    def post(self, call: Call) -> Any:
        return selectors.one(settings.create(models.Chatbot, call.membership, **call.body))


class Chatbot(Endpoint):
    @operation(summary="A chatbot", answer=shapes.ChatbotAnswer, **BRIDGES)
    def get(self, call: Call, chatbot_id: UUID) -> Any:
        return selectors.one(access.found(models.Chatbot, call.membership, pk=chatbot_id))

    @operation(summary="Change a chatbot", answer=shapes.ChatbotAnswer, body=shapes.ChatbotChange, **BRIDGES)
    def patch(self, call: Call, chatbot_id: UUID) -> Any:
        return selectors.one(settings.change(access.found(models.Chatbot, call.membership, pk=chatbot_id), call.membership, **call.body))

    @operation(summary="Remove a chatbot", answer=None, status_code=204, **BRIDGES)
    def delete(self, call: Call, chatbot_id: UUID) -> Any:
        settings.delete(access.found(models.Chatbot, call.membership, pk=chatbot_id), call.membership)


def _trial(call: Call, slug: str, trial_id: UUID) -> models.Trial:
    return access.found(models.Trial, call.membership, pk=trial_id, bridge=_bridge(call, slug))


def _published(bridge: models.Bridge, version: models.BridgeVersion, is_new: bool) -> Any:
    bridge.refresh_from_db(fields=["published"])
    return {**selectors.version(bridge, version), "is_new": is_new}


class Connections(Endpoint):
    @operation(summary="My platform connections, those included that are being revoked", answer=ConnectionsAnswer, tags=["connections"])
    def get(self, call: Call) -> Any:
        return {"results": [as_json(one) for one in access.connections_for(call.membership)]}


class Connect(Endpoint):
    @operation(summary="Begin to connect a platform", answer=AuthorizationAnswer, refusals=(409,), tags=["connections"])
    def post(self, call: Call, platform: str) -> Any:
        """Gives the address at the platform at which the signed-in browser that asked agrees; the platform sends it back to Parley. A key
        has no browser and is refused with 409."""
        request = call.request._request
        callback = callback_address(request, platform)
        url = connections.begin(call.membership, platform, session_key=request.session.session_key, redirect_uri=callback)
        return {"authorization_url": url}


class Demo(Endpoint):
    @operation(summary="Connect sample data in the place of a platform", answer=ConnectionAnswer, status_code=201, tags=["connections"])
    def post(self, call: Call, platform: str) -> Any:
        return as_json(connections.connect_demo(call.membership, platform, now=timezone.now()))


class Connection(Endpoint):
    @operation(summary="One of my connections", answer=ConnectionAnswer, tags=["connections"])
    def get(self, call: Call, connection_id: UUID) -> Any:
        return as_json(access.connection_for(call.membership, connection_id))

    @operation(summary="Choose the account", answer=ConnectionAnswer, body=ChooseAccount, refusals=(409,), tags=["connections"])
    def patch(self, call: Call, connection_id: UUID) -> Any:
        connection = access.connection_for(call.membership, connection_id)
        return as_json(connections.choose(connection, call.body["account_id"]))

    @operation(summary="Disconnect, and have the platform revoke", answer=None, status_code=204, tags=["connections"])
    def delete(self, call: Call, connection_id: UUID) -> Any:
        """Nothing is asked with it from this moment on. The platform is told at once, or when it can be reached again."""
        connections.disconnect(access.connection_for(call.membership, connection_id), now=timezone.now())
        tasks.tell_platforms()


def callback_address(request: HttpRequest, platform: str) -> str:
    """Where the platform sends the browser back to: an address that is registered there."""
    return request.build_absolute_uri(reverse("connections_callback", args=[platform]))


SHOWN = (
    *("id", "platform", "is_connected", "is_demo", "status", "error_message", "scope"),
    *("token_expiry", "connected_at", "last_synced_at"),
)


def as_json(connection: PlatformConnection) -> dict[str, Any]:
    data = dict(connection.platform_data)
    accounts = data.pop("accounts", [])
    account = {"id": connection.account_id, "name": connection.account_name} if connection.account_id else None
    return {
        **{name: getattr(connection, name) for name in SHOWN},
        "account": account,
        "accounts": [{"id": one["id"], "name": one["name"]} for one in accounts],
        "platform_data": data,
    }
