"""The pages on which an organization's owners keep bridges and what they are made of. Everything is a plain form post."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat.views import member_page, shell
from dashboards.settings.forms import FORMS, BridgeForm, PlayForm, SettingForm, TrialForm
from integrations import access, selectors
from integrations.errors import InUse, ModelsGone
from integrations.models import ApiCall, Bridge, Chatbot, ModelConfiguration, Template, Trial
from integrations.services import playground, settings, versions
from tenants import roles
from tenants.models import Membership
from tenants.scoping import TenantModel

LIST_LIMIT = 200
FORM = ["GET", "HEAD", "POST"]


@dataclass(frozen=True, slots=True)
class Noun:
    """A part of the settings: what it is called, and what it is for."""

    model: type[TenantModel]
    title: str
    one: str
    about: str
    icon: str


NOUNS = {
    "models": Noun(ModelConfiguration, "Models", "model", "Language models of your own account, and the keys for them.", "key"),
    "templates": Noun(Template, "Templates", "template", "Prompts with variables, for several bridges.", "quote"),
    "tools": Noun(ApiCall, "Tools", "tool", "Requests to your systems that a model may ask for.", "performance_optimization"),
    "chatbots": Noun(Chatbot, "Chatbots", "chatbot", "What visitors of your website talk to.", "chat"),
}


# Bridges ---------------------------------------------------------------------------------------------------------------


@require_safe
@member_page
def home(request: HttpRequest, membership: Membership) -> HttpResponse:
    roles.require(membership, access.VIEW)
    return redirect("dashboards:bridges", membership.organization.slug)


@require_safe
@member_page
def bridges(request: HttpRequest, membership: Membership) -> HttpResponse:
    rows = access.listed(Bridge, membership).select_related("published", "model_configuration")[:LIST_LIMIT]
    return _render(request, membership, "settings/bridges.html", at="bridges", rows=rows, may_change=access.may_change(Bridge, membership))


@require_http_methods(FORM)
@member_page
def new_bridge(request: HttpRequest, membership: Membership) -> HttpResponse:
    access.require_change(Bridge, membership)
    form = BridgeForm(request.POST or None, membership=membership)
    if request.method == "POST" and (row := form.save()):
        messages.success(request, "The draft is kept. Publish it when it is ready.")
        return redirect("dashboards:bridge", membership.organization.slug, row.slug)
    return _render(request, membership, "settings/form.html", form=form, at="bridges", title="New bridge")


@require_http_methods(FORM)
@member_page
def bridge(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    row = access.found(Bridge, membership, slug=slug)
    form = BridgeForm(request.POST if request.method == "POST" else None, membership=membership, row=row)
    if request.method == "POST":
        access.require_change(Bridge, membership)
        if saved := form.save():
            messages.success(request, "The draft is kept. What answers is the published version.")
            return redirect("dashboards:bridge", membership.organization.slug, saved.slug)
    return _of_bridge(request, membership, row, "settings/bridge.html", tab="draft", form=form)


@require_POST
@member_page
def delete_bridge(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    return _delete(request, membership, access.found(Bridge, membership, slug=slug), back="dashboards:bridges")


@require_http_methods(FORM)
@member_page
def bridge_versions(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    """What was published; a post publishes the draft."""
    row = access.found(Bridge, membership, slug=slug)
    if request.method == "POST":
        try:
            version, is_new = versions.publish(row, membership, note=request.POST.get("note", ""))
        except ValidationError as error:
            messages.error(request, "The draft cannot be published: " + " ".join(error.messages))
        else:
            said = f"Version {version.number} is live." if is_new else f"The draft is as version {version.number}, which is live already."
            messages.success(request, said)
        return redirect("dashboards:bridge-versions", membership.organization.slug, slug)
    found = selectors.versions_of(row, limit=LIST_LIMIT).results
    live = row.published
    waiting = versions.diff(live.content if live else {}, versions.content_of(row))
    return _of_bridge(
        request,
        membership,
        row,
        "settings/versions.html",
        tab="versions",
        versions=found,
        waiting=waiting,
        may_publish=_may_publish(membership),
    )


@require_safe
@member_page
def bridge_version(request: HttpRequest, membership: Membership, slug: str, number: int) -> HttpResponse:
    """What a version changed: against another one, or the one before."""
    row = access.found(Bridge, membership, slug=slug)
    version = versions.numbered(row, number)
    asked = request.GET.get("against", "")
    other = versions.numbered(row, int(asked)) if asked.isdecimal() else None
    if other is None and asked != "draft" and number > 1:
        other = versions.numbered(row, number - 1)
    before: dict[str, Any] = other.content if other else versions.content_of(row) if asked == "draft" else {}
    return _of_bridge(
        request,
        membership,
        row,
        "settings/version.html",
        tab="versions",
        version=version,
        other=other,
        against=asked,
        differences=versions.diff(before, version.content),
        versions=selectors.versions_of(row, limit=LIST_LIMIT).results,
        may_publish=_may_publish(membership),
    )


@require_POST
@member_page
def publish_version(request: HttpRequest, membership: Membership, slug: str, number: int) -> HttpResponse:
    row = access.found(Bridge, membership, slug=slug)
    version, is_new = versions.roll_back(row, membership, number=number)
    messages.success(request, f"Version {version.number} is live{' again' if is_new else ' already'}.")
    return redirect("dashboards:bridge-versions", membership.organization.slug, slug)


@require_POST
@member_page
def label_version(request: HttpRequest, membership: Membership, slug: str, number: int) -> HttpResponse:
    row = access.found(Bridge, membership, slug=slug)
    try:
        version = versions.label(row, membership, number=number, label=request.POST.get("label", "").strip())
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"Version {number} is {version.label}." if version.label else f"Version {number} has no label.")
    return redirect("dashboards:bridge-versions", membership.organization.slug, slug)


@require_safe
@member_page
def bridge_changes(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    row = access.found(Bridge, membership, slug=slug)
    return _of_bridge(
        request, membership, row, "settings/changes.html", tab="changes", changes=selectors.changes_of(row, limit=LIST_LIMIT).results
    )


# Playground and trials -------------------------------------------------------------------------------------------------


@require_http_methods(FORM)
@member_page
def bridge_playground(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    """Asks the draft, versions or other models, two side by side."""
    row = access.found(Bridge, membership, slug=slug)
    roles.require(membership, access.CALL)
    declared = {variable["name"]: variable for variable in [*row.variables, *(row.template.variables if row.template else ())]}
    form = PlayForm(
        request.POST if request.method == "POST" else None, choices=_asked_choices(row, membership), variables=[*declared.values()]
    )
    outcomes: list[tuple[str, playground.Outcome]] = []
    if request.method == "POST" and form.is_valid():
        labels = dict(form.fields["left"].choices)  # type: ignore[attr-defined]
        try:
            for asked in filter(None, (form.cleaned_data["left"], form.cleaned_data["right"])):
                kind, _, what = asked.partition(":")
                whom: dict[str, Any] = {"version": int(what)} if kind == "version" else {"model_configuration": what} if what else {}
                ran = playground.run(row, membership, text=form.cleaned_data["text"], values=form.asked_values(), **whom)
                outcomes.append((labels[asked], ran))
        except (ValidationError, ModelsGone) as error:
            form.add_error(None, " ".join(getattr(error, "messages", [str(error)])))
    return _of_bridge(request, membership, row, "settings/playground.html", tab="playground", form=form, outcomes=outcomes)


@require_http_methods(FORM)
@member_page
def bridge_trials(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    row = access.found(Bridge, membership, slug=slug)
    form = TrialForm(request.POST if request.method == "POST" else None, membership=membership)
    if request.method == "POST":
        access.require_change(Trial, membership)
        if form.save(bridge_id=row.pk):
            messages.success(request, "The trial is kept.")
            return redirect("dashboards:trials", membership.organization.slug, slug)
    return _trials(request, membership, row, form=form)


@require_POST
@member_page
def run_trials(request: HttpRequest, membership: Membership, slug: str) -> HttpResponse:
    row = access.found(Bridge, membership, slug=slug)
    asked = request.POST.get("version", "")
    tried: list[playground.Tried] = []
    try:
        tried = playground.run_trials(row, membership, version=int(asked) if asked.isdecimal() else None)
    except ModelsGone as error:
        messages.error(request, str(error))
    return _trials(request, membership, row, form=TrialForm(None, membership=membership), tried=tried, asked=asked)


@require_http_methods(FORM)
@member_page
def trial(request: HttpRequest, membership: Membership, slug: str, trial_id: Any) -> HttpResponse:
    row = access.found(Bridge, membership, slug=slug)
    kept = access.found(Trial, membership, pk=trial_id, bridge=row)
    form = TrialForm(request.POST if request.method == "POST" else None, membership=membership, row=kept)
    if request.method == "POST":
        access.require_change(Trial, membership)
        if form.save():
            messages.success(request, "The trial is kept.")
            return redirect("dashboards:trials", membership.organization.slug, slug)
    return _of_bridge(request, membership, row, "settings/trial.html", tab="trials", form=form, trial=kept)


@require_POST
@member_page
def delete_trial(request: HttpRequest, membership: Membership, slug: str, trial_id: Any) -> HttpResponse:
    row = access.found(Bridge, membership, slug=slug)
    settings.delete(access.found(Trial, membership, pk=trial_id, bridge=row), membership)
    return redirect("dashboards:trials", membership.organization.slug, slug)


# Models, templates, tools, chatbots ------------------------------------------------------------------------------------


@require_safe
@member_page
def rows(request: HttpRequest, membership: Membership, noun: str) -> HttpResponse:
    kind = NOUNS[noun]
    found = access.listed(kind.model, membership)[:LIST_LIMIT]
    may_change = access.may_change(kind.model, membership)
    return _render(request, membership, "settings/rows.html", at=noun, noun=kind, rows=found, may_change=may_change)


@require_http_methods(FORM)
@member_page
def new_row(request: HttpRequest, membership: Membership, noun: str) -> HttpResponse:
    kind = NOUNS[noun]
    access.require_change(kind.model, membership)
    form = FORMS[noun](request.POST if request.method == "POST" else None, membership=membership)
    if request.method == "POST" and form.save():
        messages.success(request, f"The {kind.one} is kept.")
        return redirect(f"dashboards:{noun}", membership.organization.slug)
    return _render(request, membership, "settings/form.html", form=form, at=noun, noun=kind, title=f"New {kind.one}")


@require_http_methods(FORM)
@member_page
def row(request: HttpRequest, membership: Membership, noun: str, **ids: Any) -> HttpResponse:
    kind = NOUNS[noun]
    found = access.found(kind.model, membership, pk=ids.popitem()[1])
    form = FORMS[noun](request.POST if request.method == "POST" else None, membership=membership, row=found)
    if request.method == "POST":
        access.require_change(kind.model, membership)
        if form.save():
            messages.success(request, f"The {kind.one} is kept.")
            return redirect(f"dashboards:{noun}", membership.organization.slug)
    snippet = ""
    if isinstance(found, Chatbot):
        snippet = f'<script src="{request.build_absolute_uri("/widget.js")}" data-chatbot="{found.pk}" async></script>'
    context = {
        "row": found,
        "snippet": snippet,
        "delete": reverse(f"dashboards:delete-{noun}", args=[membership.organization.slug, found.pk]),
    }
    return _render(request, membership, "settings/form.html", form=form, at=noun, noun=kind, title=str(found), **context)


@require_POST
@member_page
def delete_row(request: HttpRequest, membership: Membership, noun: str, **ids: Any) -> HttpResponse:
    found = access.found(NOUNS[noun].model, membership, pk=ids.popitem()[1])
    return _delete(request, membership, found, back=f"dashboards:{noun}")


# Parts -----------------------------------------------------------------------------------------------------------------


def _render(request: HttpRequest, membership: Membership, template: str, *, at: str, form: Any = None, **context: Any) -> HttpResponse:
    shared = {"at": at, "nouns": NOUNS.items(), "form": form, "may_change": True}
    if isinstance(form, SettingForm):
        shared["may_change"] = access.may_change(form.model, membership)
    status = 400 if form is not None and form.errors else 200
    return render(request, template, shell(request, membership, here="settings") | shared | context, status=status)


def _of_bridge(request: HttpRequest, membership: Membership, row: Bridge, template: str, *, tab: str, **context: Any) -> HttpResponse:
    may_call = roles.may(membership, access.CALL)
    return _render(request, membership, template, at="bridges", bridge=row, tab=tab, may_call=may_call, **context)


def _delete(request: HttpRequest, membership: Membership, row: TenantModel, *, back: str) -> HttpResponse:
    try:
        settings.delete(row, membership)
    except InUse as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"“{row}” is gone.")
    return redirect(back, membership.organization.slug)


def _trials(
    request: HttpRequest,
    membership: Membership,
    row: Bridge,
    *,
    form: TrialForm,
    tried: list[playground.Tried] | None = None,
    asked: str = "",
) -> HttpResponse:
    found = access.listed(Trial, membership).filter(bridge=row)[:LIST_LIMIT]
    numbers = [each["number"] for each in selectors.versions_of(row, limit=LIST_LIMIT).results]
    return _of_bridge(
        request,
        membership,
        row,
        "settings/trials.html",
        tab="trials",
        form=form,
        trials=found,
        tried=tried or [],
        numbers=numbers,
        asked=asked,
    )


def _asked_choices(row: Bridge, membership: Membership) -> list[tuple[str, str]]:
    numbers = [each["number"] for each in selectors.versions_of(row, limit=20).results]
    others = access.listed(ModelConfiguration, membership).filter(is_active=True)[:LIST_LIMIT]
    return [
        ("draft", "The draft"),
        *((f"version:{number}", f"Version {number}") for number in numbers),
        *((f"model:{each.pk}", f"The draft, by {each.name}") for each in others),
    ]


def _may_publish(membership: Membership) -> bool:
    return roles.may(membership, access.PUBLISH)
