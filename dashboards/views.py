"""The dashboard's pages. Each parses, goes through the door, makes one call and renders; all of it is in the address, without a script."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from analytics import access, series, tracking
from analytics.choices import DashboardType, Grain, Metric, TableFormat
from analytics.services import exports
from analytics.windows import Window, day_of
from chat.downloads import Download
from chat.views import member_page, shell
from dashboards import selectors
from dashboards.forms import DAYS, PeriodForm
from tenants.errors import NotFound
from tenants.models import Membership


@require_safe
@member_page
def dashboard(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The owner's first page."""
    access.metrics_for(membership)
    form, window, grain = _period(request)
    overview = selectors.overview(membership, window=window, grain=grain)
    tracking.dashboard_loaded(membership, dashboard=DashboardType.OWNER)
    context = {"overview": overview, "live": selectors.LIVE.items()}
    return _render(request, membership, "dashboards/dashboard.html", form=form, window=window, grain=grain, **context)


@require_safe
@member_page
def sheet(request: HttpRequest, membership: Membership, metric: str) -> HttpResponseBase:
    """The rows behind a number, as a page or as a file."""
    access.metrics_for(membership)
    if metric not in Metric:
        raise NotFound("There is no such metric.")
    seen = Metric(metric)
    form, window, grain = _period(request)
    by = request.GET.get("by", "")
    if by and by not in series.TABLES[seen].by:
        raise NotFound("There is no such breakdown.")
    if (wanted := request.GET.get("format", "")) in (TableFormat.CSV, TableFormat.XLSX) and form.is_valid():
        read = (
            series.break_down(membership, seen, window=window, by=by, limit=None)
            if by
            else series.read(membership, seen, window=window, grain=grain)
        )
        return Download(exports.export(membership, read, format=TableFormat(wanted)))
    found = selectors.sheet(membership, seen, window=window, grain=grain, by=by)
    context = {"sheet": found, "metric": seen, "by": by, "breakdowns": [*series.TABLES[seen].by], "metrics": Metric}
    return _render(request, membership, "dashboards/sheet.html", form=form, window=window, grain=grain, **context)


def _period(request: HttpRequest) -> tuple[PeriodForm, Window, Grain]:
    form = PeriodForm(request.GET)
    window = form.window(today=day_of(timezone.now()))
    return form, window, form.chosen_grain(window)


def _render(
    request: HttpRequest, membership: Membership, template: str, *, form: PeriodForm, window: Window, grain: Grain, **context: Any
) -> HttpResponse:
    chosen = form.chosen_days()
    period = {"days": chosen} if chosen else {"first": window.first, "last": window.last}
    asked = {"grain": form.cleaned_data.get("grain", "")} if form.is_valid() else {}
    query = urlencode({name: value for name, value in (period | asked).items() if value})
    shared = {
        "form": PeriodForm({"first": window.first, "last": window.last, **asked}) if form.is_valid() else form,
        "window": window,
        "grain": grain,
        "query": query,
        "chosen": chosen,
        "ranges": DAYS.items(),
    }
    status = 200 if form.is_valid() else 400
    return render(request, template, shell(request, membership, here="dashboard") | shared | context, status=status)
