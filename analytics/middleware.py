"""Notes which pages members open and what they ask of the API, whether it worked or not; and says for whatever else is announced during a
request who makes it, and from where.

Pages below `/o/<organization>/` and operations below `/api/v1/` count, by members and their keys. Event streams do not, nor does the
operation that takes events. What is noted: PAGE_VIEW for what is only read, BUTTON_CLICK for what changes something; besides,
SEARCH_PERFORMED and FILTER_APPLIED where a list was searched or filtered. `eventTarget` names the address without its ids,
`eventMetadata.component` says `page` or `api`.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from analytics import receivers, tracking
from analytics.choices import EventCategory, EventType
from tenants import origins

log = logging.getLogger(__name__)

PAGES, API = "/o/", "/api/v1/"
NOT_NOTED = frozenset({"api:activity", "api:unknown"})
EVENT_STREAM = "text/event-stream"
READING = frozenset({"GET", "HEAD"})

SEARCHED = {"api:search": "q", "api:conversations": "q", "api:employees": "q", "chat:inbox": "q", "chat:search": "q"}
"""The parameter that makes a request for a list a search."""
FILTERED = frozenset({"api:conversations", "api:employees", "chat:inbox"})
NO_FILTER = frozenset({"q", "cursor", "limit", "partial"})


class TrackingMiddleware:
    """Behind `TenantMiddleware`, which knows the membership."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self.__acall__(request)
        began = time.perf_counter()
        with origins.of_request(request):
            response = self.get_response(request)
            note_safely(request, response, seconds=time.perf_counter() - began)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        with origins.of_request(request):
            response = await self.get_response(request)
            note_safely(request, response, seconds=time.perf_counter() - began)
        return response


def note_safely(request: HttpRequest, response: HttpResponseBase, *, seconds: float) -> None:
    """No request fails because it could not be noted."""
    try:
        note(request, response, seconds=seconds)
    except Exception:
        log.exception("A request could not be noted.")


def note(request: HttpRequest, response: HttpResponseBase, *, seconds: float) -> None:
    membership = getattr(request, "membership", None)
    found = request.resolver_match
    if membership is None or found is None or not request.path_info.startswith((PAGES, API)) or found.view_name in NOT_NOTED:
        return
    if response.headers.get("Content-Type", "").startswith(EVENT_STREAM):
        return
    is_page = request.path_info.startswith(PAGES)
    reads = request.method in READING
    worked = response.status_code < 400
    if is_page:
        receivers.signed_in_to(membership, request)
    kinds = [EventType.PAGE_VIEW if reads else EventType.BUTTON_CLICK]
    if reads and worked:
        kinds += looked_for(request, found.view_name)
    metadata = {
        "page": found.route,
        "component": "page" if is_page else "api",
        "duration": seconds,
        "success": worked,
        "errorMessage": None if worked else f"HTTP {response.status_code}",
    }
    for kind in kinds:
        tracking.record(
            membership,
            kind,
            category=None if is_page else EventCategory.DATA_ACCESS,
            action=request.method,
            target=found.view_name,
            metadata=metadata,
        )


def looked_for(request: HttpRequest, view_name: str) -> list[EventType]:
    """Whether a list was searched, and whether it was filtered."""
    given = {name for name, value in request.GET.items() if value}
    found = [EventType.SEARCH_PERFORMED] if SEARCHED.get(view_name) in given else []
    if view_name in FILTERED and given - NO_FILTER:
        found.append(EventType.FILTER_APPLIED)
    return found
