"""The page of platform connections, and where a platform sends the browser back to. All of it are links and plain forms."""

from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from chat.views import member_page, shell
from integrations import access, api, tasks
from integrations.errors import ConnectionRefused
from integrations.models import PlatformConnection
from integrations.platforms import registry
from integrations.services import connections
from integrations.services.connections import Declined, Returned
from tenants.errors import Forbidden
from tenants.models import Membership


@require_safe
@member_page
def overview(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Every platform with one's own connections; the one that a button of a message asked for comes first."""
    return _page(request, membership)


@require_POST
@member_page
def connect(request: HttpRequest, membership: Membership, platform: str) -> HttpResponseBase:
    """Sends the browser to the platform."""
    callback = api.callback_address(request, platform)
    try:
        url = connections.begin(membership, platform, session_key=request.session.session_key, redirect_uri=callback)
    except ConnectionRefused as problem:
        messages.error(request, str(problem))
        return _back(membership)
    return redirect(url)


@require_POST
@member_page
def connect_demo(request: HttpRequest, membership: Membership, platform: str) -> HttpResponseBase:
    connection = connections.connect_demo(membership, platform, now=timezone.now())
    messages.success(request, f"Sample data stands in for {connection.get_platform_display()} until you connect it.")
    return _back(membership)


@require_POST
@member_page
def choose(request: HttpRequest, membership: Membership, connection: UUID) -> HttpResponseBase:
    found = access.connection_for(membership, connection)
    try:
        chosen = connections.choose(found, request.POST.get("account", ""))
    except ConnectionRefused as problem:
        messages.error(request, str(problem))
        return _back(membership)
    messages.success(request, _connected(chosen))
    return _back(membership)


@require_POST
@member_page
def disconnect(request: HttpRequest, membership: Membership, connection: UUID) -> HttpResponseBase:
    found = access.connection_for(membership, connection)
    connections.disconnect(found, now=timezone.now())
    tasks.tell_platforms()
    messages.success(request, f"{found} is disconnected. Nothing is asked with it any more.")
    return _back(membership)


@require_safe
@never_cache
def callback(request: HttpRequest, platform: str) -> HttpResponseBase:
    """The browser comes back from a platform. What does not belong to it is told so, and to nobody whose it is."""
    brought = Returned(platform, *(request.GET.get(name, "") for name in ("state", "code", "error")))
    if not request.user.is_authenticated or any(len(values) > 1 for _, values in request.GET.lists()):
        return render(request, "chat/not_connected.html", status=400)
    try:
        membership, connection = connections.complete(request.user, brought, session_key=request.session.session_key, now=timezone.now())
    except Declined as problem:
        messages.error(request, str(problem))
        return _back(problem.membership)
    except (ConnectionRefused, Forbidden):
        return render(request, "chat/not_connected.html", status=400)
    if connection.needs_account:
        messages.info(request, f"{registry.platform(platform).vendor} agreed. Choose which account to connect.")
    else:
        messages.success(request, _connected(connection))
    return _back(membership)


def _page(request: HttpRequest, membership: Membership) -> HttpResponse:
    mine = list(access.connections_for(membership))
    wanted = request.GET.get("platform", "")
    platforms = sorted(registry.PLATFORMS.values(), key=lambda platform: platform.name != wanted)
    rows = [(platform, [one for one in mine if one.platform == platform.name]) for platform in platforms]
    context = shell(request, membership, here="connections") | {"rows": rows, "wanted": wanted}
    response = render(request, "chat/connections.html", context)
    # A form that ends at a platform: the policy follows a form's redirects, too.
    ends = {origin(platform.authorization_url(state="x", verifier="x", redirect_uri="x")) for platform in platforms}
    response._csp_update = {"form-action": sorted({*ends, "https://m.facebook.com"})}  # type: ignore[attr-defined]  # read by django-csp
    return response


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _back(membership: Membership) -> HttpResponseBase:
    return redirect("chat:connections", membership.organization.slug)


def _connected(connection: PlatformConnection) -> str:
    return f"{connection} is connected. Ask the AI about it."
