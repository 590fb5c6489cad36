"""REST: what happened, told by pages and programs; what was counted of it, as series, as rows and as files."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.response import Response

from analytics import access, items, series, tracking
from analytics.choices import Grain, Metric, TableFormat
from analytics.serializers import MetricAnswer, query_of
from analytics.services import exports
from analytics.tracking import Entry
from chat.downloads import Download
from config import json
from config.api import NON_FIELD, Call, Endpoint, operation
from tenants import origins

FILES = {"text/csv": OpenApiTypes.STR, exports.MEDIA_TYPES[TableFormat.XLSX]: OpenApiTypes.BINARY}
SHAPE: dict[str, Any] = {"answer": MetricAnswer, "also": FILES, "tags": ["metrics"]}


class EngagementMetrics(Endpoint):
    @operation(summary="What people did; by person", query=query_of(Metric.ENGAGEMENT), **SHAPE)
    def get(self, call: Call) -> Any:
        return _seen(call, Metric.ENGAGEMENT)


class AdoptionMetrics(Endpoint):
    @operation(summary="How much there is of the organization, and what came", query=query_of(Metric.ADOPTION), **SHAPE)
    def get(self, call: Call) -> Any:
        return _seen(call, Metric.ADOPTION)


class FeaturesMetrics(Endpoint):
    @operation(summary="How features are used; by feature, category, role, hour, department", query=query_of(Metric.FEATURES), **SHAPE)
    def get(self, call: Call) -> Any:
        return _seen(call, Metric.FEATURES)


class ReportsMetrics(Endpoint):
    @operation(summary="Which reports were made and read; by type, status", query=query_of(Metric.REPORTS), **SHAPE)
    def get(self, call: Call) -> Any:
        return _seen(call, Metric.REPORTS)


class ImpactMetrics(Endpoint):
    @operation(summary="The business KPIs as of the end of each day, week or month", query=query_of(Metric.IMPACT), **SHAPE)
    def get(self, call: Call) -> Any:
        """Where a KPI cannot be known it is null, and `reasons` says why."""
        return _seen(call, Metric.IMPACT)


class ChatMetrics(Endpoint):
    @operation(
        summary="Consultations and their answers; by user, department, branch, type, hour, employee, topic, report",
        query=query_of(Metric.CHAT),
        **SHAPE,
    )
    def get(self, call: Call) -> Any:
        """Employees whom you may not see are left out of the breakdown by employee."""
        return _seen(call, Metric.CHAT)


class UsageMetrics(Endpoint):
    @operation(summary="Calls to models, tokens and cost in US dollars; by model, purpose", query=query_of(Metric.USAGE), **SHAPE)
    def get(self, call: Call) -> Any:
        return _seen(call, Metric.USAGE)


def _seen(call: Call, metric: Metric) -> Any:
    """The series or the breakdown that the query asks for, in its format."""
    membership = access.metrics_for(call.membership)
    window, format = call.query["window"], TableFormat(call.query["format"])
    found: series.Series | series.Breakdown
    if by := call.query.get("by"):
        limit = series.ROWS if format == TableFormat.JSON else None
        found = series.break_down(membership, metric, window=window, by=by, limit=limit)
    else:
        found = series.read(membership, metric, window=window, grain=Grain(call.query["grain"]), compare=call.query["compare"])
    if format != TableFormat.JSON:
        return Download(exports.export(membership, found, format=format))
    said = {"metric": metric.value, "from": window.first, "until": window.end}
    if isinstance(found, series.Breakdown):
        rows = [{"of": row.of, "name": row.label, "figures": row.figures} for row in found.rows]
        return said | {"by": found.by, "rows": rows, "is_whole": found.is_whole}
    previous = None if found.previous is None else _point(found.previous)
    points = [_point(point) for point in found.points]
    return said | {"grain": found.grain.value, "total": _point(found.total), "previous": previous, "points": points}


def _point(point: series.Point) -> dict[str, Any]:
    return {
        "from": point.window.first,
        "until": point.window.end,
        "days": point.window.length,
        "counted": point.counted,
        "figures": point.figures,
        "reasons": point.reasons,
    }


ITEMS_LIMIT = 500
BYTES_LIMIT = 256 * 1024


class EventsParser(json.Parser):
    limit = BYTES_LIMIT


class ItemRefused(serializers.Serializer):
    index = serializers.IntegerField(help_text="The item's place in what was sent, from 0.")
    code = serializers.CharField(help_text="A word for programs.")
    detail = serializers.CharField(help_text="A sentence for people, saying what to do.")
    attr = serializers.CharField(allow_null=True, help_text="The field it is about.")


class EventsAnswer(serializers.Serializer):
    """`accepted` are kept now, `duplicates` were before; what `errors` names is not."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    errors = ItemRefused(many=True)  # type: ignore[assignment]


ITEMS = PolymorphicProxySerializer(
    component_name="Event", serializers=[shape.serializer for shape in items.SHAPES.values()], resource_type_field_name=None, many=True
)


class Events(Endpoint):
    parser_classes = [EventsParser]

    @operation(
        summary="Tell what I did: one item, or a list of them",
        answer=EventsAnswer,
        status_code=201,
        partly=207,
        free_body=ITEMS,
        tags=["events"],
    )
    def post(self, call: Call) -> Any:
        """Takes one item or a list of at most 500, in at most 256 KiB. Each is looked at by itself and kept durably, once for each
        `client_id` of yours. 201: all of them are kept. 207: some were refused, `errors` says which and why, and the others are kept. 400:
        none is, in the usual shape of errors, whose `attr` begins with the item's place in a list.

        `log` says which kind of item it is: `activity` (by default), `dashboard` (what was done with a widget) or `notification`."""
        now = timezone.now()
        is_list = isinstance(call.request.data, list)
        given = call.request.data if is_list else [call.request.data]
        if not given:
            raise ValidationError(ErrorDetail("Send at least one item.", code="empty"))
        if len(given) > ITEMS_LIMIT:
            raise ValidationError(ErrorDetail(f"Send at most {ITEMS_LIMIT} items in one request.", code="too_many"))
        entries: list[Entry] = []
        places: list[int] = []
        refused: dict[int, Any] = {}
        for place, data in enumerate(given):
            try:
                entries.append(items.read(data, call.membership, now=now))
                places.append(place)
            except ValidationError as error:
                refused[place] = error.detail
        origin = origins.current()
        written = tracking.write([Entry(entry.log, entry.document, origin) for entry in entries])
        for index in written.refused:
            refused[places[index]] = {NON_FIELD: [ErrorDetail("This cannot be kept. Send plain values.", code="refused")]}
        if len(refused) == len(given):
            raise ValidationError({str(place): detail for place, detail in refused.items()} if is_list else refused[0])
        answer = {
            "accepted": len(given) - len(refused) - len(written.duplicates),
            "duplicates": len(written.duplicates),
            "errors": [one for place, detail in sorted(refused.items()) for one in _errors(place, detail)],
        }
        return Response(answer, status=207 if refused else 201)


def _errors(place: int, detail: Any, attr: str = "") -> list[dict[str, Any]]:
    """Every error of an item, with the field that it is about."""
    if isinstance(detail, dict):
        parts = [(value, attr if name == NON_FIELD else f"{attr}.{name}".lstrip(".")) for name, value in detail.items()]
        return [one for value, name in parts for one in _errors(place, value, name)]
    if isinstance(detail, list):
        return [one for value in detail for one in _errors(place, value, attr)]
    return [{"index": place, "code": detail.code, "detail": str(detail), "attr": attr or None}]
