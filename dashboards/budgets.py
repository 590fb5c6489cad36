"""The pages of budgets: how each stands, what it was spent on, and its form. All of it works by plain form posts."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chat.views import member_page, shell
from dashboards.budget_forms import BudgetForm, NewBudgetForm
from integrations import access
from integrations.models import Budget
from integrations.services import spending
from tenants.models import Membership

LIST_LIMIT = 200
FORM = ["GET", "HEAD", "POST"]


@require_safe
@member_page
def budgets(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Every budget and how it stands, the fullest first."""
    rows = list(access.listed(Budget, membership)[:LIST_LIMIT])
    states = sorted(spending.states(membership, rows), key=lambda state: (not state.budget.is_active, -state.used_percent))
    may_change = access.may_change(Budget, membership)
    return _render(request, membership, "settings/budgets.html", states=states, may_change=may_change)


@require_http_methods(FORM)
@member_page
def new_budget(request: HttpRequest, membership: Membership) -> HttpResponse:
    access.require_change(Budget, membership)
    form = NewBudgetForm(request.POST or None, membership=membership)
    if form.is_valid():
        try:
            made = spending.create(membership, **form.values())
        except ValidationError as error:
            _show(form, error)
        else:
            messages.success(request, "The budget holds from now on.")
            return redirect("dashboards:budget", membership.organization.slug, made.pk)
    return _render(request, membership, "settings/budget_form.html", form=form, status=400 if form.is_bound else 200)


@require_http_methods(FORM)
@member_page
def budget(request: HttpRequest, membership: Membership, budget_id: Any) -> HttpResponse:
    """What a budget was spent on, and its form for who may change it."""
    row = access.found(Budget, membership, pk=budget_id)
    if request.method == "POST":
        access.require_change(Budget, membership)
    may_change = access.may_change(Budget, membership)
    kept = {name: getattr(row, name) for name in spending.FIELDS}
    form = BudgetForm(request.POST if request.method == "POST" else None, initial=kept | {"amount": f"{row.amount.normalize():f}"})
    if form.is_bound and form.is_valid():
        try:
            spending.change(membership, row, **form.cleaned_data)
        except ValidationError as error:
            _show(form, error)
        else:
            messages.success(request, "Kept. It counts for every call from now on.")
            return redirect("dashboards:budget", membership.organization.slug, row.pk)
    if form.is_bound:
        row.refresh_from_db()
    by = request.GET.get("by", "model")
    by = by if by in spending.BY else "model"
    (state,) = spending.states(membership, [row])
    found = spending.spending(membership, row, by=by)
    context = {"state": state, "spending": found, "by": by, "breakdowns": spending.BY, "form": form, "may_change": may_change}
    return _render(request, membership, "settings/budget.html", status=400 if form.is_bound else 200, **context)


@require_POST
@member_page
def delete_budget(request: HttpRequest, membership: Membership, budget_id: Any) -> HttpResponse:
    spending.delete(membership, access.found(Budget, membership, pk=budget_id))
    messages.success(request, "The budget is removed. What was spent stays in the ledger.")
    return redirect("dashboards:budgets", membership.organization.slug)


def _show(form: Form, error: ValidationError) -> None:
    for name, sentences in error.message_dict.items():
        place = "target" if name == "target_id" else name
        form.add_error(place if place in form.fields else None, sentences)


def _render(request: HttpRequest, membership: Membership, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, template, shell(request, membership, here="settings") | {"at": "budgets"} | context, status=status)
